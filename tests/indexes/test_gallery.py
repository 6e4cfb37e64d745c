"""Exact search of a gallery: beside a full table of scores, ties and all."""

from __future__ import annotations

import numpy as np
import pytest

from indexes import IndexesError, pair_scores
from indexes.join.gallery import search_gallery


def planted(seed: int, whole: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """A gallery and probes of few small numbers, so that scores tie."""
    rng = np.random.default_rng(seed)
    width, entries, probes, groups = (int(rng.integers(1, top)) for top in (6, 30, 20, 9))
    scale = 1.0 if whole else 0.1
    gallery, queries = (
        (scale * rng.integers(-2, 3, (count, width))).astype(np.float32)
        for count in (entries, probes)
    )
    return gallery, queries, rng.integers(0, groups, entries), rng.integers(0, groups + 2, probes)


def table_of(gallery: np.ndarray, probes: np.ndarray) -> np.ndarray:
    """All scores, `[P, G]`."""
    rows, columns = np.indices((len(probes), len(gallery))).reshape(2, -1)
    return pair_scores(probes, gallery, rows, columns).reshape(len(probes), -1)


@pytest.mark.parametrize("whole", [True, False], ids=["whole numbers", "tenths"])
@pytest.mark.parametrize("seed", range(40))
def test_equal_to_a_full_table(seed: int, whole: bool) -> None:
    gallery, probes, groups, own_groups = planted(seed, whole)
    found = search_gallery(gallery, probes, groups, own_groups, cells=1 + 7 * seed % 90)
    scores, mates = table_of(gallery, probes), []
    for at, own_group in enumerate(own_groups.tolist()):
        own = sorted(scores[at, groups == own_group].tolist(), reverse=True)
        others = {g: scores[at, groups == g].max() for g in {*groups.tolist()} - {own_group}}
        best = max(others.values(), default=-np.inf)
        assert found.other_scores[at] == best
        named = [g for g, score in others.items() if score == best]
        assert found.other_groups[at] == min(named, default=-1)
        assert found.own_scores[at] == max(own, default=-np.inf)
        if own:
            assert found.groups_above[at] == sum(s > own[0] for s in others.values())
            assert found.groups_tied[at] == sum(s == own[0] for s in others.values())
        apart = scores[at, groups != own_group]
        mates += [(at, s, int((apart > s).sum()), int((apart == s).sum())) for s in own]
    columns = (found.mate_probes, found.mate_scores, found.mate_above, found.mate_tied)
    assert list(zip(*(one.tolist() for one in columns), strict=True)) == mates


def test_scores_that_float32_cannot_tell_apart_are_told_apart() -> None:
    # Both products are 1 in float32.
    near = np.float32(1 - 2**-24)
    gallery = np.array([[1, 0], [1, 2**-13]], np.float32)
    probe = np.array([[near, 2**-13]], np.float32)
    found = search_gallery(gallery, probe, [0, 1], [0])
    assert (found.groups_above.tolist(), found.groups_tied.tolist()) == ([1], [0])


def test_large_vectors_do_not_overflow() -> None:
    gallery = np.array([[1e30, 0], [0, 1e30]], np.float32)
    found = search_gallery(gallery, gallery, [0, 1], [0, 1])
    assert found.groups_above.tolist() == [0, 0]


def test_rows_that_count_may_be_given_in_any_order_and_nothing_is_changed() -> None:
    gallery, probes, groups, own = planted(7, True)
    for one in (gallery, probes):
        one.setflags(write=False)
    whole = search_gallery(gallery, probes, groups, own)
    rows = np.random.default_rng(0).permutation(len(groups))
    shuffled = search_gallery(gallery, probes, groups[rows], own, gallery_rows=rows, cells=5)
    for name, value in vars(whole).items():
        np.testing.assert_array_equal(value, getattr(shuffled, name), name)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"gallery_groups": [0]}, "groups of the gallery of shape"),
        ({"probe_groups": ["a"]}, "groups of the probes of shape"),
        ({"probes": [[1.0]]}, "queries of 1 dimensions"),
        ({"gallery": [[np.nan, 0], [0, 1]]}, "not finite"),
        ({"probe_rows": np.empty(0, int), "probe_groups": np.empty(0, int)}, "no rows of the pro"),
    ],
)
def test_what_cannot_be_searched_is_refused(change: dict[str, object], said: str) -> None:
    given = {
        "gallery": [[1, 0], [0, 1]],
        "probes": [[1, 0]],
        "gallery_groups": [0, 1],
        "probe_groups": [0],
    }
    with pytest.raises(IndexesError, match=said):
        search_gallery(**{**given, **change})  # type: ignore[arg-type]
