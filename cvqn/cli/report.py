"""Subcommands that make tables, figures, metrics and the audit from files, and the analyses that feed them."""

import argparse
from pathlib import Path

from cvqn.errors import CvqnError

FIGURE1, MAPS, CURVES, CROPS = "influence", "maps", "rate-distortion", "crops"


def register(commands: argparse._SubParsersAction) -> None:
    """Add this room's subcommands."""
    _register_analyses(commands)
    _register_tables(commands)
    _register_figures(commands)

    metrics = commands.add_parser("metrics", help="write every headline number as flat JSON")
    _add_config(metrics)
    _add_measurements(metrics)
    metrics.add_argument("--bd-rate", metavar="CSV", help="table of cvqn table bd-rate")
    metrics.add_argument("--analysis", nargs="*", default=[], metavar="DIR", help="folders of cvqn analyse")
    metrics.add_argument("--output", required=True, metavar="JSON", help="file to write")
    metrics.set_defaults(handler=_metrics)

    audit = commands.add_parser(
        "audit",
        help="a verdict for every claim of the paper",
        description="Judge every claim of the paper from a scale's results and write audit.json, audit.md and audit.html; or, with --check, "
        "only look at an audit that is there. Exit code 1 if --fail-on or --against finds something.",
    )
    given = audit.add_mutually_exclusive_group(required=True)
    given.add_argument("--config", metavar="FILE", help="resolved configuration of the results to judge")
    given.add_argument("--check", metavar="JSON", help="an audit.json: apply --fail-on and --against to it, judge nothing")
    audit.add_argument("--measurements", nargs="*", default=[], metavar="CSV", help="tables of cvqn measure")
    audit.add_argument("--analysis", nargs="*", default=[], metavar="DIR", help="folders of cvqn analyse")
    audit.add_argument("--runs", nargs="*", default=[], metavar="DIR", help="folders of trainings (provenance.json, log.csv)")
    audit.add_argument("--identities", metavar="JSON", help="file of cvqn identities")
    audit.add_argument("--output", metavar="DIR", help="folder to write; with --config")
    audit.add_argument("--fail-on", nargs="+", default=[], metavar="VERDICT", help='fail if a claim has it, such as "not reproduced"')
    audit.add_argument("--against", metavar="REV", help="compare with the audit.json of a git revision; fail if a verdict got worse")
    audit.set_defaults(handler=_audit)


def _register_analyses(commands: argparse._SubParsersAction) -> None:
    analyse = commands.add_parser("analyse", help="influence, bits and symbols of a trained model's channels")
    analyse.add_argument("--model", required=True, metavar="DIR", help="folder of the model")
    analyse.add_argument("--images", required=True, metavar="INDEX", help="index.json of the evaluation set")
    analyse.add_argument("--maps-of", metavar="NAME", help="the image whose quantized maps to keep; default the first")
    analyse.add_argument("--no-influence", action="store_true", help="leave out the losses, which need a decoding a channel")
    analyse.add_argument("--device", default="cpu", choices=("cpu", "cuda"), help="where the transforms run")
    analyse.add_argument("--threads", type=int, default=1, metavar="N", help="CPU threads")
    analyse.add_argument("--output", required=True, metavar="DIR", help="folder to write")
    analyse.set_defaults(handler=_analyse)

    identities = commands.add_parser("identities", help="check the paper's statements that hold by definition")
    identities.add_argument("--output", required=True, metavar="JSON", help="file to write")
    identities.set_defaults(handler=_identities)

    crops = commands.add_parser("crops", help="crops of decoded files for the figure of crops")
    _add_config(crops)
    _add_measurements(crops)
    crops.add_argument("--bitstreams", required=True, nargs="+", metavar="TAR", help="the archives that were measured")
    crops.add_argument("--model", required=True, metavar="DIR", help="model of the first run of report.figure4.experiment")
    crops.add_argument("--images", required=True, metavar="INDEX", help="index.json of the evaluation set")
    crops.add_argument("--threads", type=int, default=1, metavar="N", help="CPU threads")
    crops.add_argument("--output", required=True, metavar="DIR", help="folder to write")
    crops.set_defaults(handler=_crops)


def _register_tables(commands: argparse._SubParsersAction) -> None:
    tables = commands.add_parser("table", help="a table as CSV and Markdown").add_subparsers(metavar="NAME", required=True)
    helps = {
        "table1": "channel importance; every run apart in <output stem>-runs.csv",
        "table2": "combinations of levels; every run apart in <output stem>-runs.csv",
        "rate-distortion": "every codec at every setting",
        "bd-rate": "CVQN against every other curve",
    }
    for name, text in helps.items():
        table = tables.add_parser(name, help=text)
        _add_config(table)
        _add_measurements(table)
        table.add_argument("--output", required=True, metavar="CSV", help="file to write; the Markdown goes beside it")
        table.set_defaults(handler=_table, name=name)
    table = tables.add_parser("equation7", help="bound, measured bits and diversity of values")
    _add_config(table)
    table.add_argument("--analysis", required=True, nargs="+", metavar="DIR", help="folders of cvqn analyse")
    table.add_argument("--output", required=True, metavar="CSV", help="file to write; the Markdown goes beside it")
    table.set_defaults(handler=_table, name="equation7")


def _register_figures(commands: argparse._SubParsersAction) -> None:
    figures = commands.add_parser("figure", help="a figure as svg, png and csv").add_subparsers(metavar="NAME", required=True)
    influence = figures.add_parser(FIGURE1, help="figure 1: the toy model's channels and their influence")
    influence.add_argument("--analysis", required=True, metavar="DIR", help="folder of cvqn analyse of the toy model")
    influence.add_argument("--images", required=True, metavar="INDEX", help="index.json of the evaluation set")
    maps = figures.add_parser(MAPS, help="figure 3, left: quantized maps by group")
    maps.add_argument("--analysis", required=True, metavar="DIR", help="folder of cvqn analyse")
    curves = figures.add_parser(CURVES, help="figure 3, right: rate-distortion curves")
    _add_measurements(curves)
    curves.add_argument(
        "--published", nargs="*", default=["figure-3"], metavar="GROUP", help="published curves: figure-3 (default), conventional, learned"
    )
    crops = figures.add_parser(CROPS, help="figure 4: crops of the original and of each codec")
    crops.add_argument("--crops", required=True, metavar="DIR", help="folder of cvqn crops")
    for name, figure in ((FIGURE1, influence), (MAPS, maps), (CURVES, curves), (CROPS, crops)):
        _add_config(figure)
        figure.add_argument("--output", required=True, metavar="SVG", help="file to write; .png and .csv go beside it")
        figure.set_defaults(handler=_figure, name=name)


def _add_config(command: argparse.ArgumentParser) -> None:
    command.add_argument("--config", required=True, metavar="FILE", help="resolved configuration (cvqn config)")


def _add_measurements(command: argparse.ArgumentParser) -> None:
    command.add_argument("--measurements", required=True, nargs="+", metavar="CSV", help="tables of cvqn measure")


def _analyse(arguments: argparse.Namespace) -> None:
    import torch

    from cvqn.evaluation.analysis import analyse
    from cvqn.model.store import load_model

    torch.set_num_threads(arguments.threads)
    stored = load_model(arguments.model, arguments.device)
    analyse(stored, arguments.images, arguments.output, maps_of=arguments.maps_of, influence=not arguments.no_influence)


def _identities(arguments: argparse.Namespace) -> None:
    import json

    from cvqn.evaluation.identities import soft_quantizer
    from cvqn.files import atomic_write

    with atomic_write(arguments.output, "w") as file:
        json.dump({"soft_quantizer": soft_quantizer()}, file, indent=1)
        file.write("\n")


def _crops(arguments: argparse.Namespace) -> None:
    import torch

    import baselines
    from cvqn import config
    from cvqn.compression import CvqnCodec
    from cvqn.evaluation.crops import cut_crops

    torch.set_num_threads(arguments.threads)
    settings = config.read(arguments.config)
    figure = settings["report"]["figure4"]
    codecs = {name: baselines.codec(name) for name in figure["codecs"]} | {"cvqn": CvqnCodec(arguments.model)}
    run = f"{figure['experiment']}-seed{settings['seeds'][0]}"
    cut_crops(figure["images"], run, codecs, arguments.images, arguments.measurements, arguments.bitstreams, arguments.output)


def _table(arguments: argparse.Namespace) -> None:
    from cvqn import config
    from cvqn.files import atomic_write
    from cvqn.report import entropy, readable, tables
    from cvqn.report.runs import Runs
    from cvqn.report.sources import read_groups, read_measurements

    output = _ending(arguments.output, ".csv")
    settings = config.read(arguments.config)
    scale = settings["scale"]
    if arguments.name == "equation7":
        table = entropy.equation7(read_groups(arguments.analysis), settings)
        page = readable.equation7_page(table, scale)
    else:
        measurements = read_measurements(arguments.measurements)
        if arguments.name == "rate-distortion":
            table = tables.rate_distortion(measurements, settings)
            page = readable.rate_distortion_page(table, scale)
        elif arguments.name == "bd-rate":
            table = tables.bd_rates(measurements, settings)
            page = readable.bd_rate_page(table, scale)
        else:
            table, single = tables.variants(Runs(measurements), settings, arguments.name)
            page = readable.variants_page(arguments.name, table, single, scale)
            tables.write_table(single, output.with_name(f"{output.stem}-runs.csv"))
    with atomic_write(output.with_suffix(".md"), "w") as file:
        file.write(page)
    tables.write_table(table, output)


def _figure(arguments: argparse.Namespace) -> None:
    from cvqn import config

    output = _ending(arguments.output, ".svg")
    settings = config.read(arguments.config)
    scale = settings["scale"]
    if arguments.name == CROPS:
        from cvqn.report.figures.crops import draw_crops

        draw_crops(arguments.crops, output, scale)
    elif arguments.name == CURVES:
        from cvqn.report.figures.curves import curves_table, draw_curves
        from cvqn.report.sources import read_measurements

        measurements = read_measurements(arguments.measurements)
        table = curves_table(measurements, settings["report"]["rate_curve"], arguments.published)
        draw_curves(table, output, scale=scale, images=measurements["image"].nunique(), data_set=settings["data"]["evaluation"])
    else:
        from cvqn.report.figures.maps import draw_maps, read_maps

        maps = read_maps(Path(arguments.analysis) / "maps.npz")
        if arguments.name == MAPS:
            draw_maps(maps, output, scale)
        else:
            _figure1(arguments, maps, output, scale)


def _figure1(arguments: argparse.Namespace, maps, output: Path, scale: str) -> None:
    from cvqn.data.index import read_index
    from cvqn.report.figures.influence import draw_influence
    from cvqn.report.sources import read_channels

    image = next((one for one in read_index(arguments.images) if one.name == maps.image), None)
    if image is None:
        raise CvqnError(f"{arguments.images}: has no image {maps.image}, of which {arguments.analysis} keeps the maps")
    draw_influence(image.read(), maps, read_channels([arguments.analysis]), output, scale)


def _metrics(arguments: argparse.Namespace) -> None:
    import json

    import pandas as pd

    from cvqn import config
    from cvqn.files import atomic_write
    from cvqn.report.channels import channel_metrics
    from cvqn.report.metrics import metrics
    from cvqn.report.runs import Runs
    from cvqn.report.sources import read_channels, read_groups, read_json, read_measurements
    from cvqn.report.tables import rate_distortion

    settings = config.read(arguments.config)
    measurements = read_measurements(arguments.measurements)
    codecs = rate_distortion(measurements[measurements["codec"] != "cvqn"], settings)
    bd_rates = None if arguments.bd_rate is None else pd.read_csv(arguments.bd_rate)
    importance = [read_json(Path(folder) / "importance.json") for folder in arguments.analysis]
    channels = channel_metrics(read_channels(arguments.analysis), read_groups(arguments.analysis), importance)
    with atomic_write(arguments.output, "w") as file:
        json.dump(metrics(Runs(measurements), codecs, bd_rates, channels, settings), file, indent=1)
        file.write("\n")


def _audit(arguments: argparse.Namespace) -> int:
    from cvqn.report.audit.audit import audit, write_audit
    from cvqn.report.audit.compare import audit_at, changes, parse
    from cvqn.report.audit.evidence import read_evidence
    from cvqn.report.audit.verdicts import VERDICTS

    for verdict in arguments.fail_on:
        if verdict not in VERDICTS:
            raise CvqnError(f"--fail-on {verdict!r}: no such verdict; there are {', '.join(VERDICTS)}")
    if (arguments.output is None) != (arguments.config is None):
        raise CvqnError("--config needs --output, the folder to write the audit into; --check takes none")
    path = Path(arguments.check) if arguments.check else Path(arguments.output) / "audit.json"
    before = audit_at(arguments.against, path) if arguments.against else None
    if arguments.check:
        result = parse(_text(path), str(path))
    else:
        evidence = read_evidence(
            arguments.config, arguments.measurements, arguments.analysis, arguments.runs, arguments.identities
        )
        result = audit(evidence)
        write_audit(result, arguments.output)
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
        raise CvqnError(f"{path}: cannot be read ({error.strerror}); write it with cvqn audit --config first") from error


def _ending(path: str, ending: str) -> Path:
    if not path.endswith(ending):
        raise CvqnError(f"{path}: the name must end in {ending}")
    return Path(path)
