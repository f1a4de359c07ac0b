"""cvqn info."""

import argparse
import json
import math
from pathlib import Path
from typing import TYPE_CHECKING

from cvqn.cli import loading, models, options
from cvqn.cli.messages import one_line
from cvqn.codecs import shipped

if TYPE_CHECKING:
    from cvqn.codecs.interface import HasChannels


def register(commands: argparse._SubParsersAction) -> None:
    """Add the command."""
    command = commands.add_parser(
        "info",
        help="show details of a .cvqn file or a model",
        description="For a file, print the picture's size, the bytes, the rate and the model without decoding it. For "
        "a model, print what it was trained on.",
        parents=[options.as_json()],
    )
    command.add_argument(
        "input",
        metavar="FILE",
        help="a .cvqn file, - for standard input, a model folder, or a built-in model such as quality-1",
    )
    command.add_argument(
        "--model",
        metavar="FOLDER",
        help="the model that made the file; with it, also decode the symbols and print the bits per group and channel",
    )
    command.set_defaults(handler=_info)


def _info(arguments: argparse.Namespace) -> None:
    path = Path(arguments.input)
    if not path.exists() and arguments.input in [f"quality-{quality}" for quality in shipped.qualities()]:
        path = shipped.FOLDER / arguments.input
    is_model = path.is_dir()
    found = models.facts(path) if is_model else _file(arguments)
    if arguments.json:
        print(json.dumps(found, indent=1))
    else:
        for line in _lines_of_model(found) if is_model else _lines_of_file(found):
            print(one_line(line))


def _file(arguments: argparse.Namespace) -> dict:
    from cvqn.codecs import container

    data = loading.read_file(loading.named(arguments.input, "/dev/stdin"))
    with loading.naming(arguments.input):
        header = container.inspect(data)
    found = {"width": header.width, "height": header.height, "bytes": len(data)}
    found |= {"bpp": 8 * len(data) / (header.height * header.width), "model_id": header.model_id.hex()}
    known = shipped.folders().get(header.model_id.hex())
    if known:
        found |= {key: value for key, value in models.facts(known).items() if key in ("quality", "experiment")}
    if arguments.model is None:
        return found
    stored = loading.load(Path(arguments.model), "cpu")
    from cvqn.codecs.interface import HasChannels

    found["codec"] = stored.codec
    with loading.naming(arguments.input):
        _, payload = container.unpack(data, stored.model_id)
        if isinstance(stored.model, HasChannels):
            found["groups"] = _groups(stored.model, stored.model.read_symbols(payload, header.height, header.width))
    return found


def _groups(model: "HasChannels", symbols: list) -> list[dict]:
    """How many bits of a file each group and channel takes."""
    order = iter(model.layout.order)
    return [
        {
            "levels": levels,
            "symbols": int(symbols[group].size),
            "bits": float(bits.sum()),
            "channels": [{"channel": int(next(order)), "bits": float(channel)} for channel in bits],
        }
        for group, (bits, levels) in enumerate(zip(model.code_lengths(symbols), model.layout.levels, strict=True))
    ]


def _lines_of_file(found: dict) -> list[str]:
    known = f" (quality {found['quality']} of this program" if "quality" in found else ""
    if known:
        known += f", experiment {found['experiment']})" if "experiment" in found else ")"
    lines = [
        f"size      {found['width']}x{found['height']} pixels",
        f"bytes     {found['bytes']} ({found['bpp']:.4f} bpp)",
        f"model id  {found['model_id']}{known}",
    ]
    if "codec" in found:
        lines.append(f"codec     {found['codec']}")
    for number, group in enumerate(found.get("groups", [])):
        lines.append(
            f"group {number}   {group['levels']} levels, {len(group['channels'])} channels, "
            f"{group['bits'] / 8:.0f} bytes, "
            f"{group['bits'] / group['symbols']:.3f} bits per symbol, {math.log2(group['levels']):.3f} at fixed length"
        )
        lines.append(
            "  channel " + "  ".join(f"{one['channel']}: {one['bits'] / 8:.0f} B" for one in group["channels"])
        )
    return lines


def _lines_of_model(found: dict) -> list[str]:
    """What a model is and, if it states that, what it was trained on."""
    lines = [f"model id  {found['model_id']}", f"codec     {found['codec']}"]
    if "quality" in found:
        lines.append(f"quality   {found['quality']} of this program")
    if "origin" in found:
        lines.append(f"origin    {found['origin']}")
    elif "run" in found:
        lines.append(f"run       {found['run']} of scale {found.get('scale')}, {found.get('step')} steps")
    if "training_images" in found:
        images = found["training_images"]
        sets = ", ".join(f"{one['name']} ({one['licence']})" for one in images["sets"])
        lines.append(f"images    {images['count']}: {sets}")
    if "training_seconds" in found:
        machine = f"{found['training_seconds']} s, {found['training_machine']}, torch {found['torch']}"
        lines.append(f"training  {machine}")
    return [*lines, f"size      {found['bytes']} bytes"]
