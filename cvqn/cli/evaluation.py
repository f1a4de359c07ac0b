"""Subcommands of the room evaluation."""

import argparse


def register(commands: argparse._SubParsersAction) -> None:
    """Add this room's subcommands."""
