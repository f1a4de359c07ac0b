import os
import subprocess
import sys

import numpy as np
import pytest
import torch

from cvqn.cli import main
from cvqn.codecs import container
from cvqn.codecs.store import load_model
from cvqn.compression import compress, compress_batch, decompress
from cvqn.images import write_png
from cvqn.model import tiling
from cvqn.model.cvqn import CVQN
from tests import ROOT
from tests.trained import make_model, photograph


@pytest.fixture
def small_tiles(monkeypatch):
    """Tiles of 32 pixels, windows of 16, for everything above 48x48 pixels."""
    for name, value in {"WHOLE": 48**2, "TILE": 2, "WINDOW": 1, "WINDOWS": 3}.items():
        monkeypatch.setattr(tiling, name, value)


def perturbed(config):
    """A model whose convolutions all matter, so that a reach too short shows."""
    model = CVQN(config).eval().requires_grad_(False)
    for parameter in [*model.encoder.parameters(), *model.decoder.parameters()]:
        parameter.mul_(1.5)
    return model


@pytest.mark.parametrize("blocks", [1, 2])
@pytest.mark.parametrize("downsampling", ["shuffle", "strided"])
def test_tiles_with_their_overlap_are_the_whole_with_the_same_attention(
    model_settings, small_tiles, blocks, downsampling
):
    model = perturbed(model_settings(blocks=blocks, downsampling=downsampling))
    rows, columns = 7, 2 * tiling.reach(blocks) + 5
    pictures, latents = torch.rand(1, 3, 16 * rows, 16 * columns), torch.randn(1, 16, rows, columns)
    for network, source, units in [(model.encoder, pictures, (16, 1)), (model.decoder, latents, (1, 16))]:
        with tiling.constant_attention(network):
            cut = [source[:, :, units[0] * t : units[0] * b, units[0] * left : units[0] * right]
                   for t, b, left, right in tiling.windows(rows, columns)]  # fmt: skip
            network(torch.cat(cut))
            whole = network(source)
        tiles = tiling.evaluate(
            network, network, source, unit_in=units[0], unit_out=units[1], overlap=tiling.reach(blocks)
        )
        torch.testing.assert_close(tiles, whole, atol=1e-5, rtol=1e-4)
        assert not torch.allclose(network(source), whole, atol=1e-5, rtol=1e-4)  # attention over the whole differs


@pytest.mark.parametrize("blocks", [1, 2])
def test_reach_is_as_far_as_a_pixel_is_felt(model_settings, blocks):
    model = perturbed(model_settings(blocks=blocks, downsampling="strided"))
    reach = tiling.reach(blocks)
    side = 2 * reach + 3
    with tiling.constant_attention(model.encoder):
        picture = torch.rand(1, 3, 16, 16 * side, dtype=torch.float64)
        model.double()
        before = model.encoder(picture)
        picture[..., 16 * (reach + 1) : 16 * (reach + 2)] += 1
        felt = (model.encoder(picture) != before).any(dim=1)[0, 0].nonzero().flatten()
    assert felt.min() >= 1
    assert felt.max() <= side - 2
    assert felt.min() <= 3  # and not much less far than stated


def test_windows_cover_both_ends_and_fit():
    for rows, columns in [(5, 1000), (64, 64), (32, 33)]:
        found = list(tiling.windows(rows, columns))
        assert {window[0] for window in found} >= {0}
        assert max(window[1] for window in found) == rows
        assert max(window[3] for window in found) == columns
        assert min(min(window) for window in found) == 0


def test_a_large_picture_survives_its_file(tmp_path, model_settings, small_tiles):
    stored = load_model(make_model(tmp_path / "model", model_settings()))
    picture = photograph(150, 203)
    data = compress(stored, picture)
    decoded = decompress(stored, data)
    assert decoded.shape == picture.shape
    np.testing.assert_array_equal(decoded, decompress(stored, data))
    _, payload = container.unpack(data, stored.model_id)
    symbols, network = stored.model.read_symbols(payload, 150, 203), stored.model.network
    values = network.controller.values([torch.from_numpy(group)[None] for group in symbols])
    expected = tiling.evaluate(network.decoder, network.decoder, values, unit_in=1, unit_out=16, overlap=99)
    expected = (expected.clamp(0, 1) * 255)[0].permute(1, 2, 0).numpy()[:150, :203]
    assert np.abs(decoded - expected).max() <= 1


def test_a_batch_gives_the_files_of_its_pictures(tmp_path, model_settings):
    stored = load_model(make_model(tmp_path / "model", model_settings()))
    pictures = [photograph(33, 50, seed) for seed in range(3)]
    for data, picture in zip(compress_batch(stored, pictures), pictures, strict=True):
        error = decompress(stored, data).astype(int) - decompress(stored, compress(stored, picture))
        assert np.abs(error).max() <= 1


MEASURE = """
import re, sys, torch
from cvqn.lab.settings.configuration import resolve
from cvqn.model.cvqn import CVQN
model = CVQN(resolve(["workflow/scales/mini.yaml"]).experiments["c32"].model).eval()
rows = int(sys.argv[1])
def peak():  # of this process; getrusage would count what the parent had before the start
    return 1024 * int(re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())[1])
source = {source}
with torch.inference_mode():
    model.{part}(source[:, :, : source.shape[2] // 12])
    before = peak()
    model.{part}(source)
print((peak() - before) / (rows * 1024))
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("part", "source"), [("encoder", "torch.rand(1, 3, rows, 1024)"), ("decoder", "torch.rand(1, 32, rows // 16, 64)")]
)
def test_memory_is_what_is_stated(part, source):
    script = MEASURE.format(part=part, source=source)
    environment = os.environ | {"MALLOC_MMAP_THRESHOLD_": str(1 << 20)}  # what is freed goes back to the system at once
    command = [sys.executable, "-c", script, "3072"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    assert float(done.stdout) < 1.25 * 640 / 8


@pytest.mark.skipif(torch.cuda.is_available(), reason="what is refused without a GPU")
def test_what_needs_a_gpu_is_refused_without_one(tmp_path, model_settings, capsys):
    folder = make_model(tmp_path / "model", model_settings())
    write_png(tmp_path / "a.png", photograph(16, 16))
    arguments = ["compress", str(tmp_path / "a.png"), str(tmp_path / "a.cvqn"), "--model", str(folder)]
    assert main([*arguments, "--device", "cuda"]) == 2
    assert "PyTorch finds no GPU" in capsys.readouterr().err
