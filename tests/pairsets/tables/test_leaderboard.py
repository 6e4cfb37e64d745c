"""Tables in ZACI-20's form."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest

import pairsets.tables.published_rows
from pairsets import PairSet, ScoresError, evaluate
from pairsets.evaluation.intervals import wilson
from pairsets.tables.entries import Entry
from pairsets.tables.leaderboard import (
    ZACI,
    Leaderboard,
    LeftOut,
    make_leaderboard,
    percent,
    to_csv,
    write_leaderboards,
)
from pairsets.tables.published_rows import PUBLISHED, labelled_digest, published_for


@pytest.fixture
def board():
    label = np.array([1, 1, 1, 1, 0, 0, 0, 0])
    pairs = PairSet.of(
        [f"a/{k}" for k in range(8)], [f"b/{k}" for k in range(8)], label, [1, 1, 1, 0, 0, 0, 0, 1]
    )
    scores = {
        "good": [9, 8, 7, 1, 2, 3, 0, 0.5],
        "miner": [9, 8, 7, 6, 1, 2, 3, 4],
        "poor|odd": [1, 2, 3, 4, 5, 6, 7, 8],
    }
    return make_leaderboard(
        "adversarial", pairs, scores, "human", mined_by="miner", published=PUBLISHED["adversarial"]
    )


def test_markdown_in_zaci_form(board):
    lines = board.to_markdown().splitlines()
    assert lines[0] == "| model name | FPR (%) | FNR (%) | EER (%) | note |"
    assert lines[2] == "| Human | 25.0 [4.56, 69.9] | 25.0 [4.56, 69.9] | N/A | judged 8 pairs |"
    # Eight pairs of two identities: no interval, and no telling who is best.
    assert lines[3].startswith("| good | 0.00 | 25.0 | 25.0 |")
    assert lines[4].startswith(r"| poor\|odd | 100 | 25.0 | 100 |")
    # Who mined the set stands behind those who compete.
    assert lines[5] == "| miner | 0.00 | 25.0 | 0.00 | mined this set: not comparable |"
    assert lines[7].startswith("No better than chance on these pairs, with an EER of 50 % or more:")
    assert len(lines) == 2 + 4 + 2 + 3 + 2 + 6


def test_published_rows_of_other_pairs_are_a_table_of_their_own(board):
    assert [entry.model for entry in board.entries] == ["Human", "good", "poor|odd", "miner"]
    above, chance, between, below = board.to_markdown().split("\n\n")
    assert "published" not in above + chance
    assert ZACI not in above
    assert between.startswith("ZACI-20's published rows of its own adversarial pairs, apart. They")
    assert "852 positive and 2,991 negative, where these are 4 and 4;" in between
    lines = below.splitlines()
    assert lines[0] == "| model name | FPR (ZACI-20) | FNR (%) | EER (%) | note |"
    assert "| ViT L-16 | 70.9 | 16.9 | 39.9 | published; animesion |" in lines
    assert {record["set"] for record in board.records()[4:]} == {"ZACI-20 adversarial"}


def many(gaps, draws=200, identities=80, **options):
    """A set of many identities, and models whose kinds lie that far apart."""
    generator = np.random.default_rng(4)
    rows = [(f"c{k}/{n}", f"c{k}/{n + 1}", 1) for k in range(identities) for n in range(3)]
    rows += [
        (f"c{k}/0", f"c{(k + step) % identities}/1", 0)
        for k in range(identities)
        for step in range(1, 9)
    ]
    first, second, label = (np.array(column) for column in zip(*rows, strict=True))
    said = np.where(generator.random(label.size) < 0.1, 1 - label, label)
    pairs = PairSet.of(first, second, label, said)
    scores = {
        model: gap * label + generator.standard_normal(label.size) for model, gap in gaps.items()
    }
    return make_leaderboard("random", pairs, scores, 0.1, draws=draws, **options)


def bold(board):
    """Title and bold columns of each row that has some."""
    found = {entry.title: board.cells(entry) for entry in board.entries}
    return {
        title: [
            name for name, cell in zip(("fpr", "fnr", "eer"), cells, strict=True) if "**" in cell
        ]
        for title, cells in found.items()
        if any("**" in cell for cell in cells)
    }


def test_the_best_is_bold_where_the_data_tell_it_from_all_others():
    apart = many({"good": 4.0, "fair": 2.0, "poor": 1.9})
    assert bold(apart) == {"good": ["fpr", "eer"]}
    assert not apart.tied("fpr")
    near = many({"good": 4.0, "fair": 2.0, "as good": 3.95})
    assert bold(near) == {}
    assert near.tied("fpr")
    assert near.tied("eer")
    # Its equal mined the set: it does not compete, and ties with nobody.
    alone = many({"good": 4.0, "fair": 2.0, "as good": 3.95}, mined_by="as good")
    assert bold(alone) == {"good": ["fpr", "eer"]}
    # Nothing is known of how sure it is.
    unknown = many({"good": 4.0, "fair": 2.0, "as good": 3.95}, draws=0)
    assert sum(map(len, bold(unknown).values())) == 2


def test_intervals_stand_behind_the_rates():
    made = many({"good": 4.0, "fair": 2.0})
    person, good, fair = made.entries
    lines = made.to_markdown().splitlines()
    for line, entry in zip(lines[2:], made.entries, strict=True):
        for cell, name in zip(line.split(" | ")[1:4], ("fpr", "fnr", "eer"), strict=True):
            interval = getattr(entry, f"{name}_interval")
            text = percent(getattr(entry, name))
            if interval is None:
                assert "[" not in cell
                continue
            assert interval.low < getattr(entry, name) < interval.high
            low, high = percent(interval.low), percent(interval.high)
            assert cell.replace("*", "") == f"{text} [{low}, {high}]"
    assert person.fpr_interval == made.comparison.human.fpr_rate.interval
    assert (person.eer_interval, good.fnr_interval) == (None, None)
    assert good.fpr_interval == good.evaluation.intervals["fpr_achieved"]
    assert fair.eer_interval == fair.evaluation.intervals["eer"]
    assert "[" not in many({"good": 4.0}, draws=0).to_markdown().splitlines()[3]


def test_files_hold_intervals_and_groups():
    made = many(
        {"Human": 4.0, "fair": 2.0, "as fair": 2.02, "miner": 5.0},
        mined_by="miner",
    )
    rows = (*made.entries, *PUBLISHED["random"].entries[:1])
    made = replace(made, entries=rows)
    records = made.records()
    models = [record["model"] for record in records]
    assert sorted(models[2:4]) == ["as fair", "fair"]
    assert [*models[:2], *models[4:]] == ["Human", "Human", "miner", "Human"]
    # The person's row and the published one are not those of a model that is called so.
    assert [record["fpr_group"] for record in records] == [None, "a", "b", "b", None, None]
    assert [record["eer_group"] for record in records] == [None, "a", "b", "b", None, None]
    interval = made.entries[2].fpr_interval
    assert (records[2]["fpr_low"], records[2]["fpr_high"]) == (interval.low, interval.high)
    assert records[2]["fpr_achieved_low"] == interval.low
    evaluation = made.entries[2].evaluation
    assert records[2]["fpr"] == records[2]["fpr_achieved"] == evaluation.fpr_achieved
    assert records[2]["fnr"] == evaluation.fnr_achieved
    assert records[2]["fpr_interpolated"] == evaluation.fpr_interpolated
    assert records[5]["fpr_interpolated"] == 0.0159
    assert (records[0]["eer_low"], records[1]["fnr_low"], records[5]["fpr_low"]) == (None,) * 3
    assert records[0]["fpr_high"] == made.comparison.human.fpr_rate.high
    rows = list(csv.DictReader(io.StringIO(to_csv([made]))))
    assert float(rows[2]["fpr_low"]) == interval.low
    assert rows[0]["fpr_group"] == rows[0]["eer_low"] == ""


def test_further_people_and_thresholds_from_elsewhere():
    plain = many({"good": 4.0}, draws=0)
    made = many(
        {"good": 4.0},
        draws=0,
        annotators={"Ann": plain.comparison.human},
        carried={"good": (1.5, "easy")},
    )
    assert [(entry.model, entry.human) for entry in made.entries] == [
        ("Human", True),
        ("Ann", True),
        ("good", False),
    ]
    assert made.entries[1].fpr_interval == plain.entries[0].fpr_interval
    assert made.records()[2]["carried_from"] == "easy"
    assert made.entries[2].evaluation.carried.threshold == 1.5


def test_the_miner_cannot_be_best(board):
    assert board.best("eer") == 0.25
    assert [entry.comparable for entry in board.entries] == [True, True, True, False]


def test_csv_and_json_hold_every_figure(board, tmp_path):
    rows = list(csv.DictReader(io.StringIO(to_csv([board]))))
    assert [row["model"] for row in rows[:4]] == ["Human", "good", "poor|odd", "miner"]
    assert float(rows[1]["fpr_achieved"]) == 0.0
    assert float(rows[1]["threshold"]) == 7.0
    assert rows[0]["threshold"] == ""
    write_leaderboards(tmp_path / "table", [board])
    records = json.loads((tmp_path / "table.json").read_text())["rows"]
    assert len(records) == len(rows) == 10
    assert records[1]["auc"] == board.entries[1].evaluation.auc
    assert (tmp_path / "table.md").read_text().endswith(board.to_markdown())


def test_published_rows():
    table = {
        name: [(percent(e.fpr_interpolated), percent(e.fnr), percent(e.eer)) for e in one.entries]
        for name, one in PUBLISHED.items()
    }
    assert table["random"][0] == ("1.59", "13.9", "N/A")
    # Nothing but the interpolated rate is known of a model; a person's was counted.
    assert all((e.fpr is None) == (not e.human) for one in PUBLISHED.values() for e in one.entries)
    assert table["random"][2] == ("2.43", "13.9", "8.15")
    assert table["adversarial"][1] == ("68.9", "16.9", "39.7")
    assert len(table["random"]) == len(table["adversarial"]) == 6


def test_no_row_is_best_without_models():
    assert Leaderboard("x", (Entry("Human", 0.1, 0.1, None, human=True),)).best("fpr") is None


# Four positives, and four negatives of each set, mined by both models or by one.
POSITIVES = [f"a/{k}" for k in range(4)], [f"a/{k}{k}" for k in range(4)]
LABEL = [1, 1, 1, 1, 0, 0, 0, 0]


def pairs_with(negatives):
    first, second = POSITIVES
    other = [f"{negatives}/{k}" for k in range(4)]
    return PairSet.of([*first, *[f"b/{k}" for k in range(4)]], [*second, *other], LABEL)


@pytest.fixture
def several():
    scores = {
        "one": [9, 8, 7, 1, 9, 9, 8, 8],
        "other": [9, 8, 7, 6, 9, 8, 9, 8],
        "neither": [9, 8, 7, 6, 1, 7, 9, 4],
    }
    left_out = {
        "one": LeftOut(pairs_with("c"), [9, 8, 7, 1, 0, 0, 7.5, 0], ["other"]),
        "other": LeftOut(pairs_with("d"), [9, 8, 7, 6, 9, 0, 0, 0], ["one"]),
    }
    return make_leaderboard(
        "adversarial",
        pairs_with("e"),
        scores,
        0.25,
        mined_by=["one", "other"],
        left_out=left_out,
    )


def test_a_reference_has_a_row_on_the_pairs_of_the_others(several):
    assert [entry.title for entry in several.entries] == [
        "neither",
        "one",
        "one (pairs mined by other)",
        "other",
        "other (pairs mined by one)",
    ]
    assert [entry.comparable for entry in several.entries] == [True, False, True, False, True]
    assert several.mined_by == ("one", "other")
    judged = several.entries[2].evaluation
    assert judged == evaluate(pairs_with("c"), [9, 8, 7, 1, 0, 0, 7.5, 0], 0.25)
    assert (judged.negatives, judged.threshold, judged.fpr_achieved) == (4, 7.0, 0.25)
    assert several.entries[1].evaluation.fpr_achieved == 1.0
    lines = several.to_markdown().splitlines()[1:]
    assert lines[2].endswith("| one of 2 that mined this set: not comparable |")
    assert lines[3].startswith("| one (pairs mined by other) | 25.0 | 25.0 |")
    assert lines[3].endswith("| leave-one-out: pairs it did not pick |")


def test_rows_on_other_pairs_do_not_compete(several):
    neither = several.entries[0]
    assert several.entries[2].eer < neither.eer
    assert several.best("eer") == neither.eer
    assert several.best("fpr") == neither.fpr
    # Alone among the rows that compete, it is the best of nothing; beside a worse one it is.
    assert "**" not in several.to_markdown()
    worse = replace(neither, model="worse", fpr=1.0, eer=1.0)
    two = Leaderboard("adversarial", (*several.entries, worse))
    rows, said = two.to_markdown().split("\n\n")
    assert [line.count("**") for line in rows.splitlines()[2:]] == [4, 0, 0, 0, 0, 0]
    assert said.startswith("No better than chance")


def test_files_say_whose_pairs_a_row_stands_on(several, board, tmp_path):
    rows = list(csv.DictReader(io.StringIO(to_csv([board, several]))))
    assert [row["pairs_mined_by"] for row in rows] == [*[""] * 12, "other", "", "one"]
    assert [row["model"] for row in rows[11:]] == ["one", "one", "other", "other"]
    write_leaderboards(tmp_path / "table", [several])
    records = json.loads((tmp_path / "table.json").read_text())["rows"]
    assert [record["pairs_mined_by"] for record in records] == ["", "", "other", "", "one"]


def test_tables_of_one_reference_have_no_column_for_others(board):
    assert "pairs_mined_by" not in to_csv([board])
    assert all("pairs_mined_by" not in record for record in board.records())
    one = make_leaderboard("x", pairs_with("e"), {"m": [9, 8, 7, 6, 0, 0, 0, 0]}, 0.25)
    listed = make_leaderboard(
        "x", pairs_with("e"), {"m": [9, 8, 7, 6, 0, 0, 0, 0]}, 0.25, mined_by=["m"]
    )
    assert one.entries[0].note == ""
    assert listed.entries[0].note == "mined this set: not comparable"


def test_a_row_left_out_has_the_target_of_the_set():
    first, second = POSITIVES
    judged = PairSet.of(
        [*first, "b/0", "b/1"], [*second, "e/0", "e/1"], [1, 1, 1, 1, 0, 0], [1, 0, 0, 1, 0, 0]
    )
    made = make_leaderboard(
        "adversarial",
        judged,
        {"one": [4, 3, 2, 1, 0, 0]},
        None,
        mined_by=["one", "other"],
        left_out={"one": LeftOut(pairs_with("c"), [4, 3, 2, 1, 0, 0, 0, 5], ["other"])},
    )
    assert [entry.fnr for entry in made.entries] == [0.5, 0.5, 0.5]
    assert [one.evaluation.target_fnr for one in made.entries[1:]] == [0.5, 0.5]
    assert [entry.model for entry in made.entries] == ["Human", "one", "one"]


def test_positives_are_the_same_in_either_order():
    pairs, values = pairs_with("c"), [9, 8, 7, 6, 0, 0, 0, 0]
    turned = PairSet.of(pairs.path_b, pairs.path_a, pairs.label)
    made = make_leaderboard(
        "adversarial",
        pairs_with("e"),
        {"one": values},
        0.25,
        mined_by=["one", "other"],
        left_out={"one": LeftOut(turned, values, ["other"])},
    )
    assert len(made.entries) == 2


@pytest.mark.parametrize(
    ("model", "mined_by", "negatives", "message"),
    [
        ("neither", ["other"], "c", r"of neither, which is not among .* \(one, other\)"),
        ("absent", ["other"], "c", r"of absent, which is not among .* \(one, other\)"),
        ("one", ["one"], "c", "of one on pairs mined by one; expected the other references"),
        ("one", ["other", "one"], "c", "of one on pairs mined by other, one; expected"),
        ("one", [], "c", "of one on pairs mined by nobody; expected"),
        ("one", ["other"], None, "pairs of one have other positives than the set"),
    ],
)
def test_rows_left_out_that_are_refused(model, mined_by, negatives, message):
    scores = {name: [9, 8, 7, 6, 5, 4, 3, 2] for name in ("one", "other", "neither")}
    if negatives is None:
        first, second = POSITIVES
        pairs = PairSet.of([*first, "b/0"], [*second[:3], "a/z", "c/0"], [1, 1, 1, 1, 0])
    else:
        pairs = pairs_with(negatives)
    left_out = {model: LeftOut(pairs, [9, 8, 7, 6, 5, 4, 3, 2][: len(pairs)], mined_by)}
    with pytest.raises(ScoresError, match=message):
        make_leaderboard(
            "adversarial",
            pairs_with("e"),
            scores,
            0.25,
            mined_by=["one", "other", "absent"],
            left_out=left_out,
        )


class TestOrder:
    """Models stand by the rate that a threshold achieves, whatever the line between two says."""

    @staticmethod
    def separating():
        """18 positives and 40 negatives of six identities, all apart; or three of them not."""
        generator = np.random.default_rng(0)
        first = [f"c{at % 6}/{at}a" for at in range(58)]
        second = [f"c{(at + (at >= 18)) % 6}/{at}b" for at in range(58)]
        label = np.arange(58) < 18
        perfect = np.where(label, 0.6, 0.1) + 0.3 * generator.random(58)
        worse = perfect.copy()
        worse[20:23] = 0.75
        return PairSet.of(first, second, label.astype(int)), {"worse": worse, "perfect": perfect}

    def test_a_model_without_an_error_has_none_and_stands_first(self):
        pairs, scores = self.separating()
        made = make_leaderboard("x", pairs, scores, 0.139)
        first, second = made.entries
        assert (first.model, first.fpr, first.eer) == ("perfect", 0.0, 0.0)
        # Of 18 positives two may be missed.
        assert first.fnr == second.fnr == 2 / 18
        assert first.fpr < second.fpr < first.fpr_interpolated
        assert made.best("fpr") == 0.0
        assert "| perfect | 0.00" in made.to_markdown().splitlines()[2]
        assert [record["model"] for record in made.records()] == ["perfect", "worse"]
        assert [record["fpr"] for record in made.records()] == [0.0, second.fpr]
        assert list(made.comparison.groups["fpr"]) == ["perfect", "worse"]

    def test_its_interval_is_that_of_no_error(self):
        made = many({"perfect": 40.0, "fair": 2.0})
        assert made.entries[1].model == "perfect"
        assert made.entries[1].fpr_interval == wilson(0, 640)

    def test_the_rate_decides_before_the_eer(self):
        pairs, scores = self.separating()
        perfect, row = scores["perfect"], np.arange(58)
        ordered = {
            "one negative above all": np.where(row == 20, 1.0, perfect),
            "two positives below all": np.where(row < 2, 0.0, perfect),
        }
        second, first = ordered
        made = make_leaderboard("x", pairs, ordered, 0.139, draws=0)
        assert [entry.model for entry in made.entries] == [first, second]
        assert [entry.fpr for entry in made.entries] == [0.0, 1 / 40]
        assert made.entries[0].eer > made.entries[1].eer

    def test_a_model_that_reaches_no_rate_stands_behind(self):
        """Three of 18 positives have no score, and no more than two may be missed."""
        pairs, scores = self.separating()
        some = np.where(np.arange(58) < 3, np.nan, scores["perfect"])
        ordered = {"without": some, "worse": scores["worse"], "perfect": scores["perfect"]}
        made = make_leaderboard("x", pairs, ordered, 0.139, draws=0, missing="reject")
        assert [entry.model for entry in made.entries] == ["perfect", "worse", "without"]
        assert made.entries[2].fpr is None

    def test_models_of_one_rate_stand_by_eer_and_then_as_given(self):
        pairs, scores = self.separating()
        ordered = {
            # Of the same FPR at the target, but two positives below all negatives.
            "lower": np.where(np.arange(58) < 2, 0.0, scores["perfect"]),
            "second": scores["perfect"],
            "first": scores["perfect"] * 2,
        }
        made = make_leaderboard("x", pairs, ordered, 0.139, draws=0)
        assert [entry.fpr for entry in made.entries] == [0.0] * 3
        assert [entry.model for entry in made.entries] == ["second", "first", "lower"]


class TestPublished:
    """Published rows stand beside others on the very pairs that they are of."""

    @pytest.fixture
    def theirs(self, monkeypatch):
        """As if ZACI-20's random set were a small one."""
        pairs = pairs_with("c")
        small = replace(
            PUBLISHED["random"],
            positives=4,
            negatives=4,
            fnr=0.25,
            pairs_sha256=labelled_digest(pairs),
        )
        monkeypatch.setitem(pairsets.tables.published_rows.PUBLISHED, "random", small)
        return small

    SCORES: ClassVar = {"poor": [9, 8, 7, 1, 8, 7, 0, 0], "good": [9, 8, 7, 6, 1, 2, 0, 0]}

    def test_they_have_a_column_of_their_own_rate(self, theirs):
        made = make_leaderboard("random", pairs_with("c"), self.SCORES, 0.25, published=theirs)
        assert made.apart is None
        lines = made.to_markdown().splitlines()
        assert lines[0] == "| model name | FPR (%) | FNR (%) | EER (%) | FPR (ZACI-20) | note |"
        good, poor = made.entries[:2]
        assert (good.model, poor.model) == ("good", "poor")
        between = percent(good.evaluation.fpr_interpolated)
        assert lines[2].endswith(f" | {between} |  |")
        assert lines[2].split(" | ")[1].startswith("0.00")
        assert lines[5] == (
            "| ResNet-152 | N/A | 13.9 | 8.89 | 2.40 | published; 0206_resnet152, contrastive |"
        )
        rows = list(csv.DictReader(io.StringIO(to_csv([made]))))
        assert (rows[3]["fpr"], rows[3]["fpr_interpolated"]) == ("", "0.024")
        assert {row["set"] for row in rows} == {"random"}

    def test_other_order_verdicts_and_directions_are_the_same_pairs(self, theirs):
        pairs = pairs_with("c")
        turned = PairSet.of(pairs.path_b[::-1], pairs.path_a[::-1], pairs.label[::-1], 1)
        assert theirs.why_apart(turned, 0.25) is None
        assert published_for("anything", turned) == theirs

    @pytest.mark.parametrize(
        ("change", "told"),
        [
            pytest.param(
                {"invalid": [1, 0, 0, 0, 0, 0, 0, 0]}, "where these are 3 and 4", id="invalid"
            ),
            pytest.param(
                {"label": [1, 1, 1, 0, 1, 0, 0, 0]}, "where these are 4 and 4", id="labels"
            ),
            pytest.param({"path_a": ["a/9"]}, "where these are 4 and 4", id="another picture"),
        ],
    )
    def test_what_makes_them_other_pairs(self, theirs, change, told):
        pairs = pairs_with("c")
        first = [*change.get("path_a", pairs.path_a[:1]), *pairs.path_a[1:]]
        other = PairSet.of(
            first,
            pairs.path_b,
            change.get("label", pairs.label),
            invalid=change.get("invalid", 0),
        )
        assert told in theirs.why_apart(other, 0.25)
        made = make_leaderboard("random", other, self.SCORES, 0.25, published=theirs, draws=0)
        assert not made.beside_published
        assert made.apart.entries == theirs.entries
        # A set of that name has them below its table, another has none.
        assert published_for("random", other) == theirs
        assert published_for("mine", other) is None

    @pytest.mark.parametrize(("missing", "beside"), [("reject", True), ("drop", False)])
    def test_pairs_that_are_left_out_are_missed(self, theirs, missing, beside):
        some = {"m": [9, 8, 7, 1, 8, np.nan, 0, 0]}
        made = make_leaderboard(
            "random", pairs_with("c"), some, 0.25, published=theirs, missing=missing, draws=0
        )
        assert made.beside_published == beside

    def test_another_fnr_is_another_rate(self, theirs):
        made = make_leaderboard("random", pairs_with("c"), self.SCORES, 0.5, published=theirs)
        assert "at an FNR of 25 %, where these rates are at 50 %" in made.apart.reason


@pytest.mark.parametrize(
    ("name", "file"),
    [("random", "zaci20_test_pairs"), ("adversarial", "zaci20_test_pairs_adversarial")],
)
def test_the_published_files_are_what_the_rows_are_of(real_data, name, file):
    pairs = PairSet.read(real_data / "zaci20" / f"{file}.csv")
    scores = {"person": pairs.human_prediction + 0.5 * pairs.label}
    one = published_for(file, pairs)
    assert one == PUBLISHED[name]
    made = make_leaderboard(name, pairs, scores, None, draws=0, published=one)
    assert made.beside_published
    assert percent(made.entries[0].fpr) == percent(made.entries[2].fpr)
    assert percent(made.entries[0].fnr) == percent(made.entries[2].fnr)
    assert PUBLISHED[name].why_apart(pairs.take(pairs.label == 0)) is not None
