"""The plan of the scale, and the paths and parameters that the rules share."""

import json
import shlex
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

from cvqn.errors import CvqnError
from cvqn.lab.progress import forecast, retries
from cvqn.lab.progress.scale import Scale
from cvqn.lab.provenance.fingerprint import digest
from cvqn.lab.provenance.plan import key, make_plan, read_plan
from cvqn.lab.report import registry as report_registry
from cvqn.lab.report.inputs import Inputs
from cvqn.lab.settings import configuration
from cvqn.lab.settings.paths import sidecar
from cvqn.lab.settings.runs import AT_CHECKPOINT, PATTERN, Run

DEFAULT_SCALE = "workflow/scales/mini.yaml"
PLANNED = "CVQN_PLAN"  # names the plan file to jobs on other machines

OVERLAYS = [os.path.relpath(path) for path in workflow.overwrite_configfiles] or [DEFAULT_SCALE]
ASSIGNED = list(workflow.config_settings.config_args or [])
AS_MODULE = not workflow.modifier.is_main_snakefile()
RULES = Path(str(workflow.current_basedir))
try:
    if workflow.is_main_process:
        if AS_MODULE:
            settings = configuration.resolve([], {"config of the module": config})
        else:
            settings = configuration.resolve(OVERLAYS, {"--config": configuration.assigned(ASSIGNED, "--config")})
        PLAN = make_plan(settings, report_registry.jobs(), RULES)
        os.environ[PLANNED] = PLAN.path
        if AS_MODULE and not workflow.output_settings.dryrun:
            PLAN.write()  # Snakemake runs onstart of the main workflow only
    else:
        PLAN = read_plan(os.environ[PLANNED])
        PLAN.require_rules(RULES)
except CvqnError as error:
    raise WorkflowError(str(error)) from error


envvars:
    PLANNED,


CONFIG = PLAN.configuration
RESULTS = PLAN.results
PLAN_FILE = PLAN.path
REPORT = CONFIG.report
CODECS = CONFIG.measured_codecs()
EVALUATION = f"data/sets/{CONFIG.data.evaluation}/index.json"
SELECTING = [f"data/sets/{name}/index.json" for name in CONFIG.data.selecting.values()]
PACK = f"data/packs/{'+'.join(CONFIG.data.train)}.npy"
RUNS = CONFIG.runs()
BEYOND = {target: [run for run in CONFIG.runs(names) if run not in RUNS] for target, names in CONFIG.beyond.items()}
EVERY_RUN = CONFIG.every_run()
MONITORED = [run.training for run in EVERY_RUN if CONFIG.experiments[run.experiment].training.monitor_every]
WITH_CHANNELS = [run.name for run in EVERY_RUN if CONFIG.experiments[run.experiment].learned_codec.has_channels]
LEARNED = dict.fromkeys(one.codec for one in CONFIG.experiments.values())


if workflow.is_main_process:
    try:
        own = Scale(CONFIG.results, PLAN)
        strangers, unknown = own.strangers(EVERY_RUN), own.unknown_images()
    except CvqnError as error:
        raise WorkflowError(str(error)) from error
    if strangers:
        raise WorkflowError(
            f"{', '.join(strangers)}: trained with other settings, images or code than planned, and .snakemake has no "
            f"record of it: remove these folders (the trainings stay in {RESULTS.store}), or go back to those settings"
        )
    if unknown:
        named = ", ".join(f"report.{key}: {name}" for key, name in unknown.items())
        raise WorkflowError(f"the set {CONFIG.data.evaluation} has no such image: {named}; name others of its images")


def one_of(names):
    """A wildcard constraint: any of these names."""
    return "|".join(map(re.escape, names)) or "(?!)"


def run_but(names):
    """A wildcard constraint: any run except these names."""
    return f"(?!({one_of(names)})(?![a-z0-9-])){PATTERN}"


wildcard_constraints:
    training=PATTERN,
    run=PATTERN + AT_CHECKPOINT,
    codec=one_of(CODECS),
    learned=one_of(LEARNED),
    quality=r"[0-9.]+",
    set=r"[a-z0-9-]+",


def all_exist(paths):
    """Whether all of these files exist."""
    return all(os.path.exists(path) for path in paths)


def code(job, codec=None):
    """One hash of the code that a job's result depends on."""
    return digest(PLAN.code[key(job, codec)])


def experiment_of(wildcards):
    """The experiment of a job's run."""
    return CONFIG.experiments[Run.parse(getattr(wildcards, "training", None) or wildcards.run).experiment]


def codec_of(wildcards):
    """The learned codec of a job's run."""
    return experiment_of(wildcards).codec


def settings_of(*keys):
    """Sections of the configuration as one parameter, so that only a change in these runs a job again."""
    plain = CONFIG.plain()
    return json.dumps({key: plain[key] for key in keys}, sort_keys=True)


def models(runs):
    """The files of every checkpoint."""
    runs = CONFIG.at_checkpoints(runs)
    return [file for run in runs for file in RESULTS.model_files(run.training, run.checkpoint)]


def bitstreams(runs):
    """The archives of every checkpoint."""
    runs = CONFIG.at_checkpoints(runs)
    return [RESULTS.archive(CONFIG.experiments[run.experiment].codec, run.name) for run in runs]


def beside(path, *endings):
    """A file's name with other suffixes."""
    return multiext(os.path.splitext(path)[0], *endings)


def entry_of(wildcards):
    """The table or figure of a job."""
    return report_registry.entry(wildcards.name)


def entry_files(target):
    """Tables and figures of a target."""
    tables = [RESULTS.table(one.name) for one in TABLES if one.target == target]
    figures = [RESULTS.figure(one.name) for one in FIGURES if one.target == target]
    pages = [file for table in tables for file in beside(table, ".md")]
    return [*tables, *pages, *figures, *(file for figure in figures for file in beside(figure, ".png", ".csv"))]


def made(target):
    """All outputs of a target except the documents.

    Models and bitstreams are included, so that a clone that has only the tables makes them again too.
    """
    runs, inputs = BEYOND.get(target, RUNS), Inputs(CONFIG, RESULTS, target)
    return [*models(runs), *bitstreams(runs), *inputs.files("measurements", "analyses"), *entry_files(target)]


def model_of(wildcards):
    """The files of a run's model."""
    run = Run.parse(wildcards.run)
    return RESULTS.model_files(run.training, run.checkpoint)


def shown_of(wildcards):
    """What is analysed of a run's channels: the image whose maps are kept, and whether their influence is measured."""
    experiment = Run.parse(wildcards.run).experiment
    return [REPORT.shown_image(experiment), REPORT.shows_influence(experiment)]


def folder_of_output(wildcards, output):
    """The folder of a rule's first output."""
    return os.path.dirname(output[0])


def is_final(job):
    """Whether another attempt of a failed job would end in the same way."""
    kind = job.rule.name.removesuffix("_monitored").removesuffix("_channels")
    codecs = {
        "train": codec_of,
        "evaluate": codec_of,
        "encode": lambda one: one.codec,
        "measure": lambda one: one.codec,
    }
    if kind not in codecs or job.is_norun:
        return False
    if retries.code_has_changed(PLAN, kind, codecs[kind](job.wildcards)):
        return True
    return kind == "train" and retries.training_is_final(PLAN, Run.parse(job.wildcards.training))


if workflow.is_main_process:
    retries.give_up_where(is_final)
