"""What every installed learned codec must do, whatever it is; conventional ones: tests/baselines/test_codecs.py."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from cvqn.bitstream.errors import BitstreamError
from cvqn.codecs import registry
from cvqn.codecs.interface import HasChannels
from cvqn.codecs.store import load_model
from cvqn.compression import StoredCodec, compress, compress_batch, decompress
from cvqn.lab.data.pack import Pack
from cvqn.lab.provenance.fingerprint import code_of
from cvqn.lab.settings.configuration import resolve
from cvqn.lab.training.loop import Task, train
from cvqn.lab.training.optimizer import make_optimizer
from cvqn.lab.training.store import Entry
from tests import ROOT
from tests.trained import photograph, textures

LEARNED = [name for name in registry.names() if registry.is_learned(name)]
ABOUT = {"run": "contract-seed1", "experiment": "contract", "seed": 1, "scale": "tiny"}


@pytest.fixture(scope="module", params=LEARNED)
def experiment(request, tmp_path_factory):
    """An experiment of the codec at the settings of scale tiny."""
    overlay = tmp_path_factory.mktemp("overlay") / "overlay.yaml"
    overlay.write_text(f"experiments: {{contract: {{codec: {request.param}}}}}")
    return resolve([ROOT / "workflow" / "scales" / "tiny.yaml", overlay]).experiments["contract"]


@pytest.fixture(scope="module")
def pack():
    pictures = (textures() * 255).round().byte().permute(0, 2, 3, 1).numpy()
    entries = [
        {"set": "s", "name": str(i), "offset": i * picture.size, "height": 64, "width": 64, "pixels_sha256": ""}
        for i, picture in enumerate(pictures)
    ]
    return Pack(np.ascontiguousarray(pictures).ravel(), entries)


@pytest.fixture(scope="module")
def folder(experiment, pack, tmp_path_factory):
    """The folder of a model after a short training by the loop that trains every codec."""
    place = tmp_path_factory.mktemp("training")
    torch.set_num_threads(1)
    task = Task(
        experiment.learned_codec, experiment.model, experiment.training, 1, pack, {"best": [photograph(70, 90)]}, ABOUT
    )
    entry = Entry(place, "contract-seed1", "key")
    with entry.claim():
        entry.finish(train(task, entry).write)
    entry.publish(place / "outputs")
    return place / "outputs" / "last"


def batch():
    return textures()[:2].contiguous()


def built(experiment):
    torch.manual_seed(0)
    return experiment.learned_codec.build(experiment.model, experiment.training)


def test_a_network_is_a_function_of_settings_and_seed(experiment):
    first, second = built(experiment).state_dict(), built(experiment).state_dict()
    assert list(first) == list(second)
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_a_pass_has_a_picture_a_rate_and_a_loss_that_training_lowers(experiment):
    network, images = built(experiment), batch()
    assert not images.shape[2] % network.stride
    network.start(lambda count, patch, size=None: iter([textures()[:, :, :patch, :patch]]))
    optimizer = make_optimizer(network, experiment.training)
    given = [id(p) for group in optimizer.param_groups for p in group["params"]]
    assert len(given) == len(set(given)) == len([p for p in network.parameters() if p.requires_grad])
    losses = []
    for _ in range(8):
        forward = network(images)
        loss = network.loss(forward, images)
        assert forward.reconstruction.shape == images.shape
        assert forward.bpp().shape == (2,)
        assert (forward.bpp() >= 0).all()
        assert loss.total.shape == ()
        row = network.describe(forward, loss)
        assert {"loss", "bpp", "ms_ssim"} <= set(row)
        assert row["loss"] == pytest.approx(loss.total.item())
        assert all(np.isfinite(value) for value in row.values())
        assert network.fault(row) is None
        losses.append(loss.total.item())
        optimizer.zero_grad()
        loss.total.backward()
        optimizer.step()
    assert min(losses[4:]) < losses[0]
    network.end_epoch(1, lambda count, patch, size=None: iter([textures()[:count, :, :patch, :patch]]))


def test_a_trained_model_is_described_by_its_settings(experiment, folder):
    stored = load_model(folder)
    assert stored.codec == experiment.codec
    assert stored.about["run"] == "contract-seed1"
    settings = json.loads((folder / "model.json").read_text())["settings"]
    assert experiment.learned_codec.model_settings.parse(settings) == experiment.model
    assert isinstance(stored.model, HasChannels) == experiment.learned_codec.has_channels


SIZES = [(1, 1), (16, 16), (17, 40), (64, 64), (50, 33)]


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_pictures_of_any_size_come_back_the_same_each_time(folder, size):
    stored, picture = load_model(folder), photograph(*size)
    before = picture.copy()
    data = compress(stored, picture)
    assert np.array_equal(picture, before)
    assert data == compress(load_model(folder), picture)
    decoded = decompress(stored, data)
    assert (decoded.shape, decoded.dtype) == (picture.shape, np.uint8)
    assert np.array_equal(decoded, decompress(load_model(folder), data))
    [payload] = stored.model.encode([picture])
    assert len(payload) % 4 == 0
    assert np.array_equal(stored.model.decode(payload, *size), decoded)


def test_what_is_decoded_is_what_the_network_makes_of_the_picture(experiment, folder):
    """Payloads lose nothing: the decoded picture is the trained network's own reconstruction."""
    from safetensors.torch import load_file

    network, stored, picture = built(experiment), load_model(folder), photograph(64, 128)
    tensors = load_file(folder / "model.safetensors")
    own = network.state_dict()
    if not own.keys() <= tensors.keys():
        pytest.skip("its export leaves out what only training needs; tests of its own compare pictures")
    network.load_state_dict({name: tensors[name].to(tensor.dtype) for name, tensor in own.items()})
    with torch.no_grad():
        image = network.eval()(torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 255).reconstruction[0]
    expected = (image.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy()
    assert np.abs(decompress(stored, compress(stored, picture)).astype(int) - expected).max() <= 1


def test_a_batch_gives_the_pictures_one_by_one(folder):
    stored, pictures = load_model(folder), [photograph(33, 50, seed) for seed in range(3)]
    for data, picture in zip(compress_batch(stored, pictures), pictures, strict=True):
        error = decompress(stored, data).astype(int) - decompress(stored, compress(stored, picture))
        assert np.abs(error).max() <= 1


def test_the_codec_that_is_measured_tells_what_it_is(folder):
    codec, picture = StoredCodec(folder), photograph(64, 64)
    data = codec.encode(picture)
    assert np.array_equal(codec.decode(data), decompress(codec.stored, data))
    assert all(np.isfinite(rate) and rate >= 0 for rate in codec.rates(picture, data).values())
    assert all(codec.versions().values())
    assert json.loads(json.dumps(codec.settings())) == codec.settings()


def test_damage_is_refused(folder):
    stored = load_model(folder)
    data = compress(stored, photograph(40, 40))
    for length in range(0, len(data), 3):
        with pytest.raises(BitstreamError):
            decompress(stored, data[:length])
    for position in range(len(data)):
        damaged = bytearray(data)
        damaged[position] ^= 1 << position % 8
        with pytest.raises(BitstreamError):
            decompress(stored, bytes(damaged))


def test_a_payload_that_is_none_is_an_error_or_a_picture(folder):
    stored, generator = load_model(folder), np.random.default_rng(0)
    [payload] = stored.model.encode([photograph(40, 40)])
    candidates = [b"", b"\0" * 4, payload[: len(payload) // 8 * 4], *(generator.bytes(4 * n) for n in range(1, 30))]
    for candidate in candidates:
        try:
            decoded = stored.model.decode(candidate, 40, 40)
        except BitstreamError:
            continue
        assert (decoded.shape, decoded.dtype) == ((40, 40, 3), np.uint8)


@pytest.mark.parametrize("picture", [np.zeros((8, 8)), np.zeros((0, 8, 3), np.uint8), np.zeros((8, 8, 3)), "picture"])
def test_what_is_no_picture_is_refused(folder, picture):
    with pytest.raises(ValueError, match="picture"):
        compress(load_model(folder), picture)


def test_what_decides_the_results_can_be_fingerprinted(experiment):
    for job in ("train", "evaluate"):
        code = code_of(job, experiment.codec)
        assert "not installed" not in code.values()
        learned = registry.learned(experiment.codec)
        assert set(learned.modules if job == "train" else learned.coding_modules) <= set(code)


def test_a_codec_of_another_package_keeps_the_contract(tmp_path):
    """The package tests/dummy_codec, installed somewhere, found by its entry point, with nothing changed here."""
    package = ROOT / "tests" / "dummy_codec"
    lines = [line for path in package.rglob("*.py") for line in path.read_text().splitlines() if line.strip()]
    assert len(lines) < 80
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--quiet", "--target", str(tmp_path / "site")]
    subprocess.run([sys.executable, "-m", "pip", "install", *options, copy_of(package, tmp_path)], check=True)
    environment = os.environ | {"PYTHONPATH": f"{tmp_path / 'site'}{os.pathsep}{ROOT}"}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", __file__, "-k", "dummy and not another"]
    run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout[-4000:] + run.stderr[-2000:]
    assert int(run.stdout.rsplit(" passed", 1)[0].split()[-1]) >= 15


def copy_of(package: Path, tmp_path: Path) -> str:
    """A copy to build from: building leaves files beside the sources."""
    return shutil.copytree(package, tmp_path / "source", ignore=shutil.ignore_patterns("*.egg-info", "build"))
