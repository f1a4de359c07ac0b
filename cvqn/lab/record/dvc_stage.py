"""What DVC knows about a scale: its stage in dvc.yaml, the files of its outputs, their copies in cache and remote.

Only this module uses DVC's private interface.
"""

import argparse
import hashlib
import json
import shlex
from dataclasses import dataclass
from pathlib import Path

import yaml
from dvc.exceptions import DvcException
from dvc.repo import Repo
from dvc_data.index import DataIndexDirError

from cvqn.errors import CvqnError
from cvqn.files import atomic_write

LOCK = Path("dvc.lock")
NOT_BY_DVC = "cvqn not-by-dvc "
MARK = ".snakemake_timestamp"  # Snakemake writes it into a folder that is an output; .dvcignore lists it too


@dataclass(frozen=True)
class Stage:
    """A stage of dvc.yaml.

    Attributes:
        command: the command that makes the results, as a user would type it.
        outputs: paths relative to the project, each with whether DVC holds its content.
    """

    name: str
    command: str
    outputs: tuple[tuple[str, bool], ...]
    remote: str | None
    cache: Path

    @property
    def overlays(self) -> list[str]:
        """The configuration files that the stage's command names, later ones on top."""
        parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
        parser.add_argument("--configfile", nargs="+", default=[])
        return parser.parse_known_args(shlex.split(self.command))[0].configfile

    def files(self) -> list[str]:
        """Every file under the outputs.

        Raises:
            CvqnError: an output is missing.
        """
        for output, _ in self.outputs:
            if not Path(output).exists():
                raise CvqnError(f"{output}: not there; run the workflow, or get it with: cvqn restore")
        return self.present()

    def present(self) -> list[str]:
        """Every file under the outputs that are here."""
        paths = [Path(output) for output, _ in self.outputs]
        inside = [file for path in paths for file in (path.rglob("*") if path.is_dir() else [path])]
        return sorted(file.as_posix() for file in inside if file.is_file() and file.name != MARK)

    def holds(self, path: str) -> bool:
        """Whether DVC, and not git, keeps a file of the outputs."""
        return any(Path(path).is_relative_to(output) for output, cached in self.outputs if cached)

    def require_remote(self) -> None:
        """Raise CvqnError if no remote is configured, or if it is a folder that does not exist."""
        if self.remote is None:
            raise CvqnError("DVC has no default remote; choose one: dvc remote add --default NAME URL")
        if "://" not in self.remote and not Path(self.remote).is_dir():
            raise CvqnError(
                f"{self.remote}: the DVC remote is not there; make this folder to record into it, "
                "or name the one that holds the record: dvc remote modify --local beside url URL, "
                "or get a release: cvqn restore SCALE --from FILE"
            )

    def require_sound_cache(self) -> dict[str, Path]:
        """Compare the files in DVC's cache for this stage with their checksums, because DVC itself trusts its cache.

        Returns:
            The copy in the cache of every file that dvc.lock names, by the file's path.

        Raises:
            CvqnError: a file is missing from the cache or damaged.
        """
        with Repo() as repo:
            [stage] = repo.stage.collect(self.name)
            # A record may be older than some of the outputs in dvc.yaml, which then have no hash.
            names = {out.def_path: out.hash_info.value for out in stage.outs if out.use_cache and out.hash_info}
        copies = {}
        for output, name in names.items():
            self._check_object(name)
            if not name.endswith(".dir"):
                copies[output] = self._object(name)
                continue
            for entry in json.loads(self._object(name).read_text(encoding="utf-8")):
                self._check_object(entry["md5"])
                copies[f"{output}/{entry['relpath']}"] = self._object(entry["md5"])
        return copies

    def commit_present(self) -> None:
        """Write the hashes of dependencies and present outputs to dvc.lock; absent outputs keep theirs.

        Raises:
            CvqnError: DVC failed.
        """
        try:
            with Repo() as repo:
                repo.commit(self.name, force=True, allow_missing=True, relink=False)
        except DvcException as error:
            raise CvqnError(f"dvc commit {self.name}: {error}") from error

    def recorded_outputs(self) -> list[str]:
        """The outputs that DVC keeps and dvc.lock names; a record need not have all of them."""
        locked = yaml.safe_load(LOCK.read_text(encoding="utf-8"))["stages"][self.name]["outs"]
        paths = {out["path"] for out in locked}
        return [path for path, cached in self.outputs if cached and path in paths]

    def forget_absent(self) -> None:
        """Remove the hashes of the outputs that are not here from dvc.lock."""
        content = yaml.safe_load(LOCK.read_text(encoding="utf-8"))
        own = content["stages"][self.name]
        own["outs"] = [out for out in own["outs"] if Path(out["path"]).exists()]
        with atomic_write(LOCK, "w") as file:
            yaml.safe_dump(content, file, sort_keys=False)

    def _check_object(self, name: str) -> None:
        path = self._object(name)
        try:
            with open(path, "rb") as file:
                found = hashlib.file_digest(file, "md5").hexdigest()
        except OSError as error:
            raise CvqnError(f"{path}: DVC's cache lacks this file ({error.strerror})") from error
        if found != name.removesuffix(".dir"):
            raise CvqnError(f"{path}: damaged, its MD5 is {found}; delete this file of DVC's cache and run again")

    def _object(self, name: str) -> Path:
        return self.cache / name[:2] / name[2:]


def read_stage(scale: str) -> Stage:
    """The stage of a scale.

    Raises:
        CvqnError: this folder is not the project's, or dvc.yaml has no such scale.
    """
    name = f"scale@{scale}"
    try:
        with Repo(Path.cwd()) as repo:
            [stage] = repo.stage.collect(name)
            remotes, default = repo.config["remote"], repo.config["core"].get("remote")
            return Stage(
                name,
                stage.cmd.removeprefix(NOT_BY_DVC),
                tuple((out.def_path, out.use_cache) for out in stage.outs),
                str(remotes[default]["url"]) if default in remotes else None,
                Path(repo.cache.local.path),
            )
    except DvcException as error:
        raise CvqnError(f"{scale}: {error}; name a scale of dvc.yaml, in the project's folder") from error


def cached(path: str) -> bytes | None:
    """A file of a stage's outputs as of the last commit, from DVC's cache or remote; None if neither has it."""
    import dvc.api

    try:
        content: bytes = dvc.api.read(path, rev="HEAD", mode="rb")
    except (DvcException, DataIndexDirError, OSError):
        return None
    return content
