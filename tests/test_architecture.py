"""docs/architecture.md shows the imports that there are."""

import re
from pathlib import Path

import grimp

PAGE = Path(__file__).resolve().parent.parent / "docs" / "architecture.md"
BELOW_ALL = {"__main__", "settings", "documents", "images", "padding", "files", "errors"}  # not in the picture


def package(module: str) -> str:
    parts = module.split(".")
    if parts[0] == "cvqn_baselines":
        return "baselines"
    return ".".join(parts[1:3]) if parts[1:2] == ["lab"] else ".".join(parts[1:2])


def test_the_picture_shows_the_imports_between_packages():
    graph = grimp.build_graph("cvqn", "cvqn_baselines")
    found = {
        (package(module), package(imported))
        for module in graph.modules
        for imported in graph.find_modules_directly_imported_by(module)
    }
    drawn_there = set(re.findall(r"^\s+([\w.]+) --> ([\w.]+)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE))
    assert drawn_there
    drawn = {(first, second) for first, second in found if first != second and first and second}
    assert {pair for pair in drawn if pair[1] not in BELOW_ALL and pair[0] not in BELOW_ALL} == drawn_there
