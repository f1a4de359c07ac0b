"""Two models of the library CompressAI, an optional dependency: factorized prior, mean-scale hyperprior.

docs/compressai.md says what is taken from it.
"""
