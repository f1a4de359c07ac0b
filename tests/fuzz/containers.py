"""Files of the program, .cvqn."""

import struct
import zlib
from pathlib import Path
from random import Random

import torch

from cvqn.codecs import container, shipped, store
from cvqn.compression import compress, decompress
from cvqn.lab.settings.configuration import merge, resolve
from cvqn.model.settings import ModelSettings
from tests import ROOT
from tests.fuzz.mutations import of_bytes
from tests.trained import make_model, photograph


class Container:
    """.cvqn files of every shipped model and a small one; of most the checksum is made to fit again."""

    def __init__(self, folder: Path):
        torch.set_num_threads(1)
        models = [shipped.folder_of_quality(quality) for quality in shipped.qualities()]
        self.models = [store.load_model(path) for path in (*models, make_model(folder, tiny_model()))]
        sizes = ((1, 1), (24, 32), (70, 90))
        self.files = [[compress(one, photograph(*size)) for size in sizes] for one in self.models]

    def write(self, random: Random, folder: Path) -> None:
        of_model = self.files[-1] if random.random() < 0.8 else random.choice(self.files)  # mostly the small, fast one
        data, other = random.choice(of_model), random.choice(random.choice(self.files))
        match random.randrange(8):
            case 0:
                data = random.randbytes(random.randint(0, 100))
            case 1:  # extra words, or too few of them
                data += bytes(4) * random.randint(0, 2) + random.randbytes(4 * random.randint(0, 2))
                data = data[: len(data) - 4 * random.randint(0, 2)]
            case 2:
                usual = (0, 1, 17, 63, 64, 65, 80)
                sides = random.choices((*usual, 300, 4096, 11585, 65535) if random.random() < 0.1 else usual, k=2)
                data = data[:6] + struct.pack("<HH", *sides) + data[10:]
            case 3:  # no header of it
                data = data[:18] + of_bytes(random, data[18:], other)
            case _:
                data = of_bytes(random, data, other)
        if random.random() < 0.8 and len(data) >= container.HEADER_SIZE:
            data = with_checksum(data[: len(data) - (len(data) - 18) % 4])
        (folder / "x.cvqn").write_bytes(data)

    def read(self, folder: Path) -> None:
        data = (folder / "x.cvqn").read_bytes()
        header = container.inspect(data)
        for stored in self.models:
            if stored.model_id == header.model_id:
                assert decompress(stored, data).shape == (header.height, header.width, 3)
                return
        shipped.folder_of_model(header.model_id)


class OneForm(Container):
    """Valid files with more words, or with another last one: what is accepted must be what the encoder would write."""

    def write(self, random: Random, folder: Path) -> None:
        data = random.choice(random.choice(self.files))
        match random.randrange(4):
            case 0:
                data += bytes(4 * random.randint(1, 3))
            case 1:
                data += random.randbytes(4 * random.randint(1, 3))
            case 2:
                (last,) = struct.unpack("<I", data[-4:])
                data = data[:-4] + struct.pack(
                    "<I", random.choice((last ^ 1, last ^ (1 << 31), random.getrandbits(32)))
                )
        (folder / "x.cvqn").write_bytes(with_checksum(data))

    def read(self, folder: Path) -> None:
        super().read(folder)
        data = (folder / "x.cvqn").read_bytes()
        model_id = container.inspect(data).model_id
        [model] = [one.model for one in self.models if one.model_id == model_id]
        header, payload = container.unpack(data, model_id)
        symbols = model.read_symbols(payload, header.height, header.width)
        assert container.pack(header.height, header.width, model_id, model.write_symbols(symbols)) == data


def tiny_model(**changes: object) -> ModelSettings:
    """The settings of a model of the scale tiny; keywords change them, mappings key by key."""
    plain = resolve([ROOT / "workflow" / "scales" / "tiny.yaml"]).experiments["c16"].model.plain()
    return ModelSettings.parse(merge(plain, changes))


def with_checksum(data: bytes) -> bytes:
    """A .cvqn file with a checksum that fits, so that the checks behind it have to do."""
    return data[:14] + struct.pack("<I", zlib.crc32(data[:14] + data[18:])) + data[18:]
