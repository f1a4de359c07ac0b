"""Evaluation images into CVQN's files, and these decoded again and measured."""


def checkpoint_folder(wildcards):
    """The model folder of `<run>` or `<run>-best`."""
    return f"{RESULTS}/runs/{wildcards.run}/{'best' if wildcards.suffix else 'model'}"


def checkpoint_files(wildcards):
    """The two files in it."""
    return multiext(f"{checkpoint_folder(wildcards)}/model", ".json", ".safetensors")


rule encode:
    message:
        "compress {CONFIG[data][evaluation]} with {wildcards.run}{wildcards.suffix}"
    input:
        checkpoint_files,
        images=EVALUATION,
    output:
        multiext(f"{RESULTS}/bitstreams/cvqn/{{run}}{{suffix}}", ".tar", ".csv"),
    log:
        f"{RESULTS}/logs/encode/{{run}}{{suffix}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/encode/{{run}}{{suffix}}.tsv"
    wildcard_constraints:
        suffix="(-best)?",
    threads: CONFIG["evaluation"]["threads"]
    resources:
        mem_mb=each_attempt_more("evaluate", "mem_mb"),
        runtime=each_attempt_more("evaluate", "minutes"),
        gpu=RESOURCES["evaluate"]["gpu"],
    params:
        code=fingerprint("cvqn.evaluation.encode", "cvqn.compression"),
        model=checkpoint_folder,
        device=CONFIG["evaluation"]["device"],
    shell:
        "cvqn encode --codec cvqn --model {params.model} --device {params.device} --threads {threads}"
        " --images {input.images} --output {output[0]} >> {log} 2>&1"


rule measure:
    message:
        "decode and measure {wildcards.run}{wildcards.suffix}"
    input:
        checkpoint_files,
        images=EVALUATION,
        bitstreams=f"{RESULTS}/bitstreams/cvqn/{{run}}{{suffix}}.tar",
        timings=f"{RESULTS}/bitstreams/cvqn/{{run}}{{suffix}}.csv",
    output:
        multiext(f"{RESULTS}/measurements/cvqn/{{run}}{{suffix}}", ".csv", ".json"),
    log:
        f"{RESULTS}/logs/measure/{{run}}{{suffix}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/measure/{{run}}{{suffix}}.tsv"
    wildcard_constraints:
        suffix="(-best)?",
    threads: CONFIG["evaluation"]["threads"]
    resources:
        mem_mb=each_attempt_more("evaluate", "mem_mb"),
        runtime=each_attempt_more("evaluate", "minutes"),
        gpu=RESOURCES["evaluate"]["gpu"],
    params:
        code=fingerprint("cvqn.evaluation.measure", "cvqn.compression"),
        model=checkpoint_folder,
        device=CONFIG["evaluation"]["device"],
    shell:
        "cvqn measure --codec cvqn --model {params.model} --device {params.device} --threads {threads}"
        " --images {input.images} --bitstreams {input.bitstreams} --output {output[0]} >> {log} 2>&1"
