"""The analysis of a small model's channels against plain loops over the same model."""

import csv
import json

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.stats import spearmanr
from skimage import data

from cvqn.cli import main
from cvqn.codecs.store import load_model
from cvqn.compression import compress, decompress
from cvqn.errors import CvqnError
from cvqn.lab.data.index import describe, write_index
from cvqn.lab.evaluation.analysis import analyse
from cvqn.lab.evaluation.identities import soft_quantizer
from cvqn.lab.evaluation.influence import analyse_picture, luminance_correlation
from cvqn.lab.evaluation.metrics import ms_ssim, ms_ssim_db, psnr_db
from cvqn.padding import pad_to_multiple
from tests.trained import made_model, store_model


@pytest.fixture
def stored(model_settings, tmp_path):
    """A three-group model of random weights whose symbols vary, its channels in an order of their own."""
    model = made_model(model_settings(), spread=100)
    with torch.no_grad():
        model.controller.quantizers[1].means.copy_(torch.tensor([0.3, -2.0, 1.0, 2.0, -1.0]))  # unsorted
    return load_model(store_model(tmp_path / "model", model))


@pytest.fixture
def picture():
    return np.ascontiguousarray(data.astronaut()[40:230, 100:300])  # sides no multiples of 16


def test_influence_is_what_a_picture_loses_without_the_channel(stored, picture):
    channels, _, _ = analyse_picture(stored.model, picture)
    whole = decompress(stored, compress(stored, picture))
    model = stored.model.network
    padded = torch.from_numpy(pad_to_multiple(picture, 16)).permute(2, 0, 1)[None].float() / 255
    with torch.no_grad():
        values = model.controller.values(model.controller.symbols(model.analyse(padded)))
        for channel in (0, 5, 15):
            cut = values.clone()
            cut[0, channel] = 0
            decoded = (model.decoder(cut)[0].clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy()
            decoded = decoded[: picture.shape[0], : picture.shape[1]]
            row = channels[channel]
            assert row["channel"] == channel + 1
            assert row["psnr_loss_db"] == pytest.approx(psnr_db(picture, whole) - psnr_db(picture, decoded), abs=1e-3)
            loss = ms_ssim_db(ms_ssim(picture, whole)) - ms_ssim_db(ms_ssim(picture, decoded))
            assert row["ms_ssim_loss_db"] == pytest.approx(loss, abs=1e-3)


def test_bits_add_up_to_the_file_and_groups_to_their_channels(stored, picture):
    channels, groups, maps = analyse_picture(stored.model, picture, influence=False)
    bits = sum(row["bits"] for row in channels)
    assert 8 * len(compress(stored, picture)) == pytest.approx(bits, abs=0.001 * bits + 8 * 40)
    assert "psnr_loss_db" not in channels[0]
    order = stored.model.layout.order
    assert [row["position"] for row in channels] == [order.index(channel) + 1 for channel in range(16)]
    for group in groups:
        own = [row for row in channels if row["group"] == group["group"]]
        assert len(own) == group["channels"]
        assert {row["levels"] for row in own} == {group["levels"]}
        assert sum(row["bits"] for row in own) == pytest.approx(group["bits"])
        drawn = maps[[row["channel"] - 1 for row in own]]
        shares = np.bincount(drawn.ravel(), minlength=group["levels"]) / drawn.size
        np.testing.assert_allclose([group[f"share_{rank}"] for rank in range(group["levels"])], shares)
        assert group["values_used"] == (shares > 0).sum()
        means = stored.model.network.controller.quantizers[group["group"] - 1].means.tolist()
        assert [group[f"value_{rank}"] for rank in range(group["levels"])] == pytest.approx(sorted(means))
    assert [group["channels"] for group in groups] == [4, 8, 4]


def test_maps_rank_the_values_of_a_group(stored, picture):
    _, _, maps = analyse_picture(stored.model, picture, influence=False)
    model = stored.model.network
    padded = torch.from_numpy(pad_to_multiple(picture, 16)).permute(2, 0, 1)[None].float() / 255
    with torch.no_grad():
        values = model.controller.values(model.controller.symbols(model.analyse(padded)))[0].numpy()
    assert maps.shape == values.shape == (16, 12, 13)
    for own, ranks in zip(values, maps, strict=True):
        for low, high in zip(np.unique(own)[:-1], np.unique(own)[1:], strict=True):
            assert ranks[own == low].max() < ranks[own == high].min()


def test_likeness_is_the_correlation_with_block_luminance(picture):
    grey = pad_to_multiple(picture, 16).astype(float) @ [0.299, 0.587, 0.114]
    blocks = np.array([[grey[16 * r : 16 * r + 16, 16 * c : 16 * c + 16].mean() for c in range(13)] for r in range(12)])
    noise = np.random.default_rng(0).random((12, 13))
    maps = np.stack([blocks, -3 * blocks + 1, noise, np.full((12, 13), 0.7)])
    expected = [1, 1, abs(np.corrcoef(noise.ravel(), blocks.ravel())[0, 1]), 0]
    np.testing.assert_allclose(luminance_correlation(maps, picture, 16), expected, atol=1e-9)


def test_the_analysis_of_a_set_as_files(stored, picture, tmp_path, capsys):
    Image.fromarray(picture).save(tmp_path / "first.png")
    Image.fromarray(np.ascontiguousarray(picture[::-1])).save(tmp_path / "second.png")
    write_index(
        tmp_path / "index.json", "two", "0", [describe(tmp_path / f"{name}.png", "") for name in ("first", "second")]
    )
    index, out = tmp_path / "index.json", tmp_path / "out"
    analyse("c16-seed1", stored.model, index, out, maps_of="second", influence=True)
    with open(tmp_path / "out" / "channels.csv", newline="") as file:
        channels = list(csv.DictReader(file))
    assert len(channels) == 2 * 16
    with open(tmp_path / "out" / "groups.csv", newline="") as file:
        groups = list(csv.DictReader(file))
    assert [row["share_6"] == "" for row in groups] == [True, True, False] * 2  # q = 3, 5, 7
    with np.load(tmp_path / "out" / "maps.npz", allow_pickle=False) as maps:
        assert str(maps["image"]) == "second"
        np.testing.assert_array_equal(
            maps["maps"], analyse_picture(stored.model, picture[::-1].copy(), influence=False)[2]
        )
    importance = json.loads((tmp_path / "out" / "importance.json").read_text())
    assert importance["order"] == [channel + 1 for channel in stored.model.layout.order]
    losses = np.zeros(16)
    for row in channels:
        losses[int(row["position"]) - 1] += float(row["psnr_loss_db"])
    expected = spearmanr(np.arange(16), losses).statistic
    assert importance["order_rank_correlation"]["psnr_loss_db"] == pytest.approx(expected)
    assert {row["run"] for row in channels} == {row["run"] for row in groups} == {"c16-seed1"}

    with pytest.raises(CvqnError, match="has no image third; it has first, second"):
        analyse("c16-seed1", stored.model, index, tmp_path / "again", maps_of="third", influence=True)
    assert not (tmp_path / "again").exists()
    analyse("c16-seed1", stored.model, index, tmp_path / "again", maps_of="second", influence=True)
    for name in ("channels.csv", "groups.csv", "maps.npz", "importance.json"):
        assert (tmp_path / "again" / name).read_bytes() == (out / name).read_bytes()
    analyse("c16-seed1", stored.model, index, tmp_path / "cheap", maps_of=None, influence=False)
    with np.load(tmp_path / "cheap" / "maps.npz", allow_pickle=False) as maps:
        assert str(maps["image"]) == "first"
    assert json.loads((tmp_path / "cheap" / "importance.json").read_text())["order_rank_correlation"] == {}


def test_se_weights_are_ranked_against_influence(model_settings, picture, tmp_path):
    model = made_model(model_settings(importance={"kind": "se"}), spread=100)
    with torch.no_grad():
        model.controller.order.copy_(torch.arange(16))
        model.importance.importance.copy_(torch.linspace(0.1, 0.9, 16))
    trained = load_model(store_model(tmp_path / "model", model)).model
    Image.fromarray(picture).save(tmp_path / "one.png")
    write_index(tmp_path / "index.json", "one", "0", [describe(tmp_path / "one.png", "")])
    analyse("se-seed1", trained, tmp_path / "index.json", tmp_path / "out", maps_of=None, influence=True)
    importance = json.loads((tmp_path / "out" / "importance.json").read_text())
    assert importance["weights"] == pytest.approx(np.linspace(0.1, 0.9, 16).tolist())
    assert importance["weights_rank_correlation"] == pytest.approx(importance["order_rank_correlation"])


def test_the_soft_quantizer_is_a_case_of_the_gmm_quantizer(tmp_path):
    found = soft_quantizer()
    assert found["largest_difference"] < 1e-6
    assert found["hard_differences"] == 0
    assert main(["identities", "--output", str(tmp_path / "identities.json")]) == 0
    assert json.loads((tmp_path / "identities.json").read_text()) == {"soft_quantizer": found}


def test_another_variance_is_not_the_soft_quantizer(monkeypatch):
    from cvqn.lab.evaluation import identities

    degenerate = identities._degenerate

    def wider(levels, means):
        quantizer = degenerate(levels, means)
        with torch.no_grad():
            quantizer.log_sigmas += 0.01
        return quantizer

    monkeypatch.setattr(identities, "_degenerate", wider)
    assert identities.soft_quantizer()["largest_difference"] > 1e-4
