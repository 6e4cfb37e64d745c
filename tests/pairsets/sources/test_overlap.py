"""Names and posts that are in two collections alike."""

from __future__ import annotations

import csv
import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pairsets import FacesError
from pairsets.errors import SourceError
from pairsets.files.aliases import Aliases
from pairsets.sources.dataset import Dataset
from pairsets.sources.folders.safe_names import safe_names
from pairsets.sources.overlap import (
    KINDS,
    Collection,
    Shared,
    counts_of,
    ordered,
    shared_identities,
    shared_posts,
    why_no_posts,
    write_shared,
)

ALIASES = Aliases.of([("rei", "ayanami_rei"), ("saber_(fate/zero)", "artoria")])


def naive(train, test, aliases):
    """Every two names by the strictest rule that makes one of them, in a double loop."""
    found = {}
    for one in train:
        for other in test:
            slashed = [name.replace("/", "__") for name in (one, other)]
            composed = [unicodedata.normalize("NFC", name).strip() for name in slashed]
            levelled = [unicodedata.normalize("NFKC", n.lower()).lower() for n in composed]
            if one == other:
                found[one, other] = "the same name"
            elif slashed[0] == slashed[1]:
                found[one, other] = "the same name, with / written as __"
            elif composed[0] == composed[1]:
                found[one, other] = "the same name in another Unicode form"
            elif levelled[0] == levelled[1]:
                found[one, other] = "the same name in another case or width"
            elif aliases is not None and aliases.same(one, other):
                found[one, other] = "names of one identity by the aliases"
    return found


NAMES = st.one_of(
    st.sampled_from([
        "rei", "Rei", "ayanami_rei", "ayanami__rei", "ｒｅｉ",
        "É", "E\u0301", "é", "weiss", "weiß", "",
        "saber_(fate/zero)", "saber_(fate__zero)", "artoria", "Artoria", "a//b", "a____b", "a__/b",
    ]),
    st.text("aA/_É\u0301", max_size=4),
)  # fmt: skip


@given(st.lists(NAMES, max_size=12), st.lists(NAMES, max_size=12), st.booleans())
def test_equals_the_double_loop(train, test, known):
    aliases = ALIASES if known else None
    found = shared_identities(train, test, aliases)
    assert {(one.train, one.test): one.why for one in found} == naive(train, test, aliases)
    assert len({(one.train, one.test) for one in found}) == len(found)


def test_names_that_are_not_one():
    assert shared_identities(["weiß", "rei_", "asuka"], ["weiss", "rei", "asuka_langley"]) == []


def write_dataset(path, **faces):
    box = [0, 0, 9, 9]
    Dataset.of({name: [(picture, box) for picture in ids] for name, ids in faces.items()}).write(
        path
    )
    return Collection.read(path)


def write_faces(root, *paths):
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(b"x")
    return Collection.read(root)


def test_posts_of_two_datasets(tmp_path):
    train = write_dataset(tmp_path / "a.json", rei=[7, 8], asuka=[3131051], misato=["01/9.jpg"])
    test = write_dataset(tmp_path / "b.json", shinji=[8], rei=[3131051, 12], kaji=["01/9.jpg"])
    found = {(one.train, one.test) for one in shared_posts(train, test)}
    assert found == {("8", "8"), ("3131051", "3131051"), ("01/9.jpg", "01/9.jpg")}


def test_a_post_is_known_by_the_name_of_its_crop(tmp_path):
    train = write_faces(tmp_path / "crops", "rei/3131051.jpg", "asuka/12.jpg", "橘_雪/908812.png")
    test = write_dataset(tmp_path / "b.json", shinji=[12, 14], kaworu=[908812])
    found = [(one.train, one.test) for one in shared_posts(train, test)]
    assert sorted(found) == [("asuka/12.jpg", "12"), ("橘_雪/908812.png", "908812")]
    again = [(one.train, one.test) for one in shared_posts(test, train)]
    assert sorted(again) == sorted((b, a) for a, b in found)


@pytest.mark.parametrize(
    ("paths", "why"),
    [
        (["rei/1.jpg", "asuka/1.jpg"], "a number comes twice, as in 'asuka/1.jpg'"),
        (["rei/000007.jpg", "asuka/12.jpg"], "not all are plain numbers, as 'rei/000007.jpg' is"),
        (["rei/a7.jpg", "asuka/12.jpg"], "not all are plain numbers, as 'rei/a7.jpg' is"),
        (["rei/٧.jpg"], "not all are plain numbers"),
        ([f"rei/{n}.png" for n in range(5, 25)], "they go on by one"),
        ([f"rei/{n}.png" for n in range(5, 45, 2)], "they go on by one"),
        ([f"rei/{n}.png" for n in range(5, 65, 3)], ""),
        (["rei/0.jpg", "asuka/3131051.jpg"], ""),
    ],
)
def test_which_names_of_files_are_numbers_of_posts(tmp_path, paths, why):
    assert why_no_posts(paths).startswith(why)
    assert bool(why_no_posts(paths)) == bool(why)
    test = write_dataset(tmp_path / "b.json", x=[1, 7, 12, 20])
    train = write_faces(tmp_path / "faces", *paths)
    numbers = {int(path.rpartition("/")[2].partition(".")[0]) for path in paths if not why}
    assert {int(one.test) for one in shared_posts(train, test)} == numbers & {1, 7, 12, 20}


def test_a_number_of_thousands_of_digits_is_no_post(tmp_path):
    train = write_dataset(tmp_path / "a.json", rei=[f"{'9' * 5000}.jpg"])
    assert "not all are plain numbers" in train.posts[1]


def test_folders_of_crops_keep_their_identities_names(tmp_path):
    names = safe_names(["Rei", "rei", "saber_(fate/zero)", "what?"])
    folders = [names.folder(name) for name in ("Rei", "rei", "saber_(fate/zero)", "what?")]
    root = tmp_path / "crops"
    for at, folder in enumerate(folders):
        write_faces(root, f"{folder}/{at}.jpg")
    assert Collection.read(root).identities == tuple(sorted(folders))
    names.write(root / "names.csv")
    assert Collection.read(root).identities == ("Rei", "rei", "saber_(fate/zero)", "what?")
    # Somebody's own file of that name says nothing.
    (root / "names.csv").write_text("first,last\nrei,ayanami\n")
    assert Collection.read(root).identities == tuple(sorted(folders))
    # Ours, damaged, would hide who is who.
    (root / "names.csv").write_text("folder,identity\nrei\n")
    with pytest.raises(SourceError, match=r"names\.csv, line 2: 1 value,"):
        Collection.read(root)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("names.txt", "\ufeffrei\r\n\r\nasuka_(a, b)\r\n"),
        ("names.csv", 'rei\n"asuka_(a, b)"\n'),
        ("names.csv", 'path,identity\nx.jpg,rei\ny.jpg,"asuka_(a, b)"\nz.jpg,rei\n'),
        ("names.csv", 'path,character\nx.jpg,rei\ny.jpg,"asuka_(a, b)"\nz.jpg,rei\n'),
        ("names.csv", 'character,identity\nx,rei\ny,"asuka_(a, b)"\n'),
    ],
)
def test_lists_of_identities(tmp_path, name, text):
    (tmp_path / name).write_bytes(text.encode())
    found = Collection.read(tmp_path / name)
    assert (found.identities, found.pictures) == (("asuka_(a, b)", "rei"), ())


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("nothing.txt", b"\n \n", "no names in it"),
        ("a.csv", b"rei,1\n", "line 1: 2 values, expected one name; is a comma"),
        ("a.csv", b"identity,n\nrei,1\nasuka\n", "line 3: 1 values, expected 2, as line 1 has"),
        ("a.csv", b'"rei\n', "not CSV"),
        ("a.txt", b'{"rei": []}', "looks like JSON; a dataset's name ends in .json"),
        ("a.json", b"[]", "expected"),
    ],
)
def test_sides_that_are_refused(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SourceError, match=message):
        Collection.read(tmp_path / name)
    with pytest.raises(SourceError, match="no such folder of faces, dataset"):
        Collection.read(tmp_path / "nowhere")
    (tmp_path / "latin.txt").write_bytes(b"\xff")
    with pytest.raises(FacesError, match="not UTF-8"):
        Collection.read(tmp_path / "latin.txt")


def test_the_file_and_the_counts(tmp_path):
    found = [
        Shared("picture", "b/2", "a/1", "the same picture, mirrored", 2 / 3),
        Shared("identity", "rei, x", "rei, x", "the same name"),
        Shared("picture", "b/1", "a/1", "the same picture", 0.75),
        Shared("post", "7", "7", "the same post"),
    ]
    path = write_shared(found, tmp_path / "out.csv")
    assert path.read_text() == (
        "kind,train,test,why,score\n"
        'identity,"rei, x","rei, x",the same name,1.0000\n'
        "post,7,7,the same post,1.0000\n"
        "picture,b/1,a/1,the same picture,0.7500\n"
        'picture,b/2,a/1,"the same picture, mirrored",0.6667\n'
    )
    assert [one.kind for one in ordered(found)] == ["identity", "post", "picture", "picture"]
    counts = counts_of(found)
    assert list(counts) == list(KINDS)
    # One picture of the test set is in training twice.
    assert [counts[kind] for kind in ("identity", "post", "file", "picture")] == [1, 1, 0, 1]


def test_the_original_test_set_in_two_halves(real_data, tmp_path):
    """No identity of ZACI-20's test set has two names, but two posts show two identities."""
    content = json.loads((real_data / "zaci20" / "zaci20_test.json").read_text())
    names = sorted(content)
    sides, ids = [], []
    for at in range(2):
        half = {name: content[name] for name in names[at::2]}
        (tmp_path / f"{at}.json").write_text(json.dumps(half))
        sides.append(Collection.read(tmp_path / f"{at}.json"))
        ids.append({str(face["id"]) for faces in half.values() for face in faces})
    assert sum(len(side.identities) for side in sides) == 1003
    assert shared_identities(*(side.identities for side in sides)) == []
    found = [one.test for one in shared_posts(*sides)]
    assert sorted(found) == sorted(ids[0] & ids[1])


def test_a_list_written_from_a_table_reads_back(tmp_path):
    names = ["a, b", 'c "d"', "橘_雪"]
    with (tmp_path / "n.csv").open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([("identity",), *((name,) for name in names)])
    assert Collection.read(tmp_path / "n.csv").identities == tuple(sorted(names))


def test_names_that_no_table_holds_are_written_as_json(tmp_path):
    names = ["x\ud800", "two\r\nlines", 'say "hi"', ""]
    found = [Shared("identity", name, name, "the same name") for name in names]
    with write_shared(found, tmp_path / "out.csv").open(encoding="utf-8", newline="") as stream:
        cells = {row["test"] for row in csv.DictReader(stream)}
    assert cells == {'"x\\ud800"', '"two\\r\\nlines"', 'say "hi"', '""'}
