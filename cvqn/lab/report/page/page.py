"""The report page of a scale: read what is there, decode the pictures that it shows, write index.html."""

import base64
import html
import json
import mimetypes
import os
import re
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from cvqn.errors import CvqnError
from cvqn.files import atomic_write
from cvqn.lab.data.index import read_index
from cvqn.lab.evaluation.pictures import decode_pictures, write_originals
from cvqn.lab.provenance.environment import now
from cvqn.lab.report import published, registry
from cvqn.lab.report.audit.audit import ITSELF
from cvqn.lab.report.inputs import PAGE_PARTS
from cvqn.lab.report.page import claims, costs, missing, points, tables, trainings
from cvqn.lab.report.page.gallery import RATES, Gallery
from cvqn.lab.report.sources import Sources
from cvqn.lab.settings import configuration as configurations
from cvqn.lab.settings.paths import Results

EMBEDDED = 12_000_000
"""The most bytes of pictures in the self-contained file, which is meant for mail."""
CODE = re.compile(r"`([^`]+)`")


def write_page(root: Path, embed: Path | None = None) -> list[missing.Part]:
    """Write `report/index.html` and `report/pictures` of the scale in the folder `root`; returns what is missing.

    Partial results are enough; the page lists what is missing.

    Args:
        embed: a self-contained copy of the page to write as well.

    Raises:
        CvqnError: there is no config.yaml of this version in the folder, or a file in it is damaged.
    """
    results = Results(os.path.relpath(root))
    sources = Sources(configurations.read(results.config), results)
    folder = Path(results.page).parent
    gallery = Gallery(sources, Path(results.pictures))
    gallery.folder.mkdir(parents=True, exist_ok=True)
    [index] = sources.files("images")
    if wanted := gallery.wanted():
        if Path(index).exists():
            shown = {one.image for one in wanted}
            write_originals([image for image in read_index(index) if image.name in shown], gallery.folder)
        decode_pictures(wanted)
    content = _content(sources, gallery)
    if not any(part.missing for part in content["missing"]):
        gallery.remove_others()
    _write(Path(results.page), content | {"files": _Beside(folder, root)})
    if embed is not None:
        inside = _Inside(folder, root)
        shown = inside.pictures(content["images"], sources.configuration.report.figure4.images[0].name)
        _write(embed, content | {"files": inside, "images": shown, "left_out": len(content["images"]) - len(shown)})
    return content["missing"]


class _Beside:
    """Links of a page that is in a folder of the results."""

    embedded = False

    def __init__(self, folder: Path, root: Path):
        self._folder, self._root = folder, root

    def link(self, path: str, text: str | None = None, ahead: bool = False) -> Markup:
        """A link to a file of the results, or only its name if it does not exist; `path` is relative to the results.

        Args:
            ahead: link the file although it does not exist, because it is written after the page.
        """
        shown = Markup("<code>{}</code>").format(text or path)
        if not ahead and not (self._root / path).exists():
            return shown
        return Markup('<a href="{}">{}</a>').format(os.path.relpath(self._root / path, self._folder), shown)

    def source(self, path: str) -> str:
        """The `src` of an image among the results."""
        return os.path.relpath(self._root / path, self._folder)

    def picture(self, file: str) -> str:
        """The `src` of a decoded picture."""
        return f"pictures/{file}"


class _Inside:
    """Links of a self-contained page: files are only named, pictures are embedded."""

    embedded = True

    def __init__(self, folder: Path, root: Path):
        self._folder, self._root = folder, root

    def link(self, path: str, text: str | None = None, ahead: bool = False) -> Markup:
        return Markup("<code>{}</code>").format(text or path)

    def source(self, path: str) -> str:
        return _data(self._root / path)

    def picture(self, file: str) -> str:
        return _data(self._folder / "pictures" / file)

    def pictures(self, images: list[dict[str, Any]], first: str) -> list[dict[str, Any]]:
        """The images whose pictures fit, in their order on the page; `first` is always among them."""
        kept, room = set(), EMBEDDED
        for image in sorted(images, key=lambda image: image["name"] != first):
            names = [image["original"], image["thumbnail"], *(one["file"] for one in image["pictures"])]
            room -= sum((self._folder / "pictures" / name).stat().st_size for name in names)
            if room < 0 and kept:
                break
            kept.add(image["name"])
        return [image for image in images if image["name"] in kept]


def _content(sources: Sources, gallery: Gallery) -> dict[str, Any]:
    """Everything that the template shows, except links."""
    configuration, results = sources.configuration, sources.results
    root = Path(results.root)
    audit = claims.read_audit(root)
    comparable = configuration.data.evaluation == published.SET
    entries = {
        "tables": registry.possible(registry.TABLES, configuration, results),
        "figures": registry.possible(registry.FIGURES, configuration, results),
    }
    absent = missing.parts(sources)
    return {
        "scale": sources.scale,
        "set": configuration.data.evaluation,
        "comparable": comparable,
        "made": now()[:16].replace("T", " ") + " UTC",
        "method": sources.method,
        "count": sources.measurements["image"].nunique(),
        "experiments": claims.experiments(sources),
        "curves": [*points.measured(sources), *points.from_papers(shown=comparable)],
        "images": gallery.shown(),
        "rates": _rates(gallery),
        "first_image": configuration.report.figure4.images[0].name,
        "first_codec": next(iter(configuration.report.figure4.codecs), ""),
        "tables": [
            (one, tables.parts(Path(results.table(one.name)).with_suffix(".md")))
            for one in entries["tables"]
            if Path(results.table(one.name)).with_suffix(".md").exists()
        ],
        "figures": [one for one in entries["figures"] if Path(results.figure(one.name)).exists()],
        "audit": audit,
        "itself": ITSELF,
        "sections": claims.sections(audit, configuration.experiments) if audit else {},
        "evidence": claims.files(audit, root) if audit else {},
        "trainings": trainings.trainings(sources),
        "rate_curve": configuration.report.rate_curve,
        "rules": costs.by_rule(root),
        "runs": costs.by_run(sources),
        "missing": absent,
        "complete": not any(part.missing for part in absent),
        "left_out": 0,
        "demonstration": (audit or {}).get("demonstration", sources.scale != "paper"),
    }


def _rates(gallery: Gallery) -> list[str]:
    names = {1: ("middle",), 2: (RATES[0], RATES[2])}
    return list(names.get(len(gallery.settings), RATES[: len(gallery.settings)]))


def _write(path: Path, content: dict[str, Any]) -> None:
    template, *parts = PAGE_PARTS
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    environment.filters |= {"slug": lambda text: text.replace(" ", "-"), "code": _code}
    files = content["files"]
    data = {key: content[key] for key in ("method", "curves", "rates", "trainings", "rate_curve", "comparable", "set")}
    data |= {"images": [_with_sources(image, files) for image in content["images"]]}
    data |= {"first": {"image": content["first_image"], "codec": content["first_codec"]}}
    inline = {part.name.replace(".", "_"): Markup(part.read_text(encoding="utf-8")) for part in parts}  # ours, not data
    text = environment.from_string(template.read_text(encoding="utf-8")).render(
        **content, **inline, data=Markup(_for_script(data))
    )
    with atomic_write(path, "w") as file:
        file.write(text)


def _with_sources(image: dict[str, Any], files: _Beside | _Inside) -> dict[str, Any]:
    """An image's entry with the `src` of each of its pictures."""
    pictures = [one | {"file": files.picture(one["file"])} for one in image["pictures"]]
    own = {key: files.picture(image[key]) for key in ("original", "thumbnail")}
    return image | own | {"pictures": pictures}


def _for_script(data: object) -> str:
    """JSON that is safe inside a script element."""
    return json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")


def _code(text: str) -> Markup:
    """HTML of a text in which backticks mark code."""
    return Markup(CODE.sub(r"<code>\1</code>", html.escape(text, quote=False)))


def _data(path: Path) -> str:
    try:
        content = base64.b64encode(path.read_bytes()).decode()
    except OSError as error:
        raise CvqnError(f"{path}: cannot be read ({error.strerror}); make it, then write the page again") from error
    return f"data:{mimetypes.guess_type(path.name)[0] or 'image/webp'};base64,{content}"
