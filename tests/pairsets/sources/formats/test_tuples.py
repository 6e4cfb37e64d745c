"""Triplets, n-tuples and labelled pairs: what is read, and where each pair finds a place."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.format_examples import of_any_kind

from pairsets import PairSet
from pairsets.errors import SourceError
from pairsets.sources.formats import Pairs, read_pairs, sniff, tuples

ENDINGS = ("", ".jsonl", ".csv", ".parquet")


def read_text(tmp_path, text):
    path = tmp_path / "x"
    path.write_text(text)
    return tuples.read(path)


def found(content):
    pairs = content.pairs
    return dict(zip(pairs.keys, pairs.label.tolist(), strict=True))


def rows(path):
    """A written table, as lists of cells without the header."""
    if path.suffix == ".csv":
        with path.open(encoding="utf-8", newline="") as stream:
            return list(csv.reader(stream))[1:]
    if path.suffix == ".parquet":
        parquet = pytest.importorskip("pyarrow.parquet")
        return [[*row.values()] for row in parquet.read_table(path).to_pylist()]
    return [[*json.loads(line).values()] for line in path.read_text("utf-8").splitlines()]


def test_triplets_as_sentence_transformers_mines_them(tmp_path):
    """Any names of the first two columns; scores are left alone; repeats are the rule."""
    content = read_text(
        tmp_path,
        "query,answer,negative,positive_score,negative_score\n"
        "a/1,a/2,b/1,0.9,0.5\na/1,a/2,c/1,0.9,0.4\na/1,a/3,b/1,0.8,0.5\na/1,a/3,c/1,0.8,0.4\n",
    )
    assert found(content) == {
        ("a/1", "a/2"): 1, ("a/1", "a/3"): 1, ("a/1", "b/1"): 0, ("a/1", "c/1"): 0,
    }  # fmt: skip
    assert content.notes == ("4 times a pair stands in a further tuple",)
    assert not content.dropped


def test_n_tuples_with_fewer_and_more_negatives(tmp_path):
    lines = [
        {"anchor": "a/1", "positive": "a/2", "negative_1": "b/1"},
        {"anchor": "c/1", "positive": "c/2", "negative_1": "b/1", "negative_2": None},
        {"negative_2": "é/2", "negative_10": "d/2", "positive": "d/1", "anchor": "é/1"},
    ]
    content = read_text(tmp_path, "\n".join(map(json.dumps, lines)))
    assert found(content) == {
        ("a/1", "a/2"): 1, ("a/1", "b/1"): 0, ("c/1", "c/2"): 1, ("b/1", "c/1"): 0,
        ("d/1", "é/1"): 1, ("é/1", "é/2"): 0, ("d/2", "é/1"): 0,
    }  # fmt: skip


@pytest.mark.parametrize("one", ["1", '"1"', "1.0", "true"])
def test_labelled_pairs(tmp_path, one):
    text = f'{{"q": "a/1", "p": "a/2", "label": {one}}}\n{{"q": "a/1", "p": "b/2", "label": 0}}\n'
    content = read_text(tmp_path, text + text)
    assert found(content) == {("a/1", "a/2"): 1, ("a/1", "b/2"): 0}
    assert dict(content.dropped) == {"pairs listed again": 2}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("anchor,positive,negative\na/1,b/1,c/1\nb/1,d/1,c/1\nd/1,e/1,b/1\n",
         "line 4: 'd/1' and 'b/1' have label 0, and 1 in line 3"),
        ("anchor,positive,negative\na/1,b/1,c/1\n\na/1,b/1\n", "line 4: 2 values, expected 3"),
        ("anchor,positive,negative\na/1,,c/1\n", "line 2: positive is ''"),
        ("anchor,positive,negative,negative\na/1,b/1,c/1,d/1\n", "named twice"),
        ("anchor,positive,label\na/1,b/1,0.5\n", "line 2: label is '0.5', expected 0 or 1"),
        ("anchor,positive\na/1,b/1\n", "columns anchor, positive; expected columns anchor"),
        ("anchor,positive,negative\na/1,b/1,../c\n", r"line 2: .*'../c' leaves its folder"),
        ('{"anchor": "a/1", "positive": 7, "negative": "b/1"}', "line 1: positive is 7"),
        ('{"anchor": "a/1", "positive": "b/1", "label": []}', r"line 1: label is \[\]"),
        ('{"anchor": "a", "positive": "b/1", "negative": "c"}\n[1]', r"line 2: '\[1\]'; expected"),
        ('{"anchor": "a", "positive": "b/1", "negative": "c"}\n{"x"', "line 2: not JSON"),
        ("anchor,positive,negative\n", "no pairs in it"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_line(tmp_path, text, message):
    with pytest.raises(SourceError, match=message):
        read_text(tmp_path, text)


def test_labels_of_a_table_with_another_kind(tmp_path):
    path = tmp_path / "x.parquet"
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    table = {"anchor": ["a/1", "a/1"], "positive": ["a/2", "b/1"], "label": [1.0, 0.5]}
    parquet.write_table(arrow.table(table), path)
    with pytest.raises(SourceError, match=r"x.parquet, row 2: label is 0.5"):
        tuples.read(path)


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("style", ["triplet", "n-tuple", "labeled-pair"])
def test_each_kind_of_file_comes_back(tmp_path, ending, style):
    content = of_any_kind(count=200)
    path = tmp_path / f"x{ending}"
    options = {"negatives": 2} if style == "n-tuple" else {}
    held = tuples.write(content, path, style=style, **options)
    assert tuples.looks_like(path, path.read_bytes()[:65536])
    assert found(tuples.read(path)) == found(held)
    assert {len(row) for row in rows(path)} == {4 if options else 3}


@st.composite
def sets(draw):
    """Few faces, each two of them a positive, a negative or no pair."""
    count = draw(st.integers(2, 7))
    kinds = draw(st.lists(st.sampled_from([0, 0, 1, None]), min_size=21, max_size=21))
    two = [(a, b) for a in range(count) for b in range(a)]
    rows = [(*pair, kind) for pair, kind in zip(two, kinds, strict=False) if kind is not None]
    return draw(st.permutations(rows))


def can_be_placed(given, each):
    """By the words of the format: an anchor has a positive and `each` negatives."""
    able = {
        face
        for face in range(7)
        if any(face in pair and kind for *pair, kind in given)
        and sum(face in pair and not kind for *pair, kind in given) >= each
    }
    return {tuple(sorted(pair)) for *pair, _ in given if able & {*pair}}


@pytest.mark.parametrize("each", [None, 1, 2, 3])
@settings(
    deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(given_rows=sets())
def test_as_many_pairs_as_can_find_a_place(tmp_path, each, given_rows):
    path = tmp_path / "x"
    count = each or 1
    expected = can_be_placed(given_rows, count)
    if not given_rows:
        return
    first, second, label = zip(*given_rows, strict=True)
    pairs = PairSet.of([f"p/{a}" for a in first], [f"p/{b}" for b in second], label)
    options = {"style": "n-tuple", "negatives": each} if each else {}
    if not expected:
        with pytest.raises(SourceError, match="no face has a positive and"):
            tuples.write(Pairs(pairs), path, **options)
        return
    held = tuples.write(Pairs(pairs), path, **options)
    assert {tuple(int(face[2:]) for face in key) for key in held.pairs.keys} == expected
    assert sum(held.dropped.values()) == len(pairs) - len(expected)
    assert found(tuples.read(path)) == found(held)
    truth = found(Pairs(pairs))
    for anchor, positive, *negatives in rows(path):
        assert truth[tuple(sorted((anchor, positive)))] == 1
        assert len(set(negatives)) == len(negatives) == count
        assert {truth[tuple(sorted((anchor, negative)))] for negative in negatives} == {0}


def test_each_negative_of_an_anchor_stands_beside_each_positive(tmp_path):
    pairs = PairSet.of(
        ["a/1", "a/3", "b/1", "a/1", "x/1"],
        ["a/2", "a/1", "a/1", "c/1", "y/1"],
        [1, 1, 0, 0, 0],
    )
    held = tuples.write(Pairs(pairs), tmp_path / "x")
    assert rows(tmp_path / "x") == [
        ["a/1", "a/2", "b/1"], ["a/1", "a/2", "c/1"], ["a/1", "a/3", "b/1"], ["a/1", "a/3", "c/1"],
    ]  # fmt: skip
    assert dict(held.dropped) == {tuples.NEGATIVES: 1}
    tuples.write(Pairs(pairs), tmp_path / "x", style="n-tuple", negatives=2)
    assert rows(tmp_path / "x") == [["a/1", "a/2", "b/1", "c/1"], ["a/1", "a/3", "b/1", "c/1"]]


def test_parquet_text_that_is_not_utf8(tmp_path):
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    ends = np.array([0, 3, 6], np.int32)
    faces = arrow.Array.from_buffers(
        arrow.string(), 2, [None, arrow.py_buffer(ends), arrow.py_buffer(b"a/\xffb/2")]
    )
    table = {"anchor": ["c/1", "c/2"], "positive": ["d/1", "d/2"], "negative": faces}
    parquet.write_table(arrow.table(table), tmp_path / "x")
    with pytest.raises(SourceError, match=r"x: not a whole Parquet file .*damaged"):
        tuples.read(tmp_path / "x")


@pytest.mark.parametrize(
    "text",
    ["pathA,pathB,label\n", "pathB,pathA,label\n", '{"pathB": "a/1", "pathA": "b/1", "label": 0}\n',
     "negative,anchor,positive\n", "label,anchor,positive\n", "anchor,positive\n", "10\t300\n",
     "anchor,positive,score\n", '["anchor", "positive", "negative"]\n', '{"a": [[[\n', "a/1.jpg\n"],
)  # fmt: skip
def test_tables_that_are_no_tuples(tmp_path, text):
    assert not tuples.looks_like(tmp_path / "x", text.encode())


def test_styles_and_numbers_that_are_not_there(tmp_path):
    content = Pairs(PairSet.of(["a/1", "a/1"], ["a/2", "b/1"], [1, 0]))
    with pytest.raises(SourceError, match="no style 'pairs'"):
        tuples.write(content, tmp_path / "x", style="pairs")
    for options in ({"negatives": 2}, {"style": "n-tuple", "negatives": 0}):
        with pytest.raises(SourceError, match="an n-tuple has 1 or more"):
            tuples.write(content, tmp_path / "x", **options)
    assert not list(tmp_path.iterdir())


def test_many_pairs_of_one_face(tmp_path):
    """A hub, as mining finds: linear work, a row a negative."""
    count = 20_000
    faces = [f"p{number}/1" for number in range(count)]
    label = np.zeros(count + 1, int)
    label[0] = 1
    pairs = PairSet.of(["hub/1"] * (count + 1), ["hub/2", *faces], label)
    held = tuples.write(Pairs(pairs), tmp_path / "x.csv")
    assert len(held.pairs) == count + 1
    assert len(rows(tmp_path / "x.csv")) == count


def test_queries_with_lists_of_both(tmp_path):
    """FlagEmbedding's: some have no `neg`, further names do not matter."""
    lines = [
        {"query": "a/1", "pos": ["a/2", "a/3"], "neg": ["b/1"], "pos_scores": [0.9, 0.8]},
        {"query": "c/1", "pos": ["c/2"]},
    ]
    (tmp_path / "x").write_text("\n".join(map(json.dumps, lines)))
    assert sniff(tmp_path / "x") == "n-tuples"
    content = read_pairs(tmp_path / "x")
    assert found(content) == {
        ("a/1", "a/2"): 1, ("a/1", "a/3"): 1, ("a/1", "b/1"): 0, ("c/1", "c/2"): 1,
    }  # fmt: skip


@pytest.mark.parametrize("name", ["label", "labels"])
def test_lists_with_a_label_each(name, tmp_path):
    lines = [
        {"anchor": "a/1", "positive": ["a/2", "b/1"], name: [1, 0]},
        {"anchor": "c/1", "positive": ["c/2"], name: [1]},
    ]
    (tmp_path / "x").write_text("\n".join(map(json.dumps, lines)))
    assert sniff(tmp_path / "x") == "n-tuples"
    expected = {("a/1", "a/2"): 1, ("a/1", "b/1"): 0, ("c/1", "c/2"): 1}
    assert found(read_pairs(tmp_path / "x")) == expected


@pytest.mark.parametrize(
    ("record", "told"),
    [
        ({"query": "a/1", "pos": "a/2", "neg": ["b/1"]}, "pos is 'a/2', expected a list of paths"),
        (
            {"query": "a/1", "pos": ["a/2"], "neg": ["b/1", 3]},
            "neg is .*, expected a list of paths",
        ),
        (
            {"anchor": "a/1", "positive": ["a/2", "b/1"], "label": [1]},
            "2 faces in positive and labe",
        ),
        (
            {"anchor": "a/1", "positive": ["a/2", "b/1"], "label": [1, 2]},
            "label is 2, expected 0 or",
        ),
    ],
    ids=["no-list", "a-number", "a-label-less", "another-label"],
)
def test_lists_that_are_wrong(record, told, tmp_path):
    with pytest.raises(SourceError, match=f"line 1: {told}"):
        read_text(tmp_path, json.dumps(record))
