"""A job takes its settings from its plan, and refuses what it was not planned with."""

import json
import shutil

import pytest

from cvqn.cli import main
from cvqn.errors import CvqnError
from cvqn.lab.provenance.plan import ChangedCode, make_plan, read_plan
from cvqn.lab.report import registry
from cvqn.lab.settings.configuration import resolve
from tests import ROOT


@pytest.fixture(scope="module")
def plan():
    return make_plan(resolve([ROOT / "workflow/scales/tiny.yaml"]), registry.jobs(), ROOT / "workflow/rules")


def test_a_plan_is_what_was_written(plan, tmp_path):
    path = tmp_path / plan.path
    plan.write(path)
    assert read_plan(path) == plan


def test_a_plan_of_the_workflow_that_was_edited_is_refused(plan, tmp_path):
    path = tmp_path / plan.path
    plan.write(path)
    path.write_text(path.read_text().replace('"alpha": 128', '"alpha": 200'))
    with pytest.raises(CvqnError, match="edited after the workflow had written it"):
        read_plan(path)


def test_a_plan_beside_the_workflows_may_be_edited_by_hand(plan, tmp_path):
    path = tmp_path / "mine.json"
    plan.write(path)
    path.write_text(path.read_text().replace('"alpha": 128', '"alpha": 200'))
    assert read_plan(path).configuration.experiments["c16"].training.alpha == 200


@pytest.mark.parametrize("change", ["edited", "added", "removed"])
def test_other_rules_than_the_planned_ones_are_refused(plan, tmp_path, change):
    rules = shutil.copytree(ROOT / "workflow/rules", tmp_path / "rules")
    plan.require_rules(rules)
    train = rules / "train.smk"
    if change == "edited":
        train.write_text(train.read_text() + "# other\n")
    elif change == "added":
        train = train.rename(rules / "more.smk") and shutil.copy(rules / "more.smk", train) and rules / "more.smk"
    else:
        train.unlink()
    with pytest.raises(ChangedCode, match=rf"changed since this job was planned \({train.name}\)"):
        plan.require_rules(rules)


@pytest.mark.parametrize(
    ("job", "command"),
    [
        ("fetch", "data fetch packaged-train"),
        ("pack", "data pack --sets none.json --output none.npy"),
        ("identities", "identities --output none.json"),
        ("page", "page results/tiny"),
        ("encode webp", "encode --codec webp --quality 1 --images none.json --output none.tar"),
        ("measure webp", "measure --codec webp --images none.json --bitstreams none.tar --output none.csv"),
        ("train cvqn", "train --run c16-seed1 --pack none.npy --monitor none.json"),
        ("evaluate cvqn", "evaluate --run c16-seed1 --images none.json"),
        ("crops cvqn", "crops --images none.json --output none"),
        ("complexity cvqn", "complexity --output none.csv"),
    ],
)
def test_every_job_refuses_code_that_it_was_not_planned_with(plan, tmp_path, monkeypatch, capsys, job, command):
    monkeypatch.chdir(tmp_path)
    content = json.loads(plan._text())
    module = next(name for name in content["code"][job] if name.startswith(("cvqn.", "cvqn_baselines.")))
    content["code"][job][module] = "0123456789abcdef"
    (tmp_path / "plan.json").write_text(json.dumps(content))
    assert main([*command.split(), "--plan", "plan.json"]) == 78
    assert f"{job}: the code has changed since this job was planned (module {module})" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["plan.json"]
