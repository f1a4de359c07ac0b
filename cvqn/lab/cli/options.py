"""Options that several commands share, said once."""

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cvqn.lab.provenance.plan import Plan


def add_plan(command: argparse.ArgumentParser) -> None:
    """Where settings come from."""
    command.add_argument(
        "--plan",
        required=True,
        metavar="FILE",
        help="the settings, and hashes of the code they were planned with (cvqn plan --write, or results/SCALE/plans)",
    )


def add_optional_plan(command: argparse.ArgumentParser) -> None:
    """The plan of a job that needs no settings."""
    command.add_argument(
        "--plan", metavar="FILE", help="plan file; stop if the code has changed since the plan was made"
    )


def add_images(command: argparse.ArgumentParser) -> None:
    """The set to work on."""
    command.add_argument("--images", required=True, metavar="INDEX", help="index.json of the evaluation set")


def add_transforms(command: argparse.ArgumentParser) -> None:
    """How a trained model's transforms run."""
    command.add_argument(
        "--device", default="cpu", choices=("cpu", "cuda"), help="where the transforms run (default: %(default)s)"
    )
    command.add_argument("--threads", type=int, default=1, metavar="N", help="CPU threads (default: %(default)s)")


def read_planned(arguments: argparse.Namespace, job: str, codec: str | None = None, *modules: str) -> "Plan":
    """The plan of the command line, once it is certain that the code is the planned one."""
    from cvqn.lab.provenance.plan import read_plan

    plan = read_plan(arguments.plan)
    plan.require_code(job, codec, *modules)
    return plan
