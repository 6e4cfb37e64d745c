"""Pictures by number: which file a number is, and when it may be a template instead."""

from __future__ import annotations

import pytest
from PIL import Image

from pairsets import PairSet
from pairsets.errors import SourceError
from pairsets.sources.formats import Pairs, candidates, indices, read_pairs

TEXT = "0 1 1\n2 3 1\n4 5 0\n6 7 0\n"


def write(tmp_path, text=TEXT, name="agedb_pairs.txt"):
    path = tmp_path / name
    path.write_text(text)
    return path


def pictures(folder, names):
    folder.mkdir()
    for name in names:
        Image.new("RGB", (2, 2)).save(folder / name, "PNG")
    return folder


def test_numbers_are_paths(tmp_path):
    found = read_pairs(write(tmp_path), "indices")
    assert found.pairs.path_a.tolist() == ["0.jpg", "2.jpg", "4.jpg", "6.jpg"]
    assert found.pairs.path_b.tolist() == ["1.jpg", "3.jpg", "5.jpg", "7.jpg"]
    assert found.pairs.label.tolist() == [1, 1, 0, 0]
    assert found.pairs.names(0) == ("as 0.jpg", "as 0.jpg")
    assert found.pairs.names(2) == ("as 4.jpg", "as 5.jpg")
    other = read_pairs(write(tmp_path), "indices", suffix="png", digits=3)
    assert other.pairs.path_b.tolist() == ["001.png", "003.png", "005.png", "007.png"]


def test_nothing_in_the_file_tells_templates_from_pictures(tmp_path):
    assert candidates(write(tmp_path)) == ["ijb", "indices"]
    # But its name may.
    assert candidates(write(tmp_path, name="ijbc_template_pair_label.txt")) == ["ijb"]


@pytest.mark.parametrize("form", ["{}.jpg", "{}.png", "{:06d}.jpg", "{:03d}_0.webp"])
def test_the_folder_tells_how_they_are_called(form, tmp_path):
    names = [form.format(number) for number in range(9)]
    folder = pictures(tmp_path / "imgs", names)
    found = read_pairs(write(tmp_path), "indices", faces=folder)
    assert found.pairs.paths == names[:8]
    assert bool([note for note in found.notes if "images are taken to" in note]) == (
        form != "{}.jpg"
    )


@pytest.mark.parametrize(
    ("names", "fits"),
    [
        ([f"{n}.jpg" for n in range(8)], True),
        ([f"{n}.jpg" for n in range(15)], True),
        # As in IJB's folder: of each number there is a picture, and of many others.
        ([f"{n}.jpg" for n in range(16)], None),
        ([f"{n}.jpg" for n in range(7)], None),
        (["a.jpg"], False),
    ],
    ids=["all", "most", "few", "one-lacks", "none"],
)
def test_whether_a_folder_s_pictures_are_meant(names, fits, tmp_path):
    assert indices.fit(write(tmp_path), pictures(tmp_path / "imgs", names)) is fits


def test_a_picture_that_lacks(tmp_path):
    folder = pictures(tmp_path / "imgs", [f"{n}.jpg" for n in range(7)])
    with pytest.raises(
        SourceError, match=r"agedb_pairs\.txt: no picture 7 of .*imgs.*it has 0\.jp"
    ):
        read_pairs(write(tmp_path), "indices", faces=folder)


@pytest.mark.parametrize("face", ["A/1.jpg", "01.jpg", "x.jpg", "1"])
def test_what_it_cannot_hold(face, tmp_path):
    with pytest.raises(SourceError, match=r"^indices cannot hold .* number alone"):
        indices.write(Pairs(PairSet.of(["2.jpg"], [face], [0])), tmp_path / "x")
    with pytest.raises(SourceError, match=r"several endings, as \.jpg and \.png"):
        indices.write(Pairs(PairSet.of(["2.jpg"], ["3.png"], [0])), tmp_path / "x")
    assert not list(tmp_path.iterdir())
