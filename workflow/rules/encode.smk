"""Evaluation images into CVQN's files, and these decoded again and measured."""


rule encode:
    message:
        "compress {CONFIG[data][evaluation]} with {wildcards.run}{wildcards.suffix}"
    input:
        checkpoint_files,
        images=EVALUATION,
    output:
        archive=f"{RESULTS}/bitstreams/cvqn/{{run}}{{suffix}}.tar",
        timings=f"{RESULTS}/bitstreams/cvqn/{{run}}{{suffix}}.csv",
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
        code=fingerprint("cvqn.lab.evaluation.encode", "cvqn.compression"),
        model=checkpoint_folder,
        device=CONFIG["evaluation"]["device"],
    shell:
        "cvqn encode --codec cvqn --model {params.model} --device {params.device} --threads {threads}"
        " --images {input.images} --output {output.archive} >> {log} 2>&1"


rule measure:
    message:
        "decode and measure {wildcards.run}{wildcards.suffix}"
    input:
        checkpoint_files,
        images=EVALUATION,
        bitstreams=f"{RESULTS}/bitstreams/cvqn/{{run}}{{suffix}}.tar",
        timings=f"{RESULTS}/bitstreams/cvqn/{{run}}{{suffix}}.csv",
    output:
        table=f"{RESULTS}/measurements/cvqn/{{run}}{{suffix}}.csv",
        record=f"{RESULTS}/measurements/cvqn/{{run}}{{suffix}}.json",
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
        code=fingerprint("cvqn.lab.evaluation.measure", "cvqn.compression"),
        model=checkpoint_folder,
        device=CONFIG["evaluation"]["device"],
    shell:
        "cvqn measure --codec cvqn --model {params.model} --device {params.device} --threads {threads}"
        " --images {input.images} --bitstreams {input.bitstreams} --output {output.table} >> {log} 2>&1"
