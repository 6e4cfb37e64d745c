"""Which columns of a table are the picture and the identity, and which files a table may name."""

from __future__ import annotations

from pathlib import Path

import pytest

from pairsets.errors import SourceError
from pairsets.picture_sources.image_table import Column, choose, choose_split, inside
from pairsets.sources.folders.plain_folder import PlainFaces, identity_of_name

IMAGE, CLASS, TEXT = Column("image"), Column("class", ("a",)), Column("text")


@pytest.mark.parametrize(
    ("columns", "identity"),
    [
        ({"x": IMAGE, "anything": CLASS}, "anything"),
        ({"x": IMAGE, "Identity": TEXT, "caption": TEXT}, "Identity"),
        ({"x": IMAGE, "label": Column("number"), "caption": TEXT}, "label"),
        # What says by its type that it names classes goes before what is merely called so.
        ({"x": IMAGE, "name": TEXT, "which": CLASS}, "which"),
    ],
)
def test_the_only_column_it_can_be(columns, identity):
    found = choose(columns, Path("x"))
    assert (found.image, found.identity, found.id) == ("x", identity, None)


def test_columns_that_are_named_go_before_others():
    columns = {"x": IMAGE, "y": IMAGE, "label": CLASS, "who": TEXT, "no": Column("number")}
    found = choose(columns, Path("x"), image="y", identity="who", id="no")
    assert found == ("y", "who", "no")
    with pytest.raises(SourceError, match=r"2 columns .*x \(image\), y \(image\), label \(class\)"):
        choose(columns, Path("x"), identity="who")
    with pytest.raises(SourceError, match="'x' holds no id"):
        choose(columns, Path("x"), image="x", id="x")


def test_splits():
    assert choose_split(["only"], None, Path("x")) == ["only"]
    assert choose_split(["a", "b"], "b", Path("x")) == ["b"]
    assert choose_split(["a", "b"], "all", Path("x")) == ["a", "b"]
    with pytest.raises(SourceError, match="a, b, or all"):
        choose_split(["a", "b"], None, Path("x"))


def test_a_table_names_only_files_beside_it(tmp_path):
    root = tmp_path / "root"
    (root / "sub").mkdir(parents=True)
    (tmp_path / "out.png").touch()
    (root / "sub" / "in.png").touch()
    (root / "link.png").symlink_to(tmp_path / "out.png")
    assert inside("sub/in.png", root) == root / "sub" / "in.png"
    assert inside(str(root / "sub" / "in.png"), root) == root / "sub" / "in.png"
    for path in (
        "../out.png",
        str(tmp_path / "out.png"),
        "link.png",
        "sub",
        "none",
        "",
        None,
        "\0",
    ):
        assert inside(path, root) is None


def test_whose_picture_a_name_tells():
    assert identity_of_name("Abdel_Aziz_Al-Hakim_0002.jpg") == "Abdel_Aziz_Al-Hakim"
    assert identity_of_name("a_b_3_0010.png") == "a_b_3"
    for name in ("Ann.jpg", "_1.jpg", "Ann_.jpg", "Ann_x1.jpg"):
        assert identity_of_name(name) is None


def test_a_flat_folder_that_is_none(tmp_path):
    (tmp_path / "a.jpg").touch()
    with pytest.raises(SourceError, match=r"but 'a.jpg'. There are --identity-level"):
        PlainFaces.scan(tmp_path)
    (tmp_path / "a.jpg").rename(tmp_path / "a.txt")
    with pytest.raises(SourceError, match=r"but 'a.txt' \(not an image by its name\)"):
        PlainFaces.scan(tmp_path)
    (tmp_path / "a.txt").rename(tmp_path / "a.jpg")
    with pytest.raises(SourceError, match="a file; expected a folder"):
        PlainFaces.scan(tmp_path / "a.jpg")
    with pytest.raises(SourceError, match="no such folder"):
        PlainFaces.scan(tmp_path / "b")
