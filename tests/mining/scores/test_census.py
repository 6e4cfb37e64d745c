"""A model's census against the ROC of all pairs, written out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from indexes import pair_scores
from mining import Embeddings
from mining.errors import RunError
from mining.scores import score_tail
from mining.scores.census import (
    FULL,
    census_work,
    named_embeddings,
    take_all,
    take_census,
    target_share,
    unresolved_fars,
)
from pairsets import Faces
from pairsets.errors import ScoresError
from pairsets.evaluation.rates import area_under, equal_error, fnr_at_fpr, fpr_at_fnr, roc


def embedded(vectors, groups, model="m", root="faces"):
    """Embeddings of faces `GROUP/ROW`."""
    paths = [f"{int(group):04}/{row:05}.png" for row, group in enumerate(groups)]
    order = np.argsort(np.array(paths))
    faces = Faces.of_paths(Path(root), [paths[at] for at in order])
    table = np.asarray(vectors, np.float32)[order]
    manifest = {"model": model, "fingerprint": model, "similarity": "cosine"}
    return Embeddings(faces, table, manifest, Path(model))


def drawn(count, width, identities, seed, *, ties=False, spread=1.0):
    draw = np.random.default_rng(seed)
    groups = draw.integers(0, identities, count)
    vectors = draw.standard_normal((identities, width))[groups]
    vectors = vectors + spread * draw.standard_normal((count, width))
    if ties:
        vectors = np.round(vectors)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True) + 1e-9
    return embedded(vectors, groups)


def truth(found):
    """Whether each pair is of one identity, and its score."""
    i, j = np.triu_indices(len(found), 1)
    groups = found.faces.groups
    return groups[i] == groups[j], pair_scores(found.vectors, found.vectors, i, j)


WORLDS = {
    "few": lambda: drawn(80, 4, 6, 1),
    "plain": lambda: drawn(500, 12, 40, 2),
    "ties": lambda: drawn(300, 3, 20, 3, ties=True),
    "apart": lambda: drawn(200, 16, 10, 4, spread=0.1),
    "two identities": lambda: drawn(150, 6, 2, 5),
    "all alike": lambda: embedded(np.ones((30, 3)), np.arange(30) // 3),
}


@pytest.mark.parametrize("name", WORLDS)
@pytest.mark.parametrize("full", [True, False])
def test_every_rate_is_that_of_all_pairs(name, full):
    world = WORLDS[name]()
    positive, scores = truth(world)
    curve = roc(positive, scores)
    found = take_census(world, 0.139, fars=[0.02, 3e-4], full=full)
    population = found.population
    assert (population.negatives, population.positives) == ((~positive).sum(), positive.sum())
    seen = set()
    for point in found.points:
        seen.add((point.fixed, point.target))
        accepted = scores >= point.threshold
        assert point.accepted == (accepted & ~positive).sum()
        assert point.missed == (~accepted & positive).sum()
        if point.fixed == "eer":
            assert point.fpr == point.fnr == equal_error(curve)[0]
            continue
        at = (fpr_at_fnr if point.fixed == "fnr" else fnr_at_fpr)(curve, point.target)
        assert (point.fpr, point.fnr) == (at.fpr, at.fnr)
        assert point.threshold <= at.threshold
    for cut, alarms, hits in zip(*(one.tolist() for one in vertices(found.curve)), strict=True):
        assert alarms == (scores[~positive] >= cut).sum()
        assert hits == (scores[positive] >= cut).sum()
    tail = fnr_at_fpr(curve, 1e-3)
    if np.isfinite(tail.threshold) and (~positive).sum() >= 1000:
        assert ("fpr", 1e-3) in seen
    if full:
        assert {("fnr", 0.139), ("eer", 0.0)} <= seen
        assert found.full
        assert found.area.low <= area_under(curve) <= found.area.high
    else:
        assert found.area is None
        assert found.highest_far == 1e-3
        assert not any(fixed == "eer" for fixed, _ in seen)


def vertices(curve):
    return curve.thresholds, curve.false_positives, curve.true_positives


def test_the_same_bytes_by_any_number_of_threads_and_tiles():
    from indexes.join import SearchOptions

    world = drawn(400, 12, 30, 6)
    records = [
        take_census(world, 0.1, full=True, how=how).record()
        for how in (
            SearchOptions(),
            SearchOptions(precision="fp32", threads=2, tile=64),
            SearchOptions(precision="fp32", threads=1, tile=100),
        )
    ]
    assert records[0] == records[1] == records[2]


def test_more_pairs_than_are_held_begin_at_a_lower_far(monkeypatch):
    world = drawn(500, 12, 40, 2)
    whole = take_census(world, full=False)
    monkeypatch.setattr(score_tail, "HELD", 100)
    found = take_census(world, full=False)
    assert found.highest_far == 1e-4
    assert ("fpr", 1e-3) in {(one.fixed, one.target) for one in whole.points}
    assert [one.target for one in found.points] == [1e-4, 1e-5]
    for point in found.points:
        other = whole.point("fpr", point.target)
        assert (point.fpr, point.fnr) == (other.fpr, other.fnr)


def test_ties_without_end_at_the_limit_of_what_is_held(monkeypatch):
    monkeypatch.setattr(score_tail, "HELD", 100)
    found = take_census(WORLDS["all alike"](), full=False)
    assert not found.points


def test_a_guess_that_is_too_high_is_made_again(monkeypatch):
    world = drawn(500, 12, 40, 2)
    expected = take_census(world, full=False).record()
    guessed = score_tail.TailSearch.guess
    calls = []

    def high(self, share):
        calls.append(share)
        return guessed(self, share) if len(calls) > 2 else 0.999

    monkeypatch.setattr(score_tail.TailSearch, "guess", high)
    assert take_census(world, full=False).record() == expected
    assert len(calls) == 3


def test_models_of_other_faces_are_refused():
    one, other = drawn(60, 4, 6, 1), drawn(61, 4, 6, 1)
    with pytest.raises(RunError, match="different faces: 0 of 60 are missing"):
        take_all({"A": one, "B": other})
    renamed = drawn(60, 4, 6, 1)
    names = renamed.faces.identities.copy()
    names[:] = [f"x{name}" for name in names]
    faces = Faces(renamed.faces.root, renamed.faces.paths, names)
    renamed = Embeddings(faces, renamed.vectors, renamed.manifest, renamed.folder)
    with pytest.raises(RunError, match="shows '0000' in the one and 'x0000' in the other"):
        take_all({"A": one, "B": renamed})


def test_targets():
    assert target_share(None) == 0.139
    with pytest.raises(ScoresError, match="a person's FNR"):
        target_share("human")
    with pytest.raises(ScoresError, match="share from 0 to 1"):
        target_share(13.9)
    assert census_work(1000, 512) < FULL < census_work(1_450_000, 512)


def test_fars_that_no_pair_reaches_are_told():
    world = drawn(60, 4, 6, 1)
    found = take_all({"A": world}, fars=[1e-9, 0.01], full=False)
    texts = unresolved_fars(found, [1e-9, 0.01])
    assert len(texts) == 2
    assert "of different identities one is" in texts[0]
    assert "--census full" in texts[1]


def test_one_model_twice_is_refused(tmp_path):
    with pytest.raises(Exception, match="not a finished folder"):
        named_embeddings([tmp_path])
