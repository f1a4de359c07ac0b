import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from cvqn.codecs import store
from cvqn.codecs.description import FILES, About, describe
from cvqn.codecs.shipped import folder_of_quality
from cvqn.codecs.store import load_model, save_model
from cvqn.errors import CvqnError
from tests.fuzz.targets import with_id
from tests.trained import ABOUT, made_model, make_model, store_model


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
    assert stored.about == description.about == ABOUT | {"experiment": "c16", "seed": 3}
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


def test_the_id_is_the_same_on_machines_of_the_other_byte_order():
    """NumPy's arrays of the other order are what such a machine has in its memory."""
    tensors = load_file(folder_of_quality(1) / "model.safetensors")
    tensors |= {"bytes": torch.arange(5, dtype=torch.uint8), "doubles": torch.rand(3, 2, dtype=torch.float64)}
    arrays = {name: tensor.numpy() for name, tensor in tensors.items()}
    other = {name: array.astype(array.dtype.newbyteorder("S")) for name, array in arrays.items()}
    assert len({array.dtype.str for array in other.values()} - {array.dtype.str for array in arrays.values()}) >= 3
    assert store._model_id("cvqn", {}, other) == store._model_id("cvqn", {}, arrays)
    other["doubles"][1, 1] += 1
    assert store._model_id("cvqn", {}, other) != store._model_id("cvqn", {}, arrays)


def test_what_a_model_says_of_itself_has_types():
    images = {"count": 3, "pack": "a pack", "sets": [{"name": "photos", "licence": "CC0", "index_sha256": "1"}]}
    trained = {"run": "c16-seed1", "experiment": "c16", "seed": 1, "scale": "small", "checkpoint": "last", "step": 9}
    zoo = {"run": "bmshj2018_factorized-3", "origin": "CompressAI's zoo"}
    for right in ({}, trained, zoo, trained | {"training_images": images}):
        About.parse(right)
    for wrong in (
        {"run": "x"}, {"run": "x", "scale": "tiny"}, {"run": 3}, trained | {"step": "9"}, trained | {"step": -1},
        {"training_images": []}, {"training_images": images | {"sets": [{"name": "photos"}]}},
        {"training_images": {"count": 3}}, {"training_seconds": 3}, {"torch": None, "training_seconds": 3},
    ):  # fmt: skip
        with pytest.raises(CvqnError) as caught:
            About.parse(wrong)
        assert "\n" not in str(caught.value)


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
        (lambda folder: (folder / "model.json").write_text('{"format": 2, "format": 2}'), "'format' appears twice"),
        (lambda folder: (folder / "model.json").write_text('{"about": {"seed": NaN}}'), "NaN is not a finite number"),
        (
            lambda folder: (folder / "model.json").write_text('{"about": {"seed": 1e999}}'),
            "1e999 is not a finite number",
        ),
        (lambda folder: (folder / "model.json").write_text('{"about":' * 100_000), "not valid JSON"),
        (edited(lambda content: content.update(format=1)), "model format 1, this version reads 2"),
        (edited(lambda content: content.pop("about")), "about: missing"),
        (edited(lambda content: content.update(about={"run": "x"})), "about: run 'x' without the scale and step"),
        (edited(lambda content: content["about"].update(step="many")), 'about: step: "many" is not allowed'),
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


def wider(factor):
    def change(settings):
        for name in ("encoder_widths", "decoder_widths"):
            settings[name] = [width * factor for width in settings[name]]

    return change


def with_tensor(part, change):
    return lambda tensors: tensors.update({name: change(one) for name, one in tensors.items() if part in name})


def copied(part, new):
    """Tensors once more, under other names."""
    return lambda tensors: tensors.update(
        {name.replace(part, new): one.clone() for name, one in tensors.items() if part in name}
    )


def exchanged(tensors):
    """The integer models of the first and the last group, which have other levels, in each other's place."""
    first, last = ({name: one for name, one in tensors.items() if name.startswith(f"integer.{g}.")} for g in (0, 2))
    tensors.update({name.replace("integer.0", "integer.2"): one for name, one in first.items()})
    tensors.update({name.replace("integer.2", "integer.0"): one for name, one in last.items()})


def unchanged(_):
    """Nothing."""


@pytest.mark.parametrize(
    ("settings", "tensors", "message"),
    [
        (wider(1000), unchanged, "a larger network"),
        (wider(10**10), unchanged, "do not fit|a larger network"),
        (lambda settings: settings.update(blocks=64), unchanged, "a larger network"),
        (lambda settings: settings.update(blocks=10_000), unchanged, "blocks: 10000 is not allowed"),
        (lambda settings: settings.update(levels=[3, 5, 10**9]), unchanged, "levels"),
        (lambda settings: settings.update(channels=32), unchanged, "do not fit"),
        (lambda settings: settings["context"].update(width=32), unchanged, "do not fit"),
        (unchanged, lambda tensors: tensors.pop("decoder.tail.bias"), "decoder.tail.bias"),
        (unchanged, lambda tensors: tensors.update(another=torch.zeros(3)), "another"),
        (unchanged, copied("integer.2.", "integer.3."), r"superfluous tensors \['integer.3.0.bias'"),
        (unchanged, copied("integer.0.0.bias", "integer.00.0.bias"), r"superfluous tensors \['integer.00.0.bias'\]"),
        (unchanged, copied("integer.0.0.bias", "integer.notes"), r"superfluous tensors \['integer.notes'\]"),
        (unchanged, copied("integer.0.0.bias", "integer.0.4.bias"), "missing or superfluous"),
        (unchanged, with_tensor("integer.2.0.bias", lambda one: one.long()), "integer context model"),
        (unchanged, with_tensor("controller.order", torch.zeros_like), "order of the channels"),
        (unchanged, with_tensor("controller.order", lambda one: one + 1), "order of the channels"),
        (unchanged, with_tensor("controller.order", lambda one: one[:-1].clone()), "do not fit"),
        (
            unchanged,
            with_tensor("means", lambda one: one * float("nan")),
            "means' holds a value that is not a finite number",
        ),
        (
            unchanged,
            with_tensor("tail.weight", lambda one: one / 0),
            "weight' holds a value that is not a finite number",
        ),
        (unchanged, exchanged, r"\[7, 5, 3\] levels for groups of \[3, 5, 7\]"),
    ],
)
def test_what_does_not_fit_is_refused_though_the_id_is_right(tmp_path, model_settings, settings, tensors, message):
    """In little memory: what settings ask for is compared with the tensors before it is filled."""
    folder = make_model(tmp_path / "model", model_settings())
    content = json.loads((folder / "model.json").read_text())
    changed = load_file(folder / "model.safetensors")
    settings(content["settings"])
    tensors(changed)
    for name, data in zip(FILES, with_id(content, changed), strict=True):
        (folder / name).write_bytes(data)
    with pytest.raises(CvqnError, match=message) as caught:
        load_model(folder)
    assert "\n" not in str(caught.value)
