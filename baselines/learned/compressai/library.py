"""CompressAI's models. This is the only module that imports the library.

On import, CompressAI registers the transformations of torchvision and torch_geometric for its data sets, which no model
uses. If these packages are missing, or fail because torchvision is of another build than torch, stand-ins replace them
while CompressAI is imported.
"""

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from types import ModuleType

from torch import nn

from cvqn_baselines.learned.compressai.settings import CompressaiSettings

STRIDES = {"FactorizedPrior": 16, "MeanScaleHyperprior": 64}
"""Pixels per position of the coarsest latent, along a side."""
UNUSED = {
    "torchvision": ("torchvision.transforms",),
    "torch_geometric": ("torch_geometric.transforms", "torch_geometric.data", "torch_geometric.data.datapipes"),
}


def installed() -> bool:
    """Whether CompressAI is installed."""
    return find_spec("compressai") is not None


def build(model: str, settings: CompressaiSettings) -> nn.Module:
    """One of the models of `STRIDES`, as the library initializes it."""
    network: nn.Module = getattr(_import("compressai.models"), model)(settings.features, settings.channels)
    return network


def zoo() -> ModuleType:
    """The module of pretrained models."""
    return _import("compressai.zoo")


@cache
def _import(name: str) -> ModuleType:
    with _stand_ins():
        return importlib.import_module(name)


@contextmanager
def _stand_ins() -> Iterator[None]:
    added = {}
    for package, modules in UNUSED.items():
        if not _imports(modules[0]):
            _forget(package)
            added[package] = (package, *modules)
            sys.modules.update({name: _StandIn(name) for name in added[package]})
    try:
        yield
    finally:
        for package in added:
            _forget(package)


def _imports(name: str) -> bool:
    try:
        importlib.import_module(name)
    except (ImportError, RuntimeError, OSError):
        return False
    return True


def _forget(package: str) -> None:
    for name in [name for name in sys.modules if name == package or name.startswith(f"{package}.")]:
        del sys.modules[name]


class _StandIn(ModuleType):
    """A module in which every name exists."""

    __path__ = ()

    def __getattr__(self, name: str) -> type:
        if name.startswith("__"):
            raise AttributeError(name)
        return _Anything


class _Anything:
    """Serves as a base class, and as a decorator with arguments that changes nothing."""

    def __init__(self, *_: object, **__: object):
        pass

    def __call__(self, decorated: object) -> object:
        return decorated
