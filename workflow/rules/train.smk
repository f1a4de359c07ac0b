"""One job a training. Its resume state is no output, so that it outlives a job that failed or was stopped.

On a cluster a training may take several jobs: each stops itself before its time limit, and the next one goes on.
"""


rule train:
    message:
        "train {wildcards.run}"
    input:
        config=ancient(CONFIG_FILE),
        pack=ancient(PACK),  # its index holds its checksum
        pack_index=PACK.removesuffix(".npy") + ".json",
        evaluation=EVALUATION,
    output:
        multiext(f"{RESULTS}/runs/{{run}}/model/model", ".json", ".safetensors"),
        multiext(f"{RESULTS}/runs/{{run}}/best/model", ".json", ".safetensors"),
        log=f"{RESULTS}/runs/{{run}}/log.csv",
        monitor=f"{RESULTS}/runs/{{run}}/monitor.csv",
        provenance=f"{RESULTS}/runs/{{run}}/provenance.json",
    log:
        f"{RESULTS}/logs/train/{{run}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/train/{{run}}.tsv"
    threads: CONFIG["training"]["threads"]
    retries: RESOURCES["train"]["attempts"] - 1 if workflow.is_main_process else 0
    resources:
        mem_mb=RESOURCES["train"]["mem_mb"],
        runtime=RESOURCES["train"]["job_minutes"],
        gpu=RESOURCES["train"]["gpu"],
    params:
        settings=run_settings,
        code=fingerprint("cvqn.lab.training.loop"),
        folder=lambda wildcards, output: os.path.dirname(output.log),
    # A step of its own within a cluster's job: SLURM tells only a step's first process to stop, else Snakemake.
    shell:
        "${{SLURM_JOB_ID:+srun --overlap --ntasks 1 --cpus-per-task {threads}}}"
        " cvqn train --config {input.config} --run {wildcards.run} --pack {input.pack} --monitor {input.evaluation}"
        " --output {params.folder} ${{SLURM_JOB_ID:+--job-minutes {resources.runtime}}} >> {log} 2>&1"
