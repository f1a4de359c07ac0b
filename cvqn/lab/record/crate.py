"""A release as a Workflow Run RO-Crate (https://w3id.org/ro/wfrun/workflow/0.6): the workflow, and its recorded run.

One CreateAction represents the run: its objects are params.yaml, the overlays and the manifests of the data sets, its
results all files of the record. Snakemake's own records are attached as the trace of the workflow engine.
"""

import json
from datetime import UTC, datetime
from pathlib import Path

from rocrate.model.contextentity import ContextEntity
from rocrate.model.entity import Entity
from rocrate.rocrate import ROCrate

from cvqn.lab.record.recorded import Recorded, record_folder

NAME = "ro-crate-metadata.json"
PROFILES = {"process": "Process Run Crate", "workflow": "Workflow Run Crate"}
PROFILE_VERSION = "0.6"
TERMS = "https://w3id.org/ro/terms/workflow-run/context"
TYPES = {
    ".csv": "text/csv", ".html": "text/html", ".json": "application/json", ".md": "text/markdown", ".png": "image/png",
    ".svg": "image/svg+xml", ".tar": "application/x-tar", ".yaml": "application/yaml",
}  # fmt: skip


def describe(recorded: Recorded) -> bytes:
    """The crate of a recorded scale, whose files must be in the current folder, as JSON-LD."""
    crate = _crate(recorded)
    _add_run(crate, recorded)
    content = crate.metadata.generate()
    content["@graph"].sort(key=lambda entity: entity["@id"])
    return json.dumps(content, indent=1, sort_keys=True).encode() + b"\n"


def _crate(recorded: Recorded) -> ROCrate:
    crate = ROCrate()
    crate.metadata.extra_contexts.append(TERMS)
    crate.name = f"CVQN benchmark: the workflow and its run at scale {recorded.scale}"
    crate.description = (
        "Regenerates the results of Channel-Level Variable Quantization Network for Deep Image Compression "
        f"(IJCAI 2020) at scale {recorded.scale}"
    )
    crate.license = crate.add_file("LICENSE", "LICENSE", properties={"name": "BSD 3-Clause License"})
    crate.datePublished = datetime.fromisoformat(recorded.recorded)
    workflow = crate.add_workflow("Snakefile", "Snakefile", main=True, lang="snakemake")
    workflow["name"] = "CVQN benchmark"
    workflow["hasPart"] = [_add_file(crate, path.as_posix()) for path in sorted(Path("workflow/rules").glob("*.smk"))]
    for profile, name in PROFILES.items():
        url = f"https://w3id.org/ro/wfrun/{profile}/{PROFILE_VERSION}"
        properties = {"@type": ["CreativeWork", "Profile"], "name": name, "version": PROFILE_VERSION}
        crate.root_dataset.append_to("conformsTo", crate.add(ContextEntity(crate, url, properties=properties)))
    return crate


def _add_run(crate: ROCrate, recorded: Recorded) -> None:
    jobs = recorded.jobs().values()
    inputs = [_add_file(crate, path) for path in ("params.yaml", *recorded.overlays)]
    inputs += [_add_file(crate, one.manifest, one.sha256) for one in recorded.data.values()]
    properties = {
        "name": f"Run of the workflow at scale {recorded.scale}",
        "description": f"Code at git commit {recorded.commit}; Snakemake {recorded.versions['snakemake']}",
        "startTime": _iso(min(job.began for job in jobs)),
        "endTime": _iso(max(job.ended for job in jobs)),
        "actionStatus": "http://schema.org/CompletedActionStatus",
    }
    outputs = [_add_file(crate, path, sha256) for path, sha256 in recorded.files.items()]
    action = crate.add_action(crate.mainEntity, f"#run-{recorded.scale}", inputs, outputs, properties)
    crate.root_dataset.append_to("mentions", action)
    trace = record_folder(recorded.scale) / "jobs.json"
    _add_file(crate, trace.as_posix())["about"] = action


def _add_file(crate: ROCrate, path: str, sha256: str | None = None) -> Entity:
    known = crate.get(path)
    if known is not None:
        return known
    properties = {"name": path, "encodingFormat": TYPES.get(Path(path).suffix, "application/octet-stream")}
    if sha256 is not None:
        properties["sha256"] = sha256
    return crate.add_file(path, path, properties=properties)


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
