"""Submissions: what is written can be read, and nothing else can."""

from __future__ import annotations

import hashlib
import json
import os
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pairsets import PairSet
from pairsets.files.submissions import (
    MOST_MANIFEST,
    SubmissionError,
    pairs_digest,
    read_submission,
    submission_files,
    write_submission,
)


@pytest.fixture
def pairs():
    return PairSet.of(
        ["雪 & co/1.jpg", "a/1.jpg", "b, c/1.jpg", 'd "q"/2.jpg', "a/2.jpg"],
        ["雪 & co/2.jpg", "b, c/1.jpg", "a/2.jpg", "a/1.jpg", "雪 & co/1.jpg"],
        [1, 0, 0, 0, 0],
        invalid=[0, 0, 0, 1, 0],
    )


SCORES = [0.1 + 0.2, -1e-300, 3, np.nan, 1e300]


@pytest.fixture
def sent(pairs, tmp_path):
    """A folder with a submission."""
    folder = tmp_path / "sent"
    write_submission(folder / "mine.csv", pairs, SCORES, model="timm:resnet50 | 雪")
    return folder


def edited(sent, **changes):
    path = sent / "mine.json"
    content = json.loads(path.read_text()) | changes
    path.write_text(json.dumps(content))


def refused(sent, pairs, message):
    with pytest.raises(SubmissionError, match=message):
        read_submission(sent, pairs)


def test_written_and_read_again(pairs, tmp_path):
    facts = {
        "fingerprint": "ab12",
        "similarity": "cosine",
        "provenance": {"weights": None, "size": [224, 224]},
        "description": "Two lines,\nand 雪",
        "authors": ["Rei A.", "Ōoka"],
        "url": "https://example.org/a?b=c",
    }
    scores = np.array(SCORES)
    scores.setflags(write=False)
    files = write_submission(tmp_path / "x.csv", pairs, scores, model="mine", **facts)
    assert (
        files == submission_files(tmp_path / "x.csv") == [tmp_path / "x.csv", tmp_path / "x.json"]
    )
    lines = files[0].read_bytes().decode().split("\n")
    assert lines[:3] == [
        "pathA,pathB,score",
        "雪 & co/1.jpg,雪 & co/2.jpg,0.30000000000000004",
        'a/1.jpg,"b, c/1.jpg",-1e-300',
    ]
    for path in (*files, tmp_path):
        found = read_submission(path, pairs)
        assert (found.model, found.fingerprint) == ("mine", "ab12")
        np.testing.assert_array_equal(found.scores, scores)
        assert {name: found.manifest[name] for name in facts} == facts
    assert (found.manifest["pairs"], found.manifest["scored"]) == (5, 4)
    again = write_submission(tmp_path / "y.csv", pairs, scores, model="mine", **facts)
    assert [file.read_bytes() for file in again] == [file.read_bytes() for file in files]


def test_digests_are_those_described(pairs, sent):
    """Anybody can make them without this package."""
    rows = sorted(
        (*sorted([a, b]), score)
        for a, b, score in zip(pairs.path_a, pairs.path_b, SCORES, strict=True)
    )
    named = b"".join(a.encode() + b"\0" + b.encode() + b"\0" for a, b, _ in rows)
    scored = b"".join(
        a.encode() + b"\0" + b.encode() + b"\0" + struct.pack("<d", score)
        for a, b, score in rows
        if score == score
    )
    content = json.loads((sent / "mine.json").read_text())
    assert content["pairs_sha256"] == hashlib.sha256(named).hexdigest() == pairs_digest(pairs)
    assert content["scores_sha256"] == hashlib.sha256(scored).hexdigest()


def test_order_orientation_and_line_ends_change_nothing(pairs, sent):
    table = sent / "mine.csv"
    header, *lines = table.read_text("utf-8").splitlines()
    swapped = '"b, c/1.jpg",a/1.jpg,-1e-300'
    turned = [swapped if line.startswith("a/1") else line for line in lines]
    assert turned != lines
    text = "\r\n".join([header, *turned[::-1], "", ""])
    table.write_bytes("\ufeff".encode() + text.encode())
    np.testing.assert_array_equal(read_submission(sent, pairs).scores, SCORES)
    order = np.array([4, 2, 0, 3, 1])
    shuffled = pairs.take(order)
    other = PairSet.of(shuffled.path_b, shuffled.path_a, shuffled.label, 1, shuffled.invalid)
    np.testing.assert_array_equal(read_submission(sent, other).scores, np.array(SCORES)[order])


def test_labels_may_be_kept_back_and_pairs_marked_later(pairs, sent):
    blind = PairSet.of(pairs.path_a, pairs.path_b, 0, invalid=[1, 0, 0, 1, 0])
    found = read_submission(sent, blind)
    np.testing.assert_array_equal(found.scores, SCORES)
    assert not found.scores.flags.writeable
    # A pair that counts after all has no score.
    whole = PairSet.of(pairs.path_a, pairs.path_b, pairs.label)
    refused(sent, whole, r"mine\.csv: 1 of 5 valid pairs have no score, the first d \"q\"/2")


def test_other_pairs(pairs, sent):
    other = PairSet.of([*pairs.path_a[:3], "z/1"], [*pairs.path_b[:3], "a/1.jpg"], [1, 0, 0, 0])
    refused(
        sent,
        other,
        r"mine\.json: made for another pair set, of 5 pairs where this one has 4: "
        "1 of the 4 pairs scored are not in it, and 1 of its valid pairs are not scored",
    )


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("0.30000000000000004", "0.3", r"mine\.csv: not the scores that mine\.json was written"),
        ("1e+300", "1e+301", "not the scores that"),
        ("1e+300", "1e+999", r"mine\.csv, line 5: score is '1e\+999', expected a finite number"),
        ("1e+300", "nan", "line 5: score is 'nan'"),
        ("1e+300", "", "line 5: score is ''"),
        ("1e+300", "1_0", "line 5: score is '1_0'"),
        ("1e+300", "१", "line 5: score is"),
        ("1e+300", "1,5", "line 5: 4 values, expected 3; is a comma"),
        ("pathA,pathB,score\n", "", r"line 1: column pathA, pathB, score missing; .* got '雪"),
        ("pathA,pathB,score", "pathA,pathB", "line 1: column score missing"),
        ("pathA,pathB,score", "pathA,pathB,score,model", "line 1: expected exactly"),
        ("a/2.jpg,雪 & co/1.jpg", "a/1.jpg,../x", r"line 5: '../x' and 'a/1\.jpg' are no pair"),
        (
            "a/2.jpg,雪 & co/1.jpg",
            '"b, c/1.jpg",a/1.jpg',
            r"line 5: 'a/1\.jpg' and 'b, c/1\.jpg' are scored in line 3 already",
        ),
        ("a/2.jpg,雪 & co/1.jpg,1e+300\n", "", r"1 of 4 valid pairs have no score, .*rows removed"),
        ('"b, c/1.jpg"', '"b, c/1.jpg', r"mine\.csv, line \d: not CSV"),
    ],
)
def test_tables_that_are_refused(pairs, sent, old, new, message):
    table = sent / "mine.csv"
    text = table.read_text("utf-8")
    assert old in text
    table.write_text(text.replace(old, new, 1), "utf-8")
    refused(sent, pairs, message)


def test_tables_that_are_none(pairs, sent):
    table = sent / "mine.csv"
    table.write_bytes(b"pathA,pathB,score\n")
    refused(sent, pairs, "a header and no scores")
    table.write_bytes(b"")
    refused(sent, pairs, "line 1: column pathA, pathB, score missing")
    table.write_bytes(b"\xff\xfe\x00")
    refused(sent, pairs, "not UTF-8 text at byte 0")
    with table.open("wb") as stream:
        stream.truncate(3 * 2**20)
    refused(sent, pairs, r"3,145,728 bytes; scores of 5 pairs need no more than 1,0")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"schema": 2}, "schema 2, expected 1; a newer version wrote it"),
        ({"schema": True}, "schema True, expected 1$"),
        ({"schema": "1"}, "schema '1', expected 1$"),
        ({"kind": "adversarial"}, "not the manifest of a submission"),
        ({"pairs": "5"}, "pairs is '5', expected a number"),
        ({"scored": 3}, "not the scores that"),
        ({"scores_sha256": "0" * 64}, "not the scores that"),
        ({"pairs_sha256": "xyz"}, "pairs_sha256 is 'xyz', expected 64"),
        ({"pairs_sha256": "0" * 64}, "made for another pair set"),
        ({"model": None}, "model is missing"),
        ({"model": ["a"]}, "model: expected text of 1 to 200 characters, got none"),
        ({"model": " "}, "model: expected text"),
        ({"model": "x" * 201}, "got 201 characters"),
        ({"model": "a\nb"}, r"model has the character U\+000A"),
        ({"model": "best\u202egpj"}, r"model has the character U\+202E"),
        ({"model": "a\ud800"}, r"U\+D800"),
        ({"authors": "Rei"}, "authors is no list"),
        ({"authors": ["a\x1b[2J"]}, r"authors has the character U\+001B"),
        ({"authors": ["a"] * 101}, "101 authors"),
        ({"url": "javascript:alert(1)"}, "url is 'javascript"),
        ({"url": "https://a.org\n"}, "url"),
        ({"provenance": [1]}, "provenance is no JSON object"),
    ],
)
def test_manifests_that_are_refused(pairs, sent, changes, message):
    edited(sent, **changes)
    refused(sent, pairs, r"mine\.(json|csv): .*" + message)


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "7", "[" * 100_000, '{"schema": NaN}', "\udcff", "9" * 5000]
)
def test_manifests_that_are_none(pairs, sent, content):
    (sent / "mine.json").write_bytes(content.encode("utf-8", "surrogateescape"))
    refused(sent, pairs, r"mine\.json: (not JSON|not the manifest|not UTF-8|nested too)")


def test_files_that_are_not_there_or_lead_elsewhere(pairs, sent, tmp_path):
    table, manifest = sent / "mine.csv", sent / "mine.json"
    with manifest.open("ab") as stream:
        stream.truncate(MOST_MANIFEST + 1)
    refused(sent, pairs, "larger than 1,048,576 bytes")
    manifest.rename(tmp_path / "away.json")
    refused(table, pairs, r"mine\.json: no such file of manifest; the two files .* side by side")
    refused(sent, pairs, r"0 manifests \(\.json\) in this folder")
    manifest.symlink_to(tmp_path / "away.json")
    refused(sent, pairs, r"mine\.json: a link or no plain file")
    manifest.unlink()
    os.mkfifo(manifest)
    refused(table, pairs, "a link or no plain file")
    manifest.unlink()
    manifest.write_text("{}")
    (sent / "b.json").write_text("{}")
    refused(sent, pairs, "2 manifests .* expected one: b.json, mine.json")
    refused(sent / "c.txt", pairs, r"expected a submission's \.csv or \.json")
    table.unlink()
    refused(manifest, pairs, r"mine\.csv: no such file of scores; the two files")


def test_scores_that_say_nothing(pairs, sent, tmp_path):
    """Constant over the pairs that count; the manifest fits."""
    constant = [1, 1, 1, 2, 1]
    with pytest.raises(SubmissionError, match="all 4 scores are 1"):
        write_submission(tmp_path / "x.csv", pairs, constant, model="m")
    other = PairSet.of(pairs.path_a, pairs.path_b, pairs.label)
    write_submission(tmp_path / "x.csv", other, constant, model="m")
    with pytest.raises(SubmissionError, match=r"x\.csv: all 4 scores are 1"):
        read_submission(tmp_path / "x.csv", pairs)


def test_nothing_is_written_of_what_cannot_be_read(pairs, tmp_path):
    def write(scores=SCORES, name="x.csv", **facts):
        write_submission(tmp_path / name, pairs, scores, **({"model": "m"} | facts))

    with pytest.raises(SubmissionError, match=r"scores of shape \(4,\) for 5 pairs"):
        write(SCORES[:4])
    with pytest.raises(SubmissionError, match=r"1 scores are not finite, the first of pair 3 \(b,"):
        write([1, 2, np.inf, 4, 5])
    with pytest.raises(SubmissionError, match=r"x\.json: expected a name that ends in \.csv"):
        write(name="x.json")
    with pytest.raises(SubmissionError, match="not plain JSON"):
        write(provenance={"a": object()})
    with pytest.raises(SubmissionError, match="not plain JSON"):
        write(provenance={"a": float("nan")})
    with pytest.raises(SubmissionError, match="expected a page"):
        write(provenance={"a": "x" * MOST_MANIFEST})
    with pytest.raises(SubmissionError, match=r"U\+0007"):
        write(description="a\x07")
    with pytest.raises(SubmissionError, match="url is 'example'"):
        write(url="example")
    with pytest.raises(SubmissionError, match="model: expected text"):
        write(model="")
    assert list(tmp_path.iterdir()) == []


def test_an_older_submission_stays_whole_where_writing_fails(pairs, sent, monkeypatch):
    before = {file.name: file.read_bytes() for file in sent.iterdir()}

    def full(*_):
        raise OSError(28, "No space left on device", "x")

    monkeypatch.setattr("pairsets.files.submissions.write_json", full)
    with pytest.raises(OSError, match="No space left"):
        write_submission(sent / "mine.csv", pairs, [5, 4, 3, 2, 1], model="other")
    assert {file.name: file.read_bytes() for file in sent.iterdir()} == before


@given(
    st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=4, max_size=4, unique=True)
)
def test_every_number_comes_back_as_it_was(tmp_path_factory, scores):
    pairs = PairSet.of(["a/1"] * 4, [f"b/{k}" for k in range(4)], 0)
    out = tmp_path_factory.mktemp("sent") / "x.csv"
    write_submission(out, pairs, scores, model="m")
    assert read_submission(out, pairs).scores.tolist() == scores


@pytest.fixture
def rejecting(pairs, tmp_path):
    """A folder with a submission of which a positive and a negative are rejected."""
    folder = tmp_path / "rejecting"
    scores = [-np.inf, 0.5, -np.inf, np.nan, 1.5]
    write_submission(folder / "mine.csv", pairs, scores, model="mine")
    return folder


def test_rejected_pairs_come_back(pairs, rejecting):
    lines = (rejecting / "mine.csv").read_text("utf-8").splitlines()
    assert lines[1] == "雪 & co/1.jpg,雪 & co/2.jpg,"
    assert lines[3] == '"b, c/1.jpg",a/2.jpg,'
    found = read_submission(rejecting, pairs)
    np.testing.assert_array_equal(found.scores, [-np.inf, 0.5, -np.inf, np.nan, 1.5])
    assert (found.manifest["scored"], found.manifest["rejected"]) == (2, 2)
    rows = sorted(
        (*sorted([a, b]), score)
        for a, b, score in zip(pairs.path_a, pairs.path_b, found.scores.tolist(), strict=True)
        if score == score
    )
    digest = hashlib.sha256()
    for a, b, score in rows:
        digest.update(a.encode() + b"\0" + b.encode() + b"\0" + struct.pack("<d", score))
    assert found.manifest["scores_sha256"] == digest.hexdigest()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (",1.5", ",", "not the scores that mine"),
        ("a/2.jpg,\n", "a/2.jpg,-9\n", "not the scores that mine"),
        ("a/2.jpg,\n", "a/2.jpg,-inf\n", "line 4: score is '-inf'"),
        ("a/2.jpg,\n", "a/2.jpg, \n", "line 4: score is ' '"),
    ],
    ids=["one more", "one less", "in words", "a blank"],
)
def test_rejected_pairs_are_counted(pairs, rejecting, old, new, message):
    table = rejecting / "mine.csv"
    text = table.read_text("utf-8")
    assert text.count(old) == 1
    table.write_text(text.replace(old, new), "utf-8")
    refused(rejecting, pairs, message)


@pytest.mark.parametrize("count", [0, 1, True, "2", None], ids=repr)
def test_the_number_of_rejected_pairs_is_one(pairs, rejecting, count):
    edited(rejecting, rejected=count)
    refused(rejecting, pairs, "not the scores that mine" if count == 1 and count is not True else
            "rejected is .*, expected a number of pairs")  # fmt: skip


def test_scores_without_a_difference_are_refused_beside_rejected_ones(pairs, tmp_path):
    scores = [-np.inf, 0.5, 0.5, np.nan, 0.5]
    with pytest.raises(SubmissionError, match=r"all 3 scores are 0\.5"):
        write_submission(tmp_path / "x.csv", pairs, scores, model="m")
