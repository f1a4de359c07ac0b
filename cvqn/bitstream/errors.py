"""Errors in compressed files."""

from cvqn.errors import CvqnError


class BitstreamError(CvqnError):
    """The file cannot be decoded. Base of every error below."""


class TruncatedError(BitstreamError):
    """The file ends inside its header or inside a word of its payload."""


class NotACvqnFileError(BitstreamError):
    """The file does not begin with the magic number."""


class UnsupportedVersionError(BitstreamError):
    """The file is of another version of the format, or sets a flag that this version does not define."""


class ImageTooLargeError(BitstreamError):
    """The image has more pixels than the limit, or a side that the header cannot hold."""


class WrongModelError(BitstreamError):
    """The file was made with another model."""


class CorruptError(BitstreamError):
    """The file is damaged: an impossible size, a checksum that does not fit, or a payload that does not decode."""
