"""A release is the same bytes each time; a clone takes it from a file or a web server, whole or not at all."""

import json
import os
import re
import socket
import subprocess
import tarfile

import pytest
from rocrate.rocrate import ROCrate

from cvqn.errors import CvqnError
from cvqn.files import sha256_file
from cvqn.lab.record.recorded import read_recorded
from cvqn.lab.record.release import MANIFEST, name_of, release
from cvqn.lab.record.restore import restore
from tests.faults import check_no_loss, handled

pytestmark = pytest.mark.workflow


@pytest.fixture(scope="module")
def packed(recorded, tmp_path_factory):
    """The release of a recorded scale."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(recorded.folder)
        return release("tiny", tmp_path_factory.mktemp("release"))


@pytest.fixture
def clone(recorded, tmp_path, monkeypatch):
    """A clone that nothing was restored in, as the current folder."""
    clone = recorded.clone(tmp_path / "clone")
    monkeypatch.chdir(clone.folder)
    return clone


def untouched(clone):
    """No file is there that git does not hold, but for what was downloaded so far."""
    return not (clone.results / "runs").exists() and not (clone.folder / ".snakemake").exists()


def test_made_twice_it_is_the_same_and_every_file_is_in_its_manifest(recorded, packed, tmp_path, monkeypatch):
    copy = recorded.copy(tmp_path)
    for path in copy.results.rglob("*.csv"):
        path.touch()
    monkeypatch.chdir(copy.folder)
    assert release("tiny", tmp_path / "second").read_bytes() == packed.read_bytes()
    assert packed.with_name(f"{packed.name}.sha256").read_text() == f"{sha256_file(packed)}  {packed.name}\n"
    folder = unpacked(packed, tmp_path / "out")
    subprocess.run(["sha256sum", "--check", "--quiet", MANIFEST], cwd=folder, check=True)
    listed = {line[66:] for line in (folder / MANIFEST).read_text().splitlines()}
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert listed == there - {MANIFEST}
    assert set(read_recorded("tiny").files) < listed


def unpacked(packed, folder):
    """The only folder of a release, unpacked as a user would."""
    folder.mkdir()
    subprocess.run(["tar", "--extract", "--file", packed, "--directory", folder], check=True)
    [only] = folder.iterdir()
    return only


def test_the_crate_in_it_describes_the_run(recorded, packed, tmp_path):
    folder = unpacked(packed, tmp_path / "out")
    crate = ROCrate(folder)
    assert crate.mainEntity.id == "Snakefile"
    assert "https://w3id.org/ro/wfrun/workflow/0.6" in {entity.id for entity in crate.root_dataset["conformsTo"]}
    action = crate.get("#run-tiny")
    assert action["instrument"].id == "Snakefile"
    assert action in crate.root_dataset["mentions"]
    manifests = {f"data/manifests/packaged-{part}.yaml" for part in ("train", "evaluation")}
    assert {entity.id for entity in action["object"]} == {"params.yaml", *recorded.overlays, *manifests}
    files = json.loads((recorded.results / "record/record.json").read_text())["files"]
    assert {entity.id: entity["sha256"] for entity in action["result"]} == files
    assert all((folder / entity.id).is_file() for entity in crate.get_by_type("File"))


def test_a_release_of_what_is_not_committed_or_not_restored(clone, tmp_path):
    with pytest.raises(CvqnError, match=r"different from the record \(\d+ such files\); run: cvqn restore tiny"):
        release("tiny", tmp_path)
    (clone.folder / "params.yaml").write_text("scale: another\n")
    with pytest.raises(CvqnError, match=r"params\.yaml: not committed"):
        release("tiny", tmp_path)


def test_an_interrupted_release_leaves_the_one_of_before(recorded, tmp_path, monkeypatch):
    monkeypatch.chdir(recorded.folder)
    out = tmp_path / "out"
    out.mkdir()
    (out / f"{name_of('tiny')}.tar").write_text("of before")
    (out / f"{name_of('tiny')}.tar.sha256").write_text("of before")

    def pack():
        os.chdir(recorded.folder)
        release("tiny", out)

    check_no_loss(lambda: handled(pack, monkeypatch), out, tmp_path, most=6)


def test_restored_from_a_file(clone, packed):
    count, command = restore("tiny", str(packed))
    recorded = read_recorded("tiny")
    assert count == len(recorded.files)
    assert recorded.differing(recorded.files) == []
    assert command.startswith("snakemake all ")
    assert clone.planned("all") == {}


def test_restored_from_a_web_server_after_an_interruption(clone, packed, server):
    data = packed.read_bytes()
    server.files = {"/r/tiny.tar": data, "/r/tiny.tar.sha256": f"{sha256_file(packed)}  tiny.tar\n".encode()}
    server.faults = [None, "drop", 404]
    with pytest.raises(CvqnError, match=f"{server.url}/r/tiny.tar: .*run the command again to resume"):
        restore("tiny", f"{server.url}/r/tiny.tar")
    assert untouched(clone)
    server.requests.clear()
    restore("tiny", f"{server.url}/r/tiny.tar")
    assert server.requests == [("/r/tiny.tar.sha256", None), ("/r/tiny.tar", f"bytes={len(data) // 2}-")]
    assert read_recorded("tiny").differing(read_recorded("tiny").files) == []
    clone.cvqn("data", "fetch", "packaged-evaluation")
    files, verified = read_recorded("tiny").files, clone.cvqn("verify", "tiny").splitlines()[-1]
    assert verified.startswith("tiny: verified; of its files ")
    by_result = map(int, re.findall(r"(\d+) (?:made again|attested|not made again)", verified))
    assert sum(by_result) == len(files), "each once"


def test_another_release_or_a_damaged_one_is_refused_and_nothing_added(clone, packed, tmp_path):
    damaged = tmp_path / "damaged.tar"
    data = bytearray(packed.read_bytes())
    with tarfile.open(packed) as archive:
        member = max(archive, key=lambda member: member.size)
    data[member.offset_data + 1000] ^= 1
    damaged.write_bytes(data)
    for path, message in (
        (damaged, f"{member.name.partition('/')[2]} in it is not the recorded file"),
        (tmp_path / "none.tar", "no such file"),
        (clone.folder / "LICENSE", "not a release, or damaged"),
    ):
        with pytest.raises(CvqnError, match=message):
            restore("tiny", str(path))
        assert untouched(clone)


def test_a_read_only_remote_on_a_web_server(clone, recorded, server):
    objects = recorded.objects(recorded.remote)
    server.files = {f"/dvc/{path.relative_to(recorded.remote).as_posix()}": path.read_bytes() for path in objects}
    clone.dvc("remote", "add", "--local", "--default", "web", f"{server.url}/dvc")
    restore("tiny")
    assert read_recorded("tiny").differing(read_recorded("tiny").files) == []


def test_a_server_that_is_down_or_lacks_a_file_is_named_and_nothing_added(clone, recorded, server):
    objects = recorded.objects(recorded.remote)
    server.files = {f"/dvc/{path.relative_to(recorded.remote).as_posix()}": path.read_bytes() for path in objects}
    server.files.pop(max(server.files, key=lambda name: len(server.files[name])))
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        down = f"http://127.0.0.1:{closed.getsockname()[1]}"
    clone.dvc("remote", "add", "--local", "--default", "web", f"{server.url}/dvc")
    for url, source in ((f"{server.url}/dvc", None), (f"{down}/dvc", None), (f"{down}/tiny.tar", f"{down}/tiny.tar")):
        if source is None:
            clone.dvc("remote", "modify", "--local", "web", "url", url)
        with pytest.raises(CvqnError) as error:
            restore("tiny", source)
        assert str(error.value).startswith(url)
        assert "--" not in str(error.value)
        assert untouched(clone)
