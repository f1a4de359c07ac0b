"""A project in a git repository with a DVC remote beside it, driven by the commands that a user types."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from tests import ROOT
from tests.projects import Project

IDENTITY = {f"GIT_{who}_{what}": "test@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
PARTS = (".dvcignore", ".dvc/config", ".dvc/.gitignore", "LICENSE", "docs/figures/small-rate-distortion.png")
REMOTE = "cvqn-dvc-remote"
SCALE = "workflow/scales/tiny.yaml"
FEWEST = "workflow/scales/fewest.yaml"
FEWEST_TEXT = """\
report:
  rate_curve: [c16, toy]
  table1: [c16]
  table2: [c16]
  toy: c16
  figure4: {experiment: c16}
codecs:
  jpeg2000: {qualities: []}
  jpeg-420: {qualities: []}
"""


class Repository(Project):
    """A project under git, of which the scale tiny, with the fewest jobs, is one that certifies."""

    overlays = (SCALE, FEWEST)

    def __init__(self, folder: Path):
        super().__init__(folder)
        self.environment |= IDENTITY | {"DVC_NO_ANALYTICS": "1"}
        self.results = folder / "results" / "tiny"
        self.remote = folder.parent / REMOTE

    def run(self, *command: str, code: int = 0) -> str:
        """What a command prints on both streams; it must end with this exit code."""
        run = subprocess.run(command, cwd=self.folder, env=self.environment, capture_output=True, text=True)
        assert run.returncode == code, f"{command}: {run.returncode}\n{run.stdout[-3000:]}{run.stderr[-3000:]}"
        return run.stdout + run.stderr

    def snakemake(self, *arguments: str, **options) -> str:
        """Output of snakemake with the scale's overlays."""
        return super().snakemake(*arguments, "--configfile", *self.overlays, **options)

    def git(self, *arguments: str) -> str:
        return self.run("git", *arguments)

    def cvqn(self, *arguments: str, code: int = 0) -> str:
        return self.run("cvqn", *arguments, code=code)

    def dvc(self, *arguments: str) -> str:
        """What DVC prints on its standard output."""
        command = [sys.executable, "-m", "dvc", *arguments]
        run = subprocess.run(command, cwd=self.folder, env=self.environment, capture_output=True, text=True)
        assert run.returncode == 0, run.stderr
        return run.stdout

    def commit(self, message: str) -> None:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message)

    def record(self) -> dict[str, bytes]:
        """Every file of the record, as it is now."""
        folder = self.results / "record"
        paths = [self.folder / "dvc.lock", self.folder / "SHA256SUMS", *folder.rglob("*")]
        return {str(path.relative_to(self.folder)): path.read_bytes() for path in paths if path.is_file()}

    def objects(self, holder: Path) -> list[Path]:
        """The files in a DVC cache or remote."""
        return sorted(path for path in (holder / "files" / "md5").rglob("*") if path.is_file())

    def copy(self, folder: Path) -> "Repository":
        """This repository and its remote in another place, file times included."""
        shutil.copytree(self.folder, folder / "project", symlinks=True)
        shutil.copytree(self.remote, folder / REMOTE)
        return Repository(folder / "project")

    def clone(self, folder: Path) -> "Repository":
        """A clone, as git makes it, that finds the remote by its full path."""
        subprocess.run(["git", "clone", "--quiet", self.folder, folder], check=True)
        other = Repository(folder)
        other.remote = self.remote
        other.dvc("remote", "modify", "--local", "beside", "url", str(self.remote))
        return other


def write_stages(repository: Repository) -> None:
    """dvc.yaml with the scale tiny, run with the repository's overlays, in place of small."""
    command = f"snakemake all --profile workflow/profiles/local --cores 2 --configfile {' '.join(repository.overlays)}"
    stages = (ROOT / "dvc.yaml").read_text()
    stages = re.sub(r"(?m)^      small: .*$", f"      tiny: cvqn not-by-dvc {command}", stages)
    stages = re.sub(r"(?m)^(  - results/)small\b", r"\1tiny", stages)
    stages = re.sub(r"(?m)^        results/small/curves/(?!cvqn|webp).*\n", "", stages)
    stages = stages.replace("small-codecs", "tiny-codecs").replace("results/small/curves/", "results/tiny/curves/")
    (repository.folder / "dvc.yaml").write_text(stages)


def new_repository(sources: Path, folder: Path) -> Repository:
    """The sources as a git repository in which tiny is the scale that certifies, with a DVC remote beside it."""
    shutil.copytree(sources, folder / "project", symlinks=True)
    repository = Repository(folder / "project")
    for part in PARTS:
        (repository.folder / part).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / part, repository.folder / part)
    (repository.folder / FEWEST).write_text(FEWEST_TEXT)
    write_stages(repository)
    ignored = (ROOT / ".gitignore").read_text().replace("/results/tiny/\n", "")
    (repository.folder / ".gitignore").write_text(ignored)
    repository.git("init", "--quiet")
    repository.commit("code")
    os.mkdir(repository.remote)
    return repository
