"""Parameters and operations of an experiment's network."""

import csv
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import torch
from torch.utils.flop_counter import FlopCounterMode

from cvqn.files import atomic_write
from cvqn.lab.settings.configuration import Configuration, Experiment

SIDE = 128


class Complexity(NamedTuple):
    """Totals of encoder, decoder and entropy model.

    Attributes:
        parameters: number of trained parameters.
        macs_per_pixel: multiply-accumulate operations of matrix products and convolutions, including masked taps, per
            pixel of an image of 128x128 pixels.
    """

    parameters: int
    macs_per_pixel: float


def complexity(experiment: Experiment) -> Complexity:
    """Build the network of an experiment and pass an image through it once."""
    network = experiment.learned_codec.build(experiment.model, experiment.training).eval()
    with FlopCounterMode(display=False) as counter:
        network(torch.rand(1, 3, SIDE, SIDE))
    trained = sum(tensor.numel() for tensor in network.parameters() if tensor.requires_grad)
    return Complexity(trained, counter.get_total_flops() / 2 / SIDE**2)


def write_complexity(configuration: Configuration, experiments: Iterable[str], path: str | Path) -> None:
    """Write a row per experiment: experiment, codec, parameters, macs_per_pixel."""
    with atomic_write(path, "w") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["experiment", "codec", *Complexity._fields])
        for name in dict.fromkeys(experiments):
            experiment = configuration.experiments[name]
            writer.writerow([name, experiment.codec, *complexity(experiment)])
