"""Kin of a reference in tables: out of bold and differences; columns of mined sets alone."""

from __future__ import annotations

import csv
import io

import numpy as np
import pytest

from pairsets import PairSet
from pairsets.evaluation.kinship import Correlation, Kinship, Overlap
from pairsets.tables.differences import differences_markdown, why_not_compared
from pairsets.tables.entries import Entry
from pairsets.tables.kinship import FIELDS, chance_sentence, kinship_sentence
from pairsets.tables.leaderboard import LeftOut, make_leaderboard, to_csv

NEAR = Kinship("miner", Correlation(0.66, 0.62, 0.7, 20000), Overlap(0.41, 500, 1_666_667))
FAR = Kinship("miner", Correlation(0.19, 0.15, 0.23, 20000), Overlap(0.002, 500, 1_666_667))
LIKE = {"akin": (NEAR,), "far": (FAR,)}
MARK = "kin of miner: not comparable on its pairs"


def board(kinships=LIKE, mined_by=("miner",), names=("akin", "far", "weak", "miner"), **options):
    """Models on pairs of many identities: each worse than the one before."""
    generator = np.random.default_rng(4)
    identities = 80
    rows = [(f"c{k}/{n}", f"c{k}/{n + 1}", 1) for k in range(identities) for n in range(3)]
    rows += [
        (f"c{k}/0", f"c{(k + step) % identities}/1", 0)
        for k in range(identities)
        for step in range(1, 9)
    ]
    first, second, label = (np.array(column) for column in zip(*rows, strict=True))
    pairs = PairSet.of(first, second, label)
    scores = {
        model: gap * label + generator.standard_normal(label.size)
        for model, gap in zip(names, (4.0, 2.5, 1.0, 5.0), strict=False)
    }
    return make_leaderboard(
        "adversarial", pairs, scores, 0.1, mined_by=mined_by, kinships=kinships, draws=200,
        **options,
    )  # fmt: skip


def test_kin_are_out_of_bold_and_of_differences():
    free, marked = board(None), board()
    assert [entry.model for entry in free.entries] == ["akin", "far", "weak", "miner"]
    assert free.cells(free.entries[0])[0].startswith("**")
    # Behind those that compete, before the one that mined.
    assert [entry.model for entry in marked.entries] == ["far", "weak", "akin", "miner"]
    far, _, akin, miner = marked.entries
    assert marked.cells(far)[0].startswith("**")
    assert not marked.cells(akin)[0].startswith("**")
    assert marked.best("fpr") == far.fpr > akin.fpr
    assert (akin.note, akin.comparable, akin.competes, akin.mined) == (MARK, False, False, False)
    assert (far.note, far.comparable, miner.mined) == ("", True, True)
    for found in marked.comparison.differences.values():
        assert [{one.first, one.second} for one in found] == [{"far", "weak"}]
    for groups in marked.comparison.groups.values():
        assert set(groups) == {"far", "weak"}


def test_the_text_has_a_column_a_reference():
    head, _, far, weak, akin, miner = board().to_markdown().splitlines()
    cells = [[cell.strip() for cell in row.split("|")] for row in (head, far, weak, akin, miner)]
    assert [row[5] for row in cells] == [
        "rank correlation with miner", "0.19 [0.15, 0.23]", "", "0.66 [0.62, 0.70]", "",
    ]  # fmt: skip
    assert [row[6] for row in cells] == ["note", "", "", MARK, "mined this set: not comparable"]


def test_records_have_its_fields_and_empty_is_unknown():
    by_model = {record["model"]: record for record in board().records()}
    akin = by_model["akin"]
    assert [akin[name] for name in FIELDS] == [
        0.66, 0.62, 0.7, 20000, 0.41, 500 / 1_666_667, False, True,
    ]  # fmt: skip
    assert by_model["far"]["kin"] is False
    assert [by_model["weak"][name] for name in FIELDS] == [None] * len(FIELDS)
    assert akin["fpr_group"] is None
    rows = [*csv.DictReader(io.StringIO(to_csv([board()])))]
    assert [row["kin"] for row in rows] == ["False", "", "True", ""]


def test_tables_without_a_known_kinship_are_as_they_were():
    plain, empty = board(None), board({})
    assert plain.to_markdown() == empty.to_markdown()
    assert "correlation" not in plain.to_markdown()
    assert not set(FIELDS) & set(plain.records()[0])


def test_several_references_have_a_set_of_fields_each():
    other = Kinship("other", Correlation(0.1, 0.0, 0.2, 900), same_weights=True)
    made = board({"akin": (NEAR, other)}, ("miner", "other"))
    records = {record["model"]: record for record in made.records()}
    akin = records["akin"]
    assert (akin["kinship:miner"], akin["kinship:other"]) == (0.66, 0.1)
    assert (akin["overlap:miner"], akin["overlap:other"]) == (0.41, None)
    assert "kinship" not in akin
    (entry,) = [one for one in made.entries if one.model == "akin"]
    assert entry.note == "kin of miner and other: not comparable on their pairs"
    head = made.to_markdown().splitlines()[0]
    assert "rank correlation with miner | rank correlation with other" in head
    assert "0.10 [0.00, 0.20], same weights" in made.to_markdown()


def test_a_reference_left_out_is_told_of_its_kin_among_those_that_mined():
    names = ("akin", "far", "other", "miner")
    made = board(None, ("miner", "other"), names)
    pairs, scores = made.comparison.pairs, made.comparison.scores["other"]
    left = {"other": LeftOut(pairs, scores, ("miner",))}
    made = board({"other": (NEAR,)}, ("miner", "other"), names, left_out=left)
    mined, alone = (entry for entry in made.entries if entry.model == "other")
    assert (mined.mined, mined.kinships) == (True, ())
    assert alone.note == "leave-one-out: pairs it did not pick; kin of miner"
    assert not alone.competes


def test_where_kin_leave_no_two_models_a_sentence_says_why():
    made = board({"akin": (NEAR,), "far": (NEAR,)})
    assert made.comparison.differences == {}
    text = differences_markdown([made.comparison])
    assert text == "No two models were compared.\n"
    said = why_not_compared(made.comparison)
    assert said.startswith("No two models to compare: akin, far, miner mined the set, or score as")
    assert "**" not in made.to_markdown()


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (
            NEAR,
            "kin of miner, rank correlation 0.66 [0.62, 0.70], 41 % of the hardest 500 in common "
            "(chance 0.03 %)",
        ),
        (
            FAR,
            "not kin of miner, rank correlation 0.19 [0.15, 0.23], 0.2 % of the hardest 500 in "
            "common (chance 0.03 %)",
        ),
        (
            Kinship("A", same_weights=True),
            "kin of A, the same weights with other settings",
        ),
    ],
    ids=["near", "far", "weights"],
)
def test_kinship_in_words(found, said):
    assert kinship_sentence(found) == said


def test_models_no_better_than_chance_are_told_of():
    rows = [
        Entry("good", 0.1, 0.1, 0.49),
        Entry("coin", 0.5, 0.5, 0.5),
        Entry("akin", 0.9, 0.1, 0.6, comparable=False, kinships=(NEAR,)),
        Entry("miner", 1.0, 0.1, 0.8, comparable=False),
        Entry("theirs", 1.0, 0.1, 0.8, published=True),
        Entry("no rate", None, None, None),
    ]
    assert chance_sentence(rows) == (
        "No better than chance on these pairs, with an EER of 50 % or more: coin, akin."
    )
    assert chance_sentence(rows[:1]) == ""
