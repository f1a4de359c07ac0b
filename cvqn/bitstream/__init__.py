"""Symbols to bytes and back, the same bytes on every machine: docs/bitstream.md is the specification.

Modules in order of dependency: errors, probabilities, rangecoder, integer_model, order, inference, exactness,
wavefront. Each needs only those before it, cvqn.errors, NumPy and, if installed, constriction. The file header is in
cvqn.codecs.container.
"""
