"""Symbols to bytes and back, the same bytes on every machine: docs/bitstream.md is the specification.

errors, probabilities, rangecoder, integer_model, order, network, wavefront, container: in this order each needs only
what stands before it, NumPy, and constriction where there is a wheel.
"""
