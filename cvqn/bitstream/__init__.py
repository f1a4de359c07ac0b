"""Symbols to bytes and back, the same bytes on every machine: docs/bitstream.md is the specification.

Modules by dependency: errors, probabilities, rangecoder, integer_model, order, inference, exactness, wavefront. Beyond
the modules before it, each needs only cvqn.errors, NumPy and, if installed, constriction. The file header is in
cvqn.codecs.container.
"""
