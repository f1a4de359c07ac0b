"""Damage to bytes and to plain values, drawn from a generator of random numbers."""

import copy
import math
from random import Random
from typing import Any

NUMBERS = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
NAMES = ("../a.png", "/etc/passwd", "..", ".", "", ".hidden", "b\\a.png", "a\0.png", "a\n.png", "b/../../a.png", "a/",
         "file:///etc/passwd", "a" * 300, "9" * 5000, "\ud800", "$(id)", "%s")  # fmt: skip
VALUES = (
    None, True, False, 0, -1, 1, 2, 255, 1 << 31, 1 << 53, -(1 << 70), 10**30, 0.0, -0.5, 1e308, math.nan, math.inf,
    [], {}, [[]], {"a": 1}, *NAMES,
)  # fmt: skip


def of_bytes(random: Random, data: bytes, other: bytes = b"") -> bytes:
    """One to four changes: bits, bytes, numbers at the edge of their type, cuts, repeats, pieces of another file."""
    damaged = bytearray(data)
    for _ in range(random.randint(1, 4)):
        start = random.randrange(len(damaged) + 1)
        stop = start + random.choice((1, 1, 2, 4, 8, random.randint(0, 64)))
        match random.randrange(7):
            case 0:
                damaged[start:stop] = b""
            case 1:
                damaged[start:stop] *= 2
            case 2:
                damaged[start:start] = random.randbytes(random.randint(1, 16))
            case 3:
                del damaged[start:]
            case 4:
                size = random.choice((1, 2, 4))
                number = random.choice(NUMBERS) & ((1 << 8 * size) - 1)
                damaged[start : start + size] = number.to_bytes(size, random.choice(("little", "big")))
            case 5 if other:
                begin = random.randrange(len(other))
                damaged[start:stop] = other[begin : begin + random.randint(1, 256)]
            case _ if damaged:
                damaged[min(start, len(damaged) - 1)] ^= 1 << random.randrange(8)
    return bytes(damaged)


def of_values(random: Random, content: Any) -> Any:
    """One to three values anywhere in mappings and lists are changed, removed, added or repeated."""
    content = copy.deepcopy(content)
    for _ in range(random.randint(1, 3)):
        place = content
        while True:
            keys = list(place) if isinstance(place, dict) else list(range(len(place)))
            key = random.choice(keys) if keys else None
            if key is None or not isinstance(place[key], dict | list) or random.random() < 0.2:
                break
            place = place[key]
        action = random.choice(("change", "change", "remove", "add", "repeat"))
        if action == "change" and key is not None:
            place[key] = _other(random, place[key])
        elif action == "remove" and key is not None:
            del place[key]
        elif isinstance(place, dict):
            place[random.choice((*map(str, keys), "file", "path", "x", ""))] = copy.deepcopy(random.choice(VALUES))
        elif key is not None:
            place.append(copy.deepcopy(place[key]))
    return content


def _other(random: Random, value: Any) -> Any:
    """A value near this one, or any."""
    if isinstance(value, bool) or random.random() < 0.4:
        return copy.deepcopy(random.choice(VALUES))
    if isinstance(value, int):
        return random.choice((value + 1, value - 1, -value, value * 1000, value << 40, float(value), str(value)))
    if isinstance(value, float):
        return random.choice((-value, value * 1e6, value / 3, math.nan, math.inf, str(value)))
    if isinstance(value, str) and value:
        at = random.randrange(len(value))
        return random.choice((value[:at], value + value, value[:at] + random.choice(NAMES) + value[at:], value.upper()))
    return copy.deepcopy(random.choice(VALUES))
