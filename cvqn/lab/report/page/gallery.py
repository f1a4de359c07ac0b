"""The decoded pictures that the page shows, with their measurements."""

from pathlib import Path
from typing import Any

import pandas as pd

from cvqn.codecs import registry
from cvqn.lab.evaluation.pictures import Wanted
from cvqn.lab.report.sources import Sources
from cvqn.lab.settings.runs import Run

RATES = ("low", "middle", "high")


class Gallery:
    """The pictures that the page compares.

    The paper's method is shown at up to three of its rates. Every other codec is shown at the settings whose rates on
    the image are nearest to these.

    Args:
        folder: folder of the pictures, `<image>/<codec>_<setting>.webp`.
    """

    def __init__(self, sources: Sources, folder: Path):
        self._sources, self.folder = sources, folder
        rows = sources.measurements
        learned = (rows["seed"] == sources.configuration.seeds[0]) & (rows["checkpoint"] == "last")
        learned &= rows["experiment"].isin([name for names in sources.learned_curves.values() for name in names])
        kept = rows[learned | (rows["experiment"] == "")]
        method = kept[kept["codec"] == sources.method]
        self.settings = _spread(method.groupby("setting")["bpp"].mean().sort_values().index.tolist())
        """The settings at which the method is shown, in order of rate."""
        self._chosen = {str(image): self._of_image(own) for image, own in kept.groupby("image")}

    def wanted(self) -> list[Wanted]:
        """Every picture whose sources are on this machine."""
        found = [
            Wanted(
                image,
                self._sources.results.archive(row["codec"], row["setting"]),
                row["codec"],
                self._model(row),
                self.folder / self._file(image, row),
            )
            for image, rows in self._chosen.items()
            for row in rows
        ]
        return [one for one in found if all(Path(source).exists() for source in one.sources)]

    def remove_others(self) -> None:
        """Remove the pictures that the page does not show, of settings that are no longer measured.

        Not for partial results: a table of measurements that is missing would take its pictures along.
        """
        shown = {self.folder / self._file(image, row) for image, rows in self._chosen.items() for row in rows}
        shown |= {self.folder / image / f"{name}.webp" for image in self._chosen for name in ("original", "thumbnail")}
        for path in set(self.folder.rglob("*.webp")) - shown:
            path.unlink()

    def shown(self) -> list[dict[str, Any]]:
        """For the page's script, an entry per image with those of its pictures that have been decoded."""
        found = []
        for image, rows in self._chosen.items():
            pictures = [
                {
                    "codec": row["codec"],
                    "label": registry.title(row["codec"]),
                    "setting": row["experiment"] or row["setting"],
                    "bpp": float(f"{row['bpp']:.6g}"),
                    "ms_ssim": float(f"{row['ms_ssim']:.6g}"),
                    "psnr_db": float(f"{row['psnr_db']:.5g}"),
                    "file": self._file(image, row),
                }
                for row in rows
                if (self.folder / self._file(image, row)).exists()
            ]
            original = f"{image}/original.webp"
            if pictures and (self.folder / original).exists():
                size = {"width": int(rows[0]["width"]), "height": int(rows[0]["height"])}
                thumbnail = f"{image}/thumbnail.webp"
                found.append(
                    {"name": image, **size, "original": original, "thumbnail": thumbnail, "pictures": pictures}
                )
        return found

    def _of_image(self, rows: pd.DataFrame) -> list[dict[str, Any]]:
        """The rows of an image's pictures, each setting once."""
        codecs = [rows[rows["codec"] == codec].to_dict("records") for codec in rows["codec"].unique()]
        targets = [row["bpp"] for row in rows.to_dict("records") if row["setting"] in self.settings]
        nearest = [min(own, key=lambda row: abs(row["bpp"] - target)) for own in codecs for target in targets]
        return list({(row["codec"], row["setting"]): row for row in nearest}.values())

    def _model(self, row: dict[str, Any]) -> str | None:
        if not row["experiment"]:
            return None
        run = Run.parse(row["setting"])
        return self._sources.results.model(run.training, run.checkpoint)

    def _file(self, image: str, row: dict[str, Any]) -> str:
        return f"{image}/{row['codec']}_{row['setting']}.webp"


def _spread(settings: list[str]) -> list[str]:
    """The first, the middle and the last of these, without repeats."""
    last = len(settings) - 1
    return [settings[place] for place in dict.fromkeys((0, last // 2, last))] if settings else []
