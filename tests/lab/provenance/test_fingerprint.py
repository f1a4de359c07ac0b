"""What counts in a module; which jobs an edit runs again is in tests/workflow/test_edits.py."""

import sys

import pytest

from cvqn.errors import CvqnError
from cvqn.lab.provenance import fingerprint
from cvqn.lab.provenance.fingerprint import changes, code_of, digest, with_imports

SOURCE = '''"""A module."""

def double(x):
    """Twice x."""
    if x < 0:
        raise ValueError(f"{x}: negative")
    print("doubling")
    for _ in tqdm([1], desc="doubling", total=1):
        x = 2 * x
    return x
'''


@pytest.fixture
def hash_of(tmp_path, monkeypatch):
    """The hash of a module with some text replaced."""
    monkeypatch.syspath_prepend(tmp_path)

    def hash_of(old: str = "", new: str = "") -> str:
        assert old in SOURCE
        (tmp_path / "some_module.py").write_text(SOURCE.replace(old, new) if old else SOURCE)
        sys.modules.pop("some_module", None)
        return code_of("none", None, "some_module")["some_module"]

    return hash_of


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"""A module."""', '"""Another."""'),
        ('"""Twice x."""', '"""Two x."""'),
        (": negative", ": below zero"),
        ('print("doubling")', 'print("twice")'),
        ('desc="doubling"', 'desc="twice"'),
        ("return x", "return x  # doubled"),
        ("def double", "\n\ndef double"),
    ],
)
def test_texts_for_people_and_layout_do_not_count(hash_of, old, new):
    assert hash_of(old, new) == hash_of()


@pytest.mark.parametrize(("old", "new"), [("2 * x", "3 * x"), ("x < 0", "x <= 0"), ("ValueError", "TypeError"),
                                          ("total=1", "total=2")])  # fmt: skip
def test_what_is_computed_counts(hash_of, old, new):
    assert hash_of(old, new) != hash_of()


def test_a_training_depends_on_its_codec_and_torch_and_not_on_the_report():
    code = code_of("train", "cvqn")
    assert {"cvqn.model.quantizer", "cvqn.lab.training.loop", "torch"} <= set(code)
    assert not [
        name for name in code if name.startswith(("cvqn.lab.report", "cvqn.cli", "cvqn.lab.cli", "cvqn_baselines"))
    ]
    assert digest(code) == digest(dict(reversed(code.items())))


def test_a_module_of_the_report_counts_with_what_it_imports_there():
    modules = with_imports("cvqn.lab.report.tables.bd_rate")
    assert {"cvqn.lab.report.tables.bd_rate", "cvqn.lab.evaluation.bd_rate"} <= set(modules)
    assert "cvqn.files" not in modules


def test_changes_are_named():
    assert changes({"cvqn.files": "1", "torch": "2.0"}, {"cvqn.files": "2", "torch": "2.1"}) == [
        "module cvqn.files",
        "torch 2.0 -> 2.1",
    ]
    assert changes({"torch": "2.0"}, {"torch": "2.0"}) == []


def test_an_unknown_module():
    with pytest.raises(CvqnError, match=r"cvqn\.nothing"):
        code_of("train", None, "cvqn.nothing")


@pytest.mark.parametrize("said", [
    "from foreign.inner.core import X", "from .core import X", "from ..inner.core import X", "from . import core",
    "from .. import inner",
])  # fmt: skip
def test_what_a_foreign_codec_imports_counts_however_it_says_so(tmp_path, monkeypatch, said):
    package = tmp_path / "foreign" / "inner"
    package.mkdir(parents=True)
    (tmp_path / "foreign" / "__init__.py").write_text("")
    (package / "__init__.py").write_text("from .core import X\n")
    (package / "core.py").write_text("X = 1\n")
    (package / "codec.py").write_text(f"{said}\n")
    monkeypatch.syspath_prepend(tmp_path)
    fingerprint._imports.cache_clear()
    assert "foreign.inner.core" in fingerprint._closure("foreign.inner.codec", "foreign.")
    fingerprint._imports.cache_clear()
    for name in [name for name in sys.modules if name.startswith("foreign")]:
        del sys.modules[name]
