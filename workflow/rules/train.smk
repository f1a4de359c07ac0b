"""One job per training. Its progress is kept in the store of trainings, which is not an output of the workflow.

On a cluster a training may take several jobs: each stops before its time limit, and the next one resumes.
"""


rule train:
    input:
        pack=ancient(PACK),  # pack_index holds its checksum
        pack_index=PACK.removesuffix(".npy") + ".json",
        selecting=SELECTING,
    output:
        RESULTS.model_files("{training}", "last"),
        RESULTS.training_files("{training}"),
    log:
        f"{RESULTS.root}/logs/train/{{training}}.log",
    benchmark:
        f"{RESULTS.root}/benchmarks/train/{{training}}.tsv"
    wildcard_constraints:
        training=run_but(MONITORED),
    threads: lambda wildcards: experiment_of(wildcards).training.threads
    resources:
        runtime=240,  # minutes of a cluster job, unless the profile sets another limit
        plan=PLAN_FILE,
    params:
        settings=lambda wildcards: json.dumps(experiment_of(wildcards).identity(), sort_keys=True),
        code=lambda wildcards: code("train", codec_of(wildcards)),
    message:
        "train {wildcards.training}"
    # In a cluster job, srun starts the training as its own step. SLURM signals only the first process of a step, which
    # would otherwise be Snakemake.
    shell:
        "${{SLURM_JOB_ID:+srun --overlap --ntasks 1 --cpus-per-task {threads}}}"
        " cvqn train --plan {resources.plan:q} --run {wildcards.training} --pack {input.pack:q}"
        " --monitor {input.selecting:q} ${{SLURM_JOB_ID:+--job-minutes {resources.runtime}}} >> {log:q} 2>&1"


use rule train as train_monitored with:
    output:
        RESULTS.model_files("{training}", "last"),
        *[RESULTS.model_files("{training}", checkpoint) for checkpoint in CONFIG.data.selecting],
        RESULTS.training_files("{training}"),
    wildcard_constraints:
        training=one_of(MONITORED),
