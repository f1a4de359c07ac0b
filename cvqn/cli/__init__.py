"""The command `cvqn`. Handlers import what they need, so that light commands start fast."""

import contextlib
import errno
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence

from cvqn.cli.messages import say
from cvqn.errors import CvqnError, DiskFullError


class _Ended(BaseException):
    """A signal asked the program to end. An exception, so that half-written files are removed on the way out."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one subcommand and return its exit code.

    Exit codes: 0; 1 if a check failed; 2 if a file of a batch failed. Errors print a line per finding on stderr and
    end with the `exit_code` of the CvqnError; 2 for other operating system errors (an unreadable file, a closed pipe)
    or lack of memory, but 74 if the disk is full; 130 after Ctrl-C; 128 plus the number of SIGTERM or SIGHUP.
    """
    try:
        with _ended_by_signals():
            for stream in (sys.stdout, sys.stderr):  # file names need not be valid in any encoding
                if hasattr(stream, "reconfigure"):
                    stream.reconfigure(errors="backslashreplace")
            from cvqn.cli.parser import parser

            arguments = parser().parse_args(argv)
            code = arguments.handler(arguments) or 0
            if sys.stdout:
                sys.stdout.flush()
            return code
    except CvqnError as error:
        return _say([f"error: {line}" for line in error.lines], error.exit_code)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] in ("cvqn", "cvqn_baselines"):
            raise
        return _say([f"error: {error.name} is not installed; in a clone: pip install '.[pipeline]'"], 2)
    except KeyboardInterrupt:
        return _say(["interrupted"], 130)
    except _Ended as ended:
        (number,) = ended.args
        return _say([f"ended by {signal.Signals(number).name}"], 128 + number)
    except MemoryError:
        return _say(["error: not enough memory"], 2)
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        return _say([f"error: {_what_failed(error)}"], DiskFullError.exit_code if full else 2)
    finally:
        _flush()


def _say(lines: Sequence[str], code: int) -> int:
    with contextlib.suppress(OSError):
        for line in lines:
            say(line)
    return code


def _flush() -> None:
    """Flush the streams; send one that fails to /dev/null, or the interpreter would print an error at its exit."""
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream:
                stream.flush()
        except OSError:
            with contextlib.suppress(OSError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _what_failed(error: OSError) -> str:
    if isinstance(error, BrokenPipeError) and error.filename is None:
        return "the output was closed before all was written"
    what = error.strerror or str(error)
    return f"{error.filename}: {what}" if error.filename else f"operating system error: {what}"


@contextlib.contextmanager
def _ended_by_signals() -> Iterator[None]:
    """While active, SIGTERM and SIGHUP raise `_Ended` instead of killing the process."""
    process, before = os.getpid(), {}

    def end(number: int, _) -> None:
        if os.getpid() != process:  # a forked worker has nothing to remove
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
            return
        raise _Ended(number)

    def again(lost: "sys.UnraisableHookArgs") -> None:
        """Send the signal again: Python swallows exceptions raised in callbacks, which some imports run."""
        if isinstance(lost.exc_value, KeyboardInterrupt | _Ended):
            number = signal.SIGINT if isinstance(lost.exc_value, KeyboardInterrupt) else lost.exc_value.args[0]
            threading.Timer(0.01, os.kill, (os.getpid(), number)).start()
        else:
            sys.__unraisablehook__(lost)

    hook, sys.unraisablehook = sys.unraisablehook, again
    try:
        for number in (signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is signal.SIG_DFL:  # nohup ignores SIGHUP, which must stay so
                with contextlib.suppress(ValueError):  # only the main thread may set handlers
                    signal.signal(number, end)
                    before[number] = signal.SIG_DFL
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        sys.unraisablehook = hook
