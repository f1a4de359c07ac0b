"""Inputs and outputs of a command: one of each, or a batch, which continues after a failure."""

import argparse
import contextlib
import json
import os
import sys
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

from cvqn.cli.jobs import in_processes, one_by_one
from cvqn.cli.loading import named
from cvqn.cli.messages import one_line, say
from cvqn.cli.record import NAME, Record, State
from cvqn.cli.work import Outcome, Pair, Work
from cvqn.errors import CvqnError

Identity = tuple[int, int]


class Batch:
    """The inputs and outputs of a command.

    For a single file, the constructor raises CvqnError for everything that can be wrong before any work is done. For a
    batch, such errors are collected and reported at the end.

    Args:
        arguments: those of `options.batch` and `options.as_json`.
        verb: what the command does, for messages.
        suffixes: of the files that it takes from folders.
        suffix: of the files that it writes into the output folder.
        fits: raises CvqnError if the command cannot write a file of this name; called for a single output.
    """

    def __init__(
        self,
        arguments: argparse.Namespace,
        verb: str,
        suffixes: Collection[str],
        suffix: str,
        fits: Callable[[Path], None],
    ):
        self.arguments, self.verb, self.suffixes, self.suffix = arguments, verb, suffixes, suffix
        self.failed: list[str] = []
        self.left_out: dict[str, str] = {}
        self.made: list[dict[str, object]] = []
        self.skipped: list[str] = []
        self._done: set[Identity] = set()
        self._claimed: set[str] = set()
        self.absent = 0
        inputs, output = _inputs_and_output(arguments)
        self.folder: Path | None = None
        try:
            if arguments.output is not None or inputs[0].is_dir():
                self.folder = output
                self._fill(inputs)
            else:
                self.pairs: list[Pair] = [(inputs[0], output)]
                self.sources = {_identity(inputs[0])}
                if None in self.sources:
                    raise CvqnError(f"{inputs[0]}: cannot be read (No such file or directory)")
                self._check_apart(output)
                fits(output)
                self._check_free(output)
        except OSError as error:  # an impossible file name, or a folder without permission
            raise CvqnError(f"{error.filename}: cannot be used ({error.strerror})") from error

    def run(self, work: Work) -> int:
        """Write every output and print a line for each; returns the exit code, 2 if any failed."""
        shown = bool(sys.stderr) and sys.stderr.isatty() and not self.arguments.quiet
        with _no_bars_within_files() if self.folder or self.arguments.quiet else contextlib.nullcontext():
            if self.folder is None:
                work.prepare()
                source, target = self.pairs[0]
                self._add(target, work(source, target))
            else:
                self._run_many(work, self.folder, shown)
        if self.arguments.json:
            left_out = [{"name": name, "reason": reason} for name, reason in self.left_out.items()]
            document = {"files": self.made, "skipped": self.skipped, "left_out": left_out, "failed": self.failed}
            print(json.dumps(document, indent=1, allow_nan=False))
        return self._report()

    def _run_many(self, work: Work, folder: Path, shown: bool) -> None:
        from tqdm import tqdm

        record, jobs = Record(folder, work.options()), min(self.arguments.jobs, len(self.pairs))
        with tqdm(total=len(self.pairs), desc=self.verb, unit="file", disable=not shown) as bar:
            todo = self._still_to_make(record, bar)
            results = in_processes(jobs, work, record, todo) if jobs > 1 else one_by_one(work, record, todo)
            with contextlib.closing(results):
                for (_, target), result in results:
                    if isinstance(result, str):
                        self.failed.append(result)
                    else:
                        self._done |= {_identity(target)} - {None}
                        with tqdm.external_write_mode():
                            self._add(target, result)
                    bar.update()

    def _still_to_make(self, record: Record, bar) -> Iterator[Pair]:
        """The pairs still to be made. Each is checked only once the one before it has been started."""
        known = {} if self.arguments.force else record.read()
        for source, target in self.pairs:
            try:
                self._check_apart(target)
                state = State.UNKNOWN if self.arguments.force else record.state(known, source, target)
                if state is State.DONE:
                    self.skipped.append(str(target))
                else:
                    self._check_free(target, ours=state is State.OLDER)
                    self._claimed.add(os.path.realpath(target))
                    yield source, target
                    continue
            except CvqnError as error:
                self.failed.append(str(error))
            except OSError as error:
                self.failed.append(f"{source}: {error}")
            bar.update()

    def _fill(self, inputs: list[Path]) -> None:
        """Find the inputs and outputs of a batch."""
        if self.folder.exists() and not self.folder.is_dir():
            raise CvqnError(f"{self.folder}: a file, but --output takes a folder; name a folder")
        by_target: dict[Path, list[Path]] = {}
        for given in inputs:
            if given.is_dir():
                found = [(path, path.relative_to(given)) for path in self._scan(given, given)]
            elif given.is_file():
                found = [(given, Path(given.name))]
            else:
                what = "not a regular file" if given.exists() else "No such file or directory"
                self.failed.append(f"{given}: cannot be read ({what})")
                self.absent += 1
                continue
            for path, relative in found:
                by_target.setdefault(self.folder / relative.with_name(f"{relative.stem}{self.suffix}"), []).append(path)
        if not by_target and not self.failed:
            names = ", ".join(map(str, inputs))
            raise CvqnError(f"{names}: contains nothing to {self.verb} ({', '.join(sorted(self.suffixes))})")
        self.sources = {_identity(path) for paths in by_target.values() for path in paths}
        self.pairs = [(paths[0], target) for target, paths in by_target.items() if len(paths) == 1]
        for target, paths in by_target.items():
            if len(paths) > 1:
                names = ", ".join(str(one) for one in paths)
                self.failed += [f"{names}: would all become {target}; rename all but one"]

    def _scan(self, top: Path, folder: Path) -> Iterator[Path]:
        """The files with the right suffixes in a folder, with `--recursive` also in those inside it."""
        from cvqn.files import scan_folder

        paths, left_out = scan_folder(folder, self.suffixes)
        yield from paths
        for name, reason in left_out.items():
            path = folder / name
            if reason == "a folder" and _identity(path) == _identity(self.folder):
                continue
            if reason == "a folder" and self.arguments.recursive and not path.is_symlink():
                try:
                    yield from self._scan(top, path)
                except CvqnError as error:
                    self.failed.append(str(error))
            elif name != NAME:
                self.left_out[str(path.relative_to(top))] = reason

    def _check_apart(self, target: Path) -> None:
        if (there := _identity(target)) and there in self.sources:  # even --force must not replace an original
            raise CvqnError(f"{target}: is both input and output; choose another output")

    def _check_free(self, target: Path, ours: bool = False) -> None:
        from cvqn.files import is_stream

        if target.is_dir():
            advice = "remove it, or choose another folder" if self.folder else "name a file, or use --output"
            raise CvqnError(f"{target}: a folder; {advice}")
        if is_stream(target):
            if self.folder:
                raise CvqnError(f"{target}: a pipe or device, which a batch does not write to; remove it")
            if self.arguments.json:
                raise CvqnError(f"{target}: with --json the output must be a regular file; name one")
            return
        there = _identity(target)
        if there in self._done or os.path.realpath(target) in self._claimed:
            raise CvqnError(f"{target}: already written from another input; rename one of the inputs")
        if there and not (self.arguments.force or ours):
            raise CvqnError(f"{target}: exists already; --force replaces it")

    def _add(self, target: Path, outcome: Outcome) -> None:
        from cvqn.files import is_stream

        self.made.append(outcome.facts)
        if self.arguments.quiet:
            return
        for notice in outcome.notices:
            say(notice)
        if not self.arguments.json:
            print(one_line(outcome.line), file=sys.stderr if is_stream(target) else sys.stdout)

    def _report(self) -> int:
        reasons: dict[str, list[str]] = {}
        for name, reason in self.left_out.items():
            reasons.setdefault(reason, []).append(name)
        if not self.arguments.quiet:
            for reason, names in reasons.items():
                say(f"left out ({reason}): {', '.join(names)}")
            if self.skipped:
                say(f"{len(self.skipped)} skipped, already made from the same inputs with the same options; "
                    "--force makes them again")  # fmt: skip
        for line in self.failed:
            say(f"error: {line}")
        if self.failed:
            skipped = f", {len(self.skipped)} skipped" if self.skipped else ""
            say(f"{len(self.made)} of {len(self.sources) + self.absent} done{skipped}; the rest failed")
        return 2 if self.failed else 0


def _inputs_and_output(arguments: argparse.Namespace) -> tuple[list[Path], Path]:
    names = arguments.names
    if arguments.output is not None:
        if "-" in [*names, arguments.output]:
            raise CvqnError("-: standard streams do not work with --output; name one input and one output")
        return [named(name, "") for name in names], named(arguments.output, "")
    if len(names) == 1:
        named(names[0], "")
        raise CvqnError(f"{names[0]}: an input without an output; name the output after it, or use --output FOLDER")
    if len(names) > 2:
        raise CvqnError(f"{len(names)} names: several inputs need --output FOLDER")
    return [named(names[0], "/dev/stdin")], named(names[1], "/dev/stdout")


@contextlib.contextmanager
def _no_bars_within_files() -> Iterator[None]:
    """While active, stderr does not count as a terminal, so that tqdm shows no bars for the tiles of large pictures."""
    if not sys.stderr or not sys.stderr.isatty():
        yield
        return
    stream = sys.stderr
    stream.isatty = lambda: False
    try:
        yield
    finally:
        del stream.isatty


def _identity(path: Path) -> Identity | None:
    """Device and inode, the same for every name of a file; None if there is no file."""
    try:
        status = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return status.st_dev, status.st_ino
