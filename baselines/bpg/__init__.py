"""BPG: an HEVC intra picture in a file format of its own, here without the encoder and decoder of its author."""
