"""Operations, bytes and seconds of a network's layers, counted and timed while they run."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry
from torch.utils.module_tracker import ModuleTracker

from benchmarks.clock import now
from cvqn.bitstream.integer_model import SOLID

TAPS_COMPUTED = 18  # of a masked convolution: it runs over two channels, of which the mask hides a part


class Layer(NamedTuple):
    """One call of a convolution, or of its backward."""

    module: str  # such as TrainableCVQN.encoder.head; Global outside of all modules
    flops: float  # multiplications and additions that the network needs
    bytes: int  # of all tensors that the call reads and writes
    seconds: float


class Layers(TorchDispatchMode):
    """Within it every convolution and its backward leave a `Layer` in `calls`."""

    def __init__(self, device: str):
        super().__init__()
        self.device = device
        self.tracker = ModuleTracker()
        self.calls: list[Layer] = []

    def __enter__(self) -> "Layers":
        self.tracker.__enter__()
        return super().__enter__()

    def __exit__(self, *exception: object) -> None:
        super().__exit__(*exception)
        self.tracker.__exit__(*exception)

    def __torch_dispatch__(self, function: Callable, types: object, args: tuple = (), kwargs: dict | None = None):
        kwargs = kwargs or {}
        if function.overloadpacket not in (torch.ops.aten.convolution, torch.ops.aten.convolution_backward):
            return function(*args, **kwargs)
        begin = now(self.device)
        result = function(*args, **kwargs)
        taken = now(self.device) - begin
        flops = flop_registry[function.overloadpacket](*args, **kwargs, out_val=result)
        weight = args[1] if function.overloadpacket is torch.ops.aten.convolution else args[2]
        if weight.dim() == 5:
            flops *= SOLID / TAPS_COMPUTED
        tensors = [leaf for leaf in tree_leaves((args, kwargs, result)) if isinstance(leaf, Tensor)]
        module = max(self.tracker.parents, key=len)
        self.calls.append(Layer(module, flops, sum(tensor.nbytes for tensor in tensors), taken))
        return result


def count(function: Callable[[], object], device: str) -> list[Layer]:
    """The layers of the network that run in one call."""
    with Layers(device) as layers:
        function()
    return [layer for layer in layers.calls if layer.module != "Global"]


def flops(layers: Sequence[Layer]) -> float:
    """Operations of all layers."""
    return sum(layer.flops for layer in layers)


def roofline(layers: Sequence[Layer], rate: float, bandwidth: float) -> float:
    """Seconds below which the layers cannot come, each bound by `rate` (operations/s) or `bandwidth` (bytes/s).

    What lies between the convolutions is left out, as if it were fused with them.
    """
    return sum(max(layer.flops / rate, layer.bytes / bandwidth) for layer in layers)
