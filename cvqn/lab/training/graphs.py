"""Training steps replayed as a CUDA graph, because a small network's kernels end before Python can launch the next.

The graph is recorded again after every epoch, when a codec may change what a step does.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from cvqn.codecs.trainable import Forward, Loss

WARM_UP = 3  # steps in which cuDNN tries algorithms and the optimizer allocates state, which cannot be recorded

Step = Callable[[Tensor], tuple[Forward, Loss]]
"""One step of the optimizer on images `[B, 3, H, W]`; returns the pass and its loss."""


class Replay:
    """A step on a GPU: the first calls run it directly, the next records it, all later ones replay the record.

    The next call overwrites what a call returns. The step must not wait for the GPU, and nothing in it may depend on
    the number of the step, so learning rates must be tensors.
    """

    def __init__(self, step: Step):
        self.step = step
        self.stream = torch.cuda.Stream()
        self.forget()

    def forget(self) -> None:
        """Drop the record, because what the step does may have changed."""
        self.graph: torch.cuda.CUDAGraph | None = None
        self.warmed = 0

    def __call__(self, images: Tensor) -> tuple[Forward, Loss]:
        if self.graph is None and self.warmed < WARM_UP:
            self.warmed += 1
            return self._aside(images)
        if self.graph is None:
            self.images = images.clone()
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph, stream=self.stream):
                self.outcome = self.step(self.images)
            self.graph = graph
        self.images.copy_(images)
        self.graph.replay()
        return self.outcome

    def _aside(self, images: Tensor) -> tuple[Forward, Loss]:
        """Run the step on the graph's stream, so that the graph can reuse the memory that the step allocates."""
        self.stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self.stream):
            outcome = self.step(images)
        torch.cuda.current_stream().wait_stream(self.stream)
        return outcome
