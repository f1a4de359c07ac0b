import json
import shutil

import pytest

OTHERS = [
    (lambda content: content["settings"]["training"].update(batch=3), "settings"),
    (lambda content: content["settings"]["model"].update(channels=5), "settings"),
    (lambda content: content.update(seed=2), "seed"),
    (lambda content: content["training_images"].update(pack_sha256="0" * 64), "images"),
    (lambda content: content["selecting_images"]["best"].update(index_sha256="0" * 64), "images that select"),
    (lambda content: content["code"].update({"cvqn.model.cvqn": "0" * 16}), "module cvqn.model.cvqn"),
    (lambda content: content.pop("code"), "code: Field required"),
    (lambda content: content.update(settings=[]), "settings: Input should be a valid dictionary"),
]


@pytest.fixture
def elsewhere(job, tmp_path):
    """A function that changes the provenance of a training that finished with another number of threads."""
    trained = job("there", training={"threads": 2})
    assert trained.run() == 0

    def changed(change):
        copy = tmp_path / "changed"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(trained.outputs, copy)
        content = json.loads((copy / "provenance.json").read_text())
        change(content)
        (copy / "provenance.json").write_text(json.dumps(content))
        return copy

    return changed


def test_a_finished_training_of_another_machine_is_taken_whole_and_no_other(job, elsewhere, capsys):
    here = job("here", training={"threads": 1})
    for change, named in OTHERS:
        assert here.run("--adopt", str(elsewhere(change))) == 2
        assert named in capsys.readouterr().err
        assert not here.outputs.exists()
        assert not here.entries
    older = elsewhere(lambda content: content["code"].update(torch="2.11.0"))
    assert here.run("--adopt", str(older)) == 0
    assert "trained with another version: torch 2.11.0 -> " in capsys.readouterr().err
    files = [path.relative_to(older) for path in older.rglob("*") if path.is_file()]
    assert len(files) > 5
    for file in files:
        if file.name != "provenance.json":
            assert (here.outputs / file).read_bytes() == (older / file).read_bytes()
    theirs = json.loads((older / "provenance.json").read_text())
    assert here.provenance == theirs | {"key": here.entries[0].folder.name, "adopted_from": theirs["key"]}
    assert theirs["key"] != here.provenance["key"]
    assert here.run() == 0
    assert here.provenance["settings"]["training"]["threads"] == 2  # nothing was trained
