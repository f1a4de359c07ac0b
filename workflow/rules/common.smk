"""The configuration and the paths and parameters that rules share."""

import json

from snakemake.exceptions import WorkflowError

import baselines
from cvqn import config as configuration
from cvqn.errors import CvqnError
from cvqn.lab.provenance.fingerprint import fingerprint

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
# Written here and by no rule: a job that depends on a rule about to run is not asked whether its own settings changed.
configuration.write(CONFIG, CONFIG_FILE)
RUNS = configuration.runs(CONFIG)
EXTRA_RUNS = configuration.runs(CONFIG, CONFIG["extras"])
CODECS = {name: codec["qualities"] for name, codec in CONFIG["codecs"].items() if codec["qualities"]}
EVALUATION = f"data/sets/{CONFIG['data']['evaluation']}/index.json"
PACK = f"data/packs/{'+'.join(CONFIG['data']['train'])}.npy"
RESOURCES = CONFIG["resources"]
ANALYSIS_FILES = ["channels.csv", "groups.csv", "maps.npz", "importance.json"]
FIRST_SEED = CONFIG["seeds"][0]
REPORT = CONFIG["report"]
TOY = f"{REPORT['toy']}-seed{FIRST_SEED}"
CROPS_RUN = f"{REPORT['figure4']['experiment']}-seed{FIRST_SEED}"
INFLUENCE = {REPORT["toy"], *REPORT["table1"]}  # experiments whose channels are cut one by one
FIGURE_FORMATS = ["svg", "png", "csv"]
CLAIMS = "cvqn/lab/report/paper.yaml"
PUBLISHED = [f"baselines/published/{name}" for name in sorted(os.listdir("baselines/published")) if name.endswith(".csv")]


wildcard_constraints:
    run=r"[a-z0-9-]+-seed\d+",
    codec="|".join(CODECS) or "none",
    quality=r"[0-9.]+",
    set=r"[a-z0-9-]+",


def all_exist(paths):
    """Whether every one of these files is there."""
    return all(os.path.exists(path) for path in paths)


def each_attempt_more(kind, resource):
    """A resource of the configuration times the number of the attempt, for jobs that begin anew when they are retried."""
    return lambda wildcards, attempt: attempt * RESOURCES[kind][resource]


def settings_of(*keys):
    """Sections of the configuration as one parameter, so that a change in them, and in nothing else, runs a job again."""
    return json.dumps({key: CONFIG[key] for key in keys}, sort_keys=True)


def run_settings(wildcards):
    """What a training is a function of, besides images and code."""
    return json.dumps(configuration.identity((RUNS | EXTRA_RUNS)[wildcards.run]), sort_keys=True)


def models(runs):
    """The files of every run's last and best model."""
    return expand(
        f"{RESULTS}/runs/{{run}}/{{folder}}/{{file}}",
        run=runs,
        folder=["model", "best"],
        file=["model.json", "model.safetensors"],
    )


def run_folders(runs):
    """The folder of every training."""
    return [f"{RESULTS}/runs/{run}" for run in runs]


def training_records(runs):
    """What every training leaves of its course."""
    return [f"{folder}/{file}" for folder in run_folders(runs) for file in ("provenance.json", "log.csv")]


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


def folder_of_input(wildcards, input):
    """The folder of a rule's first input."""
    return os.path.dirname(input[0])


def folder_of_output(wildcards, output):
    """The folder of a rule's first output."""
    return os.path.dirname(output[0])


def checkpoint_folder(wildcards):
    """The model folder of `<run>` or `<run>-best`."""
    return f"{RESULTS}/runs/{wildcards.run}/{'best' if wildcards.suffix else 'model'}"


def checkpoint_files(wildcards):
    """The two files in it."""
    return multiext(f"{checkpoint_folder(wildcards)}/model", ".json", ".safetensors")


def analysis_folders(runs):
    """The folders of `cvqn analyse` of these runs."""
    return [f"{RESULTS}/analysis/{run}" for run in runs]


def analysis_files(runs):
    """Every file in them."""
    return [f"{folder}/{file}" for folder in analysis_folders(runs) for file in ANALYSIS_FILES]


def maps_image(wildcards):
    """The image whose quantized maps a figure shows."""
    return REPORT["figure1_image"] if wildcards.run == TOY else REPORT["figure3_image"]


def influence_option(wildcards):
    """Cutting every channel costs a decoding each, so only where a figure, a table or a claim needs it."""
    return "" if wildcards.run.rpartition("-seed")[0] in INFLUENCE else "--no-influence"


def curve_files():
    """One table a measured rate-distortion curve."""
    return expand(f"{RESULTS}/curves/{{curve}}.csv", curve=["cvqn", *CODECS])


def all_measurements():
    """Measurements of every codec and run."""
    return [*measurements(RUNS), *baseline_measurements()]


def crop_bitstreams():
    """The archives from which figure 4 is cut."""
    return [f"{RESULTS}/bitstreams/cvqn/{CROPS_RUN}.tar", *baseline_bitstreams(REPORT["figure4"]["codecs"])]


def crop_pictures():
    """The crops of figure 4, beside their table."""
    names = [image["name"] for image in REPORT["figure4"]["images"]]
    codecs = ["original", *REPORT["figure4"]["codecs"], "cvqn"]
    return expand(f"{RESULTS}/crops/{{image}}-{{codec}}.png", image=names, codec=codecs)
