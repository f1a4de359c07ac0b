"""Makes an image of a rebuilt set from its public source, in the same way as the set was first made."""

import io
from pathlib import Path

import numpy as np
from PIL import Image

from cvqn.errors import CvqnError
from cvqn.images import read_picture

LONG_SIDE = 768  # pixels of the longer side to which a source is scaled down before the crop
QUALITY = 90


def rebuild(source: Path, width: int, height: int) -> bytes:
    """A progressive JPEG of `width` x `height` pixels, quality 90, without chroma subsampling and metadata.

    The source is turned upright and converted to sRGB. If its longer side has more than 768 pixels, it is scaled down
    to that with a Lanczos filter. Then the centre is cut out.

    Raises:
        CvqnError: the source is not a readable picture or is smaller than the crop.
    """
    picture = Image.fromarray(read_picture(source))
    scale = LONG_SIDE / max(picture.size)
    if scale < 1:
        size = tuple(round(side * scale) for side in picture.size)
        picture = picture.resize(size, Image.Resampling.LANCZOS)
    left, top = (picture.width - width) // 2, (picture.height - height) // 2
    if left < 0 or top < 0:
        raise CvqnError(
            f"{source}: {picture.width}x{picture.height} is smaller than the crop, {width}x{height}; correct the table"
        )
    picture = picture.crop((left, top, left + width, top + height))
    file = io.BytesIO()
    Image.fromarray(np.asarray(picture)).save(file, "JPEG", quality=QUALITY, subsampling=0, progressive=True)
    return file.getvalue()
