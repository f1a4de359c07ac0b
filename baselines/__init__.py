"""Conventional codecs, a module each, and published curves; found by entry points. Nothing here imports torch."""
