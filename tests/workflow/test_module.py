import os
import shlex
import shutil
import subprocess

import pytest
import yaml

from tests import ROOT
from tests.projects import Project

OTHER = """
configfile: "settings.yaml"


module cvqn:
    snakefile:
        {snakefile!r}
    config:
        config


use rule * from cvqn as cvqn_*


rule count:
    default_target: True
    input:
        "results/mine/config.yaml",
    output:
        "lines.txt",
    shell:
        "grep -c '' {{input}} > {{output}}"
"""


def test_another_workflow_uses_this_one_as_a_module(sources, tmp_path):
    """It has folder, settings, scale and rules of its own, and takes the result of a job from here."""
    (tmp_path / "Snakefile").write_text(OTHER.format(snakefile=str(sources / "Snakefile")))
    settings = yaml.safe_load((ROOT / "workflow" / "scales" / "tiny.yaml").read_text()) | {"scale": "mine"}
    (tmp_path / "settings.yaml").write_text(yaml.safe_dump(settings))
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "manifests").symlink_to(sources / "data" / "manifests")
    other = Project(tmp_path)
    other.environment["PYTHONPATH"] = os.fspath(sources)
    _, output = other.shell(shlex.join(["snakemake", "--cores", "1", "--nocolor"]))
    assert "cvqn_config" in output
    result = tmp_path / "results" / "mine" / "config.yaml"
    assert yaml.safe_load(result.read_text())["seeds"] == settings["seeds"]
    assert int((tmp_path / "lines.txt").read_text()) == len(result.read_text().splitlines())
    _, planned = other.shell("snakemake --dry-run --nocolor cvqn_all")
    assert "compress, decode and measure packaged-evaluation with c16-seed1" in planned


@pytest.mark.workflow
def test_snakedeploy_deploys_it_from_a_git_server(sources, tmp_path):
    """The server is a folder: git takes one for the other, in Snakedeploy and in Snakemake."""
    address, served, deployed = "https://github.com/nobody/cvqn", tmp_path / "served", tmp_path / "deployed"
    shutil.copytree(sources, served, symlinks=True)
    shutil.copytree(ROOT / "config", served / "config")
    identity = ["-c", "user.name=Nobody", "-c", "user.email=nobody@example.org"]
    for command in (["init", "--quiet", "--initial-branch=main"], ["add", "."], ["commit", "--quiet", "--message=."]):
        subprocess.run(["git", *identity, *command], cwd=served, check=True)
    (tmp_path / "gitconfig").write_text(f'[url "{served}"]\n    insteadOf = {address}\n')
    project = Project(tmp_path)
    project.environment |= {
        "GIT_CONFIG_GLOBAL": str(tmp_path / "gitconfig"),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "PYTHONPATH": str(sources),
    }
    project.shell(f"snakedeploy deploy-workflow {address} {deployed} --branch main --name cvqn")
    assert (deployed / "config" / "config.yaml").read_bytes() == (ROOT / "config" / "config.yaml").read_bytes()
    assert 'github("nobody/cvqn", path="Snakefile", branch="main")' in (deployed / "workflow/Snakefile").read_text()
    (deployed / "data").mkdir()
    (deployed / "data" / "manifests").symlink_to(sources / "data" / "manifests")
    project.folder = deployed
    _, planned = project.shell("snakemake --dry-run --nocolor")
    counted = planned.split("Job stats:")[1].split("\n\n")[0].splitlines()
    assert {"train_monitored", "encode", "page"} < {line.split()[0] for line in counted if line}
