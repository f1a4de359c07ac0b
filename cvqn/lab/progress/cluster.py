"""Facts about the SLURM cluster: partitions and their nodes, the user's accounts, how long the queue keeps a job."""

import getpass
import math
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass

from cvqn.errors import CvqnError
from cvqn.lab.progress.queue import parse_minutes

CLOSED = {"DRAIN", "INACTIVE"}  # a partition that is DOWN still accepts jobs, which wait
UNITS = {"": 1, "sec": 1, "s": 1, "min": 60, "m": 60, "hour": 3600, "h": 3600}


@dataclass(frozen=True)
class Node:
    """The resources of a node, or those that a job requests on one node."""

    cpus: int
    memory_mb: float
    gpus: int

    def has(self, wanted: "Node") -> bool:
        """Whether a job that requests `wanted` fits on this node."""
        return self.cpus >= wanted.cpus and self.memory_mb >= wanted.memory_mb and self.gpus >= wanted.gpus

    def __str__(self) -> str:
        gpus = f", {self.gpus} GPUs" if self.gpus != 1 else ", 1 GPU"
        return f"{self.cpus} CPUs, {self.memory_mb:g} MB{gpus if self.gpus else ''}"


@dataclass(frozen=True)
class Partition:
    """A partition; without a limit, `minutes` is infinite and `accounts` None."""

    name: str
    default: bool
    state: str
    minutes: float
    accounts: frozenset[str] | None
    denied: frozenset[str]
    nodes: tuple[Node, ...]

    @property
    def closed(self) -> bool:
        """Whether it refuses new jobs."""
        return self.state in CLOSED

    def takes(self, account: str) -> bool:
        """Whether an account may use it."""
        account = account.lower()
        return account not in self.denied and (self.accounts is None or account in self.accounts)


@dataclass(frozen=True)
class Cluster:
    """A cluster; `accounts` and `forgets_seconds` are None if SLURM does not report them."""

    partitions: Mapping[str, Partition]
    accounts: frozenset[str] | None
    forgets_seconds: int | None

    def partition(self, name: str) -> Partition | None:
        """The partition with this name, or the default one if `name` is empty."""
        if name:
            return self.partitions.get(name)
        return next((one for one in self.partitions.values() if one.default), None)


def read_cluster() -> Cluster:
    """Query SLURM.

    Raises:
        CvqnError: SLURM does not answer.
    """
    partitions = _answer("scontrol", "--oneliner", "show", "partition")
    nodes = _answer("sinfo", "--noheader", "--exact", "--all", "--format=%R|%c|%m|%G")
    mine = f"user={getpass.getuser()}"
    try:
        associations = _answer("sacctmgr", "--noheader", "--parsable2", "show", "associations", mine, "format=account")
        qualities = _answer("sacctmgr", "--noheader", "--parsable2", "show", "qos", "format=name,maxwall")
    except CvqnError:  # a cluster without accounting
        associations = qualities = ""
    remembered = parse_min_job_age(_answer("scontrol", "show", "config"))
    return Cluster(parse_partitions(partitions, nodes, qualities), parse_accounts(associations), remembered)


def parse_partitions(partitions: str, nodes: str, qualities: str = "") -> dict[str, Partition]:
    """Partitions with their nodes and the time limit of their quality of service.

    Args:
        partitions: output of `scontrol --oneliner show partition`.
        nodes: output of `sinfo --format=%R|%c|%m|%G`.
        qualities: output of `sacctmgr --parsable2 show qos format=name,maxwall`.
    """
    longest = {name: parse_minutes(most) for name, _, most in (line.partition("|") for line in qualities.splitlines())}
    found = {}
    for line in filter(None, partitions.splitlines()):
        fields = dict(field.split("=", 1) for field in line.split() if "=" in field)
        name = fields["PartitionName"]
        most = Node(
            int(_limit(fields.get("MaxCPUsPerNode"), 1 << 30)), _limit(fields.get("MaxMemPerNode"), math.inf), 1 << 30
        )
        found[name] = Partition(
            name=name,
            default=fields.get("Default") == "YES",
            state=fields.get("State", "UP"),
            minutes=min(
                parse_minutes(fields.get("MaxTime", "UNLIMITED")), longest.get(fields.get("QoS", ""), math.inf)
            ),
            accounts=_names(fields.get("AllowAccounts")),
            denied=_names(fields.get("DenyAccounts")) or frozenset(),
            nodes=tuple(_nodes(name, nodes, most)),
        )
    return found


def parse_accounts(associations: str) -> frozenset[str] | None:
    """The accounts that `sacctmgr --parsable2 show associations` lists; None if it lists none."""
    return frozenset(line.split("|")[0].strip().lower() for line in associations.splitlines() if line.strip()) or None


def parse_min_job_age(config: str) -> int | None:
    """Seconds for which the queue keeps an ended job, from the output of `scontrol show config`."""
    found = re.search(r"^MinJobAge\s*=\s*(\d+)\s*([a-z]*)", config, re.MULTILINE)
    return int(found[1]) * UNITS.get(found[2].removesuffix("s") or "s", 1) if found else None


def _nodes(partition: str, nodes: str, most: Node) -> list[Node]:
    found = []
    for name, cpus, memory, gres in (line.split("|", 3) for line in nodes.splitlines() if line.count("|") >= 3):
        if name == partition:
            gpus = sum(int(count) for count in re.findall(r"\bgpu(?::[^:,()]+)?:(\d+)", gres))
            found.append(
                Node(min(int(cpus.rstrip("+")), most.cpus), min(float(memory.rstrip("+")), most.memory_mb), gpus)
            )
    return list(dict.fromkeys(found))


def _names(text: str | None) -> frozenset[str] | None:
    return None if text in (None, "ALL", "(null)") else frozenset(name.lower() for name in text.split(","))


def _limit(text: str | None, unlimited: float) -> float:
    return float(text) if text and text.isdecimal() else unlimited


def _answer(*command: str) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    except (OSError, subprocess.SubprocessError) as error:
        said = (getattr(error, "stderr", None) or str(error)).strip().splitlines()[-1:]
        raise CvqnError(f"{command[0]} does not answer: {''.join(said)}; run on a login node of the cluster") from error
