"""Records and tables: JSON lines, Parquet, and the five columns as one format among others."""

from __future__ import annotations

import builtins
import json
import re

import numpy as np
import pytest
from support.format_examples import of_any_kind

from pairsets import PairSet
from pairsets.errors import SourceError
from pairsets.files.folds import Folds
from pairsets.files.side_files import folds_of
from pairsets.sources.formats import Pairs, read_pairs, sniff, write_pairs, zaci

pyarrow = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")

FULL = {"pathA": "a/1.jpg", "pathB": "b/2.jpg", "label": 0}


def records(path, *rows):
    path.write_text("".join(json.dumps({**FULL, **row}) + "\n" for row in rows))
    return path


def test_what_need_not_be_given(tmp_path):
    path = records(tmp_path / "x", {"human_prediction": None}, {"pathB": "c/1.jpg", "label": True})
    found = read_pairs(path)
    assert found.pairs == PairSet.of(["a/1.jpg"] * 2, ["b/2.jpg", "c/1.jpg"], [0, 1])
    assert found.folds is None


def test_other_names_are_left_out_and_told(tmp_path):
    path = records(tmp_path / "x", {"score": 0.5}, {"pathA": "c/1.jpg", "score": None, "é": [1]})
    assert read_pairs(path).notes == (
        "'score' is left out, which 2 of 2 pairs have",
        "'é' is left out, which 1 of 2 pairs have",
    )


def test_folds_from_nought_on(tmp_path):
    path = records(tmp_path / "x", *({"pathA": f"a/{n}.jpg", "fold": n // 2} for n in range(6)))
    found = read_pairs(path)
    assert found.folds.numbers.tolist() == [1, 1, 2, 2, 3, 3]
    assert found.notes == ("folds 0 to 2 are numbered anew, in their order, from 1 to 3",)


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([{"label": 2}], "line 1: label is 2, expected 0 or 1"),
        ([{"label": "1"}], "line 1: label is '1', expected 0 or 1"),
        ([{"label": None}], "line 1: no label; expected pathA, pathB and label"),
        ([{"label": float("nan")}], "line 1: label is nan"),
        ([{"label": [1]}], r"line 1: label is \[1\]"),
        ([{}, {"pathA": 7}], "line 2: pathA is 7, expected text"),
        ([{"human_prediction": 2}], "line 1: human_prediction is 2, expected -1 or 0 or 1"),
        ([{"invalid": -1}], "line 1: invalid is -1, expected 0 or 1"),
        ([{"fold": 1}, {"pathA": "c/1.jpg"}], "line 2: no fold, unlike the pairs before it"),
        ([{}, {"pathA": "c/1.jpg", "fold": 1}], "line 2: a fold, unlike the pairs before it"),
        ([{"fold": 1.5}], "line 1: fold is 1.5, expected a whole number"),
        ([{"fold": "1"}], "line 1: fold is '1', expected a whole number"),
        ([{"fold": True}], "line 1: fold is True, expected a whole number"),
        ([{"fold": -1}], "line 1: fold is -1, expected 1, 2, ..."),
        ([{"fold": 2**40}], "line 1: fold is 1099511627776, expected 1, 2, ..."),
        ([{}, {"label": 1}], "line 2: 'a/1.jpg' and 'b/2.jpg' have label 1, and 0 in line 1"),
        ([{"pathA": "../x.jpg"}], "line 1: path '../x.jpg' leaves its folder"),
        ([{"pathA": ""}], "line 1: path '' is empty"),
        ([{"pathA": "\ud800/1.jpg"}], "line 1: path .* is not UTF-8 text"),
        ([{"pathA": "b/2.jpg"}], "nothing but faces paired with themselves"),
    ],
)
def test_records_that_are_refused(rows, told, tmp_path):
    path = records(tmp_path / "x", *rows)
    with pytest.raises(SourceError, match=f"^{re.escape(str(path))}(, |: ){told}"):
        read_pairs(path, "jsonl")


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('{"pathA": "a', r"line 2: not JSON \("),
        ("[1, 2]", r"line 2: '\[1, 2\]'; expected an object with pathA"),
        ('"text"', "line 2: .*expected an object"),
        ("[" * 100_000, "line 2: nested too deeply"),
        ("x" * (1 << 20), "line 2: longer than 1 MiB"),
    ],
)
def test_lines_that_are_no_objects(line, told, tmp_path):
    path = records(tmp_path / "x", {})
    path.write_text(path.read_text() + line + "\n")
    with pytest.raises(SourceError, match=f"^{re.escape(str(path))}, {told}"):
        read_pairs(path, "jsonl")


def table(path, **columns):
    parquet.write_table(
        pyarrow.table({"pathA": ["a/1.jpg"], "pathB": ["b/1.jpg"], **columns}), path
    )
    return path


@pytest.mark.parametrize("kind", ["int8", "int64", "uint16", "bool", "float64", "dictionary"])
def test_columns_of_any_kind_of_number_and_text(kind, tmp_path):
    path = tmp_path / "x"
    if kind == "dictionary":
        text = pyarrow.array(["a/1.jpg", "a/1.jpg"]).dictionary_encode()
        label = pyarrow.array([0, 1], "int64")
    else:
        text = pyarrow.array(["a/1.jpg"] * 2, "large_string")
        label = pyarrow.array([0, 1]).cast(kind)
    columns = {"pathB": ["b/1.jpg", "a/2.jpg"], "label": label, "pathA": text, "extra": [1, 2]}
    parquet.write_table(pyarrow.table(columns), path)
    assert sniff(path) == "parquet"
    found = read_pairs(path)
    assert found.pairs == PairSet.of(["a/1.jpg"] * 2, ["b/1.jpg", "a/2.jpg"], [0, 1])
    assert found.notes == ("column 'extra' is left out",)


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        ({}, "column label missing, it has pathA, pathB; expected pathA, pathB and label"),
        ({"label": [None]}, "row 1: no label; expected"),
        ({"label": ["1"]}, "row 1: label is '1', expected 0 or 1"),
        ({"label": [0.5]}, "row 1: label is 0.5, expected 0 or 1"),
        ({"label": [0], "pathB": [b"b/1.jpg"]}, "row 1: pathB is b'b/1.jpg', expected text"),
        ({"label": [0], "pathB": ["a/../b"]}, "row 1: path 'a/../b' leaves its folder"),
    ],
)
def test_tables_that_are_refused(columns, told, tmp_path):
    path = table(tmp_path / "x", **columns)
    with pytest.raises(SourceError, match=f"^{re.escape(str(path))}(, |: ){told}"):
        read_pairs(path, "parquet")


def test_a_damaged_table(tmp_path):
    path = tmp_path / "x"
    write_pairs(of_any_kind(), path, "parquet")
    content = path.read_bytes()
    for damaged in (
        content[:-9],
        content[:4],
        content[:100] + b"\0" * 50 + content[150:-8] + b"PAR1",
    ):
        path.write_bytes(damaged)
        with pytest.raises(SourceError, match=r"not a whole Parquet file \(.*cut short or damaged"):
            read_pairs(path, "parquet")


def test_more_rows_than_are_read_at_once(tmp_path):
    count = 140_000
    a = [f"a/{number}.jpg" for number in range(count)]
    label = np.arange(count) % 3 == 0
    content = Pairs(PairSet.of(a, ["b/0.jpg"] * count, label), Folds(np.arange(count) % 10 + 1))
    write_pairs(content, tmp_path / "x", "parquet")
    seen = []
    back = read_pairs(tmp_path / "x", progress=lambda done, total: seen.append((done, total)))
    assert back.pairs == content.pairs
    assert back.folds.numbers.tolist() == content.folds.numbers.tolist()
    assert [total for _, total in seen] == [count] * 3
    assert seen[-1][0] == count


def test_without_pyarrow_the_extra_is_named(tmp_path, monkeypatch):
    path = tmp_path / "x"
    write_pairs(of_any_kind(), path, "parquet")
    load = builtins.__import__

    def without(name, *rest):
        if name.startswith("pyarrow"):
            raise ImportError(name)
        return load(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    assert sniff(path) == "parquet"
    for action in (
        lambda: read_pairs(path),
        lambda: write_pairs(of_any_kind(), tmp_path / "y", "parquet"),
    ):
        with pytest.raises(SourceError, match=r"pip install 'lookalikes\[parquet\]'"):
            action()
    assert [file.name for file in tmp_path.iterdir()] == ["x"]


def test_a_pair_file_is_read_as_the_strict_reader_does(tmp_path):
    content = of_any_kind(count=300, seed=9)
    zaci.write(content, tmp_path / "x.csv")
    assert PairSet.read(tmp_path / "x.csv") == content.pairs == read_pairs(tmp_path / "x.csv").pairs
    assert Folds.read(folds_of(tmp_path / "x.csv"), content.pairs).numbers.tolist() == (
        content.folds.numbers.tolist()
    )


def test_the_published_files(real_data):
    for name, count in (("zaci20_test_pairs", 1799), ("zaci20_test_pairs_adversarial", 3855)):
        found = next(iter(real_data.rglob(f"{name}.csv")))
        back = read_pairs(found)
        assert back.pairs == PairSet.read(found)
        assert len(back.pairs) == count
        assert not back.dropped


HEADER = "pathA,pathB,label,human_prediction,invalid\n"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("pathA,pathB\na,b\n", ", line 1: expected the header pathA,.* got 'pathA,pathB'"),
        ("pathA,pathB,label\na/1,b/1,1,-1,0\n", ", line 2: 5 values, expected 3; is a comma"),
        (HEADER + "a/1,b/1,2,-1,0\n", ", line 2: label is '2', expected 0 or 1"),
        (HEADER + "a/1,b/1,1,-1\n", ", line 2: 4 values, expected 5$"),
        (HEADER + "a/1,x,b/1,1,-1,0\n", r", line 2: 6 values, .* a comma in a path not quoted\?"),
        (HEADER + '"a/\n1",b/1,0,-1,0\nc,c/1,5,-1,0\n', ", line 4: label is '5'"),
        (HEADER + 'a/1,"b/1,0,-1,0\n', r", line 2: not CSV \(unexpected end of data\)"),
        (HEADER, ": no pairs in it"),
        (HEADER + "a/1,b/1,0,-1,0\nb/1,a/1,1,-1,0\n", ", line 3: .* have label 1, and 0 in line 2"),
        (HEADER + "a/1,/b/1,0,-1,0\n", ", line 2: path '/b/1' is absolute"),
    ],
)  # fmt: skip
def test_pair_files_that_are_refused(text, told, tmp_path):
    path = tmp_path / "x"
    path.write_text(text)
    with pytest.raises(SourceError, match=f"(?s)^{re.escape(str(path))}{told}"):
        read_pairs(path)


def test_a_pair_file_may_list_a_pair_again(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text(HEADER + "a/1,b/1,0,1,0\nb/1,a/1,0,-1,1\nc/1,c/1,1,-1,0\nc/1,b/1,0,-1,0\n")
    found = read_pairs(path)
    assert found.dropped == {"pairs listed again": 1, "faces paired with themselves": 1}
    assert found.pairs == PairSet.of(["a/1", "c/1"], ["b/1", "b/1"], [0, 0], [1, -1])


def test_folds_of_another_pair_file(tmp_path):
    path = tmp_path / "x.csv"
    zaci.write(of_any_kind(), path)
    folds_of(path).write_text("pathA,pathB,fold\na/1,b/1,1\n")
    with pytest.raises(SourceError, match=r"x.folds.csv, line 2: .* are no pair of the set"):
        read_pairs(path)
