"""Made-up results of a scale on disk: measurements, analyses and run folders with known means and spreads."""

import contextlib
import csv
import json
from pathlib import Path

import numpy as np
import pandas as pd

from cvqn.cli import main
from cvqn.lab.provenance.plan import Plan
from cvqn.lab.report.audit.evidence import Evidence
from cvqn.lab.settings import configuration as configurations
from cvqn.lab.settings.configuration import Configuration
from cvqn.lab.settings.paths import Results
from cvqn.lab.settings.runs import Run
from tests import ROOT
from tests.provenance import made_up_provenance

SCALES = ROOT / "workflow" / "scales"
IMAGES = [f"kodim{number:02}" for number in range(1, 25)]
PIXELS = 768 * 512

PAPER = {  # experiment: MS-SSIM, bpp, PSNR that satisfy every number of the paper within its tolerance
    "one-group": (0.9649, 0.2664, 27.926),
    "se": (0.9650, 0.2608, 27.95),
    "re": (0.9652, 0.2586, 28.0),
    "c32": (0.9656, 0.2576, 28.024),
    "levels-456": (0.96515, 0.2639, 28.012),
    "levels-258": (0.9644, 0.2471, 27.982),
    "c16": (0.9380, 0.129, 26.0),
    "c48": (0.9760, 0.382, 29.0),
    "c64": (0.98280, 0.51, 30.0),
    "c80": (0.9850, 0.653, 31.0),
    "toy": (0.922, 0.112, 24.0),
}


class MadeUp:
    """A project's folder with results in the making; `config` are its settings in plain values, to change at will."""

    def __init__(self, folder: Path, scale: str = "paper", images: list[str] = IMAGES, seed: int = 0):
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.config = configurations.resolve([SCALES / f"{scale}.yaml"]).plain()
        self.config["report"]["bootstrap"] = 400
        self.images = images
        self.random = np.random.default_rng(seed)
        self.results = Results(f"results/{scale}")

    @property
    def configuration(self) -> Configuration:
        return configurations.validated(self.config, "made up")

    def evidence(self, extras: bool = True) -> Evidence:
        """The results as tables, figures and the audit read them; the working folder must be the project's."""
        return Evidence(self.configuration, self.results, "extras" if extras else "all")

    def cvqn(self, *arguments: str) -> int:
        """A command with the plan of the settings, in the project's folder; its exit code."""
        with contextlib.chdir(self.folder):
            Plan(self.configuration, {}).write("plan.json")
            return main([*arguments, "--plan", "plan.json"])

    def table(self, name: str) -> int:
        """Make a table at its place."""
        return self.cvqn("table", name, "--output", self.results.table(name))

    def path(self, name: str) -> Path:
        """A file of the results by its path as the results name it."""
        return self.folder / name

    def rows(self, name: str) -> list[dict[str, str]]:
        """A table that was made."""
        with open(self.path(self.results.table(name)), newline="") as file:
            return list(csv.DictReader(file))

    def page(self, name: str) -> str:
        """Its page."""
        return self.path(self.results.table(name)).with_suffix(".md").read_text()

    def run(
        self,
        experiment: str,
        seed: int,
        values: tuple[float, float, float],
        checkpoint: str = "last",
        image_spread: float = 1.0,
    ):
        """A measured run whose means over the images are exactly `values` (MS-SSIM, bpp, PSNR)."""
        run, codec = Run(experiment, seed, checkpoint), self.config["experiments"][experiment]["codec"]
        ms_ssim, bpp, psnr = values
        offsets = image_spread * np.linspace(-1, 1, len(self.images))
        rows = self.measured(codec, run.name, ms_ssim + 0.01 * offsets, bpp * (1 + 0.1 * offsets), psnr + offsets, run)
        rows["cross_entropy_bpp"] = rows.bpp * 0.998
        rows["bound_bpp"] = rows.bpp * 1.1
        if not self.path(f"{self.results.training(run.training)}/provenance.json").exists():
            self.provenance(run.training)
        return self._save(rows, self.results.measurements(codec, run.name))

    def experiment(
        self,
        name: str,
        values: tuple[float, float, float],
        noise: tuple[float, float, float] = (0, 0, 0),
        checkpoints=("last",),
    ):
        """Its runs with every seed; the seeds' means lie `noise` below, at and above `values`."""
        seeds = self.seeds(name)
        for seed, shift in zip(seeds, np.linspace(-1, 1, len(seeds)) if len(seeds) > 1 else [0.0], strict=True):
            for checkpoint in checkpoints:
                self.run(
                    name, seed, tuple(value + shift * one for value, one in zip(values, noise, strict=True)), checkpoint
                )

    def seeds(self, name: str) -> list[int]:
        """The seeds of an experiment."""
        return [run.seed for run in self.configuration.runs([name])]

    def codec(self, name: str, points: dict[str, tuple[float, float]]):
        """A conventional codec with (MS-SSIM, bpp) for each setting."""
        offsets = np.linspace(-1, 1, len(self.images))
        frames = [
            self.measured(name, setting, ms_ssim + 0.01 * offsets, bpp * (1 + 0.1 * offsets), 27 + offsets)
            for setting, (ms_ssim, bpp) in points.items()
        ]
        return self._save(pd.concat(frames), self.results.measurements(name))

    def measured(self, codec, setting, ms_ssim, bpp, psnr, run: Run | None = None) -> pd.DataFrame:
        about = ("", "", "") if run is None else (run.experiment, run.seed, run.checkpoint)
        return pd.DataFrame({
            "codec": codec, "setting": setting, "experiment": about[0], "seed": about[1], "checkpoint": about[2],
            "image": self.images, "width": 768, "height": 512,
            "bytes": np.round(np.asarray(bpp) * PIXELS / 8).astype(int), "bpp": bpp, "ms_ssim": ms_ssim,
            "psnr_db": psnr, "encode_s": 1.5, "decode_s": 2.5,
        })  # fmt: skip

    def analyse(
        self, run: str, losses: np.ndarray, shares: list[list[float]] | None = None, likeness: np.ndarray | None = None
    ):
        """An analysis in which channel c loses `losses[c, image]` dB of MS-SSIM, twice that of PSNR."""
        model = self.config["experiments"][run.rpartition("-seed")[0]]["model"]
        sizes = [round(model["channels"] * ratio) for ratio in model["ratios"]]
        group_of = np.repeat(np.arange(len(sizes)), sizes)
        likeness = np.linspace(0.1, 0.9, model["channels"]) if likeness is None else likeness
        channels = [
            {
                "run": run, "image": image, "channel": c + 1, "group": group_of[c] + 1,
                "levels": model["levels"][group_of[c]],
                "position": c + 1, "bits": 100.0 + c, "luminance_correlation": likeness[c],
                "psnr_loss_db": 2 * losses[c, i], "ms_ssim_loss_db": losses[c, i],
            }
            for i, image in enumerate(self.images)
            for c in range(model["channels"])
        ]  # fmt: skip
        groups = []
        for group, (size, levels) in enumerate(zip(sizes, model["levels"], strict=True)):
            share = [1 / levels] * levels if shares is None else shares[group]
            for image in self.images:
                symbols = size * PIXELS // 256
                groups.append({
                    "run": run, "image": image, "group": group + 1, "levels": levels, "channels": size,
                    "symbols": symbols,
                    "bits": 0.9 * symbols * np.log2(levels), "bits_per_symbol": 0.9 * np.log2(levels),
                    "bound_bits_per_symbol": np.log2(levels),
                    "values_used": sum(one > 0 for one in share),
                    **{f"value_{symbol}": symbol - (levels - 1) / 2 for symbol in range(levels)},
                    **{f"share_{symbol}": one for symbol, one in enumerate(share)},
                })  # fmt: skip
        if not self.path(f"{self.results.training(run)}/provenance.json").exists():
            self.provenance(run)
        folder = self.path(self.results.analysis("cvqn", run))
        folder.mkdir(parents=True)
        pd.DataFrame(channels).to_csv(folder / "channels.csv", index=False)
        pd.DataFrame(groups).to_csv(folder / "groups.csv", index=False)
        return folder

    def training(
        self,
        run: str,
        *,
        memory: int | None = 8_000_000_000,
        jump: float = 0.01,
        images: int = 4035,
        optimizer: str = "Adam",
    ):
        """A run folder with provenance and a log whose loss jumps by `jump` from step to step."""
        folder = self.provenance(run, images, peak_memory_bytes=memory, optimizer=optimizer)
        losses = 10 * np.exp(jump * (np.arange(60) % 2) * self.random.uniform(0.9, 1.1, 60))
        pd.DataFrame({"step": np.arange(60), "loss": losses}).to_csv(folder / "log.csv", index=False)

    def provenance(self, run: str, images: int = 4035, **facts: object) -> Path:
        """The record of a training with the settings that the experiment has now; the folder it is in."""
        folder = self.path(self.results.training(run))
        folder.mkdir(parents=True, exist_ok=True)
        sets = [{"name": name, "manifest_sha256": "0" * 64} for name in self.config["data"]["train"]]
        record = made_up_provenance(
            settings=self.config["experiments"][run.rpartition("-seed")[0]],
            training_images={"count": images, "pack_sha256": "0" * 64, "sets": sets},
            **facts,
        )
        (folder / "provenance.json").write_text(json.dumps(record))
        return folder

    def identities(self, difference: float = 1e-7):
        path = self.path(self.results.identities)
        path.parent.mkdir(parents=True, exist_ok=True)
        found = {
            "largest_difference": difference,
            "points": 1000,
            "levels": [2, 3, 4, 5, 6, 7, 8],
            "hard_differences": 0,
        }
        path.write_text(json.dumps({"soft_quantizer": found}))

    def _save(self, rows: pd.DataFrame, name: str) -> Path:
        path = self.path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        rows.to_csv(path, index=False)
        return path


def falling_influence(channels: int, images: int, seed: int = 0, alike: float = 1.0) -> np.ndarray:
    """Losses in dB from 0.002 to 2 over the channels, the last most; `alike` below 1 shuffles them on each image."""
    random = np.random.default_rng(seed)
    base = np.geomspace(0.002, 2, channels)
    columns = [base if random.random() < alike else random.permutation(base) for _ in range(images)]
    return np.stack(columns, axis=1) * random.uniform(0.95, 1.05, (channels, images))


def whole_paper(folder: Path, noise=(2e-5, 1e-4, 0.005), scale: str = "paper", images: list[str] = IMAGES) -> MadeUp:
    """Everything the audit can read, in agreement with the paper."""
    made = MadeUp(folder, scale, images)
    for name, values in PAPER.items():
        made.experiment(name, values, noise, checkpoints=("last", "best", "held-out"))
    made.experiment("levels-4", (0.9600, 0.23, 27.5))
    made.experiment("levels-6", (0.9660, 0.30, 28.2))
    made.experiment("strided", (0.9640, 0.2590, 27.8))
    made.experiment("soft-quantizer", (0.9640, 0.2580, 27.9))
    made.experiment("beta-0", (0.9645, 0.2578, 27.9))
    made.experiment("authors", (0.9652, 0.2570, 28.0))
    if scale == "paper":
        made.config["report"]["learned"] = ["mentzer-low", "factorized-low"]
        for name in made.config["report"]["learned"]:
            made.experiment(name, (0.9550, 0.30, 27.0))
    for number, codec in enumerate(("jpeg2000", "jpeg2000-5-3", "webp", "bpg-444", "jpeg-420")):
        drop = 0.006 + (5 - number) * 0.002 if codec != "jpeg-420" else 0.02
        made.codec(
            codec,
            {
                str(q): (0.985 - drop - 0.05 * (0.7 - rate), rate)
                for q, rate in enumerate((0.05, 0.15, 0.3, 0.45, 0.75))
            },
        )
    for name in ("toy", "one-group", "c32", "levels-456", "levels-258", "se", "re"):
        for seed in made.seeds(name):
            made.analyse(f"{name}-seed{seed}", falling_influence(32, len(images), seed))
            made.training(f"{name}-seed{seed}")
    made.training("strided-seed1", memory=9_000_000_000, jump=0.03)
    made.identities()
    return made
