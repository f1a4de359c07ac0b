"""cvqn decompress."""

import argparse
from dataclasses import dataclass
from pathlib import Path

from cvqn.cli import loading, options
from cvqn.cli.work import Outcome


def register(commands: argparse._SubParsersAction) -> None:
    """Add the command."""
    command = commands.add_parser(
        "decompress",
        help="decompress .cvqn files, or all in a folder",
        usage="cvqn decompress [options] FILE IMAGE\n       cvqn decompress [options] FILE... --output FOLDER",
        description="Decompress files. A folder as FILE stands for the .cvqn files in it; a batch writes PNG. Each "
        "file holds the id of its model, by which built-in models are found. A batch continues after a failure and "
        "lists the failures at the end; outputs already made from the same file are skipped.",
        parents=[
            options.batch(
                ".cvqn files, folders of them, or - for standard input",
                "the picture to write (.png, .ppm, .bmp, .tif), a folder if the input is one, or - for standard output "
                "(PNG)",
            ),
            options.as_json(),
            options.transforms(),
        ],
    )
    options.names_anywhere(command)
    command.add_argument("--model", metavar="FOLDER", help="the model that made the files, unless it is a built-in one")
    command.set_defaults(handler=_decompress)


@dataclass(frozen=True)
class Decompress:
    """Decompresses a file, with the given model or the built-in one that its header names."""

    folder: Path | None
    max_pixels: int | None
    device: str
    threads: int | None

    def prepare(self) -> None:
        """Load PyTorch and the given model."""
        loading.prepare([self.folder] if self.folder is not None else [], self.device, self.threads)

    def options(self) -> dict[str, object]:
        """The options that affect the picture."""
        from cvqn.codecs.description import describe

        return {"model": None if self.folder is None else describe(self.folder).model_id}

    def __call__(self, source: Path, target: Path) -> Outcome:
        from cvqn.codecs import container
        from cvqn.codecs.shipped import folder_of_model
        from cvqn.compression import decompress
        from cvqn.images import write_picture, write_png

        data = loading.read_file(source)
        limits = {} if self.max_pixels is None else {"max_pixels": self.max_pixels}
        with loading.naming(source):
            folder = self.folder
            if folder is None:
                folder = folder_of_model(container.inspect(data).model_id)
            picture = decompress(loading.load(folder, self.device), data, **limits)
        (write_png if _is_bare(target) else write_picture)(target, picture)
        height, width, _ = picture.shape
        facts = {"input": str(source), "output": str(target), "width": width, "height": height, "bytes": len(data)}
        return Outcome(f"{target}: {width}x{height}", facts, [])


def _decompress(arguments: argparse.Namespace) -> int:
    threads = loading.set_threads(arguments.threads, arguments.jobs)
    from cvqn.cli.batch import Batch
    from cvqn.images import check_suffix

    def fits(target: Path) -> None:
        if not _is_bare(target):
            check_suffix(target)

    batch = Batch(arguments, "decompress", {".cvqn"}, ".png", fits)
    folder = None if arguments.model is None else Path(arguments.model)
    return batch.run(Decompress(folder, arguments.max_pixels, arguments.device, threads))


def _is_bare(target: Path) -> bool:
    """Whether an output is a stream without a suffix to choose the format by."""
    from cvqn.files import is_stream

    return not target.suffix and is_stream(target)
