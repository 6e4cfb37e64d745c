"""The five-column file: the published ones byte for byte, and everything that is not one."""

from __future__ import annotations

import json
import os
import re
from threading import Thread

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pairsets import PairSet, PairSetError, human_rates
from pairsets.storage.artefacts import atomic_write

HEADER = "pathA,pathB,label,human_prediction,invalid\n"
PUBLISHED = ["zaci20_test_pairs.csv", "zaci20_test_pairs_adversarial.csv"]


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_files_keep_their_bytes(real_data, tmp_path, name):
    source = real_data / "zaci20" / name
    PairSet.read(source).write(tmp_path / name)
    assert (tmp_path / name).read_bytes() == source.read_bytes()


@pytest.mark.parametrize(
    ("name", "rows", "invalid", "positives", "negatives", "fnr", "fpr"),
    [
        (PUBLISHED[0], 1799, 0, 855, 944, 0.13918, 0.01589),
        (PUBLISHED[1], 3855, 12, 852, 2991, 0.16901, 0.13607),
    ],
)
def test_published_human_rows(real_data, name, rows, invalid, positives, negatives, fnr, fpr):
    pairs = PairSet.read(real_data / "zaci20" / name)
    human = human_rates(pairs)
    assert len(pairs) == rows
    assert int((~pairs.valid).sum()) == invalid
    assert (human.positives, human.negatives, human.unjudged) == (positives, negatives, 0)
    assert human.fnr == pytest.approx(fnr, abs=5e-6)
    assert human.fpr == pytest.approx(fpr, abs=5e-6)


def original_reader(path):
    """What ZACI-20's scripts do with a pair file: exactly five values a row."""
    frame = pd.read_csv(path)
    frame = frame[frame["invalid"] == 0]
    return [
        (path_a, path_b, label, prediction, invalid)
        for path_a, path_b, label, prediction, invalid in frame.values
    ]


names = st.text(
    st.characters(blacklist_categories=["Cs", "Cc"], blacklist_characters="/\\"), min_size=1
).filter(lambda name: name not in (".", "..") and not re.match("[A-Za-z]:", name))


@given(st.lists(st.tuples(names, names), min_size=1, max_size=8, unique_by=frozenset))
def test_any_path_survives_and_the_original_reads_it(tmp_path_factory, pairs):
    pairs = [(f"a/{x}", f"b/{y}") for x, y in pairs]
    path = tmp_path_factory.mktemp("pairs") / "pairs.csv"
    written = PairSet.of([a for a, _ in pairs], [b for _, b in pairs], 0)
    written.write(path)
    assert PairSet.read(path) == written
    assert original_reader(path) == [(a, b, 0, -1, 0) for a, b in pairs]


@pytest.mark.parametrize("name", ["\r", "\r\n", "x\ry", '"\r"', ",\r,", "\n", "x\r\ny\r"])
def test_a_path_with_a_line_end_comes_back(tmp_path, name):
    paths = ["a/1", f"a/{name}", "b/é"]
    written = PairSet.of(paths, [f"c/{path}" for path in paths], 0)
    content = written.write(tmp_path / "x.csv").read_bytes()
    assert PairSet.read(tmp_path / "x.csv") == written
    # Rows without one stand as ever.
    assert content.startswith(f"{HEADER}a/1,c/a/1,0,-1,0\n".encode())
    assert content.endswith("\nb/é,c/b/é,0,-1,0\n".encode())


def test_many_pairs(tmp_path):
    """More rows than are read or written at a time, with a fault in the last."""
    path, count = tmp_path / "x.csv", 40_000
    faces = [f"c{at % 999}/é {at}.jpg" for at in range(count)]
    written = PairSet.of(
        faces, faces[1:] + faces[:1], *(np.arange(count) % 2, np.arange(count) % 3 - 1)
    )
    written.write(path)
    assert PairSet.read(path) == written
    with path.open("a", encoding="utf-8") as stream:
        stream.write(f"\n{faces[1]},{faces[0]},1,-1,0\n")
    with pytest.raises(PairSetError, match=r"x.csv, line 40003: .* are already pair 1$"):
        PairSet.read(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_is_read_once(tmp_path):
    path = tmp_path / "x"
    os.mkfifo(path)
    for text, told in ((f"{HEADER}a/1,b/2,0,-1,0\n", None), (f"{HEADER}a/1\n", "line 2: 1 val")):
        writer = Thread(target=path.write_text, args=(text,), daemon=True)
        writer.start()
        if told is None:
            assert PairSet.read(path) == PairSet.of(["a/1"], ["b/2"], 0)
        else:
            with pytest.raises(PairSetError, match=told):
                PairSet.read(path)
        writer.join()


def test_manifest_beside_the_file(tmp_path):
    PairSet.of(["a/1"], ["b/2"], [0]).write(tmp_path / "x.csv", {"seed": 3})
    content = json.loads((tmp_path / "x.json").read_text())
    assert content.pop("files").keys() == {"x.csv"}
    assert len(content.pop("rows_sha256")) == 64
    assert content == {"seed": 3}
    assert (tmp_path / "x.csv").read_text() == HEADER + "a/1,b/2,0,-1,0\n"


def test_bom_crlf_and_quotes(tmp_path):
    path = tmp_path / "excel.csv"
    text = HEADER + '"a/1, 2.jpg",b/3.jpg,1,-1,0\n\n"c/""q"".jpg",d/4.jpg,0,1,1\n'
    path.write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    pairs = PairSet.read(path)
    assert pairs.path_a.tolist() == ["a/1, 2.jpg", 'c/"q".jpg']
    assert pairs.label.tolist() == [1, 0]
    assert pairs.human_prediction.tolist() == [-1, 1]
    assert pairs.valid.tolist() == [True, False]


@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["lf", "crlf"])
def test_three_columns_are_pairs_that_nobody_judged(tmp_path, end):
    path = tmp_path / "pairs.csv"
    path.write_bytes(
        b"\xef\xbb\xbf" + f'pathA,pathB,label{end}"a, b/1",b/2,1{end}c/1,d/2,0{end}'.encode()
    )
    pairs = PairSet.read(path)
    assert pairs == PairSet.of(["a, b/1", "c/1"], ["b/2", "d/2"], [1, 0], -1, 0)
    # What is written has all five, as the original reader wants them.
    pairs.write(path)
    assert path.read_text() == HEADER + '"a, b/1",b/2,1,-1,0\nc/1,d/2,0,-1,0\n'


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a/1.jpg b/2.jpg 0\n", r"it looks like trials .* convert '.*a b\.txt' --out NEW\.csv"),
        ("2\t1\nA\t1\t2\n", "it looks like lfw .* lookalikes convert"),
        ("img1,img2,same\na/1.jpg,b/2.jpg,0\n", "it looks like table .* lookalikes convert"),
        ("1 2 0\n", r"ijb .* or indices .* --from-format ijb\|indices --out"),
        ("1,2\n", "two numbers a line and no label"),
        ("what,ever\n", "column pathA, .* missing; expected exactly"),
    ],
    ids=["trials", "lfw", "table", "numbers", "matches", "unknown"],
)
def test_a_file_of_another_form_is_called_by_its_name(tmp_path, text, told):
    path = tmp_path / "a b.txt"
    path.write_text(text)
    with pytest.raises(PairSetError, match=f"(?s)^{re.escape(str(path.parent))}.*{told}"):
        PairSet.read(path)


GOOD = "a/1,b/2,0,-1,0\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty; expected the header"),
        (HEADER, "a header and no pairs"),
        ("a/1,b/2,0,-1,0\n", "line 1: column pathA, .* is the header line missing"),
        (HEADER.replace(",", ";") + "a/1;b/2;0;-1;0\n", "line 1: .*'.' stands between its columns"),
        ("pathA,label\na/1,0\n", "line 1: column pathB, human_prediction, invalid missing"),
        ("pathA,pathB,label,invalid\na/1,b/2,0,0\n", "line 1: column human_prediction missing"),
        ("pathA,pathB,label\na/1,b/2,0,-1,0\n", "line 2: 5 values, expected 3; is a comma"),
        ("pathA,pathB,label\na/1,b/2,2\n", "line 2: label is '2', expected 0 or 1"),
        (HEADER.strip() + ",note\n", "line 1: column 'note' too many"),
        ("pathB,pathA,label,human_prediction,invalid\n", "in that order"),
        (HEADER + GOOD + "a/1,b/3,2,-1,0\n", "line 3: label is '2', expected 0 or 1"),
        (HEADER + "a/1,b/3,,-1,0\n", "line 2: label is '', expected 0 or 1"),
        (HEADER + "a/1,b/3,0,5,0\n", "line 2: human_prediction is '5', expected 0 or 1 or -1"),
        (HEADER + "a/1,b/3,0,1,yes\n", "line 2: invalid is 'yes'"),
        (HEADER + GOOD + "\n\na/1,b/3,0,1\n", "line 5: 4 values, expected 5"),
        (HEADER + "a/1, 2.jpg,b/3,0,1,0\n", "6 values, expected 5; is a comma in a path not"),
        (HEADER + GOOD + "b/2,a/1,1,-1,0\n", "line 3: 'b/2' and 'a/1' are already pair 1"),
        (HEADER + GOOD + "c/3,c/3,1,-1,0\n", "line 3: 'c/3' is paired with itself"),
        (HEADER + GOOD + "../x,c/3,1,-1,0\n", r"line 3: path '\.\./x' leaves its folder"),
        (HEADER + GOOD + "c/3,/etc/passwd,1,-1,0\n", "line 3: path '/etc/passwd' is absolute"),
        (HEADER + 'a/1,"b/2,0,-1,0\n', "not CSV"),
    ],
)
def test_files_that_are_refused(tmp_path, text, message):
    path = tmp_path / "pairs.csv"
    path.write_text(text)
    with pytest.raises(PairSetError, match=f"^{re.escape(str(path))}.*{message}"):
        PairSet.read(path)


def test_lines_behind_quoted_line_breaks(tmp_path):
    path = tmp_path / "pairs.csv"
    path.write_text(HEADER + '"a/x\ny",b/2,0,-1,0\n"c/z\n",d/4,7,-1,0\n')
    with pytest.raises(PairSetError, match="line 4: label"):
        PairSet.read(path)


def test_not_a_text_file(tmp_path):
    (tmp_path / "x.csv").write_bytes(HEADER.encode() + b"caf\xe9/1,b/2,0,-1,0\n")
    with pytest.raises(PairSetError, match=f"not UTF-8 text at byte {len(HEADER) + 3}"):
        PairSet.read(tmp_path / "x.csv")
    with pytest.raises(PairSetError, match="no such pair file"):
        PairSet.read(tmp_path / "y.csv")
    with pytest.raises(PairSetError, match="a folder"):
        PairSet.read(tmp_path)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ((["a/1"], ["b/2"], [3]), "pair 1: label is 3"),
        ((["a/1"], ["b/2"], [0], [-2]), "pair 1: human_prediction is -2"),
        ((["a/1"], ["b/2"], [0], -1, [2]), "pair 1: invalid is 2"),
        ((["a/1"], ["b/2"], [0, 1]), r"label has shape \(2,\), expected \(1,\)"),
        ((["a/1", "c/1"], ["b/2"], 0), "2 paths A for 1 paths B"),
        ((["a/1", "b/2"], ["b/2", "a/1"], 0), "pair 2: .* already pair 1"),
        ((["a/1"], [7], 0), "pair 1: path 7 is not text"),
    ],
)
def test_pair_sets_that_are_refused(columns, message):
    with pytest.raises(PairSetError, match=message):
        PairSet.of(*columns)


def test_arrays_are_read_only_copies():
    labels = np.array([1, 0], np.int8)
    pairs = PairSet.of(["a/1", "a/1"], ["a/2", "b/3"], labels)
    labels[0] = 0
    assert pairs.label.tolist() == [1, 0]
    with pytest.raises(ValueError, match="read-only"):
        pairs.label[0] = 0
    assert pairs.take(pairs.label == 0).path_b.tolist() == ["b/3"]
    assert pairs.names(1) == ("a", "b")
    assert pairs.paths == ["a/1", "a/2", "b/3"]


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = PairSet.of(["a/1"], ["b/2"], [0]).write(tmp_path / "x.csv")
    before = path.read_bytes()

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"), atomic_write(path) as stream:
        stream.write(b"half")
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["x.csv"]
