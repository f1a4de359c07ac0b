"""Subcommands of the room record that certify results and let others check them: record, restore, trace."""

import argparse
import shlex

SCALE = {"metavar": "SCALE", "nargs": "?", "default": "small", "help": "a scale of dvc.yaml (default: %(default)s)"}


def register(commands: argparse._SubParsersAction) -> None:
    """Add these subcommands."""
    _register_record(commands)
    _register_restore(commands)
    _register_trace(commands)


def _register_record(commands: argparse._SubParsersAction) -> None:
    record = commands.add_parser(
        "record",
        help="certify the finished results of a scale: DVC, and whence each file comes",
        description="Refuses a tree with uncommitted changes and a workflow with anything left to do. Writes dvc.lock, "
        "results/SCALE/record and ro-crate-metadata.json, and pushes models and bitstreams to the DVC remote.",
    )
    record.add_argument("scale", **SCALE)
    record.set_defaults(handler=_record)


def _register_restore(commands: argparse._SubParsersAction) -> None:
    restore = commands.add_parser(
        "restore",
        help="get a recorded scale's models and bitstreams, and the workflow's knowledge of what made them",
        description="In a clone: pulls what DVC holds, compares every file with the record and puts Snakemake's "
        "records of jobs back, so that the workflow has nothing to do.",
    )
    restore.add_argument("scale", **SCALE)
    restore.set_defaults(handler=_restore)


def _register_trace(commands: argparse._SubParsersAction) -> None:
    trace = commands.add_parser("trace", help="which jobs and files a result was made from, back to the manifests")
    trace.add_argument("file", metavar="FILE", help="a result, such as results/small/tables/table1.csv")
    trace.set_defaults(handler=_trace)


def _record(arguments: argparse.Namespace) -> None:
    from cvqn.record.record import record

    paths = record(arguments.scale)
    print(f"{arguments.scale}: recorded and pushed; now: git add {shlex.join(paths)} && git commit")


def _restore(arguments: argparse.Namespace) -> None:
    from cvqn.record.record import restore

    print(f"{arguments.scale}: {restore(arguments.scale)} files, all as recorded")


def _trace(arguments: argparse.Namespace) -> None:
    from cvqn.record.trace import trace

    print("\n".join(trace(arguments.file)))
