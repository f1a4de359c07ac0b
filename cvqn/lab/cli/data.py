"""Subcommands of the room data: get sets of images, check them, pack them for training."""

import argparse
from pathlib import Path


def register(commands: argparse._SubParsersAction) -> None:
    """Add this room's subcommands."""
    data = commands.add_parser("data", help="get sets of images, check them, pack them for training")
    jobs = data.add_subparsers(title="jobs", metavar="JOB", required=True)

    fetch = jobs.add_parser(
        "fetch",
        help="get sets by their manifests, from CVQN_MIRROR or their official URLs",
        description="Get sets by their manifests: what is there already stays, then the folder that the environment "
        "variable CVQN_MIRROR names is asked, then the official URL. Everything is verified; run it again to go on.",
    )
    fetch.add_argument("sets", nargs="+", metavar="SET", help="name of a set, as in data/manifests")
    fetch.set_defaults(handler=_fetch)

    verify = jobs.add_parser(
        "verify",
        help="check every image file of sets against its checksum",
        description="Read every image file of sets again and compare it with its checksum.",
    )
    verify.add_argument("sets", nargs="+", metavar="SET", help="name of a set that was fetched")
    verify.set_defaults(handler=_verify)

    listing = jobs.add_parser(
        "list",
        help="list the sets: images, bytes to fetch, whether they are here, licence",
        description="List the sets that have a manifest: images, bytes to fetch, whether they are here, licence.",
    )
    listing.set_defaults(handler=_list)

    for job in (fetch, verify, listing):
        job.add_argument(
            "--root", type=Path, default=Path("data"), metavar="DIR", help="folder that holds sets/ (default: data)"
        )
        job.add_argument(
            "--manifests",
            type=Path,
            default=Path("data/manifests"),
            metavar="DIR",
            help="folder of manifests (default: %(default)s)",
        )

    pack = jobs.add_parser(
        "pack",
        help="decode sets into one memory-mapped file",
        description="Decode sets into one memory-mapped file of pixels, for training. Interrupted, it goes on where it "
        "was when the same command is run again.",
    )
    pack.add_argument("--sets", nargs="+", type=Path, required=True, metavar="INDEX", help="index.json of each set")
    pack.add_argument(
        "--output", type=Path, required=True, metavar="NPY", help="the pack, <name>.npy; <name>.json goes beside it"
    )
    pack.add_argument("--workers", type=_positive, metavar="N", help="processes (default: the cores this one may use)")
    pack.add_argument(
        "--exclude",
        nargs="+",
        type=Path,
        default=[],
        metavar="INDEX",
        help="index.json of evaluation sets, whose photographs must not be in the pack",
    )
    pack.set_defaults(handler=_pack)


def _fetch(arguments: argparse.Namespace) -> None:
    from cvqn.lab.data.fetch import fetch
    from cvqn.lab.data.index import read_index

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
        print(f"{name:22} {manifest.count:6} {size:>15}  {here:4}  {manifest.licence}")


def _pack(arguments: argparse.Namespace) -> None:
    from cvqn.lab.data.pack import Pack, pack

    pack(arguments.sets, arguments.output, arguments.exclude, arguments.workers)
    result = Pack.open(arguments.output)
    print(f"{arguments.output}: {len(result)} images, {result.pixels.size:,} bytes")


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return value
