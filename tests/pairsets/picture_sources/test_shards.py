"""Faces in tar and Parquet shards: as in a folder, refused where damaged, asked where unclear."""

from __future__ import annotations

import io
import os
import pickle
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from support.buckets import upload
from support.drawn import draw_face

import pairsets.picture_sources.shard_files as shard_files
from mining import embed, load_model
from pairsets.errors import FacesError, PairsetsError
from pairsets.faces import Faces, locator, resolve
from pairsets.identities.fields import ByField
from pairsets.identities.rules import ByLevel
from pairsets.images import ImageError

NAMES = [f"{who}/{number}.png" for who in ("rei", "asuka", "shinji") for number in range(4)]
PICTURES: dict[str, bytes] = {}


def picture(number: int) -> bytes:
    data = io.BytesIO()
    draw_face(number).save(data, "PNG")
    return data.getvalue()


PICTURES.update({name: picture(number) for number, name in enumerate(NAMES)})


def write_tar(path: Path, members: Mapping[str, bytes] | Sequence[tuple[str, bytes]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as archive:
        for name, data in members.items() if isinstance(members, Mapping) else members:
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return path


def write_parquet(path: Path, rows: Sequence[tuple[str | None, bytes | None, object]], **more):
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    path.parent.mkdir(parents=True, exist_ok=True)
    table = pyarrow.table(
        {
            "image": [{"bytes": data, "path": name} for name, data, _ in rows],
            "label": [label for *_, label in rows],
        }
    )
    parquet.write_table(table, path, row_group_size=2, **more)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    home = tmp_path / "faces"
    for name, data in PICTURES.items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_bytes(data)
    return home


def make(kind: str, home: Path) -> Path:
    """The pictures in two shards, in an order that is not that of their names."""
    mixed = [NAMES[at] for at in np.random.default_rng(0).permutation(len(NAMES))]
    for number, part in enumerate((mixed[:5], mixed[5:])):
        if kind == "tar":
            write_tar(home / f"{number:05d}.tar", {name: PICTURES[name] for name in part})
        else:
            rows = [(name, PICTURES[name], name.partition("/")[0]) for name in part]
            write_parquet(home / f"{number:05d}.parquet", rows)
    return home


@pytest.mark.parametrize("where", ["here", "there"])
@pytest.mark.parametrize("kind", ["tar", "parquet"])
def test_the_same_faces_give_the_same_vectors(kind, where, folder, tmp_path):
    shards: str | Path = make(kind, tmp_path / "shards")
    if where == "there":
        upload(tmp_path / "shards", f"memory://vectors-{kind}/shards")
        shards = f"memory://vectors-{kind}/shards"
    plain, found = Faces.scan(folder), Faces.scan(shards)
    assert found.paths.tolist() == plain.paths.tolist()
    assert found.identities.tolist() == plain.identities.tolist()
    model = load_model("pixels")
    one = embed(plain, model, tmp_path / "one")
    two = embed(found, model, tmp_path / "two", batch_size=3)
    for name in ("vectors.npy", "images.csv"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    assert one.manifest["images_sha256"] == two.manifest["images_sha256"]
    # Known again without a picture read.
    before = (tmp_path / "two/manifest.json").stat().st_mtime_ns
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(found.source), "read", lambda self, path: pytest.fail(path))
        embed(Faces.scan(shards), model, tmp_path / "two")
    assert (tmp_path / "two/manifest.json").stat().st_mtime_ns == before


@pytest.mark.parametrize("kind", ["tar", "parquet", "memory"])
def test_some_faces_are_sent_and_read_elsewhere(kind, folder, tmp_path):
    if kind == "memory":
        upload(folder, "memory://sent/faces")
    faces = Faces.scan("memory://sent/faces" if kind == "memory" else make(kind, tmp_path / "x"))
    some = pickle.loads(pickle.dumps(faces.take(np.array([7, 2]))))
    assert some.paths.tolist() == [faces.paths[7], faces.paths[2]]
    for path in some.paths:
        data, facts = some.read(path)
        assert data == PICTURES[path]
        assert facts == tuple(faces.source.facts([path])[0])
    with pytest.raises(ImageError):
        some.read(faces.paths[0])


@pytest.mark.parametrize("kind", ["tar", "parquet"])
def test_a_picture_is_laid_into_a_file_and_not_believed_when_changed(kind, tmp_path):
    shards = make(kind, tmp_path / "shards")
    faces = Faces.scan(shards)
    file = faces.locate("rei/1.png")
    assert file.read_bytes() == PICTURES["rei/1.png"]
    status = file.stat()
    assert faces.locate("rei/1.png").stat() == status
    # Of the same size, but not what was laid there.
    file.write_bytes(bytes(len(PICTURES["rei/1.png"])))
    assert faces.locate("rei/1.png").read_bytes() == PICTURES["rei/1.png"]
    resolved = resolve(shards, ["rei/1.png", "asuka/0.png"])
    assert resolved.paths.tolist() == ["asuka/0.png", "rei/1.png"]
    assert resolved.locate("asuka/0.png").read_bytes() == PICTURES["asuka/0.png"]
    with pytest.raises(FacesError, match=r"'rei/9\.png' is not there"):
        resolve(shards, ["rei/9.png"])


@pytest.mark.parametrize("kind", ["plain", "tar", "parquet"])
def test_a_picture_is_found_by_its_place_alone(kind, folder, tmp_path):
    place = folder if kind == "plain" else make(kind, tmp_path / "shards")
    locate = locator(place)
    assert locate("rei/1.png").read_bytes() == PICTURES["rei/1.png"]
    assert (locate("rei/1.png") == folder / "rei/1.png") == (kind == "plain")


def test_one_shard_alone(tmp_path):
    shard = write_tar(tmp_path / "a.tar", {name: PICTURES[name] for name in NAMES[:8]})
    assert Faces.scan(shard).count_identities == 2


# --- damaged tars


def test_a_tar_that_was_cut_anywhere_is_refused(tmp_path):
    """Also where a member ends, which Python's reader takes for the end of the tar."""
    path = write_tar(tmp_path / "shards/0.tar", PICTURES)
    with tarfile.open(path) as archive:
        members = archive.getmembers()
        end = archive.offset
    for size in {*range(300, end, 3000), end, *(member.offset for member in members[1:])}:
        write_tar(path, PICTURES)
        os.truncate(path, size)
        with pytest.raises(FacesError, match=r"0\.tar: cut short, damaged or no tar"):
            Faces.scan(tmp_path / "shards")


def test_what_is_no_tar_is_refused(tmp_path):
    (tmp_path / "x.tar").write_bytes(b"\x1f\x8b" + bytes(2000))
    with pytest.raises(FacesError, match="cut short, damaged or no tar"):
        Faces.scan(tmp_path / "x.tar")
    (tmp_path / "y").mkdir()
    (tmp_path / "y/0.tar.gz").write_bytes(b"\x1f\x8b")
    with pytest.raises(FacesError, match=r"0\.tar\.gz is packed"):
        Faces.scan(tmp_path / "y")


@pytest.mark.parametrize(
    ("name", "why"),
    [("../1.png", "leaves its folder"), ("/etc/1.png", "is absolute"), ("a//1.png", "plain")],
)
def test_an_unsafe_name_is_refused(name, why, tmp_path):
    path = write_tar(tmp_path / "x.tar", {name: PICTURES[NAMES[0]]})
    with pytest.raises(FacesError, match=why):
        Faces.scan(path)


def test_a_link_is_refused(tmp_path):
    with tarfile.open(tmp_path / "x.tar", "w") as archive:
        entry = tarfile.TarInfo("rei/1.png")
        entry.type, entry.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(entry)
    with pytest.raises(FacesError, match=r"'rei/1\.png' is a link: refused"):
        Faces.scan(tmp_path / "x.tar")


def test_a_path_in_two_shards_is_refused_with_both_named(tmp_path):
    for number in range(2):
        write_tar(tmp_path / f"{number}.tar", {"rei/1.png": PICTURES[NAMES[0]]})
    with pytest.raises(FacesError, match=r"0\.tar and .*1\.tar: both hold 'rei/1\.png'"):
        Faces.scan(tmp_path)
    twice = write_tar(tmp_path / "x/2.tar", [("rei/1.png", b"a"), ("rei/1.png", b"b")])
    with pytest.raises(FacesError, match=r"'rei/1\.png' stands in it twice"):
        Faces.scan(twice)


def test_a_shard_that_changes_is_not_read_as_it_was(tmp_path):
    path = make("tar", tmp_path / "shards") / "00000.tar"
    faces = Faces.scan(tmp_path / "shards")
    write_tar(path, {"other/1.png": PICTURES[NAMES[0]]})
    write_tar(path.with_name("00001.tar"), {"other/2.png": PICTURES[NAMES[0]]})
    with pytest.raises(FacesError, match="changed since it was listed"):
        faces.read(NAMES[0])
    assert Faces.scan(tmp_path / "shards").paths.tolist() == ["other/1.png", "other/2.png"]


def test_both_kinds_of_shards_are_asked_about(tmp_path):
    make("tar", tmp_path)
    make("parquet", tmp_path)
    with pytest.raises(FacesError, match=r"2 \.tar files and 2 \.parquet files; which"):
        Faces.scan(tmp_path)


def test_resource_files_of_macos_are_skipped_as_in_folders(tmp_path):
    """Also those of the files that say who is shown."""
    double = b"\x00\x05\x16\x07" + bytes([255]) * 60
    members = {"._000.png": double, "._000.cls": double, **sample({"cls": CLS})}
    faces = Faces.scan(write_tar(tmp_path / "x.tar", members))
    assert faces.identities.tolist() == CLS
    assert dict(faces.skipped) == {"macOS resource file": 1, "not an image by its name": 1}
    # From the kept index, too; and a picture that is merely called so is one.
    assert Faces.scan(tmp_path / "x.tar").skipped == faces.skipped
    named = write_tar(tmp_path / "y.tar", {"rei/._1.png": PICTURES[NAMES[0]]})
    assert Faces.scan(named).paths.tolist() == ["rei/._1.png"]


def test_two_shards_beside_each_other_lay_their_pictures_apart(tmp_path):
    for number, name in enumerate(NAMES[:2]):
        write_tar(tmp_path / f"{number}.tar", {"rei/1.png": PICTURES[name]})
    found = [Faces.scan(tmp_path / f"{number}.tar").locate("rei/1.png") for number in range(2)]
    assert [file.read_bytes() for file in found] == [PICTURES[name] for name in NAMES[:2]]
    assert found[0] != found[1]


def test_a_plain_folder_is_not_gone_through_for_its_place(folder, monkeypatch):
    """It may lie high above the faces, with links and packed files in it."""
    (folder / "rei/link.png").symlink_to(folder / "rei/0.png")
    (folder / "x.tar.gz").write_bytes(b"\x1f\x8b")
    (folder / "x.tar").write_bytes(b"no tar")
    assert locator(folder)("rei/1.png") == folder / "rei/1.png"
    assert locator(folder.parent)("faces/rei/1.png") == folder / "rei/1.png"
    assert locator(folder / "none")("1.png") == folder / "none/1.png"
    monkeypatch.setattr(shard_files, "FOLDERS", 3)
    for number in range(4):
        (folder.parent / f"above/{number}").mkdir(parents=True)
    write_tar(folder.parent / "above/0.tar", PICTURES)
    assert locator(folder.parent / "above")("1.png") == folder.parent / "above/1.png"


# --- who is shown


def sample(labels: Mapping[str, Sequence[str]], front: str = "") -> dict[str, bytes]:
    """Members of a tar: pictures by number, and beside each what `labels` has by ending."""
    found = {}
    for at, name in enumerate(NAMES[:4]):
        found[f"{front}{at:03d}.png"] = PICTURES[name]
        for kind, texts in labels.items():
            found[f"{front}{at:03d}.{kind}"] = texts[at].encode()
    return found


CLS = ["7", "7", "8", "8"]
JSON = ['{"who": "rei", "n": 1}', '{"who": "rei"}', '{"who": "asuka"}', '{"who": "asuka"}']


@pytest.mark.parametrize(
    ("members", "field", "identities"),
    [
        (sample({"cls": CLS}), None, CLS),
        (sample({"cls": CLS}), "cls", CLS),
        (sample({"txt": ["a b", "a b", "c", "c"]}), "txt", ["a b", "a b", "c", "c"]),
        (sample({"json": JSON, "cls": CLS}), "json:who", ["rei", "rei", "asuka", "asuka"]),
        (sample({"json": JSON}, "rei/"), "folder", ["rei"] * 4),
        (sample({"cls": CLS}, "rei/"), "cls", CLS),
    ],
)
def test_who_a_tar_says_is_shown(members, field, identities, tmp_path):
    path = write_tar(tmp_path / "x.tar", members)
    faces = Faces.scan(path, None if field is None else ByField(field))
    assert faces.identities.tolist() == identities
    assert faces.said == (None if field is None else f"--identity-field {field}")


@pytest.mark.parametrize(
    "members",
    [
        sample({"txt": CLS}),
        sample({"json": JSON}),
        sample({"cls": CLS, "json": JSON}),
        sample({"cls": CLS}, "rei/"),
    ],
)
def test_what_is_not_told_is_asked(members, tmp_path):
    path = write_tar(tmp_path / "x.tar", members)
    with pytest.raises(FacesError, match="what says who a picture shows") as asked:
        Faces.scan(path)
    assert "--identity-field" in str(asked.value)
    assert (
        Faces.scan(path, ByField("cls" if "cls" in str(asked.value) else "txt"))
        if (
            "--identity-field cls" in str(asked.value) or "--identity-field txt" in str(asked.value)
        )
        else True
    )


@pytest.mark.parametrize(
    ("field", "why"),
    [
        ("json:nobody", "no field 'nobody'; there are who, n"),
        ("txt", r"no picture has a \.txt beside it; there are --identity-field json:NAME"),
        ("label", "no field 'label'; of tar shards there are folder, cls, txt and json:NAME"),
    ],
)
def test_a_field_that_is_not_there(field, why, tmp_path):
    path = write_tar(tmp_path / "x.tar", sample({"json": JSON}))
    with pytest.raises(FacesError, match=why):
        Faces.scan(path, ByField(field))


def test_a_picture_without_a_label_is_counted(tmp_path):
    members = sample({"cls": CLS})
    del members["001.cls"]
    faces = Faces.scan(write_tar(tmp_path / "x.tar", members))
    assert faces.identities.tolist() == ["7", "8", "8"]
    assert dict(faces.skipped) == {"without an identity in cls": 1}


def test_other_rules_hold_of_shards_and_fields_of_nothing_else(folder, tmp_path):
    faces = Faces.scan(make("tar", tmp_path / "shards"), ByLevel(1))
    assert faces.count_identities == 3
    with pytest.raises(FacesError, match="is of tar and Parquet shards"):
        Faces.scan(folder, ByField("cls"))


def test_pictures_go_before_shards_as_ever(folder):
    write_tar(folder / "x.tar", PICTURES)
    faces = Faces.scan(folder)
    assert faces.source is None
    assert dict(faces.skipped) == {"not an image by its name": 1}


# --- Parquet


def test_rows_without_unique_names_are_called_by_file_and_row(tmp_path):
    rows = [("1.png", PICTURES[name], name.partition("/")[0]) for name in NAMES]
    write_parquet(tmp_path / "data/train-0.parquet", rows)
    faces = Faces.scan(tmp_path)
    assert faces.paths[0] == "data/train-0/00000000.jpg"
    assert faces.identities.tolist() == [name.partition("/")[0] for name in NAMES]
    assert [faces.read(path)[0] for path in faces.paths] == list(PICTURES.values())
    embedded = embed(faces, load_model("pixels"), tmp_path / "out")
    assert embedded.faces.identities.tolist() == faces.identities.tolist()


def test_a_column_is_asked_for_and_named(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    cells = [{"bytes": PICTURES[name], "path": name} for name in NAMES]
    who = [name.partition("/")[0] for name in NAMES]
    table = pyarrow.table({"image": cells, "name": who, "label": who[::-1]})
    parquet.write_table(table, tmp_path / "x.parquet")
    with pytest.raises(PairsetsError, match="2 columns for the identity"):
        Faces.scan(tmp_path)
    faces = Faces.scan(tmp_path, ByField("label"))
    assert dict(zip(faces.paths, faces.identities, strict=True)) == dict(
        zip(NAMES, who[::-1], strict=True)
    )
    assert Faces.scan(tmp_path, ByField("folder")).named is None


def test_shards_whose_column_has_to_be_named_are_opened_again_without_it(tmp_path):
    """By what needs no identities, as suspects do of an embedded data set."""
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    cells = [{"bytes": PICTURES[name], "path": name} for name in NAMES]
    who = [name.partition("/")[0] for name in NAMES]
    (tmp_path / "data").mkdir()
    table = pyarrow.table({"image": cells, "name": who, "label": who})
    parquet.write_table(table, tmp_path / "data/x.parquet")
    upload(tmp_path, "memory://renamed/shards")
    faces = Faces.scan(tmp_path, ByField("label"))
    far = Faces.scan("memory://renamed/shards", ByField("label"))
    for root in (tmp_path, tmp_path / "data/x.parquet", far.root):
        assert locator(root)("rei/1.png").read_bytes() == PICTURES["rei/1.png"]
        resolved = resolve(root, ["rei/1.png"], {"rei/1.png": "rei"})
        assert resolved.read("rei/1.png")[0] == faces.read("rei/1.png")[0]


def test_a_blank_text_says_nothing_as_in_tars(tmp_path):
    rows = [
        (name, PICTURES[name], label)
        for name, label in zip(NAMES, ["a", "", " ", "a"], strict=False)
    ]
    faces = Faces.scan(write_parquet(tmp_path / "x.parquet", rows))
    assert faces.identities.tolist() == ["a", "a"]
    assert dict(faces.skipped) == {"without an identity in label": 2}


def test_a_row_without_a_picture_is_one_that_cannot_be_read(tmp_path):
    rows = [(name, PICTURES[name], "rei") for name in NAMES[:3]] + [("rei/x.png", None, "rei")]
    faces = Faces.scan(write_parquet(tmp_path / "x.parquet", rows))
    embedded = embed(faces, load_model("pixels"), tmp_path / "out", on_error="skip")
    assert dict(embedded.skipped) == {"rei/x.png": "no bytes of a picture in its row"}


def test_damaged_and_differing_tables_are_refused(tmp_path):
    rows = [(name, PICTURES[name], "rei") for name in NAMES[:3]]
    write_parquet(tmp_path / "0.parquet", rows)
    second = write_parquet(tmp_path / "1.parquet", [(n, d, 7) for n, d, _ in rows])
    with pytest.raises(PairsetsError, match=r"1\.parquet: no column 'label' of the kind"):
        Faces.scan(tmp_path)
    os.truncate(second, second.stat().st_size // 2)
    with pytest.raises(PairsetsError, match=r"1\.parquet: damaged or no Parquet file"):
        Faces.scan(tmp_path)
