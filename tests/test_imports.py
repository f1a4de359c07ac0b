"""Who imports the library pays for the library alone."""

import subprocess
import sys

import pytest

LAB = ("snakemake", "dvc", "pandas", "matplotlib", "scipy", "yaml", "cvqn.lab", "cvqn_baselines", "skimage", "sklearn")
NO_TORCH = ("torch", *LAB)


def imported(program: str) -> set[str]:
    """The modules, and the packages that they are in, that are there after a program."""
    program += "\nimport sys\nprint(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    names = run.stdout.splitlines()[-1].split()
    return {".".join(name.split(".")[: depth + 1]) for name in names for depth in range(name.count(".") + 1)}


@pytest.mark.parametrize(
    ("program", "forbidden"),
    [
        ("import cvqn.compression", LAB),
        ("import cvqn.codecs.store", LAB),
        ("import cvqn.codecs.trainable, cvqn.model.trainable, cvqn.model.trained, cvqn.start", LAB),
        ("import cvqn.cli", NO_TORCH),
        ("import cvqn.codecs.interface, cvqn.codecs.registry, cvqn.codecs.shipped, cvqn.codecs.container", NO_TORCH),
        ("import cvqn.settings, cvqn.images, cvqn.padding, cvqn.files, cvqn.model.codec", NO_TORCH),
        ("import cvqn.bitstream.wavefront, cvqn.bitstream.rangecoder", NO_TORCH),
        ("from cvqn.codecs import registry\nregistry.learned('cvqn')", NO_TORCH),
    ],
    ids=lambda value: value.split("\n")[-1] if isinstance(value, str) else "",
)
def test_the_library_imports_nothing_of_the_lab(program, forbidden):
    assert imported(program) & set(forbidden) == set()


def test_compressing_a_picture_imports_nothing_of_the_lab():
    program = """
import numpy as np
from cvqn.codecs.shipped import folder_of_quality
from cvqn.codecs.store import load_model
from cvqn.compression import compress, decompress
stored = load_model(folder_of_quality(1))
picture = np.zeros((20, 30, 3), np.uint8)
assert decompress(stored, compress(stored, picture)).shape == picture.shape
"""
    assert imported(program) & set(LAB) == set()


def test_the_command_shows_its_help_at_once():
    program = """
from cvqn.cli import main
try:
    main(["--help"])
except SystemExit:
    pass
"""
    assert (
        imported(program) & {"torch", "numpy", "pydantic", "snakemake", "dvc", "pandas", "matplotlib", "scipy"} == set()
    )
