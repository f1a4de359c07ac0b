"""Subcommands for data: get sets of images, check them, describe your own, pack them for training."""

import argparse
from pathlib import Path

from cvqn.cli.options import positive
from cvqn.lab.cli.options import add_optional_plan, read_planned
from cvqn.lab.cli.outputs import add_force, check_replaceable, json_with


def register(commands: argparse._SubParsersAction) -> None:
    """Add these subcommands."""
    data = commands.add_parser("data", help="get sets of images, check them, pack them for training")
    jobs = data.add_subparsers(title="jobs", metavar="JOB", required=True)
    manifests = argparse.ArgumentParser(add_help=False)
    manifests.add_argument(
        "--manifests",
        type=Path,
        default="data/manifests",
        metavar="DIR",
        help="folder of manifests (default: %(default)s)",
    )
    places = argparse.ArgumentParser(add_help=False, parents=[manifests])
    places.add_argument(
        "--root", type=Path, default="data", metavar="DIR", help="folder that holds sets/ (default: %(default)s)"
    )

    help = "get the sets that manifests describe: from CVQN_MIRROR, from installed packages or by URL"
    more = "Complete files are kept. Every file is verified. Run the command again to resume."
    fetch = _job(jobs, "fetch", _fetch, help, more, places)
    add_optional_plan(fetch)
    fetch.add_argument("sets", nargs="+", metavar="SET", help="name of a set, as in data/manifests")

    verify = _job(jobs, "verify", _verify, "check every image file of sets against its checksum", "", places)
    verify.add_argument("sets", nargs="+", metavar="SET", help="name of a set that was fetched")

    _job(jobs, "list", _list, "list the sets: images, bytes to fetch, whether they are present, licence", "", places)

    help = "write the manifest of a folder of photographs"
    more = "The set is every picture directly in the folder. If any cannot be used, list them and write nothing."
    describe = _job(jobs, "describe", _describe, help, more, manifests)
    describe.add_argument("folder", type=Path, metavar="FOLDER", help="folder of pictures")
    describe.add_argument("--name", required=True, help="name of the set")
    describe.add_argument(
        "--licence", default="all rights reserved", help="licence of the photographs (default: %(default)s)"
    )

    help = "decode sets into one memory-mapped file of pixels, for training"
    pack = _job(
        jobs, "pack", _pack, help, "The pack is written when it is complete; an interrupted run leaves no file."
    )
    add_optional_plan(pack)
    pack.add_argument("--sets", nargs="+", type=Path, required=True, metavar="INDEX", help="index.json of each set")
    pack.add_argument(
        "--output", type=Path, required=True, metavar="NPY", help="the pack, <name>.npy; <name>.json goes beside it"
    )
    pack.add_argument("--workers", type=positive, metavar="N", help="CPU threads (default: one per core)")
    help = "index.json of sets whose photographs must not be in the pack"
    pack.add_argument("--exclude", nargs="+", type=Path, default=[], metavar="INDEX", help=help)
    add_force(pack)


def _job(jobs, name: str, handler, help: str, more: str, *parents) -> argparse.ArgumentParser:
    job = jobs.add_parser(name, help=help, description=f"{help[0].upper()}{help[1:]}. {more}", parents=parents)
    job.set_defaults(handler=handler)
    return job


def _fetch(arguments: argparse.Namespace) -> None:
    from cvqn.lab.data.fetch import fetch
    from cvqn.lab.data.index import read_index

    if arguments.plan:
        read_planned(arguments, "fetch")
    for name in arguments.sets:
        index = fetch(name, arguments.root, arguments.manifests)
        print(f"{name}: {len(read_index(index))} images, verified; {index}")


def _verify(arguments: argparse.Namespace) -> None:
    from cvqn.lab.data.fetch import verify

    for name in arguments.sets:
        print(f"{name}: {verify(name, arguments.root, arguments.manifests)} images, as they were fetched")


def _list(arguments: argparse.Namespace) -> None:
    from cvqn.lab.data.manifest import list_sets, read_manifest

    print(f"{'set':22} {'images':>6} {'bytes to fetch':>15}  {'here':4}  licence")
    for name in list_sets(arguments.manifests):
        manifest = read_manifest(name, arguments.manifests)
        size = "unknown" if manifest.bytes is None else f"{manifest.bytes:,}"
        here = "yes" if (arguments.root / "sets" / name / "index.json").is_file() else "no"
        print(f"{name:22} {manifest.image_count:6} {size:>15}  {here:4}  {manifest.licence}")


def _describe(arguments: argparse.Namespace) -> None:
    from cvqn.lab.data.manifest import describe_folder

    path = describe_folder(arguments.folder, arguments.name, arguments.licence, arguments.manifests)
    print(f"{path}; get the set with: cvqn data fetch {arguments.name}")


def _pack(arguments: argparse.Namespace) -> None:
    from cvqn.lab.data.pack import Pack, pack

    if arguments.plan:
        read_planned(arguments, "pack")
    check_replaceable(arguments, _is_pack, arguments.output, arguments.output.with_suffix(".json"))
    pack(arguments.sets, arguments.output, arguments.exclude, arguments.workers)
    result = Pack.open(arguments.output)
    print(f"{arguments.output}: {len(result)} images, {result.pixels.size:,} bytes")


def _is_pack(path: Path) -> bool:
    """Whether a file is a pack, by the JSON beside it, or by its own header if an interrupted run removed that."""
    from numpy.lib import format as npy

    sidecar = path.with_suffix(".json")
    if sidecar.exists():
        return json_with("images", "sha256")(sidecar)
    with open(path, "rb") as file:
        npy.read_magic(file)
        shape, _, kind = npy.read_array_header_1_0(file)
    return len(shape) == 1 and kind == "uint8"
