"""JSON in pieces is the same as JSON whole."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pairsets.errors import SourceError
from pairsets.sources.text.json_stream import JsonStream

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=12,
)


def pieces(text, size):
    return (text[start : start + size] for start in range(0, len(text), size))


@given(st.dictionaries(st.text(max_size=4), values, max_size=5), st.integers(1, 9), st.booleans())
def test_an_object(content, size, indented):
    stream = JsonStream(pieces(json.dumps(content, indent=1 if indented else None), size))
    assert {key: stream.value() for key in stream.members()} == content
    stream.end()


@given(st.lists(values, max_size=6), st.integers(1, 9), st.sampled_from([" ", "\n", "\r\n\t"]))
def test_values_one_after_the_other(content, size, space):
    stream = JsonStream(pieces(space.join(map(json.dumps, content)), size))
    found = []
    while stream.peek():
        found.append(stream.value())
    assert found == content


@given(st.lists(values, max_size=6), st.integers(1, 9))
def test_an_array(content, size):
    assert list(JsonStream(pieces(json.dumps(content), size)).elements()) == content


@given(st.integers(1, 40), st.integers(1, 25))
def test_the_line_of_what_is_wrong(line, size):
    text = '{"id": 1}\n' * (line - 1) + '{"id": x}\n' + '{"id": 3}\n' * 9
    stream = JsonStream(pieces(text, size))
    for number in range(1, line):
        assert stream.value() == {"id": 1}
        assert stream.line == number
    with pytest.raises(SourceError, match=f"^line {line}: not JSON: Expecting value"):
        stream.value()
