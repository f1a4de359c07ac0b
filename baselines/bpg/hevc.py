"""One picture to HEVC NAL units by x265, and back by FFmpeg, both through PyAV and on one thread."""

import re
from fractions import Fraction

import av
import numpy as np

from cvqn.errors import CvqnError

PRESET = {"preset": "veryslow", "tune": "ssim"}
PARAMETERS = {"keyint": 1, "amp": 1, "rect": 1, "repeat-headers": 1}
ONE_THREAD = {"pools": "none", "frame-threads": 1, "wpp": 0}
START_CODE = b"\0\0\1"
VPS, SPS, PPS, SEI = 32, 33, 34, 39
IDR = (19, 20)


def encode(planes: np.ndarray, qp: int, block: int, tree: int, info: int = 0) -> list[bytes]:
    """NAL units, without start codes, of the 8-bit 4:4:4 picture uint8 `[3, H, W]`.

    Args:
        block: smallest coding block; H and W are multiples of it.
        tree: coding tree unit, at most H and W.
        info: 1 adds a message with x265's version.
    """
    _, height, width = planes.shape
    options = PARAMETERS | ONE_THREAD | {
        "qp": qp, "min-cu-size": block, "ctu": tree, "max-tu-size": min(tree, 32), "info": info, "log-level": "error",
    }  # fmt: skip
    try:
        context = av.CodecContext.create("libx265", "w")
    except ValueError as error:
        raise CvqnError("bpg-444: this build of PyAV lacks x265; install the wheel of `av` from PyPI") from error
    context.width, context.height, context.pix_fmt = width, height, "yuv444p"
    context.time_base, context.framerate = Fraction(1, 25), 25
    context.options = PRESET | {"x265-params": ":".join(f"{key}={value}" for key, value in options.items())}
    frame = av.VideoFrame(width, height, "yuv444p")
    for samples, plane in zip(planes, frame.planes, strict=True):
        np.frombuffer(plane, np.uint8).reshape(height, plane.line_size)[:, :width] = samples
    stream = b"".join(bytes(packet) for packet in [*context.encode(frame), *context.encode(None)])
    return [nal.rstrip(b"\0") for nal in stream.split(START_CODE)[1:]]


def nal_type(nal: bytes) -> int:
    """nal_unit_type (H.265, 7.3.1.2)."""
    return nal[0] >> 1 & 63


def decode(nals: list[bytes]) -> np.ndarray:
    """Planes uint8 `[3, H, W]` of the one 8-bit 4:4:4 picture in the NAL units.

    Raises:
        ValueError: they are damaged or hold anything else.
    """
    context = av.CodecContext.create("hevc", "r")
    context.thread_count = 1
    context.options = {"err_detect": "explode"}
    stream = b"".join(START_CODE + nal for nal in nals)
    try:
        frames = [*context.decode(av.Packet(stream)), *context.decode(None)]
    except av.FFmpegError as error:
        raise ValueError(f"the picture is damaged ({error})") from error
    if len(frames) != 1 or frames[0].is_corrupt or frames[0].format.name != "yuv444p":
        raise ValueError("the picture is damaged or not one in 8-bit 4:4:4")
    frame = frames[0]
    rows = [np.frombuffer(plane, np.uint8).reshape(frame.height, plane.line_size) for plane in frame.planes]
    return np.stack([plane[:, : frame.width] for plane in rows])


def x265_version() -> str:
    """Version and build of x265, from the message that it can leave in its bitstream."""
    nals = encode(np.zeros((3, 16, 16), np.uint8), qp=51, block=16, tree=16, info=1)
    message = re.search(rb"x265 \(build (\d+)\) - ([^:]+)", b"".join(nal for nal in nals if nal_type(nal) == SEI))
    return f"{message[2].decode()} (build {message[1].decode()})" if message else "unknown"
