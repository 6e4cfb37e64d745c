"""Training and test faces that have something in common: planted copies found, decoys not."""

from __future__ import annotations

import builtins
import csv
import io
import shutil
import tarfile

import pytest
from PIL import Image, ImageEnhance

import mining.commands.check_overlap
import mining.overlap.copies
from mining.commands.check_overlap import LISTED, find_overlap
from mining.overlap.copies import Matching
from mining.suspects.pictures import caches
from mining.suspects.pictures.comparison import Comparisons
from pairsets import FacesError
from pairsets.errors import OutputError, SourceError
from pairsets.faces import Faces
from pairsets.sources.drawn.sample import draw_faces

Mirror = Image.Transpose.FLIP_LEFT_RIGHT
# What is done to a picture of the test set before it gets into training.
CHANGES = {
    "small": lambda face: face.resize((120, 120), Image.Resampling.LANCZOS),
    "bad": lambda face: jpeg(face, 40),
    "mirrored": lambda face: face.transpose(Mirror),
    "another box": lambda face: face.crop((34, 20, 214, 200)),
    "squeezed": lambda face: face.crop((20, 0, 200, 210)).resize((224, 224)),
    "all of it": lambda face: jpeg(face.crop((20, 20, 190, 190)).transpose(Mirror), 60),
    "pale": lambda face: ImageEnhance.Color(face).enhance(0.4),
}


def jpeg(face, quality):
    file = io.BytesIO()
    face.save(file, "JPEG", quality=quality)
    return Image.open(io.BytesIO(file.getvalue())).convert("RGB")


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """12 drawn identities: 4 to test, 8 to train on, and changed copies among these."""
    root = tmp_path_factory.mktemp("overlap")
    drawn = draw_faces(root / "drawn", characters=12, seed=1)
    identities = sorted(drawn.faces.iterdir())
    truth = {}
    for at, folder in enumerate(identities):
        side = "test" if at % 3 == 0 else "train"
        (root / side / folder.name).mkdir(parents=True, exist_ok=True)
        for picture in sorted(folder.iterdir()):
            face = Image.open(picture).convert("RGB")
            face.save(root / side / folder.name / f"{picture.stem}.jpg", quality=92)
            if side == "train":
                continue
            how = list(CHANGES)[len(truth) % len(CHANGES)]
            copy = root / "train" / identities[at + 1].name / f"copy {len(truth)} {how}.jpg"
            copy.parent.mkdir(parents=True, exist_ok=True)
            CHANGES[how](face).save(copy, quality=85)
            own = f"{folder.name}/{picture.stem}.jpg"
            truth[copy.relative_to(root / "train").as_posix()] = own
    return root, truth


def pictures(found):
    """What is found, but for drawings that were drawn twice with another tilt."""
    return {
        one.train: one.test
        for one in found.found
        if one.kind in ("file", "picture") and "turned by" not in one.why
    }


def test_planted_copies_are_found_and_nothing_else(world, tmp_path):
    root, truth = world
    found = find_overlap(root / "train", root / "test", out=tmp_path / "out.csv")
    assert found.overlaps
    # A drawn picture in other colours may be what another drawing is.
    missed = {*truth.items()} - {*pictures(found).items()}
    assert len(missed) <= 1
    assert {*pictures(found).items()} <= {*truth.items()}
    with (tmp_path / "out.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    tilted = {row["train"] for row in rows if "turned by" in row["why"]}
    assert len(tilted) <= 2
    rows = [row for row in rows if "turned by" not in row["why"]]
    assert {row["train"]: row["test"] for row in rows} == pictures(found)
    said = {row["train"]: row["why"] for row in rows}
    for path, why in said.items():
        if "mirrored" in path or "all of it" in path:
            assert "mirrored" in why
        if "another box" in path:
            assert "cropped" in why
    counts = {row.what: row.count for row in found.made.funnel}
    told = counts["pictures in both, found by looking at them"]
    assert len(pictures(found)) <= told <= len(pictures(found)) + len(tilted)
    # The larger side goes by, the smaller one is kept: that must not matter.
    turned = find_overlap(root / "test", root / "train")
    back = {one.test: one.train for one in turned.found if "turned by" not in one.why}
    assert back == pictures(found)


def test_each_picture_is_made_once_and_judged_as_if_it_were_made_again(world, monkeypatch):
    root, truth = world
    made, before = [], caches.picture_of

    def counting(image):
        made.append(image)
        return before(image)

    monkeypatch.setattr(caches, "picture_of", counting)
    train, test = Faces.scan(root / "train"), Faces.scan(root / "test")
    once = Matching.of(test, train.root).block(train.paths.tolist())
    assert len(made) == len(train) + len(test)
    assert len(once[0]) >= len(truth)
    monkeypatch.setattr(Comparisons, "keep", lambda *arguments: None)
    assert Matching.of(test, train.root).block(train.paths.tolist()) == once
    assert len(made) > 2 * (len(train) + len(test))


def test_without_copies_nothing_is_in_both(world, tmp_path):
    root, _ = world
    clean = tmp_path / "clean"
    shutil.copytree(
        root / "train", clean, ignore=lambda _, names: [n for n in names if "copy" in n]
    )
    found = find_overlap(clean, root / "test")
    assert not found.overlaps
    assert found.made.files == []
    assert "Nothing of the test set was found in training." in found.made.hints[0]


def few(world, root, count=4):
    """So many identities of each side, in a folder of their own."""
    for side in ("train", "test"):
        for folder in sorted((world[0] / side).iterdir())[:count]:
            shutil.copytree(folder, root / side / folder.name)
    return root / "train", root / "test"


def test_equal_files_and_the_same_posts(world, tmp_path):
    train, test = few(world, tmp_path, 1)
    (first, *_), (other, *_) = (sorted(side.rglob("*.jpg")) for side in (train, test))
    for at in range(LISTED + 5):
        shutil.copy(other, first.parent / f"again {at:02}.jpg")
    found = find_overlap(train, test)
    assert {one.why for one in found.found if one.kind == "file"} == {"the same file, byte by byte"}
    assert found.counts["file"] == 1
    rows = {row.what: row.count for row in found.made.funnel if not row.kept}
    assert rows["further pictures of training, not listed: more than 20 of one"] == 5
    # Numbers of posts: the picture is the same, and told once.
    for side in (train, test):
        shutil.rmtree(side)
        for number, folder in ((3131051, "a"), (12, "b")):
            (side / f"{side.name} {folder}").mkdir(parents=True)
            shutil.copy(world[0] / "test" / other.relative_to(test),
                        side / f"{side.name} {folder}" / f"{number}.jpg")  # fmt: skip
    found = find_overlap(train, test)
    assert sorted((one.train, one.test) for one in found.found if one.kind == "post") == [
        ("train a/3131051.jpg", "test a/3131051.jpg"), ("train b/12.jpg", "test b/12.jpg")
    ]  # fmt: skip
    assert sorted((one.train, one.test) for one in found.found if one.kind == "file") == [
        ("train a/3131051.jpg", "test b/12.jpg"), ("train b/12.jpg", "test a/3131051.jpg")
    ]  # fmt: skip
    assert found.counts["picture"] == 0


def test_names_alone(tmp_path):
    (tmp_path / "train.txt").write_text(
        "saber_(fate__zero)\nrin_(fate)\nrei\nmisato\nrin_(vocaloid)\n"
    )
    (tmp_path / "test.txt").write_text(
        "saber_(fate/zero)\nrin_(summer)_(fate)\nayanami_rei\nshinji\n"
    )
    (tmp_path / "aliases.csv").write_text("identity,alias\nrei,ayanami_rei\nasuka,soryu\n")
    found = find_overlap(
        tmp_path / "train.txt", tmp_path / "test.txt", out=tmp_path / "out.csv",
        aliases=tmp_path / "aliases.csv",
    )  # fmt: skip
    assert [(one.kind, one.train, one.test) for one in found.found] == [
        ("identity", "rei", "ayanami_rei"),
        ("identity", "saber_(fate__zero)", "saber_(fate/zero)"),
        ("similar name", "rin_(fate)", "rin_(summer)_(fate)"),
    ]
    assert found.overlaps
    assert any("is called 'asuka', and 1 more names" in text for text in found.made.warnings)
    assert any("needs two folders of faces" in text for text in found.made.warnings)
    # Similar names alone are for a person to look at.
    (tmp_path / "train.txt").write_text("rin_(fate)\n")
    assert not find_overlap(tmp_path / "train.txt", tmp_path / "test.txt").overlaps
    with pytest.raises(OutputError, match=r"out\.csv: exists"):
        find_overlap(tmp_path / "train.txt", tmp_path / "test.txt", out=tmp_path / "out.csv")
    with pytest.raises(OutputError, match="is read by this command"):
        find_overlap(
            tmp_path / "train.txt", tmp_path / "test.txt", out=tmp_path / "train.txt",
            overwrite=True,
        )  # fmt: skip


def test_an_interrupted_search_goes_on(world, tmp_path, monkeypatch):
    train, test = few(world, tmp_path / "faces")
    (train / "broken").mkdir()
    (train / "broken" / "1.jpg").write_bytes(b"no picture")
    whole, out = tmp_path / "whole.csv", tmp_path / "out.csv"
    monkeypatch.setattr(mining.commands.check_overlap, "_BLOCK", 8)
    first = find_overlap(train, test, out=whole)
    assert any("1 pictures cannot be read" in text for text in first.made.warnings)
    block = mining.overlap.copies.Matching.block
    seen = []

    def interrupted(self, paths):
        seen.append(tuple(paths))
        if len(seen) == 3:
            raise KeyboardInterrupt
        return block(self, paths)

    monkeypatch.setattr(mining.overlap.copies.Matching, "block", interrupted)
    with pytest.raises(KeyboardInterrupt):
        find_overlap(train, test, out=out)
    assert not out.exists()
    journal = out.with_suffix(".partial.sqlite")
    assert journal.exists()
    again = find_overlap(train, test, out=out)
    # What could not be read may be readable by now.
    assert "broken/1.jpg" in seen[0]
    assert seen[3:5] == [seen[0], seen[2]]
    assert len({*seen}) == len(seen) - 2
    assert out.read_bytes() == whole.read_bytes()
    assert again.made.funnel == first.made.funnel
    assert again.made.warnings == first.made.warnings
    assert not journal.exists()


def test_a_file_that_changed_is_looked_at_again(world, tmp_path, monkeypatch):
    train, test = few(world, tmp_path / "faces", 2)
    out = tmp_path / "out.csv"
    written = mining.commands.check_overlap.write_shared

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(mining.commands.check_overlap, "write_shared", interrupted)
    with pytest.raises(KeyboardInterrupt):
        find_overlap(train, test, out=out)
    monkeypatch.setattr(mining.commands.check_overlap, "write_shared", written)
    picture = sorted(test.rglob("*.jpg"))[0]
    Image.open(picture).resize((150, 150)).save(sorted(train.rglob("*.jpg"))[0])
    found = find_overlap(train, test, out=out)
    assert picture.relative_to(test).as_posix() in pictures(found).values()


def test_without_the_extra_equal_files_are_found_still(world, tmp_path, monkeypatch):
    train, test = few(world, tmp_path, 2)
    shutil.copy(sorted(test.rglob("*.jpg"))[0], train / sorted(train.iterdir())[0].name / "x.jpg")
    real = builtins.__import__

    def lacking(name, *args, **options):
        if name in ("cv2", "imagehash"):
            raise ImportError(f"no module named {name}")
        return real(name, *args, **options)

    monkeypatch.setattr(
        "mining.suspects.pictures.features.import_module", lambda name: lacking(name)
    )
    found = find_overlap(train, test)
    assert found.counts["file"] == 1
    assert found.counts["picture"] == 0
    (told,) = [text for text in found.made.warnings if "lookalikes[suspects]" in text]
    assert told.startswith("Only equal files were looked for")
    names = find_overlap(train, test, pictures=False)
    assert not names.overlaps
    assert "Files and pictures were not looked at." in names.made.warnings


def test_a_folder_has_all_of_itself(world, tmp_path):
    _, test = few(world, tmp_path, 2)
    found = find_overlap(test, test)
    names = {path.name for path in test.iterdir()}
    assert {one.test for one in found.found if one.kind == "identity"} == names
    files = {one.test for one in found.found if one.kind == "file" and one.test == one.train}
    assert files == {path.relative_to(test).as_posix() for path in test.rglob("*.jpg")}


def test_sides_that_cannot_be_read(world, tmp_path):
    root, _ = world
    (tmp_path / "empty").mkdir()
    with pytest.raises(FacesError, match="no images in it"):
        find_overlap(root / "train", tmp_path / "empty")
    with pytest.raises(OutputError, match="inside the faces folder"):
        find_overlap(root / "train", root / "test", out=root / "test" / "out.csv")


def test_shards_are_refused_with_what_to_do(world, tmp_path):
    root, _ = world
    (tmp_path / "train").mkdir()
    with tarfile.open(tmp_path / "train/0.tar", "w") as archive:
        archive.add(root / "train", ".")
    with pytest.raises(SourceError, match=r"training lies in shards.*unpack them.*tar -xf"):
        find_overlap(tmp_path / "train", root / "test")
