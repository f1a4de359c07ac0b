"""Subcommands of the room evaluation."""

import argparse

from cvqn.errors import CvqnError


def register(commands: argparse._SubParsersAction) -> None:
    """Add this room's subcommands."""
    encode = commands.add_parser(
        "encode",
        help="encode the images of a set into one archive of bitstreams",
        description="Encode the images of a set into one archive of bitstreams, a file an image. The codec cvqn needs "
        "--model, a conventional codec --quality.",
    )
    _add_codec(encode)
    encode.add_argument("--quality", type=float, metavar="Q", help="on the conventional codec's own scale")
    encode.add_argument("--output", required=True, metavar="TAR", help="archive to write; its table goes beside it")
    encode.set_defaults(handler=_encode)

    measure = commands.add_parser(
        "measure",
        help="decode archives of bitstreams and compare with the originals",
        description="Decode archives of bitstreams and compare with the originals: bytes, bpp, MS-SSIM, PSNR and "
        "seconds, a row an image and archive.",
    )
    _add_codec(measure)
    measure.add_argument(
        "--bitstreams", required=True, nargs="+", metavar="TAR", help="archives of `cvqn encode`, one a setting"
    )
    measure.add_argument("--output", required=True, metavar="CSV", help="table to write; its record goes beside it")
    measure.set_defaults(handler=_measure)


def _add_codec(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--codec", required=True, metavar="NAME", help="cvqn, or a conventional codec (docs/baselines.md)"
    )
    command.add_argument("--images", required=True, metavar="INDEX", help="index.json of the set")
    command.add_argument("--model", metavar="DIR", help="cvqn only: folder of the model")
    command.add_argument(
        "--device", default="cpu", choices=("cpu", "cuda"), help="cvqn only: where the transforms run (default cpu)"
    )
    command.add_argument(
        "--threads", type=int, default=1, metavar="N", help="cvqn only: CPU threads of the transforms (default 1)"
    )


def _encode(arguments: argparse.Namespace) -> None:
    from cvqn.lab.evaluation.encode import encode_set

    if not arguments.output.endswith(".tar"):
        raise CvqnError(f"{arguments.output}: the archive's name must end in .tar")
    if (arguments.quality is None) != (arguments.codec == "cvqn"):
        raise CvqnError(f"{arguments.codec}: a conventional codec needs --quality, and cvqn has none")
    encode_set(_open_codec(arguments), arguments.quality, arguments.images, arguments.output)


def _measure(arguments: argparse.Namespace) -> None:
    import torch

    from cvqn.lab.evaluation.measure import measure

    torch.set_num_threads(arguments.threads)
    if not arguments.output.endswith(".csv"):
        raise CvqnError(f"{arguments.output}: the table's name must end in .csv")
    measure(_open_codec(arguments), arguments.images, arguments.bitstreams, arguments.output)


def _open_codec(arguments: argparse.Namespace):
    """The codec that the command line names; imports torch for cvqn only."""
    if arguments.codec != "cvqn":
        import baselines

        if arguments.model is not None:
            raise CvqnError(f"{arguments.codec}: only the codec cvqn takes --model")
        return baselines.codec(arguments.codec)
    if arguments.model is None:
        raise CvqnError("cvqn: this codec needs --model, the folder of a trained model")
    import torch

    from cvqn.compression import CvqnCodec

    torch.set_num_threads(arguments.threads)
    return CvqnCodec(arguments.model, arguments.device)
