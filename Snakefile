"""Regenerates every result of a scale: data, trainings, bitstreams, measurements, tables, figures, audit."""

report: "workflow/report/workflow.rst"


include: "workflow/rules/common.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/encode.smk"
include: "workflow/rules/baselines.smk"
include: "workflow/rules/analysis.smk"
include: "workflow/rules/curves.smk"
include: "workflow/rules/audit.smk"


TABLES = ["table1", "table2", "runs", "rate-distortion", "bd-rate", "equation7", "importance"]
FIGURES = ["figure1", "figure3-maps", "figure3-curves", "figure4"]
# Models and bitstreams stand beside what is made of them, so that a clone that holds only tables rebuilds everything.
RESULT_FILES = [
    *models(RUNS),
    *bitstreams(RUNS),
    *baseline_bitstreams(),
    *all_measurements(),
    *analysis_files(RUNS),
    *expand(f"{RESULTS}/tables/{{table}}.{{format}}", table=TABLES, format=["csv", "md"]),
    *expand(f"{RESULTS}/figures/{{figure}}.{{format}}", figure=FIGURES, format=FIGURE_FORMATS),
    *curve_files(),
    f"{RESULTS}/metrics.json",
    f"{RESULTS}/audit.html",
]
EXTRA_FILES = [
    *models(EXTRA_RUNS),
    *bitstreams(EXTRA_RUNS),
    *measurements(EXTRA_RUNS),
    *analysis_files(EXTRA_RUNS),
    *expand(f"{RESULTS}/tables/extras.{{format}}", format=["csv", "md"]),
    *expand(f"{RESULTS}/figures/figure-bits.{{format}}", format=FIGURE_FORMATS),
    f"{RESULTS}/tables/audit-extras.html",
]


rule all:
    default_target: True
    input:
        RESULT_FILES,


rule extras:
    input:
        EXTRA_FILES,


onsuccess:
    if workflow.is_main_process and all_exist(RESULT_FILES):
        targets = "all extras" if all_exist(EXTRA_FILES) else "all"
        overlays = " ".join(OVERLAYS)
        shell(
            f"snakemake {targets} --profile none --nolock --quiet all --configfile {overlays}"
            f" --report {RESULTS}/report.html"
        )
