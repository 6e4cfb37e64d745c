import csv
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pairsets.storage.spreadsheets import copies_of, guarded, tables_of, write_copies

SIGNS = "=+-@＝＋－＠"
CELLS = st.text(st.sampled_from([*SIGNS, *"'\"; \t\r\n,.e", "a", "5", "橘"]), max_size=8)


def unguarded(cell):
    """What the cell was: without each quote that was put in."""
    return re.sub(r"(^|[;\t\r\n])'", r"\1", cell)


def is_number(cell):
    try:
        float(cell)
    except ValueError:
        return False
    return True


@given(CELLS)
def test_no_cell_is_a_formula_and_none_is_lost(cell):
    shown = guarded(cell)
    if shown != cell or not is_number(cell):
        # However a spreadsheet splits it, and whatever blanks it leaves out.
        for part in re.split(r"[;\t\r\n]", shown):
            assert part.strip()[:1] not in {*SIGNS}
        assert shown[:1] not in {"\t", "\r", "\n"}
        assert unguarded(shown) == cell


@pytest.mark.parametrize(
    ("cell", "shown"),
    [
        ("=HYPERLINK(1)", "'=HYPERLINK(1)"),
        ("@rei", "'@rei"),
        ("+a/1.png", "'+a/1.png"),
        ("-a", "'-a"),
        ("\t=1", "'\t'=1"),
        ("＝1", "'＝1"),
        ("  =1", "'  =1"),
        ("a;=1", "a;'=1"),
        ("-2+3", "'-2+3"),
        ("-inf", "'-inf"),
        ("-٣", "'-٣"),
        *((same, same) for same in ("", "-0.5", "+3", "-1e-07", "-.5", "a=b", "rei (eva)", "a-b")),
    ],
)
def test_guarded(cell, shown):
    assert guarded(cell) == shown


def test_a_copy_has_every_row_and_numbers_stay_numbers(tmp_path):
    table = tmp_path / "all.v2.csv"
    rows = [["model", "fpr"], ["=a", "-0.5"], ['b "c", d', ""], ["e\r\nf", "1e-3"], ["'g", "nan"]]
    with table.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream, lineterminator="\n").writerows(rows)
    before = table.read_bytes()
    (copy,) = write_copies([table])
    assert copy == tmp_path / "all.v2.spreadsheet.csv"
    assert [copy] == copies_of([table])
    assert table.read_bytes() == before
    assert copy.read_bytes() == (
        b'"\'model","fpr"\n"\'=a",-0.5\n"b ""c"", d",\n"e\r\nf",1e-3\n"\'\'g","nan"\n'
    )
    with copy.open(encoding="utf-8", newline="") as stream:
        read = list(csv.reader(stream, strict=True))
    assert [[unguarded(cell) for cell in row] for row in read] == rows


def test_tables_are_told_by_their_ending(tmp_path):
    files = [tmp_path / name for name in ("a.csv", "a.md", "a.json", "b.csv")]
    assert [path.name for path in tables_of(files)] == ["a.csv", "b.csv"]
