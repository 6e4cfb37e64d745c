"""A column of texts answers as an array of str objects does."""

from __future__ import annotations

import pickle
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import pairsets.text_column
from pairsets.paths import strings
from pairsets.text_column import TextColumn

# Half of a surrogate pair, too: Python has such texts.
ANY = st.text(st.characters(), max_size=6)
TEXTS = st.lists(ANY, max_size=40)
NAMES = ["", "a", "é", "セイバー_(fate)/9.jpg", "a\0b", "\ud800", "line\r\nend", "a" * 300]


@pytest.fixture(params=[1, 3, 8192])
def chunk(request, monkeypatch):
    monkeypatch.setattr(pairsets.text_column, "CHUNK", request.param)
    return request.param


@given(TEXTS)
def test_it_holds_what_it_was_given(texts):
    column = TextColumn.of(iter(texts))
    assert len(column) == len(texts)
    assert list(column) == column.tolist() == texts
    assert [column[row] for row in range(-len(texts), len(texts))] == texts + texts
    assert [piece.decode("utf-8", "surrogatepass") for piece in column.encoded()] == texts
    assert TextColumn.of(column) is column


def test_in_chunks_of_any_size(chunk):
    texts = NAMES + [f"{at}.jpg" for at in range(20)] + NAMES[::-1]
    column = TextColumn.of(texts)
    assert column.tolist() == texts
    rows = np.random.default_rng(0).integers(0, len(texts), 50)
    assert column.take(rows).tolist() == [texts[row] for row in rows]
    assert [piece.decode("utf-8", "surrogatepass") for piece in column.encoded()] == texts


@pytest.mark.parametrize(
    "key",
    [
        slice(2, 5),
        slice(None, None, -1),
        slice(9, 2),
        [3, 3, -1],
        np.array([[0, 1], [2, 3]]),
        np.arange(8) % 3 == 0,
        np.array([], np.int64),
    ],
    ids=["part", "backwards", "nothing", "list", "table", "mask", "empty"],
)
def test_indexed_as_an_array(key):
    expected = strings(NAMES)[key]
    found = TextColumn.of(NAMES)[key]
    assert found.dtype == object
    assert found.shape == expected.shape
    assert found.tolist() == expected.tolist()
    assert all(type(text) is str for text in found.ravel())


def test_no_such_text():
    column = TextColumn.of(NAMES)
    for row in (8, -9, np.int64(8)):
        with pytest.raises(IndexError):
            column[row]
    with pytest.raises(IndexError):
        column[[8]]
    assert column[np.int64(-1)] == NAMES[-1]


@pytest.mark.parametrize("other", ["a", NAMES[::-1], NAMES], ids=["text", "list", "same"])
def test_compared_text_by_text(other):
    array, column = strings(NAMES), TextColumn.of(NAMES)
    expected = array == (other if isinstance(other, str) else strings(other))
    assert (column == other).tolist() == expected.tolist()
    assert (column != other).tolist() == (~expected).tolist()
    if not isinstance(other, str):
        assert (column == TextColumn.of(other)).tolist() == expected.tolist()
        assert (column == strings(other)).tolist() == expected.tolist()
        assert (strings(other) == column).tolist() == expected.tolist()
    assert np.argsort(column, kind="stable").tolist() == np.argsort(array, kind="stable").tolist()


@given(TEXTS, TEXTS)
def test_equal_as_a_whole(one, other):
    assert TextColumn.of(one).equals(TextColumn.of(other)) == (one == other)
    assert TextColumn.of(one).equals(TextColumn.of(list(one)))


def test_where_texts_begin_counts():
    """Both have the same bytes, one after the other."""
    assert not TextColumn.of(["ab", "c"]).equals(TextColumn.of(["a", "bc"]))


@given(TEXTS, TEXTS)
def test_found_where_a_list_finds_it(texts, wanted):
    wanted = wanted + texts[::2]
    expected = [texts.index(text) if text in texts else -1 for text in wanted]
    assert TextColumn.of(texts).find(wanted).tolist() == expected


def test_found_where_hashes_are_equal(monkeypatch):
    """Hashes only say where to look."""
    monkeypatch.setattr(pairsets.text_column, "hash", lambda text: len(text) % 2, raising=False)
    texts = ["a", "b", "ab", "cd", "b", "e"]
    wanted = ["e", "b", "cd", "x", "yz", "ab", "a"]
    expected = [texts.index(text) if text in texts else -1 for text in wanted]
    assert TextColumn.of(texts).find(wanted).tolist() == expected


def test_read_only():
    column = TextColumn.of(NAMES)
    with pytest.raises(TypeError):
        column[0] = "x"
    with pytest.raises(TypeError):
        hash(column)


def test_pickled_into_a_process_of_other_hashes():
    column = TextColumn.of(NAMES)
    assert column.find(["é"]).tolist() == [2]
    program = (
        "import pickle, sys; column = pickle.loads(sys.stdin.buffer.read()); "
        "print(column.find(['é', 'x']).tolist(), len(column))"
    )
    found = subprocess.run(
        [sys.executable, "-c", program], input=pickle.dumps(column), stdout=-1, check=True
    )
    assert found.stdout.decode().strip() == f"[2, -1] {len(NAMES)}"
