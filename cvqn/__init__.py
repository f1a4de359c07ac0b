"""Channel-Level Variable Quantization Network: model, codec, experiments and audit."""

__version__ = "0.1.0"
