"""Files of pairs that were seen already: any CSV with the two columns, and what is refused."""

from __future__ import annotations

import pytest

from pairsets import Exclusions, PairSet, PairSetError


def test_any_csv_with_the_two_columns(tmp_path):
    path = tmp_path / "judged.csv"
    path.write_bytes(
        b'\xef\xbb\xbfwho,pathB,note,pathA\r\nann,b/1,"same, I think",a/1\r\n\r\nbob,a/1,,b/1\r\n'
    )
    found = Exclusions.read(path)
    assert (found.path_a.tolist(), found.path_b.tolist()) == (["a/1", "b/1"], ["b/1", "a/1"])
    assert len(found) == 2
    path.write_text("pathA,pathB\n")
    assert len(Exclusions.read(path)) == 0


def test_a_five_column_pair_set(tmp_path):
    pairs = PairSet.of(["a/1", "b/1"], ["a/2", "c/1"], [1, 0], [1, -1], [0, 1])
    found = Exclusions.read(pairs.write(tmp_path / "pairs.csv"))
    assert found.path_a.tolist() == pairs.path_a.tolist()
    assert found.path_b.tolist() == pairs.path_b.tolist()


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "x.csv: no such file of pairs to exclude"),
        ("folder", "x.csv: a folder; expected a file of pairs to exclude"),
        (b"", "x.csv: empty; expected a header with pathA and pathB"),
        (b"\n", "x.csv: empty; expected a header"),
        (
            b"a/1,b/1\n",
            "x.csv, line 1: column pathA, pathB missing; expected pathA and pathB among the "
            r"columns, got a/1,b/1; is the header line missing\?",
        ),
        (b"pathA,score\na/1,0.5\n", "line 1: column pathB missing; .* got pathA,score"),
        (b"pathA,pathB\na/1,b/1\na/1\n", "x.csv, line 3: 1 values, expected 2$"),
        (b"pathA,pathB\na,/1,b/1\n", r"line 2: 3 values, expected 2; is a comma .* not quoted\?"),
        (b"pathA,pathB\na/1,\n", "line 2: an empty path; expected two"),
        (b'pathA,pathB\n"a/1,b/1\n', r"x.csv, line 2: not CSV \(unexpected end of data\)"),
        (b"pathA,pathB\n\xe9/1,b/1\n", r"x.csv: not UTF-8 text at byte 12; is it a file of pairs"),
    ],
)
def test_files_that_are_refused(tmp_path, content, told):
    path = tmp_path / "x.csv"
    if content == "folder":
        path.mkdir()
    elif content is not None:
        path.write_bytes(content)
    with pytest.raises(PairSetError, match=told):
        Exclusions.read(path)
