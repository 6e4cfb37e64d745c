"""Design of a pair set: it comes back as it was, and what does not fit is told."""

from __future__ import annotations

import json

import numpy as np
import pytest

from pairsets import PairSet, PairSetError
from pairsets.files.designs import Design
from pairsets.files.side_files import design_of

PAIRS = PairSet.of(
    ["a/1.png", "a/1.png", "b, c/1.png", "d/1.png", "a/2.png"],
    ["a/2.png", "b, c/1.png", "d/1.png", "é/1.png", "é/1.png"],
    [1, 0, 0, 0, 0],
)
CHANCE = [np.nan, 1.0, 0.1, 1 / 30, 1 / 30]
DESIGN = Design(
    np.array([-1, 0, 1, 2, 2]), np.array(CHANCE), ("1", "2", "3"), np.array([1, 10, 60])
)


def write(tmp_path, design=DESIGN, **changes):
    pairs = tmp_path / "set.csv"
    content = {"schema": 1, "design": design.content({"seed": 4}) | changes}
    (tmp_path / "set.json").write_text(json.dumps(content), "utf-8")
    return design.write(design_of(pairs), PAIRS)


def test_a_design_comes_back_whatever_the_order_of_rows_and_faces(tmp_path):
    path = write(tmp_path)
    assert path.name == "set.design.csv"
    header, *rows = path.read_text("utf-8").splitlines()
    assert header == "pathA,pathB,stratum,probability"
    assert rows[0] == 'a/1.png,"b, c/1.png",1,1.0'
    assert len(rows) == 4
    order = np.array([2, 0, 4, 3, 1])
    shuffled = PAIRS.take(order)
    turned = PairSet.of(shuffled.path_b, shuffled.path_a, shuffled.label)
    for pairs, at in ((PAIRS, np.arange(5)), (turned, order)):
        found = Design.read(path, pairs)
        np.testing.assert_array_equal(found.stratum, DESIGN.stratum[at])
        np.testing.assert_array_equal(found.probability, DESIGN.probability[at])
        assert found.labels == DESIGN.labels
        assert found.populations.tolist() == [1, 10, 60]
    assert (found.population, found.sampled.tolist()) == (71, [1, 1, 2])


def test_the_manifest_says_what_each_stratum_stands_for():
    content = DESIGN.content({"seed": 4})
    assert content["kind"] == "stratified"
    assert (content["population"], content["seed"]) == (71, 4)
    assert content["strata"][2] == {
        "stratum": "3",
        "population": 60,
        "sampled": 2,
        "probability": 1 / 30,
    }


@pytest.mark.parametrize("chance", ["0", "-0.5", "1.01", "nan", "half", "inf"])
def test_a_probability_that_is_none_is_told_by_its_line(tmp_path, chance):
    path = write(tmp_path)
    text = path.read_text("utf-8").replace("2,0.1\n", f"2,{chance}\n")
    path.write_text(text, "utf-8")
    with pytest.raises(PairSetError, match=f"line 3: probability '{chance}'; expected"):
        Design.read(path, PAIRS)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("d/1.png,é/1.png", "d/1.png,é/2.png", "line 4: .* no negative of the set; was the design"),
        ("d/1.png,é/1.png", "a/1.png,a/2.png", "line 4: .* no negative of the set"),
        ("d/1.png,é/1.png", "a/2.png,é/1.png", "line 5: .* have a row already"),
        ("d/1.png,é/1.png,3", "d/1.png,é/1.png,7", "line 4: stratum '7' is none"),
        (f"d/1.png,é/1.png,3,{1 / 30!r}\n", "", "no row for 1 of 4 negatives, the first 'd/1.png'"),
        ("pathA,", "path,", "line 1: expected the header"),
    ],
)
def test_a_design_of_other_pairs_is_refused(tmp_path, old, new, told):
    path = write(tmp_path)
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), "utf-8")
    with pytest.raises(PairSetError, match=told):
        Design.read(path, PAIRS)


def test_strata_that_nothing_stands_for_are_refused(tmp_path):
    with pytest.raises(PairSetError, match="stratum 2 has 500 pairs in all and none in the set"):
        Design([0, 1, 1], [1, 0.1, 0.1], ("1", "3", "2"), [1, 20, 500])
    # A stratum of less than one expected pair may well be empty: its neighbours stand for it.
    assert Design([0, 2, 2], [1, 0.1, 0.1], ("1", "2", "3"), [1, 9, 20]).population == 30
    path = write(tmp_path)
    content = json.loads((tmp_path / "set.json").read_text("utf-8"))
    content["design"]["strata"].append({"stratum": "4", "population": 5000, "sampled": 0})
    (tmp_path / "set.json").write_text(json.dumps(content), "utf-8")
    with pytest.raises(PairSetError, match="stratum 4 has 5,000 pairs in all and none"):
        Design.read(path, PAIRS)


def test_a_manifest_of_another_set_is_refused(tmp_path):
    path = write(tmp_path)
    manifest = tmp_path / "set.json"
    content = json.loads(manifest.read_text("utf-8"))
    content["design"]["strata"][2]["sampled"] = 3
    manifest.write_text(json.dumps(content), "utf-8")
    with pytest.raises(PairSetError, match="2 pairs of stratum 3, and the manifest has 3"):
        Design.read(path, PAIRS)
    manifest.write_text("{}", "utf-8")
    with pytest.raises(PairSetError, match=r"set\.json says nothing of a design"):
        Design.read(path, PAIRS)
    manifest.unlink()
    with pytest.raises(PairSetError, match=r"no set\.json beside it"):
        Design.read(path, PAIRS)


@pytest.mark.parametrize(
    ("stratum", "chance", "told"),
    [
        ([0, 0], [0.5, 0.0], "pair 2 has a probability of 0"),
        ([0, 0], [0.5, np.nan], "nan"),
        ([0, 0], [0.5, 1.5], "1.5"),
        ([0, 1], [0.5, 0.5], "expected a population for each"),
        ([0], [0.5, 0.5], "shape"),
        ([-1, -1], [np.nan, np.nan], "no negative"),
        ([0, 0], [1, 1], None),
    ],
)
def test_a_design_checks_itself(stratum, chance, told):
    if told is None:
        with pytest.raises(PairSetError, match="2 pairs in the set and 1 in all"):
            Design(stratum, chance, ("1",), [1])
        return
    with pytest.raises(PairSetError, match=told):
        Design(stratum, chance, ("1",), [4])
