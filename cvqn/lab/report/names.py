"""How codecs are called in tables and figures."""

NAMES = {
    "cvqn": "CVQN",
    "mentzer-2018": "Mentzer et al. 2018",
    "factorized": "Factorized prior",
    "hyperprior": "Hyperprior",
    "bpg-444": "BPG 4:4:4",
    "webp": "WebP",
    "jpeg2000": "JPEG 2000, 9/7",
    "jpeg2000-5-3": "JPEG 2000, 5/3",
    "jpeg-420": "JPEG 4:2:0",
    "jpeg-444": "JPEG 4:4:4",
    "avif": "AVIF",
    "jpegxl": "JPEG XL",
    "heic": "HEIC",
}


def name_of(codec: str) -> str:
    """How a codec is called in text: its own name where it has no other."""
    return NAMES.get(codec, codec)
