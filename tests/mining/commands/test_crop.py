"""Cropping a dataset: the original's files, what is missing, going on, and staying inside."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mining.cli.user_errors import message_of
from mining.commands import crop
from mining.commands.crop import crop_faces
from mining.parallel import in_order
from pairsets.errors import FacesError, OutputError, SourceError
from pairsets.faces import Faces
from pairsets.sources.dataset import Dataset
from pairsets.sources.folders.safe_names import SafeNames


def draw(path: Path, seed: int, side: int = 96) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    Image.fromarray(pixels).resize((side, side), Image.Resampling.BICUBIC).save(path)


def originals(pictures: Path, dataset: Path, out: Path) -> None:
    """The original's loop, with nothing of ours."""
    for identity, faces in json.loads(dataset.read_text("utf-8")).items():
        folder = out / identity.replace("/", "__")
        folder.mkdir(parents=True)
        for face in faces:
            path = pictures / f"{face['id'] % 1000:04d}" / f"{face['id']}.jpg"
            image = Image.open(path).crop(face["bbox"]).resize((224, 224))
            image.save(folder / f"{face['id']}.jpg")


def tree(root: Path) -> dict[str, bytes]:
    """The crops, by path."""
    return {p.relative_to(root).as_posix(): p.read_bytes() for p in root.glob("*/*.jpg")}


def size_of(path: Path) -> tuple[int, int]:
    with Image.open(path) as image:
        return image.size


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.fixture
def world(tmp_path):
    """Forty faces of twenty identities, two with an ugly name, in buckets; and their dataset."""
    names = [f"identity_{number}" for number in range(18)] + ["saber_(fate/zero)", "橘 & 雪"]
    faces = {}
    for at, name in enumerate(names):
        faces[name] = []
        for number in (2 * at + 1_003_000, 2 * at + 1):
            draw(tmp_path / "512px" / f"{number % 1000:04d}" / f"{number}.jpg", number)
            faces[name].append((number, (at, 2 * at, 60 + at, 70 + 3 * at)))
    dataset = Dataset.of(faces).write(tmp_path / "test.json")
    return tmp_path / "512px", dataset, tmp_path / "out"


def test_the_files_of_the_original(world, tmp_path):
    pictures, dataset, out = world
    made = crop_faces(pictures, dataset, out)
    originals(pictures, dataset, tmp_path / "theirs")
    assert tree(out) == tree(tmp_path / "theirs")
    assert len(tree(out)) == 40
    assert [(row.what, row.count) for row in made.funnel] == [
        ("faces in the dataset", 40),
        ("crops", 40),
    ]
    assert not made.warnings
    found = Faces.scan(out)
    assert found.skipped == {}  # what `crop` itself wrote is nothing that was left out
    names = SafeNames.read(out / "names.csv")
    wanted = [face.character for face in Dataset.read(dataset)]
    assert sorted(map(names.name, found.identities)) == sorted(wanted)
    table = rows_of(out / "crops.csv")
    assert [row["path"] for row in table][-1] == "橘 & 雪/39.jpg"
    assert [int(row["id"]) for row in table] == Dataset.read(dataset).ids.tolist()
    assert all((out / row["path"]).stat().st_size == int(row["crop_bytes"]) for row in table)
    assert not list(out.glob(".unfinished*"))


def test_the_same_inputs_give_the_same_bytes(world, tmp_path):
    pictures, dataset, out = world
    crop_faces(pictures, dataset, out, workers=1)
    crop_faces(pictures.parent, dataset, tmp_path / "again", workers=5)
    one, other = (
        {p.relative_to(root).as_posix(): p.read_bytes() for p in root.rglob("*") if p.is_file()}
        for root in (out, tmp_path / "again")
    )
    assert one == other
    assert len(one) == 40 + 3


def test_missing_and_broken_pictures_are_listed_and_made_up_for(world):
    pictures, dataset, out = world
    gone, broken = pictures / "0001" / "1.jpg", pictures / "0005" / "5.jpg"
    kept = {path: path.read_bytes() for path in (gone, broken)}
    gone.unlink()
    broken.write_bytes(kept[broken][:300])
    for number in (1_003_006, 7):
        (pictures / f"{number % 1000:04d}" / f"{number}.jpg").unlink()
    made = crop_faces(pictures, dataset, out)
    assert {row.what: row.count for row in made.funnel} == {
        "faces in the dataset": 40,
        "faces whose picture was not found": 3,
        "faces whose picture cannot be used": 1,
        "identities without a crop": 1,
        "crops": 36,
    }
    listed = rows_of(out / "missing.csv")
    assert [row["id"] for row in listed] == ["1", "5", "1003006", "7"]
    assert listed[0]["identity"] == "identity_0"
    assert "0001/1.jpg" in listed[0]["why"]
    assert "cut off" in listed[1]["why"]
    (warning,) = made.warnings
    assert "4 of 40" in warning
    assert str(out / "missing.csv") in warning
    # The same command takes what is there by now, and makes no other crop again.
    for path, data in kept.items():
        path.write_bytes(data)
    before = {path: path.stat().st_mtime_ns for path in out.glob("*/*.jpg")}
    made = crop_faces(pictures, dataset, out, overwrite=True)
    assert ("crops that were there already", 36) in [(row.what, row.count) for row in made.funnel]
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert len(tree(out)) == 38


def test_a_crop_of_something_else_is_not_taken_for_it(world, tmp_path):
    pictures, dataset, out = world
    crop_faces(pictures, dataset, out)
    first = tree(out)
    # Other settings.
    crop_faces(pictures, dataset, out, size=100, overwrite=True)
    assert {size_of(path) for path in out.glob("*/*.jpg")} == {(100, 100)}
    # Another box, another picture, a crop that was cut off or is gone; the others stay.
    crop_faces(pictures, dataset, out, overwrite=True)
    content = json.loads(dataset.read_text("utf-8"))
    content["identity_0"][0]["bbox"] = [1, 1, 30, 30]
    del content["identity_1"]
    dataset.write_text(json.dumps(content), "utf-8")
    draw(pictures / "0004" / "1003004.jpg", 999, side=120)
    (out / "identity_3" / "7.jpg").write_bytes(b"cut")
    (out / "identity_4" / "9.jpg").unlink()
    made = crop_faces(pictures, dataset, out, overwrite=True)
    assert ("crops that were there already", 34) in [(row.what, row.count) for row in made.funnel]
    originals(pictures, dataset, tmp_path / "theirs")
    assert tree(out) == tree(tmp_path / "theirs")
    assert set(first) - set(tree(out)) == {"identity_1/1003002.jpg", "identity_1/3.jpg"}
    assert not (out / "identity_1").exists()


def test_crops_of_another_pillow_are_made_again(world, monkeypatch):
    pictures, dataset, out = world
    with monkeypatch.context() as patch:
        patch.setattr(crop, "installed", lambda name: {name: "1.0"})
        crop_faces(pictures, dataset, out)
    made = crop_faces(pictures, dataset, out, overwrite=True)
    assert "crops that were there already" not in [row.what for row in made.funnel]


def test_what_is_finished_or_foreign_is_not_touched(world, tmp_path):
    pictures, dataset, out = world
    crop_faces(pictures, dataset, out)
    with pytest.raises(OutputError, match="--overwrite"):
        crop_faces(pictures, dataset, out)
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "mine.txt").write_text("mine")
    for overwrite in (False, True):
        with pytest.raises(OutputError, match="holds no crops"):
            crop_faces(pictures, dataset, foreign, overwrite=overwrite)
    assert [path.name for path in foreign.iterdir()] == ["mine.txt"]
    with pytest.raises(OutputError, match="a file; expected a folder"):
        crop_faces(pictures, dataset, foreign / "mine.txt")
    with pytest.raises(OutputError, match="a file, not a folder"):
        crop_faces(pictures, dataset, foreign / "mine.txt" / "out")


def test_nothing_is_written_through_a_planted_link(world, tmp_path):
    pictures, dataset, out = world
    crop_faces(pictures, dataset, out)
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "3.jpg").write_bytes(b"precious")
    for path in (out / "identity_1").iterdir():
        path.unlink()
    (out / "identity_1").rmdir()
    (out / "identity_1").symlink_to(outside)
    with pytest.raises(OutputError, match="identity_1: a link"):
        crop_faces(pictures, dataset, out, size=64, overwrite=True)
    (out / "identity_1").unlink()
    # A link in a file's place is replaced, and what it leads to stays.
    file = out / "identity_2" / "5.jpg"
    file.unlink()
    file.symlink_to(outside / "3.jpg")
    crop_faces(pictures, dataset, out, overwrite=True)
    assert not file.is_symlink()
    assert (outside / "3.jpg").read_bytes() == b"precious"
    assert [path.name for path in outside.iterdir()] == ["3.jpg"]


def test_a_table_that_was_tampered_with_removes_nothing_outside(world, tmp_path):
    pictures, dataset, out = world
    crop_faces(pictures, dataset, out)
    (tmp_path / "victim").mkdir()
    (tmp_path / "victim" / "a.jpg").write_bytes(b"precious")
    lines = (out / "crops.csv").read_text("utf-8").splitlines()
    lines += ["../victim/a.jpg,1,0,0,1,1,1,1", f"{tmp_path}/victim/a.jpg,1,0,0,1,1,1,1"]
    lines += ["victim,1,0,0,1,1,1,1"]
    (out / "crops.csv").write_text("\n".join(lines) + "\n", "utf-8")
    crop_faces(pictures, dataset, out, overwrite=True)
    assert (tmp_path / "victim" / "a.jpg").read_bytes() == b"precious"


def test_characters_whose_names_are_no_folders(tmp_path):
    names = ["..", "CON", "x.", "Rei", "rei", "a/b", "a__b", "crops.json", "Names.csv", "n\ud800"]
    names += ["", "雪" * 120, "../../up", ".unfinished", "missing.csv"]
    draw(tmp_path / "p" / "7.jpg", 7)
    dataset = Dataset.of({name: [(7, (0, 0, 50, 50))] for name in names})
    path = dataset.write(tmp_path / "d.json")
    crop_faces(tmp_path / "p", path, tmp_path / "deep" / "out")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["d.json", "deep", "p"]
    assert [p.name for p in (tmp_path / "deep").iterdir()] == ["out"]
    record = SafeNames.read(tmp_path / "deep" / "out" / "names.csv")
    found = Faces.scan(tmp_path / "deep" / "out")
    assert sorted(map(record.name, found.identities)) == sorted(names)
    assert len(rows_of(tmp_path / "deep" / "out" / "crops.csv")) == len(names)


def test_not_one_picture_there(world, tmp_path):
    pictures, dataset, out = world
    (tmp_path / "wrong").mkdir()
    with pytest.raises(SourceError) as error:
        crop_faces(tmp_path / "wrong", dataset, out)
    told = str(error.value)
    assert "not one of the 40 pictures" in told
    assert "is this the folder of the pictures" in told
    assert not out.exists()
    with pytest.raises(SourceError, match="no such folder of pictures"):
        crop_faces(tmp_path / "nowhere", dataset, out)
    with pytest.raises(SourceError, match="no such dataset"):
        crop_faces(pictures, tmp_path / "nowhere.json", out)
    assert not out.exists()


def test_boxes_outside_are_told(world):
    pictures, _, out = world
    faces = {"a": [(1, (0, 0, 9, 9)), (3, (96, 0, 120, 40))]}
    dataset = Dataset.of(faces).write(pictures.parent / "outside.json")
    made = crop_faces(pictures, dataset, out)
    assert "1 boxes lie outside" in made.warnings[0]
    assert np.asarray(Image.open(out / "a" / "3.jpg")).max() == 0


def test_paths_as_ids(tmp_path):
    names = ["AJ_Cook/AJ_Cook_0001.jpg", "AJ_Cook/AJ_Cook_0002.png", "x y/é.webp"]
    for at, name in enumerate(names):
        draw(tmp_path / "p" / name, at)
    faces = {"AJ_Cook": [(name, (0, 0, 50, 60)) for name in names]}
    dataset = Dataset.of(faces).write(tmp_path / "d.json")
    crop_faces(tmp_path / "p", dataset, tmp_path / "out")
    rows = rows_of(tmp_path / "out" / "crops.csv")
    assert [row["id"] for row in rows] == names
    assert rows[2]["path"] == "AJ_Cook/x y__é.jpg"
    assert {row["path"] for row in rows} == set(tree(tmp_path / "out"))


class StopError(Exception):
    pass


@pytest.mark.parametrize("error", [KeyboardInterrupt, StopError])
def test_interrupted_it_goes_on(world, tmp_path, monkeypatch, error):
    pictures, dataset, out = world
    monkeypatch.setattr(crop, "_CHUNK", 4)
    originals(pictures, dataset, tmp_path / "theirs")
    whole = crop.crop_face
    calls = []

    def failing(*args, **options):
        calls.append(args)
        if len(calls) == 17:
            raise error
        return whole(*args, **options)

    monkeypatch.setattr(crop, "crop_face", failing)
    with pytest.raises(error):
        crop_faces(pictures, dataset, out, workers=2)
    theirs = tree(tmp_path / "theirs")
    assert tree(out).items() <= theirs.items()
    assert not (out / "crops.json").exists()
    # Half a line is left of what was being noted.
    with (out / ".unfinished" / "journal.csv").open("a") as stream:
        stream.write("identity_17/1003034.jpg,1003034,17,34,77,121,9")
    (out / ".unfinished" / "0.part").write_bytes(b"half")
    with pytest.raises(OutputError, match="other settings"):
        crop_faces(pictures, dataset, out, size=100)
    calls[:] = range(100)
    made = crop_faces(pictures, dataset, out)
    (kept,) = [row.count for row in made.funnel if row.what == "crops that were there already"]
    assert 4 <= kept < 40
    assert len(calls) == 100 + 40 - kept
    assert tree(out) == theirs
    assert not (out / ".unfinished").exists()


def test_begun_anew_with_other_settings_and_faces_leaves_nothing_of_the_old(world, monkeypatch):
    pictures, dataset, out = world
    monkeypatch.setattr(crop, "_CHUNK", 2)
    put = crop.FaceFolder.put
    calls = []

    def dying(folder, path, data):
        put(folder, path, data)
        calls.append(path)
        if len(calls) >= 9:  # in place, but not noted yet
            raise KeyboardInterrupt

    monkeypatch.setattr(crop.FaceFolder, "put", dying)
    with pytest.raises(KeyboardInterrupt):
        crop_faces(pictures, dataset, out, workers=1)
    assert len(tree(out)) >= 9
    monkeypatch.setattr(crop.FaceFolder, "put", put)
    other = Dataset.of({"new": [(1, (0, 0, 9, 9))]}).write(pictures.parent / "other.json")
    crop_faces(pictures, other, out, size=32, overwrite=True)
    assert list(tree(out)) == ["new/1.jpg"]


def test_what_is_left_of_finished_work_goes_though_the_command_is_refused(world):
    """As a kill leaves it that comes while the work of finished crops is removed."""
    pictures, dataset, out = world
    crop_faces(pictures, dataset, out)
    files = tree(out)
    (out / ".unfinished").mkdir()
    (out / ".unfinished" / "journal.csv").write_text("path\n")
    (out / ".unfinished" / ".lock").touch()
    with pytest.raises(OutputError, match="exists; choose another --out"):
        crop_faces(pictures, dataset, out)
    assert not (out / ".unfinished").exists()
    assert tree(out) == files


def test_killed_it_goes_on_and_two_at_once_are_refused(world, tmp_path):
    pictures, dataset, out = world
    slow = (
        "import itertools, sys, time; from pathlib import Path; "
        "from mining.commands import crop as cropping; "
        "put = cropping.FaceFolder.put; cropping._CHUNK = 2; "
        "begun = itertools.count(); "  # after a dozen it waits to be killed
        "cropping.FaceFolder.put = lambda *a: (next(begun) < 12 or time.sleep(10_000), put(*a)); "
        "cropping.crop_faces(*map(Path, sys.argv[1:]), workers=2)"
    )
    arguments = [str(path) for path in (pictures, dataset, out)]
    process = subprocess.Popen(
        [sys.executable, "-c", slow, *arguments], cwd=Path(__file__).parents[3]
    )
    try:
        while len(tree(out)) < 8 and process.poll() is None:
            time.sleep(0.01)
        with pytest.raises(OutputError, match=r"process \d+, at work since"):
            crop_faces(pictures, dataset, out)
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    assert not (out / "crops.json").exists()
    originals(pictures, dataset, tmp_path / "theirs")
    made = crop_faces(pictures, dataset, out)
    assert any(row.what == "crops that were there already" for row in made.funnel)
    assert tree(out) == tree(tmp_path / "theirs")


def test_a_full_disk_names_the_crop(world, monkeypatch):
    pictures, dataset, out = world

    def full(source, target):
        raise OSError(28, "No space left on device", str(source))

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space left") as error:
        crop_faces(pictures, dataset, out)
    assert "make room" in message_of(error.value)
    assert not list(out.glob("**/*.jpg"))


def test_an_error_at_the_very_start_leaves_nothing(world, monkeypatch):
    pictures, dataset, out = world
    put, count = crop.FaceFolder.put, iter(range(100))

    def full_after_five(folder, path, data):
        if next(count) >= 5:
            raise OSError(28, "No space left on device", path)
        put(folder, path, data)

    monkeypatch.setattr(crop.FaceFolder, "put", full_after_five)
    with pytest.raises(OSError, match="No space left"):
        crop_faces(pictures, dataset, out)
    assert not out.exists()
    monkeypatch.undo()
    assert crop_faces(pictures, dataset, out).funnel[-1].count == 40


def test_unfinished_crops_are_no_faces(world, monkeypatch):
    pictures, dataset, out = world

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(crop.FaceFolder, "finish", interrupted)
    with pytest.raises(KeyboardInterrupt):
        crop_faces(pictures, dataset, out)
    with pytest.raises(FacesError, match=r"not all faces are in it yet.*\.unfinished/"):
        Faces.scan(out)
    monkeypatch.undo()
    crop_faces(pictures, dataset, out)
    assert len(Faces.scan(out)) == 40


def test_work_in_order_is_bounded_and_stops():
    begun, gate = [], threading.Event()

    def items():
        for number in range(1000):
            begun.append(number)
            yield number

    def work(number):
        if number == 0:
            gate.wait(600)
        return number * number

    results = in_order(work, items(), 2)
    threading.Timer(0.2, gate.set).start()
    assert next(results) == 0
    assert len(begun) <= 8
    assert [next(results) for _ in range(20)] == [n * n for n in range(1, 21)]
    results.close()
    assert len(begun) < 40


def test_the_published_test_set(real_data, tmp_path):
    source = real_data / "zaci20" / "zaci20_test.json"
    content = json.loads(source.read_text("utf-8"))
    for seed in range(16):
        draw(tmp_path / f"{seed}.jpg", seed, side=512)
    # Some pictures are listed under two identities.
    for number in {face["id"] for faces in content.values() for face in faces}:
        path = tmp_path / "512px" / f"{number % 1000:04d}" / f"{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.hardlink_to(tmp_path / f"{number % 16}.jpg")
    made = crop_faces(tmp_path, source, tmp_path / "out")
    assert made.funnel[-1].count == 2006
    originals(tmp_path / "512px", source, tmp_path / "theirs")
    assert len(list((tmp_path / "theirs").iterdir())) == 1003
    assert tree(tmp_path / "out") == tree(tmp_path / "theirs")
    faces = Faces.scan(tmp_path / "out")
    assert (len(faces), faces.count_identities) == (2006, 1003)
