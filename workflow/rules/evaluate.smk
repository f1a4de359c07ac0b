"""Evaluation images through every codec: one job per trained model, one per quality of a conventional codec."""


def model_of(wildcards):
    """The files of a run's model."""
    run = Run.parse(wildcards.run)
    return RESULTS.model_files(run.training, run.checkpoint)


def shown_of(wildcards):
    """What of a run's channels the report shows."""
    experiment = Run.parse(wildcards.run).experiment
    return [REPORT.shown_image(experiment), REPORT.shows_influence(experiment)]


EVALUATED = {
    "archive": RESULTS.archive("{learned}", "{run}"),
    "timings": RESULTS.archive_table("{learned}", "{run}"),
    "table": RESULTS.measurements("{learned}", "{run}"),
    "record": sidecar(RESULTS.measurements("{learned}", "{run}")),
}


rule evaluate:
    message:
        "compress, decode and measure {CONFIG.data.evaluation} with {wildcards.run}"
    input:
        model_of,
        images=EVALUATION,
    output:
        **EVALUATED,
    log:
        f"{RESULTS.root}/logs/evaluate/{{learned}}-{{run}}.log",
    benchmark:
        f"{RESULTS.root}/benchmarks/evaluate/{{learned}}-{{run}}.tsv"
    wildcard_constraints:
        run=run_but(WITH_CHANNELS) + "(-best)?",
    threads: CONFIG.evaluation.threads
    params:
        code=lambda wildcards: code("evaluate", wildcards.learned),
        shown=shown_of,
        device=CONFIG.evaluation.device,
    shell:
        "cvqn evaluate --plan {PLAN_FILE:q} --run {wildcards.run} --images {input.images:q}"
        " --device {params.device} --threads {threads} >> {log:q} 2>&1"


use rule evaluate as evaluate_channels with:
    message:
        "compress, decode and measure {CONFIG.data.evaluation} with {wildcards.run}, and look into its channels"
    output:
        RESULTS.analysis_files("{learned}", "{run}"),
        **EVALUATED,
    wildcard_constraints:
        run=one_of(WITH_CHANNELS),


rule encode:
    message:
        "encode {CONFIG.data.evaluation} with {wildcards.codec} at {wildcards.quality}"
    input:
        images=EVALUATION,
    output:
        archive=RESULTS.archive("{codec}", "{quality}"),
        timings=RESULTS.archive_table("{codec}", "{quality}"),
    log:
        f"{RESULTS.root}/logs/encode/{{codec}}-{{quality}}.log",
    benchmark:
        f"{RESULTS.root}/benchmarks/encode/{{codec}}-{{quality}}.tsv"
    params:
        code=lambda wildcards: code("encode", wildcards.codec),
    shell:
        "cvqn encode --plan {PLAN_FILE:q} --codec {wildcards.codec} --quality {wildcards.quality}"
        " --images {input.images:q} --output {output.archive:q} >> {log:q} 2>&1"


rule measure:
    message:
        "decode and measure {wildcards.codec}"
    input:
        images=EVALUATION,
        bitstreams=lambda wildcards: [RESULTS.archive(wildcards.codec, q) for q in CODECS[wildcards.codec]],
        timings=lambda wildcards: [RESULTS.archive_table(wildcards.codec, q) for q in CODECS[wildcards.codec]],
    output:
        table=RESULTS.measurements("{codec}"),
        record=sidecar(RESULTS.measurements("{codec}")),
    log:
        f"{RESULTS.root}/logs/measure/{{codec}}.log",
    benchmark:
        f"{RESULTS.root}/benchmarks/measure/{{codec}}.tsv"
    params:
        code=lambda wildcards: code("measure", wildcards.codec),
    shell:
        "cvqn measure --plan {PLAN_FILE:q} --codec {wildcards.codec} --images {input.images:q}"
        " --bitstreams {input.bitstreams:q} --output {output.table:q} >> {log:q} 2>&1"
