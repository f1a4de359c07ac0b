"""One table a rate-distortion curve: the form in which the curves of two commits are laid over each other."""


localrules:
    curves,


rule curves:
    message:
        "rate-distortion curves of scale {SCALE}, one a file"
    input:
        config=ancient(CONFIG_FILE),
        measurements=all_measurements(),
    output:
        curve_files(),
    log:
        f"{RESULTS}/logs/curves.log",
    benchmark:
        f"{RESULTS}/benchmarks/curves.tsv"
    params:
        settings=settings_of("report"),
        code=fingerprint("cvqn.lab.report.curves", "cvqn.lab.report.output", "cvqn.lab.report.sources"),
        folder=folder_of_output,
    shell:
        "cvqn curves --config {input.config} --measurements {input.measurements} --output {params.folder} >> {log} 2>&1"
