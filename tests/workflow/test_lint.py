import subprocess


def test_the_only_lint_is_the_environment(project):
    """Every rule runs in the environment from which snakemake was started, that of the Makefile or environment.yml."""
    command = ["snakemake", "--profile", "workflow/profiles/local", "--lint"]
    run = subprocess.run(command, cwd=project.folder, env=project.environment, capture_output=True, text=True)
    output = run.stdout + run.stderr
    titles = [line.strip() for line in output.splitlines() if line.startswith("    * ")]
    assert "Lints for rule train" in output
    assert set(titles) == {"* Specify a conda environment or container for each rule.:"}
