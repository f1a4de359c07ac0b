"""The analysis of a trained model over a set of images, as files."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from cvqn.codecs.interface import HasChannels
from cvqn.errors import CvqnError
from cvqn.files import atomic_write
from cvqn.lab.data.index import Image, read_index
from cvqn.lab.evaluation.influence import analyse_picture, rank_correlations


def analyse(
    run: str, model: HasChannels, index: str | Path, output: str | Path, *, maps_of: str | None, influence: bool
) -> None:
    """Analyse every image of the set at `index` with a run's model, and write the results into the folder `output`.

    - channels.csv and groups.csv: the rows of `analyse_picture`, after the columns run and image;
    - maps.npz: the quantized maps of the image `maps_of` (None: the first), with `group`, `levels` and `position` of
      each channel;
    - importance.json: the order of the channels (counted from 1, least important first), SE's learned weights, and the
      rank correlation of order and weights with the measured influence.

    Raises:
        CvqnError: there is no image called `maps_of`, or an image is damaged.
    """
    images = read_index(index)
    shown = maps_of or images[0].name
    require_image(images, shown, index)
    output = Path(output)
    channels, groups, maps = [], [], None
    for image in tqdm(images, desc=f"analyse {run}", unit="image", disable=None):
        own_channels, own_groups, own_maps = analyse_picture(model, image.read(), influence)
        channels += [{"run": run, "image": image.name, **row} for row in own_channels]
        groups += [{"run": run, "image": image.name, **row} for row in own_groups]
        maps = own_maps if image.name == shown else maps

    count = len(model.layout.order)
    with atomic_write(output / "maps.npz") as file:
        np.savez_compressed(
            file,
            image=np.array(shown),
            maps=maps,
            **{
                key: np.array([row[key] for row in channels[:count]], dtype=np.int32)
                for key in ("group", "levels", "position")
            },
        )
    _write_json(output / "importance.json", _importance(run, model, channels))
    _write_csv(output / "groups.csv", groups)
    _write_csv(output / "channels.csv", channels)


def require_image(images: Sequence[Image], name: str, index: str | Path) -> None:
    """Raise CvqnError if none of the images of a set is called `name`."""
    if name not in {image.name for image in images}:
        raise CvqnError(f"{index}: has no image {name}; it has {', '.join(image.name for image in images)}")


def _importance(run: str, model: HasChannels, channels: list[dict]) -> dict:
    """The order, and how well it and SE's weights agree with the channels' influence."""
    kind, weights = model.importance()
    found = {
        "run": run,
        "kind": kind,
        "order": [channel + 1 for channel in model.layout.order],
        "order_rank_correlation": rank_correlations(channels),
    }
    if weights is not None:
        ranked = [{**row, "position": weights[row["channel"] - 1]} for row in channels]
        found |= {"weights": weights, "weights_rank_correlation": rank_correlations(ranked)}
    return found


def _write_csv(path: Path, rows: list[dict]) -> None:
    columns = list(dict.fromkeys(key for row in rows for key in row))
    with atomic_write(path, "w") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(
            {key: f"{value:.8g}" if isinstance(value, float) else value for key, value in row.items()} for row in rows
        )


def _write_json(path: Path, content: dict) -> None:
    with atomic_write(path, "w") as file:
        json.dump(content, file, indent=1)
        file.write("\n")
