"""Charts of the page in a real browser: what a phone shows of their words."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.accessibility import SCHEMES
from support.browser import address_of, visit

from mining import Embeddings
from mining.scores.census import take_all
from mining.scores.identification import Gallery, Side
from pairsets import Faces, PairSet
from pairsets.evaluation.confusion import Confusion
from pairsets.evaluation.gallery_search import GallerySearch
from pairsets.evaluation.hardness import hardness
from pairsets.evaluation.identification import rate_identification
from pairsets.evaluation.identification_differences import IdentificationComparison
from pairsets.evaluation.interval_options import IntervalOptions
from pairsets.evaluation.rates import roc
from pairsets.report import DetSet, ModelScores, Report, write_report

LONG = "timm:tf_efficientnet_lite0@" + "weights/" * 6
MODELS = {"pixels": 1.5, "timm:net": 0.5, LONG: 0.8}
PEOPLE, EACH = 40, 4
# CSS pixels of the smallest type on the page.
SMALLEST = 11


def vectors_of(spread):
    """Unit vectors of faces of a model that spreads those of a person so far."""
    generator = np.random.default_rng(0)
    middles = np.repeat(generator.standard_normal((PEOPLE, 8)), EACH, axis=0)
    found = middles + spread * generator.standard_normal(middles.shape)
    return (found / np.linalg.norm(found, axis=1)[:, None]).astype(np.float32)


def census_of(vectors, paths):
    """Models over all pairs of their faces."""
    manifest = {"model": "m", "fingerprint": "m", "similarity": "cosine"}
    faces = Faces.of_paths(Path("faces"), paths)
    return take_all(
        {model: Embeddings(faces, one, manifest, Path(model)) for model, one in vectors.items()},
        0.1,
    )


def search_of(vectors, who):
    """Searches of a picture of each of half of the people for the others of all."""
    first, known = np.arange(len(who)) % EACH == 0, np.arange(len(who)) < len(who) // 2
    entries, probes = (np.flatnonzero(rows) for rows in (first & known, ~first | ~known))
    gallery = Gallery(Side.of(vectors, who, entries), Side.of(vectors, who, probes))
    return rate_identification(gallery.search(), intervals=IntervalOptions(draws=100))


@pytest.fixture(scope="module")
def file(tmp_path_factory, browsers):
    """Page with a chart of each kind, of models whose names are short and long."""
    vectors = {model: vectors_of(spread) for model, spread in MODELS.items()}
    paths = [f"p{at // EACH:03}/{at:03}.png" for at in range(PEOPLE * EACH)]
    who = np.array([path.partition("/")[0] for path in paths], object)
    i, j = np.triu_indices(len(paths), 1)
    taken = np.flatnonzero((who[i] == who[j]) | (np.arange(len(i)) % 10 == 0))
    i, j = i[taken], j[taken]
    same = who[i] == who[j]
    pairs = PairSet.of([paths[at] for at in i], [paths[at] for at in j], same.astype(int))
    scores = {model: (one[i] * one[j]).sum(axis=1) for model, one in vectors.items()}
    accepted = {model: one >= 0.6 for model, one in scores.items()}
    rates = {model: search_of(one, who) for model, one in vectors.items()}
    report = Report(
        "Charts",
        Path(),
        scores=[
            ModelScores(model, {"positives": one[same], "negatives": one[~same]}, 0.97)
            for model, one in scores.items()
        ],
        curves=[
            DetSet("random", {model: roc(same, one) for model, one in scores.items()}, None, (0.1,))
        ],
        hardness={"hard": hardness(pairs, np.where(same, 0, np.cumsum(~same)), accepted)},
        confusions={"pixels": Confusion.of(pairs, scores["pixels"], 0.6)},
        census=census_of(vectors, paths),
        identification=GallerySearch(
            IdentificationComparison(rates), PEOPLE, False, [], [], [], {}
        ),
        mined=50,
    )
    return write_report(report, tmp_path_factory.mktemp("page") / "report.html")


@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_word_of_a_chart_can_be_read_on_a_phone(browser, file, scheme):
    phone = {"width": 390, "height": 844}
    with visit(browser, address_of(file), viewport=phone, color_scheme=scheme) as seen:
        seen.page.evaluate("document.querySelectorAll('.folded .fold').forEach((b) => b.click())")
        charts = seen.page.evaluate(
            """() => [...document.querySelectorAll("svg.chart")].map((chart) =>
                [...chart.querySelectorAll("text")].map((word) => {
                    const { a, b } = word.getScreenCTM();
                    const size = parseFloat(getComputedStyle(word).fontSize);
                    return [word.textContent, size * Math.hypot(a, b)];
                }))"""
        )
    # Census, two of identification, DET and ROC, a histogram a model, hardness, a map.
    assert len(charts) == 1 + 2 + 2 + len(MODELS) + 1 + 1
    assert all(charts)
    small = [(word, size) for words in charts for word, size in words if size < SMALLEST]
    assert not small, small
