"""Evaluation images through the conventional codecs: one job a codec and quality to encode, one a codec to measure."""


rule encode_baseline:
    message:
        "encode {CONFIG[data][evaluation]} with {wildcards.codec} at {wildcards.quality}"
    input:
        images=EVALUATION,
    output:
        archive=f"{RESULTS}/bitstreams/{{codec}}/{{quality}}.tar",
        timings=f"{RESULTS}/bitstreams/{{codec}}/{{quality}}.csv",
    log:
        f"{RESULTS}/logs/encode/{{codec}}-{{quality}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/encode/{{codec}}-{{quality}}.tsv"
    resources:
        mem_mb=each_attempt_more("cpu", "mem_mb"),
        runtime=each_attempt_more("cpu", "minutes"),
    params:
        code=lambda wildcards: fingerprint("cvqn.lab.evaluation.encode", codec_module(wildcards.codec)),
    shell:
        "cvqn encode --codec {wildcards.codec} --quality {wildcards.quality} --images {input.images}"
        " --output {output.archive} >> {log} 2>&1"


rule measure_baseline:
    message:
        "decode and measure {wildcards.codec}"
    input:
        images=EVALUATION,
        bitstreams=lambda wildcards: baseline_bitstreams([wildcards.codec]),
        timings=lambda wildcards: [path.removesuffix("tar") + "csv" for path in baseline_bitstreams([wildcards.codec])],
    output:
        table=f"{RESULTS}/measurements/{{codec}}.csv",
        record=f"{RESULTS}/measurements/{{codec}}.json",
    log:
        f"{RESULTS}/logs/measure/{{codec}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/measure/{{codec}}.tsv"
    resources:
        mem_mb=each_attempt_more("cpu", "mem_mb"),
        runtime=each_attempt_more("cpu", "minutes"),
    params:
        code=lambda wildcards: fingerprint("cvqn.lab.evaluation.measure", codec_module(wildcards.codec)),
    shell:
        "cvqn measure --codec {wildcards.codec} --images {input.images} --bitstreams {input.bitstreams}"
        " --output {output.table} >> {log} 2>&1"
