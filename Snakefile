"""Regenerates every result of a scale: data, trainings, bitstreams, measurements, tables, figures, audit."""

include: "workflow/rules/common.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/encode.smk"
include: "workflow/rules/baselines.smk"


rule all:
    default_target: True
    input:
        CONFIG_FILE,
        models(RUNS),
        bitstreams(RUNS),
        baseline_bitstreams(),
        measurements(RUNS),
        baseline_measurements(),
