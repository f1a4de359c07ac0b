"""Subcommands of the room files."""

import argparse


def register(commands: argparse._SubParsersAction) -> None:
    """Add this room's subcommands."""
