"""Changes of verdicts since a git revision, for use in CI."""

import subprocess
from pathlib import Path

from cvqn.documents import checked
from cvqn.errors import CvqnError
from cvqn.files import parse_json, read_json
from cvqn.lab.report.audit.verdicts import IDENTITY, NOT_REPRODUCED, REPRODUCED, SETTING_USED
from cvqn.lab.report.job_files import Audit

GOOD = (REPRODUCED, IDENTITY, SETTING_USED)


def audit_at(revision: str, path: str | Path) -> dict:
    """The audit.json that `path` held at a git revision.

    Raises:
        CvqnError: git cannot be run, has no such revision or file, or the file is not an audit.
    """
    path = Path(path)
    command = ["git", "-C", str(path.resolve().parent), "show", f"{revision}:./{path.name}"]
    try:
        run = subprocess.run(command, capture_output=True, check=False, timeout=60)
    except OSError as error:
        raise CvqnError(f"git cannot be run ({error.strerror}); --against needs it") from error
    if run.returncode:
        said = run.stderr.decode(errors="replace").strip()
        reason = said.splitlines()[-1] if said else "git failed"
        raise CvqnError(f"{path} at {revision}: {reason}")
    name = f"{path} at {revision}"
    result = parse_json(run.stdout, name)
    checked(Audit, result, f"{name}: not an audit")
    return result


def read_audit(path: str | Path) -> dict:
    """The audit in a file.

    Raises:
        CvqnError: the file cannot be read, or is not an audit.
    """
    try:
        result = read_json(Path(path))
    except CvqnError as error:
        raise CvqnError(f"{error}; write it with cvqn audit --plan first") from error
    checked(Audit, result, f"{path}: not an audit")
    return result


def verdicts(result: dict) -> dict[str, str]:
    """The verdict of each claim by its id."""
    return {claim["id"]: claim["verdict"] for claim in result["claims"]}


def changes(before: dict, after: dict) -> list[tuple[str, str | None, str | None, bool]]:
    """Claims whose verdict differs: id, verdict before and after (None: no such claim), and whether that is worse.

    A change is worse if the claim was reproduced, an identity or a setting used before, or is not reproduced now.
    """
    old, new = verdicts(before), verdicts(after)
    found = []
    for name in dict.fromkeys([*old, *new]):
        was, now = old.get(name), new.get(name)
        if was != now:
            found.append((name, was, now, was in GOOD or now == NOT_REPRODUCED))
    return found
