import subprocess


def test_nothing_to_lint(project):
    command = ["snakemake", "--profile", "workflow/profiles/local", "--lint"]
    run = subprocess.run(command, cwd=project.folder, env=project.environment, capture_output=True, text=True)
    assert "Congratulations, your workflow is in a good condition!" in run.stdout + run.stderr, run.stdout
    assert run.returncode == 0
