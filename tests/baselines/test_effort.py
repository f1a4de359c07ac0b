"""docs/baselines.md states the effort at which each conventional codec runs."""

import re

import pytest

from benchmarks.effort import EFFORTS, at_effort
from cvqn.codecs import registry
from tests import ROOT

PAGE = (ROOT / "docs" / "baselines.md").read_text(encoding="utf-8")
SECTION = PAGE[PAGE.index("## Effort") : PAGE.index("## Cost")]


def chosen() -> dict[str, tuple[str, str]]:
    """Setting and value in bold, by codec; a row without a codec is of the one above it."""
    found, codec = {}, ""
    for line in SECTION.splitlines():
        if line.startswith("| "):
            name, effort = (cell.strip() for cell in line.split("|")[1:3])
            codec = name.strip("`") or codec
            if bold := re.fullmatch(r"\*\*(\w+) (\w+)\*\*", effort):
                found[codec] = bold[1], bold[2]
    return found


def test_the_effort_in_bold_is_the_codecs():
    efforts = chosen()
    assert efforts.keys() == EFFORTS.keys()
    for codec, (key, value) in efforts.items():
        assert key == EFFORTS[codec][0]
        assert str(registry.conventional(codec).settings()[key]) == value
        assert value in map(str, EFFORTS[codec][1])


@pytest.mark.parametrize("codec", [name for name in registry.names() if not registry.is_learned(name)])
def test_every_codec_has_its_effort_stated(codec):
    assert f"`{codec}`" in SECTION
    settings = registry.conventional(codec).settings()
    if codec == "webp":
        assert settings.get("method", 6) == 6
        assert "-m 6" in settings.get("options", "-m 6")
    elif codec not in EFFORTS:
        assert not {"effort", "speed", "preset", "method"} & settings.keys()


@pytest.mark.parametrize("codec", EFFORTS)
def test_the_script_encodes_with_another_effort_and_leaves_the_codecs_own(codec):
    key, values = EFFORTS[codec]
    one = registry.conventional(codec)
    own = one.settings()[key]
    other = next(value for value in values if value != own)
    with at_effort(one, key, other):
        assert one.settings()[key] == other
    assert one.settings()[key] == own
