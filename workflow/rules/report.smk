"""Tables, figures, curves, metrics and the audit: one rule for every table, one for every figure, see the registry."""

localrules:
    config,
    identities,
    table,
    figure,
    curves,
    metrics,
    audit,


from cvqn.lab.report.inputs import Inputs

INPUTS = Inputs(CONFIG, RESULTS)
AUDITED = {"audit": INPUTS, "tables/audit-extras": Inputs(CONFIG, RESULTS, extras=True)}
TABLES = report_registry.possible(report_registry.TABLES, CONFIG, RESULTS)
FIGURES = report_registry.possible(report_registry.FIGURES, CONFIG, RESULTS)
CROPPED = [*REPORT.figure4.codecs, INPUTS.codec(REPORT.figure4.experiment)]
CURVES = [RESULTS.curve(name) for name in [*INPUTS.learned_curves, *CODECS]]


def beside(path, *endings):
    """A file's name with other endings."""
    return multiext(os.path.splitext(path)[0], *endings)


def entry_of(wildcards):
    """The table or figure of a job."""
    return report_registry.entry(wildcards.name)


def inputs_of(wildcards):
    """The files that it is made of."""
    return report_registry.inputs(entry_of(wildcards), CONFIG, RESULTS)


def entry_settings(wildcards):
    """The sections of the configuration that it depends on."""
    return settings_of(*entry_of(wildcards).settings)


def entry_label(kind):
    """What it is called in the report."""
    return lambda wildcards: {kind: entry_of(wildcards).label}


def entry_files(extra):
    """Tables and figures, of the target extras or of all."""
    tables = [RESULTS.table(one.name) for one in TABLES if one.extra == extra]
    figures = [RESULTS.figure(one.name) for one in FIGURES if one.extra == extra]
    pages = [file for table in tables for file in beside(table, ".md")]
    return [*tables, *pages, *figures, *(file for figure in figures for file in beside(figure, ".png", ".csv"))]


# Models and bitstreams stand beside what is made of them, so that a clone that holds only tables rebuilds everything.
RESULT_FILES = [
    RESULTS.config,
    *models(RUNS),
    *bitstreams(RUNS),
    *(RESULTS.archive(codec, quality) for codec, qualities in CODECS.items() for quality in qualities),
    *INPUTS.measurement_files,
    *INPUTS.analysis_files,
    *entry_files(extra=False),
    *CURVES,
    RESULTS.metrics,
    f"{RESULTS.root}/audit.html",
]
EXTRA_FILES = [
    *models(EXTRA_RUNS),
    *bitstreams(EXTRA_RUNS),
    *AUDITED["tables/audit-extras"].measurement_files,
    *AUDITED["tables/audit-extras"].analysis_files,
    *entry_files(extra=True),
    f"{RESULTS.root}/tables/audit-extras.html",
]


rule config:
    message:
        "the settings of scale {CONFIG.scale}"
    output:
        RESULTS.config,
    log:
        f"{RESULTS.root}/logs/config.log",
    benchmark:
        f"{RESULTS.root}/benchmarks/config.tsv"
    params:
        settings=settings_of(*CONFIG.plain()),
    shell:
        "cvqn config --plan {PLAN_FILE:q} --output {output:q} >> {log:q} 2>&1"


rule identities:
    message:
        "check the statements that hold by definition"
    output:
        RESULTS.identities,
    log:
        f"{RESULTS.root}/logs/identities.log",
    benchmark:
        f"{RESULTS.root}/benchmarks/identities.tsv"
    params:
        code=code("identities"),
    shell:
        "cvqn identities --output {output:q} >> {log:q} 2>&1"


rule crops:
    message:
        "decode the crops of figure 4"
    input:
        RESULTS.model_files(INPUTS.shown.training, "last"),
        [RESULTS.archive(CROPPED[-1], INPUTS.shown.name), RESULTS.measurements(CROPPED[-1], INPUTS.shown.name)],
        [RESULTS.archive(codec, quality) for codec in REPORT.figure4.codecs for quality in CODECS[codec]],
        [RESULTS.measurements(codec) for codec in REPORT.figure4.codecs],
        images=EVALUATION,
    output:
        INPUTS.crop_files,
    log:
        f"{RESULTS.root}/logs/crops.log",
    benchmark:
        f"{RESULTS.root}/benchmarks/crops.tsv"
    threads: CONFIG.evaluation.threads
    params:
        settings=settings_of("report", "seeds"),
        code=[code("crops", codec) for codec in CROPPED],
    shell:
        "cvqn crops --plan {PLAN_FILE:q} --images {input.images:q} --threads {threads} --output {RESULTS.crops:q}"
        " >> {log:q} 2>&1"


rule table:
    message:
        "table {wildcards.name}"
    input:
        inputs_of,
    output:
        csv=report(
            RESULTS.table("{name}"), caption="../report/tables.rst", category="Tables", labels=entry_label("table")
        ),
        markdown=beside(RESULTS.table("{name}"), ".md"),
    log:
        f"{RESULTS.root}/logs/tables/{{name}}.log",
    benchmark:
        f"{RESULTS.root}/benchmarks/tables/{{name}}.tsv"
    wildcard_constraints:
        name=one_of(one.name for one in TABLES),
    params:
        settings=entry_settings,
        code=lambda wildcards: code(f"table {wildcards.name}"),
    shell:
        "cvqn table {wildcards.name} --plan {PLAN_FILE:q} --output {output.csv:q} >> {log:q} 2>&1"


rule figure:
    message:
        "figure {wildcards.name}"
    input:
        inputs_of,
    output:
        svg=report(
            RESULTS.figure("{name}"), caption="../report/figures.rst", category="Figures", labels=entry_label("figure")
        ),
        other=beside(RESULTS.figure("{name}"), ".png", ".csv"),
    log:
        f"{RESULTS.root}/logs/figures/{{name}}.log",
    benchmark:
        f"{RESULTS.root}/benchmarks/figures/{{name}}.tsv"
    wildcard_constraints:
        name=one_of(one.name for one in FIGURES),
    params:
        settings=entry_settings,
        code=lambda wildcards: code(f"figure {wildcards.name}"),
    shell:
        "cvqn figure {wildcards.name} --plan {PLAN_FILE:q} --output {output.svg:q} >> {log:q} 2>&1"


rule curves:
    message:
        "rate-distortion curves of scale {CONFIG.scale}, one per file"
    input:
        INPUTS.measurement_files,
    output:
        CURVES,
    log:
        f"{RESULTS.root}/logs/curves.log",
    benchmark:
        f"{RESULTS.root}/benchmarks/curves.tsv"
    params:
        settings=settings_of("report"),
        code=code("curves"),
        folder=os.path.dirname(CURVES[0]),
    shell:
        "cvqn curves --plan {PLAN_FILE:q} --output {params.folder:q} >> {log:q} 2>&1"


rule metrics:
    message:
        "every headline number in {output}"
    input:
        INPUTS.measurement_files,
        INPUTS.analysis_files,
        RESULTS.table("bd-rate"),
    output:
        RESULTS.metrics,
    log:
        f"{RESULTS.root}/logs/metrics.log",
    benchmark:
        f"{RESULTS.root}/benchmarks/metrics.tsv"
    params:
        settings=settings_of("scale", "seeds", "report", "codecs"),
        code=code("metrics"),
    shell:
        "cvqn metrics --plan {PLAN_FILE:q} --output {output:q} >> {log:q} 2>&1"


rule audit:
    message:
        "judge every claim of the paper at scale {CONFIG.scale}: {wildcards.audit}"
    input:
        lambda wildcards: AUDITED[wildcards.audit].audit_files,
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
    params:
        settings=settings_of("scale", "seeds", "report", "experiments", "extras"),
        code=code("audit"),
        extras=lambda wildcards: "--extras" if AUDITED[wildcards.audit].extras else "",
    shell:
        "cvqn audit --plan {PLAN_FILE:q} {params.extras} --output {output.json:q} >> {log:q} 2>&1"
