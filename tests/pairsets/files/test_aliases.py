"""Files of names that are one identity's: what they say, and what is refused."""

from __future__ import annotations

import pytest

from pairsets.errors import PairSetError
from pairsets.files.aliases import Aliases


def test_both_orders_and_by_way_of_others():
    aliases = Aliases.of([("a", "b"), ("c", "d"), ("b", "e"), ("f", "d")])
    one, other = "abe", "cdf"
    for group in (one, other):
        assert all(aliases.same(x, y) for x in group for y in group)
    assert not any(aliases.same(x, y) or aliases.same(y, x) for x in one for y in other)


def test_long_chains_listed_backwards():
    names = [f"name {number}" for number in range(3000)]
    aliases = Aliases.of(zip(names[1:], names, strict=False))
    assert aliases.same(names[0], names[-1])
    assert len(aliases) == 3000


def test_names_that_nobody_listed_are_no_error():
    aliases = Aliases.of([("rei", "ayanami_rei")])
    assert not aliases.same("rei", "asuka")
    # Not even of itself: two pictures of an unlisted name are its caller's business.
    assert not aliases.same("asuka", "asuka")
    assert not Aliases().same("rei", "rei")
    assert aliases.unknown(["rei", "asuka"]) == ["ayanami_rei"]
    assert aliases.unknown(["ayanami_rei", "rei"]) == []


def test_a_slash_is_two_underscores_and_letters_have_one_form():
    aliases = Aliases.of([("saber_(fate/zero)", "altria"), ("zoe\u0308", "Z")])
    assert aliases.same("saber_(fate__zero)", "altria")
    assert aliases.same("saber_(fate/zero)", "altria")
    assert aliases.same("zo\xeb", "Z")
    # Upper and lower case are two names, as for a file system that tells them apart.
    assert not aliases.same("zo\xeb", "z")


def test_a_file_from_a_spreadsheet(tmp_path):
    path = tmp_path / "aliases.csv"
    path.write_bytes(
        b"\xef\xbb\xbfidentity,alias\r\n"
        b'"smith, john","the ""boss"""\r\n\r\n\xe7\xb6\xbe\xe6\xb3\xa2,ayanami_rei\r\n'
    )
    aliases = Aliases.read(path)
    assert aliases.same("smith, john", 'the "boss"')
    assert aliases.same("綾波", "ayanami_rei")
    assert len(aliases) == 4


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "x.csv: no such file of aliases"),
        ("folder", "x.csv: a folder; expected a file of aliases"),
        (b"", "x.csv: empty; expected the header identity,alias"),
        (
            b"rei,ayanami_rei\n",
            r"x.csv, line 1: expected the header identity,alias, got rei,ayanami_rei; is the",
        ),
        (b"identity,alias\n", "x.csv: a header and no aliases; expected rows such as rei,ayan"),
        (b"identity,alias\r\n\r\n", "x.csv: a header and no aliases"),
        (b"alias,identity\na,b\n", "line 1: expected the header .* got alias,identity"),
        (b"identity,alias\na,b\nc\n", "x.csv, line 3: 1 value, expected identity,alias$"),
        (b"identity,alias\na,b,c\n", r"line 2: 3 values, .*; is a comma in one not quoted\?"),
        (b"identity,alias\na, \n", "line 2: an empty name; expected two"),
        (b'identity,alias\n"a,b\n', r"x.csv, line 2: not CSV \(unexpected end of data\)"),
        (b"identity,alias\n\xe9,b\n", "x.csv: not UTF-8 text at byte 15; is it a file of aliases"),
    ],
)
def test_files_that_are_refused(tmp_path, content, told):
    path = tmp_path / "x.csv"
    if content == "folder":
        path.mkdir()
    elif content is not None:
        path.write_bytes(content)
    with pytest.raises(PairSetError, match=told):
        Aliases.read(path)
