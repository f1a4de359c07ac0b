"""A verdict for every claim of the paper."""


localrules:
    audit,


rule audit:
    message:
        "judge every claim of the paper at scale {SCALE}"
    input:
        CLAIMS,
        PUBLISHED,
        "cvqn/report/audit/audit.html.j2",
        analysis_files(RUNS),
        config=ancient(CONFIG_FILE),
        measurements=all_measurements(),
        identities=f"{RESULTS}/analysis/identities.json",
        runs=[f"{RESULTS}/runs/{run}/{file}" for run in RUNS for file in ("provenance.json", "log.csv")],
    output:
        json=f"{RESULTS}/audit.json",
        markdown=f"{RESULTS}/audit.md",
        html=report(f"{RESULTS}/audit.html", caption="../report/audit.rst", category="Audit"),
    log:
        f"{RESULTS}/logs/audit.log",
    benchmark:
        f"{RESULTS}/benchmarks/audit.tsv"
    params:
        settings=settings_of("scale", "seeds", "report", "experiments"),
        code=fingerprint("cvqn.report.audit.audit"),
        analysis=analysis_folders(RUNS),
        runs=[f"{RESULTS}/runs/{run}" for run in RUNS],
        folder=folder_of_output,
    shell:
        "cvqn audit --config {input.config} --measurements {input.measurements} --analysis {params.analysis}"
        " --runs {params.runs} --identities {input.identities} --output {params.folder} >> {log} 2>&1"
