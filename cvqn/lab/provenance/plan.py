"""Plans: the settings and the code of jobs, in a file that is named by a hash of its content and never changes.

The workflow writes the file before its first job and passes its name to every job. A job takes its settings from it and
refuses to run with other code, so edits made in the meantime have no effect or stop the job.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cvqn.documents import Strict, checked
from cvqn.errors import CvqnError
from cvqn.files import atomic_write, read_json, sha256_file
from cvqn.lab.provenance.fingerprint import Code, changes, code_of
from cvqn.lab.settings import configuration as configurations
from cvqn.lab.settings.configuration import Configuration
from cvqn.lab.settings.paths import Results

RULES = "rules"
DIGITS = 12  # of the SHA-256 of a plan, in its file's name


class ChangedCode(CvqnError):
    """The code is not what the job was planned with; a retry would fail in the same way."""

    exit_code = 78


class _Content(Strict):
    configuration: dict[str, Any]
    code: dict[str, Code]


@dataclass(frozen=True)
class Plan:
    """Settings, and the code of each job under `<job>` or `<job> <codec>`, with the workflow's rules under `RULES`."""

    configuration: Configuration
    code: dict[str, Code]

    @property
    def results(self) -> Results:
        """The paths of the scale's results."""
        return Results(self.configuration.results.as_posix())

    @property
    def path(self) -> str:
        """Where the plan is written."""
        return self.results.plan(hashlib.sha256(self._text().encode()).hexdigest()[:DIGITS])

    def write(self, path: str | Path | None = None) -> None:
        """Write the plan to `path`, by default to its own."""
        with atomic_write(path or self.path, "w") as file:
            file.write(self._text())

    def require_rules(self, folder: Path) -> None:
        """Refuse rules other than the planned ones.

        Raises:
            ChangedCode: the rules have changed; the message names the files.
        """
        planned, now = self.code.get(RULES, {}), rules_of(folder)
        differing = sorted(name for name in {*planned, *now} if planned.get(name) != now.get(name))
        if differing:
            raise ChangedCode(
                f"{folder}: changed since this job was planned ({', '.join(differing)}); start snakemake again, which "
                "plans with the current rules"
            )

    def require_code(self, job: str, codec: str | None = None, *modules: str) -> None:
        """Refuse code other than that which the job was planned with.

        Raises:
            ChangedCode: the code has changed; the message says what.
        """
        planned = self.code.get(key(job, codec))
        differing = changes(planned, code_of(job, codec, *modules)) if planned is not None else []
        if differing:
            raise ChangedCode(
                f"{key(job, codec)}: the code has changed since this job was planned ({', '.join(differing)}); "
                "start snakemake again, which plans with the current code"
            )

    def _text(self) -> str:
        return json.dumps({"configuration": self.configuration.plain(), "code": self.code}, indent=1)


def make_plan(
    configuration: Configuration,
    extra: Iterable[tuple[str, str | None, tuple[str, ...]]] = (),
    rules: Path | None = None,
) -> Plan:
    """The plan of a configuration with the current code.

    Args:
        extra: further jobs: name, codec, and modules besides those listed for the job.
        rules: the folder of the workflow's rules; None for commands that are run by hand.
    """
    learned = dict.fromkeys(one.codec for one in configuration.experiments.values())
    jobs: list[tuple[str, str | None, tuple[str, ...]]] = [(job, None, ()) for job in ("fetch", "pack", "identities")]
    jobs += [(job, codec, ()) for job in ("train", "evaluate", "complexity", "crops") for codec in learned]
    jobs += [(job, codec, ()) for job in ("encode", "measure", "crops") for codec in configuration.measured_codecs()]
    jobs += list(extra)
    code = {key(job, codec): code_of(job, codec, *modules) for job, codec, modules in jobs}
    return Plan(configuration, code if rules is None else code | {RULES: rules_of(rules)})


def rules_of(folder: Path) -> Code:
    """Hashes of the files with rules in a folder."""
    return {path.name: sha256_file(path)[:16] for path in sorted(folder.glob("*.smk"))}


def read_plan(path: str | Path) -> Plan:
    """A plan as `write` wrote it.

    Raises:
        CvqnError: the file is missing, is not a plan, or was edited after the workflow wrote it.
    """
    path = Path(path)
    content = checked(_Content, read_json(path), f"{path}: not a plan of jobs")
    if path.parent.name == "plans" and path.stem != sha256_file(path)[:DIGITS]:
        raise CvqnError(
            f"{path}: edited after the workflow had written it; start snakemake again, which writes another, or keep a "
            "plan of your own in a folder that is not called plans"
        )
    return Plan(configurations.validated(content.configuration, str(path)), content.code)


def key(job: str, codec: str | None = None) -> str:
    """The name of a job's code in a plan."""
    return job if codec is None else f"{job} {codec}"
