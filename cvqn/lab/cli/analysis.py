"""Subcommands that look into trained models for the report: analyse, identities, crops."""

import argparse


def register(commands: argparse._SubParsersAction) -> None:
    """Add this room's subcommands."""
    analyse = commands.add_parser(
        "analyse",
        help="influence, bits and symbols of a trained model's channels",
        description="Write channels.csv, groups.csv, maps.npz and importance.json: for each channel of a trained model "
        "the loss of quality without it, its bits and its symbols.",
    )
    analyse.add_argument("--model", required=True, metavar="DIR", help="folder of the model")
    analyse.add_argument("--images", required=True, metavar="INDEX", help="index.json of the evaluation set")
    analyse.add_argument("--maps-of", metavar="NAME", help="the image whose quantized maps to keep (default the first)")
    analyse.add_argument(
        "--no-influence", action="store_true", help="leave out the losses of quality, which need a decoding a channel"
    )
    analyse.add_argument(
        "--device", default="cpu", choices=("cpu", "cuda"), help="where the transforms run (default cpu)"
    )
    analyse.add_argument("--threads", type=int, default=1, metavar="N", help="CPU threads (default 1)")
    analyse.add_argument("--output", required=True, metavar="DIR", help="folder to write")
    analyse.set_defaults(handler=_analyse)

    identities = commands.add_parser(
        "identities",
        help="check the paper's statements that hold by definition",
        description="Compute both sides of the paper's statements that hold by definition, for the audit.",
    )
    identities.add_argument("--output", required=True, metavar="JSON", help="file to write")
    identities.set_defaults(handler=_identities)

    crops = commands.add_parser(
        "crops",
        help="cut the crops of figure 4 out of decoded files",
        description="Cut the crops that report.figure4 names out of the originals, of cvqn's decoded files and of each "
        "codec's at the rate nearest to it.",
    )
    crops.add_argument("--config", required=True, metavar="FILE", help="resolved configuration (cvqn config)")
    crops.add_argument("--measurements", required=True, nargs="+", metavar="CSV", help="tables of cvqn measure")
    crops.add_argument("--bitstreams", required=True, nargs="+", metavar="TAR", help="the archives that were measured")
    crops.add_argument(
        "--model", required=True, metavar="DIR", help="model of the first run of report.figure4.experiment"
    )
    crops.add_argument("--images", required=True, metavar="INDEX", help="index.json of the evaluation set")
    crops.add_argument("--threads", type=int, default=1, metavar="N", help="CPU threads (default 1)")
    crops.add_argument("--output", required=True, metavar="DIR", help="folder to write")
    crops.set_defaults(handler=_crops)


def _analyse(arguments: argparse.Namespace) -> None:
    import torch

    from cvqn.lab.evaluation.analysis import analyse
    from cvqn.codecs.store import load_model

    torch.set_num_threads(arguments.threads)
    stored = load_model(arguments.model, arguments.device)
    analyse(stored, arguments.images, arguments.output, maps_of=arguments.maps_of, influence=not arguments.no_influence)


def _identities(arguments: argparse.Namespace) -> None:
    import json

    from cvqn.lab.evaluation.identities import soft_quantizer
    from cvqn.files import atomic_write

    with atomic_write(arguments.output, "w") as file:
        json.dump({"soft_quantizer": soft_quantizer()}, file, indent=1)
        file.write("\n")


def _crops(arguments: argparse.Namespace) -> None:
    import torch

    import baselines
    from cvqn.lab.settings import configuration as config
    from cvqn.compression import CvqnCodec
    from cvqn.lab.evaluation.crops import cut_crops

    torch.set_num_threads(arguments.threads)
    settings = config.read(arguments.config)
    figure = settings["report"]["figure4"]
    codecs = {name: baselines.codec(name) for name in figure["codecs"]} | {"cvqn": CvqnCodec(arguments.model)}
    run = f"{figure['experiment']}-seed{settings['seeds'][0]}"
    cut_crops(
        figure["images"], run, codecs, arguments.images, arguments.measurements, arguments.bitstreams, arguments.output
    )
