import pytest

from cvqn.lab.provenance import fingerprint as module


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A small project in place of this one."""
    files = {
        "cvqn/__init__.py": "",
        "cvqn/train.py": (
            '"""Docstring."""\nfrom cvqn.model import net\n\ndef train():\n    """Train."""\n    return net.f()\n'
        ),
        "cvqn/model/__init__.py": "",
        "cvqn/model/net.py": "def f():\n    from cvqn.deep import g\n    return 1 + g()\n",
        "cvqn/deep.py": "import numpy\ndef g():\n    return 2\n",
        "cvqn/plots.py": "COLOUR = 'red'\n",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.setattr(module, "ROOT", tmp_path)

    def fingerprint(**changes):
        for name, (old, new) in changes.items():
            path = tmp_path / "cvqn" / f"{name.replace('__', '/')}.py"
            text = path.read_text()
            assert old in text
            path.write_text(text.replace(old, new))
        module._module.cache_clear()
        return module.fingerprint("cvqn.train")

    return fingerprint


def test_comments_docstrings_and_layout_do_not_count(project):
    before = project()
    assert project(train=('"""Train."""', '"""Train, and say so."""')) == before
    assert project(train=('"""Docstring."""', '"""Another."""')) == before
    assert project(deep=("return 2", "return 2  # two")) == before
    assert project(deep=("def g():\n", "def g():\n\n")) == before


def test_operators_count_however_deep_and_lazily_imported(project):
    before = project()
    changed = project(model__net=("1 +", "1 -"))
    assert changed != before
    assert project(deep=("return 2", "return 3")) not in (before, changed)


def test_modules_that_are_not_imported_do_not_count(project):
    before = project()
    assert project(plots=("red", "blue")) == before


def test_unknown_module(project):
    with pytest.raises(FileNotFoundError, match=r"cvqn\.nothing"):
        module.fingerprint("cvqn.nothing")


def test_training_depends_on_the_model_and_not_on_plots():
    import cvqn.lab.provenance.fingerprint as real

    seen = []
    waiting = ["cvqn.lab.training.loop"]
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.append(name)
            waiting += real._module(name)[1]
    assert "cvqn.model.quantizer" in seen
    assert not any(name.startswith(("cvqn.lab.report", "cvqn.cli", "baselines")) for name in seen)
