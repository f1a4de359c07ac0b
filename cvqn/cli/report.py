"""Subcommands of the room report."""

import argparse


def register(commands: argparse._SubParsersAction) -> None:
    """Add this room's subcommands."""
