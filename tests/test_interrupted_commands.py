"""Every other command that writes, struck by a full disk, SIGTERM, SIGHUP and SIGKILL as its files are written."""

import hashlib
import json
import os
import subprocess
import zipfile

import numpy as np
import pytest
import yaml

from cvqn.cli import main
from cvqn.images import write_png
from cvqn.lab.data import download as downloads
from cvqn.lab.data.download import Pin, download
from cvqn.lab.data.index import describe, write_index
from cvqn.lab.provenance.snakemake_records import Job
from cvqn.lab.record.checksums import write_checksums
from cvqn.lab.record.recorded import Recorded
from tests import ROOT
from tests.faults import check_no_loss, handled
from tests.trained import photograph

TINY = str(ROOT / "workflow" / "scales" / "tiny.yaml")


@pytest.fixture
def out(tmp_path, monkeypatch):
    """The folder in which a command works, as the current one."""
    (tmp_path / "out").mkdir()
    monkeypatch.chdir(tmp_path / "out")
    return tmp_path / "out"


def manifest(out, **content):
    (out / "manifests").mkdir()
    head = {"set": "x", "title": "some", "licence": "CC0"}
    (out / "manifests" / "x.yaml").write_text(yaml.safe_dump({**head, **content}))


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("kind", ["files", "archive"])
def test_fetch(out, tmp_path, monkeypatch, kind):
    mirror = tmp_path / "mirror"
    for number in range(2):
        write_png(mirror / f"{number}.png", photograph(20 + number, 30))
    monkeypatch.setenv("CVQN_MIRROR", str(mirror))
    files = sorted(mirror.iterdir())
    if kind == "files":
        images = [{"file": path.name, "bytes": path.stat().st_size, "sha256": sha256(path)} for path in files]
        manifest(out, kind="files", base_url="https://host/", images=images)
    else:
        with zipfile.ZipFile(mirror / "a.zip", "w") as archive:
            for path in files:
                archive.write(path, path.name)
        packed = {"url": "https://host/a.zip", "bytes": (mirror / "a.zip").stat().st_size, "unpacked_limit": 10**6}
        packed["sha256"] = sha256(mirror / "a.zip")
        manifest(out, kind="archive", archive=packed, members="*.png", count=2)
    set_of_before = out / "data" / "sets" / "x"
    set_of_before.mkdir(parents=True)
    (set_of_before / "index.json").write_text("{}")  # of another manifest
    called = ["data", "fetch", "x", "--root", "data", "--manifests", "manifests"]
    check_no_loss(lambda: main(called), out, tmp_path, may_go=lambda path: path.name == "index.json")


def test_download(out, tmp_path, monkeypatch, server):
    monkeypatch.setattr(downloads, "WAITS", ())
    data = np.random.default_rng(0).bytes(3 << 20)
    server.files = {"/a.bin": data}
    pin = Pin("sha256", hashlib.sha256(data).hexdigest(), len(data))
    (out / "a.bin").write_bytes(b"of before")

    def get():
        download(f"{server.url}/a.bin", out / "a.bin", pin)

    check_no_loss(handled_as(get, monkeypatch), out, tmp_path, may_stay=lambda path: path.name == "a.bin.part")


def handled_as(work, monkeypatch):
    return lambda: handled(work, monkeypatch)


@pytest.fixture
def index(tmp_path):
    """A set of one photograph that is large enough to be measured."""
    path = tmp_path / "set" / "index.json"
    write_png(path.parent / "a.png", photograph(161, 170))
    write_index(path, "one", "", [describe(path.parent / "a.png", "CC0")])
    return str(path)


def test_encode_and_measure(out, tmp_path, index, monkeypatch):
    (tmp_path / "of-measure").mkdir()

    def encode(quality, output):
        return ["encode", "--codec", "jpeg-420", "--quality", quality, "--images", index, "--output", str(output)]

    monkeypatch.setattr("cvqn.lab.evaluation.encode.cpu_seconds", lambda: 0.0)
    monkeypatch.setattr("cvqn.lab.evaluation.measure.cpu_seconds", lambda: 0.0)
    assert main(encode("10", "a.tar")) == 0
    check_no_loss(lambda: main(encode("20", "a.tar")), out, tmp_path)

    for quality in ("10", "20"):
        assert main(encode(quality, tmp_path / "archives" / f"{quality}.tar")) == 0
    archives = [str(tmp_path / "archives" / f"{quality}.tar") for quality in ("10", "20")]
    measure = ["measure", "--codec", "jpeg-420", "--images", index, "--output", "a.csv", "--bitstreams"]
    for path in out.iterdir():
        path.unlink()
    assert main([*measure, archives[0]]) == 0
    check_no_loss(lambda: main([*measure, *archives]), out, tmp_path / "of-measure", most=12)


@pytest.mark.parametrize("command", ["config", "plan", "identities"])
def test_settings_plans_and_identities(out, tmp_path, command):
    (out / "data").mkdir()
    (out / "data" / "manifests").symlink_to(ROOT / "data" / "manifests")
    overlays = [TINY, str(tmp_path / "other.yaml")]
    (tmp_path / "other.yaml").write_text("scale: other\n")
    calls = {
        "config": lambda files: ["config", *files, "--output", "new/a"],
        "plan": lambda files: ["plan", *files, "--write", "new/a"],
        "identities": lambda _: ["identities", "--output", "new/a"],
    }
    if command == "identities":
        (out / "new").mkdir()
        (out / "new" / "a").write_text('{"soft_quantizer": {}}')
    else:
        assert main(calls[command](overlays)) == 0
    check_no_loss(lambda: main(calls[command]([TINY])), out, tmp_path, most=10)


def test_checksums(out, tmp_path):
    environment = os.environ | {"GIT_CONFIG_GLOBAL": os.devnull}
    subprocess.run(["git", "init", "--quiet"], check=True, env=environment)
    (out / "cvqn" / "models").mkdir(parents=True)
    (out / "cvqn" / "models" / "a.json").write_text("new")
    (out / "SHA256SUMS").write_text("of before")
    subprocess.run(["git", "add", "."], check=True, env=environment)
    check_no_loss(lambda: main(["checksums"]), out, tmp_path)
    assert write_checksums() is None
    assert (out / "SHA256SUMS").read_text() == f"{sha256(out / 'cvqn/models/a.json')}  cvqn/models/a.json\n"


def test_the_record_of_a_scale(out, tmp_path, monkeypatch):
    old = out / "results/tiny/record"
    for path in (old / "runs/gone-seed1/log.csv", old / "runs/c16-seed1/log.csv", old / "jobs.json"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("of before")
    new = out / "results/tiny/runs/c16-seed1"
    new.mkdir(parents=True)
    for name in ("log.csv", "provenance.json", "other"):
        (new / name).write_text(f"new {name}")
    content = {"scale": "tiny", "commit": "0", "recorded": "", "stage": "", "overlays": [], "versions": {}, "data": {}}
    files = {path.relative_to(out).as_posix(): sha256(path) for path in new.iterdir()}
    recorded = Recorded.parse({**content, "constraints_sha256": "", "files": files}, "made")
    (old / "record.json").write_text("of before")
    jobs: dict[str, Job] = {}
    check_no_loss(handled_as(lambda: recorded.write(jobs), monkeypatch), out, tmp_path)
    assert {path.relative_to(old).as_posix() for path in old.rglob("*")} == {
        "jobs.json", "record.json", "runs", "runs/c16-seed1", "runs/c16-seed1/log.csv",
        "runs/c16-seed1/provenance.json",
    }  # fmt: skip
    assert json.loads((old / "record.json").read_text())["files"] == files
