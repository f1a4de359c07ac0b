"""Files of every learned baseline: exact in another process, refused where damaged; and that every part is trained."""

import hashlib
import json
import os
import random
import subprocess
import sys

import numpy as np
import pytest
import torch

from cvqn.bitstream.errors import BitstreamError
from cvqn.codecs import container, registry
from cvqn.codecs.interface import LearnedCodec
from cvqn.codecs.store import load_model
from cvqn.compression import compress, compress_batch, decompress
from cvqn.lab.provenance.fingerprint import code_of
from cvqn.lab.training.optimizer import make_optimizer
from cvqn_baselines.learned.compressai.library import installed
from tests import ROOT
from tests.baselines.learned.conftest import crops, small_experiment, train
from tests.trained import photograph

NEEDS_COMPRESSAI = pytest.mark.skipif(not installed(), reason="needs CompressAI")
NAMES = ["mentzer-low", *(pytest.param(name, marks=NEEDS_COMPRESSAI) for name in ("factorized-low", "hyperprior-low"))]
SIZES = [(64, 64), (50, 75), (1, 9), (130, 67)]

DECODES = """
import sys
import torch
from cvqn.codecs.store import load_model
from tests.baselines.learned.test_learned_files import symbols
torch.set_num_threads(2)
stored = load_model(sys.argv[1])
for path in sys.argv[2:]:
    print(symbols(stored, open(path, "rb").read()))
"""


def symbols(stored, data):
    """SHA-256 over what the payload of a file holds."""
    header, payload = container.unpack(data, stored.model_id)
    read = getattr(stored.model, "read_symbols", None) or stored.model.read_latent
    return hashlib.sha256(np.asarray(read(payload, header.height, header.width)).tobytes()).hexdigest()


@pytest.mark.parametrize("name", NAMES)
def test_files_decode_to_the_same_symbols_in_another_process_with_other_threads(name, folder_of, tmp_path):
    folder = folder_of(name)
    stored, paths, expected = load_model(folder), [], []
    for number, size in enumerate(SIZES):
        paths.append(tmp_path / f"{number}.cvqn")
        paths[-1].write_bytes(compress(stored, photograph(*size)))
        expected.append(symbols(stored, paths[-1].read_bytes()))
    environment = os.environ | {"OMP_NUM_THREADS": "2", "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    command = [sys.executable, "-W", "ignore", "-c", DECODES, str(folder), *map(str, paths)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.stdout.split() == expected, done.stderr


@pytest.mark.parametrize("name", NAMES)
def test_pictures_come_back_in_their_size_and_alike(name, folder_of):
    stored = load_model(folder_of(name))
    for size in SIZES:
        picture = photograph(*size)
        data = compress(stored, picture)
        decoded = decompress(stored, data)
        assert decoded.shape == picture.shape
        assert decoded.dtype == np.uint8
        estimate = stored.model.rates(picture)["cross_entropy_bpp"] * picture.shape[0] * picture.shape[1] / 8
        if name == "mentzer-low":  # the others' latents here are not those that their entropy models have learned
            assert abs(len(data) - estimate) < 0.01 * estimate + 40
    pictures = [photograph(64, 64, seed) for seed in range(3)]
    assert [len(data) for data in compress_batch(stored, pictures)] == [len(compress(stored, one)) for one in pictures]


@pytest.mark.parametrize("name", NAMES)
def test_two_hundred_truncations_and_bit_flips_are_refused(name, folder_of):
    stored, rng = load_model(folder_of(name)), random.Random(0)
    data = compress(stored, photograph(50, 75))
    damaged = [data[: rng.randrange(len(data))] for _ in range(100)]
    for _ in range(100):
        flipped = bytearray(data)
        flipped[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        damaged.append(bytes(flipped))
    for one in damaged:
        with pytest.raises(BitstreamError):
            decompress(stored, one)


@pytest.mark.parametrize("name", NAMES)
def test_training_moves_every_parameter(name):
    experiment = small_experiment(name)
    network = experiment.learned_codec.build(experiment.model, experiment.training)
    before = {key: parameter.detach().clone() for key, parameter in network.named_parameters()}
    train(network, 3, experiment.training)
    assert [key for key, parameter in network.named_parameters() if torch.equal(parameter, before[key])] == []
    grouped = [parameter for group in network.parameter_groups() for parameter in group["params"]]
    assert {id(one) for one in grouped} == {id(one) for one in network.parameters()}
    assert len(grouped) == len(list(network.parameters()))


@pytest.mark.parametrize("name", NAMES)
def test_a_resumed_training_is_the_uninterrupted_one(name):
    """Weights, buffers and optimizer are all that the loop keeps; torch's generator is somewhere else by then."""
    experiment = small_experiment(name)

    def build():
        torch.manual_seed(3)
        network = experiment.learned_codec.build(experiment.model, experiment.training)
        return network, make_optimizer(network, experiment.training)

    def go_on(network, optimizer, steps):
        for _ in range(steps):
            optimizer.zero_grad()
            network.loss(network(crops()), crops()).total.backward()
            optimizer.step()

    whole, optimizer = build()
    go_on(whole, optimizer, 4)
    first, optimizer = build()
    go_on(first, optimizer, 2)
    second, other = build()
    torch.rand(100)
    second.load_state_dict(first.state_dict())
    other.load_state_dict(optimizer.state_dict())
    go_on(second, other, 2)
    expected = whole.state_dict()
    assert [key for key, tensor in second.state_dict().items() if not torch.equal(tensor, expected[key])] == []


@pytest.mark.parametrize("name", NAMES)
def test_exported_twice_it_is_the_same(name):
    """The loop exports the last weights, then the best ones from the same network."""
    experiment = small_experiment(name)
    network = experiment.learned_codec.build(experiment.model, experiment.training).eval()
    weights, images = network.state_dict(), torch.rand(2, 3, 64, 64)
    first = network.export(images)
    network.load_state_dict(weights)
    second = network.export(images)
    assert first.keys() == second.keys()
    assert all(torch.equal(first[key], second[key]) for key in first)


@pytest.mark.parametrize("name", ["mentzer-2018", "factorized", "hyperprior"])
def test_the_contract_of_a_learned_codec(name):
    codec = registry.learned(name)
    assert codec.name == name
    for member in LearnedCodec.__annotations__:
        assert hasattr(codec, member), member
    assert code_of("train", name)
    assert code_of("evaluate", name)


def test_names_and_settings_need_no_torch():
    program = (
        "import sys; from cvqn.codecs import registry; registry.learned('mentzer-2018'); "
        "registry.learned('hyperprior'); print('torch' in sys.modules)"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
    assert json.loads(done.stdout.lower()) is False, done.stderr
