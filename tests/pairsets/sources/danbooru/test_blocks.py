"""Lines of metadata, judged many at a time."""

from __future__ import annotations

import json

import numpy as np
from support.danbooru import newer, post

from pairsets.sources.danbooru.blocks import SHOWN, Block, read_block
from pairsets.sources.danbooru.posts import DELETED, KEPT, NOBODY, Rule

REI = "綾波_レイ"


def as_lines(*posts):
    return b"".join(
        one if isinstance(one, bytes) else json.dumps(one, ensure_ascii=False).encode() + b"\n"
        for one in posts
    )


def test_posts_in_their_order():
    data = as_lines(
        post(5, REI), post(3), newer(9, "a\u2028b", is_deleted=1), newer(5, REI), b" \r\n"
    )
    found = read_block(data, Rule())
    assert found.ids.tolist() == [5, 3, 9, 5]
    assert found.names == (REI, REI)
    assert found.marks[[1, 2]].tolist() == [NOBODY, DELETED]
    assert found.marks[0] == found.marks[3] >= KEPT
    assert (found.lines, found.strays, found.shown) == (5, 0, ())


def test_a_mark_tells_names_apart():
    found = read_block(as_lines(*(post(at, f"name {at}") for at in range(500))), Rule())
    assert len(set(found.marks.tolist())) == 500
    assert (found.marks >= KEPT).all()


def test_what_is_no_post_is_counted_with_its_line():
    deep = b"[" * 100_000 + b"\n"
    strays = [
        b'{"id": 5, "tags": [\n',
        b"\xff\xfe{}\n",
        b"[1]\n",
        deep,
        b'{"id": 2147483648}\n',
        b'{"name": "solo"}\n',
        b"null\n",
        b'{"id": ' + b"9" * 5000 + b"}\n",
        b'"text"\r\n',
    ]
    found = read_block(as_lines(post(1, REI), *strays, b"\n", post(2, REI))[:-1], Rule())
    assert (found.lines, found.strays) == (len(strays) + 3, len(strays))
    assert found.ids.tolist() == [1, 2]
    assert [line for line, _ in found.shown] == list(range(2, 2 + SHOWN))
    assert found.shown[0][1] == 'not the JSON object of a post: {"id": 5, "tags": ['
    assert "id 2147483648, expected a number below 2^31" in found.shown[4][1]


def test_it_survives_a_pipe():
    for data in (b"", b"\n", as_lines(post(1, REI), b"x\n", post(2**31 - 1), newer(4, '"\\\n'))):
        found = read_block(data, Rule())
        back = Block.from_bytes(found.to_bytes())
        np.testing.assert_array_equal(back.ids, found.ids)
        np.testing.assert_array_equal(back.marks, found.marks)
        assert (back.lines, back.names, back.strays) == (found.lines, found.names, found.strays)
        assert back.shown == found.shown
