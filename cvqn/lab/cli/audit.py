"""The subcommand audit."""

import argparse
from pathlib import Path

from cvqn.errors import CvqnError


def register(commands: argparse._SubParsersAction) -> None:
    """Add this room's subcommand."""
    audit = commands.add_parser(
        "audit",
        help="a verdict for every claim of the paper",
        description="Judge every claim of the paper from a scale's results and write JSON, Markdown and HTML; or, "
        "with --check, only look at an audit that is there. Exit code 1 if --fail-on or --against finds something.",
    )
    given = audit.add_mutually_exclusive_group(required=True)
    given.add_argument("--config", metavar="FILE", help="resolved configuration of the results to judge")
    given.add_argument(
        "--check", metavar="JSON", help="an audit.json: apply --fail-on and --against to it, judge nothing"
    )
    audit.add_argument("--measurements", nargs="*", default=[], metavar="CSV", help="tables of cvqn measure")
    audit.add_argument("--analysis", nargs="*", default=[], metavar="DIR", help="folders of cvqn analyse")
    audit.add_argument(
        "--runs", nargs="*", default=[], metavar="DIR", help="folders of trainings (provenance.json, log.csv)"
    )
    audit.add_argument("--identities", metavar="JSON", help="file of cvqn identities")
    audit.add_argument("--output", metavar="JSON", help="file to write; .md and .html go beside it; with --config")
    audit.add_argument(
        "--fail-on",
        nargs="+",
        default=[],
        metavar="VERDICT",
        help='fail if a claim has this verdict, such as "not reproduced"',
    )
    audit.add_argument(
        "--against", metavar="REV", help="compare with the audit.json of a git revision; fail if a verdict got worse"
    )
    audit.set_defaults(handler=_audit)


def _audit(arguments: argparse.Namespace) -> int:
    from cvqn.lab.report.audit.audit import audit, write_audit
    from cvqn.lab.report.audit.compare import audit_at, changes, parse
    from cvqn.lab.report.audit.evidence import read_evidence
    from cvqn.lab.report.audit.verdicts import VERDICTS

    for verdict in arguments.fail_on:
        if verdict not in VERDICTS:
            raise CvqnError(f"--fail-on {verdict!r}: no such verdict; there are {', '.join(VERDICTS)}")
    if (arguments.output is None) != (arguments.config is None):
        raise CvqnError("--config needs --output, the file to write the audit to; --check takes none")
    if arguments.output and not arguments.output.endswith(".json"):
        raise CvqnError(f"{arguments.output}: the name must end in .json")
    path = Path(arguments.check or arguments.output)
    before = audit_at(arguments.against, path) if arguments.against else None
    if arguments.check:
        result = parse(_text(path), str(path))
    else:
        evidence = read_evidence(
            arguments.config, arguments.measurements, arguments.analysis, arguments.runs, arguments.identities
        )
        result = audit(evidence)
        write_audit(result, path)
    print(f"scale {result['scale']}: " + ", ".join(f"{count} {verdict}" for verdict, count in result["counts"].items()))
    failed = [claim for claim in result["claims"] if claim["verdict"] in arguments.fail_on]
    for claim in failed:
        print(f"{claim['id']}: {claim['verdict']}")
    found = [] if before is None else changes(before, result)
    for name, was, now, worse in found:
        print(f"{name}: {was or 'no such claim'} -> {now or 'no such claim'}{' (worse)' if worse else ''}")
    if before is not None and not found:
        print(f"no verdict differs from {arguments.against}")
    return int(bool(failed) or any(worse for *_, worse in found))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise CvqnError(
            f"{path}: cannot be read ({error.strerror}); write it with cvqn audit --config first"
        ) from error
