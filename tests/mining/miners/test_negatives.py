"""Mining: the planted look-alikes first, the ignored never, the file a drop-in."""

from __future__ import annotations

import numpy as np
import pytest
from support import oracle

from mining import embed, load_model, mine_negatives, score_pairs
from mining.miners.negatives import adversarial_pairs
from pairsets import Faces, FacesError, PairSet, ScoresError
from pairsets.files.score_files import read_scores, write_scores


@pytest.fixture
def embeddings(faces_folder, tmp_path):
    return embed(Faces.scan(faces_folder), load_model("pixels"), tmp_path / "embeddings")


def test_planted_lookalikes_come_first(embeddings):
    mined = mine_negatives(embeddings, 9)
    pairs = zip(mined.path_a, mined.path_b, strict=True)
    assert {(a.split("/")[0], b.split("/")[0]) for a, b in pairs} == {("b", "c (twin)")}


def test_equals_the_double_loop(embeddings):
    mined = mine_negatives(embeddings, 50)
    truth = oracle.top_pairs(np.array(embeddings.vectors), embeddings.faces.identities, 50)
    rows = [embeddings.faces.positions(paths).tolist() for paths in (mined.path_a, mined.path_b)]
    assert list(zip(*rows, mined.scores.tolist(), strict=True)) == truth


def test_ignored_images_are_left_out_and_counted(embeddings):
    mined = mine_negatives(embeddings, 10_000, ignore={"1.png", "nobody.png"})
    assert not any(path.endswith("/1.png") for path in [*mined.path_a, *mined.path_b])
    assert (mined.ignored, mined.unknown) == (6, 1)
    assert len(mined) == 12 * 11 // 2 - 6
    assert mined.wanted == 10_000


def test_an_approximate_index_says_so(embeddings):
    mined = mine_negatives(embeddings, 20, index="Flat", recall=True)
    assert (mined.index, mined.recall) == ("Flat", 1.0)
    exact = mine_negatives(embeddings, 20)
    assert (exact.index, exact.recall) == ("exact", None)
    np.testing.assert_array_equal(mined.scores, exact.scores)


def test_the_set_is_shuffled_ranked_and_unjudged(embeddings):
    mined = mine_negatives(embeddings, 12)
    test = PairSet.of(
        ["a/0.png", "a/1.png", "a/0.png", "b/0.png"],
        ["a/1.png", "a/2.png", "a/2.png", "d & e/0.png"],
        [1, 1, 1, 0],
        [1, 0, 1, 0],
        [0, 0, 1, 0],
    )
    pairs, rank = adversarial_pairs(mined, test, seed=3)
    assert len(pairs) == 14
    assert (pairs.label == (rank == 0)).all()
    assert sorted(rank[rank > 0]) == list(range(1, 13))
    for row in np.flatnonzero(rank):
        assert pairs.path_a[row] == mined.path_a[rank[row] - 1]
        assert pairs.path_b[row] == mined.path_b[rank[row] - 1]
    assert (pairs.human_prediction == -1).all()
    assert (pairs.invalid == 0).all()
    assert adversarial_pairs(mined, test, seed=3)[0] == pairs
    assert adversarial_pairs(mined, test, seed=4)[0] != pairs


def test_scores_are_the_miners_in_either_order(embeddings):
    mined = mine_negatives(embeddings, 30)
    pairs = PairSet.of(mined.path_b, mined.path_a, 0)
    assert score_pairs(pairs, embeddings).tobytes() == mined.scores.tobytes()
    with pytest.raises(FacesError, match=r"'x/1\.png' is not among the 18 faces"):
        score_pairs(PairSet.of(["x/1.png"], ["a/0.png"], 0), embeddings)


@pytest.fixture
def pairs():
    return PairSet.of(["a/1", "a/2", "b/1"], ["b/1", "c/1", "b/2"], [0, 0, 1], -1, [0, 1, 0])


def test_scores_survive_the_file(pairs, tmp_path):
    scores = {"one": np.array([0.1, 1 / 3, -2e-17]), "two, three": np.array([1.0, 2, 3])}
    path = write_scores(tmp_path / "s.csv", pairs, scores, np.array([2, 1, 0]))
    found = read_scores(path, pairs)
    assert {model: values.tolist() for model, values in found.items()} == {
        model: values.tolist() for model, values in scores.items()
    }
    assert path.read_text().splitlines()[:2] == [
        "pathA,pathB,rank,score,model",
        "a/1,b/1,2,0.1,one",
    ]


def test_scores_from_elsewhere(pairs, tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text("pathB,score,pathA\nb/2,0.5,b/1\na/1,0.25,b/1\nz/1,7,z/2\n")
    found = read_scores(path, pairs)
    assert list(found) == ["mine"]
    assert found["mine"][[0, 2]].tolist() == [0.25, 0.5]
    assert np.isnan(found["mine"][1])  # the invalid row needs no score


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("pathA,pathB\n", "line 1: column score missing"),
        ("pathA,pathB,score\nz/1,z/2,1\n", "no score of any of the 3 pairs"),
        ("pathA,pathB,score\na/1,b/1,1\n", r"1 of 2 valid pairs have no score.*b/1, b/2"),
        ("pathA,pathB,score\na/1,b/1,1\nb/1,a/1,2\n", "line 3: a second score of a/1, b/1"),
        ("pathA,pathB,score\na/1,b/1,high\n", "line 2: score is 'high', expected a number"),
        ("pathA,pathB,score\na/1,b/1,nan\nb/1,b/2,1\n", "1 of 2 valid pairs .*no score.*a/1, b/1"),
        ("pathA,pathB,score\na/1,b/1,1e999\n", "line 2: score is '1e999', expected a finite"),
        ("pathA,pathB,score\na/1,b/1,nan\nb/1,a/1,2\n", "line 3: a second score of a/1, b/1"),
        ("pathA,pathB,score\na/1,b/1\n", "line 2: more or fewer values than line 1 has"),
    ],
)
def test_score_files_that_are_refused(pairs, tmp_path, text, message):
    path = tmp_path / "s.csv"
    path.write_text(text)
    with pytest.raises(ScoresError, match=message):
        read_scores(path, pairs)
