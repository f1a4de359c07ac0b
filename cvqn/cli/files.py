"""The commands on pictures: compress, decompress, info."""

import argparse
import math
import os
import signal
import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from cvqn.bitstream.errors import BitstreamError
from cvqn.codecs.shipped import DEFAULT_QUALITY, qualities
from cvqn.errors import CvqnError

if TYPE_CHECKING:
    from cvqn.codecs.interface import HasChannels
    from cvqn.codecs.store import Stored

SUFFIX = ".cvqn"
LARGEST_FILE = 1 << 30  # bytes of a .cvqn file; none has more


def register(commands: argparse._SubParsersAction) -> None:
    """Add these commands."""
    compress = commands.add_parser(
        "compress",
        help="compress a picture, or every picture of a folder",
        description="Compress a picture, or every picture of a folder: PNG, JPEG, PPM, BMP, TIFF, WebP or AVIF, 8 bits "
        "per sample. For a folder, every picture is tried; those that failed or were skipped are listed at the end.",
    )
    compress.add_argument("input", metavar="IMAGE", help="a picture, a folder of pictures, or - for standard input")
    compress.add_argument(
        "output", metavar="FILE", help="the file to write (.cvqn), a folder for a folder, or - for standard output"
    )
    _add_force(compress)
    which = compress.add_mutually_exclusive_group()
    which.add_argument(
        "--quality",
        type=int,
        default=DEFAULT_QUALITY,
        metavar="N",
        help=f"built-in model, by rising rate: {', '.join(map(str, qualities()))} (default {DEFAULT_QUALITY})",
    )
    which.add_argument("--model", metavar="DIR", help="folder of a trained model to use instead of a built-in one")
    compress.add_argument(
        "--device", choices=("cpu", "cuda"), default="cpu", help="where the transforms run (default cpu)"
    )
    compress.set_defaults(handler=_compress)

    decompress = commands.add_parser(
        "decompress",
        help="decompress a file, or every .cvqn file of a folder",
        description="Decompress a file, or every .cvqn file of a folder (to PNG). The file holds the id of its "
        "model; built-in models are found by it.",
    )
    decompress.add_argument("input", metavar="FILE", help="a .cvqn file, a folder of them, or - for standard input")
    decompress.add_argument(
        "output",
        metavar="IMAGE",
        help="the picture to write (.png, .ppm, .bmp, .tif), a folder for a folder, or - for standard output (PNG)",
    )
    _add_force(decompress)
    decompress.add_argument(
        "--model", metavar="DIR", help="folder of the model that made the file, if that is not a built-in one"
    )
    decompress.add_argument(
        "--device", choices=("cpu", "cuda"), default="cpu", help="where the transforms run (default cpu)"
    )
    decompress.add_argument("--max-pixels", type=int, metavar="N", help="refuse larger pictures (default 2^27)")
    decompress.set_defaults(handler=_decompress)

    info = commands.add_parser(
        "info",
        help="show details of a .cvqn file or a model",
        description="For a file, print size, bytes, rate and model id without decoding it; with --model, also the bits "
        "of each group and channel. For a model, print what it was trained on.",
    )
    info.add_argument(
        "input",
        metavar="FILE",
        help="a .cvqn file, - for standard input, a model folder, or a built-in model: quality-1 and up",
    )
    info.add_argument(
        "--model", metavar="DIR", help="folder of the model that made it: also the bits of every group and channel"
    )
    info.set_defaults(handler=_info)


def _add_force(command: argparse.ArgumentParser) -> None:
    command.add_argument("--force", action="store_true", help="replace outputs that exist already")


def _compress(arguments: argparse.Namespace) -> int:
    from cvqn.codecs.shipped import folder_of_quality
    from cvqn.files import atomic_write
    from cvqn.images import READABLE, read_picture

    def fits(target: Path) -> None:
        if target.suffix.lower() in READABLE:
            raise CvqnError(f"{target}: has the suffix of a picture; choose a name that ends in {SUFFIX}")

    batch = _Batch(arguments, "compress", READABLE, SUFFIX, fits)
    with _deferred_signals():
        from cvqn.compression import compress  # slow, so not before all else is found right

    stored = _load(arguments, arguments.model or folder_of_quality(arguments.quality))

    def one(source: Path, target: Path) -> str:
        picture = read_picture(source)
        with naming(source):
            data = compress(stored, picture)
        with atomic_write(target) as file:
            file.write(data)
        return f"{target}: {len(data)} bytes, {8 * len(data) / (picture.shape[0] * picture.shape[1]):.4f} bpp"

    return batch.run(one)


def _decompress(arguments: argparse.Namespace) -> int:
    from functools import cache

    from cvqn.codecs import container
    from cvqn.codecs.shipped import folder_of_model
    from cvqn.files import is_stream
    from cvqn.images import check_suffix, write_picture, write_png

    def is_bare(target: Path) -> bool:
        return not target.suffix and is_stream(target)

    def fits(target: Path) -> None:
        if not is_bare(target):
            check_suffix(target)

    batch = _Batch(arguments, "decompress", {SUFFIX}, ".png", fits)
    with _deferred_signals():
        from cvqn.compression import decompress

    load = cache(lambda folder: _load(arguments, folder))
    limits = {} if arguments.max_pixels is None else {"max_pixels": arguments.max_pixels}

    def one(source: Path, target: Path) -> str:
        data = _read(source)
        with naming(source):
            stored = load(arguments.model or folder_of_model(container.inspect(data).model_id))
            picture = decompress(stored, data, **limits)
        (write_png if is_bare(target) else write_picture)(target, picture)
        return f"{target}: {picture.shape[1]}x{picture.shape[0]}"

    return batch.run(one)


def _info(arguments: argparse.Namespace) -> None:
    from cvqn.codecs import container, shipped

    path = Path(arguments.input)
    if not path.exists() and arguments.input in [f"quality-{quality}" for quality in shipped.qualities()]:
        path = shipped.FOLDER / arguments.input
    if path.is_dir():
        return _print_model(path)
    data = _read(_named(arguments.input, "/dev/stdin"))
    with naming(arguments.input):
        header = container.inspect(data)
    pixels = header.height * header.width
    print(f"size      {header.width}x{header.height} pixels")
    print(f"bytes     {len(data)} ({8 * len(data) / pixels:.4f} bpp)")
    known = shipped.folders().get(header.model_id.hex())
    print(f"model id  {header.model_id.hex()}{f' ({known.name} of this program)' if known else ''}")
    if arguments.model is None:
        return None
    with _deferred_signals():
        from cvqn.codecs.interface import HasChannels
        from cvqn.codecs.store import load_model

    stored = load_model(arguments.model)
    print(f"codec     {stored.codec}")
    with naming(arguments.input):
        _, payload = container.unpack(data, stored.model_id)
        if isinstance(stored.model, HasChannels):
            _print_channels(stored.model, stored.model.read_symbols(payload, header.height, header.width))
    return None


def _print_model(folder: Path) -> None:
    """What a model is, and what it was trained on where it says so."""
    from cvqn.codecs.description import describe

    description = describe(folder)
    about = description.about
    print(f"model id  {description.model_id}")
    print(f"codec     {description.codec}")
    with suppress(KeyError):
        print(f"run       {about['run']} of scale {about['scale']}, {about['step']} steps")
    with suppress(KeyError, TypeError):  # no more is checked of what a model says of its origin
        images = about["training_images"]
        sets = ", ".join(f"{one['name']} ({one['licence']})" for one in images["sets"])
        print(f"images    {images['count']}: {sets}")
    with suppress(KeyError):
        print(f"training  {about['training_seconds']} s, {about['training_machine']}, torch {about['torch']}")


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


@contextmanager
def _deferred_signals() -> Iterator[None]:
    """Within it signals that end the program wait: libraries abort where one comes while they are loaded."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _load(arguments: argparse.Namespace, folder: str | Path) -> "Stored":
    import torch

    from cvqn.codecs.store import load_model

    if arguments.device == "cuda" and not torch.cuda.is_available():
        raise CvqnError("--device cuda: PyTorch finds no GPU; omit --device to run on the CPU")
    return load_model(folder, arguments.device)


def _read(path: Path) -> bytes:
    """The bytes of a .cvqn file, or the first few of what is none."""
    from cvqn.codecs.container import HEADER_SIZE, MAGIC

    try:
        with open(path, "rb") as file:
            data = file.read(HEADER_SIZE)
            if data.startswith(MAGIC):
                data += file.read(LARGEST_FILE)
    except OSError as error:
        raise CvqnError(f"{path}: cannot be read ({error.strerror})") from error
    if len(data) > LARGEST_FILE:
        raise CvqnError(f"{path}: more than {LARGEST_FILE:,} bytes, the most that a {SUFFIX} file can have")
    return data


def _named(name: str, stream: str) -> Path:
    """The path that an argument names; `-` is the stream."""
    if not name:
        raise CvqnError("'': the name is empty; name a file, or - for a standard stream")
    return Path(stream if name == "-" else name)


class _Batch:
    """Sources and targets of a command: one of each, or those of a folder.

    All that can be known to be wrong before any work is raised when it is made, for a single file; in a folder a file
    that something is wrong with does not keep the others from being done.
    """

    def __init__(
        self,
        arguments: argparse.Namespace,
        verb: str,
        suffixes: Collection[str],
        suffix: str,
        fits: Callable[[Path], None],
    ):
        source, target = _named(arguments.input, "/dev/stdin"), _named(arguments.output, "/dev/stdout")
        self.verb, self.force, self.folder = verb, arguments.force, None
        self.failed: list[str] = []
        self.left_out: dict[str, str] = {}
        self.pairs = [(source, target)]
        self.done: set[tuple[int, int]] = set()
        try:
            self.sources = {_identity(source)}
            if None in self.sources:
                raise CvqnError(f"{source}: cannot be read (No such file or directory)")
            self._check_apart(target)
            if source.is_dir():
                self._fill(source, target, suffixes, suffix)
            else:
                fits(target)
                self._check_free(target)
        except OSError as error:  # a name that no file can have, a folder that may not be entered
            raise CvqnError(f"{error.filename}: cannot be used ({error.strerror})") from error

    def run(self, one: Callable[[Path, Path], str]) -> int:
        """Call `one` with every source and target and print what it returns; the exit code, 2 where any failed."""
        if self.folder is None:
            self._print(self.pairs[0][1], one(*self.pairs[0]))
            return 0
        from tqdm import tqdm

        with tqdm(self.pairs, desc=self.verb, unit="file", disable=None if sys.stderr else True) as bar:
            for source, target in bar:
                try:
                    self._check_apart(target)
                    self._check_free(target)
                    line = one(source, target)
                    self.done |= {_identity(target)} - {None}
                except CvqnError as error:
                    self.failed.append(str(error))
                except OSError as error:
                    self.failed.append(f"{source}: {error}")
                except MemoryError:
                    self.failed.append(f"{source}: not enough memory")
                else:
                    with tqdm.external_write_mode():
                        self._print(target, line)
        return self._report()

    def _fill(self, source: Path, target: Path, suffixes: Collection[str], suffix: str) -> None:
        from cvqn.files import scan_folder

        self.folder = source
        if target.exists() and not target.is_dir():
            raise CvqnError(f"{target}: a file, but the input is a folder; name a folder")
        sources, self.left_out = scan_folder(source, suffixes)
        if not sources:
            raise CvqnError(f"{source}: contains nothing to {self.verb} ({', '.join(sorted(suffixes))})")
        self.sources = {_identity(path) for path in sources}
        by_target: dict[Path, list[Path]] = {}
        for path in sources:
            by_target.setdefault(target / f"{path.stem}{suffix}", []).append(path)
        self.pairs = [(paths[0], path) for path, paths in by_target.items() if len(paths) == 1]
        for path, paths in by_target.items():
            if len(paths) > 1:
                names = ", ".join(str(one) for one in paths)
                self.failed += [f"{names}: would all become {path}; rename all but one"]

    def _check_apart(self, target: Path) -> None:
        if (there := _identity(target)) and there in self.sources:  # would replace pictures, originals perhaps
            raise CvqnError(f"{target}: is both input and output; choose another output")

    def _check_free(self, target: Path) -> None:
        from cvqn.files import is_stream

        if target.is_dir():
            raise CvqnError(f"{target}: a folder; name a file")
        there = None if is_stream(target) else _identity(target)
        if there in self.done:
            raise CvqnError(f"{target}: already written from another input; rename one of the two")
        if there and not self.force:
            raise CvqnError(f"{target}: exists already; --force replaces it")

    @staticmethod
    def _print(target: Path, line: str) -> None:
        from cvqn.files import is_stream

        print(line, file=sys.stderr if is_stream(target) else sys.stdout)

    def _report(self) -> int:
        reasons: dict[str, list[str]] = {}
        for name, reason in self.left_out.items():
            reasons.setdefault(reason, []).append(name)
        for reason, names in reasons.items():
            print(f"cvqn: left out ({reason}): {', '.join(names)}", file=sys.stderr)
        for line in self.failed:
            print(f"cvqn: error: {line}", file=sys.stderr)
        if self.failed:
            print(f"cvqn: {len(self.done)} of {len(self.sources)} done; the rest failed", file=sys.stderr)
        return 2 if self.failed else 0


def _identity(path: Path) -> tuple[int, int] | None:
    """Device and inode, the same for every name of a file; None where there is none."""
    try:
        status = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return status.st_dev, status.st_ino
