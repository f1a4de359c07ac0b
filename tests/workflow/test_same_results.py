import shutil
import subprocess
import sys
import tarfile

import pytest

from tests import ROOT
from tests.same_results import HEADER

pytestmark = pytest.mark.workflow
RUN = "runs/c16-seed1/last/model.safetensors"
FILES = "bitstreams/cvqn/c16-seed1.tar"


def compared(before, after):
    command = [sys.executable, "tests/same_results.py", str(before), str(after)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert run.stderr == ""
    return run.returncode, run.stdout.splitlines()


def test_equal_results_are_the_same_and_one_changed_byte_is_named(finished, tmp_path):
    before, after = finished.folder / "results" / "tiny", tmp_path / "tiny"
    shutil.copytree(before, after)
    for written in ("tables/table1.csv", "metrics.json", RUN, FILES):
        assert (after / written).is_file()
    code, (counted,) = compared(before, after)
    assert code == 0
    assert int(counted.split()[0]) > 40
    with tarfile.open(after / FILES) as archive:
        member = archive.next()
    for file, place, said in ((FILES, member.offset_data + HEADER, f"{member.name} differs"), (RUN, -1, "")):
        with open(after / file, "r+b") as changed:
            place = changed.seek(place, 2 if place < 0 else 0)
            [byte] = changed.read(1)
            changed.seek(place)
            changed.write(bytes([byte ^ 1]))
        code, (named, total) = compared(before, after)
        assert code == 1
        assert named.startswith(f"{file}: ")
        assert named.endswith("differs")
        assert said in named
        assert total.endswith(" compared, 1 differ")
        shutil.copy(before / file, after / file)
