"""A verdict for every claim of the paper, and again with the extras' runs, which a few claims need."""


localrules:
    audit,


AUDITED = {"audit": RUNS, "tables/audit-extras": RUNS | EXTRA_RUNS}  # the runs that each audit judges


rule audit:
    message:
        "judge every claim of the paper at scale {SCALE}: {wildcards.audit}"
    input:
        CLAIMS,
        PUBLISHED,
        "cvqn/lab/report/audit/audit.html.j2",
        lambda wildcards: analysis_files(AUDITED[wildcards.audit]),
        lambda wildcards: training_records(AUDITED[wildcards.audit]),
        config=ancient(CONFIG_FILE),
        measurements=lambda wildcards: [*measurements(AUDITED[wildcards.audit]), *baseline_measurements()],
        identities=f"{RESULTS}/analysis/identities.json",
    output:
        json=f"{RESULTS}/{{audit}}.json",
        markdown=f"{RESULTS}/{{audit}}.md",
        html=report(
            f"{RESULTS}/{{audit}}.html",
            caption="../report/audit.rst",
            category="Audit",
            labels=lambda wildcards: {"audit": os.path.basename(wildcards.audit)},
        ),
    log:
        f"{RESULTS}/logs/{{audit}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/{{audit}}.tsv"
    wildcard_constraints:
        audit="|".join(AUDITED),
    params:
        settings=settings_of("scale", "seeds", "report", "experiments", "extras"),
        code=fingerprint("cvqn.lab.report.audit.audit"),
        analysis=lambda wildcards: analysis_folders(AUDITED[wildcards.audit]),
        runs=lambda wildcards: run_folders(AUDITED[wildcards.audit]),
    shell:
        "cvqn audit --config {input.config} --measurements {input.measurements} --analysis {params.analysis}"
        " --runs {params.runs} --identities {input.identities} --output {output.json} >> {log} 2>&1"
