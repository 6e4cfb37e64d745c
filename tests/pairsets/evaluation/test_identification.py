"""Rates of identification: by hand, and beside an implementation that loops over a full table."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from mining.scores.identification import Gallery, Side
from pairsets.errors import ScoresError
from pairsets.evaluation.clusters import Clusters
from pairsets.evaluation.identification import (
    Identification,
    IdentificationTargets,
    clustered_mean,
    rate_identification,
)
from pairsets.evaluation.identification_differences import IdentificationComparison
from pairsets.evaluation.interval_options import IntervalOptions
from pairsets.evaluation.searches import Searches, average_precisions, cumulative_matches
from pairsets.paths import strings

NO_DRAWS = IntervalOptions(draws=0)


def searched(scores: np.ndarray, entries: list[str], probes: list[str]) -> Searches:
    """Searches whose scores `[P, G]` are these: probes are rows of an identity matrix."""
    vectors = np.asarray(scores, np.float32).T
    units = np.eye(len(scores), dtype=np.float32)
    gallery = Side.of(np.ascontiguousarray(vectors), strings(entries))
    return Gallery(gallery, Side.of(units, strings(probes))).search()


class Naive:
    """Rates by loops over all scores, as the definitions are written."""

    def __init__(self, scores: np.ndarray, entries: list[str], probes: list[str]) -> None:
        self.rows = [
            (who, list(zip(entries, row, strict=True)))
            for who, row in zip(probes, np.asarray(scores, np.float32).tolist(), strict=True)
        ]
        self.size = len({*entries})
        self.known = {*entries}

    def rank(self, who: str, row: list[tuple[str, float]]) -> int:
        best: dict[str, float] = {}
        for name, score in row:
            best[name] = max(score, best.get(name, score))
        return sum(1 for name in best if best[name] >= best[who])

    def cmc(self, rank: int) -> float:
        mated = [one for one in self.rows if one[0] in self.known]
        return sum(self.rank(*one) <= rank for one in mated) / len(mated)

    def mean_precision(self) -> float:
        found = []
        for who, row in self.rows:
            if who in self.known:
                # Entries of others first, where scores are equal.
                ranked = sorted(row, key=lambda one: (-one[1], one[0] == who))
                hits, parts = 0, []
                for place, (name, _) in enumerate(ranked, 1):
                    if name == who:
                        hits += 1
                        parts.append(hits / place)
                found.append(sum(parts) / len(parts))
        return float(np.mean(found))

    def fpir(self, threshold: float) -> float:
        apart = [row for who, row in self.rows if who not in self.known]
        return sum(any(s >= threshold for _, s in row) for row in apart) / len(apart)

    def fnir(self, threshold: float, limit: int) -> float:
        mated = [one for one in self.rows if one[0] in self.known]
        missed = 0
        for who, row in mated:
            own = max(score for name, score in row if name == who)
            missed += self.rank(who, row) > limit or own < threshold
        return missed / len(mated)

    def thresholds(self) -> list[float]:
        return sorted({score for _, row in self.rows for _, score in row} | {np.inf})

    def fnir_at(self, fpir: float, limit: int) -> float:
        return min(self.fnir(t, limit) for t in self.thresholds() if self.fpir(t) <= fpir)

    def fpir_at(self, fnir: float, limit: int) -> float | None:
        reached = [self.fpir(t) for t in self.thresholds() if self.fnir(t, limit) <= fnir]
        return min(reached, default=None)


def drawn(seed: int) -> tuple[np.ndarray, list[str], list[str]]:
    """Scores of few values, of galleries with one or several entries an identity."""
    rng = np.random.default_rng(seed)
    count = int(rng.integers(2, 8))
    entries = [f"id{at}" for at in range(count) for _ in range(int(rng.integers(1, 4)))]
    probes = ["id0", "nobody", *(f"id{at}" for at in rng.integers(0, count + 3, 12))]
    levels = int(rng.choice([3, 6, 1000]))
    return rng.integers(0, levels, (len(probes), len(entries))) / levels, entries, probes


@pytest.mark.parametrize("seed", range(200))
def test_equal_to_an_independent_implementation(seed: int) -> None:
    scores, entries, probes = drawn(seed)
    naive, searches = Naive(scores, entries, probes), searched(scores, entries, probes)
    limit = (None, 1, 2)[seed % 3]
    targets = IdentificationTargets((0.5, 1.0), (0.0, 0.3), limit)
    found = rate_identification(searches, targets, NO_DRAWS)
    assert found.cmc.tolist() == [naive.cmc(rank) for rank in range(1, naive.size + 1)]
    assert found.rate("map").value == pytest.approx(naive.mean_precision(), rel=1e-12)
    top = limit or naive.size
    assert found.curve is not None
    for threshold, fpir, fnir in zip(
        found.curve.thresholds, found.curve.fpr, found.curve.fnr, strict=True
    ):
        assert (fpir, fnir) == (naive.fpir(threshold), naive.fnir(threshold, top))
    for fpir in targets.fpirs or ():
        assert found.rate(f"fnir@{fpir!r}").value == naive.fnir_at(fpir, top)
    for fnir in targets.fnirs:
        expected = naive.fpir_at(fnir, top)
        value = found.rate(f"fpir@{fnir!r}").value
        assert np.isnan(value) if expected is None else value == expected


@pytest.mark.parametrize("seed", range(5))
def test_the_order_of_rows_changes_nothing(seed: int) -> None:
    scores, entries, probes = drawn(seed)
    rng = np.random.default_rng(seed)
    rows, columns = rng.permutation(len(probes)), rng.permutation(len(entries))
    first = rate_identification(searched(scores, entries, probes))
    second = rate_identification(
        searched(
            scores[np.ix_(rows, columns)],
            [entries[at] for at in columns],
            [probes[at] for at in rows],
        )
    )
    assert first.cmc.tolist() == second.cmc.tolist()
    for one, other in zip(first.rates, second.rates, strict=True):
        assert (one.name, one.value) == pytest.approx((other.name, other.value), nan_ok=True)
        if one.interval is not None and other.interval is not None:
            assert one.interval.low == pytest.approx(other.interval.low, abs=1e-9)
            assert one.interval.high == pytest.approx(other.interval.high, abs=1e-9)


def test_by_hand() -> None:
    """Three identities, b with two entries; a stranger, and ties."""
    entries, probes = ["a", "b", "b", "c"], ["a", "a", "b", "c", "stranger"]
    scores = np.array(
        [
            [0.9, 0.1, 0.2, 0.3],  # a first
            [0.5, 0.5, 0.2, 0.3],  # a ties with b: rank 2
            [0.8, 0.7, 0.1, 0.6],  # b behind a: rank 2
            [0.4, 0.4, 0.1, 0.4],  # c ties with a and b: rank 3
            [0.6, 0.2, 0.1, 0.0],
        ]
    )
    searches = searched(scores, entries, probes)
    assert searches.ranks.tolist() == [1, 2, 2, 3, 0]
    assert searches.ties == 2
    # Of b: its better entry at place 2, the other at 4: (1/2 + 2/4) / 2.
    assert searches.precisions.tolist()[:4] == [1.0, 0.5, 0.5, 1 / 3]
    found = rate_identification(searches, IdentificationTargets((1.0,), (0.25,)), NO_DRAWS)
    assert found.cmc.tolist() == [0.25, 0.75, 1.0]
    # Down to 0.6 the stranger is nobody: a at 0.9 and b at 0.7 are found.
    assert found.curve is not None
    at = found.curve.fpr.tolist().index(1.0)
    assert found.curve.thresholds[at] == np.float32(0.6)
    assert found.curve.fnr[at] == 0.5
    assert found.rate("fpir@0.25").value == 1.0
    first = rate_identification(searches, IdentificationTargets((1.0,), (0.25,), 1), NO_DRAWS)
    assert first.rate("fnir@1.0").value == 0.75
    assert np.isnan(first.rate("fpir@0.25").value)


def test_one_score_for_all_finds_nobody() -> None:
    searches = searched(np.full((4, 4), 0.5), list("abcd"), list("abcd"))
    assert rate_identification(searches).rate("rank-1").value == 0


@pytest.mark.parametrize("fpir", [0.09, 1e-3])
def test_a_target_that_cannot_be_told_is_refused(fpir: float) -> None:
    scores = np.random.default_rng(0).random((11, 2))
    searches = searched(scores, ["a", "b"], ["a", *["x"] * 10])
    assert rate_identification(searches, IdentificationTargets((0.1,)), NO_DRAWS)
    with pytest.raises(ScoresError, match=r"10 non-mated probes: the smallest is 0\.1"):
        rate_identification(searches, IdentificationTargets((fpir,)), NO_DRAWS)
    told = rate_identification(searches, intervals=NO_DRAWS)
    assert [one.name for one in told.rates if one.name.startswith("fnir")] == []
    assert any("cannot be told" in note for note in told.notes())


@pytest.mark.parametrize(
    "wrong", [{"fpirs": (2.0,)}, {"fnirs": (-0.1,)}, {"rank_limit": 0}], ids=str
)
def test_targets_that_are_none_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ScoresError):
        IdentificationTargets(**wrong)  # type: ignore[arg-type]


def test_without_strangers_there_is_no_open_set() -> None:
    searches = searched(np.eye(3), list("abc"), list("abc"))
    found = rate_identification(searches)
    assert found.curve is None
    assert [one.name for one in found.rates] == ["rank-1", "map"]
    with pytest.raises(ScoresError, match=r"no rate 'fnir@0\.01'"):
        found.rate("fnir@0.01")


def test_nobody_in_the_gallery_is_refused() -> None:
    with pytest.raises(ScoresError, match="none of 2 probes has its identity in the gallery of 1"):
        searched(np.ones((2, 1)), ["a"], ["b", "c"])


def test_parts_by_hand() -> None:
    assert cumulative_matches([2, 2, 4], 4).tolist() == [0, 2 / 3, 2 / 3, 1]
    with pytest.raises(ScoresError, match="ranks"):
        cumulative_matches([0, 1], 2)
    assert average_precisions([1, 1], [0.1, 0.9], [3, 0], 2).tolist()[1] == (1 + 2 / 5) / 2
    alike = Clusters(np.zeros(8, int), np.zeros(8, int), 1)
    mean, interval = clustered_mean(np.ones(8), alike)
    assert interval is not None
    assert mean == interval.high == 1
    assert 0.5 < interval.low < 0.9


def world(seed: int, skill: float, noise: int) -> Identification:
    """Identities of four probes each, and strangers; `noise` differs between models."""
    rng, own = np.random.default_rng(seed), np.random.default_rng(noise)
    names = [f"id{at:03}" for at in range(60)]
    probes = [name for name in names for _ in range(4)]
    apart = [f"x{at:03}" for at in range(60) for _ in range(2)]
    scores = rng.normal(size=(len(probes) + len(apart), len(names)))
    scores += 0.3 * own.normal(size=scores.shape)
    right = np.arange(len(probes))
    scores[right, right // 4] += skill
    searches = searched(scores, names, [*probes, *apart])
    return rate_identification(searches, intervals=IntervalOptions(draws=200))


def test_models_are_told_apart_where_they_differ_alone() -> None:
    better, worse, equal = world(0, 3.5, 1), world(0, 2.0, 2), world(0, 3.5, 3)
    found = IdentificationComparison({"worse": worse, "better": better, "equal": equal})
    for name, rows in found.differences.items():
        by_pair = {(one.first, one.second): one for one in rows}
        assert [*by_pair] == [*itertools.combinations(found.models, 2)]
        assert not by_pair["better", "equal"].significant, name
        assert by_pair["better", "equal"].low < 0 < by_pair["better", "equal"].high
    assert found.differences["rank-1"][0].significant
    assert found.differences["map"][0].value < 0
    assert found.groups["rank-1"] == {"worse": "b", "better": "a", "equal": "a"}
    assert not found.is_best("rank-1", "better")
    alone = IdentificationComparison({"worse": worse, "better": better})
    assert alone.is_best("rank-1", "better")
    assert alone.is_best("fpir@0.1", "better")
    assert not alone.is_best("rank-1", "worse")


def test_a_model_does_not_differ_from_itself() -> None:
    one = world(1, 2.0, 1)
    found = IdentificationComparison({"a": one, "b": one})
    for rows in found.differences.values():
        assert (rows[0].value, rows[0].p, rows[0].only_first) == (0, 1, 0)


def test_three_searches_do_not_tell_all_from_none() -> None:
    names = list("abc")
    always, never = (
        rate_identification(searched(scores, names, names), intervals=IntervalOptions(draws=0))
        for scores in (np.eye(3), 1 - np.eye(3))
    )
    found = IdentificationComparison({"always": always, "never": never}).differences["rank-1"][0]
    assert found.value == 1
    assert found.low < 0.5 < found.high
    assert found.p > 0


def test_searches_for_other_probes_are_not_compared() -> None:
    one = world(1, 2.0, 1)
    fewer = replace(one, searches=replace(one.searches, size=61))
    with pytest.raises(ScoresError, match="other galleries"):
        IdentificationComparison({"a": one, "b": fewer})
    with pytest.raises(ScoresError, match="no model"):
        IdentificationComparison({})


def test_too_few_strangers_have_no_interval_and_that_is_told() -> None:
    scores = np.random.default_rng(0).random((9, 4))
    searches = searched(scores, list("abcd"), [*"aabbccdd", "stranger"])
    found = rate_identification(searches, IdentificationTargets((1.0,), ()))
    assert found.rate("fnir@1.0").interval is None
    assert any("have no interval: 1 non-mated probes" in note for note in found.notes())
    assert found.rate("rank-1").interval is not None
