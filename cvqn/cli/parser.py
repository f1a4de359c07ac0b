"""The parser of the command line: every command, grouped by purpose."""

import argparse
from collections.abc import Callable
from importlib import import_module

from cvqn import __version__

GROUPS = {
    "pictures": ("cvqn.cli.compress", "cvqn.cli.decompress", "cvqn.cli.info", "cvqn.cli.models"),
    "experiments": ("cvqn.lab.cli.data", "cvqn.lab.cli.experiments", "cvqn.lab.cli.progress", "cvqn.lab.cli.report"),
    "checking results": ("cvqn.lab.cli.checking",),
}


def parser() -> argparse.ArgumentParser:
    """The argument parser with every command."""
    top = argparse.ArgumentParser(
        prog="cvqn",
        usage="cvqn COMMAND ...",
        description="Channel-Level Variable Quantization Network: compress pictures, and benchmark codecs.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"cvqn {__version__}")
    commands = top.add_subparsers(prog="cvqn", metavar="COMMAND", required=True, help=argparse.SUPPRESS)
    lines = []
    for group, modules in GROUPS.items():
        listed = _Listed(commands)
        for module in modules:
            register: Callable[[object], None] = import_module(module).register
            register(listed)
        lines += [f"{group}:", *(f"  {name:12}{text}" for name, text in listed.texts.items()), ""]
    top.epilog = "\n".join([*lines, "cvqn COMMAND --help lists the options of a command."])
    return top


class _Listed:
    """Adds commands to a parser and keeps their help lines, which argparse itself would list without groups."""

    def __init__(self, commands: argparse._SubParsersAction):
        self._commands = commands
        self.texts: dict[str, str] = {}

    def add_parser(self, name: str, *, help: str, **options: object) -> argparse.ArgumentParser:
        self.texts[name] = help
        return self._commands.add_parser(name, **options)
