"""Tables, figures and metrics, and the looks inside trained models that they need."""

localrules:
    identities,
    table,
    table_of_channels,
    table_extras,
    figure_bits,
    figure1,
    figure3_maps,
    figure3_curves,
    figure4,
    metrics,


rule analyse:
    message:
        "look into the channels of {wildcards.run}"
    input:
        multiext(f"{RESULTS}/runs/{{run}}/model/model", ".json", ".safetensors"),
        images=EVALUATION,
    output:
        [f"{RESULTS}/analysis/{{run}}/{file}" for file in ANALYSIS_FILES],
    log:
        f"{RESULTS}/logs/analyse/{{run}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/analyse/{{run}}.tsv"
    threads: CONFIG["evaluation"]["threads"]
    resources:
        mem_mb=each_attempt_more("evaluate", "mem_mb"),
        runtime=each_attempt_more("evaluate", "minutes"),
        gpu=RESOURCES["evaluate"]["gpu"],
    params:
        code=fingerprint("cvqn.lab.evaluation.analysis"),
        model=folder_of_input,
        folder=folder_of_output,
        image=maps_image,
        influence=influence_option,
        device=CONFIG["evaluation"]["device"],
    shell:
        "cvqn analyse --model {params.model} --images {input.images} --maps-of {params.image} {params.influence}"
        " --device {params.device} --threads {threads} --output {params.folder} >> {log} 2>&1"


rule identities:
    message:
        "check the statements that hold by definition"
    output:
        f"{RESULTS}/analysis/identities.json",
    log:
        f"{RESULTS}/logs/identities.log",
    benchmark:
        f"{RESULTS}/benchmarks/identities.tsv"
    params:
        code=fingerprint("cvqn.lab.evaluation.identities"),
    shell:
        "cvqn identities --output {output} >> {log} 2>&1"


rule table:
    message:
        "table {wildcards.name}"
    input:
        CLAIMS,
        PUBLISHED,
        config=ancient(CONFIG_FILE),
        measurements=all_measurements(),
    output:
        csv=report(
            f"{RESULTS}/tables/{{name}}.csv",
            caption="../report/tables.rst",
            category="Tables",
            labels={"table": "{name}"},
        ),
        markdown=f"{RESULTS}/tables/{{name}}.md",
    log:
        f"{RESULTS}/logs/tables/{{name}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/tables/{{name}}.tsv"
    wildcard_constraints:
        name="table1|table2|runs|rate-distortion|bd-rate",
    params:
        settings=settings_of("scale", "seeds", "report", "codecs"),
        code=fingerprint("cvqn.lab.report.tables", "cvqn.lab.report.readable"),
    shell:
        "cvqn table {wildcards.name} --config {input.config} --measurements {input.measurements}"
        " --output {output.csv} >> {log} 2>&1"


rule table_of_channels:
    message:
        "table {wildcards.name}"
    input:
        analysis_files(RUNS),
        config=ancient(CONFIG_FILE),
    output:
        csv=report(
            f"{RESULTS}/tables/{{name}}.csv",
            caption="../report/tables.rst",
            category="Tables",
            labels={"table": "{name}"},
        ),
        markdown=f"{RESULTS}/tables/{{name}}.md",
    log:
        f"{RESULTS}/logs/tables/{{name}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/tables/{{name}}.tsv"
    wildcard_constraints:
        name="equation7|importance",
    params:
        settings=settings_of("scale", "seeds", "report", "model"),
        code=fingerprint("cvqn.lab.report.entropy", "cvqn.lab.report.importance", "cvqn.lab.report.readable"),
        folders=analysis_folders(RUNS),
    shell:
        "cvqn table {wildcards.name} --config {input.config} --analysis {params.folders}"
        " --output {output.csv} >> {log} 2>&1"


rule table_extras:
    message:
        "table extras: the ablations beyond the paper"
    input:
        config=ancient(CONFIG_FILE),
        measurements=[*all_measurements(), *measurements(EXTRA_RUNS)],
    output:
        csv=report(
            f"{RESULTS}/tables/extras.csv",
            caption="../report/extras.rst",
            category="Tables",
            labels={"table": "extras"},
        ),
        markdown=f"{RESULTS}/tables/extras.md",
    log:
        f"{RESULTS}/logs/tables/extras.log",
    benchmark:
        f"{RESULTS}/benchmarks/tables/extras.tsv"
    params:
        settings=settings_of("scale", "seeds", "report", "extras"),
        code=fingerprint("cvqn.lab.report.tables", "cvqn.lab.report.readable"),
    shell:
        "cvqn table extras --config {input.config} --measurements {input.measurements}"
        " --output {output.csv} >> {log} 2>&1"


rule figure_bits:
    message:
        "bits spent on each channel beside its influence"
    input:
        analysis_files([CROPS_RUN]),
        config=ancient(CONFIG_FILE),
    output:
        svg=report(
            f"{RESULTS}/figures/figure-bits.svg",
            caption="../report/figure-bits.rst",
            category="Figures",
            labels={"figure": "bits"},
        ),
        other=multiext(f"{RESULTS}/figures/figure-bits", ".png", ".csv"),
    log:
        f"{RESULTS}/logs/figures/figure-bits.log",
    benchmark:
        f"{RESULTS}/benchmarks/figures/figure-bits.tsv"
    params:
        settings=settings_of("scale"),
        code=fingerprint("cvqn.lab.report.figures.bits", "cvqn.lab.report.sources"),
        folder=analysis_folders([CROPS_RUN]),
    shell:
        "cvqn figure bits --config {input.config} --analysis {params.folder} --output {output.svg} >> {log} 2>&1"


rule figure1:
    message:
        "figure 1: influence of the toy model's channels"
    input:
        analysis_files([TOY]),
        config=ancient(CONFIG_FILE),
        images=EVALUATION,
    output:
        svg=report(
            f"{RESULTS}/figures/figure1.svg",
            caption="../report/figure1.rst",
            category="Figures",
            labels={"figure": "1"},
        ),
        other=multiext(f"{RESULTS}/figures/figure1", ".png", ".csv"),
    log:
        f"{RESULTS}/logs/figures/figure1.log",
    benchmark:
        f"{RESULTS}/benchmarks/figures/figure1.tsv"
    params:
        settings=settings_of("scale"),
        code=fingerprint("cvqn.lab.report.figures.influence", "cvqn.lab.report.sources", "cvqn.lab.data.index"),
        folder=analysis_folders([TOY]),
    shell:
        "cvqn figure influence --config {input.config} --analysis {params.folder} --images {input.images}"
        " --output {output.svg} >> {log} 2>&1"


rule figure3_maps:
    message:
        "figure 3, left: quantized maps by group"
    input:
        analysis_files([CROPS_RUN]),
        config=ancient(CONFIG_FILE),
    output:
        svg=report(
            f"{RESULTS}/figures/figure3-maps.svg",
            caption="../report/figure3-maps.rst",
            category="Figures",
            labels={"figure": "3, left"},
        ),
        other=multiext(f"{RESULTS}/figures/figure3-maps", ".png", ".csv"),
    log:
        f"{RESULTS}/logs/figures/figure3-maps.log",
    benchmark:
        f"{RESULTS}/benchmarks/figures/figure3-maps.tsv"
    params:
        settings=settings_of("scale"),
        code=fingerprint("cvqn.lab.report.figures.maps"),
        folder=analysis_folders([CROPS_RUN]),
    shell:
        "cvqn figure maps --config {input.config} --analysis {params.folder} --output {output.svg} >> {log} 2>&1"


rule figure3_curves:
    message:
        "figure 3, right: rate-distortion curves"
    input:
        PUBLISHED,
        config=ancient(CONFIG_FILE),
        measurements=all_measurements(),
    output:
        svg=report(
            f"{RESULTS}/figures/figure3-curves.svg",
            caption="../report/figure3-curves.rst",
            category="Figures",
            labels={"figure": "3, right"},
        ),
        other=multiext(f"{RESULTS}/figures/figure3-curves", ".png", ".csv"),
    log:
        f"{RESULTS}/logs/figures/figure3-curves.log",
    benchmark:
        f"{RESULTS}/benchmarks/figures/figure3-curves.tsv"
    params:
        settings=settings_of("scale", "report", "data"),
        code=fingerprint("cvqn.lab.report.curves", "cvqn.lab.report.figures.curves", "cvqn.lab.report.sources"),
    shell:
        "cvqn figure rate-distortion --config {input.config} --measurements {input.measurements}"
        " --output {output.svg} >> {log} 2>&1"


rule crops:
    message:
        "decode the crops of figure 4"
    input:
        multiext(f"{RESULTS}/runs/{CROPS_RUN}/model/model", ".json", ".safetensors"),
        config=ancient(CONFIG_FILE),
        images=EVALUATION,
        measurements=all_measurements(),
        bitstreams=crop_bitstreams(),
    output:
        f"{RESULTS}/crops/crops.csv",
        crop_pictures(),
    log:
        f"{RESULTS}/logs/crops.log",
    benchmark:
        f"{RESULTS}/benchmarks/crops.tsv"
    threads: CONFIG["evaluation"]["threads"]
    resources:
        mem_mb=each_attempt_more("evaluate", "mem_mb"),
        runtime=each_attempt_more("evaluate", "minutes"),
    params:
        settings=settings_of("report", "seeds"),
        code=fingerprint("cvqn.lab.evaluation.crops", "cvqn.compression", *map(codec_module, REPORT["figure4"]["codecs"])),
        model=folder_of_input,
        folder=folder_of_output,
    shell:
        "cvqn crops --config {input.config} --measurements {input.measurements} --bitstreams {input.bitstreams}"
        " --model {params.model} --images {input.images} --threads {threads} --output {params.folder} >> {log} 2>&1"


rule figure4:
    message:
        "figure 4: crops beside the original"
    input:
        crop_pictures(),
        config=ancient(CONFIG_FILE),
        crops=f"{RESULTS}/crops/crops.csv",
    output:
        svg=report(
            f"{RESULTS}/figures/figure4.svg",
            caption="../report/figure4.rst",
            category="Figures",
            labels={"figure": "4"},
        ),
        other=multiext(f"{RESULTS}/figures/figure4", ".png", ".csv"),
    log:
        f"{RESULTS}/logs/figures/figure4.log",
    benchmark:
        f"{RESULTS}/benchmarks/figures/figure4.tsv"
    params:
        settings=settings_of("scale"),
        code=fingerprint("cvqn.lab.report.figures.crops"),
        folder=lambda wildcards, input: os.path.dirname(input.crops),
    shell:
        "cvqn figure crops --config {input.config} --crops {params.folder} --output {output.svg} >> {log} 2>&1"


rule metrics:
    message:
        "every headline number in {output}"
    input:
        analysis_files(RUNS),
        config=ancient(CONFIG_FILE),
        measurements=all_measurements(),
        bd_rate=f"{RESULTS}/tables/bd-rate.csv",
    output:
        f"{RESULTS}/metrics.json",
    log:
        f"{RESULTS}/logs/metrics.log",
    benchmark:
        f"{RESULTS}/benchmarks/metrics.tsv"
    params:
        settings=settings_of("scale", "seeds", "report", "codecs"),
        code=fingerprint("cvqn.lab.report.metrics", "cvqn.lab.report.channels", "cvqn.lab.report.tables"),
        folders=analysis_folders(RUNS),
    shell:
        "cvqn metrics --config {input.config} --measurements {input.measurements} --bd-rate {input.bd_rate}"
        " --analysis {params.folders} --output {output} >> {log} 2>&1"
