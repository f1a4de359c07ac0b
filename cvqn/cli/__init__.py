"""The command `cvqn`. Handlers import what they need, so that light commands start fast."""

import sys
from collections.abc import Sequence

from cvqn.errors import CvqnError


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0, or the `exit_code` of a CvqnError after one line on stderr."""
    from cvqn.cli.parser import parser

    try:
        arguments = parser().parse_args(argv)
        return arguments.handler(arguments) or 0
    except CvqnError as error:
        print(f"cvqn: error: {error}", file=sys.stderr)
        return error.exit_code
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] in ("cvqn", "baselines"):
            raise
        print(f"cvqn: error: needs {error.name}; install the benchmark: pip install 'cvqn[pipeline]'", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("cvqn: interrupted", file=sys.stderr)
        return 130
