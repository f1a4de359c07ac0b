"""The registry: names, what entries are made of, and what an edit of a module makes again."""

import subprocess
import sys

import pytest

from cvqn.errors import CvqnError
from cvqn.lab.report import registry


def test_names_are_unique_and_modules_are_there():
    names = [entry.name for entry in (*registry.TABLES, *registry.FIGURES)]
    assert len(set(names)) == len(names)
    jobs = {job: modules for job, _, modules in registry.jobs()}
    assert len(jobs) == len(names) + len(registry.DOCUMENTS)
    for entry in registry.TABLES:
        assert f"cvqn.lab.report.{entry.module}" in jobs[f"table {entry.name}"]
    with pytest.raises(CvqnError, match="there are table1"):
        registry.entry("figure1", registry.TABLES)


def test_a_job_depends_on_what_it_is_made_with_and_on_nothing_else():
    figure, table = registry.modules("figure figure1"), registry.modules("table bd-rate")
    assert {"cvqn.lab.report.style", "cvqn.lab.report.figures.maps", "cvqn.lab.report.sources"} <= set(figure)
    assert "cvqn.lab.evaluation.bd_rate" in table
    assert "cvqn.lab.evaluation.bd_rate" not in figure
    assert not {"cvqn.lab.report.style", "cvqn.lab.report.registry"} & set(table)
    assert "cvqn.lab.report.audit.measure_curves" in registry.modules("audit")


def test_the_registry_imports_nothing_heavy():
    heavy = ("torch", "pandas", "matplotlib", "scipy", "jinja2")
    code = f"import sys, cvqn.lab.report.registry; print([one for one in {heavy} if one in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
