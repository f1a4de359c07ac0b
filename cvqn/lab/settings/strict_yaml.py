"""YAML of settings: mappings with unique text keys, finite numbers; what is wrong is named with file and line."""

import math
from pathlib import Path
from typing import Any

import yaml

from cvqn.errors import CvqnError


class _Loader(yaml.SafeLoader):
    """Refuses what YAML allows and settings do not mean."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str):
                _refuse(key_node, f"the key {key_node.value!r} is read as {type(key).__name__}; put it in quotes")
            if key in seen:
                _refuse(key_node, f"the key {key!r} stands twice; what came first would be lost")
            seen.add(key)
        return super().construct_mapping(node, deep)


def _finite(loader: _Loader, node: yaml.ScalarNode) -> float:
    value = loader.construct_yaml_float(node)
    if not math.isfinite(value):
        _refuse(node, f"{node.value} is no number that a setting can have")
    return float(value)


def _refuse(node: yaml.Node, message: str) -> None:
    raise yaml.MarkedYAMLError(problem=message, problem_mark=node.start_mark)


_Loader.add_constructor("tag:yaml.org,2002:float", _finite)


def read_yaml(path: str | Path) -> dict[str, Any]:
    """The mapping in a YAML file.

    Raises:
        CvqnError: the file cannot be read, is not YAML, is not a mapping, has a key twice or one that is not a text,
            or a number that is not finite.
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
    """What a text in YAML says; messages begin with `where`.

    Raises:
        CvqnError: it is not YAML, or has what `read_yaml` refuses.
    """
    try:
        return yaml.load(text, _Loader)
    except yaml.MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise CvqnError(f"{where}{line}: {error.problem}") from error
    except (yaml.YAMLError, RecursionError) as error:
        raise CvqnError(f"{where}: not valid YAML: {error}") from error
