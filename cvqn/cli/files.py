"""Commands on files: compress, decompress, info."""

import argparse
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from cvqn.bitstream.errors import BitstreamError
from cvqn.errors import CvqnError
from cvqn.codecs.shipped import DEFAULT_QUALITY

if TYPE_CHECKING:
    from cvqn.codecs.interface import HasChannels
    from cvqn.codecs.store import Stored


def register(commands: argparse._SubParsersAction) -> None:
    """Add these commands."""
    compress = commands.add_parser(
        "compress",
        help="compress a picture, or every picture of a folder",
        description="Compress a picture, or every picture of a folder: PNG, JPEG, PPM, BMP, TIFF or WebP, 8 bits per "
        "sample.",
    )
    compress.add_argument("input", metavar="IMAGE", help="a picture, or a folder of pictures")
    compress.add_argument("output", metavar="FILE", help="the file to write (.cvqn), or a folder for a folder")
    which = compress.add_mutually_exclusive_group()
    which.add_argument(
        "--quality",
        type=int,
        default=DEFAULT_QUALITY,
        metavar="1..5",
        help=f"one of the models that come with the program, by rising rate (default {DEFAULT_QUALITY})",
    )
    which.add_argument("--model", metavar="DIR", help="folder of a trained model instead")
    compress.add_argument(
        "--device", choices=("cpu", "cuda"), default="cpu", help="where the transforms run (default cpu)"
    )
    compress.set_defaults(handler=_compress)

    decompress = commands.add_parser(
        "decompress",
        help="decompress a file, or every .cvqn file of a folder",
        description="Decompress a file, or every .cvqn file of a folder (to PNG). The file names its model; one that "
        "comes with the program is found by it.",
    )
    decompress.add_argument("input", metavar="FILE", help="a .cvqn file, or a folder of them")
    decompress.add_argument(
        "output", metavar="IMAGE", help="the picture to write (.png, .ppm, .bmp, .tif), or a folder for a folder"
    )
    decompress.add_argument(
        "--model", metavar="DIR", help="folder of the model that made the file, where it does not come with the program"
    )
    decompress.add_argument(
        "--device", choices=("cpu", "cuda"), default="cpu", help="where the transforms run (default cpu)"
    )
    decompress.add_argument("--max-pixels", type=int, metavar="N", help="refuse larger pictures (default 2^27)")
    decompress.set_defaults(handler=_decompress)

    info = commands.add_parser(
        "info",
        help="what a .cvqn file is, without decoding it",
        description="Print size, bytes, rate and model id of a file; with --model also where its bits are spent.",
    )
    info.add_argument("input", metavar="FILE", help="a .cvqn file")
    info.add_argument(
        "--model", metavar="DIR", help="folder of the model that made it: also the bits of every group and channel"
    )
    info.set_defaults(handler=_info)


def _compress(arguments: argparse.Namespace) -> None:
    from cvqn.compression import SUFFIX, compress
    from cvqn.files import atomic_write
    from cvqn.images import list_pictures, read_picture
    from cvqn.codecs.shipped import folder_of_quality

    pairs = _pairs(arguments, lambda folder: list_pictures(folder), f".{SUFFIX}")
    stored = _load(arguments, arguments.model or folder_of_quality(arguments.quality))

    def one(source: Path, target: Path) -> str:
        picture = read_picture(source)
        with naming(source):
            data = compress(stored, picture)
        with atomic_write(target) as file:
            file.write(data)
        return f"{target}: {len(data)} bytes, {8 * len(data) / (picture.shape[0] * picture.shape[1]):.4f} bpp"

    _for_each(pairs, one, "compress")


def _decompress(arguments: argparse.Namespace) -> None:
    from functools import cache

    from cvqn.codecs import container
    from cvqn.compression import SUFFIX, decompress
    from cvqn.images import write_picture
    from cvqn.codecs.shipped import folder_of_model

    pairs = _pairs(arguments, lambda folder: sorted(folder.glob(f"*.{SUFFIX}")), ".png")
    load = cache(lambda folder: _load(arguments, folder))
    limits = {} if arguments.max_pixels is None else {"max_pixels": arguments.max_pixels}

    def one(source: Path, target: Path) -> str:
        data = _read(source)
        with naming(source):
            stored = load(arguments.model or folder_of_model(container.inspect(data).model_id))
            picture = decompress(stored, data, **limits)
        write_picture(target, picture)
        return f"{target}: {picture.shape[1]}x{picture.shape[0]}"

    _for_each(pairs, one, "decompress")


def _info(arguments: argparse.Namespace) -> None:
    from cvqn.codecs import container

    data = _read(Path(arguments.input))
    with naming(arguments.input):
        header = container.inspect(data)
    pixels = header.height * header.width
    print(f"size      {header.width}x{header.height} pixels")
    print(f"bytes     {len(data)} ({8 * len(data) / pixels:.4f} bpp)")
    print(f"model id  {header.model_id.hex()}")
    if arguments.model is None:
        return
    from cvqn.codecs.interface import HasChannels
    from cvqn.codecs.store import load_model

    stored = load_model(arguments.model)
    print(f"codec     {stored.codec}")
    with naming(arguments.input):
        _, payload = container.unpack(data, stored.model_id)
        if isinstance(stored.model, HasChannels):
            _print_channels(stored.model, stored.model.read_symbols(payload, header.height, header.width))


def _print_channels(model: "HasChannels", symbols: list) -> None:
    """Where the bits of a file are spent, by group and channel."""
    order = iter(model.layout.order)
    for group, (bits, levels) in enumerate(zip(model.code_lengths(symbols), model.layout.levels, strict=True)):
        rate = bits.sum() / symbols[group].size
        print(
            f"group {group}   {levels} levels, {len(bits)} channels, {bits.sum() / 8:.0f} bytes, "
            f"{rate:.3f} bits per symbol, {math.log2(levels):.3f} at fixed length"
        )
        print("  channel " + "  ".join(f"{next(order)}: {channel / 8:.0f} B" for channel in bits))


@contextmanager
def naming(path: str | Path) -> Iterator[None]:
    """Begin the message of what is wrong with a bitstream with the file's name."""
    try:
        yield
    except BitstreamError as error:
        raise type(error)(f"{path}: {error}") from error


def _load(arguments: argparse.Namespace, folder: str | Path) -> "Stored":
    import torch

    from cvqn.codecs.store import load_model

    if arguments.device == "cuda" and not torch.cuda.is_available():
        raise CvqnError("--device cuda, but torch sees no GPU; leave it out to compute on the CPU")
    return load_model(folder, arguments.device)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise CvqnError(f"{path}: cannot be read ({error.strerror})") from error


def _pairs(
    arguments: argparse.Namespace, listing: Callable[[Path], list[Path]], suffix: str
) -> list[tuple[Path, Path]]:
    """Source and target of every file: one, or each of a folder into a folder."""
    source, target = Path(arguments.input), Path(arguments.output)
    if target.exists() and source.exists() and target.samefile(source):  # would replace pictures, originals perhaps
        raise CvqnError(f"{target}: input and output at once; name another output")
    if not source.is_dir():
        return [(source, target)]
    if target.exists() and not target.is_dir():
        raise CvqnError(f"{target}: a file; the output of a folder is a folder")
    pairs = [(path, target / f"{path.stem}{suffix}") for path in listing(source)]
    if not pairs:
        raise CvqnError(f"{source}: holds nothing to {arguments.handler.__name__.strip('_')}")
    targets = [pair[1] for pair in pairs]
    doubled = {path for path in targets if targets.count(path) > 1}
    if doubled:
        raise CvqnError(f"{source}: two files would both become {sorted(doubled)[0]}; rename one")
    return pairs


def _for_each(pairs: list[tuple[Path, Path]], one: Callable[[Path, Path], str], verb: str) -> None:
    from tqdm import tqdm

    with tqdm(pairs, desc=verb, unit="file", disable=True if len(pairs) == 1 else None) as bar:
        for source, target in bar:
            tqdm.write(one(source, target))
