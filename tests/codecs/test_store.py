import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from cvqn.codecs.description import describe
from cvqn.codecs.store import load_model, save_model
from cvqn.errors import CvqnError
from tests.trained import made_model, make_model, store_model


def test_rounded_weights_take_half_the_bytes_and_come_back_as_they_were(tmp_path, model_settings):
    model = made_model(model_settings(), spread=1)
    full = store_model(tmp_path / "full", model) / "model.safetensors"
    for parameter in model.parameters():
        parameter.data = parameter.data.half().float()
    half = store_model(tmp_path / "half", model) / "model.safetensors"
    numbers = sum(parameter.numel() for parameter in model.parameters())
    assert half.stat().st_size < full.stat().st_size - 1.9 * numbers
    loaded = load_model(tmp_path / "half").model.network.state_dict()
    for name, tensor in model.state_dict().items():
        assert loaded[name].dtype == tensor.dtype
        assert torch.equal(loaded[name], tensor)


def test_a_model_comes_back_with_all_that_was_said_of_it(tmp_path, model_settings):
    folder = store_model(tmp_path / "model", made_model(model_settings()), experiment="c16", seed=3)
    stored, description = load_model(folder), describe(folder)
    assert stored.about == description.about == {"run": "test", "experiment": "c16", "seed": 3}
    assert stored.codec == description.codec == "cvqn"
    assert description.settings == model_settings().plain()
    assert stored.model.network.settings == model_settings()
    assert stored.model_id.hex() == description.model_id == json.loads((folder / "model.json").read_text())["model_id"]


def test_the_id_hangs_on_codec_settings_and_every_tensor(tmp_path, model_settings):
    tensors = {"a": torch.arange(3), "b": torch.rand(2, 2)}
    ids = [save_model(tmp_path, "cvqn", model_settings(), tensors, about) for about in ({}, {"seed": 2})]
    assert ids[0] == ids[1]
    others = [
        ("other", model_settings(), tensors),
        ("cvqn", model_settings(blocks=2), tensors),
        ("cvqn", model_settings(), tensors | {"a": torch.tensor([0, 1, 3])}),
        ("cvqn", model_settings(), tensors | {"b": tensors["b"] + 1e-7}),
        ("cvqn", model_settings(), {"a": tensors["a"], "c": tensors["b"]}),
        ("cvqn", model_settings(), tensors | {"b": tensors["b"].reshape(4)}),
    ]
    ids += [save_model(tmp_path, *other, {}) for other in others]
    assert len(set(ids[1:])) == len(ids) - 1


def edited(change):
    def harm(folder):
        content = json.loads((folder / "model.json").read_text())
        change(content)
        (folder / "model.json").write_text(json.dumps(content))

    return harm


def without(name):
    return lambda folder: (folder / name).unlink()


def other_tensor(folder):
    tensors = load_file(folder / "model.safetensors")
    tensors["decoder.tail.bias"] = tensors["decoder.tail.bias"] + 1
    save_file(tensors, folder / "model.safetensors")


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (without("model.json"), "not a model folder, model.json is missing"),
        (without("model.safetensors"), "not a model folder, model.safetensors is missing"),
        (lambda folder: (folder / "model.json").write_text("{"), "not valid JSON"),
        (lambda folder: (folder / "model.json").write_text("[]"), "not the description of a model"),
        (edited(lambda content: content.update(format=1)), "model format 1, this version reads 2"),
        (edited(lambda content: content.pop("about")), "about: missing"),
        (edited(lambda content: content.update(model_id="12")), "model_id"),
        (edited(lambda content: content.update(codec="nothing")), "nothing: no such codec; installed:.*cvqn"),
        (edited(lambda content: content.update(codec="webp")), "webp: a conventional codec"),
        (edited(lambda content: content["settings"].update(blocks=2)), "tensors and settings give model id"),
        (other_tensor, "tensors and settings give model id"),
        (lambda folder: (folder / "model.safetensors").write_bytes(b"no tensors"), "damaged or not safetensors"),
    ],
)
def test_a_folder_that_is_no_whole_model_is_refused(tmp_path, model_settings, harm, message):
    folder = make_model(tmp_path / "model", model_settings())
    harm(folder)
    with pytest.raises(CvqnError, match=message) as caught:
        load_model(folder)
    assert "\n" not in str(caught.value)


def test_tensors_that_do_not_fit_the_settings_are_refused_though_the_id_is_right(tmp_path, model_settings):
    model = made_model(model_settings())
    tensors = model.export(torch.rand(1, 3, 64, 64))
    for name, settings, changed in [
        ("wider", model_settings(channels=32), tensors),
        ("fewer", model_settings(), {name: t for name, t in tensors.items() if name != "decoder.tail.bias"}),
        ("no-integer", model_settings(), {name: t for name, t in tensors.items() if not name.startswith("integer.2")}),
    ]:
        save_model(tmp_path / name, "cvqn", settings, changed, {})
        with pytest.raises(CvqnError) as caught:
            load_model(tmp_path / name)
        assert name in str(caught.value) or "integer context model" in str(caught.value)
    shutil.rmtree(tmp_path / "wider")
