"""Hashes of what a job's result depends on: the modules listed here and the versions of libraries.

Rules pass the hash as a parameter, so that a job runs again when its code changes. The hash is of the syntax tree,
without comments, docstrings and texts for people (error messages, prints, labels of progress bars), so editing these
runs nothing again. Modules that only affect how things fail, are read or are written are not listed.
"""

import ast
import functools
import hashlib
import json
from importlib.machinery import ModuleSpec, PathFinder
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec, resolve_name
from pathlib import Path

from cvqn.codecs import registry
from cvqn.errors import CvqnError

_METRICS = ("cvqn.lab.evaluation.metrics", "cvqn.padding")
_ARCHIVE = "cvqn.lab.evaluation.archive"
_ENCODE = ("cvqn.lab.evaluation.clock", _ARCHIVE, "cvqn.lab.evaluation.encode")
_MEASURE = ("cvqn.lab.evaluation.clock", _ARCHIVE, "cvqn.lab.evaluation.measure", *_METRICS)
_ANALYSE = ("cvqn.lab.evaluation.analysis", "cvqn.lab.evaluation.influence", *_METRICS)
_FILE = ("cvqn.compression", "cvqn.codecs.container")
_REPORT = (
    "cvqn.codecs.looks",
    "cvqn.lab.evaluation.bd_rate",
    "cvqn.lab.evaluation.rate_distortion",
    "cvqn.lab.evaluation.statistics",
)

# By job: the modules beside the codec's own. Those of trained models are listed with each learned codec.
MODULES = {
    "fetch": ("cvqn.lab.data.fetch", "cvqn.lab.data.rebuild"),
    "pack": ("cvqn.lab.data.pack", "cvqn.lab.data.duplicates"),
    "train": (
        *(
            f"cvqn.lab.training.{name}"
            for name in ("loop", "batches", "augmentation", "device", "graphs", "optimizer", "monitor")
        ),
        "cvqn.codecs.trainable",
        *_METRICS,
    ),
    "encode": _ENCODE,
    "measure": _MEASURE,
    "evaluate": ("cvqn.lab.evaluation.evaluate", *_ENCODE, *_MEASURE, *_ANALYSE, *_FILE),
    "crops": (_ARCHIVE, "cvqn.lab.evaluation.crops", *_FILE),
    "complexity": ("cvqn.lab.evaluation.complexity",),
    "page": (_ARCHIVE, "cvqn.lab.evaluation.pictures", *_FILE),
    "identities": ("cvqn.lab.evaluation.identities", "cvqn.model.quantizer"),
}
LIBRARIES = {
    "train": ("torch", "numpy", "pytorch-msssim"),
    "measure": ("pytorch-msssim",),
    "evaluate": ("pytorch-msssim",),
}

Code = dict[str, str]
"""Hashes of modules and versions of libraries, by name."""


def code_of(job: str, codec: str | None = None, *modules: str) -> Code:
    """The code that a job depends on.

    Args:
        job: a job of `MODULES` or of the report.
        codec: the codec of the job, if it has one.
        modules: further modules, besides those listed for the job.

    Raises:
        CvqnError: a module or the codec does not exist.
    """
    names = [*MODULES.get(job, ()), *modules]
    libraries = list(LIBRARIES.get(job, ()))
    if codec is not None and registry.is_learned(codec):
        learned = registry.learned(codec)
        names += learned.modules if job == "train" else learned.coding_modules
        libraries += learned.libraries
    versions = {name: _version(name) for name in libraries}
    if codec is not None and not registry.is_learned(codec):
        module = registry.module_of(codec)
        names += _closure(module, f"{module.partition('.')[0]}.")
        versions |= registry.conventional(codec).versions()
    return {name: _module(name) for name in sorted(set(names))} | versions


def digest(code: Code) -> str:
    """A hash of the code, 16 hexadecimal digits."""
    return hashlib.sha256(json.dumps(code, sort_keys=True).encode()).hexdigest()[:16]


def with_imports(*modules: str) -> tuple[str, ...]:
    """These modules and all that they import, directly or not, from `cvqn.lab.report` and the modules in `_REPORT`."""
    return tuple(sorted({name for module in modules for name in _closure(module, "cvqn.lab.report.", _REPORT)}))


def changes(planned: Code, now: Code) -> list[str]:
    """The differences between two versions of the code, in words."""
    found = []
    for name in sorted({*planned, *now}):
        before, after = planned.get(name), now.get(name)
        if before != after:
            is_module = "." in name and _spec(name) is not None
            found.append(f"module {name}" if is_module else f"{name} {before} -> {after}")
    return found


def _module(name: str) -> str:
    path = _path(name)
    status = path.stat()
    return _hash_of(path, status.st_mtime_ns, status.st_size)


@functools.lru_cache(1024)
def _hash_of(path: Path, changed: int, size: int) -> str:
    """The hash of a module's file; cached by time and size, because files may change while a workflow runs."""
    tree = _Essence().visit(ast.parse(path.read_text(encoding="utf-8")))
    return hashlib.sha256(json.dumps(_nested(tree)).encode()).hexdigest()[:16]


def _nested(node: object) -> object:
    """A syntax tree as nested lists, without empty fields, because newer versions of Python add some."""
    if isinstance(node, ast.AST):
        fields = [[name, _nested(value)] for name, value in ast.iter_fields(node) if value is not None and value != []]
        return [type(node).__name__, fields]
    return [_nested(one) for one in node] if isinstance(node, list) else repr(node)


@functools.cache
def _closure(module: str, prefix: str, others: tuple[str, ...] = ()) -> tuple[str, ...]:
    """A module and all that it imports, directly or not, whose name begins with `prefix` or is in `others`."""
    seen: list[str] = []
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.append(name)
            waiting += [one for one in _imports(name) if one.startswith(prefix) or one in others]
    return tuple(seen)


@functools.cache
def _imports(module: str) -> tuple[str, ...]:
    path, found, top = _path(module), [], module.partition(".")[0]
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            name = resolve_name("." * node.level + (node.module or ""), package)
            found += [name, *(f"{name}.{alias.name}" for alias in node.names)]
    return tuple(name for name in dict.fromkeys(found) if "." in name and name.split(".")[0] == top and _spec(name))


class _Essence(ast.NodeTransformer):
    """Removes texts for people: docstrings, arguments of raised errors, prints, labels of progress bars."""

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        is_print = isinstance(node.value, ast.Call) and getattr(node.value.func, "id", "") == "print"
        return None if is_print or isinstance(node.value, ast.Constant) else self.generic_visit(node)

    def visit_Raise(self, node: ast.Raise) -> ast.AST:
        if isinstance(node.exc, ast.Call):
            node.exc = node.exc.func
        return node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        if getattr(node.func, "id", "") == "tqdm":
            node.keywords = [one for one in node.keywords if one.arg not in ("desc", "unit", "disable", "leave")]
        return self.generic_visit(node)


def _spec(name: str) -> ModuleSpec | None:
    """Where a module is, None if there is none of this name; unlike `find_spec`, this imports no parent."""
    parent, _, _ = name.rpartition(".")
    if not parent:
        return find_spec(name)
    package = _spec(parent)
    places = package.submodule_search_locations if package else None
    return PathFinder.find_spec(name, places) if places else None


def _path(name: str) -> Path:
    spec = _spec(name)
    if spec is None or spec.origin is None:
        raise CvqnError(f"{name}: no such module, so results cannot be checked for being up to date; install it")
    return Path(spec.origin)


def _version(name: str) -> str:
    try:
        return version(name).partition("+")[0]  # without the build's label, such as +cpu: the device is a setting
    except PackageNotFoundError:
        return "not installed"
