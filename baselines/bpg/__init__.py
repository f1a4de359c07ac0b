"""BPG, an HEVC intra picture in its own file format; implemented here without its author's encoder and decoder."""
