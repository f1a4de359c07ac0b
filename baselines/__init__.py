"""Codecs to compare with, conventional ones and learned ones, and published curves; all are found by entry points.

Apart from `learned`, nothing here imports PyTorch.
"""
