"""Tables in ZACI-20's form."""

from __future__ import annotations

import csv
import io
import json

import numpy as np
import pytest

from pairsets import PairSet
from pairsets.leaderboard import (
    PUBLISHED,
    Entry,
    Leaderboard,
    make_leaderboard,
    percent,
    to_csv,
    write_leaderboards,
)


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
    assert lines[2] == "| Human | 25.0 | 25.0 | N/A | judged 8 pairs |"
    assert lines[3].startswith("| good | **50.0** | 25.0 | **25.0** |")
    assert lines[4].endswith("| 25.0 | 0.00 | mined this set: not comparable |")
    assert lines[5].startswith(r"| poor\|odd | 75.0 |")
    assert "| ViT L-16 | 70.9 | 16.9 | 39.9 | published; animesion |" in lines
    assert len(lines) == 2 + 4 + 6


def test_the_miner_cannot_be_best(board):
    assert board.best("eer") == 0.25
    assert [entry.comparable for entry in board.entries[:4]] == [True, True, False, True]


def test_csv_and_json_hold_every_figure(board, tmp_path):
    rows = list(csv.DictReader(io.StringIO(to_csv([board]))))
    assert [row["model"] for row in rows[:4]] == ["Human", "good", "miner", "poor|odd"]
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
        name: [(percent(e.fpr), percent(e.fnr), percent(e.eer)) for e in rows]
        for name, rows in PUBLISHED.items()
    }
    assert table["random"][0] == ("1.59", "13.9", "N/A")
    assert table["random"][2] == ("2.43", "13.9", "8.15")
    assert table["adversarial"][1] == ("68.9", "16.9", "39.7")
    assert len(table["random"]) == len(table["adversarial"]) == 6


def test_no_row_is_best_without_models():
    assert Leaderboard("x", (Entry("Human", 0.1, 0.1, None, human=True),)).best("fpr") is None
