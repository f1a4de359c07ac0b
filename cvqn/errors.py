"""Errors that a user can act on; the command line prints their lines and exits with `exit_code`."""


class CvqnError(Exception):
    """Bad input or environment: the message names the thing at fault and says what to do."""

    exit_code = 2

    @property
    def lines(self) -> tuple[str, ...]:
        """The lines of the message; each may hold any character of a file's name."""
        return (str(self),)


class SeveralErrors(CvqnError):
    """Several findings at once, one per line."""

    def __init__(self, *lines: str):
        super().__init__("\n".join(lines))
        self._lines = lines

    @property
    def lines(self) -> tuple[str, ...]:
        return self._lines


class DiskFullError(CvqnError):
    """A file cannot be written, mostly because the disk or the quota is full; a retry would fail in the same way."""

    exit_code = 74
