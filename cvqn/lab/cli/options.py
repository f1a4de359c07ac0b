"""Options that several commands of the lab share."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from cvqn.cli.options import positive

if TYPE_CHECKING:
    from cvqn.lab.provenance.plan import Plan


def add_plan(command: argparse.ArgumentParser) -> None:
    """The plan file, which a job takes its settings from."""
    command.add_argument(
        "--plan",
        required=True,
        metavar="FILE",
        help="plan file: the settings, and hashes of the code to run them with (made by cvqn plan --write, or by the "
        "workflow in results/SCALE/plans)",
    )


def add_optional_plan(command: argparse.ArgumentParser) -> None:
    """The plan file of a job that needs no settings, for its hashes of the code."""
    command.add_argument("--plan", metavar="FILE", help="plan file; stop if the code has changed since it was made")


def add_images(command: argparse.ArgumentParser) -> None:
    """The set of images to work on."""
    command.add_argument("--images", required=True, metavar="INDEX", help="index.json of the evaluation set")


def add_transforms(command: argparse.ArgumentParser) -> None:
    """Device and threads of a trained model's transforms."""
    command.add_argument(
        "--device", default="cpu", choices=("cpu", "cuda"), help="where the transforms run (default: %(default)s)"
    )
    add_threads(command)


def add_threads(command: argparse.ArgumentParser) -> None:
    """Threads of a trained model's transforms."""
    command.add_argument(
        "--threads", type=positive, default=1, metavar="N", help="CPU threads of the transforms (default: %(default)s)"
    )


def add_run(command: argparse.ArgumentParser, examples: str) -> None:
    """The run to train or to evaluate."""
    command.add_argument("--run", required=True, metavar="RUN", help=f"experiment and seed, such as {examples}")


def add_results(command: argparse.ArgumentParser) -> None:
    """The results of one scale."""
    command.add_argument(
        "results", type=Path, metavar="DIR", help="folder with the results of a scale, such as results/small"
    )


def add_overlays(command: argparse.ArgumentParser, nargs: str) -> None:
    """Settings on top of params.yaml."""
    command.add_argument(
        "files", nargs=nargs, metavar="FILE", help="YAML file to lay over params.yaml; later ones take precedence"
    )


def read_planned(arguments: argparse.Namespace, job: str, codec: str | None = None, *modules: str) -> "Plan":
    """The plan that the command line names.

    Raises:
        CvqnError: it cannot be read, or the code of the job has changed since it was made.
    """
    from cvqn.lab.provenance.plan import read_plan

    plan = read_plan(arguments.plan)
    plan.require_code(job, codec, *modules)
    return plan
