"""What several references mine together, from embeddings to the rows of a table."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from support import oracle

from indexes import IndexesError
from mining.embeddings.store import Embeddings
from mining.errors import FusionError, RulesError
from mining.miners.fused_negatives import left_out, mine_together
from mining.miners.negatives import adversarial_pairs
from mining.ranking.rules import Rules
from mining.ranking.warnings import fusion_warnings
from mining.scores.score_pairs import score_pairs
from pairsets import Faces, PairSet
from pairsets.tables.leaderboard import make_leaderboard

PATHS = [f"{identity}/{k}.png" for identity in "abcdefgh" for k in range(3)]


def embedded(seed, paths=PATHS):
    vectors = np.random.default_rng(seed).normal(size=(len(paths), 4)).astype(np.float32)
    vectors.setflags(write=False)
    return Embeddings(Faces.of_paths(Path("faces"), paths), vectors, {}, Path())


@pytest.fixture
def sources():
    return {name: embedded(seed) for seed, name in enumerate(["A", "B", "C"])}


def by_sorting_all(sources, method):
    """`(path A, path B) -> fused, [own, ...]`, hardest first, by the double loop."""
    ranked = []
    for source in sources.values():
        best = oracle.top_pairs(np.array(source.vectors), source.faces.identities, 10**9)
        scores = [score for _, _, score in best]
        own = {
            (PATHS[i], PATHS[j]): Fraction(len(best) - scores.index(score), len(best))
            for i, j, score in best
        }
        ranked.append(own)
    found = {pair: [float(own[pair]) for own in ranked] for pair in sorted(ranked[0])}
    fuse = {"mean": lambda own: sum(own) / len(own), "min": min}[method]
    values = {pair: float(fuse([own[pair] for own in ranked])) for pair in found}
    order = sorted(found, key=lambda pair: (-values[pair], pair))
    return {pair: (values[pair], found[pair]) for pair in order}


def pairs_of(mined):
    return list(zip(mined.path_a, mined.path_b, strict=True))


@pytest.mark.parametrize("method", ["mean", "min"])
def test_the_hardest_for_all_come_first(sources, method):
    fused = mine_together(sources, 30, method=method)
    truth = by_sorting_all(sources, method)
    assert pairs_of(fused) == list(truth)[:30]
    assert fused.scores.tolist() == [value for value, _ in truth.values()][:30]
    assert fused.quantiles.tolist() == [own for _, own in truth.values()][:30]
    assert (fused.fusion.names, fused.fusion.method, fused.sure) == (("A", "B", "C"), method, 30)
    assert fused.exact
    assert fusion_warnings(fused) == []
    assert fused.fused.mined is fused  # as it was called


def test_a_reference_is_judged_on_what_the_others_mined(sources):
    fused_negatives = mine_together(sources, 20)
    assert list(fused_negatives.without) == ["A", "B", "C"]
    for name, fused in fused_negatives.without.items():
        others = {other: source for other, source in sources.items() if other != name}
        assert fused.fusion.names == tuple(others)
        assert pairs_of(fused) == list(by_sorting_all(others, "mean"))[:20]
    two = mine_together({"A": sources["A"], "B": sources["B"]}, 20)
    best = oracle.top_pairs(np.array(sources["A"].vectors), sources["A"].faces.identities, 20)
    assert pairs_of(two.without["B"]) == [(PATHS[i], PATHS[j]) for i, j, _ in best]


def test_what_each_is_judged_on_can_be_left_out(sources):
    alone = mine_together(sources, 20, each=False)
    assert alone.without == {}
    assert pairs_of(alone) == pairs_of(mine_together(sources, 20))


def test_rules_and_exclusions_hold_for_all_but_change_no_quantile(sources):
    truth = by_sorting_all(sources, "mean")
    seen = PairSet.of(*zip(*list(truth)[:3], strict=True), 0)
    fused_negatives = mine_together(sources, 8, rules=Rules(max_per_image=1), exclude=[seen])
    fused = fused_negatives
    used = [path for pair in pairs_of(fused) for path in pair]
    assert len(used) == len(set(used)) == 16
    greedy = []
    for pair in list(truth)[3:]:
        if not {*pair} & {path for taken in greedy for path in taken}:
            greedy.append(pair)
    assert pairs_of(fused) == greedy[:8]
    assert fused.quantiles.tolist() == [truth[pair][1] for pair in greedy[:8]]
    assert fused.dropped[0] == ("excluded, else among the best", 3)
    for one in fused_negatives.without.values():
        assert not {*pairs_of(one)} & {*list(truth)[:3]}
        assert one.rules.max_per_image == 1


def test_ignored_faces_are_no_part_of_a_quantile(sources):
    gone = {path for path in PATHS if path.endswith("/2.png")}
    kept = {
        name: Embeddings(
            Faces.of_paths(Path("faces"), [path for path in PATHS if path not in gone]),
            source.vectors[[path not in gone for path in PATHS]],
            {},
            Path(),
        )
        for name, source in sources.items()
    }
    ignoring = mine_together(sources, 10, ignore=["2.png"])
    alone = mine_together(kept, 10)
    assert pairs_of(ignoring) == pairs_of(alone)
    assert ignoring.quantiles.tolist() == alone.quantiles.tolist()
    assert ignoring.ignored == 8


def test_a_set_is_exact_where_all_of_it_is_certain(sources):
    # All pairs that exist, fewer than asked for.
    every = mine_together(sources, 10_000)
    assert (len(every), every.sure, every.exact) == (252, 252, True)
    # The caps look twice as deep as the set needs: that the lists do not settle.
    two = {"A": sources["A"], "B": sources["B"]}
    limit = next(k for k in range(1, 252) if mine_together(two, 6, limit=k).sure == 6)
    assert not mine_together(two, 12, limit=limit).exact
    capped = mine_together(two, 6, limit=limit, rules=Rules(max_per_identity_pair=6))
    assert (capped.sure, capped.exact) == (6, True)
    assert pairs_of(capped) == list(by_sorting_all(two, "mean"))[:6]


def test_disagreement_is_told(sources):
    two = {"A": sources["A"], "B": sources["B"]}
    fused_negatives = mine_together(two, 40, limit=40)
    fused = fused_negatives
    assert not fused.exact
    truth = list(by_sorting_all(two, "mean"))
    assert pairs_of(fused)[: fused.sure] == truth[: fused.sure]
    assert fused.sure < len(fused) < 40
    assert fusion_warnings(fused_negatives) == [
        f"A, B agree on too little for an exact answer: of the {len(fused)} pairs, "
        f"{fused.sure} are certainly the hardest; harder ones than the others may be missing."
    ]
    assert len(fused_negatives.without["A"]) == len(fused)
    assert fused_negatives.without["A"].exact


def test_leave_one_out_rows(sources):
    test = PairSet.of(PATHS[0::3], PATHS[1::3], 1)
    fused_negatives = mine_together(sources, 12)
    pairs, _ = adversarial_pairs(fused_negatives, test, seed=5)
    rows = left_out(fused_negatives, sources, test, seed=5)
    others = {"A": ("B", "C"), "B": ("A", "C"), "C": ("A", "B")}
    assert {name: row.mined_by for name, row in rows.items()} == others
    for name, row in rows.items():
        mined = fused_negatives.without[name]
        assert row.pairs == adversarial_pairs(mined, test, seed=5)[0]
        assert row.scores.tolist() == score_pairs(row.pairs, sources[name]).tolist()
    scores = {name: score_pairs(pairs, source) for name, source in sources.items()}
    board = make_leaderboard(
        "adversarial", pairs, scores, 0.25, mined_by=list(sources), left_out=rows
    )
    assert [entry.title for entry in board.entries][::2] == ["A", "B", "C"]
    assert board.entries[3].title == "B (pairs mined by A, C)"
    assert {entry.evaluation.negatives for entry in board.entries} == {12}
    assert {entry.evaluation.positives for entry in board.entries} == {8}


def test_long_searches_keep_what_they_found_apart(sources, tmp_path, monkeypatch):
    from mining.miners import fused_negatives

    files = []

    class Recorded(fused_negatives.ModelRanking):
        def __init__(self, *args, checkpoint=None, **options):
            files.append(checkpoint)
            super().__init__(*args, checkpoint=checkpoint, **options)

    monkeypatch.setattr(fused_negatives, "ModelRanking", Recorded)
    mine_together(sources, 5, checkpoint=tmp_path / "run.partial.npz")
    assert files == [tmp_path / f"run.partial-{at}.npz" for at in (1, 2, 3)]
    (tmp_path / "run.partial-2-3.npz").write_text("of a search that was interrupted")
    (tmp_path / "run.partial.csv").write_text("of somebody else")
    mine_together(sources, 5, checkpoint=tmp_path / "run.partial.npz")
    assert [path.name for path in tmp_path.iterdir()] == ["run.partial.csv"]
    files.clear()
    mine_together(sources, 5)
    assert files == [None, None, None]


def test_bad_input_is_refused(sources):
    with pytest.raises(FusionError, match="1 reference; several are two or more"):
        mine_together({"A": sources["A"]}, 5)
    other = embedded(1, PATHS[1:])
    with pytest.raises(FusionError, match=r"A and B are over different faces: 'a/0.png' is among"):
        mine_together({"A": sources["A"], "B": other}, 5)
    with pytest.raises(FusionError, match="'max'; expected one of mean, min"):
        mine_together(sources, 5, method="max")
    with pytest.raises(IndexesError, match="n of 0"):
        mine_together(sources, 0)


@pytest.mark.parametrize("name", ["min_score", "max_score", "margin", "relative_margin"])
def test_limits_of_one_models_scores_are_refused(sources, name):
    with pytest.raises(RulesError, match=f"{name} with several references, whose scores share no"):
        mine_together(sources, 5, rules=Rules(**{name: 0.5}, max_per_image=2))
