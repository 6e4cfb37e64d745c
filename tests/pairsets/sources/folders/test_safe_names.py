"""Folder names of identities: what stays, what changes, and that nothing is lost or escapes."""

from __future__ import annotations

import json
import random
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pairsets.errors import SourceError
from pairsets.faces import Faces
from pairsets.sources.folders.safe_names import SafeNames, safe_names

# Bits of names that file systems and tables trip over, so that clashes are common.
BITS = st.sampled_from(
    [
        *"aAbBß./\\%:_ ~-",
        *("ss", "__", "CON", "nul", "COM1", "COM¹", "..", "e\u0301", "é", "É", "ſ", "İ", "ς", "Σ"),
        *("\0", "\n", "\r", '"', ",", "?", "*", "<", "|", "\ud800", "\x85", "橘", "雪" * 40, "%3A"),
        *("\u3000", "\u2028", "\ufeff", "x" * 90, "~780a2352", "\N{GRINNING FACE}"),
    ]
)
NAMES = st.lists(BITS, max_size=6).map("".join) | st.text(
    st.characters(exclude_categories=[]), max_size=12
)


def folder_list(names: SafeNames, given: list[str]) -> list[str]:
    return [names.folder(name) for name in given]


@given(st.lists(NAMES, unique=True, max_size=12))
@settings(max_examples=400)
def test_every_name_has_a_folder_of_its_own_on_any_file_system(given_names):
    folders = folder_list(safe_names(given_names), given_names)
    for form in ("NFC", "NFD"):
        for fold in (str.casefold, str.lower, str.upper):
            if fold is str.upper:  # what NTFS does: one identity for one
                spelt = {
                    "".join(c.upper() if len(c.upper()) == 1 else c for c in f) for f in folders
                }
            else:
                spelt = {
                    unicodedata.normalize(form, fold(unicodedata.normalize(form, f)))
                    for f in folders
                }
            assert len(spelt) == len(given_names)
    for folder in folders:
        assert 0 < len(folder.encode()) <= 255
        assert not set(folder) & set('/\\:<>"|?*\0\n\r\x85')
        assert folder not in (".", "..")
        assert folder[-1] not in ". "
        assert folder[0] != " "
        assert folder.split(".")[0].rstrip(" ").upper() not in {"CON", "NUL", "COM1", "COM¹"}


@given(st.lists(NAMES, unique=True, max_size=12), st.randoms(use_true_random=False))
@settings(max_examples=200)
def test_there_and_back_whatever_the_order(tmp_path_factory, given_names, chance):
    found = safe_names(given_names)
    shuffled = [*given_names, *given_names]
    chance.shuffle(shuffled)
    assert safe_names(shuffled) == found
    path = found.write(tmp_path_factory.mktemp("names") / "names.csv")
    again = SafeNames.read(path)
    assert again == found
    for name in given_names:
        assert again.name(again.folder(name)) == name


@given(st.lists(NAMES, unique=True, max_size=8))
@settings(max_examples=200)
def test_folders_are_safe_names_themselves(given_names):
    folders = folder_list(safe_names(given_names), given_names)
    assert not safe_names(folders).changed


def test_any_file_system_here_takes_them_and_faces_are_found_in_them(tmp_path):
    names = [
        "",
        ".",
        "..",
        "a/b",
        "a__b",
        "CON",
        "con.txt",
        "x.",
        " x",
        "A",
        "a",
        "雪" * 200,
        "-rf",
    ]
    names += ["../../etc/passwd", "/abs", "a\0b", "\ud800", "zoe\u0308", "zo\xeb", ".hoshi", "%"]
    found = safe_names(names)
    for folder in folder_list(found, names):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "1.png").touch()
    assert {found.name(one.name) for one in tmp_path.iterdir()} == set(names)
    assert {found.name(one) for one in Faces.scan(tmp_path).identities} == set(names)


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("asuka_(eva)", "asuka_(eva)"),
        ("saber_(fate/zero)", "saber_(fate__zero)"),
        (".hoshi", ".hoshi"),
        ("100%_orange", "100%_orange"),
        ("leona_of_blood_&_iron", "leona_of_blood_&_iron"),
        ("橘_雪", "橘_雪"),
        ("-zako", "-zako"),
        ("console", "console"),
        ("con", "%63on"),
        ("NUL.tar.gz", "%4EUL.tar.gz"),
        ("COM1 .txt", "%43OM1 .txt"),
        ("..", "%2E%2E"),
        ("s.n.o.w.", "s.n.o.w%2E"),
        ("re:zero 100%", "re%3Azero 100%25"),
        ("tab\there", "tab%09here"),
        ("\ud800", "%ED%A0%80"),
        ("", "%"),
        ("../up", "..__up"),
    ],
)
def test_what_stays_and_what_changes(name, folder):
    assert safe_names([name]).folder(name) == folder


def test_who_keeps_the_folder_that_several_want():
    # What is its own folder goes first, then the least.
    found = safe_names(["a/b", "a__b", "A__B"])
    assert found.folder("A__B") == "A__B"
    assert sorted(found.changed) == ["a/b", "a__b"]
    found = safe_names(["x:1", "x%3A1"])
    assert found.folder("x%3A1") == "x%3A1"
    assert found.folder("x:1").startswith("x%3A1~")


def test_a_digest_that_someone_is_called_is_made_longer():
    plain = safe_names(["Rei", "rei"]).folder("rei")
    found = safe_names(["Rei", "rei", plain])
    assert found.folder(plain) == plain
    assert found.folder("rei").startswith(plain)
    assert len(found.folder("rei")) == len(plain) + 1


def test_names_of_files_beside_the_folders_are_not_given_away():
    found = safe_names(["names.csv", "Names.CSV", "other"], taken=["names.csv"])
    assert not {found.folder(name).lower() for name in found.changed} & {"names.csv"}
    assert sorted(found.changed) == ["Names.CSV", "names.csv"]


def test_long_names_keep_what_fits():
    long, longer = "雪" * 100, "雪" * 101
    found = safe_names([long, longer], longest=120)
    for name in (long, longer):
        folder = found.folder(name)
        assert folder.startswith("雪" * 30)
        assert len(folder.encode()) <= 120
    with pytest.raises(SourceError, match="80 or more"):
        safe_names(["a"], longest=20)


def test_a_name_nobody_asked_for_has_no_folder():
    found = safe_names(["a/b", "fine"])
    assert found.folder("also fine") == "also fine"
    for name in ("..", "c/d", "a__b", ""):
        with pytest.raises(SourceError, match="none of the names"):
            found.folder(name)


def test_a_hundred_thousand_names_in_any_order():
    names = [f"name_{number}" for number in range(50_000)]
    names += [f"Name/{number}" for number in range(50_000)]
    found = safe_names(names)
    random.Random(0).shuffle(names)
    assert safe_names(names) == found
    assert len(found.changed) == 50_000


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "no such file of names"),
        ("identity,folder\nb,a\n", "line 1: expected the header folder,identity"),
        ("folder,identity\na__b\n", "line 2: 1 value, expected folder,identity"),
        ("folder,identity\n../x,y\n", "line 2: '../x' is no safe folder name"),
        ("folder,identity\na__b,a/b\na__b,c/d\n", "'a__b' stands for both"),
        ("folder,identity\na__b,a/b\na__c,a/b\n", "line 3: 'a/b' is listed twice"),
        ('folder,identity\na__b,"""a"\n', "line 2: '\"a' is no name in JSON"),
        ('folder,identity\na__b,"x\n', "not CSV"),
    ],
)
def test_a_file_that_is_none(tmp_path, content, told):
    path = tmp_path / "names.csv"
    if content is not None:
        path.write_text(content, "utf-8")
    with pytest.raises(SourceError) as error:
        SafeNames.read(path)
    assert told in str(error.value)
    assert str(error.value).count(str(path)) == 1


def test_the_published_names_stay_as_the_original_wrote_them(real_data):
    names = list(json.loads((real_data / "zaci20" / "zaci20_test.json").read_text("utf-8")))
    found = safe_names(names)
    assert len(names) == 1003
    assert [found.folder(name) for name in names] == [name.replace("/", "__") for name in names]
