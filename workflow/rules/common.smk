"""The configuration and the paths and parameters that rules share."""

import json

from snakemake.exceptions import WorkflowError

import baselines
from cvqn import config as configuration
from cvqn.errors import CvqnError
from cvqn.record.fingerprint import fingerprint

DEFAULT_SCALE = "workflow/scales/mini.yaml"

if workflow.config_settings.config:
    raise WorkflowError("--config guesses the types of values; write them into a file and name it with --configfile")

OVERLAYS = [os.path.relpath(path) for path in workflow.overwrite_configfiles] or [DEFAULT_SCALE]
try:
    CONFIG = configuration.resolve(OVERLAYS)
except CvqnError as error:
    raise WorkflowError(str(error)) from error

SCALE = CONFIG["scale"]
RESULTS = f"results/{SCALE}"
CONFIG_FILE = f"{RESULTS}/config.yaml"
RUNS = configuration.runs(CONFIG)
EXTRA_RUNS = configuration.runs(CONFIG, CONFIG["extras"])
CODECS = {name: codec["qualities"] for name, codec in CONFIG["codecs"].items() if codec["qualities"]}
EVALUATION = f"data/sets/{CONFIG['data']['evaluation']}/index.json"
PACK = f"data/packs/{'+'.join(CONFIG['data']['train'])}.npy"
RESOURCES = CONFIG["resources"]


wildcard_constraints:
    run=r"[a-z0-9-]+-seed\d+",
    codec="|".join(CODECS) or "none",
    quality=r"[0-9.]+",
    set=r"[a-z0-9-]+",


def each_attempt_more(kind, resource):
    """A resource of the configuration times the number of the attempt, for jobs that begin anew when they are retried."""
    return lambda wildcards, attempt: attempt * RESOURCES[kind][resource]


def settings_of(*keys):
    """Sections of the configuration as one parameter, so that a change in them, and in nothing else, runs a job again."""
    return json.dumps({key: CONFIG[key] for key in keys}, sort_keys=True)


def run_settings(wildcards):
    """What a training is a function of, besides images and code."""
    return json.dumps((RUNS | EXTRA_RUNS)[wildcards.run], sort_keys=True)


def models(runs):
    """The files of every run's last and best model."""
    return expand(
        f"{RESULTS}/runs/{{run}}/{{folder}}/{{file}}",
        run=runs,
        folder=["model", "best"],
        file=["model.json", "model.safetensors"],
    )


def bitstreams(runs):
    """The archives of every run's last and best model."""
    return expand(f"{RESULTS}/bitstreams/cvqn/{{run}}{{suffix}}.tar", run=runs, suffix=["", "-best"])


def measurements(runs):
    """The measurements of every run's last and best model."""
    return expand(f"{RESULTS}/measurements/cvqn/{{run}}{{suffix}}.csv", run=runs, suffix=["", "-best"])


def baseline_bitstreams(codecs=CODECS):
    """The archives of conventional codecs, one a quality."""
    return [f"{RESULTS}/bitstreams/{codec}/{quality}.tar" for codec in codecs for quality in CODECS[codec]]


def baseline_measurements():
    """The measurements of conventional codecs."""
    return expand(f"{RESULTS}/measurements/{{codec}}.csv", codec=CODECS)


def codec_module(codec):
    """The module of a conventional codec."""
    return baselines.module_of(codec)
