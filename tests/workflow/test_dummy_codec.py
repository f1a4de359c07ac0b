"""A learned codec in a package of its own, through the whole workflow, with nothing changed here."""

import csv
import os
import subprocess
import sys

import pytest
import yaml

from tests import ROOT
from tests.codecs.test_contract import copy_of

pytestmark = pytest.mark.workflow


def test_it_is_trained_measured_and_stands_in_the_tables(finished_copy, tmp_path):
    site = tmp_path / "site"
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--quiet", "--target", str(site)]
    package = copy_of(ROOT / "tests" / "dummy_codec", tmp_path)
    subprocess.run([sys.executable, "-m", "pip", "install", *options, package], check=True)
    path = finished_copy.environment["PYTHONPATH"]
    finished_copy.environment |= {"PYTHONPATH": f"{path}{os.pathsep}{site}"}
    overlay = {"experiments": {"dummy": {"codec": "dummy"}}, "report": {"learned": ["dummy"]}}
    (finished_copy.folder / "dummy.yaml").write_text(yaml.safe_dump(overlay))
    files = ("--configfile", "workflow/scales/tiny.yaml", "dummy.yaml")
    planned = finished_copy.planned("all", *files)
    assert planned["train_monitored"] == 1
    assert planned["evaluate"] == 2
    assert not {"evaluate_channels", "encode", "measure", "pack"} & set(planned)
    finished_copy.snakemake("all", *files)
    results = finished_copy.folder / "results" / "tiny"
    for table in ("runs", "rate-distortion"):
        with open(results / "tables" / f"{table}.csv", newline="") as file:
            rows = [row for row in csv.DictReader(file) if row["experiment"] == "dummy"]
        assert {row["codec"] for row in rows} == {"dummy"}
        assert all(float(row["bpp"]) > 0 for row in rows)
    assert (results / "curves" / "dummy.csv").exists()
