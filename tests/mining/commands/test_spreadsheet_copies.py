"""`--spreadsheet-safe` of every command that has it, with names that would be formulas."""

import csv
import re
from itertools import combinations

import numpy as np
import pytest
from support.command_line import contents, lookalikes
from support.reviews import draw

from pairsets.pairset import PairSet
from pairsets.storage.spreadsheets import write_copies

NAMES = ("=cmd()", "+a", "-5b", "@rei", "asuka")
ENDING = ".spreadsheet.csv"
FORMULA = re.compile(r"\s*[=+\-@]")


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A folder with faces, all their pairs, and scores."""
    monkeypatch.chdir(tmp_path)
    for at, name in enumerate(NAMES):
        (tmp_path / "faces" / name).mkdir(parents=True)
        for number in range(2):
            draw(10 * at + number).save(tmp_path / "faces" / name / f"{number}.png")
    paths = [f"{name}/{number}.png" for name in sorted(NAMES) for number in range(2)]
    a, b = zip(*combinations(paths, 2), strict=True)
    same = np.array([x.split("/")[0] == y.split("/")[0] for x, y in zip(a, b, strict=True)], int)
    pairs = PairSet.of(a, b, same, 1 - (np.arange(len(a)) % 3 == 0), np.zeros(len(a), int))
    pairs.write(tmp_path / "pairs.csv")
    scores = np.random.default_rng(0).normal(size=len(a)) + same
    lines = [
        f"{x},{y},{score * sign},{model}"
        for model, sign in (("=best", 1), ("@other", 0.5))
        for x, y, score in zip(a, b, scores.tolist(), strict=True)
    ]
    (tmp_path / "s.csv").write_text("\n".join(["pathA,pathB,score,model", *lines, ""]))
    return tmp_path


def cells_of(path):
    """The cells of a table, row by row."""
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.reader(stream, strict=True))


def checked(folder):
    """Names of the copies, after checking that each has its table's rows and no formula."""
    copies = sorted(folder.rglob(f"*{ENDING}"))
    for copy in copies:
        rows = cells_of(copy.with_name(copy.name.removesuffix(ENDING) + ".csv"))
        shown = cells_of(copy)
        assert len(rows) == len(shown) >= 1
        for row, line in zip(rows[1:], shown[1:], strict=True):
            for cell, one in zip(row, line, strict=True):
                assert one in (cell, f"'{cell}")
                number = re.fullmatch(r"-?[\d.]+(e-?\d+)?", one) is not None
                assert number or not FORMULA.match(one), one
    return sorted(str(copy.relative_to(folder)).removesuffix(ENDING) for copy in copies)


MODELS = ("--scores", "s.csv", "--draws", "0")
COMMANDS = {
    "evaluate": (
        ("evaluate", "pairs.csv", *MODELS, "--far", "0.1", "--out", "all"),
        ["all", "all.differences", "all.protocols"],
    ),
    "compare": (
        ("compare", "faces", "--pairs", "pairs.csv", *MODELS, "--out", "c"),
        ["c/differences", "c/leaderboard", "c/pairs.curves", "c/pairs.scores", "c/pairs.verdicts"],
    ),
    "suspects": (
        ("suspects", "pairs.csv", "--aliases", "aliases.csv", "--kinds", "alias"),
        ["pairs.suspects"],
    ),
    "check-overlap": (
        ("check-overlap", "--train", "faces", "--test", "faces", "--out", "o.csv"),
        ["o"],
    ),
    "neighbours": (
        ("neighbours", "@rei", "--faces", "faces", "--model", "pixels", "--scores", "n.csv"),
        ["n"],
    ),
    "export": (
        ("review", "export", "pairs.csv", "--out", "judged.csv"),
        ["judged", "judged.judgements"],
    ),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_copies_of_a_command(home, command, monkeypatch):
    # The tables are what is looked at.
    monkeypatch.setattr("mining.commands.compare.draw_figures", lambda *_: [])
    typed, expected = COMMANDS[command]
    (home / "aliases.csv").write_text("identity,alias\n=cmd(),@rei\n")
    if command == "export":
        lookalikes("review", "import", "pairs.csv", "pairs.csv", "--as", "@ann")
    lookalikes(*typed, "--spreadsheet-safe")
    assert checked(home) == expected
    exact = contents(home)
    # They are part of what is written: never replaced unasked, nor left beside newer tables.
    assert "exists" in lookalikes(*typed).message
    lookalikes(*typed, "--overwrite")
    assert checked(home) == []
    after = contents(home)
    tables = [name for name in exact if name.endswith(".csv") and not name.endswith(ENDING)]
    assert {name: after[name] for name in tables} == {name: exact[name] for name in tables}


def test_a_copy_is_not_taken_for_the_table(home):
    (home / "aliases.csv").write_text("identity,alias\n=cmd(),@rei\n")
    lookalikes("review", "import", "pairs.csv", "pairs.csv", "--as", "@ann")
    write_copies([home / "s.csv"])
    for command in ("export", "suspects"):
        assert lookalikes(*COMMANDS[command][0], "--spreadsheet-safe").code == 0
    for typed in (
        ("evaluate", "judged.spreadsheet.csv"),
        ("convert", "judged.spreadsheet.csv", "--out", "new.csv"),
        ("review", "import", "pairs.csv", "judged.judgements.spreadsheet.csv"),
        ("review", "import", "pairs.csv", "judged.spreadsheet.csv", "--as", "Bo"),
        ("evaluate", "pairs.csv", "--scores", "s.spreadsheet.csv"),
        ("review", "pairs.csv", "--faces", "faces", "--suspects", "pairs.suspects.spreadsheet.csv"),
    ):
        assert "a copy made for spreadsheets" in lookalikes(*typed).message, typed
