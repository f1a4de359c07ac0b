"""Commands that certify results and let others check them: record, release, restore, verify, trace, compare."""

import argparse
import shlex
import tarfile
from pathlib import Path

from cvqn.cli.options import positive
from cvqn.errors import CvqnError
from cvqn.lab.cli.options import add_threads
from cvqn.lab.cli.outputs import add_force, check_replaceable

SCALE = {"metavar": "SCALE", "nargs": "?", "default": "small", "help": "a scale of dvc.yaml (default: %(default)s)"}


def register(commands: argparse._SubParsersAction) -> None:
    """Add these commands."""
    _register_record(commands)
    _register_release(commands)
    _register_restore(commands)
    _register_verify(commands)
    _register_trace(commands)
    _register_compare(commands)
    _register_stages(commands)


def _register_record(commands: argparse._SubParsersAction) -> None:
    record = commands.add_parser(
        "record",
        help="certify the finished results of a scale in DVC, with the job that made each file",
        description="Certify the finished results of a scale: write dvc.lock, results/SCALE/record and SHA256SUMS, and "
        "push models, figures and the report page to the DVC remote. Refuse if anything is not committed, if the "
        "workflow is not finished, or if a file changed after its job wrote it (checked by checksum, or by making it "
        "again).",
    )
    record.add_argument("scale", **SCALE)
    record.add_argument(
        "--reports",
        action="store_true",
        help="make only the reports that git keeps again (tables, curves, metrics, audit) and the settings, and record "
        "them, with the trainings and evaluations made again here; works in a plain clone, without the models",
    )
    record.set_defaults(handler=_record)


def _register_release(commands: argparse._SubParsersAction) -> None:
    release = commands.add_parser(
        "release",
        help="pack a recorded scale into one archive for a web page or Zenodo",
        description="Pack the results, models, bitstreams, record and checksums of a recorded scale, with an RO-Crate "
        "that describes them, into one tar, and write its .sha256 beside it. The bytes are the same each time. cvqn "
        "restore reads it from a file or a web server.",
    )
    release.add_argument("scale", **SCALE)
    release.add_argument(
        "--output", type=Path, default=Path("dist"), metavar="DIR", help="folder to write into (default: %(default)s)"
    )
    add_force(release)
    release.set_defaults(handler=_release)


def _register_restore(commands: argparse._SubParsersAction) -> None:
    restore = commands.add_parser(
        "restore",
        help="get a recorded scale's models and figures, and Snakemake's records of their jobs",
        description="In a clone, get the files of a recorded scale that git does not hold, from the DVC remote or from "
        "a release. Compare every file with the record, and put back Snakemake's records of the jobs, so that the "
        "workflow finds nothing to do.",
    )
    restore.add_argument("scale", **SCALE)
    restore.add_argument(
        "--from",
        dest="source",
        metavar="FILE|URL",
        help="a release, as a file or an http(s) address; resumes an interrupted download (default: the DVC remote)",
    )
    restore.set_defaults(handler=_restore)


def _register_verify(commands: argparse._SubParsersAction) -> None:
    verify = commands.add_parser(
        "verify",
        help="make recorded results again from bitstreams and models, and compare them; needs no GPU",
        description="Compute recorded results again without training, and compare them with the record: decode and "
        "measure the bitstreams, encode again where the bytes must be the same, analyse the channels, and rebuild "
        "tables, figures, metrics and audit; not the report page. In a clone without cvqn restore, the only learned "
        "models that are checked are the built-in ones. Exit code 1 if anything differs.",
    )
    verify.add_argument("scale", **SCALE)
    verify.add_argument(
        "--only", nargs="+", default=[], metavar="NAME", help="decode only these codecs or runs, such as webp c32-seed1"
    )
    verify.add_argument(
        "--sample",
        type=positive,
        metavar="N",
        help="decode only N files, drawn at random, and analyse no channels",
    )
    add_threads(verify)
    verify.set_defaults(handler=_verify)


def _register_trace(commands: argparse._SubParsersAction) -> None:
    trace = commands.add_parser(
        "trace",
        help="list the jobs and files that a result was made from, back to the manifests",
        description="List the jobs and files that a result was made from, back to the manifests of the data sets, "
        "with commands and checksums.",
    )
    trace.add_argument("file", metavar="FILE", help="a result, such as results/small/tables/table1.csv")
    trace.set_defaults(handler=_trace)


def _register_compare(commands: argparse._SubParsersAction) -> None:
    compare = commands.add_parser(
        "compare",
        help="compare the metrics of two commits, within tolerances",
        description="Compare the metrics.json of a commit with that of another commit or of the working tree. Exit "
        "code 1 if a metric got worse by more than its tolerance, is gone, or changed although it must not.",
    )
    compare.add_argument("before", metavar="REV", help="git revision to compare with")
    compare.add_argument(
        "after", metavar="REV", nargs="?", help="git revision to judge (default: the file in the working tree)"
    )
    compare.add_argument("--scale", default="small", help="the scale whose metrics to compare (default: %(default)s)")
    compare.add_argument(
        "--markdown", action="store_true", help="print a Markdown table, for example for a pull request"
    )
    compare.add_argument("--all", action="store_true", help="also list unchanged metrics")
    compare.set_defaults(handler=_compare)


def _register_stages(commands: argparse._SubParsersAction) -> None:
    checksums = commands.add_parser(
        "checksums",
        help="rewrite SHA256SUMS, after a change to the built-in models or the figures of docs",
        description="Write SHA256SUMS: checksums of the committed results and their record, dvc.lock, the built-in "
        "models and the figures of docs.",
    )
    checksums.set_defaults(handler=_checksums)
    stage = commands.add_parser(
        "not-by-dvc",
        help="used in dvc.yaml only: stop, and print the command to run instead",
        description="Stop, and print the command to run instead. This precedes each command of dvc.yaml, so that dvc "
        "repro and dvc exp run cannot bypass the checks of cvqn record.",
    )
    stage.add_argument("command", nargs=argparse.REMAINDER, metavar="COMMAND", help="the command that makes a scale")
    stage.set_defaults(handler=_not_by_dvc)


def _record(arguments: argparse.Namespace) -> None:
    from cvqn.lab.record.record import record
    from cvqn.lab.record.reports import record_reports

    paths = record_reports(arguments.scale) if arguments.reports else record(arguments.scale)
    done = "reports recorded" if arguments.reports else "recorded and pushed"
    print(f"{arguments.scale}: {done}; now: git add {shlex.join(paths)} && git commit")


def _release(arguments: argparse.Namespace) -> None:
    from cvqn.lab.record.release import name_of, release

    output = arguments.output / f"{name_of(arguments.scale)}.tar"
    check_replaceable(arguments, _is_release, output, output.with_name(f"{output.name}.sha256"))
    path = release(arguments.scale, arguments.output)
    print(f"{path}: {path.stat().st_size / 1e6:.1f} MB; put it and {path.name}.sha256 beside each other, see "
          "docs/publishing.md")  # fmt: skip


def _is_release(path: Path) -> bool:
    from cvqn.lab.record.release import MANIFEST

    with tarfile.open(path, "r:") as archive:
        first = archive.next()
    return first is not None and first.name.endswith(f"/{MANIFEST}")


def _restore(arguments: argparse.Namespace) -> None:
    from cvqn.lab.record.restore import restore

    count, command = restore(arguments.scale, arguments.source)
    print(f"{arguments.scale}: {count} files, all as recorded; to see that nothing is left to do: {command} --dry-run")


def _verify(arguments: argparse.Namespace) -> int:
    import torch
    from tqdm import tqdm

    from cvqn.lab.record.check import DIFFERS, summary, verdicts
    from cvqn.lab.record.recorded import read_recorded
    from cvqn.lab.record.verify import other_code, verify

    torch.set_num_threads(arguments.threads)
    if note := other_code(arguments.scale):
        tqdm.write(note)
    checks = []
    for check in verify(arguments.scale, arguments.only, arguments.sample):
        checks.append(check)
        said = [f" ({check.reason})"] if check.reason else [""]
        for reason in [f": {one}" for one in check.differences] or said:
            tqdm.write(f"{check.verdict:12} {check.what}{reason}")
    failed = any(check.verdict == DIFFERS for check in checks)
    counts = summary(verdicts(checks, read_recorded(arguments.scale).files))
    print(f"{arguments.scale}: {'NOT VERIFIED' if failed else 'verified'}; of its files {counts}")
    return int(failed)


def _checksums(arguments: argparse.Namespace) -> None:
    from cvqn.lab.record.checksums import LIST, write_checksums

    write_checksums()
    print(LIST)


def _not_by_dvc(arguments: argparse.Namespace) -> None:
    raise CvqnError(
        "DVC runs no workflow in this project, because cvqn record must check the results first; "
        f"run: {shlex.join(arguments.command)}; then: cvqn record"
    )


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
