"""A search in a gallery on the page: its rates, what is bold, and the words on who is searched."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.elements import Page

from mining.scores.identification import Gallery, Side
from pairsets.evaluation.gallery_search import GallerySearch
from pairsets.evaluation.identification import Identification, rate_identification
from pairsets.evaluation.identification_differences import IdentificationComparison
from pairsets.evaluation.interval_options import IntervalOptions
from pairsets.report import Report, render
from pairsets.tables.leaderboard import interval_text, percent

PEOPLE, EACH = 60, 4
RATES = ("rank-1", "rank-5", "map", "fnir@0.01")


def searched(spread: float, seed: int, strangers: int = 60) -> Identification:
    """A model that is so good, which searches one picture of each for the others."""
    middles = np.random.default_rng(0).standard_normal((PEOPLE + strangers, 8))
    vectors = np.repeat(middles, EACH, axis=0)
    vectors = vectors + spread * np.random.default_rng(seed).standard_normal(vectors.shape)
    vectors = (vectors / np.linalg.norm(vectors, axis=1)[:, None]).astype(np.float32)
    who = np.array([f"p{at:03}" for at in range(PEOPLE + strangers) for _ in range(EACH)], object)
    first = np.arange(len(who)) % EACH == 0
    known = np.arange(len(who)) < PEOPLE * EACH
    entries, probes = (np.flatnonzero(rows) for rows in (first & known, ~first | ~known))
    gallery = Gallery(Side.of(vectors, who, entries), Side.of(vectors, who, probes))
    return rate_identification(gallery.search(), intervals=IntervalOptions(draws=100))


def search_of(models: dict[str, Identification]) -> GallerySearch:
    return GallerySearch(IdentificationComparison(models), PEOPLE, False, [], [], [], {})


def page_of(found: GallerySearch) -> Page:
    return Page(render(Report("t", Path(), identification=found)))


GOOD, BAD = searched(0.35, 1), searched(0.9, 2)


def text_of(page: Page, *kind: str) -> str:
    return " ".join(text for _, text in page.of(*kind))


def test_rates_stand_with_their_intervals_and_the_better_is_bold() -> None:
    found = search_of({"bad": BAD, "good": GOOD})
    page = page_of(found)
    head, *rows = page.rows("plain")[0]
    assert (head[2], [row[0] for row in rows]) == ("Group", ["good", "bad"])
    assert [row.pop(2) for row in rows] == ["a", "b"]
    for one, row in zip((GOOD, BAD), rows, strict=True):
        for name, text in zip(RATES, row[1:], strict=True):
            rate = one.rate(name)
            assert rate.interval is not None
            assert text == f"{percent(rate.value)}{interval_text(rate.interval)}", rate.name
    bold = [text for _, text in page.of("strong")]
    assert bold == [percent(GOOD.rate(name).value) for name in RATES]
    assert "Models that share a letter under Group cannot be told apart at rank 1" in text_of(
        page, "p", "foot"
    )


def test_words_say_who_is_searched_for() -> None:
    page = page_of(search_of({"bad": BAD, "good": GOOD}))
    intro = text_of(page, "p", "intro")
    assert "Each model searches the same gallery, one picture of each of 60 identities" in intro
    assert "for 180 other pictures of them (mated probes)" in intro
    assert "for 240 pictures of 60 strangers, who are not there (non-mated probes)" in intro
    captions = [text for _, text in page.of("figcaption")]
    assert len(captions) == 2
    assert "#identification" in [dict(one).get("href") for one, _ in page.of("a")]


def test_equal_models_are_not_told_apart() -> None:
    page = page_of(search_of({"good": GOOD, "twin": GOOD}))
    assert not page.of("strong")
    told = text_of(page, "p", "foot")
    for what in ("rank-1", "mAP", "FNIR at an FPIR of 1 %"):
        assert f"{what}: these searches cannot tell the best, good, from twin, so none" in told


def test_of_few_strangers_the_other_rate_stands_there() -> None:
    few = searched(0.5, 1, strangers=5)
    page = page_of(search_of({"few": few}))
    assert "FPIR % at an FNIR of 10 %" in text_of(page, "th")
    assert "it takes this share of the strangers for somebody" in text_of(page, "p", "foot")
    assert "cannot be told by 20 non-mated probes" in text_of(page, "p", "foot")


def test_without_strangers_there_is_no_open_set() -> None:
    page = page_of(search_of({"closed": searched(0.5, 1, strangers=0)}))
    assert "FPIR" not in text_of(page, "th")
    assert "strangers" not in text_of(page, "p", "intro")
    assert len(page.of("figcaption")) == 1


@pytest.mark.parametrize(
    ("pooled", "said"),
    [
        (False, "180 pictures of 60 identities, for"),
        (True, "180 pictures of 60 identities, each known by the mean of its own, for"),
    ],
)
def test_a_gallery_of_several_pictures_each(pooled: bool, said: str) -> None:
    found = replace(search_of({"good": GOOD}), pictures=180, pooled=pooled)
    assert f"Searched is a gallery, {said}" in text_of(page_of(found), "p", "intro")
