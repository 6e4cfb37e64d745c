"""Shares, intervals and expectations that `benchmarks/suspects.py` tells of planted mistakes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("scipy")
pytest.importorskip("imagehash")

from PIL import Image

from benchmarks.suspect_changes import recall_at, turned_and_cut
from benchmarks.suspect_peers import reachable
from benchmarks.suspect_rates import (
    Run,
    clustered,
    exact,
    of_all,
    of_flags,
    share,
    summary,
    within,
    within_noise,
)  # fmt: skip
from benchmarks.suspect_sets import Views, row_of
from benchmarks.suspects import move, split
from mining.embeddings.store import Embeddings
from pairsets.faces import Faces
from pairsets.files.expectations import Expectation, Share


def _views(sizes: list[int]) -> Views:
    generator = np.random.default_rng(0)
    paths = [f"{name:03}/{face}.png" for name, size in enumerate(sizes) for face in range(size)]
    vectors = generator.normal(size=(len(paths), 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    faces = Faces.of_paths(Path("faces"), paths)
    manifest = {"model": "random", "similarity": "cosine"}
    return Views(
        "some", Path("faces"), {"network": Embeddings(faces, vectors, manifest, Path("x"))}
    )


def _foreseen(low: float, value: float, high: float, why: str = "") -> Expectation:
    return Expectation("alias", Share(value, low, high), None, 10, why)


def test_flags_are_counted_once_and_against_what_was_planted() -> None:
    run = of_flags(["a", "b", "b", "c"], frozenset({"a", "d"}), None)
    assert run.content() == [3, 1, 2, 1]
    assert run.right_keys == {"a"}
    assert run.wrong_keys == {"b", "c"}


def test_interval_over_runs_is_that_of_a_ratio_of_sums() -> None:
    hits, totals = [3, 6, 5, 8], [5, 10, 9, 14]
    low, high = clustered(hits, totals)
    # Student's t of 3 degrees of freedom, and the jackknife's linear term written out.
    ratio = 22 / 38
    residuals = [k - ratio * n for k, n in zip(hits, totals, strict=True)]
    error = (4 / 3 * sum(each**2 for each in residuals)) ** 0.5 / 38
    assert (low, high) == pytest.approx((ratio - 3.18245 * error, ratio + 3.18245 * error), 1e-5)


def test_a_share_of_few_different_things_is_less_sure_than_its_flags() -> None:
    wide, narrow = share([50], [50], 5), share([50], [50], 50)
    assert wide is not None
    assert narrow is not None
    assert wide[1] == pytest.approx(5 / (5 + 1.959964**2), abs=1e-4)
    assert narrow[1] == pytest.approx(50 / (50 + 1.959964**2), abs=1e-4)
    assert share([0], [0], 1) is None


def test_two_of_three_is_outside_what_was_printed_but_may_be_chance() -> None:
    printed = Share(0.95, 0.9, 0.99)
    assert not within(printed, 2, 3)
    assert within_noise(printed, 2, 3)
    assert not within_noise(printed, 20, 60)
    assert within(printed, 9, 10)
    assert exact(0, 10)[0] == 0
    assert exact(10, 10)[1] == 1


def test_a_run_without_flags_and_one_that_abstains_are_not_judged() -> None:
    runs = [
        Run(10, 9, 10, 9, expected=_foreseen(0.85, 0.9, 1.0)),
        Run(10, 2, 10, 2, expected=_foreseen(0.85, 0.9, 1.0)),
        Run(0, 0, 10, 0, expected=_foreseen(0.85, 0.9, 1.0)),
        Run(0, 0, 10, 0, expected=_foreseen(0.1, 0.2, 0.3, "too often wrong")),
    ]
    cell = summary(runs)
    assert cell["abstained"] == 1
    assert cell["precision"][0] == 0.55
    assert cell["recall"][0] == 0.275
    assert cell["recall_where_it_spoke"][0] == pytest.approx(11 / 30, abs=1e-4)
    told = cell["expected"]["precision"]
    assert (told["judged"], told["within"], told["within_noise"]) == (2, 1, 1)
    assert of_all([cell, cell])["precision"] == {"judged": 4, "within": 0.5, "within_noise": 0.5}


def test_a_check_that_does_not_measure_itself_has_foretold_nothing() -> None:
    cell = summary([Run(4, 3, 6, 3)])
    assert cell["expected"] is None
    assert of_all([cell])["precision"]["judged"] == 0


def test_a_share_of_identities_gets_a_second_name() -> None:
    views = _views([4] * 30)
    names, planted = split(views, 0.1, 7)
    assert len(planted) == 3
    for a, b in planted:
        old, new = sorted((a, b), key=lambda name: name.startswith("zz"))
        whole = np.flatnonzero(views.identities == old)
        assert {*names[whole].tolist()} == {old, new}
    assert (names != views.identities).sum() == sum((names == max(both)).sum() for both in planted)
    assert split(views, 0.0, 7)[1] == frozenset()


@pytest.mark.parametrize("near", [False, True])
def test_moved_faces_are_those_with_another_name(near: bool) -> None:
    views = _views([3] * 20)
    names, moved = move(views, views.identities, 0.1, near, 3)
    assert len(moved) == 6
    assert {*np.flatnonzero(names != views.identities).tolist()} == moved
    assert {*names.tolist()} == {*views.identities.tolist()}
    looking = views.relabelled(names)["network"]
    for row, path in enumerate(looking.faces.paths.tolist()):
        assert (looking.vectors[row] == views.by["network"].vectors[row_of(path)]).all()
        assert path.split("/")[0] == names[row_of(path)]


def test_limits_chosen_afterwards_agree_with_trying_them_all() -> None:
    generator = np.random.default_rng(1)
    scores = generator.integers(0, 12, 60) / 12
    wrong = generator.random(60) < scores
    tried = [
        (wrong & (scores >= limit)).sum() / wrong.sum()
        for limit in np.unique(scores)
        if (wrong & (scores >= limit)).sum() >= 0.9 * (scores >= limit).sum()
    ]
    assert reachable(scores, wrong) == pytest.approx(max(tried, default=0.0))
    found = recall_at(np.array([0.9, 0.8, 0.5]), np.array([0.6, 0.1]))
    assert found == {"precision": 0.99, "recall": pytest.approx(0.6667), "limit": 0.8}


@pytest.mark.parametrize("degrees", [5, -10])
@pytest.mark.parametrize("size", [(200, 200), (180, 120)])
def test_a_turned_picture_is_cut_to_what_was_within(size: tuple[int, int], degrees: float) -> None:
    white = Image.new("RGB", size, (255, 255, 255))
    cut = np.asarray(turned_and_cut(white, degrees))
    # Corners from outside would be black.
    assert cut.min() == 255
    assert 0.6 * size[0] < cut.shape[1] < size[0]
