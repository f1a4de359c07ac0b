import os
import shlex

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
