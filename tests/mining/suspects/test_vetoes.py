"""Negatives that another model calls positives: the share of positives below, counted naively."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import oracle
from support.identities import all_pairs, embedded, people, refuses_to_depend_on_company
from support.worlds import all_pairs as scored_pairs
from support.worlds import worlds

from mining.errors import EmbeddingError
from mining.suspects.vetoes import SecondModel
from pairsets import PairSet
from pairsets.errors import FacesError


@settings(max_examples=60, deadline=None)
@given(worlds(), st.sampled_from([0.1, 0.5, 0.95, 1.0]))
def test_shares_and_flags(world, quantile):
    given_faces = embedded(world.vectors, world.faces.identities.tolist())
    positives = [
        score
        for i, j, score in scored_pairs(given_faces, same=True)
        if given_faces.vectors[i].tolist() != given_faces.vectors[j].tolist()
    ]
    pairs = all_pairs(given_faces)
    if not positives:
        with pytest.raises(EmbeddingError, match="pixels: no identity has two different pictures"):
            SecondModel(given_faces)
        return
    found = SecondModel(given_faces, quantile=quantile)(pairs)
    rows = {path: row for row, path in enumerate(given_faces.faces.paths)}
    for at in range(len(pairs)):
        if pairs.label[at]:
            assert np.isnan(found.score[at])
            assert not found.flagged[at]
            continue
        a, b = rows[pairs.path_a[at]], rows[pairs.path_b[at]]
        score = oracle.score(given_faces.vectors[a], given_faces.vectors[b])
        share = sum(positive <= score for positive in positives) / len(positives)
        assert found.score[at] == pytest.approx(share)
        assert found.flagged[at] == (share >= quantile)


def planted():
    """30 people of 4 pictures; p000's last one is in the folder of p001."""
    vectors, names = people(30, 4, noise=0.4)
    names[3] = "p001"
    return embedded(vectors, names, "animecv:models/0206_resnet152.zip")


def test_the_reason_names_the_model_and_the_share():
    world = planted()
    pair = PairSet.of(["p000/0000"], ["p001/0003"], 0)
    found = SecondModel(world, quantile=0.1)(pair)
    assert found.kind == "veto"
    assert found.count == 1
    score = float(oracle.score(*world.vectors[world.faces.positions(["p000/0000", "p001/0003"])]))
    assert found.reasons[0] == (
        f"animecv:0206_resnet152 scores it {score:.3f}, as high as or higher than "
        f"{np.floor(found.score[0] * 1000) / 10:.1f} % of pairs of one identity"
    )


def test_vetoed_are_the_planted_ones_and_company_does_not_matter():
    world = planted()
    pairs = all_pairs(world)
    found = SecondModel(world, quantile=0.3)(pairs)
    flagged = [
        {pairs.path_a[row], pairs.path_b[row]} for row in np.flatnonzero(found.flagged).tolist()
    ]
    assert flagged
    assert all("p001/0003" in both and "p000" in str(both) for both in flagged)
    refuses_to_depend_on_company(lambda: SecondModel(world, quantile=0.3), pairs)


def test_the_same_picture_twice_is_no_positive():
    """One more copy of a face adds its pairs with the others, and none with what it copies."""
    vectors, names = people(20, 3)
    copied = embedded(np.vstack([vectors, vectors[:1]]), [*names, "p000"])
    pair = PairSet.of(["p000/0000"], ["p000/0001"], 0)
    scores = [score for *_, score in scored_pairs(copied, same=True)]
    (score,) = [oracle.score(*copied.vectors[copied.faces.positions(["p000/0000", "p000/0001"])])]
    below = sum(each <= score for each in scores)
    assert len(scores) == 63
    assert SecondModel(copied)(pair).score.tolist() == [below / 62]


def test_refusals():
    world = planted()
    for quantile in (0, -1, 1.5):
        with pytest.raises(ValueError, match=f"a quantile of {quantile}; expected above 0"):
            SecondModel(world, quantile=quantile)
    with pytest.raises(FacesError, match="'x/1' is not among the 120 faces"):
        SecondModel(world)(PairSet.of(["x/1"], ["p000/0000"], 0))
    # A positive is not looked at: it need not be embedded.
    assert SecondModel(world)(PairSet.of(["x/1"], ["x/2"], 1)).count == 0
