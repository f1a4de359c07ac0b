import shutil

import numpy as np
import pytest
import torch

from cvqn.cli import main
from cvqn.codecs import container
from cvqn.codecs.store import load_model
from cvqn.compression import StoredCodec, compress, decompress
from cvqn.errors import CvqnError
from cvqn.images import read_picture, write_png
from tests.trained import make_model, photograph


@pytest.fixture
def folder(tmp_path, model_settings):
    return make_model(tmp_path / "model", model_settings())


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (16, 16), (17, 16), (33, 50), (70, 31)])
def test_a_decompressed_picture_is_what_the_network_makes_of_it(folder, size):
    stored = load_model(folder)
    picture = photograph(*size)
    decoded = decompress(stored, compress(stored, picture))
    before = [max(0, 64 - side) // 2 for side in size]
    after = [max(64, side + -side % 16) - side - first for side, first in zip(size, before, strict=True)]
    padded = np.pad(picture, (*zip(before, after, strict=True), (0, 0)), mode="edge")
    with torch.no_grad():
        image = stored.model.network(torch.tensor(padded).permute(2, 0, 1)[None] / 255).reconstruction[0]
    whole = (image.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy()
    expected = whole[before[0] : before[0] + size[0], before[1] : before[1] + size[1]]
    assert decoded.shape == picture.shape
    assert np.abs(decoded.astype(int) - expected).max() <= 1


def test_symbols_survive_the_file(folder):
    stored = load_model(folder)
    picture = photograph(64, 80)
    with torch.no_grad():
        latent = stored.model.network.analyse(torch.tensor(picture).permute(2, 0, 1)[None] / 255)
        expected = [group[0].numpy() for group in stored.model.network.controller.symbols(latent)]
    header, payload = container.unpack(compress(stored, picture), stored.model_id)
    symbols = stored.model.read_symbols(payload, header.height, header.width)
    assert (header.height, header.width) == (64, 80)
    for ours, theirs in zip(symbols, expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("part", ["decoder", "means", "order", "context"])
def test_a_file_of_another_model_is_refused(folder, tmp_path, model_settings, part):
    def change(model):
        if part == "decoder":
            model.decoder.tail.bias += 1e-3
        elif part == "means":
            model.controller.quantizers[1].means += 1e-3
        elif part == "order":
            model.controller.order.copy_(model.controller.order.roll(1))
        else:
            model.controller.contexts[0].last.bias += 1e-3

    other = load_model(make_model(tmp_path / "other", model_settings(), change=change))
    data = compress(load_model(folder), photograph(32, 32))
    with pytest.raises(CvqnError, match=other.model_id.hex()):
        decompress(other, data)


def test_rates_bracket_the_file(folder):
    codec = StoredCodec(folder)
    picture = photograph(128, 128)
    data = codec.encode(picture)
    rates = codec.rates(picture, data)
    levels_bits = (4 * np.log2(3) + 8 * np.log2(5) + 4 * np.log2(7)) / 256
    assert rates["bound_bpp"] == pytest.approx(levels_bits)
    payload = 8 * (len(data) - container.HEADER_SIZE) / picture[..., 0].size
    assert rates["cross_entropy_bpp"] == pytest.approx(payload, rel=0.02, abs=8 * 40 / picture[..., 0].size)


def test_command_line_on_a_file_and_a_folder(folder, tmp_path, capsys):
    pictures = tmp_path / "pictures"
    for number, size in enumerate([(20, 30), (16, 16)]):
        write_png(pictures / f"{number}.png", photograph(*size, seed=number))
    assert main(["compress", str(pictures / "0.png"), str(tmp_path / "0.cvqn"), "--model", str(folder)]) == 0
    assert main(["decompress", str(tmp_path / "0.cvqn"), str(tmp_path / "back.png"), "--model", str(folder)]) == 0
    assert read_picture(tmp_path / "back.png").shape == (20, 30, 3)
    assert main(["compress", str(pictures), str(tmp_path / "files"), "--model", str(folder)]) == 0
    assert main(["decompress", str(tmp_path / "files"), str(tmp_path / "decoded"), "--model", str(folder)]) == 0
    assert sorted(path.name for path in (tmp_path / "decoded").iterdir()) == [".cvqn-made", "0.png", "1.png"]
    assert (tmp_path / "files" / "0.cvqn").read_bytes() == (tmp_path / "0.cvqn").read_bytes()
    capsys.readouterr()
    assert main(["info", str(tmp_path / "0.cvqn"), "--model", str(folder)]) == 0
    shown = capsys.readouterr().out
    assert "30x20 pixels" in shown
    assert load_model(folder).model_id.hex() in shown
    assert "group 2" in shown


def test_bad_input_exits_with_2_and_leaves_nothing(folder, tmp_path, capsys):
    picture, target = tmp_path / "picture.png", tmp_path / "out.cvqn"
    write_png(picture, photograph(20, 20))
    broken = tmp_path / "broken.png"
    broken.write_bytes(picture.read_bytes()[:200])
    damaged = tmp_path / "damaged"
    shutil.copytree(folder, damaged)
    (damaged / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes()[:-4])
    unfit = tmp_path / "unfit"
    shutil.copytree(folder, unfit)
    description = (unfit / "model.json").read_text()
    (unfit / "model.json").write_text(description.replace('"channels": 16', '"channels": 32'))
    for arguments, named in [
        (["compress", str(broken), str(target), "--model", str(folder)], "broken.png"),
        (["compress", str(tmp_path / "none.png"), str(target), "--model", str(folder)], "none.png"),
        (["compress", str(picture), str(target), "--model", str(tmp_path)], "not a model folder"),
        (["compress", str(picture), str(target), "--model", str(damaged)], "damaged"),
        (["compress", str(picture), str(target), "--model", str(unfit)], "unfit"),
        (["decompress", str(picture), str(tmp_path / "out.png"), "--model", str(folder)], "picture.png"),
    ]:
        assert main(arguments) == 2
        assert named in capsys.readouterr().err
    assert not target.exists()
    assert not (tmp_path / "out.png").exists()
    assert not list(tmp_path.glob(".*"))


def test_what_is_wrong_with_one_of_many_files_names_it(folder, tmp_path, capsys):
    write_png(tmp_path / "strip.png", np.zeros((1, container.LARGEST_SIDE + 1, 3), np.uint8))
    assert main(["compress", str(tmp_path / "strip.png"), str(tmp_path / "out.cvqn"), "--model", str(folder)]) == 2
    assert "strip.png: " in capsys.readouterr().err
    (tmp_path / "foreign.cvqn").write_bytes(container.pack(10, 10, b"none", bytes(4)))
    assert main(["decompress", str(tmp_path / "foreign.cvqn"), str(tmp_path / "out.png")]) == 2
    assert f"foreign.cvqn: made with model {b'none'.hex()}" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["compress", "decompress"])
def test_nothing_is_written_over_the_input(folder, tmp_path, capsys, command):
    picture = tmp_path / "pictures" / "picture.png"
    write_png(picture, photograph(20, 20))
    before = picture.read_bytes()
    assert main([command, str(picture), str(picture), "--model", str(folder)]) == 2
    assert "is both input and output" in capsys.readouterr().err
    assert [path.read_bytes() for path in picture.parent.iterdir()] == [before]


def test_a_folder_may_be_input_and_output_and_keeps_its_pictures(folder, tmp_path, capsys):
    pictures = tmp_path / "pictures"
    write_png(pictures / "picture.png", photograph(20, 20))
    before = (pictures / "picture.png").read_bytes()
    assert main(["compress", str(pictures), str(pictures), "--model", str(folder)]) == 0
    assert sorted(path.name for path in pictures.iterdir()) == [".cvqn-made", "picture.cvqn", "picture.png"]
    assert main(["decompress", str(pictures), str(pictures), "--model", str(folder)]) == 2
    assert "picture.png: exists already" in capsys.readouterr().err
    assert (pictures / "picture.png").read_bytes() == before


def test_a_full_disk_is_a_clear_error(folder, tmp_path, capsys, monkeypatch):
    picture = tmp_path / "picture.png"
    write_png(picture, photograph(20, 20))

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    assert main(["compress", str(picture), str(tmp_path / "out.cvqn"), "--model", str(folder)]) == 74
    assert "no space left" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model", "picture.png"]
