"""Tables, figures, curves, metrics, the audit and the page; cvqn/lab/report/registry.py lists tables and figures."""


localrules:
    config,
    identities,
    complexity,
    table,
    figure,
    curves,
    metrics,
    audit,


from cvqn.lab.report.inputs import PAGE_PARTS, STATEMENTS, TEMPLATE

INPUTS = Inputs(CONFIG, RESULTS)
AUDITED = {"audit": INPUTS, "tables/audit-extras": Inputs(CONFIG, RESULTS, "extras")}
TABLES = report_registry.possible(report_registry.TABLES, CONFIG, RESULTS)
FIGURES = report_registry.possible(report_registry.FIGURES, CONFIG, RESULTS)
config = {**config, "captions": {one.name: one.caption for one in (*TABLES, *FIGURES)}}  # for report/entry.rst
CROPPED = CONFIG.figure4_runs()
# Snakemake stores a checksum for each input of a job, and a record is compared with these checksums. No job reads the
# tables beside learned archives or the JSON beside measurements, so they are declared as inputs of the page's job.
DECODED = [sidecar(table) for table in INPUTS.files("measurements")]
DECODED += [file for archive in bitstreams(RUNS) for file in (archive, *beside(archive, ".csv"))]
CURVES = [RESULTS.curve(name) for name in [*INPUTS.learned_curves, *CODECS]]


SHOWN_FILES = [
    RESULTS.config,
    *made("all"),
    *(RESULTS.archive(codec, quality) for codec, qualities in CODECS.items() for quality in qualities),
    *CURVES,
    RESULTS.metrics,
    f"{RESULTS.root}/audit.html",
]
RESULT_FILES = [*SHOWN_FILES, RESULTS.page]
EXTRA_FILES = [
    *made("extras"),
    f"{RESULTS.root}/tables/audit-extras.html",
]
LEARNED_FILES = made("learned")


rule config:
    output:
        RESULTS.config,
    log:
        f"{RESULTS.root}/logs/config.log",
    benchmark:
        f"{RESULTS.root}/benchmarks/config.tsv"
    resources:
        plan=PLAN_FILE,
    params:
        settings=settings_of(*CONFIG.plain()),
    message:
        f"the settings of scale {CONFIG.scale}"
    shell:
        "cvqn config --plan {resources.plan:q} --output {output:q} >> {log:q} 2>&1"


rule identities:
    output:
        RESULTS.identities,
    log:
        f"{RESULTS.root}/logs/identities.log",
    benchmark:
        f"{RESULTS.root}/benchmarks/identities.tsv"
    resources:
        plan=PLAN_FILE,
    params:
        code=code("identities"),
    message:
        "check the statements that hold by definition"
    shell:
        "cvqn identities --plan {resources.plan:q} --output {output:q} >> {log:q} 2>&1"


rule complexity:
    output:
        RESULTS.complexity("{target}"),
    log:
        f"{RESULTS.root}/logs/complexity-{{target}}.log",
    benchmark:
        f"{RESULTS.root}/benchmarks/complexity-{{target}}.tsv"
    wildcard_constraints:
        target="all|learned",
    resources:
        plan=PLAN_FILE,
    params:
        settings=settings_of("experiments"),
        code=[code("complexity", codec) for codec in LEARNED],
    message:
        "count parameters and operations of the networks"
    shell:
        "cvqn complexity --plan {resources.plan:q} --target {wildcards.target} --output {output:q} >> {log:q} 2>&1"


rule crops:
    input:
        [RESULTS.model_files(run.training, "last") for runs in CROPPED.values() for run in runs],
        [RESULTS.archive(codec, run.name) for codec, runs in CROPPED.items() for run in runs],
        [RESULTS.measurements(codec, run.name) for codec, runs in CROPPED.items() for run in runs],
        [RESULTS.archive(codec, quality) for codec in CROPPED for quality in CODECS.get(codec, ())],
        [RESULTS.measurements(codec) for codec in CROPPED if codec in CODECS],
        images=EVALUATION,
    output:
        INPUTS.files("crops"),
    log:
        f"{RESULTS.root}/logs/crops.log",
    benchmark:
        f"{RESULTS.root}/benchmarks/crops.tsv"
    threads: CONFIG.evaluation.threads
    resources:
        plan=PLAN_FILE,
    params:
        settings=settings_of("report", "seeds"),
        code=[code("crops", codec) for codec in CROPPED],
        folder=folder_of_output,
    message:
        "decode the crops of figure 4"
    shell:
        "cvqn crops --plan {resources.plan:q} --images {input.images:q} --threads {threads} --output {params.folder:q}"
        " >> {log:q} 2>&1"


rule table:
    input:
        lambda wildcards: report_registry.inputs(entry_of(wildcards), CONFIG, RESULTS),
    output:
        csv=report(
            RESULTS.table("{name}"),
            caption="../report/entry.rst",
            category="Tables",
            labels=lambda wildcards: {"table": entry_of(wildcards).label},
        ),
        markdown=beside(RESULTS.table("{name}"), ".md"),
    log:
        f"{RESULTS.root}/logs/tables/{{name}}.log",
    benchmark:
        f"{RESULTS.root}/benchmarks/tables/{{name}}.tsv"
    wildcard_constraints:
        name=one_of(one.name for one in TABLES),
    resources:
        plan=PLAN_FILE,
    params:
        settings=lambda wildcards: settings_of(*entry_of(wildcards).settings),
        code=lambda wildcards: code(f"table {wildcards.name}"),
    message:
        "table {wildcards.name}"
    shell:
        "cvqn table {wildcards.name} --plan {resources.plan:q} --output {output.csv:q} >> {log:q} 2>&1"


rule figure:
    input:
        lambda wildcards: report_registry.inputs(entry_of(wildcards), CONFIG, RESULTS),
    output:
        svg=report(
            RESULTS.figure("{name}"),
            caption="../report/entry.rst",
            category="Figures",
            labels=lambda wildcards: {"figure": entry_of(wildcards).label},
        ),
        other=beside(RESULTS.figure("{name}"), ".png", ".csv"),
    log:
        f"{RESULTS.root}/logs/figures/{{name}}.log",
    benchmark:
        f"{RESULTS.root}/benchmarks/figures/{{name}}.tsv"
    wildcard_constraints:
        name=one_of(one.name for one in FIGURES),
    resources:
        plan=PLAN_FILE,
    params:
        settings=lambda wildcards: settings_of(*entry_of(wildcards).settings),
        code=lambda wildcards: code(f"figure {wildcards.name}"),
    message:
        "figure {wildcards.name}"
    shell:
        "cvqn figure {wildcards.name} --plan {resources.plan:q} --output {output.svg:q} >> {log:q} 2>&1"


rule curves:
    input:
        INPUTS.files("measurements"),
    output:
        CURVES,
    log:
        f"{RESULTS.root}/logs/curves.log",
    benchmark:
        f"{RESULTS.root}/benchmarks/curves.tsv"
    resources:
        plan=PLAN_FILE,
    params:
        settings=settings_of("report"),
        code=code("curves"),
        folder=folder_of_output,
    message:
        f"rate-distortion curves of scale {CONFIG.scale}, one per file"
    shell:
        "cvqn curves --plan {resources.plan:q} --output {params.folder:q} >> {log:q} 2>&1"


rule metrics:
    input:
        INPUTS.files("measurements"),
        INPUTS.files("analyses"),
        RESULTS.table("bd-rate"),
    output:
        RESULTS.metrics,
    log:
        f"{RESULTS.root}/logs/metrics.log",
    benchmark:
        f"{RESULTS.root}/benchmarks/metrics.tsv"
    resources:
        plan=PLAN_FILE,
    params:
        settings=settings_of("scale", "seeds", "report", "codecs"),
        code=code("metrics"),
    message:
        "every headline number in {output}"
    shell:
        "cvqn metrics --plan {resources.plan:q} --output {output:q} >> {log:q} 2>&1"


rule audit:
    input:
        lambda wildcards: AUDITED[wildcards.audit].files("measurements", "analyses", "trainings", "published", "claims"),
        os.path.relpath(STATEMENTS),
        os.path.relpath(TEMPLATE),
        RESULTS.identities,
    output:
        json=f"{RESULTS.root}/{{audit}}.json",
        markdown=f"{RESULTS.root}/{{audit}}.md",
        html=report(
            f"{RESULTS.root}/{{audit}}.html",
            caption="../report/audit.rst",
            category="Audit",
            labels=lambda wildcards: {"audit": os.path.basename(wildcards.audit)},
        ),
    log:
        f"{RESULTS.root}/logs/{{audit}}.log",
    benchmark:
        f"{RESULTS.root}/benchmarks/{{audit}}.tsv"
    wildcard_constraints:
        audit=one_of(AUDITED),
    resources:
        plan=PLAN_FILE,
    params:
        settings=settings_of("scale", "seeds", "report", "experiments", "extras", "data"),
        papers=digest(configuration.read_yaml(configuration.DEFAULTS)),
        code=code("audit"),
        extras=lambda wildcards: "--extras" if AUDITED[wildcards.audit].target == "extras" else "",
    message:
        f"judge every claim of the paper at scale {CONFIG.scale}: {{wildcards.audit}}"
    shell:
        "cvqn audit --plan {resources.plan:q} {params.extras} --output {output.json:q} >> {log:q} 2>&1"


rule page:
    input:
        SHOWN_FILES,
        DECODED,
        INPUTS.files("trainings", "images", "published"),
        [os.path.relpath(part) for part in PAGE_PARTS],
    output:
        page=RESULTS.page,
        pictures=update(directory(RESULTS.pictures)),  # only what is new is decoded
    log:
        f"{RESULTS.root}/logs/page.log",
    benchmark:
        f"{RESULTS.root}/benchmarks/page.tsv"
    threads: CONFIG.evaluation.threads
    resources:
        plan=PLAN_FILE,
    params:
        code=code("page"),
        root=lambda wildcards: RESULTS.root,
    message:
        f"the report page of scale {CONFIG.scale}"
    shell:
        "cvqn page --plan {resources.plan:q} {params.root:q} >> {log:q} 2>&1"
