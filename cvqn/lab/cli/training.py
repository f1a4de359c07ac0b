"""Subcommands that make a model: config, train."""

import argparse
from pathlib import Path

from cvqn.errors import CvqnError


def register(commands: argparse._SubParsersAction) -> None:
    """Add this room's subcommands."""
    config = commands.add_parser(
        "config",
        help="resolve and validate a configuration",
        description="Lay files such as workflow/scales/mini.yaml over params.yaml, validate the result and write it "
        "with every experiment spelt out.",
    )
    config.add_argument(
        "overlays", nargs="*", metavar="FILE", help="YAML on top of params.yaml, later files on top of earlier"
    )
    config.add_argument("--output", required=True, metavar="FILE", help="the resolved configuration to write")
    config.set_defaults(handler=_config)

    train = commands.add_parser(
        "train",
        help="train one model, or go on with it",
        description="Train one run of a resolved configuration. Interrupted, it goes on from its last save when the "
        "same command is run again. Exit codes: 0 done, 2 bad input, 75 paused and saved, 76 diverged.",
    )
    train.add_argument("--config", required=True, metavar="FILE", help="resolved configuration (cvqn config)")
    train.add_argument("--run", required=True, metavar="NAME", help="experiment and seed, such as c32-seed1")
    train.add_argument("--pack", required=True, metavar="NPY", help="training images (cvqn data pack)")
    train.add_argument(
        "--monitor",
        required=True,
        metavar="INDEX",
        help="index.json of the evaluation set: monitored, never trained on",
    )
    train.add_argument("--output", required=True, metavar="DIR", help="folder of the run")
    train.add_argument(
        "--job-minutes",
        type=float,
        metavar="MINUTES",
        help="time limit of the cluster's job: save and stop, exit code 75, shortly before it",
    )
    train.set_defaults(handler=_train)


def _config(arguments: argparse.Namespace) -> None:
    from cvqn.lab.settings import configuration as config

    config.write(config.resolve(arguments.overlays), arguments.output)


def _train(arguments: argparse.Namespace) -> None:
    import json

    from cvqn.lab.settings import configuration as config
    from cvqn.lab.data.index import read_index
    from cvqn.lab.data.pack import Pack
    from cvqn.files import atomic_write
    from cvqn.lab.provenance import environment as provenance
    from cvqn.lab.provenance.fingerprint import fingerprint
    from cvqn.lab.training.checkpoint import ResumeFolder, fingerprint_of
    from cvqn.lab.training.loop import train

    settings = config.read(arguments.config)
    experiment, _, seed = arguments.run.rpartition("-seed")
    if experiment not in settings["experiments"] or not seed.isdigit():
        raise CvqnError(
            f"{arguments.run}: not <experiment>-seed<k> of {arguments.config}; "
            f"experiments: {', '.join(settings['experiments'])}"
        )
    run = {"experiment": experiment, "seed": int(seed), **settings["experiments"][experiment]}
    pack = Pack.open(arguments.pack)
    evaluation = read_index(arguments.monitor)
    shared = set(pack.pixels_sha256s) & {image.pixels_sha256 for image in evaluation}
    if shared:
        names = [image.name for image in evaluation if image.pixels_sha256 in shared]
        raise CvqnError(
            f"{arguments.pack}: holds images of the evaluation set ({', '.join(names)}); pack it again without them"
        )

    folder = Path(arguments.output)
    key = fingerprint_of(
        config.identity(run),
        pack.pixels_sha256s,
        [image.pixels_sha256 for image in evaluation],
        fingerprint("cvqn.lab.training.loop"),
    )
    resume = ResumeFolder(folder, key)
    for path in resume.stale():
        print(f"{path}: belongs to other settings, images or code; ignored")
    about = {"run": arguments.run, "experiment": experiment, "seed": run["seed"], "scale": settings["scale"]}
    record = {
        "run": arguments.run,
        "configuration": run,
        "key": key,
        "training_images": {
            "pack": str(arguments.pack),
            "count": len(pack),
            **provenance.pack_origin(arguments.pack, Path(arguments.monitor).parent.parent),
        },
        "evaluation_images": {"count": len(evaluation), "sets": [provenance.data_set(arguments.monitor)]},
        "began": provenance.now(),
    }
    environment = provenance.environment()
    result = train(
        run,
        pack,
        [image.read() for image in evaluation],
        resume,
        about=about,
        time_limit=None if arguments.job_minutes is None else 60 * config.usable_minutes(arguments.job_minutes),
    )
    record |= {
        "ended": provenance.now(),
        **result,
        "peak_host_memory_bytes": provenance.peak_memory_bytes(),
        "gpu": provenance.gpu() if run["training"]["device"] == "cuda" else None,
        **environment,
    }
    with atomic_write(folder / "provenance.json", "w") as file:
        json.dump(record, file, indent=1)
    resume.finish()
