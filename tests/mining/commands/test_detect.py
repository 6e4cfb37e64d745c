"""Boxes from pictures: where faces were planted, and what is left when it is interrupted."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageDraw
from support.finder import write_finder

import mining.commands.detect
from mining.commands.detect import detect_faces
from mining.models import ModelError
from pairsets.errors import OutputError, SourceError
from pairsets.sources.face_boxes import read_annotations
from pairsets.storage.resume import Resume

RED, BLUE = (255, 0, 0), (0, 0, 255)


def picture(size=(300, 200), red=None, blue=None):
    image = Image.new("RGB", size, (40, 40, 40))
    draw = ImageDraw.Draw(image)
    for box, colour in ((red, RED), (blue, BLUE)):
        if box is not None:
            left, top, right, bottom = box
            draw.rectangle((left, top, right - 1, bottom - 1), fill=colour)
    return image


def plant(root, path, *args, **options):
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    image = picture(*args)
    image.save(file, **options)
    return file


@pytest.fixture
def world(tmp_path):
    """Posts in buckets and flat, pictures by identity, and what is none."""
    root = tmp_path / "pictures of all kinds"
    plant(root, "0123/1123.png", (300, 200), (60, 20, 120, 100))
    plant(root, "0123/2123.png", (200, 300), (60, 200, 120, 290), (10, 10, 90, 110))
    plant(root, "7.png", (50, 50))
    plant(root, "rei & 綾波 (eva)/12.png", (640, 100), (500, 20, 560, 90))
    plant(root, "rei & 綾波 (eva)-2/a b.webp", (64, 400), None, (8, 300, 56, 380), lossless=True)
    (root / "0123" / "3123.jpg").write_bytes(b"\xff\xd8\xff broken")
    (root / "empty.gif").write_bytes(b"")
    (root / "notes.txt").write_text("no picture")
    return root


@pytest.fixture
def detector(tmp_path):
    return write_finder(tmp_path / "faces.onnx")


TRUTH = {
    1123: [(60, 20, 120, 100)],
    2123: [(60, 200, 120, 290), (10, 10, 90, 110)],
    "rei & 綾波 (eva)-2/a b.webp": [(8, 300, 56, 380)],
    "rei & 綾波 (eva)/12.png": [(500, 20, 560, 90)],
    7: [],
}
SIZES = [(300, 200), (200, 300), (50, 50), (64, 400), (640, 100)]


def test_boxes_are_where_faces_were_planted(world, detector, tmp_path):
    out = tmp_path / "found" / "faces.jsonl"
    made = detect_faces(world, out, detector=detector)
    found = read_annotations(out)
    assert found.ids.tolist() == [1123, 2123, 7, *list(TRUTH)[2:4]]
    assert [tuple(size) for size in found.sizes] == SIZES
    for row, key in enumerate(found.ids):
        boxes = found.boxes[found.starts[row] : found.starts[row + 1]]
        # To a pixel of the detector's input, which is 128 wide and 96 high.
        scale = max(found.sizes[row][0] / 128, found.sizes[row][1] / 96, 1)
        assert boxes == pytest.approx(np.array(TRUTH[key]).reshape(-1, 4), abs=1.01 * scale)
    assert found.scores == pytest.approx([1, 1, 0.9, 0.9, 1], abs=0.02)
    assert found.skipped == {"picture that could not be read when faces were detected": 2}
    assert {(row.stage, row.what): row.count for row in made.funnel} == {
        ("pictures", "not an image by its name"): 1,
        ("pictures", "that cannot be read"): 2,
        ("pictures", "looked at"): 5,
        ("pictures", "with a face"): 4,
        ("faces", "found"): 5,
    }
    assert [warning.partition(":")[0] for warning in made.warnings] == [
        "0123/3123.jpg",
        "empty.gif",
    ]
    manifest = json.loads((tmp_path / "found" / "faces.json").read_text())
    assert manifest["counts"] == {"pictures": 7, "with": 4, "faces": 5, "unreadable": 2}
    assert manifest["parameters"] == {"min_score": 0.3, "overlap": 0.5, "max_pixels": 50_000_000}
    # Nothing else stays, and the same pictures give the same bytes, whatever the threads.
    assert {path.name for path in out.parent.iterdir()} == {"faces.jsonl", "faces.json"}
    before = out.read_bytes(), (out.parent / "faces.json").read_bytes()
    detect_faces(world, out, detector=detector, workers=1, overwrite=True)
    assert (out.read_bytes(), (out.parent / "faces.json").read_bytes()) == before


def test_scores_and_overlap_are_the_users(world, detector, tmp_path):
    out = tmp_path / "faces.jsonl"
    detect_faces(world, out, detector=detector, min_score=0.95)
    assert read_annotations(out).counts.tolist() == [1, 1, 0, 0, 1]
    # The weaker twin of each box overlaps it by far.
    detect_faces(world, out, detector=detector, overlap=1, overwrite=True)
    assert read_annotations(out).counts.tolist() == [2, 4, 0, 2, 2]


@pytest.mark.parametrize("how", range(1, 9))
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tiff"])
def test_boxes_are_of_the_picture_as_it_is_stored(how, suffix, detector, tmp_path):
    """What is cropped is the stored picture, as Pillow opens it, not turned by EXIF."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = how
    file = plant(tmp_path / "pictures", f"5{suffix}", (256, 192), (20, 40, 80, 140), exif=exif)
    out = tmp_path / "faces.jsonl"
    detect_faces(tmp_path / "pictures", out, detector=detector)
    found = read_annotations(out)
    with Image.open(file) as image:
        image.load()
        assert tuple(found.sizes[0]) == image.size
        crop = image.convert("RGB").crop(np.rint(found.boxes[0]).astype(int).tolist())
    reds = (np.asarray(crop, np.int16) @ [1, -1, 0] > 128).mean()
    assert reds > 0.9
    assert crop.width * crop.height == pytest.approx(60 * 100, rel=0.1)


class Seen:
    """Counts the pictures that are decoded."""

    def __init__(self, monkeypatch):
        self.count = 0
        decode = mining.commands.detect.decode

        def counted(*args, **options):
            self.count += 1
            return decode(*args, **options)

        monkeypatch.setattr(mining.commands.detect, "decode", counted)


@contextmanager
def stop_at_third(title):
    def step(done, total):
        if done == 3:
            raise KeyboardInterrupt

    yield step


def test_interrupted_it_goes_on(world, detector, tmp_path, monkeypatch):
    whole, out = tmp_path / "whole" / "faces.jsonl", tmp_path / "faces.jsonl"
    detect_faces(world, whole, detector=detector)
    with pytest.raises(KeyboardInterrupt):
        detect_faces(world, out, detector=detector, progress=stop_at_third)
    assert not out.exists()
    seen = Seen(monkeypatch)
    detect_faces(world, out, detector=detector)
    # Two were finished; of the third, broken, it may be that it is mended by now.
    assert seen.count == 4
    assert out.read_bytes() == whole.read_bytes()
    assert (tmp_path / "faces.json").read_bytes() == whole.with_suffix(".json").read_bytes()


def test_what_changed_meanwhile_is_looked_at_again(world, detector, tmp_path, monkeypatch):
    out = tmp_path / "faces.jsonl"

    @contextmanager
    def stop_at_last(title):
        def step(done, total):
            if done == total:
                raise KeyboardInterrupt

        yield step

    with pytest.raises(KeyboardInterrupt):
        detect_faces(world, out, detector=detector, progress=stop_at_last)
    plant(world, "0123/1123.png", (300, 200), (200, 120, 280, 190))
    plant(world, "0123/3123.jpg", (300, 200), (20, 20, 280, 190))
    plant(world, "0000/1000.png", (100, 100), (20, 20, 80, 80))
    (world / "7.png").unlink()
    seen = Seen(monkeypatch)
    detect_faces(world, out, detector=detector)
    assert seen.count == 3
    monkeypatch.undo()
    fresh = tmp_path / "fresh.jsonl"
    detect_faces(world, fresh, detector=detector)
    assert out.read_bytes() == fresh.read_bytes()
    assert read_annotations(out).ids.tolist()[:4] == [1000, 1123, 2123, 3123]


def test_other_parameters_begin_again(world, detector, tmp_path, monkeypatch):
    out = tmp_path / "faces.jsonl"
    with pytest.raises(KeyboardInterrupt):
        detect_faces(world, out, detector=detector, progress=stop_at_third)
    seen = Seen(monkeypatch)
    detect_faces(world, out, detector=detector, min_score=0.95)
    assert seen.count == 6  # all but the empty file, which is not decoded
    assert read_annotations(out).counts.tolist() == [1, 1, 0, 0, 1]


KILLED = """
import os, signal, sys
from contextlib import contextmanager
from pathlib import Path
from mining.commands.detect import detect_faces

@contextmanager
def die(title):
    def step(done, total):
        if done == 150:
            os.kill(os.getpid(), signal.SIGKILL)
    yield step

pictures, out, detector = map(Path, sys.argv[1:])
detect_faces(pictures, out, detector=detector, progress=die)
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_killed_it_goes_on(detector, tmp_path, monkeypatch):
    root = tmp_path / "pictures"
    for number in range(200):
        at = number % 40
        plant(root, f"{number % 1000:04d}/{number}.png", (128, 96), (at, at, at + 50, at + 40))
    out = tmp_path / "faces.jsonl"
    ran = subprocess.run([sys.executable, "-c", KILLED, root, out, detector], check=False)
    assert ran.returncode == -signal.SIGKILL
    assert not out.exists()
    seen = Seen(monkeypatch)
    detect_faces(root, out, detector=detector)
    assert seen.count == 200 - 128  # what was in whole commits
    found = read_annotations(out)
    places = np.array(sorted(map(str, range(200)), key=lambda n: f"{int(n):04d}"), int) % 40
    assert found.boxes == pytest.approx(
        np.stack([places, places, places + 50, places + 40], axis=1), abs=0.1
    )


def test_once_the_boxes_are_there_nothing_is_left_to_go_on_from(world, detector, monkeypatch):
    """A kill may come before the database is closed, beside which SQLite keeps a journal."""
    out, together = world.parent / "faces.jsonl", mining.commands.detect.written_together
    begun = []

    @contextmanager
    def seen(*args, **options):
        with together(*args, **options) as staged:
            begun.extend(out.parent.glob("*.partial*"))
            yield staged
        assert out.exists()
        assert not list(out.parent.glob("*.partial*"))

    monkeypatch.setattr(mining.commands.detect, "written_together", seen)
    detect_faces(world, out, detector=detector)
    assert len(begun) == 2


def test_of_several_files_of_a_post_the_one_that_is_cropped_counts(detector, tmp_path):
    root = tmp_path / "pictures"
    plant(root, "0005/5.jpg", (128, 96), (0, 0, 60, 60))
    plant(root, "0005/5.png", (128, 96), (60, 30, 128, 96))
    plant(root, "5.jpg", (128, 96), (60, 30, 128, 96))
    plant(root, "deep/0006/6.png", (128, 96), (0, 0, 60, 60))
    plant(root, "deeper/0006/6.png", (128, 96), (60, 30, 128, 96))
    (root / "link.png").symlink_to(root / "5.jpg")
    made = detect_faces(root, tmp_path / "faces.jsonl", detector=detector)
    found = read_annotations(tmp_path / "faces.jsonl")
    assert found.ids.tolist() == [5, 6]
    assert (found.boxes[:, :2] < 3).all()
    left_out = {row.what: row.count for row in made.funnel if row.stage == "pictures"}
    assert left_out["another file of the same post"] == 3
    assert left_out["link, not followed"] == 1


def test_the_small_pictures_of_a_dump_are_taken(detector, tmp_path):
    plant(tmp_path / "dump", "512px/0005/5.png", (128, 96), (0, 0, 60, 60))
    plant(tmp_path / "dump", "original/0005/5.png", (1280, 960), (0, 0, 600, 600))
    detect_faces(tmp_path / "dump", tmp_path / "faces.jsonl", detector=detector)
    found = read_annotations(tmp_path / "faces.jsonl")
    assert found.ids.tolist() == [5]
    assert found.sizes.tolist() == [[128, 96]]


def test_many_that_cannot_be_read_are_not_all_named(detector, tmp_path):
    root = tmp_path / "pictures"
    plant(root, "a/1.png")
    for number in range(25):
        (root / "a" / f"bad {number}.png").write_bytes(b"\x89PNG")
    made = detect_faces(root, tmp_path / "faces.jsonl", detector=detector)
    assert len(made.warnings) == 11
    assert made.warnings[-1].startswith("15 more")


@pytest.mark.parametrize(
    ("options", "kind", "told"),
    [
        ({"min_score": 1.5}, SourceError, "min_score of 1.5; expected 0 to 1"),
        ({"overlap": -0.1}, SourceError, "overlap of -0.1; expected 0 to 1"),
        ({"workers": 0}, SourceError, "0 workers"),
        ({"out": "faces.json"}, OutputError, "expected a name that ends in .jsonl"),
        ({"detector": "missing.onnx"}, ModelError, "missing.onnx: cannot be read"),
        ({"pictures": "nowhere"}, SourceError, "nowhere: no such folder of pictures"),
        ({"pictures": "notes"}, SourceError, "notes: no pictures in it"),
        (
            {"pictures": "broken"},
            SourceError,
            "none of its 2 pictures can be read; the first, 'a.p",
        ),
        ({"max_pixels": 100}, SourceError, "none of its 7 .* more than the limit of 100 pixels"),
    ],
)
def test_what_is_refused(options, kind, told, world, detector, tmp_path):
    (tmp_path / "notes").mkdir()
    (tmp_path / "broken").mkdir()
    for name in ("a.png", "b.png"):
        (tmp_path / "broken" / name).write_bytes(b"no picture")
    given = {"pictures": world, "out": "faces.jsonl", "detector": detector, **options}
    for name in ("pictures", "out", "detector"):
        given[name] = tmp_path / given[name]
    with pytest.raises(kind, match=told):
        detect_faces(given.pop("pictures"), given.pop("out"), **given)
    assert not (tmp_path / "faces.jsonl").exists()


def test_nothing_is_replaced_unasked(world, detector, tmp_path):
    out = tmp_path / "faces.jsonl"
    for name in ("faces.jsonl", "faces.json"):
        (tmp_path / name).write_text("mine")
        with pytest.raises(OutputError, match="exists"):
            detect_faces(world, out, detector=detector)
        assert (tmp_path / name).read_text() == "mine"
        (tmp_path / name).unlink()


def test_a_stranger_in_the_place_of_what_was_found(world, detector, tmp_path):
    out = tmp_path / "faces.jsonl"
    partial = Path(f"{out}.partial")
    partial.write_text("my own notes, which are no database " * 100)
    with pytest.raises(OutputError, match=r"faces\.jsonl\.partial: cannot be used .*; remove it"):
        detect_faces(world, out, detector=detector)
    assert partial.read_text().startswith("my own notes")


def test_two_at_once_are_told_apart(world, detector, tmp_path):
    out = tmp_path / "faces.jsonl"
    with (
        Resume(Path(f"{out}.partial"), {}),
        pytest.raises(OutputError, match="in use; is the same command running elsewhere"),
    ):
        detect_faces(world, out, detector=detector)
