"""Data sets as their manifests describe them, and the training images decoded once."""


localrules:
    fetch,


rule fetch:
    input:
        "data/manifests/{set}.yaml",
    output:
        "data/sets/{set}/index.json",
    log:
        "data/sets/{set}.log",
    benchmark:
        "data/sets/{set}.tsv"
    resources:
        plan=PLAN_FILE,
    params:
        code=code("fetch"),
    message:
        "fetch the data set {wildcards.set}"
    shell:
        "cvqn data fetch --plan {resources.plan:q} {wildcards.set} >> {log:q} 2>&1"


rule pack:
    input:
        sets=expand("data/sets/{set}/index.json", set=CONFIG.data.train),
        excluded=sorted({EVALUATION, *SELECTING}),
    output:
        pixels=PACK,
        index=PACK.removesuffix(".npy") + ".json",
    log:
        PACK.removesuffix(".npy") + ".log",
    benchmark:
        PACK.removesuffix(".npy") + ".tsv"
    threads: forecast.PACK_THREADS
    resources:
        plan=PLAN_FILE,
    params:
        code=code("pack"),
    message:
        "decode the training images into {output.pixels}"
    shell:
        "cvqn data pack --plan {resources.plan:q} --sets {input.sets:q} --exclude {input.excluded:q}"
        " --workers {threads} --output {output.pixels:q} >> {log:q} 2>&1"
