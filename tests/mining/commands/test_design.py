"""`mine --design`, what judges and models make of the set, and `evaluate` over all pairs."""

from __future__ import annotations

import csv
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from support.command_line import contents, lookalikes
from support.drawn import draw_face
from support.refusals import misused, refused

from mining.embeddings.store import Embeddings
from mining.scores.score_pairs import score_pairs
from pairsets import PairSet
from pairsets.evaluation.design_rates import design_rate
from pairsets.files.designs import Design
from pairsets.files.score_files import write_scores
from pairsets.random_set import PairSpace

PAIRS = 150
MINE = ("mine", "emb", "--design", "stratified", "--pairs", str(PAIRS), "--out", "fair.csv")
FAIR = {"fair.csv", "fair.json", "fair.scores.csv", "fair.design.csv"}


@pytest.fixture(scope="module")
def mined(tmp_path_factory):
    """Embeddings `emb` of 48 faces of 16 identities, and the set `fair.csv`."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        for identity in range(16):
            folder = home / "faces" / f"id {identity:02}"
            folder.mkdir(parents=True)
            for number in range(3):
                # Look-alikes: every two identities are drawn from one seed.
                draw_face(identity // 2).resize((24 - number, 24 - number)).save(
                    folder / f"{number}.png"
                )
        assert lookalikes("embed", "faces", "--model", "pixels", "--out", "emb").code == 0
        assert lookalikes(*MINE).code == 0
    return home


@pytest.fixture
def home(mined, tmp_path, monkeypatch):
    shutil.copytree(mined, tmp_path / "home")
    monkeypatch.chdir(tmp_path / "home")
    return tmp_path / "home"


def record(path):
    """The row of the only model in a table."""
    with Path(path).open(encoding="utf-8", newline="") as stream:
        rows = [one for one in csv.DictReader(stream) if one["human"] == "False"]
    assert len(rows) == 1
    return rows[0]


def test_the_set_has_its_design_beside_it(home):
    pairs = PairSet.read("fair.csv")
    assert int((pairs.label == 0).sum()) == PAIRS
    assert int((pairs.label == 1).sum()) == 48
    design = Design.read("fair.design.csv", pairs)
    faces = Embeddings.load(home / "emb").faces
    assert design.population == PairSpace.of(faces).count_negatives == 1080
    weights = 1 / design.probability[pairs.label == 0]
    # But for strata of which rounding took a pair more or less.
    assert weights.sum() == pytest.approx(1080, rel=0.05)
    content = json.loads((home / "fair.json").read_text("utf-8"))
    assert content["kind"] == "stratified"
    assert content["parameters"]["design"] == "stratified"
    found = content["design"]
    assert (found["kind"], found["seed"], found["population"]) == ("stratified", 0, 1080)
    assert found["references"] == ["pixels"]
    assert found["boundaries"][-1] == 1080
    assert sum(one["sampled"] for one in found["strata"]) == PAIRS
    assert set(content["files"]) == FAIR - {"fair.json"}


def test_one_seed_is_one_set_to_the_byte(home):
    before = contents(home)
    assert lookalikes(*MINE, "--overwrite").code == 0
    assert contents(home) == before
    assert lookalikes(*MINE, "--overwrite", "--seed", "1").code == 0
    assert contents(home) != before


def test_a_design_of_an_older_set_goes(home):
    assert (home / "fair.design.csv").exists()
    made = lookalikes("mine", "emb", "--pairs", "20", "--out", "fair.csv", "--overwrite")
    assert made.code == 0
    assert not (home / "fair.design.csv").exists()
    assert lookalikes(*MINE, "--overwrite").code == 0
    made = lookalikes("random", "faces", "--out", "fair.csv", "--overwrite")
    assert made.code == 0
    assert not (home / "fair.design.csv").exists()


def other_model(home, pairs):
    """Scores of a model much like the reference, which a score file has."""
    own = score_pairs(pairs, Embeddings.load(home / "emb"))
    values = own + np.random.default_rng(1).normal(0, 0.01, len(pairs))
    write_scores(home / "other.csv", pairs, {"other": values})
    return values


def test_evaluate_tells_rates_over_all_pairs(home):
    pairs = PairSet.read("fair.csv")
    values = other_model(home, pairs)
    given = ("evaluate", "fair.csv", "--scores", "other.csv", "--target-fnr", "0.25")
    made = lookalikes(*given, "--out", "t")
    assert made.code == 0
    row = record("t.csv")
    design, drawn = Design.read("fair.design.csv", pairs), pairs.label == 0
    expected = design_rate(
        values[drawn] >= float(row["threshold"]),
        design.probability[drawn],
        design.stratum[drawn],
        design.populations,
    )
    assert expected.resolvable
    for name in ("value", "low", "high"):
        key = "population_fpr" + ("" if name == "value" else f"_{name}")
        assert float(row[key]) == pytest.approx(getattr(expected, name))
    assert float(row["population_fpr_like_low"]) < expected.low
    assert float(row["population_fpr_like_high"]) > expected.high
    assert row["population_fnr_at_fpr_0.0001"] == ""
    assert row["population_pairs"] == "1080"
    share = f"{100 * expected.value:.3g} % [{100 * expected.low:.3g}, {100 * expected.high:.3g}]"
    text = " ".join(made.out.split())
    assert f"other: Over all 1,080 pairs of different identities: FPR {share}" in text
    assert "FPR over all pairs (%)" in (home / "t.md").read_text("utf-8")
    # Without the design the table is as ever.
    (home / "fair.design.csv").unlink()
    made = lookalikes(*given, "--out", "plain")
    assert made.code == 0
    assert "Over all" not in made.out
    assert "over all" not in (home / "plain.md").read_text("utf-8")
    plain = record("plain.csv")
    assert plain == {name: row[name] for name in plain}
    assert not [name for name in plain if name.startswith("population")]


def test_what_people_call_the_same_leaves_the_population(home):
    pairs = PairSet.read("fair.csv")
    values = other_model(home, pairs)
    negatives = np.flatnonzero(pairs.label == 0)
    said, invalid = pairs.label.copy(), np.zeros(len(pairs), np.int8)
    said[negatives[:6]] = 1
    invalid[negatives[6:9]] = 1
    judged = PairSet.of(pairs.path_a, pairs.path_b, pairs.label, said, invalid)
    judged.write("fair.csv")
    given = ("evaluate", "fair.csv", "--scores", "other.csv", "--target-fnr", "0.25")
    made = lookalikes(*given, "--out", "t")
    assert made.code == 0
    row = record("t.csv")
    design = Design.read("fair.design.csv", pairs)
    weights = 1 / design.probability[negatives]
    wrong = values[negatives] >= float(row["threshold"])
    expected = (weights * wrong)[9:].sum() / weights[9:].sum()
    assert float(row["population_fpr"]) == pytest.approx(expected)
    share = weights[:9].sum() / weights.sum()
    assert float(row["population_label_errors"]) == pytest.approx(share)
    text = " ".join(made.out.split())
    assert "less what 9 pairs stand for that do not count" in text
    assert (
        f"Label errors among all 1,080 pairs of different identities: {100 * share:.3g} %" in text
    )


def test_pairs_without_a_score_that_are_dropped_leave_it_too(home):
    pairs = PairSet.read("fair.csv")
    values = other_model(home, pairs)
    gone = np.flatnonzero(pairs.label == 0)[:5]
    values[gone] = np.nan
    write_scores(home / "other.csv", pairs, {"other": values})
    made = lookalikes(
        "evaluate", "fair.csv", "--scores", "other.csv", "--missing", "drop", "--out", "t"
    )
    assert made.code == 0
    row, design = record("t.csv"), Design.read("fair.design.csv", pairs)
    kept = np.setdiff1d(np.flatnonzero(pairs.label == 0), gone)
    weights = 1 / design.probability[kept]
    wrong = values[kept] >= float(row["threshold"])
    assert float(row["population_fpr"]) == pytest.approx((weights * wrong).sum() / weights.sum())


def test_what_a_review_writes_keeps_the_design(home):
    verdicts = (home / "fair.csv").read_text("utf-8").replace(",-1,0\n", ",0,0\n")
    (home / "ann.csv").write_text(verdicts, "utf-8")
    assert lookalikes("review", "import", "fair.csv", "ann.csv", "--as", "Ann").code == 0
    assert lookalikes("review", "export", "fair.csv", "--out", "judged.csv").code == 0
    pairs = PairSet.read("judged.csv")
    design, origin = Design.read("judged.design.csv", pairs), Design.read("fair.design.csv", pairs)
    np.testing.assert_array_equal(design.probability, origin.probability)
    made = lookalikes("evaluate", "judged.csv", "--scores", "fair.scores.csv")
    assert made.code == 0
    assert "Label errors among all 1,080" in " ".join(made.out.split())


def test_label_errors_are_told_without_a_model(home):
    pairs = PairSet.read("fair.csv")
    judged = PairSet.of(pairs.path_a, pairs.path_b, pairs.label, pairs.label)
    judged.write("fair.csv")
    made = lookalikes("evaluate", "fair.csv")
    assert made.code == 0
    assert "different identities: 0 % [0, " in " ".join(made.out.split())


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--label", "positive"), "--label positive"),
        (("--index", "Flat"), "--index"),
        (("--folds", "2"), "--folds"),
        (("--against", "twin"), "--against and --design"),
        (("--max-per-image", "3"), "max_per_image"),
        (("--max-per-identity", "3"), "max_per_identity"),
        (("--max-per-identity-pair", "3"), "max_per_identity_pair"),
        (("--min-score", "0.1"), "min_score"),
        (("--max-score", "0.9"), "max_score"),
        (("--margin", "0.1"), "margin"),
        (("--relative-margin", "0.1"), "relative_margin"),
        (("--exclude", "fair.csv"), "exclude"),
        (("--drop-suspects", "duplicate", "--faces", "faces"), "drop_suspects"),
        (("--pairs", "1080"), "there are 1,080 of different identities: all of them would be a ce"),
        (("--pairs", "5000"), "census"),
    ],
)
def test_what_would_spoil_the_probabilities_is_refused(home, options, told):
    shutil.copytree("emb", "twin")
    command = [one if one != "fair.csv" else "new.csv" for one in MINE]
    assert told in refused(home, *command, *options)


def test_fusion_is_not_of_a_design(home):
    shutil.copytree("emb", "other")
    command = ("mine", "emb", "other", "--design", "stratified", "--out", "new.csv")
    assert "--design" in misused(home, *command, "--fusion", "min")


def test_a_design_of_other_pairs_is_refused(home):
    other_model(home, PairSet.read("fair.csv"))
    assert lookalikes(*MINE[:-1], "new.csv", "--seed", "5").code == 0
    shutil.copy("new.design.csv", "fair.design.csv")
    (home / "fair.json").unlink()
    shutil.copy("new.json", "fair.json")
    text = (home / "fair.json").read_text("utf-8")
    content = json.loads(text)
    del content["files"], content["rows_sha256"]
    (home / "fair.json").write_text(json.dumps(content), "utf-8")
    message = refused(home, "evaluate", "fair.csv", "--scores", "other.csv")
    assert "no negative of the set; was the design made for another one?" in message


def test_a_changed_design_is_refused(home):
    other_model(home, PairSet.read("fair.csv"))
    lines = (home / "fair.design.csv").read_text("utf-8").splitlines()
    (home / "fair.design.csv").write_text("\n".join(lines[:-1]) + "\n", "utf-8")
    message = refused(home, "evaluate", "fair.csv", "--scores", "other.csv")
    assert "no row for 1 of 150 negatives" in message


@pytest.fixture
def colours(home, monkeypatch):
    """A second model: the mean colour."""
    text = "import numpy as np\ndef colours():\n    return lambda images: np.array("
    text += "[np.asarray(i, float).mean((0, 1)) - 99 for i in images])\n"
    (home / "colours_of.py").write_text(text)
    monkeypatch.syspath_prepend(home)
    monkeypatch.delitem(sys.modules, "colours_of", raising=False)
    return "python:colours_of:colours"


def test_several_references_have_their_own_strata(home, colours):
    assert lookalikes("embed", "faces", "--model", colours, "--out", "emb3").code == 0
    made = lookalikes("mine", "emb", "emb3", *MINE[2:-1], "both.csv")
    assert made.code == 0
    content = json.loads((home / "both.json").read_text("utf-8"))["design"]
    assert len(content["references"]) == 2
    strata = content["strata"]
    assert all(one["stratum"].count("+") == 1 for one in strata)
    assert sum(one["population"] for one in strata) == content["population"] == 1080
    assert sum(one["sampled"] for one in strata) == PAIRS
    assert lookalikes("evaluate", "both.csv", "--scores", "both.scores.csv").code == 0


def test_references_of_other_faces_are_refused(home, colours):
    shutil.copytree("faces", "fewer")
    shutil.rmtree("fewer/id 03")
    assert lookalikes("embed", "fewer", "--model", colours, "--out", "emb3").code == 0
    message = refused(home, "mine", "emb", "emb3", *MINE[2:-1], "both.csv")
    assert "a sample of all pairs needs references of the same faces" in message
