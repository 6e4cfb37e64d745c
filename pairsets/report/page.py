"""The report as one HTML page without any outside part."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files
from itertools import groupby
from math import ceil, log10
from pathlib import Path

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from pairsets.artefacts import write_text
from pairsets.entries import Entry
from pairsets.leaderboard import Leaderboard, percent
from pairsets.report.content import GalleryPair, Report
from pairsets.report.svg import to_svg
from pairsets.report.thumbnails import face_sheet

# Longer side of a face. Few faces may be large, for the enlarged view; many keep the file small:
# about 7 kB and 4 kB each.
FEW_FACES, PIXELS_OF_FEW, PIXELS_OF_MANY = 300, 192, 128
HERO_PAIRS = 6


@dataclass(frozen=True)
class Cell:
    """A cell of a leaderboard: its column's name, its text, and whether it is the best."""

    column: str
    text: str
    best: bool = False


@dataclass(frozen=True)
class Chart:
    """A drawn figure, what stands above it and what below."""

    svg: Markup
    title: str
    caption: str


def write_report(report: Report, path: Path) -> Path:
    """Write `report` as one self-contained HTML file; returns `path`.

    The same content gives the same bytes. On any error an older file at `path` stays as it was.

    Raises:
        PairsetsError: a face of the gallery is missing or unreadable, or the content breaks a
            rule; the message names it.
    """
    return write_text(path, render(report))


def render(report: Report, *, thumbnail_pixels: int | None = None) -> str:
    """The page as text; see `write_report`.

    Args:
        report: the content.
        thumbnail_pixels: the longer side of the faces; by default 192 for up to 300 distinct
            faces, else 128.
    """
    distinct = {path for pair in report.gallery for path in (pair.path_a, pair.path_b)}
    pixels = thumbnail_pixels or (PIXELS_OF_FEW if len(distinct) <= FEW_FACES else PIXELS_OF_MANY)
    here = files(__package__)
    style, script = (here.joinpath(name).read_text("utf-8") for name in ("page.css", "page.js"))
    sheet = face_sheet(report.faces_root, report.gallery, pixels, report.max_pixels)
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"percent": percent, "score": _score, "quantile": _quantile}
    environment.filters["breakable"] = _breakable
    template = environment.from_string(here.joinpath("report.html.jinja").read_text("utf-8"))
    return template.render(
        report=report,
        policy=_policy(styles=(style, sheet.css), script=script),
        style=Markup(style),
        faces_style=Markup(sheet.css),
        script=Markup(script),
        face=sheet.classes,
        hero=_hero(report.gallery),
        boards=[
            (board, [(entry, _cells(board, entry)) for entry in board.entries])
            for board in report.leaderboards
        ],
        published=any(entry.published for b in report.leaderboards for entry in b.entries),
        left_out=any(entry.pairs_mined_by for b in report.leaderboards for entry in b.entries),
        funnel=[(stage, list(rows)) for stage, rows in groupby(report.funnel, lambda r: r.stage)],
        histograms=_histograms(report),
        dets=_dets(report),
        quantiles=any(pair.quantiles for pair in report.gallery),
        judging=[m for m in report.models if any(m in pair.verdicts for pair in report.gallery)],
    )


def _hero(gallery: Sequence[GalleryPair]) -> list[GalleryPair]:
    """The first negatives that show no character twice, so that no hub face fills the row."""
    seen: set[str] = set()
    chosen: list[GalleryPair] = []
    for pair in gallery:
        if len(chosen) == HERO_PAIRS:
            break
        if pair.label == 0 and seen.isdisjoint((pair.name_a, pair.name_b)):
            seen |= {pair.name_a, pair.name_b}
            chosen.append(pair)
    return chosen


def _policy(styles: tuple[str, ...], script: str) -> str:
    """A Content-Security-Policy that lets in these texts and data URIs, and nothing else."""
    digest = [b64encode(sha256(text.encode()).digest()).decode() for text in (*styles, script)]
    allowed = " ".join(f"'sha256-{value}'" for value in digest[:-1])
    return (
        f"default-src 'none'; img-src data:; style-src {allowed}; "
        f"script-src 'sha256-{digest[-1]}'; base-uri 'none'; form-action 'none'"
    )


def _cells(board: Leaderboard, entry: Entry) -> list[Cell]:
    """The numbers of a row: the three of ZACI-20's tables, then what a threshold achieves."""
    cells = []
    for column, text in zip(("FPR", "FNR", "EER"), board.cells(entry), strict=True):
        cells.append(Cell(f"{column} %", text.strip("*"), best=text.startswith("**")))
    found = entry.evaluation
    achieved = ["", "", ""]
    if found is not None:
        achieved = [percent(found.fpr_achieved), _score(found.threshold), f"{found.auc:.4f}"]
    names = ("Achieved FPR %", "Threshold", "AUC")
    return cells + [Cell(name, text) for name, text in zip(names, achieved, strict=True)]


def _histograms(report: Report) -> list[Chart]:
    if not report.scores:
        return []
    from pairsets.figures import score_histograms

    charts = []
    for at, scores in enumerate(report.scores):
        groups = {
            "positives": scores.positives,
            "random negatives": scores.random_negatives,
            "mined negatives": scores.adversarial_negatives,
        }
        figure = score_histograms(groups, threshold=scores.threshold, xlabel="score")
        counts = ", ".join(f"{len(values):,} {name}" for name, values in groups.items())
        label = f"Histogram of the scores of {scores.model}: {counts}"
        svg = to_svg(figure, name=f"scores-{at}", description=label)
        charts.append(Chart(Markup(svg), scores.model, f"{counts}."))
    return charts


def _dets(report: Report) -> list[Chart]:
    if not report.curves:
        return []
    from pairsets.figures import det_curves

    charts = []
    for at, group in enumerate(report.curves):
        figure = det_curves(group.curves, human=group.human, target_fnrs=group.target_fnrs)
        label = f"DET curves on the {group.name} set: {', '.join(group.curves)}"
        svg = to_svg(figure, name=f"det-{at}", description=label)
        caption = "Lower left is better. The diagonal is FPR = FNR."
        if group.target_fnrs:
            targets = ", ".join(f"{percent(target)} %" for target in group.target_fnrs)
            caption += f" Dotted: an FNR of {targets}."
        charts.append(Chart(Markup(svg), f"{group.name.capitalize()} set", caption))
    return charts


def _score(value: float) -> str:
    from pairsets.figures import format_score

    return format_score(value).replace("inf", "\u221e").replace("-", "\u2212")


def _quantile(value: float) -> str:
    """As many digits as tell it from 1: two of its distance.

    >>> _quantile(1.0), _quantile(0.75), _quantile(0.999_853), _quantile(0.999_999_6)
    ('1', '0.75', '0.99985', '0.9999996')
    """
    if value == 1:
        return "1"
    digits = max(2, 1 + ceil(-log10(1 - value)))
    return f"{value:.{digits}f}".rstrip("0").rstrip(".")


def _breakable(name: str) -> Markup:
    """The name with places to break a line after `_`, `/` and `-`."""
    return Markup("<wbr>").join(re.split(r"(?<=[_/-])(?=.)", name))
