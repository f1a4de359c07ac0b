"""Commands that make tables, figures, curves, metrics and the audit from the files of a scale."""

import argparse
import tempfile
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from cvqn.errors import CvqnError
from cvqn.files import atomic_write, read_json
from cvqn.lab.cli.options import add_optional_plan, add_plan, add_results, read_planned
from cvqn.lab.cli.outputs import add_force, check_replaceable, has_keys, json_with, put, table_of

if TYPE_CHECKING:
    from cvqn.lab.provenance.plan import Plan


def register(commands: argparse._SubParsersAction) -> None:
    """Add these commands."""
    table = _add(commands, "table", "CSV", "write a table as CSV and Markdown", _table)
    figure = _add(commands, "figure", "SVG", "draw a figure as SVG and PNG, its numbers as CSV", _figure)
    for command, kind in ((table, "table"), (figure, "figure")):
        command.add_argument("name", metavar="NAME", help=f"name of the {kind}; an unknown one prints the list")
    _add(commands, "curves", "DIR", "write each measured rate-distortion curve into a file of its own", _curves)
    _add(commands, "metrics", "JSON", "write every headline number as flat JSON", _metrics)
    _register_audit(commands)
    page = commands.add_parser(
        "page",
        help="write the report page of a scale",
        description="Write report/index.html from the results that exist so far. The page lists what is missing, so it "
        "can be written while the workflow runs. Run the command in the project's folder.",
    )
    add_optional_plan(page)
    add_results(page)
    page.add_argument(
        "--embed", metavar="HTML", help="also write the page as one file, for mail, with as many pictures as 12 MB hold"
    )
    add_force(page)
    page.set_defaults(handler=_page)


def _add(commands: argparse._SubParsersAction, name: str, output: str, text: str, handler) -> argparse.ArgumentParser:
    command = commands.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}, from a scale's results.")
    add_plan(command)
    help = {"DIR": "folder to write into", "JSON": "file to write"}.get(
        output, "file to write; its other formats go beside it"
    )
    command.add_argument("--output", required=True, metavar=output, help=help)
    add_force(command)
    command.set_defaults(handler=handler)
    return command


def _register_audit(commands: argparse._SubParsersAction) -> None:
    audit = commands.add_parser(
        "audit",
        help="judge every claim of the paper",
        description="Judge every claim of the paper from a scale's results, and write JSON, Markdown and HTML. With "
        "--check, only read an existing audit. Exit code 1 if --fail-on or --against finds something.",
    )
    given = audit.add_mutually_exclusive_group(required=True)
    given.add_argument("--plan", metavar="FILE", help="plan file of the scale to judge; needs --output")
    given.add_argument("--check", metavar="JSON", help="existing audit.json to apply --fail-on and --against to")
    audit.add_argument("--extras", action="store_true", help="also use the runs of the experiments beyond the paper")
    audit.add_argument("--output", metavar="JSON", help="file to write, with --plan; Markdown and HTML go beside it")
    audit.add_argument(
        "--fail-on",
        nargs="+",
        default=[],
        metavar="VERDICT",
        help='fail if a claim has one of these verdicts, such as "not reproduced"',
    )
    audit.add_argument(
        "--against", metavar="REV", help="compare with the audit.json of a git revision; fail if a verdict got worse"
    )
    add_force(audit)
    audit.set_defaults(handler=_audit)


def _table(arguments: argparse.Namespace) -> None:
    from cvqn.lab.report import registry
    from cvqn.lab.report.output import write_table
    from cvqn.lab.report.sources import Sources

    output = _ending(arguments.output, ".csv")
    entry = registry.entry(arguments.name, registry.TABLES)
    plan = _planned(arguments, f"table {entry.name}")
    sources = Sources(plan.configuration, plan.results, entry.target)
    module = import_module(f"cvqn.lab.report.{entry.module}")
    table = module.table(sources, **entry.options)
    page = module.page(table, sources, **entry.options)
    check_replaceable(arguments, table_of(*table.columns[:2]), output, output.with_suffix(".md"))
    with atomic_write(output.with_suffix(".md"), "w") as file:
        file.write(page)
    write_table(table, output)


def _figure(arguments: argparse.Namespace) -> None:
    from cvqn.lab.report import registry
    from cvqn.lab.report.sources import Sources

    output = _ending(arguments.output, ".svg")
    entry = registry.entry(arguments.name, registry.FIGURES)
    plan = _planned(arguments, f"figure {entry.name}")
    sources = Sources(plan.configuration, plan.results, entry.target)
    files = [output.with_suffix(ending) for ending in (".csv", ".svg", ".png")]
    with tempfile.TemporaryDirectory() as scratch:
        drawn = [Path(scratch, path.name) for path in files]
        import_module(f"cvqn.lab.report.{entry.module}").draw(sources, drawn[1], **entry.options)
        columns = drawn[0].read_text(encoding="utf-8").partition("\n")[0].split(",")[:2]
        check_replaceable(arguments, table_of(*columns), *files)
        put(drawn, output.parent)


def _curves(arguments: argparse.Namespace) -> None:
    from cvqn.lab.report.curves import curves_table, write_curves
    from cvqn.lab.report.sources import Sources

    plan = _planned(arguments, "curves")
    sources = Sources(plan.configuration, plan.results)
    for name in curves_table(sources)["curve"].unique():
        check_replaceable(arguments, table_of("bpp", "ms_ssim"), Path(arguments.output, f"{name}.csv"))
    write_curves(sources, arguments.output)


def _metrics(arguments: argparse.Namespace) -> None:
    from cvqn.lab.report.metrics import write_metrics
    from cvqn.lab.report.sources import Sources

    check_replaceable(arguments, _are_metrics, arguments.output)
    plan = _planned(arguments, "metrics")
    write_metrics(Sources(plan.configuration, plan.results), arguments.output)


def _audit(arguments: argparse.Namespace) -> int:
    from cvqn.lab.report.audit.changes import audit_at, changes
    from cvqn.lab.report.audit.verdicts import VERDICTS

    for verdict in arguments.fail_on:
        if verdict not in VERDICTS:
            raise CvqnError(f"--fail-on {verdict!r}: no such verdict; there are {', '.join(VERDICTS)}")
    if (arguments.output is None) != (arguments.plan is None):
        raise CvqnError("--plan needs --output, the file to write the audit to; --check takes none")
    path = _ending(arguments.output or arguments.check, ".json")
    before = audit_at(arguments.against, path) if arguments.against else None
    result = _judged(arguments, path)
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


def _judged(arguments: argparse.Namespace, path: Path) -> dict:
    """The audit that the command line asks for: newly made, or read from a file."""
    from cvqn.lab.report.audit.audit import audit, write_audit
    from cvqn.lab.report.audit.changes import read_audit
    from cvqn.lab.report.audit.evidence import Evidence

    if arguments.check:
        return read_audit(path)
    others = [path.with_suffix(ending) for ending in (".md", ".html")]
    check_replaceable(arguments, json_with("scale", "counts", "claims"), path, *others)
    plan = _planned(arguments, "audit")
    result = audit(Evidence(plan.configuration, plan.results, "extras" if arguments.extras else "all"))
    write_audit(result, path)
    return result


def _page(arguments: argparse.Namespace) -> None:
    from cvqn.lab.report.page.page import write_page

    if arguments.plan:
        _planned(arguments, "page")
    embed = None if arguments.embed is None else _ending(arguments.embed, ".html")
    if embed:
        check_replaceable(arguments, _is_page, embed)
    for part in write_page(arguments.results, embed):
        if part.missing:
            print(f"missing {len(part.missing)} of {part.total} {part.name}: {', '.join(part.missing)}")


def _are_metrics(path: Path) -> bool:
    content = read_json(path)
    return has_keys(content) and any(key.endswith(".bpp") for key in content)


def _is_page(path: Path) -> bool:
    with open(path, encoding="utf-8") as file:
        return "<title>CVQN, reproduced: " in file.read(1000)


def _planned(arguments: argparse.Namespace, job: str) -> "Plan":
    from cvqn.lab.report import registry

    return read_planned(arguments, job, None, *registry.modules(job))


def _ending(path: str, ending: str) -> Path:
    if not path.endswith(ending):
        raise CvqnError(f"{path}: the name must end in {ending}")
    return Path(path)
