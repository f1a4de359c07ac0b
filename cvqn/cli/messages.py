"""Messages for people on stderr, each one line."""

import re
import sys

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def one_line(text: str) -> str:
    """The text with control characters escaped; file names can contain them."""
    return _CONTROL.sub(lambda found: found.group().encode("unicode_escape").decode(), text)


def say(text: str) -> None:
    """Print a message on stderr, after the program's name."""
    if sys.stderr:
        print(f"cvqn: {one_line(text)}", file=sys.stderr)
