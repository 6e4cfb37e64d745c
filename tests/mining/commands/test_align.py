"""Aligning a folder of faces: its paths stay, nothing is lost in silence, and work goes on."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mining.commands import align
from mining.commands.align import align_faces
from pairsets.errors import FacesError, OutputError, SourceError
from pairsets.faces import Faces
from pairsets.sources.folders.alignment import TEMPLATE, align_face

NAMES = ["rei/1.png", "rei/2.png", "asuka/1.png", "asuka/2.jpg"]


def points_of(path: str) -> np.ndarray:
    return TEMPLATE * 1.5 + 3 * NAMES.index(path)


def table(file: Path, names: list[str]) -> Path:
    header = ["path", *(f"{axis}{at}" for at in range(1, 6) for axis in "xy")]
    with file.open("w", newline="", encoding="utf-8") as stream:
        rows = csv.writer(stream)
        rows.writerow(header)
        rows.writerows([name, *points_of(name).ravel().tolist()] for name in names)
    return file


@pytest.fixture
def home(tmp_path: Path) -> Path:
    for at, name in enumerate(NAMES):
        file = tmp_path / "faces" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(at).integers(0, 256, (9, 9, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((200, 180)).save(file)
    table(tmp_path / "points.csv", NAMES)
    return tmp_path


def run(home: Path, **options: object) -> align.CommandResult:
    return align_faces(home / "faces", home / "points.csv", home / "out", **options)  # type: ignore[arg-type]


def tree(folder: Path) -> dict[str, bytes]:
    return {one.relative_to(folder).as_posix(): one.read_bytes() for one in folder.glob("*/*.*")}


@pytest.mark.parametrize("workers", [1, 3])
def test_paths_stay_and_files_are_those_of_each_face(home: Path, workers: int) -> None:
    made = run(home, workers=workers)
    found = tree(home / "out")
    assert found == {
        name: align_face((home / "faces" / name).read_bytes(), points_of(name), name)
        for name in NAMES
    }
    assert [*Faces.scan(home / "out").paths] == sorted(NAMES)
    assert [(row.what, row.count) for row in made.funnel][-1] == ("faces aligned", 4)
    assert made.warnings == []
    manifest = json.loads((home / "out" / "aligned.json").read_text())
    assert (manifest["faces"], manifest["aligned"], manifest["missing"]) == (4, 4, 0)
    assert manifest["key"]["size"] == 112
    with (home / "out" / "aligned.csv").open() as stream:
        assert [row["path"] for row in csv.DictReader(stream)] == sorted(NAMES)
    assert not (home / "out" / "missing.csv").exists()


def test_faces_that_are_not_aligned_are_listed(home: Path) -> None:
    table(home / "points.csv", NAMES[:3])
    (home / "faces" / NAMES[0]).write_bytes(b"no picture")
    made = run(home)
    assert sorted(tree(home / "out")) == ["asuka/1.png", "rei/2.png"]
    with (home / "out" / "missing.csv").open() as stream:
        rows = [(row["identity"], row["id"], row["why"]) for row in csv.DictReader(stream)]
    assert [row[:2] for row in rows] == [("asuka", "asuka/2.jpg"), ("rei", "rei/1.png")]
    assert rows[0][2] == "no landmarks"
    assert "2 of 4 faces are not in the aligned folder" in made.warnings[0]
    counts = {row.what: row.count for row in made.funnel}
    assert counts["faces without landmarks"] == counts["faces that cannot be used"] == 1


def test_pictures_of_the_list_that_are_no_faces_are_told(home: Path) -> None:
    text = (home / "points.csv").read_text()
    (home / "points.csv").write_text(text + text.splitlines()[1].replace("rei/1", "mari/1") + "\n")
    made = run(home)
    [told] = made.warnings
    assert "1 of 5 pictures" in told
    assert "'mari/1.png'" in told


def test_a_face_from_the_side_is_left_out(home: Path) -> None:
    lines = (home / "points.csv").read_text().splitlines()
    cells = lines[1].split(",")
    exchanged = [*cells[3:5], *cells[1:3], *cells[5:7], *cells[9:], *cells[7:9]]
    lines[1] = ",".join([cells[0], *exchanged])
    lines[2] = ",".join([NAMES[1], *["5"] * 10])
    (home / "points.csv").write_text("\n".join(lines) + "\n")
    run(home)
    with (home / "out" / "missing.csv").open() as stream:
        whys = {row["id"]: row["why"] for row in csv.DictReader(stream)}
    assert "left and right of its landmarks are exchanged" in whys.pop(NAMES[0])
    assert whys == {NAMES[1]: "its eyes and mouth lie on one line"}
    assert sorted(tree(home / "out")) == sorted(NAMES[2:])


def test_interrupted_it_goes_on(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(align, "CHUNK", 1)
    seen: list[str] = []

    def stopping(*given: object, **options: object) -> bytes:
        seen.append(str(given[2]))
        if len(seen) == 3:
            raise KeyboardInterrupt
        return align_face(*given, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(align, "align_face", stopping)
    with pytest.raises(KeyboardInterrupt):
        run(home, workers=1)
    with pytest.raises(FacesError, match="not all faces are in it yet"):
        Faces.scan(home / "out")
    first = {*seen[:2]}
    seen.clear()
    seen.extend(["", "", ""])
    made = run(home, workers=1)
    assert not first & {*seen}
    assert sorted(tree(home / "out")) == sorted(NAMES)
    assert {row.what: row.count for row in made.funnel}["faces that were there already"] == 2


def test_done_is_done_and_another_size_begins_anew(home: Path) -> None:
    run(home)
    with pytest.raises(OutputError, match="exists; choose another --out"):
        run(home)
    before = tree(home / "out")
    made = run(home, overwrite=True)
    assert {row.what: row.count for row in made.funnel}["faces that were there already"] == 4
    assert tree(home / "out") == before
    run(home, overwrite=True, size=64)
    with Image.open(home / "out" / NAMES[0]) as face:
        assert face.size == (64, 64)


def test_a_changed_picture_is_aligned_anew(home: Path) -> None:
    run(home)
    before = tree(home / "out")
    Image.new("RGB", (200, 180), "red").save(home / "faces" / NAMES[0])
    run(home, overwrite=True)
    after = tree(home / "out")
    assert [name for name in NAMES if after[name] != before[name]] == [NAMES[0]]


def test_a_list_of_other_faces_is_refused(home: Path) -> None:
    text = (home / "points.csv").read_text().replace("rei/", "faces/rei/")
    (home / "points.csv").write_text(text.replace("asuka/", "faces/asuka/"))
    with pytest.raises(SourceError, match=r"of none of the 4 faces .* 'faces/rei/1\.png'"):
        run(home)
    assert not (home / "out").exists()


def test_not_one_face_that_can_be_used_leaves_nothing(home: Path) -> None:
    for name in NAMES:
        (home / "faces" / name).write_bytes(b"no picture")
    with pytest.raises(SourceError, match="not one of its 4 faces"):
        run(home)
    assert not (home / "out").exists()


def test_what_cannot_be_is_refused(home: Path) -> None:
    with pytest.raises(SourceError, match="no such file; expected a list of landmarks"):
        align_faces(home / "faces", home / "none.csv", home / "out")
    with pytest.raises(SourceError, match="a folder; expected a list of landmarks"):
        align_faces(home / "faces", home, home / "out")
    with pytest.raises(OutputError, match="inside the faces folder"):
        align_faces(home / "faces", home / "points.csv", home / "faces" / "out")
    with pytest.raises(SourceError, match="a size of 0 pixels"):
        run(home, size=0)
    (home / "faces" / "rei").rename(home / "faces" / "missing.csv")
    with pytest.raises(SourceError, match=r"the folder 'missing\.csv' has the name of a table"):
        run(home)
