"""BPG at 8 bits and 4:4:4: intra pictures of x265 in a BPG file."""

import av
import numpy as np

from cvqn.codecs.looks import BLUE, Look
from cvqn.errors import CvqnError
from cvqn_baselines.bpg import colour, container, hevc
from cvqn_baselines.bpg.sequence import from_sps, parameter_sets
from cvqn_baselines.checks import check_input, whole_number


class Bpg444:
    """Full-range BT.601 YCbCr 4:4:4. Quality: x265's qp, 51 (worst) to 1; intra pictures are coded about 3 below it."""

    name = "bpg-444"
    title = "BPG 4:4:4"
    look = Look(BLUE, "s")
    suffix = "bpg"
    quality_range = (1, 51)

    def encode(self, picture: np.ndarray, quality: float) -> bytes:
        check_input(self.name, picture, quality, self.quality_range)
        height, width = picture.shape[:2]
        block, tree = _blocks(width, height)
        padding = ((0, -height % block), (0, -width % block), (0, 0))
        planes = colour.to_ycbcr(np.pad(picture, padding, mode="edge"))
        nals = hevc.encode(planes, whole_number(self.name, quality), block, tree)
        types = [hevc.nal_type(nal) for nal in nals]
        if types[:3] != [hevc.VPS, hevc.SPS, hevc.PPS] or not set(types[3:]) <= set(hevc.IDR):
            raise CvqnError(f"{self.name}: x265 wrote NAL units of types {types}, which a BPG file cannot hold")
        try:
            sequence = from_sps(nals[1], *planes.shape[:0:-1])
        except (ValueError, EOFError) as error:
            raise CvqnError(f"{self.name}: x265 wrote a sequence that a BPG file cannot hold: {error}") from error
        return container.write(width, height, sequence, hevc.START_CODE.join(nals[2:]))

    def decode(self, data: bytes) -> np.ndarray:
        try:
            width, height, sequence, nals = container.read(data)
            planes = hevc.decode([*parameter_sets(sequence, width, height), nals])
            if planes.shape[:0:-1] != sequence.coded_size(width, height):
                raise ValueError("the picture has another size than the header says")
        except (ValueError, EOFError) as error:
            raise CvqnError(f"{self.name}: damaged or truncated data: {error}") from error
        return colour.to_rgb(planes[:, :height, :width])

    def versions(self) -> dict[str, str]:
        libavcodec = ".".join(map(str, av.library_versions["libavcodec"]))
        return {"x265": hevc.x265_version(), "PyAV": av.__version__, "libavcodec": libavcodec}

    def settings(self) -> dict[str, object]:
        return hevc.PRESET | hevc.PARAMETERS | {"bit_depth": 8, "chroma": "4:4:4", "color_space": "full-range BT.601"}


def _blocks(width: int, height: int) -> tuple[int, int]:
    """Sides of the smallest coding block and of the coding tree unit, which x265 requires to fit into the picture."""
    shorter = -(-min(width, height) // 8) * 8
    if shorter < 16:
        return 16, 16
    return 8, next(size for size in (64, 32, 16) if size <= shorter)
