"""Encodes and measures the evaluation images: a job per trained model, and per quality of a conventional codec."""

EVALUATED = {
    "archive": RESULTS.archive("{learned}", "{run}"),
    "timings": RESULTS.archive_table("{learned}", "{run}"),
    "table": RESULTS.measurements("{learned}", "{run}"),
    "record": sidecar(RESULTS.measurements("{learned}", "{run}")),
}


rule evaluate:
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
        run=run_but(WITH_CHANNELS) + AT_CHECKPOINT,
    threads: CONFIG.evaluation.threads
    resources:
        plan=PLAN_FILE,
    params:
        code=lambda wildcards: code("evaluate", wildcards.learned),
        shown=shown_of,
        device=CONFIG.evaluation.device,
    message:
        f"compress, decode and measure {CONFIG.data.evaluation} with {{wildcards.run}}"
    shell:
        "cvqn evaluate --plan {resources.plan:q} --run {wildcards.run} --images {input.images:q}"
        " --device {params.device} --threads {threads} >> {log:q} 2>&1"


use rule evaluate as evaluate_channels with:
    output:
        RESULTS.analysis_files("{learned}", "{run}"),
        **EVALUATED,
    wildcard_constraints:
        run=one_of(WITH_CHANNELS),
    message:
        f"compress, decode and measure {CONFIG.data.evaluation} with {{wildcards.run}}, and analyse its channels"


rule encode:
    input:
        images=EVALUATION,
    output:
        archive=RESULTS.archive("{codec}", "{quality}"),
        timings=RESULTS.archive_table("{codec}", "{quality}"),
    log:
        f"{RESULTS.root}/logs/encode/{{codec}}-{{quality}}.log",
    benchmark:
        f"{RESULTS.root}/benchmarks/encode/{{codec}}-{{quality}}.tsv"
    resources:
        plan=PLAN_FILE,
    params:
        code=lambda wildcards: code("encode", wildcards.codec),
    message:
        f"encode {CONFIG.data.evaluation} with {{wildcards.codec}} at {{wildcards.quality}}"
    shell:
        "cvqn encode --plan {resources.plan:q} --codec {wildcards.codec} --quality {wildcards.quality}"
        " --images {input.images:q} --output {output.archive:q} >> {log:q} 2>&1"


rule measure:
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
    resources:
        plan=PLAN_FILE,
    params:
        code=lambda wildcards: code("measure", wildcards.codec),
    message:
        "decode and measure {wildcards.codec}"
    shell:
        "cvqn measure --plan {resources.plan:q} --codec {wildcards.codec} --images {input.images:q}"
        " --bitstreams {input.bitstreams:q} --output {output.table:q} >> {log:q} 2>&1"
