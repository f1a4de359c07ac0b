"""Errors that a user can act on; the command line prints them as one line and exits with `exit_code`."""


class CvqnError(Exception):
    """Bad input or environment: the message names the thing at fault and says what to do."""

    exit_code = 2


class DiskFullError(CvqnError):
    """The disk or the quota is full, so an immediate retry would fail in the same way."""

    exit_code = 74
