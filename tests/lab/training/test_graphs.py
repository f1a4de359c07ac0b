import csv

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from cvqn.errors import CvqnError
from cvqn.lab.settings import configuration
from cvqn.lab.training.optimizer import make_optimizer

WAITS = {"_local_scalar_dense", "nonzero", "masked_select", "unique", "_unique2", "lift_fresh", "equal", "is_nonzero"}
"""What needs a number from the GPU, or brings one there, and so cannot be recorded."""
REPLAYED = [
    name
    for name, experiment in configuration.resolve(["workflow/scales/small.yaml"]).experiments.items()
    if experiment.training.cuda_graphs
]


class Waiting(TorchDispatchMode):
    """Notes the operators that a CUDA graph cannot hold."""

    def __init__(self):
        super().__init__()
        self.seen = set()

    def __torch_dispatch__(self, function, types, arguments=(), keywords=None):
        self.seen |= {function.overloadpacket.__name__} & WAITS
        return function(*arguments, **(keywords or {}))


def test_refused_without_a_gpu(tmp_path):
    overlay = tmp_path / "graphs.yaml"
    overlay.write_text("training: {device: cpu, cuda_graphs: true}")
    with pytest.raises(CvqnError, match="cuda_graphs: true needs device cuda, not cpu"):
        configuration.resolve(["workflow/scales/tiny.yaml", overlay])


@pytest.mark.parametrize("experiment", REPLAYED)
def test_no_replayed_step_waits_for_the_gpu(experiment):
    scale = ["workflow/scales/small.yaml", "workflow/scales/small-cpu.yaml"]
    settings = configuration.resolve(scale).experiments[experiment]
    network = settings.learned_codec.build(settings.model, settings.training)
    optimizer = make_optimizer(network, settings.training)
    images = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    network.loss(network(images), images)  # tables that are made once
    with Waiting() as waiting:
        loss = network.loss(network(images), images)
        loss.total.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
    optimizer.step()
    assert waiting.seen == set()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_replayed_training_follows_the_curve_of_one_that_is_not(job):
    curves = []
    for graphs in (False, True):
        training = {"log_every": 1, "device": "cuda", "precision": "float32", "cuda_graphs": graphs}
        trained = job(f"graphs-{graphs}", training=training)
        assert trained.run() == 0
        with open(trained.outputs / "log.csv", newline="") as file:
            curves.append([float(row["loss"]) for row in csv.DictReader(file)])
    assert curves[1] == pytest.approx(curves[0], rel=0.01)
