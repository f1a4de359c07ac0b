"""Subcommands of the room record: status, schedule."""

import argparse
from pathlib import Path

from cvqn.errors import CvqnError


def register(commands: argparse._SubParsersAction) -> None:
    """Add this room's subcommands."""
    _register_status(commands)
    _register_schedule(commands)


def _register_status(commands: argparse._SubParsersAction) -> None:
    status = commands.add_parser(
        "status",
        help="how far the trainings are",
        description="List the trainings done, running, waiting and failed, with their steps and the time left.",
    )
    status.add_argument(
        "results", nargs="*", metavar="DIR", help="results of a scale, such as results/paper (default: every scale)"
    )
    status.set_defaults(handler=_status)


def _register_schedule(commands: argparse._SubParsersAction) -> None:
    schedule = commands.add_parser(
        "schedule",
        help="expected wall time of the trainings on 1, 4, 8, ... GPUs",
        description="Print the expected wall time of all trainings. Those that have ended count as long as they took, "
        "the others as long as assumed.",
    )
    schedule.add_argument(
        "--configfile",
        nargs="+",
        default=[],
        metavar="FILE",
        help="YAML on top of params.yaml, as for Snakemake (default: the paper's scale)",
    )
    schedule.add_argument(
        "--gpus", nargs="+", type=int, default=[1, 4, 8, 32], metavar="N", help="numbers of GPUs (default: 1 4 8 32)"
    )
    schedule.add_argument(
        "--minutes",
        type=float,
        help="assumed length of a training (default: resources.train.minutes of the configuration)",
    )
    schedule.set_defaults(handler=_schedule)


def _status(arguments: argparse.Namespace) -> None:
    from cvqn.lab.progress import status

    folders = [Path(folder) for folder in arguments.results]
    folders = folders or sorted(path.parent for path in Path("results").glob("*/config.yaml"))
    if not folders:
        raise CvqnError("results/*/config.yaml: none here; run cvqn status in the project's folder after snakemake")
    for folder in folders:
        print(f"{folder}:\n{status.table(status.trainings(folder))}")


def _schedule(arguments: argparse.Namespace) -> None:
    from cvqn.lab.settings import configuration as config
    from cvqn.lab.progress import makespan as schedule
    from cvqn.lab.progress.status import duration

    if min(arguments.gpus) < 1:
        raise CvqnError(f"--gpus {min(arguments.gpus)}: at least 1")
    settings = config.resolve(arguments.configfile)
    minutes = settings["resources"]["train"]["minutes"] if arguments.minutes is None else arguments.minutes
    recorded = schedule.recorded_seconds(settings, Path("results") / settings["scale"])
    lengths = [60 * minutes if seconds is None else seconds for seconds in recorded.values()]
    unknown = sum(seconds is None for seconds in recorded.values())
    print(f"{len(lengths)} trainings, {len(lengths) - unknown} recorded, {unknown} assumed to take {minutes:g} minutes")
    for gpus in arguments.gpus:
        print(f"{gpus:4d} GPUs: {duration(schedule.makespan(lengths, gpus))}")
