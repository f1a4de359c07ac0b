"""Mutated files through every reader: `python -m tests.fuzz`, or `make fuzz`.

A case is a function of target, seed and number, so that any can be run again alone.
"""
