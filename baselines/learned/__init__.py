"""Learned codecs that CVQN is compared with, trained in the same way on the same images."""
