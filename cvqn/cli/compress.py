"""cvqn compress."""

import argparse
import math
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from cvqn.cli import loading, options
from cvqn.cli.models import quality_of
from cvqn.cli.work import Outcome
from cvqn.codecs import shipped
from cvqn.errors import CvqnError

SUFFIX = ".cvqn"


def register(commands: argparse._SubParsersAction) -> None:
    """Add the command."""
    command = commands.add_parser(
        "compress",
        help="compress pictures, or all pictures in a folder",
        usage="cvqn compress [options] IMAGE FILE\n       cvqn compress [options] IMAGE... --output FOLDER",
        description="Compress pictures: PNG, JPEG, PPM, BMP, TIFF, WebP, AVIF; HEIC with pillow-heif, JPEG XL with "
        "imagecodecs. A folder as IMAGE stands for the pictures in it. A batch continues after a failure and lists the "
        "failures at the end; outputs already made from the same picture with the same options are skipped. Pictures "
        "that are transparent or have more than 8 bits per sample are refused unless an option says how to convert "
        "them.",
        parents=[
            options.batch(
                "pictures, folders of pictures, or - for standard input",
                "the file to write (.cvqn), a folder if the input is one, or - for standard output",
            ),
            options.as_json(),
            options.transforms(),
        ],
    )
    options.names_anywhere(command)
    which = command.add_mutually_exclusive_group()
    which.add_argument(
        "--quality",
        type=int,
        metavar="N",
        help=f"built-in model, by rising rate: {', '.join(map(str, shipped.qualities()))} "
        f"(default: {shipped.DEFAULT_QUALITY}); "
        "cvqn models lists them",
    )
    which.add_argument("--model", metavar="FOLDER", help="a trained model to use instead of a built-in one")
    which.add_argument(
        "--bpp",
        type=options.positive_rate,
        metavar="RATE",
        help="try all built-in models for each picture, and keep the largest file of at most RATE bits per pixel; "
        "if all are larger, the smallest",
    )
    which.add_argument(
        "--size", type=options.positive, metavar="BYTES", help="like --bpp, for files of at most BYTES bytes"
    )
    command.add_argument(
        "--metrics", action="store_true", help="decode each written file and also print its MS-SSIM and PSNR"
    )
    command.add_argument(
        "--background",
        metavar="COLOUR",
        help="blend transparent pixels with this colour, such as white, '#f80' or 'rgb(255, 136, 0)'",
    )
    command.add_argument(
        "--reduce-depth", action="store_true", help="reduce samples of more than 8 bits to 8, and say so on stderr"
    )
    command.set_defaults(handler=_compress)


class Target(NamedTuple):
    """The largest size that a file may have: one of bytes and bits per pixel, the other is None."""

    size: int | None
    bpp: float | None

    def limit(self, pixels: int) -> float:
        """The limit in bytes for a picture of this many pixels."""
        return self.size if self.size is not None else self.bpp * pixels / 8

    def __str__(self) -> str:
        return f"{self.size} bytes" if self.size is not None else f"{self.bpp:g} bpp"


@dataclass(frozen=True)
class Compress:
    """Compresses a picture, if there is a target with the model whose file fits it best, else with the only model."""

    folders: tuple[Path, ...]
    target: Target | None
    background: tuple[int, int, int] | None
    reduce_depth: bool
    max_pixels: int | None
    metrics: bool
    device: str
    threads: int | None

    def prepare(self) -> None:
        """Load PyTorch and the models."""
        loading.prepare(self.folders, self.device, self.threads)

    def options(self) -> dict[str, object]:
        """The options that affect the file."""
        from cvqn.codecs.description import describe

        return {
            "models": [describe(folder).model_id for folder in self.folders],
            "target": self.target,
            "background": self.background,
            "reduce_depth": self.reduce_depth,
        }

    def __call__(self, source: Path, target: Path) -> Outcome:
        from cvqn.compression import compress
        from cvqn.files import atomic_write
        from cvqn.images import LARGEST_PICTURE, Conversions, read_picture

        notices: list[str] = []
        max_pixels = self.max_pixels or LARGEST_PICTURE
        picture = read_picture(source, Conversions(self.background, self.reduce_depth, max_pixels, notices.append))
        height, width, _ = picture.shape
        with loading.naming(source):
            files = {folder: compress(loading.load(folder, self.device), picture) for folder in self.folders}
        folder = fitting(files, self.target.limit(height * width)) if self.target else self.folders[0]
        data, known = files[folder], quality_of(folder)
        with atomic_write(target) as file:
            file.write(data)
        facts = {"input": str(source), "output": str(target), "width": width, "height": height, "bytes": len(data)}
        facts |= {"bpp": 8 * len(data) / (height * width), "quality": known, "notices": notices}
        line = f"{target}: {len(data)} bytes, {facts['bpp']:.4f} bpp"
        if self.target:
            facts["within"] = len(data) <= self.target.limit(height * width)
            line += f", quality {known}: "
            line += f"within {self.target}" if facts["within"] else f"the smallest, above {self.target}"
        if self.metrics:
            facts |= self._measured(target, picture, data, folder)
            psnr = math.inf if facts["psnr_db"] is None else facts["psnr_db"]
            line += f", MS-SSIM {facts['ms_ssim']:.4f}, PSNR {psnr:.2f} dB"
        return Outcome(line, facts, notices)

    def _measured(self, target: Path, picture, data: bytes, folder: Path) -> dict[str, float | None]:
        """MS-SSIM and PSNR of the file at `target`, or of `data` where it was written to a pipe."""
        from cvqn.compression import decompress
        from cvqn.files import is_stream
        from cvqn.lab.evaluation.metrics import ms_ssim, psnr_db

        written = data if is_stream(target) else target.read_bytes()
        decoded = decompress(loading.load(folder, self.device), written)
        psnr = psnr_db(picture, decoded)
        return {"ms_ssim": ms_ssim(picture, decoded), "psnr_db": psnr if math.isfinite(psnr) else None}


def fitting(files: dict[Path, bytes], limit: float) -> Path:
    """The model of the largest file of at most `limit` bytes, or of the smallest file if all are larger."""
    within = {folder: len(data) for folder, data in files.items() if len(data) <= limit}
    if within:
        return max(within, key=within.__getitem__)
    return min(files, key=lambda folder: len(files[folder]))


def _compress(arguments: argparse.Namespace) -> int:
    threads = loading.set_threads(arguments.threads, arguments.jobs)
    from cvqn.cli.batch import Batch
    from cvqn.images import READABLE

    def fits(target: Path) -> None:
        if target.suffix.lower() in READABLE:
            raise CvqnError(f"{target}: has the suffix of a picture; choose a name that ends in {SUFFIX}")

    batch = Batch(arguments, "compress", READABLE, SUFFIX, fits)
    if arguments.metrics:
        import importlib.util

        if importlib.util.find_spec("pytorch_msssim") is None:
            raise CvqnError("--metrics: pytorch-msssim is not installed; in a clone: pip install '.[pipeline]'")
    target = None
    if arguments.bpp is not None or arguments.size is not None:
        target = Target(arguments.size, arguments.bpp)
        folders = tuple(shipped.folder_of_quality(quality) for quality in shipped.qualities())
        if not folders:
            raise CvqnError("--bpp, --size: there are no built-in models to choose from; use --model")
    elif arguments.model is not None:
        folders = (Path(arguments.model),)
    else:
        quality = shipped.DEFAULT_QUALITY if arguments.quality is None else arguments.quality
        folders = (shipped.folder_of_quality(quality),)
    return batch.run(
        Compress(
            folders,
            target,
            _colour(arguments.background),
            arguments.reduce_depth,
            arguments.max_pixels,
            arguments.metrics,
            arguments.device,
            threads,
        )
    )


def _colour(name: str | None) -> tuple[int, int, int] | None:
    if name is None:
        return None
    from PIL import ImageColor

    try:
        red, green, blue = ImageColor.getrgb(name)
    except ValueError as error:
        raise CvqnError(
            f"--background {name!r}: not an opaque colour; name one as white, '#f80', '#ff8800' or 'rgb(255, 136, 0)'"
        ) from error
    return red, green, blue
