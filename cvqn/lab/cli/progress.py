"""Commands that say what is to be done, is done and has cost: plan, why, preflight, status, cost, prune."""

import argparse
import sys
import time
from pathlib import Path

from cvqn.cli.options import positive
from cvqn.errors import CvqnError
from cvqn.lab.cli.options import add_overlays, add_results
from cvqn.lab.cli.outputs import add_force, check_replaceable, json_with

RESULTS = Path("results")


def register(commands: argparse._SubParsersAction) -> None:
    """Add these commands."""
    _register_plan(commands)
    _register_why(commands)
    _register_preflight(commands)
    _register_status(commands)
    _register_cost(commands)
    _register_prune(commands)


def _register_plan(commands: argparse._SubParsersAction) -> None:
    plan = commands.add_parser(
        "plan",
        help="list the trainings and jobs of a scale, with time, cluster resources and disk space",
        description="List the trainings and jobs of a scale, with the resources that each job requests from the "
        "cluster, the expected wall time and the disk space. Finished trainings count with the time they took.",
    )
    add_overlays(plan, "*")
    plan.add_argument("--profile", type=Path, metavar="DIR", help="Snakemake profile of the jobs, such as slurm")
    plan.add_argument(
        "--gpus",
        nargs="+",
        type=positive,
        default=[1, 4, 16, 64],
        metavar="N",
        help="numbers of GPUs to estimate the wall time for (default: 1 4 16 64)",
    )
    plan.add_argument("--write", metavar="FILE", help="also write a plan file, for --plan of single commands")
    add_force(plan)
    plan.set_defaults(handler=_plan)


def _register_why(commands: argparse._SubParsersAction) -> None:
    why = commands.add_parser(
        "why",
        help="list settings of a training, modules and versions that changed since files were made",
        description="List what has changed since results were made: for a run, the settings, code and versions of its "
        "training and the code of its evaluation; for a codec, code and versions.",
    )
    why.add_argument("name", metavar="NAME", help="a run such as c32-seed1, or a codec such as webp")
    add_overlays(why, "+")
    why.set_defaults(handler=_why)


def _register_preflight(commands: argparse._SubParsersAction) -> None:
    preflight = commands.add_parser(
        "preflight",
        help="find jobs that SLURM would refuse or never start, before anything is submitted",
        description="Compare the resources that a profile requests for each kind of job with the accounts, partitions "
        "and nodes of this SLURM cluster, and the free disk space with an estimate. Print one line per problem, with "
        "what to do; exit code 2 if there are any. The workflow runs the same check before its first job.",
    )
    add_overlays(preflight, "*")
    preflight.add_argument(
        "--profile",
        type=Path,
        default=Path("slurm"),
        metavar="DIR",
        help="Snakemake profile of the jobs (default: %(default)s)",
    )
    preflight.set_defaults(handler=_preflight)


def _register_status(commands: argparse._SubParsersAction) -> None:
    status = commands.add_parser(
        "status",
        help="show the state of the trainings and evaluations",
        description="List every training with its state, its steps and the time left, and the evaluations that are "
        "running, queued or failed.",
    )
    status.add_argument(
        "results",
        nargs="*",
        type=Path,
        metavar="DIR",
        help="folder with the results of a scale, such as results/small (default: all scales)",
    )
    status.add_argument(
        "--watch", nargs="?", type=float, const=30, metavar="SECONDS", help="refresh every SECONDS, 30 if not given"
    )
    status.set_defaults(handler=_status)


def _register_cost(commands: argparse._SubParsersAction) -> None:
    cost = commands.add_parser(
        "cost",
        help="print what the results cost: CPU and GPU hours and memory per rule",
        description="Sum up what Snakemake recorded about every job, per rule, and the GPU hours of trainings and "
        "evaluations.",
    )
    add_results(cost)
    cost.set_defaults(handler=_cost)


def _register_prune(commands: argparse._SubParsersAction) -> None:
    prune = commands.add_parser(
        "prune",
        help="list the store of trainings, and remove the entries that you name",
        description="List the entries of a scale's store of trainings with age, size and what still uses them, ask "
        "which to remove, and remove these. No other command removes entries from the store.",
    )
    add_results(prune)
    prune.add_argument("--yes", nargs="+", metavar="ENTRY", help="remove these without asking")
    prune.set_defaults(handler=_prune)


def _plan(arguments: argparse.Namespace) -> None:
    from cvqn.lab.progress import forecast
    from cvqn.lab.provenance.plan import make_plan
    from cvqn.lab.report import registry as report_registry
    from cvqn.lab.settings import configuration

    if arguments.write:
        check_replaceable(arguments, json_with("configuration", "code"), arguments.write)
    files = arguments.files or (forecast.configfiles(arguments.profile) if arguments.profile else [])
    plan = make_plan(configuration.resolve(files), report_registry.jobs())
    print(forecast.text(plan, arguments.gpus, arguments.profile))
    if arguments.write:
        plan.write(arguments.write)


def _why(arguments: argparse.Namespace) -> None:
    from cvqn.lab.progress.why import why
    from cvqn.lab.provenance.plan import make_plan
    from cvqn.lab.settings import configuration

    print("\n".join(why(make_plan(configuration.resolve(arguments.files)), arguments.name)))


def _preflight(arguments: argparse.Namespace) -> None:
    from cvqn.lab.progress import forecast, preflight
    from cvqn.lab.provenance.plan import make_plan
    from cvqn.lab.settings import configuration

    files = arguments.files or forecast.configfiles(arguments.profile)
    preflight.require_of_profile(make_plan(configuration.resolve(files)), arguments.profile)
    print("nothing found")


def _status(arguments: argparse.Namespace) -> None:
    from cvqn.lab.progress.status import text

    while True:
        folders = arguments.results or _scales()
        texts = [_or_reason(text, folder) for folder in folders]
        clear = "\033[2J\033[H" if arguments.watch and sys.stdout.isatty() else ""
        print(clear + "\n\n".join(texts), flush=True)
        if not arguments.watch:
            return
        time.sleep(arguments.watch)


def _scales() -> list[Path]:
    found = {path.parents[depth] for depth, part in ((0, "*/config.yaml"), (1, "*/plans/*.json"))
             for path in RESULTS.glob(part)}  # fmt: skip
    if not found:
        raise CvqnError(f"{RESULTS}/*/config.yaml: none here; run cvqn status in the project's folder after snakemake")
    return sorted(found)


def _or_reason(text, folder: Path) -> str:
    """The text for a scale, or the error, so that one damaged scale does not hide the others."""
    try:
        return text(folder)
    except CvqnError as error:
        return f"{folder}: {error}"


def _cost(arguments: argparse.Namespace) -> None:
    from cvqn.lab.report.cost import text

    print(text(arguments.results))


def _prune(arguments: argparse.Namespace) -> None:
    from cvqn.lab.progress import prune

    entries = prune.kept(arguments.results)
    if not entries:
        print(f"{arguments.results}: its store of trainings is empty")
        return
    print(prune.table(entries))
    names = arguments.yes if arguments.yes is not None else _ask([one.name for one in entries if not one.uses])
    freed = prune.remove(entries, names)
    print(f"{len(set(names))} removed, {freed / 1e6:.1f} MB freed")


def _ask(unused: list[str]) -> list[str]:
    try:
        answer = input("Entries to remove (names; `unused` for every unused entry; Enter for none): ").split()
    except EOFError:
        return []
    return unused if answer == ["unused"] else answer
