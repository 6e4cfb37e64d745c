"""Kinship from vectors and from scores: a planted reference, its kin, a stranger and a coin."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import spearmanr
from support import oracle
from support.worlds import all_pairs

from indexes import FlatIndex
from mining import Embeddings, score_pairs
from mining.scores import kinship
from mining.scores.collection import Gathered
from mining.scores.kinship import Likeness, kinships_between, kinships_of
from pairsets import Faces, PairSet, random_pairs
from pairsets.tables.leaderboard import make_leaderboard

NAMES = [f"c{k:02}" for k in range(60)]


def embedded(vectors, name, weights=None):
    """Embeddings of faces `c00/0`, `c00/1`, ... with a manifest."""
    paths = [f"{who}/{at}" for who in NAMES for at in range(len(vectors) // len(NAMES))]
    array = np.asarray(vectors, np.float32)
    array = array / np.linalg.norm(array, axis=1, keepdims=True)
    array.setflags(write=False)
    provenance = {} if weights is None else {"weights": weights}
    manifest = {"model": name, "fingerprint": f"print of {name}", "provenance": provenance}
    return Embeddings(Faces.of_paths(Path("faces"), paths), array, manifest, Path(name))


@pytest.fixture(scope="module")
def world():
    """A reference of a shared and an own part, kin of it with the shared part, and a coin.

    Both networks know their identities; the coin knows nothing.
    """
    generator = np.random.default_rng(7)

    def part(size, noise):
        centres = generator.standard_normal((len(NAMES), size))
        faces = np.repeat(centres, 6, axis=0)
        return faces + noise * generator.standard_normal(faces.shape)

    shared, own, other = part(6, 1.0), part(2, 1.0), part(2, 1.0)
    return {
        "reference": embedded(np.hstack([shared, own]), "reference", "abc"),
        "kin": embedded(np.hstack([shared, other]), "kin"),
        "coin": embedded(generator.standard_normal((len(NAMES) * 6, 8)), "coin"),
    }


@pytest.fixture(scope="module")
def sets(world):
    """Random pairs, and the positives of these with the reference's hardest negatives."""
    reference = world["reference"]
    random = random_pairs(reference.faces, positives=400, negatives=2000, seed=1)
    top = FlatIndex(reference.vectors).top_pairs(400, reference.faces.groups)
    paths, kept = reference.faces.paths, random.positives
    hard = PairSet.of(
        np.r_[random.path_a[kept], np.asarray(paths[top.i])],
        np.r_[random.path_b[kept], np.asarray(paths[top.j])],
        np.r_[np.ones(int(kept.sum()), int), np.zeros(400, int)],
    )
    return {"random": random, "mined": hard}


def board_of(sets, world, kinships, name="mined", **options):
    scores = {model: score_pairs(sets[name], one) for model, one in world.items()}
    return make_leaderboard(
        name, sets[name], scores, 0.139, mined_by="reference", kinships=kinships, draws=200,
        **options,
    )  # fmt: skip


def told_apart(board, better, worse):
    """Statistics in which the table says that the first is better."""
    return [
        statistic
        for statistic, found in board.comparison.differences.items()
        for one in found
        if {one.first, one.second} == {better, worse} and one.better == better
    ]


def test_kin_are_not_told_apart_as_worse_than_a_coin(world, sets):
    random = board_of(sets, world, None, "random")
    assert told_apart(random, "kin", "coin") == ["fpr", "eer"]
    # On its own pairs the likeness is punished: by these a coin is the better model.
    assert told_apart(board_of(sets, world, None), "coin", "kin") != []
    found = kinships_between(world, {"reference": world["reference"]}, 400)
    assert [one.kin for one in found.by_model["kin"]] == [True]
    assert [one.kin for one in found.by_model["coin"]] == [False]
    board = board_of(sets, world, found.by_model)
    assert told_apart(board, "coin", "kin") == []
    assert board.comparison.apart == {"reference", "kin"}
    assert all("kin" not in groups for groups in board.comparison.groups.values())
    by_name = {entry.model: entry for entry in board.entries}
    assert [entry.model for entry in board.entries] == ["coin", "kin", "reference"]
    assert not by_name["kin"].competes
    assert by_name["kin"].note == "kin of reference: not comparable on its pairs"
    assert by_name["coin"].competes


def test_vectors_give_the_correlation_and_the_overlap(world):
    found = kinships_between(world, {"reference": world["reference"]}, 50).by_model["kin"][0]
    reference, kin = world["reference"], world["kin"]
    naive = {}
    for name, one in (("reference", reference), ("kin", kin)):
        pairs = all_pairs(one)[:50]
        naive[name] = {(i, j) for i, j, _ in pairs}
    assert found.overlap.share == len(naive["reference"] & naive["kin"]) / 50
    count = 360 * 359 // 2 - 60 * 15
    assert (found.overlap.hardest, found.overlap.pairs) == (50, count)
    # A sample is near all pairs; the interval holds them.
    every = [(i, j) for i, j, _ in all_pairs(reference)]
    scores = [[oracle.score(one.vectors[i], one.vectors[j]) for i, j in every[::7]]
              for one in (reference, kin)]  # fmt: skip
    assert found.correlation.pairs == kinship.PAIRS
    assert found.correlation.value == pytest.approx(spearmanr(*scores).statistic, abs=0.02)


def test_only_faces_that_both_have_count(world, monkeypatch):
    reference, kin = world["reference"], world["kin"]
    rows = np.sort(np.random.default_rng(1).permutation(len(kin))[:100])
    monkeypatch.setattr(kinship, "PAIRS", 10**6)
    fewer = Likeness(30).between(kin.take(rows), reference)
    both = Likeness(30).between(kin.take(rows), reference.take(rows))
    assert fewer == both
    assert fewer[0].pairs < 100 * 99 // 2
    # Whichever of the two has them all.
    assert Likeness(30).between(kin, reference.take(rows)) == both


def test_few_faces_equal_scores_and_many_faces(world, monkeypatch):
    reference, kin = world["reference"], world["kin"]
    assert Likeness(5).between(kin.take(np.arange(3)), reference) == (None, None)
    flat = replace(kin, vectors=np.ones((360, 2), np.float32))
    assert Likeness(5).between(flat, reference) == (None, None)
    monkeypatch.setattr(kinship, "MOST_FACES", 359)
    correlation, overlap = Likeness(5).between(kin, reference)
    assert correlation is not None
    assert overlap is None


@pytest.fixture
def files(tmp_path, sets, world):
    """Pair files, with a manifest beside the mined one."""
    found = {name: pairs.write(tmp_path / f"{name}.csv") for name, pairs in sets.items()}
    reference = world["reference"].manifest
    (tmp_path / "mined.json").write_text(json.dumps({"reference": dict(reference)}))
    return found


def gathered(sets, world, models, prints=()):
    scores = {
        name: {model: score_pairs(pairs, world[model]) for model in models}
        for name, pairs in sets.items()
    }
    return Gathered(scores, {model: f"print of {model}" for model in prints})


def test_vectors_at_hand_are_taken(files, sets, world):
    models = ("coin", "kin", "reference")
    found = kinships_of(
        "mined", files, sets, gathered(sets, world, models, models), [*world.values()]
    )
    assert found.warnings == []
    assert list(found.by_model) == ["coin", "kin"]
    between = kinships_between(world, {"reference": world["reference"]}, 400)
    assert found.by_model == between.by_model


def test_scores_of_random_pairs_are_the_next_best(files, sets, world):
    models = ("coin", "kin", "reference")
    known = gathered(sets, world, models)
    found = kinships_of("mined", files, sets, known, [])
    assert found.warnings == []
    (kin,) = found.by_model["kin"]
    assert kin.overlap is None
    rows = sets["random"].negatives
    scores = [known.scores["random"][model][rows] for model in ("kin", "reference")]
    assert kin.correlation.value == pytest.approx(spearmanr(*scores).statistic)
    assert kin.kin
    # A pair without a score is no lowest one.
    known.scores["random"]["kin"][np.flatnonzero(rows)[:5]] = -np.inf
    (fewer,) = kinships_of("mined", files, sets, known, []).by_model["kin"]
    assert fewer.correlation.pairs == kin.correlation.pairs - 5


def test_of_mined_positives_no_negatives_are_the_hardest(files, sets, world):
    manifest = files["mined"].with_suffix(".json")
    content = json.loads(manifest.read_text()) | {"parameters": {"label": "positive"}}
    manifest.write_text(json.dumps(content))
    known = gathered(sets, world, ("kin", "reference"), ("kin", "reference"))
    (one,) = kinships_of("mined", files, sets, known, [*world.values()]).by_model["kin"]
    assert one.correlation.pairs == kinship.PAIRS
    assert one.overlap is None


def test_where_nothing_is_known_a_sentence_says_what_to_give(files, sets, world):
    alone = {"mined": sets["mined"]}
    for models, there in ((("coin", "kin"), sets), (("kin", "reference", "coin"), alone)):
        found = kinships_of("mined", files, there, gathered(there, world, models), [])
        assert found.by_model == {}
        (said,) = found.warnings
        assert "coin" in said
        assert "kin of reference" in said
        assert "--embeddings" in said
    # Nobody mined it.
    found = kinships_of("random", files, sets, gathered(sets, world, ("kin", "reference")), [])
    assert (found.by_model, found.warnings) == ({}, [])


def test_one_network_with_other_settings_is_kin_whatever_else_is_known(files, sets, world):
    twin = embedded(world["coin"].vectors, "twin", "abc")
    worlds = {"twin": twin, "coin": world["coin"]}
    known = gathered({"mined": sets["mined"]}, worlds, ("twin", "coin"), ("twin", "coin"))
    found = kinships_of("mined", files, sets, known, [*worlds.values()])
    (one,) = found.by_model["twin"]
    assert (one.same_weights, one.kin, one.correlation) == (True, True, None)
    # Two without a digest are not one network.
    assert "coin" not in found.by_model
    assert len(found.warnings) == 1


def test_several_references_are_measured_with_each_other(world):
    both = {name: world[name] for name in ("reference", "kin")}
    found = kinships_between(world, both, 20).by_model
    assert [one.reference for one in found["coin"]] == ["reference", "kin"]
    assert [one.reference for one in found["reference"]] == ["kin"]
    assert found["reference"][0].kin
