"""The report as one HTML page without any outside part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path

from markupsafe import Markup

from pairsets.report import phrases
from pairsets.report.census import census_of
from pairsets.report.charts import confusion_chart, hardness_chart, histogram, trade_off
from pairsets.report.confusion_tree import content_of
from pairsets.report.content import GalleryPair, Report
from pairsets.report.differences import contrasts_of
from pairsets.report.gallery import gallery_parts, script_json
from pairsets.report.gallery_links import GalleryViews
from pairsets.report.glossary import Explanations
from pairsets.report.headline import Headline, is_mined
from pairsets.report.identification import identification_of
from pairsets.report.identity_layout import drawn_layout
from pairsets.report.leaderboards import boards_of, chance_fpr
from pairsets.report.policy import content_policy
from pairsets.report.tables import (
    agreement_sentence,
    agreement_tables,
    hardness_sentence,
    hardness_table,
    hubness_table,
)
from pairsets.report.templates import asset, page_environment
from pairsets.report.thumbnails import PIXELS_OF_FEW, face_sheet
from pairsets.storage.artefacts import write_text
from pairsets.tables.differences import why_not_compared
from pairsets.tables.entries import Entry
from pairsets.tables.leaderboard import interval_text

HERO_PAIRS = 6


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
        thumbnail_pixels: the longer side of the gallery's faces; by default 192 for up to 300
            distinct faces, 128 for up to 4,000, else 96.
    """
    gallery = gallery_parts(report, thumbnail_pixels=thumbnail_pixels)
    hero = _hero(report.gallery)
    sheet = face_sheet(report.faces_root, hero, PIXELS_OF_FEW, report.max_pixels, "hero")
    styles = (
        asset("page.css"),
        *([asset("confusions.css")] if report.maps or report.hubs else []),
        *([sheet.css] if hero else []),
        *gallery.styles,
    )
    scripts = (asset("page.js"), asset("contents.js"), *gallery.scripts)
    environment = page_environment()
    environment.filters |= {"percent": phrases.share, "bounds": interval_text}
    explanations = Explanations()
    environment.filters |= {"listed": phrases.listed, "explained": explanations.filter}
    headline = report.headline
    census = None if report.census is None else census_of(report.census, report.mined)
    best = None if report.census is None else report.census.best
    chances = {board.name: chance_fpr(board) for board in report.leaderboards}
    page = environment.get_template("report.html.jinja").render(
        report=report,
        explanations=explanations,
        headline=headline,
        census=census,
        census_best=best,
        hardest=None if best is None else _hardest(report, best),
        figures=_figures(headline),
        policy=content_policy(styles, scripts),
        styles=[Markup(text) for text in styles],
        scripts=[Markup(text) for text in scripts],
        gallery=gallery.section,
        face=sheet.classes,
        hero=hero,
        # Others are those that some model gets wrong, which need not be most alike to any.
        hero_mined=all(pair.rank for pair in hero),
        identification=None
        if report.identification is None
        else identification_of(report.identification),
        boards=boards_of(report.leaderboards),
        kinds=_kinds(report),
        contrasts=contrasts_of(report),
        uncompared=_uncompared(report),
        agreement=[
            (name, agreement_sentence(one), agreement_tables(one))
            for name, one in report.agreement.items()
        ],
        trade_offs=[(group.name, trade_off(group, at)) for at, group in enumerate(report.curves)],
        histograms=[chart for at, one in enumerate(report.scores) if (chart := histogram(one, at))],
        hardness=[
            (
                name,
                hardness_sentence(one),
                hardness_chart(one, at, chances.get(name)),
                hardness_table(one),
            )
            for at, (name, one) in enumerate(report.hardness.items())
        ],
        hubness=hubness_table(report.hubness),
        confusions=[
            confusion_chart(name, one, at)
            for at, (name, one) in enumerate(report.confusions.items())
        ],
        hubs=_hubs(report),
        maps=_maps(report),
        layout=None
        if report.layout is None
        else drawn_layout(report.layout, report.maps, report.gallery),
        funnel=[(stage, list(rows)) for stage, rows in groupby(report.funnel, lambda r: r.stage)],
    )
    # A file's name may hold bytes that are no text; a page is UTF-8.
    return page.encode("utf-8", "replace").decode()


def _hubs(report: Report) -> list[Mapping[str, object]]:
    """The hub faces: who, the path, and a link to their pairs."""
    if report.hubs is None:
        return []
    views = GalleryViews(report.gallery, report.gallery_scattered)
    found = zip(report.hubs.hubs, report.hubs.identities, strict=True)
    return [
        {
            "path": hub.names[0],
            "identity": identity,
            "link": views.link(
                hub.count, face=hub.names[0], set=report.hubs.set, label="different"
            ),
        }
        for hub, identity in found
    ]


def _maps(report: Report) -> Markup:
    """Content for the script of the maps, which is the gallery's: without one there is none."""
    if not report.maps or not report.gallery:
        return Markup("")
    return script_json(
        [
            {
                "title": f"{one.model}, {one.set} pairs",
                "model": one.model,
                "set": one.set,
                **content_of(one.network),
            }
            for one in report.maps
        ]
    )


def _figures(headline: Headline | None) -> list[tuple[Entry, str, str]]:
    """Numbers drawn large: a row, its set, and a class each."""
    if headline is None:
        return []
    hard = headline.hard
    found = [(headline.best, headline.name, "")]
    return found if hard is None else [*found, (hard.entry, hard.name, "hard")]


def _hardest(report: Report, model: str) -> tuple[str, Entry] | None:
    """The first mined set that the model has a row on, and the row: on others' pairs if it can."""
    for board in report.leaderboards:
        rows = [entry for entry in board.entries if entry.model == model and entry.fpr is not None]
        if rows and is_mined(board, report.ranked):
            return board.name, min(rows, key=lambda entry: not entry.comparable)
    return None


def _hero(gallery: Sequence[GalleryPair]) -> list[GalleryPair]:
    """First negatives that show no identity twice, so that no hub face fills the row."""
    seen: set[str] = set()
    chosen: list[GalleryPair] = []
    for pair in gallery:
        if len(chosen) == HERO_PAIRS:
            break
        if pair.label == 0 and seen.isdisjoint((pair.name_a, pair.name_b)):
            seen |= {pair.name_a, pair.name_b}
            chosen.append(pair)
    return chosen


def _uncompared(report: Report) -> list[tuple[str, str]]:
    """Sets without two models to compare, each with the reason."""
    found = [board.comparison for board in report.leaderboards if board.comparison is not None]
    return [(one.name, why) for one in found if (why := why_not_compared(one))]


def _kinds(report: Report) -> dict[str, bool]:
    """Kinds of rows that the leaderboards have, so that the page explains no other."""
    entries = [entry for board in report.leaderboards for entry in board.entries]
    return {
        "published": any(entry.published for entry in entries),
        "person": any(entry.human for entry in entries),
        "mined": any(entry.mined for entry in entries),
        "kin": any(entry.kin_of and not entry.comparable for entry in entries),
        "left_out": any(entry.pairs_mined_by for entry in entries),
        "intervals": any(entry.fpr_interval or entry.eer_interval for entry in entries),
    }
