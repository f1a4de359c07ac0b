"""Regenerates every result of a scale: data, trainings, bitstreams, measurements, tables, figures, audit."""


report: "workflow/report/workflow.rst"


container: os.environ.get("CVQN_IMAGE", "cvqn.sif")


include: "workflow/rules/common.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/evaluate.smk"
include: "workflow/rules/report.smk"
include: "workflow/rules/slurm.smk"


rule all:
    default_target: True
    input:
        RESULT_FILES,


rule extras:
    input:
        EXTRA_FILES,


rule learned:
    input:
        LEARNED_FILES,


onstart:
    if workflow.executor_plugin.name == "slurm":
        require_cluster()
    PLAN.write()


onsuccess:
    if workflow.is_main_process and all_exist(RESULT_FILES):
        beyond = {"extras": EXTRA_FILES, "learned": LEARNED_FILES}
        targets = " ".join(["all", *(target for target, files in beyond.items() if all_exist(files))])
        settings = " ".join(map(shlex.quote, [*OVERLAYS, *(["--config", *ASSIGNED] if ASSIGNED else [])]))
        settings = settings.replace("{", "{{").replace("}", "}}")  # `shell` would take single braces for variables
        shell(
            f"snakemake {targets} --profile none --nolock --quiet all --report {RESULTS.root}/report.html"
            f" --configfile {settings}"
        )
