"""Subcommands of the room evaluation."""

import argparse

from cvqn.errors import CvqnError


def register(commands: argparse._SubParsersAction) -> None:
    """Add this room's subcommands."""
    encode = commands.add_parser("encode", help="encode the images of a set into one archive of bitstreams")
    encode.add_argument("--codec", required=True, metavar="NAME", help="cvqn, or a conventional codec")
    setting = encode.add_mutually_exclusive_group(required=True)
    setting.add_argument("--quality", type=float, metavar="Q", help="on the scale of the conventional codec")
    setting.add_argument("--model", metavar="DIR", help="folder of the model, for the codec cvqn")
    encode.add_argument("--images", required=True, metavar="INDEX", help="index.json of the set")
    encode.add_argument("--output", required=True, metavar="TAR", help="archive to write; its table goes beside it")
    encode.set_defaults(handler=_encode)

    measure = commands.add_parser("measure", help="decode archives of bitstreams and compare with the originals")
    measure.add_argument("--codec", required=True, metavar="NAME", help="cvqn, or a conventional codec")
    measure.add_argument("--model", metavar="DIR", help="folder of the model, for the codec cvqn")
    measure.add_argument("--images", required=True, metavar="INDEX", help="index.json of the set")
    measure.add_argument(
        "--bitstreams", required=True, nargs="+", metavar="TAR", help="archives of `cvqn encode`, one a setting"
    )
    measure.add_argument("--output", required=True, metavar="CSV", help="table to write; its record goes beside it")
    measure.set_defaults(handler=_measure)


def _encode(arguments: argparse.Namespace) -> None:
    from cvqn.evaluation.codec import open_codec
    from cvqn.evaluation.encode import encode_set

    if not arguments.output.endswith(".tar"):
        raise CvqnError(f"{arguments.output}: the archive's name must end in .tar")
    if arguments.codec == "cvqn":
        import torch

        torch.set_num_threads(1)
    codec = open_codec(arguments.codec, arguments.model)
    encode_set(codec, arguments.quality, arguments.images, arguments.output)


def _measure(arguments: argparse.Namespace) -> None:
    import torch

    from cvqn.evaluation.codec import open_codec
    from cvqn.evaluation.measure import measure

    torch.set_num_threads(1)
    codec = open_codec(arguments.codec, arguments.model)
    measure(codec, arguments.images, arguments.bitstreams, arguments.output)
