"""Subcommands that make tables, figures and metrics from files."""

import argparse
from pathlib import Path

from cvqn.errors import CvqnError

FIGURE1, MAPS, CURVES, BITS, CROPS = "influence", "maps", "rate-distortion", "bits", "crops"


def register(commands: argparse._SubParsersAction) -> None:
    """Add this room's subcommands."""
    _register_tables(commands)
    _register_figures(commands)

    metrics = commands.add_parser(
        "metrics",
        help="write every headline number as flat JSON",
        description="Write every headline number as flat JSON, for dvc metrics diff and cvqn compare.",
    )
    _add_config(metrics)
    _add_measurements(metrics)
    metrics.add_argument("--bd-rate", metavar="CSV", help="table of cvqn table bd-rate")
    metrics.add_argument("--analysis", nargs="*", default=[], metavar="DIR", help="folders of cvqn analyse")
    metrics.add_argument("--output", required=True, metavar="JSON", help="file to write")
    metrics.set_defaults(handler=_metrics)


def _register_tables(commands: argparse._SubParsersAction) -> None:
    tables = commands.add_parser(
        "table", help="a table as CSV and Markdown", description="Write a table as CSV and Markdown."
    ).add_subparsers(title="tables", metavar="NAME", required=True)
    helps = {
        "table1": "table 1: channel importance",
        "table2": "table 2: combinations of levels",
        "runs": "every run, with the files and lines it comes from",
        "extras": "the ablations beyond the paper",
        "rate-distortion": "every codec at every setting",
        "bd-rate": "CVQN against every other curve",
    }
    for name, text in helps.items():
        table = tables.add_parser(name, help=text, description=_sentence(text))
        _add_config(table)
        _add_measurements(table)
        table.add_argument("--output", required=True, metavar="CSV", help="file to write; the Markdown goes beside it")
        table.set_defaults(handler=_table, name=name)
    helps = {
        "equation7": "equation (7): bound, measured bits and diversity of values",
        "importance": "how well each order of the channels agrees with their influence",
    }
    for name, text in helps.items():
        table = tables.add_parser(name, help=text, description=_sentence(text))
        _add_config(table)
        table.add_argument("--analysis", required=True, nargs="+", metavar="DIR", help="folders of cvqn analyse")
        table.add_argument("--output", required=True, metavar="CSV", help="file to write; the Markdown goes beside it")
        table.set_defaults(handler=_table, name=name)


def _register_figures(commands: argparse._SubParsersAction) -> None:
    figures = commands.add_parser(
        "figure", help="a figure as SVG, PNG and CSV", description="Draw a figure as SVG and PNG, its data as CSV."
    ).add_subparsers(title="figures", metavar="NAME", required=True)
    influence = _figure_parser(figures, FIGURE1, "figure 1: the toy model's channels and their influence")
    influence.add_argument("--analysis", required=True, metavar="DIR", help="folder of cvqn analyse of the toy model")
    influence.add_argument("--images", required=True, metavar="INDEX", help="index.json of the evaluation set")
    maps = _figure_parser(figures, MAPS, "figure 3, left: quantized maps by group")
    maps.add_argument("--analysis", required=True, metavar="DIR", help="folder of cvqn analyse")
    curves = _figure_parser(figures, CURVES, "figure 3, right: rate-distortion curves")
    _add_measurements(curves)
    curves.add_argument(
        "--published",
        nargs="*",
        default=["figure-3"],
        metavar="GROUP",
        help="published curves: figure-3 (default), conventional, learned",
    )
    bits = _figure_parser(figures, BITS, "beyond the paper: bits spent on each channel beside its influence")
    bits.add_argument("--analysis", required=True, nargs="+", metavar="DIR", help="folders of cvqn analyse")
    crops = _figure_parser(figures, CROPS, "figure 4: crops of the original and of each codec")
    crops.add_argument("--crops", required=True, metavar="DIR", help="folder of cvqn crops")
    for name, figure in ((FIGURE1, influence), (MAPS, maps), (CURVES, curves), (BITS, bits), (CROPS, crops)):
        _add_config(figure)
        figure.add_argument("--output", required=True, metavar="SVG", help="file to write; .png and .csv go beside it")
        figure.set_defaults(handler=_figure, name=name)


def _figure_parser(figures: argparse._SubParsersAction, name: str, text: str) -> argparse.ArgumentParser:
    return figures.add_parser(name, help=text, description=_sentence(text))


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _add_config(command: argparse.ArgumentParser) -> None:
    command.add_argument("--config", required=True, metavar="FILE", help="resolved configuration (cvqn config)")


def _add_measurements(command: argparse.ArgumentParser) -> None:
    command.add_argument("--measurements", required=True, nargs="+", metavar="CSV", help="tables of cvqn measure")


def _table(arguments: argparse.Namespace) -> None:
    from cvqn.lab.settings import configuration as config
    from cvqn.files import atomic_write
    from cvqn.lab.report import entropy, importance, readable, tables
    from cvqn.lab.report.output import write_table
    from cvqn.lab.report.runs import Runs
    from cvqn.lab.report.sources import read_groups, read_measurements

    output = _ending(arguments.output, ".csv")
    settings = config.read(arguments.config)
    scale = settings["scale"]
    if arguments.name == "equation7":
        table = entropy.equation7(read_groups(arguments.analysis), settings)
        page = readable.equation7_page(table, scale)
    elif arguments.name == "importance":
        table = importance.importance_table(arguments.analysis, settings)
        page = readable.importance_page(table, scale)
    else:
        measurements = read_measurements(arguments.measurements)
        if arguments.name == "rate-distortion":
            table = tables.rate_distortion(measurements, settings)
            page = readable.rate_distortion_page(table, scale)
        elif arguments.name == "bd-rate":
            table = tables.bd_rates(measurements, settings)
            page = readable.bd_rate_page(table, scale)
        elif arguments.name == "runs":
            table = tables.every_run(Runs(measurements))
            page = readable.runs_page(table, scale)
        elif arguments.name == "extras":
            table = tables.extras(Runs(measurements), settings)
            page = readable.extras_page(table, scale)
        else:
            runs = Runs(measurements)
            table = tables.variants(runs, settings, arguments.name)
            names = settings["report"][arguments.name]
            monitored = all(settings["experiments"][name]["training"]["monitor_every"] for name in names)
            page = readable.variants_page(arguments.name, table, tables.every_run(runs), scale, monitored)
    with atomic_write(output.with_suffix(".md"), "w") as file:
        file.write(page)
    write_table(table, output)


def _figure(arguments: argparse.Namespace) -> None:
    from cvqn.lab.settings import configuration as config

    output = _ending(arguments.output, ".svg")
    settings = config.read(arguments.config)
    scale = settings["scale"]
    if arguments.name == CROPS:
        from cvqn.lab.report.figures.crops import draw_crops

        draw_crops(arguments.crops, output, scale)
    elif arguments.name == BITS:
        from cvqn.lab.report.figures.bits import draw_bits
        from cvqn.lab.report.sources import read_channels

        draw_bits(read_channels(arguments.analysis), output, scale)
    elif arguments.name == CURVES:
        from cvqn.lab.report.curves import curves_table
        from cvqn.lab.report.figures.curves import draw_curves
        from cvqn.lab.report.sources import read_measurements

        measurements = read_measurements(arguments.measurements)
        table = curves_table(measurements, settings["report"]["rate_curve"], arguments.published)
        draw_curves(
            table, output, scale=scale, images=measurements["image"].nunique(), data_set=settings["data"]["evaluation"]
        )
    else:
        from cvqn.lab.report.figures.maps import draw_maps, read_maps

        maps = read_maps(Path(arguments.analysis) / "maps.npz")
        if arguments.name == MAPS:
            draw_maps(maps, output, scale)
        else:
            _figure1(arguments, maps, output, scale)


def _figure1(arguments: argparse.Namespace, maps, output: Path, scale: str) -> None:
    from cvqn.lab.data.index import read_index
    from cvqn.lab.report.figures.influence import draw_influence
    from cvqn.lab.report.sources import read_channels

    image = next((one for one in read_index(arguments.images) if one.name == maps.image), None)
    if image is None:
        raise CvqnError(f"{arguments.images}: has no image {maps.image}, of which {arguments.analysis} keeps the maps")
    draw_influence(image.read(), maps, read_channels([arguments.analysis]), output, scale)


def _metrics(arguments: argparse.Namespace) -> None:
    import json

    import pandas as pd

    from cvqn.lab.settings import configuration as config
    from cvqn.files import atomic_write
    from cvqn.lab.report.channels import channel_metrics
    from cvqn.lab.report.metrics import metrics
    from cvqn.lab.report.runs import Runs
    from cvqn.lab.report.sources import read_channels, read_groups, read_json, read_measurements
    from cvqn.lab.report.tables import rate_distortion

    settings = config.read(arguments.config)
    measurements = read_measurements(arguments.measurements)
    codecs = rate_distortion(measurements[measurements["codec"] != "cvqn"], settings)
    bd_rates = None if arguments.bd_rate is None else pd.read_csv(arguments.bd_rate)
    importance = [read_json(Path(folder) / "importance.json") for folder in arguments.analysis]
    channels = channel_metrics(read_channels(arguments.analysis), read_groups(arguments.analysis), importance)
    with atomic_write(arguments.output, "w") as file:
        json.dump(metrics(Runs(measurements), codecs, bd_rates, channels, settings), file, indent=1)
        file.write("\n")


def _ending(path: str, ending: str) -> Path:
    if not path.endswith(ending):
        raise CvqnError(f"{path}: the name must end in {ending}")
    return Path(path)
