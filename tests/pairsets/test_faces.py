"""Reading a folder per identity: odd names, stable order, refusals."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pairsets import Faces, FacesError, read_ignore_list
from pairsets.faces import resolve
from pairsets.paths import why_unsafe


def plant(root, *paths):
    for path in paths:
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"image")
    return root


ODD = [
    "..._(series)/1.JPG",
    ".hack/2.png",
    "a b/3.webp",
    "a/4.jpeg",
    "a/5.gif",
    "admiral & co/6.bmp",
    "d.va_(overwatch)/7.tiff",
    'le\'s "quote", comma/8.avif',
    "セイバー_(fate)/9.jpg",
]


def test_odd_names_in_stable_order(tmp_path):
    faces = Faces.scan(plant(tmp_path, *reversed(ODD)))
    assert faces.paths.tolist() == sorted(ODD)
    assert faces.identities.tolist() == [path.split("/")[0] for path in sorted(ODD)]
    assert faces.count_identities == 8
    groups = faces.groups.tolist()
    assert len(set(groups)) == 8
    assert groups[3] == groups[4]  # a/4 and a/5


def test_order_does_not_depend_on_the_file_system(tmp_path, monkeypatch):
    plant(tmp_path, *ODD)
    listing = os.scandir

    class Reversed:
        def __init__(self, folder):
            with listing(folder) as entries:
                self.entries = sorted(entries, key=lambda entry: entry.name, reverse=True)

        def __enter__(self):
            return iter(self.entries)

        def __exit__(self, *_):
            pass

    monkeypatch.setattr(os, "scandir", Reversed)
    assert Faces.scan(tmp_path).paths.tolist() == sorted(ODD)


def test_what_is_left_out_is_counted(tmp_path):
    plant(tmp_path, "a/1.jpg", "a/notes.txt", "Thumbs.db", "b/.DS_Store")
    (tmp_path / "a" / "._1.jpg").write_bytes(b"\x00\x05\x16\x07 resource")
    faces = Faces.scan(tmp_path)
    assert faces.paths.tolist() == ["a/1.jpg"]
    assert faces.skipped == {"not an image by its name": 3, "macOS resource file": 1}


@pytest.mark.parametrize("name", ["1.jfif", "1.JPE", "1.jif", "1.jfi", "1.JPEG", "1.avif"])
def test_images_by_any_of_their_names(tmp_path, name):
    assert len(Faces.scan(plant(tmp_path, f"a/{name}"))) == 1


@pytest.mark.parametrize("kind", ["crops", "faces"])
def test_what_made_the_folder_is_not_left_out(tmp_path, kind):
    """The records of `crop` and `arrange`, where they are; a file of one's own counts."""
    records = [f"{kind}.csv", "names.csv", "missing.csv"]
    plant(tmp_path, "a/1.jpg", "a/names.csv", "notes.txt", *records)
    assert Faces.scan(tmp_path).skipped == {"not an image by its name": 5}
    plant(tmp_path, f"{kind}.json")
    assert Faces.scan(tmp_path).skipped == {"not an image by its name": 2}
    (tmp_path / "a" / "names.csv").unlink()
    (tmp_path / "notes.txt").unlink()
    assert Faces.scan(tmp_path).skipped == {}


@pytest.mark.parametrize(
    ("paths", "message"),
    [
        ([], "no images in it"),
        (["a/readme.txt"], "no images in it"),
        (["1.jpg", "a/2.jpg"], "'1.jpg' is outside an identity folder"),
        (["1.jpg", "2.jpg"], "'1.jpg' and 1 more are outside an identity folder"),
        (["caf\u00e9/1.jpg", "cafe\u0301/1.jpg"], "two spellings of one path"),
        (["Rei/1.jpg", "rei/1.jpg"], "two spellings of one path"),
        (["rei/1.jpg", "rei/1.JPG"], "two spellings of one path"),
    ],
)
def test_refusals(tmp_path, paths, message):
    with pytest.raises(FacesError, match=message):
        Faces.scan(plant(tmp_path, *paths))


def test_names_that_only_look_alike_are_kept(tmp_path):
    faces = Faces.scan(
        plant(tmp_path, "wei\u00df/1.jpg", "weiss/1.jpg", "\ufb01n/2.jpg", "fin/2.jpg")
    )
    assert faces.count_identities == 4


def test_one_path_listed_twice():
    path = "a/1.jpg"
    for again in (path, "".join(["a/", "1.jpg"])):
        with pytest.raises(FacesError, match=r"'a/1\.jpg' is listed twice"):
            Faces.of_paths(Path("faces"), [path, again, "b/2.jpg"])


def test_refuses_what_is_no_folder(tmp_path):
    with pytest.raises(FacesError, match="no such folder"):
        Faces.scan(tmp_path / "absent")
    with pytest.raises(FacesError, match="a file; expected a folder"):
        Faces.scan(plant(tmp_path, "a/1.jpg") / "a" / "1.jpg")


@pytest.mark.parametrize("target", ["a", "a/1.jpg", "../outside"])
def test_refuses_links(tmp_path, target):
    root = plant(tmp_path / "faces", "a/1.jpg")
    plant(tmp_path, "outside/2.jpg")
    (root / "link").symlink_to(root / target)
    with pytest.raises(FacesError, match=r"link: a link\. Links are refused"):
        Faces.scan(root)


def test_positions(tmp_path):
    faces = Faces.scan(plant(tmp_path, "a/1.jpg", "b/2.jpg", "c/3.jpg"))
    assert faces.positions(["c/3.jpg", "a/1.jpg"]).tolist() == [2, 0]
    with pytest.raises(FacesError, match=r"'x/1\.jpg' and 1 more are not among the 3 faces"):
        faces.positions(["x/1.jpg", "a/1.jpg", "y/1.jpg", "x/1.jpg"])


@pytest.mark.parametrize(
    "path", ["../a.jpg", "a/../../b.jpg", "/etc/passwd", "C:\\a.jpg", "", "a//b.jpg", "./a.jpg"]
)
def test_paths_that_leave_the_folder(tmp_path, path):
    assert why_unsafe(path)
    with pytest.raises(FacesError, match="expected a path inside"):
        resolve(tmp_path, [path])


def test_resolve(tmp_path):
    root = plant(tmp_path / "faces", "b/2.jpg", "a/1.jpg")
    plant(tmp_path, "secret.jpg")
    assert resolve(root, ["b/2.jpg", "a/1.jpg", "b/2.jpg"]).paths.tolist() == ["a/1.jpg", "b/2.jpg"]
    (root / "a" / "out.jpg").symlink_to(tmp_path / "secret.jpg")
    with pytest.raises(FacesError, match="link that leaves"):
        resolve(root, ["a/out.jpg"])
    with pytest.raises(FacesError, match=r"'a/9\.jpg' is not there"):
        resolve(root, ["a/9.jpg", "a/1.jpg"])


def test_ignore_list(tmp_path):
    path = tmp_path / "ignore.csv"
    path.write_bytes(b'\xef\xbb\xbf12.jpg\r\n\r\n"a, b.png"\r\n.hidden.jpg\r\n')
    assert read_ignore_list(path) == {"12.jpg", "a, b.png", ".hidden.jpg"}
    path.write_text("a\u2028b.jpg\n\x0cc.jpg\n", "utf-8")
    assert read_ignore_list(path) == {"a\u2028b.jpg", "\x0cc.jpg"}
    path.write_text("12.jpg\nx/13.jpg\n")
    with pytest.raises(FacesError, match=r"line 2: expected one base name .* 'x/13\.jpg'"):
        read_ignore_list(path)
    with pytest.raises(FacesError, match="no such ignore list"):
        read_ignore_list(tmp_path / "absent.csv")


def test_without(tmp_path):
    faces = Faces.scan(plant(tmp_path, "a/1.jpg", "b/1.jpg", "c/11.jpg"))
    assert faces.without({"1.jpg"}).tolist() == [False, False, True]


def test_published_ignore_list(real_data):
    assert len(read_ignore_list(real_data / "zaci20" / "ignore_images.csv")) == 63
