"""Lines for people on stderr."""

import re
import sys

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def one_line(text: str) -> str:
    """The text with control characters escaped, as the name of a file may hold them."""
    return _CONTROL.sub(lambda found: found.group().encode("unicode_escape").decode(), text)


def say(text: str) -> None:
    """Print a line of the program's own on stderr."""
    if sys.stderr:
        print(f"cvqn: {one_line(text)}", file=sys.stderr)
