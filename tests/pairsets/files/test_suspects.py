"""Suspects as a table: a column a kind of doubt, written and read back, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pairsets import PairSet, PairSetError
from pairsets.files.suspect_kinds import KINDS
from pairsets.files.suspects import Doubt, Suspects, joined

PAIRS = PairSet.of(
    ["rei, a/1.jpg", "b/1.jpg", "c/1.jpg", "d/1.jpg"],
    ["橘/2.jpg", "b/2.jpg", "rei, a/1.jpg", "b/1.jpg"],
    [0, 1, 0, 0],
)
DUPLICATE = Doubt(
    "duplicate", [0.97, np.nan, 1 / 3, 0.0], [True, False, False, False],
    ("mirrored; at 0.5", "", "", ""),
)  # fmt: skip
CROP = Doubt(
    "crop", [1.0, 0.75, 0.1, np.nan], [True, True, False, False],
    ('橘/2.jpg: "blank", of one colour', "b/1.jpg: tiny", "", ""),
)  # fmt: skip


@pytest.fixture
def suspects():
    """With a pair that was dropped, and the kinds given in another order than columns have."""
    return Suspects.of(PAIRS, [CROP, DUPLICATE], np.array([True, False, False, False]))


def test_a_line_a_pair_and_a_column_a_kind(suspects, tmp_path):
    path = suspects.write(tmp_path / "s.csv")
    assert path.read_bytes().decode().split("\n") == [
        "pathA,pathB,label,suspect,duplicate,crop,dropped,reason",
        '"rei, a/1.jpg",橘/2.jpg,0,duplicate+crop,0.97,1.0,1,"duplicate picture: mirrored; at 0.5; '
        'bad crop: 橘/2.jpg: ""blank"", of one colour"',
        "b/1.jpg,b/2.jpg,1,crop,,0.75,0,bad crop: b/1.jpg: tiny",
        f'c/1.jpg,"rei, a/1.jpg",0,,{1 / 3!r},0.1,0,',
        "d/1.jpg,b/1.jpg,0,,0.0,,0,",
        "",
    ]


def test_reading_gives_back_what_was_written(suspects, tmp_path):
    path = suspects.write(tmp_path / "s.csv")
    text = path.read_text("utf-8")
    path.write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    found = Suspects.read(path)
    for name in ("path_a", "path_b", "label", "dropped", "reasons"):
        assert list(getattr(found, name)) == list(getattr(suspects, name)), name
    assert list(found.scores) == ["duplicate", "crop"]
    for kind in found.scores:
        np.testing.assert_array_equal(found.scores[kind], suspects.scores[kind])
        np.testing.assert_array_equal(found.flags[kind], suspects.flags[kind])
    assert found.write(tmp_path / "again.csv").read_text("utf-8") == text


def test_counts_and_kinds(suspects):
    assert suspects.counts() == {"duplicate": 1, "crop": 2}
    assert suspects.counts(~suspects.dropped) == {"duplicate": 0, "crop": 1}
    assert suspects.flagged.tolist() == [True, True, False, False]
    assert [suspects.kinds(row) for row in range(3)] == [("duplicate", "crop"), ("crop",), ()]
    none = Suspects.of(PAIRS, [])
    assert not none.flagged.any()
    assert none.counts() == {}


def test_suspects_among_the_pairs_of_a_set_whatever_the_order_of_faces(suspects):
    other = PairSet.of(["x/1.jpg", "b/2.jpg", "c/1.jpg"], ["x/2.jpg", "b/1.jpg", "d/1.jpg"], 0)
    assert suspects.among(other) == {1: ("crop", "bad crop: b/1.jpg: tiny")}
    assert list(suspects.among(PAIRS)) == [0, 1]
    assert suspects.among(PAIRS)[0][0] == "duplicate+crop"


def test_doubts_are_joined_and_taken():
    unsaid = Doubt("duplicate", [np.nan] * 2, [False] * 2, ("", ""))
    both = joined([DUPLICATE, unsaid])
    assert both.score[:4].tolist()[2:] == [1 / 3, 0.0]
    assert np.isnan(both.score[4:]).all()
    assert (len(both), both.count) == (6, 1)
    last = both.take(np.array([5, 0]))
    assert last.flagged.tolist() == [False, True]
    assert last.reasons == ("", "mirrored; at 0.5")


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (("twin", [0.1], [False], ("",)), "kind 'twin'; expected one of duplicate, variant"),
        (("crop", [0.1, 0.2], [False], ("",)), r"scores \(2,\), flags \(1,\) and 1 reasons"),
        (("crop", [1.01], [False], ("",)), "crop: a score outside 0 to 1"),
        (("crop", [-0.01], [False], ("",)), "crop: a score outside 0 to 1"),
        (("crop", [0.9], [True], ("",)), "a flag without a reason"),
        (("crop", [0.9], [False], ("blank",)), "a flag without a reason, or the other way"),
    ],
)
def test_a_doubt_that_contradicts_itself(values, told):
    with pytest.raises(ValueError, match=told):
        Doubt(*values)


def test_a_doubt_keeps_its_own_arrays():
    score, flags = np.array([0.5]), np.array([False])
    doubt = Doubt("crop", score, flags, ("",))
    score[0], flags[0] = 2, True
    assert (doubt.score[0], doubt.flagged[0]) == (0.5, False)
    with pytest.raises(ValueError, match="read-only"):
        doubt.score[0] = 1


HEAD = b"pathA,pathB,label,suspect,crop,dropped,reason\n"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "s.csv: no such file of suspects; make it with: lookalikes suspects"),
        ("folder", "s.csv: a folder; expected a file of suspects"),
        (
            b"",
            "s.csv, line 1: ; expected pathA,pathB,label,suspect, columns among duplicate,",
        ),
        (b"pathA,pathB,label\n", "line 1: pathA,pathB,label; expected"),
        (b"pathA,pathB,label,suspect,veto,crop,dropped,reason\n", "line 1: pathA,pathB,label,susp"),
        (b"pathA,pathB,label,suspect,ghost,dropped,reason\n", "line 1: pathA"),
        (HEAD + b"a/1,b/1,0,,0.5,0\n", "line 2: 6 values, expected 7; is a comma in a path not"),
        (HEAD + b"a/1,b/1,2,,0.5,0,\n", "line 2: label is '2', expected 0 or 1"),
        (HEAD + b"a/1,b/1,0,,0.5,yes,\n", "line 2: dropped is 'yes', expected 0 or 1"),
        (HEAD + b"a/1,b/1,0,,high,0,\n", "line 2: crop is 'high', expected a number from 0 to 1"),
        (HEAD + b"\na/1,b/1,0,,1.5,0,\n", "line 3: crop is '1.5', expected a number from 0 to 1"),
        (HEAD + b"a/1,b/1,0,veto,0.5,0,\n", r"line 2: suspect is 'veto'; expected kinds that have"),
        (HEAD + b"a/1,b/1,0,,0_1,0,\n", "line 2: crop is '0_1', expected a number from 0 to 1"),
        (HEAD + b"a/1,b/1,0,crop,0.5,0,\n", "line 2: suspect without a reason, or the other way"),
        (HEAD + b"a/1,b/1,0,,0.5,0,so\n", "line 2: suspect without a reason, or the other way"),
        (HEAD + b'a/1,"b/1,0,,0.5,0,\n', "line 2: not CSV"),
        (b"\xff\xfe", "not UTF-8 text at byte 0; is it a file of suspects?"),
    ],
)
def test_a_file_that_is_not_one_of_suspects(tmp_path, content, told):
    path = tmp_path / "s.csv"
    if content == "folder":
        path.mkdir()
    elif content is not None:
        path.write_bytes(content)
    with pytest.raises(PairSetError) as error:
        Suspects.read(path)
    assert told in str(error.value)
    assert str(error.value).startswith(str(path))


@given(st.data())
def test_any_scores_survive_the_file(tmp_path_factory, data):
    count = data.draw(st.integers(1, 5))
    kinds = data.draw(st.lists(st.sampled_from(list(KINDS)), unique=True))
    pairs = PairSet.of([f"a/{k}" for k in range(count)], [f"b/{k}" for k in range(count)], 0)
    words = st.text(st.sampled_from('a;, ":+$橘\x85\u2028'), min_size=1, max_size=6)
    doubts = []
    for kind in kinds:
        flags = data.draw(st.lists(st.booleans(), min_size=count, max_size=count))
        scores = st.lists(st.floats(0, 1) | st.just(np.nan), min_size=count, max_size=count)
        reasons = tuple(data.draw(words) if flag else "" for flag in flags)
        doubts.append(Doubt(kind, data.draw(scores), flags, reasons))
    suspects = Suspects.of(pairs, doubts)
    found = Suspects.read(suspects.write(tmp_path_factory.mktemp("s") / "s.csv"))
    assert found.reasons == suspects.reasons
    assert list(found.scores) == [kind for kind in KINDS if kind in kinds]
    for kind in kinds:
        np.testing.assert_array_equal(found.scores[kind], suspects.scores[kind])
        np.testing.assert_array_equal(found.flags[kind], suspects.flags[kind])
