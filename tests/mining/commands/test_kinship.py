"""Kin of a reference in whole commands: built, compared, evaluated, with vectors and without."""

from __future__ import annotations

import json
import sys

import pytest
from support.elements import Page
from support.flat_calls import build, compare_models, evaluate_pairs

from pairsets.files.side_files import Named

ROWS, NEAR = "python:means:rows", "python:means:near"
MARK = f"kin of {ROWS}: not comparable on its pairs"


@pytest.fixture
def run(faces_folder, tmp_path, monkeypatch):
    """A benchmark mined by mean rows, with a model of nearly the same, and thumbnails."""
    (tmp_path / "means.py").write_text(
        "import numpy as np\n"
        "def rows(less=99):\n"
        "    return lambda images: np.array(\n"
        "        [np.asarray(i, float).mean(1).ravel() - less for i in images])\n"
        "def near():\n"
        "    return rows(101)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "means", raising=False)
    return build(faces_folder, ROWS, models=[NEAR], out=tmp_path / "run", pairs=40)


def entries(board):
    return {entry.model: entry for entry in board.entries}


def test_a_build_marks_kin_in_tables_and_report(run):
    random, hard = map(entries, run.leaderboards)
    assert all(entry.kinships == () for entry in random.values())
    assert hard[NEAR].note == MARK
    (near,) = hard[NEAR].kinships
    assert near.correlation.value > 0.9
    assert near.correlation.pairs == near.overlap.pairs == 18 * 17 // 2 - 18
    assert near.overlap.hardest == 40
    assert run.leaderboards[1].comparison.apart == {ROWS, NEAR}
    rows = json.loads(run.folder.leaderboard.with_suffix(".json").read_text("utf-8"))["rows"]
    kin = {row["model"]: row["kin"] for row in rows if row["set"] == "adversarial"}
    assert kin == {NEAR: True, "pixels": hard["pixels"].kinships[0].kin, ROWS: None}
    page = Page(run.folder.report.read_text("utf-8"))
    said = [text for _, text in page.of("span", "kinship")]
    assert any(one.startswith(f"kin of {ROWS}, rank correlation ") for one in said)


def test_compare_and_evaluate_find_the_same(run, tmp_path, faces_folder):
    path = run.folder.pairs("adversarial")
    built = entries(run.leaderboards[1])
    vectors = sorted((run.folder.root / "embeddings").iterdir())
    made = evaluate_pairs(path, embeddings=vectors)
    found = entries(made.leaderboard)
    assert found[NEAR].kinships == built[NEAR].kinships
    assert not [text for text in made.warnings if "is unknown" in text]
    both = [run.folder.pairs(name) for name in ("random", "adversarial")]
    compared = compare_models(faces_folder, both, embeddings=vectors, out=tmp_path / "compared")
    found = entries(compared.leaderboards[1])
    assert found[NEAR].kinships == built[NEAR].kinships
    assert not [text for text in compared.warnings if "is unknown" in text]


def test_of_score_files_it_is_told_by_random_pairs_or_not_known(run, tmp_path, faces_folder):
    paths = [run.folder.pairs(name) for name in ("random", "adversarial")]
    scores = [Named(path.with_suffix(".scores.csv")) for path in paths]
    made = evaluate_pairs(paths[1], scores=scores[1:])
    assert all(entry.kinships == () for entry in made.leaderboard.entries)
    (said,) = [text for text in made.warnings if "is unknown" in text]
    assert said.startswith(f"adversarial: whether {NEAR}, pixels are kin of {ROWS}")
    compared = compare_models(faces_folder, paths, scores=scores, out=tmp_path / "compared")
    (near,) = entries(compared.leaderboards[1])[NEAR].kinships
    assert near.kin
    assert near.overlap is None
    assert near.correlation.pairs == int(run.random.negatives.sum())
