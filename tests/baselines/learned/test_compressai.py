"""CompressAI's models: loss, parameter groups, strings as a payload, the zoo, and what is said without the library."""

import pytest
import torch
from safetensors.torch import load_file

from cvqn.bitstream.errors import CorruptError
from cvqn.codecs.store import load_model
from cvqn.compression import compress, decompress
from cvqn.errors import CvqnError
from cvqn.model.ms_ssim import ms_ssim
from cvqn_baselines.learned.compressai import library
from cvqn_baselines.learned.compressai.pretrained import save_pretrained
from cvqn_baselines.learned.compressai.strings import pack, unpack
from cvqn_baselines.learned.compressai.trained import PREFIX
from tests.baselines.learned.conftest import crops, small_experiment
from tests.trained import photograph

NAMES = ["factorized-low", "hyperprior-low"]
needs_compressai = pytest.mark.skipif(not library.installed(), reason="needs CompressAI")


def network(name):
    experiment = small_experiment(name)
    return experiment.learned_codec.build(experiment.model, experiment.training)


@needs_compressai
@pytest.mark.parametrize("name", NAMES)
def test_loss_is_a_plain_computation(name):
    model, images = network(name), crops()
    forward = model(images)
    loss = model.loss(forward, images)
    torch.manual_seed(int(model.noise_seed))  # the same noise
    output = model.network(images)
    bits = -sum(likelihoods.log2().sum() for likelihoods in output["likelihoods"].values())
    expected = bits / (2 * 64 * 64) + 4.58 * (1 - ms_ssim(output["x_hat"], images).mean()) + model.network.aux_loss()
    torch.testing.assert_close(loss.total, expected)


@needs_compressai
@pytest.mark.parametrize("name", NAMES)
def test_the_quantiles_are_a_group_of_their_own_that_the_auxiliary_loss_alone_trains(name):
    model, images = network(name), crops()
    groups = model.parameter_groups()
    assert [group["lr"] for group in groups] == [1e-4, 1e-3]
    forward = model(images)
    loss = model.loss(forward, images)
    (loss.total - loss.auxiliary).backward(retain_graph=True)
    assert all(quantiles.grad is None or not quantiles.grad.any() for quantiles in groups[1]["params"])
    model.zero_grad()
    loss.auxiliary.backward()
    assert all(quantiles.grad.any() for quantiles in groups[1]["params"])
    assert not any(parameter.grad is not None and parameter.grad.any() for parameter in groups[0]["params"])


@needs_compressai
@pytest.mark.parametrize("name", NAMES)
def test_our_files_hold_the_librarys_own_strings(name, folder_of):
    stored, picture = load_model(folder_of(name)), photograph(64, 128)
    experiment = small_experiment(name)
    model = library.build(experiment.learned_codec.model, experiment.model)
    tensors = load_file(folder_of(name) / "model.safetensors")
    model.load_state_dict({key.removeprefix(PREFIX): own for key, own in tensors.items() if key.startswith(PREFIX)})
    model.eval()
    with torch.no_grad():
        output = model.compress(torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 255)
    strings = [one[0] for one in output["strings"]]  # y, then z
    assert stored.model.encode([picture]) == [pack(strings[::-1])]


@needs_compressai
def test_a_model_of_the_zoo_is_stored_and_codes(tmp_path):
    save_pretrained("factorized", 1, tmp_path, pretrained=False)
    stored, picture = load_model(tmp_path), photograph(40, 60)
    assert stored.codec == "factorized"
    assert decompress(stored, compress(stored, picture)).shape == picture.shape


def test_without_the_library_a_codec_says_what_to_install(monkeypatch):
    monkeypatch.setattr(library, "installed", lambda: False)
    experiment = small_experiment("hyperprior-low")
    with pytest.raises(CvqnError, match=r"pip install '\.\[learned\]'"):
        experiment.learned_codec.build(experiment.model, experiment.training)


def test_strings_as_a_payload():
    for strings in ([b""], [b"abc", b""], [b"a" * 5, b"b" * 7, b"c"]):
        payload = pack(strings)
        assert len(payload) % 4 == 0
        assert unpack(payload, len(strings)) == strings
    good = pack([b"abc", b"defg"])
    for bad in (good[:-4], good + bytes(4), good[:3], b"", b"\xff" * 12, good[:-1] + b"x"):
        with pytest.raises(CorruptError):
            unpack(bad, 2)


@needs_compressai
@pytest.mark.parametrize("name", NAMES)
def test_entropy_models_run_in_float32_in_any_precision(name):
    model, images = network(name).eval(), crops()
    with torch.autocast("cpu", torch.bfloat16):
        forward = model(images)
        loss = model.loss(forward, images)
    assert forward.bits.dtype == forward.reconstruction.dtype == torch.float32
    assert loss.total.dtype == torch.float32
    with torch.no_grad():
        exact = model(images)
    torch.testing.assert_close(forward.bits, exact.bits, rtol=0.02, atol=1.0)
