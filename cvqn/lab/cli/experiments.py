"""Commands that resolve settings, train models, encode, measure and analyse."""

import argparse
import json
import sys
from pathlib import Path

from cvqn.errors import CvqnError
from cvqn.lab.cli.options import (
    add_images,
    add_optional_plan,
    add_overlays,
    add_plan,
    add_results,
    add_run,
    add_transforms,
    read_planned,
)
from cvqn.lab.cli.outputs import add_force, check_replaceable, has_keys, json_with, table_of


def register(commands: argparse._SubParsersAction) -> None:
    """Add these commands."""
    _register_config(commands)
    _register_train(commands)
    _register_evaluation(commands)


def _register_config(commands: argparse._SubParsersAction) -> None:
    config = commands.add_parser(
        "config",
        help="resolve and validate settings",
        description="Lay files such as workflow/scales/mini.yaml over params.yaml, validate the result, and print or "
        "write it with the settings of every experiment in full.",
    )
    add_overlays(config, "*")
    config.add_argument("--plan", metavar="FILE", help="plan file to take the settings from instead")
    config.add_argument("--output", metavar="FILE", help="file to write (default: print)")
    config.add_argument("--schema", action="store_true", help="print the JSON schema, which explains each key")
    add_force(config)
    config.set_defaults(handler=_config)


def _register_train(commands: argparse._SubParsersAction) -> None:
    train = commands.add_parser(
        "train",
        help="train one model, or resume its training",
        description="Train one run. Run the same command again to resume an interrupted training from its last save. "
        "If the store has the finished training, only put its files in place. Exit codes: 0 done, 2 bad input, 74 "
        "disk full, 75 paused and saved, 76 diverged, 78 the code has changed.",
    )
    add_plan(train)
    add_run(train, "c32-seed1")
    train.add_argument("--pack", required=True, metavar="NPY", help="training images, made by cvqn data pack")
    train.add_argument(
        "--monitor",
        required=True,
        nargs="+",
        type=Path,
        metavar="INDEX",
        help="index.json of the set that selects the checkpoint best, then that of data.held_out if the plan has one",
    )
    train.add_argument(
        "--job-minutes",
        type=float,
        metavar="MINUTES",
        help="time limit of the cluster job; shortly before it, the training saves and stops with exit code 75",
    )
    finished = train.add_mutually_exclusive_group()
    finished.add_argument(
        "--adopt",
        type=Path,
        metavar="DIR",
        help="take over a training that finished on another machine, from its folder runs/RUN; seed, images, code and "
        "settings must be the same, device, precision, threads and library versions may differ",
    )
    finished.add_argument(
        "--fine-tune",
        type=Path,
        metavar="DIR",
        help="begin the phase training.fine_tuning with the last model of another finished training, from its folder "
        "runs/RUN, in place of the first phase; the provenance contains that of the other training",
    )
    train.set_defaults(handler=_train)


def _register_evaluation(commands: argparse._SubParsersAction) -> None:
    evaluate = commands.add_parser(
        "evaluate",
        help="encode, measure and analyse the evaluation set with one trained run",
        description="Encode the evaluation set with a trained run, then decode and measure the files. If the codec has "
        "channels, also analyse those of the last checkpoint. Write all results under results/SCALE.",
    )
    add_plan(evaluate)
    add_run(evaluate, "c32-seed1, or c32-seed1-best or c32-seed1-held-out for a selected checkpoint")
    add_images(evaluate)
    add_transforms(evaluate)
    evaluate.set_defaults(handler=_evaluate)

    encode = commands.add_parser(
        "encode",
        help="encode the images of a set into one archive of bitstreams",
        description="Encode the images of a set with a conventional codec or a trained model, into one archive with a "
        "file per image. Print the encoder's settings and versions on stderr.",
    )
    _add_codec(encode)
    encode.add_argument(
        "--quality",
        type=float,
        metavar="Q",
        help="quality of a conventional codec, on its own scale (docs/baselines.md)",
    )
    encode.add_argument(
        "--output", required=True, metavar="TAR", help="archive to write; a table of sizes and times goes beside it"
    )
    add_force(encode)
    encode.set_defaults(handler=_encode)

    measure = commands.add_parser(
        "measure",
        help="decode archives of bitstreams and compare the pictures with the originals",
        description="Decode archives of bitstreams, compare the pictures with the originals, and write bytes, bpp, "
        "MS-SSIM, PSNR and seconds, a row per image and archive.",
    )
    _add_codec(measure)
    measure.add_argument(
        "--bitstreams", required=True, nargs="+", metavar="TAR", help="archives made by cvqn encode, one per quality"
    )
    measure.add_argument(
        "--output", required=True, metavar="CSV", help="table to write; a JSON record of how it was made goes beside it"
    )
    add_force(measure)
    measure.set_defaults(handler=_measure)

    crops = commands.add_parser(
        "crops",
        help="cut the crops of figure 4 out of decoded files",
        description="Cut the crops that report.figure4 lists: from the originals, from the run's decoded pictures and, "
        "for each other codec, from the decoded pictures at the quality nearest in rate.",
    )
    add_plan(crops)
    add_images(crops)
    add_transforms(crops)
    crops.add_argument("--output", required=True, metavar="DIR", help="folder to write into")
    add_force(crops)
    crops.set_defaults(handler=_crops)

    complexity = commands.add_parser(
        "complexity",
        help="count parameters and operations of the networks",
        description="Count the parameters of each reported experiment's network, and its operations per pixel.",
    )
    add_plan(complexity)
    complexity.add_argument(
        "--target",
        default="all",
        choices=("all", "learned"),
        help="all: the experiments of the report; learned: those of the learned codecs' curves (default: %(default)s)",
    )
    complexity.add_argument("--output", required=True, metavar="CSV", help="file to write")
    add_force(complexity)
    complexity.set_defaults(handler=_complexity)

    identities = commands.add_parser(
        "identities",
        help="check a statement of the paper that holds by definition",
        description="Compute both sides of a statement of the paper that holds by definition, for the audit: the soft "
        "quantizer is a special case of the mixture.",
    )
    add_optional_plan(identities)
    identities.add_argument("--output", required=True, metavar="JSON", help="file to write")
    add_force(identities)
    identities.set_defaults(handler=_identities)

    ship = commands.add_parser(
        "ship",
        help="make the models of a scale's rate-distortion curve the built-in models of cvqn compress",
        description="Copy the models of report.rate_curve, first seed, to cvqn/models/quality-1 and up, and record in "
        "each the names and licences of its training sets. Delete other quality-N folders.",
    )
    add_results(ship)
    ship.set_defaults(handler=_ship)


def _add_codec(command: argparse.ArgumentParser) -> None:
    which = command.add_mutually_exclusive_group(required=True)
    which.add_argument("--codec", metavar="NAME", help="name of a conventional codec (docs/baselines.md)")
    which.add_argument("--model", metavar="DIR", help="folder of a trained model")
    add_optional_plan(command)
    add_images(command)
    add_transforms(command)


def _config(arguments: argparse.Namespace) -> None:
    import yaml

    from cvqn.lab.provenance.plan import read_plan
    from cvqn.lab.settings import configuration
    from cvqn.lab.settings.schema import schema

    if arguments.schema:
        print(json.dumps(schema(), indent=1))
        return
    if arguments.plan and arguments.files:
        raise CvqnError("--plan holds resolved settings; name either it or files on top of params.yaml")
    settings = read_plan(arguments.plan).configuration if arguments.plan else configuration.resolve(arguments.files)
    if arguments.output:
        check_replaceable(arguments, _are_settings, arguments.output)
        configuration.write(settings, arguments.output)
    else:
        yaml.safe_dump(settings.plain(), sys.stdout, sort_keys=False, width=120)


def _are_settings(path: Path) -> bool:
    """Whether a file holds resolved settings; an overlay, written by hand, lacks some of these keys."""
    from cvqn.lab.settings.strict_yaml import read_yaml

    content = read_yaml(path)
    if not has_keys(content, "scale", "seeds", "data", "report", "codecs", "experiments"):
        return False
    experiments = content["experiments"]
    return has_keys(experiments) and all(has_keys(one, "codec", "model", "training") for one in experiments.values())


def _train(arguments: argparse.Namespace) -> None:
    from cvqn.lab.progress.queue import minutes_left
    from cvqn.lab.settings.runs import Run
    from cvqn.lab.training.job import train_run

    run = Run.parse(arguments.run)
    plan = read_planned(arguments, "train", _codec_of(arguments, run))
    minutes = arguments.job_minutes
    if minutes is not None:  # less the time since the job began
        minutes = min(minutes, minutes_left() or minutes)
    train_run(
        plan,
        run,
        Path(arguments.pack),
        arguments.monitor,
        job_minutes=minutes,
        adopt=arguments.adopt,
        fine_tune=arguments.fine_tune,
    )


def _codec_of(arguments: argparse.Namespace, run) -> str:
    from cvqn.lab.provenance.plan import read_plan

    experiments = read_plan(arguments.plan).configuration.experiments
    if run.experiment not in experiments:
        raise CvqnError(f"{run.name}: {arguments.plan} has no such experiment; it has {', '.join(experiments)}")
    return experiments[run.experiment].codec


def _evaluate(arguments: argparse.Namespace) -> None:
    import torch

    from cvqn.lab.evaluation.evaluate import evaluate_run
    from cvqn.lab.settings.runs import Run

    run = Run.parse(arguments.run)
    plan = read_planned(arguments, "evaluate", _codec_of(arguments, run))
    torch.set_num_threads(arguments.threads)
    evaluate_run(plan, run, arguments.images, arguments.device)


def _encode(arguments: argparse.Namespace) -> None:
    from cvqn.lab.evaluation.encode import encode_set

    if not arguments.output.endswith(".tar"):
        raise CvqnError(f"{arguments.output}: the archive's name must end in .tar")
    if (arguments.quality is None) != (arguments.codec is None):
        raise CvqnError("--quality: a conventional codec needs it, and a trained model takes none")
    output = Path(arguments.output)
    check_replaceable(arguments, _is_archive, output, output.with_suffix(".csv"))
    codec = _open_codec(arguments, "encode")
    encode_set(codec, arguments.quality, arguments.images, output)
    for what, values in (("settings", codec.settings()), ("versions", codec.versions())):
        print(f"{codec.name}: {what} {', '.join(f'{name} {value}' for name, value in values.items())}", file=sys.stderr)


def _is_archive(path: Path) -> bool:
    from cvqn.lab.evaluation.archive import read_archive

    return bool(read_archive(path))


def _measure(arguments: argparse.Namespace) -> None:
    import torch

    from cvqn.lab.evaluation.measure import measure

    torch.set_num_threads(arguments.threads)
    if not arguments.output.endswith(".csv"):
        raise CvqnError(f"{arguments.output}: the table's name must end in .csv")
    output = Path(arguments.output)
    check_replaceable(arguments, table_of("codec", "setting"), output, output.with_suffix(".json"))
    measure(_open_codec(arguments, "measure"), arguments.images, arguments.bitstreams, output)


def _open_codec(arguments: argparse.Namespace, job: str):
    """The codec that the command line names; imports torch for a trained model only."""
    if arguments.codec is not None:
        from cvqn.codecs import registry

        if arguments.plan:
            read_planned(arguments, job, arguments.codec)
        return registry.conventional(arguments.codec)
    import torch

    from cvqn.compression import StoredCodec

    torch.set_num_threads(arguments.threads)
    return StoredCodec(arguments.model, arguments.device)


def _crops(arguments: argparse.Namespace) -> None:
    import torch

    from cvqn.lab.evaluation.crops import cut_crops
    from cvqn.lab.provenance.plan import read_plan

    torch.set_num_threads(arguments.threads)
    plan = read_plan(arguments.plan)
    codecs = plan.configuration.figure4_runs()
    for codec in codecs:
        plan.require_code("crops", codec)
    names = [image.name for image in plan.configuration.report.figure4.images]
    files = ["crops.csv", *(f"{name}-{codec}.png" for name in names for codec in ("original", *codecs))]
    is_ours = table_of("image", "codec", "setting", "bpp")
    check_replaceable(arguments, is_ours, *(Path(arguments.output, file) for file in files))
    cut_crops(plan, arguments.images, arguments.output, arguments.device)


def _complexity(arguments: argparse.Namespace) -> None:
    from cvqn.lab.evaluation.complexity import write_complexity
    from cvqn.lab.provenance.plan import read_plan
    from cvqn.lab.report.inputs import Inputs

    check_replaceable(arguments, table_of("experiment", "codec", "parameters"), arguments.output)
    plan = read_plan(arguments.plan)
    experiments = [run.experiment for run in Inputs(plan.configuration, plan.results, arguments.target).runs]
    for codec in {plan.configuration.experiments[name].codec for name in experiments}:
        plan.require_code("complexity", codec)
    write_complexity(plan.configuration, experiments, arguments.output)


def _identities(arguments: argparse.Namespace) -> None:
    from cvqn.files import atomic_write
    from cvqn.lab.evaluation.identities import soft_quantizer

    if arguments.plan:
        read_planned(arguments, "identities")
    check_replaceable(arguments, json_with("soft_quantizer"), arguments.output)
    with atomic_write(arguments.output, "w") as file:
        json.dump({"soft_quantizer": soft_quantizer()}, file, indent=1)
        file.write("\n")


def _ship(arguments: argparse.Namespace) -> None:
    from cvqn.lab.record.ship import ship

    for folder in ship(arguments.results):
        print(folder)
    print("next: run cvqn checksums, then commit cvqn/models and SHA256SUMS")
