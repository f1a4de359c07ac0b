"""Subcommands of the room training."""

import argparse


def register(commands: argparse._SubParsersAction) -> None:
    """Add this room's subcommands."""
