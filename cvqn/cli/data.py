"""Subcommands of the room data."""

import argparse


def register(commands: argparse._SubParsersAction) -> None:
    """Add this room's subcommands."""
