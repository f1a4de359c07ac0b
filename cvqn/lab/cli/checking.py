"""Commands that certify results and let others check them: record, restore, verify, trace, compare."""

import argparse
import shlex

SCALE = {"metavar": "SCALE", "nargs": "?", "default": "small", "help": "a scale of dvc.yaml (default: %(default)s)"}


def register(commands: argparse._SubParsersAction) -> None:
    """Add these commands."""
    _register_record(commands)
    _register_restore(commands)
    _register_verify(commands)
    _register_trace(commands)
    _register_compare(commands)


def _register_record(commands: argparse._SubParsersAction) -> None:
    record = commands.add_parser(
        "record",
        help="certify the finished results of a scale in DVC, with the job that made each file",
        description="Certify the finished results of a scale: write dvc.lock, results/SCALE/record and "
        "ro-crate-metadata.json, and push models, bitstreams, analyses and figures to the DVC remote. Refused where "
        "something is not committed or the workflow has anything left to do.",
    )
    record.add_argument("scale", **SCALE)
    record.set_defaults(handler=_record)


def _register_restore(commands: argparse._SubParsersAction) -> None:
    restore = commands.add_parser(
        "restore",
        help="get a recorded scale's models and bitstreams, and the workflow's knowledge of what made them",
        description="In a clone: pull what DVC holds, compare every file with the record and put Snakemake's records "
        "of jobs back, so that the workflow has nothing to do.",
    )
    restore.add_argument("scale", **SCALE)
    restore.set_defaults(handler=_restore)


def _register_verify(commands: argparse._SubParsersAction) -> None:
    verify = commands.add_parser(
        "verify",
        help="decode recorded bitstreams again, measure them and make the tables again; no GPU, no training",
        description="Decode the bitstreams of a scale that cvqn restore got, measure them and make the tables again, "
        "on a CPU and without training. Exit code 1 if anything differs.",
    )
    verify.add_argument("scale", **SCALE)
    verify.add_argument(
        "--only", nargs="+", default=[], metavar="NAME", help="codecs or runs to decode, such as webp c32-seed1"
    )
    verify.add_argument(
        "--threads", type=int, default=1, metavar="N", help="CPU threads of the models' transforms (default 1)"
    )
    verify.set_defaults(handler=_verify)


def _register_trace(commands: argparse._SubParsersAction) -> None:
    trace = commands.add_parser(
        "trace",
        help="which jobs and files a result was made from, back to the manifests",
        description="Print the jobs and files that a result was made from, back to the manifests of the data sets, "
        "with commands and checksums.",
    )
    trace.add_argument("file", metavar="FILE", help="a result, such as results/small/tables/table1.csv")
    trace.set_defaults(handler=_trace)


def _register_compare(commands: argparse._SubParsersAction) -> None:
    compare = commands.add_parser(
        "compare",
        help="what changed in the metrics between two commits, with tolerances and verdicts",
        description="Compare metrics.json of a commit with that of another, or with the one on the disk. Exit code 1 "
        "if a metric got worse by more than its tolerance, is gone, or changed where none may.",
    )
    compare.add_argument("before", metavar="REV", help="git revision to compare with")
    compare.add_argument(
        "after", metavar="REV", nargs="?", help="git revision to judge (default: what lies on the disk)"
    )
    compare.add_argument("--scale", default="small", help="the scale whose metrics to compare (default: %(default)s)")
    compare.add_argument("--markdown", action="store_true", help="print a Markdown table, as for a pull request")
    compare.add_argument("--all", action="store_true", help="list metrics that are the same as well")
    compare.set_defaults(handler=_compare)


def _record(arguments: argparse.Namespace) -> None:
    from cvqn.lab.record.record import record

    paths = record(arguments.scale)
    print(f"{arguments.scale}: recorded and pushed; now: git add {shlex.join(paths)} && git commit")


def _restore(arguments: argparse.Namespace) -> None:
    from cvqn.lab.record.record import restore

    count, command = restore(arguments.scale)
    print(f"{arguments.scale}: {count} files, all as recorded; to see that nothing is left to do: {command} --dry-run")


def _verify(arguments: argparse.Namespace) -> int:
    import torch
    from tqdm import tqdm

    from cvqn.lab.record.verify import verify

    torch.set_num_threads(arguments.threads)
    counts = {"agrees": 0, "DIFFERS": 0, "not checked": 0}
    for finding in verify(arguments.scale, arguments.only):
        verdict = "DIFFERS" if finding.difference else "not checked" if finding.unchecked else "agrees"
        counts[verdict] += 1
        reason = finding.difference or finding.unchecked
        tqdm.write(f"{verdict:12} {finding.what}{f' ({reason})' if reason else ''}")
    print(f"{arguments.scale}: " + ", ".join(f"{count} {verdict}" for verdict, count in counts.items()))
    return int(counts["DIFFERS"] > 0)


def _trace(arguments: argparse.Namespace) -> None:
    from cvqn.lab.provenance.trace import trace

    print("\n".join(trace(arguments.file)))


def _compare(arguments: argparse.Namespace) -> int:
    from cvqn.lab.record.compare import SAME, compare, read_metrics, table

    before, after = (read_metrics(arguments.scale, revision) for revision in (arguments.before, arguments.after))
    changes = compare(before, after)
    shown = changes if arguments.all else [change for change in changes if change.verdict != SAME]
    if shown:
        print(table(shown, arguments.markdown) + "\n")
    regressions = sum(change.regression for change in changes)
    print(
        f"{arguments.scale}: {len(changes)} metrics, {len(changes) - len(shown)} not listed, {regressions} regressions"
    )
    return int(regressions > 0)
