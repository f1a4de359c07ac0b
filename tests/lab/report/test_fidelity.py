"""docs/fidelity.md names every difference and keys that exist."""

import re

import pytest

from cvqn.lab.settings.configuration import resolve
from tests import ROOT

PAGE = (ROOT / "docs" / "fidelity.md").read_text(encoding="utf-8")
TOP = {"seeds", "report.every_seed", "data.train", "data.selection", "data.held_out", "experiments.toy"}


def keys_of(page):
    """The keys in the last column of every row; `.freeze` continues the section before it."""
    for line in page.splitlines():
        if line.startswith("| ") and not line.startswith("| |"):
            section = ""
            for key in re.findall(r"`([a-z_.0-9]+)`", line.rsplit(" | ", 1)[1]):
                key = section + key if key.startswith(".") else key
                section = key.rpartition(".")[0]
                yield key


def test_every_key_exists():
    resolved = resolve([]).plain()
    names = set(keys_of(PAGE))
    assert len(names) > 25
    for name in names:
        value = resolved if name in TOP else resolved["experiments"]["c32"]
        for part in name.split("."):
            assert part in value, name
            value = value[part]


def rows_of(page):
    """Subject and whether it is marked, of every row."""
    return dict(reversed(row) for row in re.findall(r"^\| (†?) *\| ([^|]+) \|", page, flags=re.MULTILINE))


def test_every_difference_has_a_row():
    assert {
        "weight of the distortion, alpha", "weight of the mixture's likelihood, beta", "learning rates",
        "drops of the learning rate", "gradient clipping", "MS-SSIM in training", "what the distortion sees",
        "sums or means in equations (5) and (8)", "gradient of the rate", "widths of the stages", "GDN",
        "reduction of the channel attention", "residual block", "input normalization", "image sizes",
        "which mean a latent takes, equation (3)", "variance", "means at initialization", "SE-based importance",
        "RE-based importance, equation (6)", "sizes of the groups", "first order of SE and RE", "network", "logits",
        "masks", "which checkpoint is reported", "rate", "seeds", "training images",
    } <= set(rows_of(PAGE))  # fmt: skip


@pytest.mark.parametrize(
    "difference",
    [
        "horizontal and vertical flips",
        "hidden width of SE's two layers",
        "convolutions in bfloat16",
        "chosen from 40 evaluations",
        "about sqrt(2) larger",
        "CLIC 2020 in place of",
    ],
)
def test_smaller_differences_have_a_row_too(difference):
    assert sum(difference in line for line in PAGE.splitlines() if line.startswith("| ")) == 1


def test_the_experiment_authors_has_the_codes_side_of_the_marked_rows():
    experiments = resolve([]).plain()["experiments"]
    authors, paper = experiments["authors"], experiments["c32"]
    assert (authors["training"]["alpha"], authors["training"]["beta"]) == (256, 0)
    assert authors["training"]["learning_rates"]["quantizer"] == paper["training"]["learning_rates"]["context"]
    assert authors["training"]["learning_rates"]["context"] == paper["training"]["learning_rates"]["quantizer"]
    assert authors["training"]["mixture_rate"] == 0.2
    assert authors["training"]["drop_epochs"] == [200, 300, 350]
    assert authors["training"]["clip_value"] == 5
    assert (authors["training"]["monitor_every"], paper["training"]["monitor_every"]) == (1, 10)
    assert authors["training"]["clamp"]
    assert authors["training"]["vertical_flips"]
    assert not paper["training"]["vertical_flips"]
    assert authors["training"]["precision"] == "float32"
    assert authors["model"]["gdn"]
    assert authors["model"]["importance"]["reduction"] == 1
    assert authors["model"]["quantizer"]["rule"] == "nearest"
    assert authors["model"]["context"]["relu_logits"]
    assert {subject for subject, mark in rows_of(PAGE).items() if mark} == {
        "weight of the distortion, alpha", "weight of the mixture's likelihood, beta", "learning rates",
        "drops of the learning rate", "gradient clipping", "what the distortion sees", "arithmetic of training", "GDN",
        "which mean a latent takes, equation (3)", "hidden width of SE's two layers", "logits",
        "which checkpoint is reported", "augmentation",
    }  # fmt: skip
