"""A full disk, SIGTERM, SIGHUP and SIGKILL at each call by which files are written: nothing is lost, nothing left."""

import errno
import os
import shutil

import pytest
import torch

from cvqn.cli import main
from cvqn.codecs.store import load_model
from cvqn.compression import compress
from cvqn.files import atomic_write, place
from cvqn.images import write_png
from cvqn.lab.data.index import describe, write_index
from cvqn.lab.training.store import Entry
from tests.faults import NEVER_FULL, SIGNALS, handled, in_child
from tests.trained import make_model, photograph


@pytest.fixture
def model(tmp_path, model_settings):
    return make_model(tmp_path / "model", model_settings())


@pytest.fixture(params=["compress", "decompress", "pack", "describe", "state", "finish", "place"])
def job(request, tmp_path, monkeypatch, model):
    """What is done, where it writes, and its outputs, the last to appear first."""
    given, out = tmp_path / "given", tmp_path / "out"
    out.mkdir()
    given.mkdir()
    entry = Entry(out, "c16-seed1", "0" * 12)
    old, new = {"step": 1, "tensor": torch.zeros(9)}, {"step": 2, "tensor": torch.ones(9)}
    match request.param:
        case "compress" | "decompress" as command:
            picture, file = given / "a.png", given / "a.cvqn"
            write_png(picture, photograph(20, 30))
            stored = load_model(model)  # once, not in every process
            monkeypatch.setattr("cvqn.cli.loading.load", lambda *_: stored)
            file.write_bytes(compress(stored, photograph(20, 30)))
            source, output = (picture, out / "b.cvqn") if command == "compress" else (file, out / "b.png")
            output.write_bytes(b"of the user")
            called = [command, str(source), str(output), "--model", str(model), "--force"]
            return lambda: main(called), out, [output]
        case "pack":
            for name, height in (("old", 20), ("new", 30)):
                write_png(given / name / "a.png", photograph(height, 40))
                write_index(given / name / "index.json", "some", "", [describe(given / name / "a.png", "CC0")])
            calls = {
                name: ["data", "pack", "--sets", str(given / name / "index.json"), "--output", str(out / "all.npy")]
                for name in ("old", "new")
            }
            assert main(calls["old"]) == 0
            return lambda: main(calls["new"]), out, [out / "all.json", out / "all.npy"]
        case "describe":
            write_png(given / "a.png", photograph(20, 30))
            called = ["data", "describe", str(given), "--name", "mine", "--licence", "CC0", "--manifests", str(out)]
            return lambda: main(called), out, [out / "mine.yaml"]
        case "state":
            entry.folder.mkdir()
            entry.save(old)
            return lambda: handled(lambda: entry.save(new), monkeypatch), out, [entry.state_path]
        case "finish":
            entry.folder.mkdir()
            entry.save(old)
            entry.log_path.write_text("step\n")

            def write(folder):
                for name in ("last", "best"):
                    with atomic_write(folder / name / "model") as file:
                        file.write(b"trained")

            output = entry.finished_path / "best" / "model"
            return lambda: handled(lambda: entry.finish(write), monkeypatch), out, [output]
        case "place":
            (given / "a").write_bytes(b"new")
            (out / "b").write_bytes(b"old")
            return lambda: handled(lambda: place(given / "a", out / "b"), monkeypatch), out, [out / "b"]


def test_nothing_is_lost_and_nothing_left(job, tmp_path):
    work, out, outputs = job
    kept = tmp_path / "kept"
    shutil.copytree(out, kept)
    kept_files = {path.relative_to(kept): path.read_bytes() for path in kept.rglob("*") if path.is_file()}

    def again():
        shutil.rmtree(out)
        shutil.copytree(kept, out)
        return {path: path.read_bytes() if path.exists() else None for path in outputs}

    calls = tmp_path / "calls"
    before = again()
    code, said = in_child(work, out, lambda number, name: calls.open("a").write(f"{name}\n"))
    assert code == 0, said
    after = {path: path.read_bytes() if path.exists() else None for path in outputs}
    assert after != before
    names = calls.read_text().split()
    assert len(names) >= 4

    for number, name in enumerate(names, 1):
        for fault in ("full", *SIGNALS):
            if fault == "full" and name in NEVER_FULL:
                continue
            again()

            def strike(now, _, number=number, fault=fault):
                if now == number:
                    if fault == "full":
                        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                    os.kill(os.getpid(), SIGNALS[fault])

            code, said = in_child(work, out, strike)
            what = f"{fault} at call {number}, {name}: exit code {code}, {said}"
            assert code in {"full": (0, 74), "SIGKILL": (-9,)}.get(fault, (0, 128 + SIGNALS.get(fault, 0))), what
            assert said.count("\n") == (code > 0), what
            found = {path: path.read_bytes() if path.exists() else None for path in outputs}
            assert code or found == after, what
            index_gone = [{**one, outputs[0]: None} for one in (before, after)]  # of a pack, never another's
            assert found in (before, after, *index_gone), what
            if not any(found.values()):
                assert all((out / name).read_bytes() == data for name, data in kept_files.items()), what
            left = {path for path in out.rglob("*") if path.is_file()} - {*outputs}
            left -= {out / name for name in kept_files}
            left = {path for path in left if not {"finished", ".all.whole"} & {*path.parts}}
            if fault != "SIGKILL":
                assert not left, what
                assert not list(out.rglob("*.part")), what
            assert all(".part" in str(path) for path in left), what
            if fault == "SIGKILL" and found[outputs[0]] != after[outputs[0]]:
                assert in_child(work, out, lambda *_: None)[0] == 0, what
                assert {path: path.read_bytes() if path.exists() else None for path in outputs} == after, what
