"""A whole run in a folder, and with overlays, whose names have what a shell or a pattern would take for its own."""

import shutil

import pytest

from tests.lab.record.repository import FEWEST_TEXT
from tests.projects import Project

pytestmark = pytest.mark.workflow

FOLDER = "Bilder (größer) [alt] it's 100% $HOME & co; #2"
OVERLAYS = ("overlays [1]/année une.yaml", "overlays [1]/it's {two} & *.yaml")


def test_a_run_where_every_name_is_odd(sources, tmp_path):
    folder = tmp_path / FOLDER
    shutil.copytree(sources, folder, symlinks=True)
    project = Project(folder)
    tiny = (folder / "workflow/scales/tiny.yaml").read_text()
    (folder / "overlays [1]").mkdir()
    for name, text in zip(OVERLAYS, (tiny, FEWEST_TEXT), strict=True):
        (folder / name).write_text(text)
    project.snakemake("all", "--configfile", *OVERLAYS)

    results = folder / "results/tiny"
    assert "This page is not complete" not in (results / "report/index.html").read_text()
    report = (results / "report.html").read_text()
    assert "figure3-curves.svg" in report
    for name in ("metrics.json", "audit.html", "figures/figure1.png", "tables/table1.md", "curves/cvqn.csv"):
        assert (results / name).stat().st_size > 50, name
    assert project.planned("all", "--configfile", *OVERLAYS) == {}
    assert {path.name for path in tmp_path.iterdir()} == {FOLDER}
