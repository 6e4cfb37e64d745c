"""The gallery of the report: every pair, what each model and a person make of it.

The pairs travel as JSON in columns and the faces as WebP, each once; a script draws only the cards
near the screen. Without script the first pairs stand there as plain cards.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from math import ceil, isfinite, log10
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from pairsets.report import phrases
from pairsets.report.content import GalleryPair, Report
from pairsets.report.gallery_links import pair_key
from pairsets.report.thumbnails import (
    as_sheet,
    distinct_faces,
    encode_faces,
    encode_larger,
    pixels_for,
)

# Pairs that stand in the page itself, for a reader without script and for the first paint.
FIRST_PAIRS = 36
# Pairs whose faces are carried larger too, for the enlarged view: up to 20 kB a face.
LARGE_PAIRS, LARGE_PIXELS = 200, 400
# The script's parts, joined in this order inside one function: each may use those before it.
SCRIPTS = (
    "gallery_data.js",
    "gallery_views.js",
    "gallery_address.js",
    "gallery_card.js",
    "gallery_grid.js",
    "gallery_viewer.js",
    "gallery.js",
    "hubs.js",
    "confusion_tree.js",
    "confusion_map.js",
    "layout.js",
)
# Letters at the end of a long model's name that are always shown.
END = 7
# What would end a script element or start a comment in it, and what is no JSON in old scripts.
_ESCAPED = {ord(sign): f"\\u{ord(sign):04x}" for sign in "<>&\u2028\u2029"}


@dataclass(frozen=True)
class GalleryParts:
    """Parts of a page that show the gallery: HTML, styles and scripts.

    Attributes:
        section: the whole `<section id="pairs">`, the enlarged view included.
        styles: texts of `<style>` elements. They use the page's colours (`--paper`, `--ink`...).
        scripts: texts of `<script>` elements, to stand behind the section.
    """

    section: Markup
    styles: tuple[str, ...]
    scripts: tuple[str, ...]


def gallery_parts(report: Report, *, thumbnail_pixels: int | None = None) -> GalleryParts:
    """The gallery of `report`; empty parts where it has no pairs.

    The same report gives the same bytes.

    Args:
        report: the content.
        thumbnail_pixels: the longer side of the faces; by default 192 for up to 300 distinct
            faces, 128 for up to 4,000, else 96.

    Raises:
        FacesError: a face is missing, unreadable, over `max_pixels` or outside its folder.
    """
    if not report.gallery:
        return GalleryParts(Markup(""), (), ())
    first = report.gallery[:FIRST_PAIRS]
    paths = distinct_faces(report.gallery)  # those of the first pairs come first
    pixels = thumbnail_pixels or pixels_for(len(paths))
    pictures = encode_faces(report.faces_root, paths, pixels, report.max_pixels)
    in_sheet = len(distinct_faces(first))
    sheet = as_sheet(paths[:in_sheet], pictures[:in_sheet], "g")
    wanted = distinct_faces(report.gallery[:LARGE_PAIRS])
    larger = encode_larger(report.faces_root, wanted, LARGE_PIXELS, pixels, report.max_pixels)
    here = files(__package__) / "assets"
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"text": _text, "ends": _ends, "breakable": phrases.breakable}
    environment.filters |= {"score": phrases.score, "quantile": _quantile}
    template = environment.from_string(here.joinpath("gallery.html.jinja").read_text("utf-8"))
    section = template.render(
        gallery=report.gallery,
        left_out=report.gallery_left_out,
        first=first,
        models=report.models,
        any_rank=any(pair.rank for pair in report.gallery),
        ranked=_in_order_of_rank(report.gallery),
        judging=[m for m in report.models if any(m in pair.verdicts for pair in report.gallery)],
        judged=any(pair.human_prediction >= 0 for pair in report.gallery),
        labels=sorted({pair.label for pair in report.gallery}),
        sets=list(dict.fromkeys(name for pair in report.gallery for name in pair.sets if name)),
        quantiles=any(pair.quantiles for pair in report.gallery),
        face=sheet.classes,
        data=script_json(_columns(report, paths)),
        pictures=script_json([None] * in_sheet + pictures[in_sheet:]),
        larger=script_json({at: larger[path] for at, path in enumerate(wanted) if path in larger}),
    )
    script = "\n".join(here.joinpath(name).read_text("utf-8") for name in SCRIPTS)
    return GalleryParts(
        section=Markup(section),
        styles=(here.joinpath("gallery.css").read_text("utf-8"), sheet.css),
        scripts=(f'(() => {{\n"use strict";\n{script}}})();\n',),
    )


def _in_order_of_rank(gallery: Sequence[GalleryPair]) -> bool:
    """Whether the ranked pairs come first, the best before the others; false without a rank."""
    keys = [(pair.rank == 0, pair.rank) for pair in gallery]
    return keys == sorted(keys) and not keys[0][0]


def _columns(report: Report, paths: Sequence[str]) -> dict[str, Any]:
    """Columns of the pairs, a list or string each; names and paths stand once, counted off."""
    gallery, models = report.gallery, report.models
    names = list(dict.fromkeys(name for pair in gallery for name in (pair.name_a, pair.name_b)))
    sets = list(dict.fromkeys(name for pair in gallery for name in pair.sets))
    name_at, path_at, set_at = (
        {text: at for at, text in enumerate(texts)} for texts in (names, paths, sets)
    )
    return {
        "models": [_text(model) for model in models],
        "sets": [_text(name) for name in sets],
        "names": [_text(name) for name in names],
        "paths": [_text(path) for path in paths],
        "keys": "".join(pair_key(pair.path_a, pair.path_b) for pair in gallery),
        "rank": [int(pair.rank) for pair in gallery],
        "set": [[set_at[name] for name in pair.sets] for pair in gallery],
        "faces": [
            [path_at[pair.path_a] for pair in gallery],
            [path_at[pair.path_b] for pair in gallery],
        ],
        "people": [
            [name_at[pair.name_a] for pair in gallery],
            [name_at[pair.name_b] for pair in gallery],
        ],
        "label": _digits(pair.label for pair in gallery),
        "human": _digits(
            None if pair.human_prediction < 0 else pair.human_prediction for pair in gallery
        ),
        "scores": [_numbers(pair.scores.get(model) for pair in gallery) for model in models],
        # By set, of each model: a threshold that nothing or all reaches is none to show.
        "thresholds": [
            [cut if cut is not None and isfinite(cut) else None for cut in map(cuts.get, models)]
            for cuts in (report.thresholds.get(name, {}) for name in sets)
        ],
        "quantiles": [_numbers(pair.quantiles.get(model) for pair in gallery) for model in models],
        "verdicts": [_digits(pair.verdicts.get(model) for pair in gallery) for model in models],
    }


def _numbers(values: Iterable[float | None]) -> list[float | None] | None:
    """Column of numbers, or None where nothing is in it."""
    column = [None if value is None else float(value) for value in values]
    return None if all(value is None for value in column) else column


def _digits(values: Iterable[int | bool | None]) -> str:
    """Column of yes, no and unknown as text, one sign each.

    >>> _digits([True, 0, None])
    '10-'
    """
    return "".join("-" if value is None else str(int(value)) for value in values)


def script_json(value: object) -> Markup:
    """JSON that is safe inside `<script type="application/json">`.

    >>> print(script_json({"name": "</script><!-- 雪"}))
    {"name":"\\u003c/script\\u003e\\u003c!-- 雪"}
    """
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return Markup(text.translate(_ESCAPED))


def _text(name: str) -> str:
    """Name as a page of UTF-8 can say it: a file's name may hold bytes that are no text."""
    return name.encode("utf-8", "replace").decode()


def _ends(name: str) -> Markup:
    """A model's name in two parts, of which the first may be cut: its end tells it from others.

    >>> _ends("tf_efficientnet_lite0"), _ends("resnet50")
    (Markup('<span>tf_efficientne</span><b>t_lite0</b>'), Markup('<span>resnet50</span>'))
    """
    shown = _text(name)
    cut = len(shown) - END if len(shown) > 2 * END else len(shown)
    end = Markup("<b>{}</b>").format(shown[cut:]) if shown[cut:] else ""
    return Markup("<span>{}</span>{}").format(shown[:cut], end)


def _quantile(value: float) -> str:
    """Text of a quantile with the digits that tell it from 1: two of its distance.

    >>> _quantile(1.0), _quantile(0.75), _quantile(0.999_853), _quantile(0.999_999_6)
    ('1', '0.75', '0.99985', '0.9999996')
    """
    if value == 1:
        return "1"
    digits = max(2, 1 + ceil(-log10(1 - value)))
    return f"{value:.{digits}f}".rstrip("0").rstrip(".")
