"""Strict YAML for settings and manifests: unique text keys and plain values; error messages name the line."""

import math
from pathlib import Path
from typing import Any

import yaml

from cvqn.errors import CvqnError

_TAG = "tag:yaml.org,2002:"
_LONGEST = 64  # bits and characters of a whole number; converting one of many thousand digits takes minutes


class _Loader(yaml.SafeLoader):
    """Refuses YAML that settings never need, such as aliases, with which a small file can expand to gigabytes."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event: yaml.Event = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent):
            message = f"the alias *{event.anchor}; write out what it stands for"
            raise yaml.MarkedYAMLError(problem=message, problem_mark=event.start_mark)  # type: ignore[arg-type]
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str):
                _refuse(key_node, f"the key {key_node.value!r} is read as {type(key).__name__}; put it in quotes")
            if key in seen:
                _refuse(key_node, f"the key {key!r} appears twice; the first value would be lost")
            seen.add(key)
        return super().construct_mapping(node, deep)


def _finite(loader: _Loader, node: yaml.ScalarNode) -> float:
    value = loader.construct_yaml_float(node)
    if not math.isfinite(value):
        _refuse(node, f"{node.value} is not a finite number")
    return float(value)


def _whole(loader: _Loader, node: yaml.ScalarNode) -> int:
    value = int(loader.construct_yaml_int(node)) if len(node.value) <= _LONGEST else 1 << _LONGEST
    if value.bit_length() > _LONGEST:
        _refuse(node, f"a whole number of {len(node.value)} characters; none here has more than {_LONGEST} bits")
    return value


def _refuse(node: yaml.Node, message: str) -> None:
    raise yaml.MarkedYAMLError(problem=message, problem_mark=node.start_mark)


_Loader.add_constructor(f"{_TAG}float", _finite)
_Loader.add_constructor(f"{_TAG}int", _whole)


def read_yaml(path: str | Path) -> dict[str, Any]:
    """The mapping in a YAML file.

    Raises:
        CvqnError: the file cannot be read, is not YAML or not a mapping; it has an alias, a key that appears twice or
            is not text, or a number that is not finite or longer than 64 bits.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise CvqnError(f"{path}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise CvqnError(f"{path}: not valid YAML: {error}") from error
    loaded = parse_yaml(text, str(path))
    if not isinstance(loaded, dict):
        raise CvqnError(f"{path}: expected a mapping of keys to values")
    return loaded


def parse_yaml(text: str, where: str) -> object:
    """The value of a YAML text; messages begin with `where`.

    Raises:
        CvqnError: the text is not YAML, or has something that `read_yaml` refuses.
    """
    try:
        return yaml.load(text, _Loader)
    except yaml.MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise CvqnError(f"{where}{line}: {error.problem}") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise CvqnError(f"{where}: not valid YAML: {' '.join(str(error).split())}") from error
