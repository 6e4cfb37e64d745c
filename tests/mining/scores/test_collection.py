"""Scores of several models from several files, and which of the models mined a set."""

from __future__ import annotations

import json

import numpy as np
import pytest

from mining import embed, score_pairs
from mining.models import load_model
from mining.scores.collection import Gathered, gather
from pairsets import Faces, PairSet, ScoresError, random_pairs
from pairsets.errors import OutputError
from pairsets.files.score_files import write_scores
from pairsets.files.side_files import Named
from pairsets.files.submissions import Submission

SETS = {
    "one": PairSet.of(
        ["a/1", "b/1", "é | &/1", "a/2"],
        ["b/1", "c/1", "c/1", "a/1"],
        [0, 0, 0, 1],
        invalid=[0, 0, 1, 0],
    ),
    # The first pair is the other set's, the other way round.
    "two": PairSet.of(["b/1", "d/1", "d/2"], ["a/1", "c/1", "d/1"], [0, 0, 1]),
}
VALUES = {"one": np.array([0.5, 0.25, 0.125, 2.0]), "two": np.array([0.5, -1.0, 3.0])}


@pytest.fixture
def file(tmp_path):
    """Writes a score file of some rows of a set."""

    def write(name, of, rows=slice(None), model="M", add=0.0):
        rows = np.arange(len(SETS[of]))[rows]
        return write_scores(tmp_path / name, SETS[of].take(rows), {model: VALUES[of][rows] + add})

    return write


def test_files_of_one_name_make_up_a_model_together(file):
    files = [
        Named(file("1.csv", "one", slice(2))),
        Named(file("2.csv", "one", slice(3, 4))),
        Named(file("3.csv", "two", slice(1, 3), model="other name"), "M"),
    ]
    for order in (files, files[::-1]):
        found = gather(SETS, order)
        assert found.models == ["M"]
        # The invalid pair has no score anywhere, and needs none.
        assert np.isnan(found.scores["one"]["M"][2])
        assert found.scores["one"]["M"][[0, 1, 3]].tolist() == [0.5, 0.25, 2.0]
        # The pair of both sets is scored once, in the file of the first.
        assert found.scores["two"]["M"].tolist() == VALUES["two"].tolist()


def test_a_pair_that_two_files_score_differently_is_refused(file):
    first, second = file("1.csv", "one"), file("2.csv", "two", add=1e-9)
    with pytest.raises(ScoresError) as caught:
        gather(SETS, [Named(first), Named(second)])
    assert str(caught.value).startswith(
        f"{second}: scores of M are given twice, here and in {first}"
    )
    assert f"--scores NAME={second}" in str(caught.value)


def test_one_file_twice_is_refused(file):
    path = file("1.csv", "one")
    with pytest.raises(ScoresError, match="given twice"):
        gather({"one": SETS["one"]}, [Named(path), Named(path)])


def test_gaps_are_named(file):
    path = file("1.csv", "one", slice(1, 4))
    with pytest.raises(ScoresError) as caught:
        gather({"one": SETS["one"]}, [Named(path, "Mine")])
    text = str(caught.value)
    assert text.startswith(f"{path}: 1 of 3 valid pairs have no score of Mine, the first a/1, b/1")
    with pytest.raises(ScoresError) as caught:
        gather(dict(reversed(SETS.items())), [Named(file("2.csv", "one", slice(1, 4)))])
    assert "no score of any of the 3 pairs of the set two for M" in str(caught.value)
    assert "--scores 'M=FILE'" in str(caught.value)


def test_one_name_cannot_stand_for_two_models(file, tmp_path):
    path = write_scores(tmp_path / "s.csv", SETS["one"], dict.fromkeys("AB", VALUES["one"]))
    with pytest.raises(ScoresError, match=r"2 models \(A, B\), which cannot all be called C"):
        gather({"one": SETS["one"]}, [Named(path, "C")])
    assert gather({"one": SETS["one"]}, [Named(path)]).models == ["A", "B"]


def test_a_name_that_no_table_can_hold_is_refused(file):
    with pytest.raises(OutputError, match=r"'M\\udcff': a name that is not UTF-8"):
        gather({"one": SETS["one"]}, [Named(file("1.csv", "one"), "M\udcff")])


def sent(model, fingerprint=None):
    return Submission(model, VALUES["one"], {"fingerprint": fingerprint})


def test_submissions_stand_beside_files_under_names_of_their_own(file):
    files, one = [Named(file("1.csv", "one"))], {"one": SETS["one"]}
    found = gather(one, files, submissions=[sent("Sent"), sent("Again", "f00")])
    assert found.models == ["M", "Sent", "Again"]
    assert found.fingerprints == {"Again": "f00"}
    with pytest.raises(ScoresError, match="a submission called M, beside scores of that name"):
        gather(one, files, submissions=[sent("M")])
    with pytest.raises(ScoresError, match="a submission called Sent, beside another of that name"):
        gather(one, submissions=[sent("Sent"), sent("Sent")])


def mined(path, *references):
    """A pair file that was mined: only what lies beside it is looked at."""
    content = {"references": [{"model": m, "fingerprint": f} for m, f in references]}
    path.with_suffix(".json").write_text(json.dumps(content), "utf-8")
    return path


def gathered(models, fingerprints=(), known_as=()):
    return Gathered({"set": dict.fromkeys(models)}, dict(fingerprints), dict(known_as))


def test_vectors_are_known_by_their_fingerprint_alone(tmp_path):
    path = mined(tmp_path / "p.csv", ("timm:net@a/x.safetensors", "abc"))
    found = gathered(["Mine", "timm:net"], {"Mine": "abc", "timm:net": "def"})
    assert found.mined_by(path) == ["Mine"]


def test_scores_are_known_by_the_whole_name_or_the_short_one(tmp_path):
    path = mined(tmp_path / "p.csv", ("timm:net@a/x.safetensors", "abc"))
    for name in ("timm:net", "timm:net@a/x.safetensors"):
        assert gathered(["other", name]).mined_by(path) == [name]
    (unlisted,) = gathered(["other", "timm:nets"]).mined_by(path)
    assert unlisted not in ("other", "timm:nets")
    assert "abc" in unlisted


def test_another_name_does_not_hide_who_mined(file, tmp_path):
    path = mined(tmp_path / "p.csv", ("timm:net@a/x.safetensors", "abc"))
    one = {"one": SETS["one"]}
    files = [Named(file("1.csv", "one", model="timm:net"), "Mine"), Named(file("2.csv", "one"))]
    assert gather(one, files).mined_by(path) == ["Mine"]


def test_every_row_of_a_miner_is_marked(tmp_path):
    """Its vectors, what it sent under another name, and a score file."""
    path = mined(tmp_path / "p.csv", ("timm:net", "abc"), ("pixels", "123"))
    found = gathered(["timm:net", "A", "B", "pixels", "C"], {"A": "abc", "B": "abc", "C": "def"})
    assert found.mined_by(path) == ["A", "B", "timm:net", "pixels"]


@pytest.mark.parametrize(
    "content", [None, "", "[]", "{}", '{"reference": 3}', '{"references": [1]}']
)
def test_a_pair_file_that_nobody_mined(tmp_path, content):
    if content is not None:
        (tmp_path / "p.json").write_text(content, "utf-8")
    assert gathered(["M"]).mined_by(tmp_path / "p.csv") == []


def test_embeddings_of_one_model_are_given_once(faces_folder, tmp_path, file):
    faces = Faces.scan(faces_folder)
    model = load_model("pixels")
    pairs = random_pairs(faces, positives=6, negatives=9, seed=0)
    first, second = (embed(faces, model, tmp_path / name) for name in ("x", "y"))
    found = gather({"set": pairs}, embeddings=[first])
    np.testing.assert_array_equal(found.scores["set"]["pixels"], score_pairs(pairs, first))
    assert found.fingerprints == {"pixels": model.fingerprint}
    for given in (
        {"embeddings": [first, second]},
        {"embeddings": [first], "coming": {"pixels": model}},
    ):
        with pytest.raises(ScoresError, match="the same model as pixels, with the same weights"):
            gather({"set": pairs}, **given)
    scores = write_scores(tmp_path / "s.csv", pairs, {"pixels": np.arange(15.0)})
    for given in ({"embeddings": [first]}, {"coming": {"pixels": model}}):
        with pytest.raises(ScoresError, match=r"scores of pixels are given twice, here and in .*s"):
            gather({"set": pairs}, [Named(scores)], **given)
