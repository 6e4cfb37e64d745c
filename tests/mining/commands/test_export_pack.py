"""Packs for other evaluators, read back by their documented rules and not by ours."""

from __future__ import annotations

import csv
import io
import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.command_line import lookalikes

from mining.commands import export_pack as module
from mining.commands.convert import convert_pairs
from mining.commands.export_pack import PackOptions, export_pack
from pairsets import Faces, PairSet
from pairsets.errors import FacesError, OutputError, PairSetError, SourceError
from pairsets.files.folds import Folds
from pairsets.files.side_files import folds_of
from pairsets.images import decode

# Blanks, a tab, three that meet without them, other scripts, signs that mean something elsewhere.
NAMES = (
    "Ada Ash",
    "Ada_Ash",
    "Ada  Ash",
    "橘 雪\u3000子",
    "d & e",
    "Zoë",
    "12",
    'the "b" \t x',
    "o%20",
)
ENDINGS = (".jpg", ".png", ".webp", ".jpg")


def picture(seed: int, kind: str = "JPEG", size: tuple[int, int] = (24, 24), **options) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).resize(size).save(file, kind, **options)
    return file.getvalue()


@pytest.fixture
def faces(tmp_path: Path) -> Path:
    """Four faces of each identity, of several kinds, all of one size."""
    kinds = {".jpg": "JPEG", ".png": "PNG", ".webp": "WEBP"}
    for at, name in enumerate(NAMES):
        for number, ending in enumerate(ENDINGS):
            file = tmp_path / "faces" / name / f"{9 - number}x {number}{ending}"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(picture(10 * at + number, kinds[ending]))
    return tmp_path / "faces"


@pytest.fixture
def folded(faces: Path) -> Path:
    """Two folds of four positives and four negatives, rows in no order, and one invalid pair."""
    rows = []
    paths = {name: sorted(path.name for path in (faces / name).iterdir()) for name in NAMES}
    for fold in (1, 2):
        for at in range(4):
            name, other = NAMES[4 * (fold - 1) + at], NAMES[(4 * (fold - 1) + at + 1) % len(NAMES)]
            one, two, three = (f"{name}/{paths[name][n]}" for n in (0, 1, 2))
            rows += [(two, one, 1, fold), (three, f"{other}/{paths[other][3]}", 0, fold)]
    rows.append((f"{NAMES[0]}/{paths[NAMES[0]][0]}", f"{NAMES[5]}/{paths[NAMES[5]][0]}", 0, 1))
    rows = [rows[at] for at in np.random.default_rng(3).permutation(len(rows) - 1)] + rows[-1:]
    a, b, label, fold = zip(*rows, strict=True)
    pairs = PairSet.of(a, b, label, -1, [0] * (len(rows) - 1) + [1])
    file = faces.parent / "pairs.csv"
    pairs.write(file)
    Folds(np.array(fold, np.int32)).write(folds_of(file), pairs)
    return file


# --- other projects' readers, by their rules


def facenet_pairs(folder: Path) -> list[tuple[str, str, bool]]:
    """facenet, InsightFace's lfw2pack: the first line skipped, the rest cut at white space."""
    found = []
    for line in (folder / "pairs.txt").read_text("utf-8").splitlines()[1:]:
        cells = line.strip().split()
        if len(cells) == 3:
            names = [(cells[0], cells[1]), (cells[0], cells[2])]
        else:
            assert len(cells) == 4
            names = [(cells[0], cells[1]), (cells[2], cells[3])]
        a, b = (f"{name}/{name}_{int(number):04d}.jpg" for name, number in names)
        assert (folder / a).is_file()
        assert (folder / b).is_file()
        found.append((a, b, len(cells) == 3))
    return found


def scikit_learn_pairs(folder: Path) -> list[tuple[str, str, bool]]:
    """scikit-learn: cut at tabs, rows of more than two; the N-th of a person's sorted files."""
    rows = [line.strip().split("\t") for line in (folder / "pairs.txt").read_text().split("\n")]
    found = []
    for row in rows:
        if len(row) < 3:
            continue
        names = [(row[0], row[1]), (row[-2] if len(row) == 4 else row[0], row[-1])]
        a, b = (
            f"{name}/{sorted(path.name for path in (folder / name).iterdir())[int(number) - 1]}"
            for name, number in names
        )
        found.append((a, b, len(row) == 3))
    return found


def torchvision_pairs(folder: Path) -> list[tuple[str, str, bool, int]]:
    """torchvision: the first line says how many folds and pairs; positives come first."""
    lines = (folder / "pairs.txt").read_text("utf-8").splitlines()
    head = [int(cell) for cell in lines[0].split("\t")]
    folds, size = head if len(head) == 2 else (1, head[0])
    assert len(lines) == 1 + 2 * folds * size
    found = []
    for fold in range(folds):
        first = 1 + 2 * size * fold
        for line in lines[first : first + size]:
            name, one, two = line.split("\t")
            found.append((face_of(name, one), face_of(name, two), True, fold + 1))
        for line in lines[first + size : first + 2 * size]:
            name, one, other, two = line.split("\t")
            found.append((face_of(name, one), face_of(other, two), False, fold + 1))
    return found


def face_of(name: str, number: str) -> str:
    return f"{name}/{name}_{int(number):04d}.jpg"


def eval_pack_pairs(folder: Path) -> list[tuple[str, str, bool]]:
    """InsightFace's build_eval_pack: three cells by white space, 0 is different."""
    found = []
    for line in (folder / "pairs_label.txt").read_text("utf-8").splitlines():
        cells = line.strip().split()
        assert len(cells) == 3
        assert (folder / cells[0]).is_file()
        assert (folder / cells[1]).is_file()
        found.append((cells[0], cells[1], cells[2] != "0"))
    return found


def faces_by_number(folder: Path) -> dict[int, list[str]]:
    """InsightFace's face2rec2: a run of one number is an identity."""
    found: dict[int, list[str]] = {}
    last = -1
    for line in (folder / "faces.lst").read_text("utf-8").splitlines():
        aligned, path, number = line.strip().split("\t")
        assert aligned == "1"
        assert (folder / path).is_file()
        assert int(number) == last or int(number) not in found
        last = int(number)
        found.setdefault(last, []).append(path)
    return found


def originals(folder: Path) -> dict[str, str]:
    """The face's own path, by that in the pack."""
    with (folder / "pack.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    texts = {row["path"]: row["face"] for row in rows}
    return {path: json.loads(face) if face[0] == '"' else face for path, face in texts.items()}


def valid_pairs(file: Path) -> set[tuple[str, str, bool]]:
    pairs = PairSet.read(file)
    pairs = pairs.take(pairs.valid)
    labels = map(bool, pairs.label.tolist())
    return set(zip(pairs.path_a, pairs.path_b, labels, strict=True))


def shown(data: bytes) -> np.ndarray:
    return np.asarray(decode(data)).astype(int)


# --- tests


def test_an_lfw_pack_is_read_alike_by_all_who_read_lfw(faces, folded, tmp_path):
    made = export_pack(folded, faces, tmp_path / "pack", PackOptions("lfw"))
    pack, face = tmp_path / "pack", originals(tmp_path / "pack")
    found = facenet_pairs(pack)
    assert {(face[a], face[b], same) for a, b, same in found} == valid_pairs(folded)
    assert len(found) == 16
    assert scikit_learn_pairs(pack) == found
    assert [row[:3] for row in torchvision_pairs(pack)] == found
    whole = PairSet.read(folded)
    parts = dict(zip(whole.keys, Folds.read(folds_of(folded), whole).numbers.tolist(), strict=True))
    for a, b, _, fold in torchvision_pairs(pack):
        assert parts[min(face[a], face[b]), max(face[a], face[b])] == fold
    assert {row.what: row.count for row in made.funnel}["pairs"] == 16
    assert [row.count for row in made.funnel if "invalid" in row.what] == [1]
    # Nothing but what they read, and what says which face each is.
    assert sorted(path.name for path in pack.iterdir() if path.is_file()) == [
        "names.csv", "pack.csv", "pack.json", "pairs.txt",
    ]  # fmt: skip


def test_ours_reads_it_back(faces, folded, tmp_path):
    export_pack(folded, faces, tmp_path / "pack", PackOptions("lfw"))
    convert_pairs(tmp_path / "pack/pairs.txt", tmp_path / "back.csv", faces=tmp_path / "pack")
    face = originals(tmp_path / "pack")
    back = {(face[a], face[b], same) for a, b, same in valid_pairs(tmp_path / "back.csv")}
    assert back == valid_pairs(folded)
    assert Faces.scan(tmp_path / "pack").count_identities == len(NAMES)


def test_an_insightface_pack(faces, folded, tmp_path):
    made = export_pack(folded, faces, tmp_path / "pack", PackOptions("insightface"))
    pack, face = tmp_path / "pack", originals(tmp_path / "pack")
    found = {(face[a], face[b], same) for a, b, same in eval_pack_pairs(pack)}
    assert found == valid_pairs(folded)
    listed = faces_by_number(pack)
    assert sorted(listed) == list(range(len(NAMES)))
    assert sorted(path for paths in listed.values() for path in paths) == sorted(face)
    for paths in listed.values():
        assert len({face[path].partition("/")[0] for path in paths}) == 1
    assert (pack / "property").read_text() == f"{len(NAMES)},24,24\n"
    assert any("10 equal parts, which the 2 folds" in note for note in made.warnings)
    assert any("Nothing is aligned" in note for note in made.warnings)
    convert_pairs(pack / "pairs_label.txt", tmp_path / "back.csv", faces=pack)
    back = valid_pairs(tmp_path / "back.csv")
    assert {(face[a], face[b], same) for a, b, same in back} == valid_pairs(folded)


def test_without_folds_every_part_of_the_list_has_both_labels(faces, tmp_path):
    names = [n for n in NAMES if n not in ("Ada_Ash", "Ada  Ash")]
    paths = {name: sorted(f"{name}/{p.name}" for p in (faces / name).iterdir()) for name in names}
    positives = [(paths[n][0], paths[n][at], 1) for n in names[:5] for at in (1, 2)]
    negatives = [(paths[a][at], paths[b][at], 0) for at in range(4) for a, b in pairwise(names)][
        :20
    ]
    a, b, label = zip(*positives, *negatives, strict=True)
    PairSet.of(a, b, label).write(tmp_path / "pairs.csv")
    export_pack(tmp_path / "pairs.csv", faces, tmp_path / "pack", PackOptions("insightface"))
    found = eval_pack_pairs(tmp_path / "pack")
    for part in np.array_split(np.arange(30), 10):
        assert [found[at][2] for at in part].count(True) == 1
    with pytest.raises(SourceError, match=r"10 positives and 20 negatives: pairs\.txt wants"):
        export_pack(tmp_path / "pairs.csv", faces, tmp_path / "lfw", PackOptions("lfw"))
    assert not (tmp_path / "lfw").exists()


def test_names_say_who_was_renamed(faces, folded, tmp_path):
    export_pack(folded, faces, tmp_path / "pack", PackOptions("lfw"))
    with (tmp_path / "pack/names.csv").open(encoding="utf-8", newline="") as stream:
        names = {row["folder"]: row["identity"] for row in csv.DictReader(stream)}
    folders = {path.name for path in (tmp_path / "pack").iterdir() if path.is_dir()}
    back = [names.get(folder, folder) for folder in folders]
    assert {json.loads(name) if name[0] == '"' else name for name in back} == {*NAMES}
    assert all(not any(sign.isspace() for sign in folder) for folder in folders)
    assert {"橘_雪_子", "Zoë", "12", "d_&_e"} <= folders
    assert len({folder.lower() for folder in folders}) == len(NAMES)


def test_a_jpeg_is_copied_and_all_else_looks_the_same(faces, folded, tmp_path):
    export_pack(folded, faces, tmp_path / "pack", PackOptions("lfw", quality=100))
    for path, face in originals(tmp_path / "pack").items():
        mine, theirs = (tmp_path / "pack" / path).read_bytes(), (faces / face).read_bytes()
        assert mine[:2] == b"\xff\xd8"
        assert (mine == theirs) == face.endswith(".jpg")
        assert np.abs(shown(mine) - shown(theirs)).mean() < 1


def two(tmp_path: Path, one: bytes, other: bytes) -> Path:
    """Two faces of one identity, and their pair."""
    (tmp_path / "two/rei").mkdir(parents=True)
    (tmp_path / "two/rei/a.jpg").write_bytes(one)
    (tmp_path / "two/rei/b.jpg").write_bytes(other)
    (tmp_path / "two/asuka").mkdir(parents=True)
    (tmp_path / "two/asuka/c.jpg").write_bytes(picture(9))
    PairSet.of(["rei/a.jpg"] * 2, ["rei/b.jpg", "asuka/c.jpg"], [1, 0]).write(tmp_path / "two.csv")
    return tmp_path / "two.csv"


def test_what_readers_would_show_differently_is_drawn_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    turned, grey = picture(1, size=(40, 20), exif=exif), picture(2)
    file = io.BytesIO()
    Image.open(io.BytesIO(grey)).convert("CMYK").save(file, "JPEG")
    pairs = two(tmp_path, turned, file.getvalue())
    export_pack(pairs, tmp_path / "two", tmp_path / "pack", PackOptions("lfw"))
    with Image.open(tmp_path / "pack/rei/rei_0001.jpg") as image:
        assert (image.size, image.getexif().get(0x0112, 1)) == ((20, 40), 1)
    with Image.open(tmp_path / "pack/rei/rei_0002.jpg") as image:
        assert image.mode == "RGB"
    assert (tmp_path / "pack/asuka/asuka_0001.jpg").read_bytes() == picture(9)
    with pytest.raises(SourceError, match=r"2 sizes, as 'asuka/c.jpg' of 24 x 24 and .* 20 x 40"):
        export_pack(pairs, tmp_path / "two", tmp_path / "other", PackOptions("insightface"))
    assert not (tmp_path / "other").exists()
    made = export_pack(
        pairs, tmp_path / "two", tmp_path / "other", PackOptions("insightface", size=16)
    )
    assert (tmp_path / "other/property").read_text() == "2,16,16\n"
    assert any(note.startswith("1 of 3 faces were not square") for note in made.warnings)


@pytest.mark.parametrize("bad", [b"", b"\xff\xd8\xff", picture(3)[:300]])
def test_a_broken_picture_stops_it_and_leaves_nothing(tmp_path, bad):
    pairs = two(tmp_path, picture(1), bad)
    with pytest.raises(FacesError, match=r"rei/b\.jpg: "):
        export_pack(pairs, tmp_path / "two", tmp_path / "pack", PackOptions("lfw"))
    assert not (tmp_path / "pack").exists()


def test_labels_against_the_names(tmp_path):
    two(tmp_path, picture(1), picture(2))
    pairs = PairSet.of(["rei/a.jpg"] * 2, ["rei/b.jpg", "asuka/c.jpg"], [0, 1])
    pairs.write(tmp_path / "odd.csv")
    with pytest.raises(SourceError, match=r"have label 0, and show 'rei' and 'rei'"):
        export_pack(tmp_path / "odd.csv", tmp_path / "two", tmp_path / "x", PackOptions("lfw"))
    made = export_pack(
        tmp_path / "odd.csv", tmp_path / "two", tmp_path / "x", PackOptions("insightface")
    )
    assert any(note.startswith("2 pairs have a label") for note in made.warnings)
    assert sorted(same for *_, same in eval_pack_pairs(tmp_path / "x")) == [False, True]


def test_identities_that_are_not_the_folders(tmp_path):
    for at, path in enumerate(("x/rei q/1.jpg", "y/rei q/2.jpg", "x/mari/3.jpg")):
        file = tmp_path / "deep" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(picture(at))
    rows = ["x/rei q/1.jpg"] * 2, ["y/rei q/2.jpg", "x/mari/3.jpg"], [1, 0]
    names = {"x/rei q/1.jpg": "rei q", "y/rei q/2.jpg": "rei q", "x/mari/3.jpg": "mari"}
    PairSet.of(*rows, identities=names).write(tmp_path / "deep.csv")
    export_pack(tmp_path / "deep.csv", tmp_path / "deep", tmp_path / "pack", PackOptions("lfw"))
    assert (tmp_path / "pack/pairs.txt").read_text() == "1\nrei_q\t1\t2\nrei_q\t1\tmari\t1\n"


def test_what_cannot_be_packed(tmp_path, faces, folded, monkeypatch):
    out = tmp_path / "pack"

    def refused(error, match, *, pairs=folded, root=faces, where=out):
        with pytest.raises(error, match=match):
            export_pack(pairs, root, where, PackOptions("lfw"))
        assert not (tmp_path / "pack").exists()

    PairSet.of(["a.jpg/1.jpg", "a.jpg/1.jpg"], ["a.jpg/2.jpg", "b/1.jpg"], [1, 0]).write(
        tmp_path / "image.csv"
    )
    refused(
        SourceError, r"image.csv: the identity 'a.jpg' is called as", pairs=tmp_path / "image.csv"
    )
    PairSet.of(["a/1.jpg", "a/1.jpg"], ["a/2.jpg", "b/1.jpg"], [1, 0]).write(tmp_path / "lost.csv")
    refused(FacesError, "not", pairs=tmp_path / "lost.csv")
    refused(PairSetError, "no such", pairs=tmp_path / "none.csv")
    refused(FacesError, "no such folder of faces", root=tmp_path / "nowhere")
    refused(OutputError, "inside the faces folder", where=faces / "pack")
    refused(OutputError, "is read by this command", where=tmp_path)
    monkeypatch.setattr("pairsets.sources.folders.packs.MOST", 2)
    refused(SourceError, "4 faces of '12'; a pack has at most 2 of one, as in 12/12_2.jpg")
    for wrong in ({"size": 0}, {"size": 9999}, {"quality": 0}):
        with pytest.raises(SourceError, match="expected 1 to"):
            PackOptions("lfw", **wrong)


def tree(root: Path) -> dict[str, bytes]:
    files = (path for path in root.rglob("*") if path.is_file())
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in files}


def test_interrupted_it_goes_on_to_the_same_bytes(faces, folded, tmp_path, monkeypatch):
    export_pack(folded, faces, tmp_path / "whole", PackOptions("lfw", size=20), workers=1)
    made, put = [], module.pack_picture

    def interrupted(data, *args, **options):
        if len(made) == 17:
            raise KeyboardInterrupt
        made.append(data)
        return put(data, *args, **options)

    monkeypatch.setattr(module, "pack_picture", interrupted)
    with pytest.raises(KeyboardInterrupt):
        export_pack(folded, faces, tmp_path / "pack", PackOptions("lfw", size=20), workers=1)
    assert not (tmp_path / "pack/pack.json").exists()
    with pytest.raises(FacesError, match="interrupted"):
        Faces.scan(tmp_path / "pack")
    monkeypatch.setattr(module, "pack_picture", put)
    with pytest.raises(OutputError, match="unfinished pack of other settings"):
        export_pack(folded, faces, tmp_path / "pack", PackOptions("lfw"), workers=1)
    again = export_pack(folded, faces, tmp_path / "pack", PackOptions("lfw", size=20), workers=1)
    assert tree(tmp_path / "pack") == tree(tmp_path / "whole")
    assert {r.what: r.count for r in again.funnel}["faces that were there already"] == 16


def test_another_layout_replaces_the_lists(faces, folded, tmp_path):
    export_pack(folded, faces, tmp_path / "pack", PackOptions("lfw"))
    with pytest.raises(OutputError, match="exists"):
        export_pack(folded, faces, tmp_path / "pack", PackOptions("insightface"))
    export_pack(folded, faces, tmp_path / "pack", PackOptions("insightface"), overwrite=True)
    export_pack(folded, faces, tmp_path / "fresh", PackOptions("insightface"))
    assert tree(tmp_path / "pack") == tree(tmp_path / "fresh")
    # A face that changed is packed anew, and nothing of strangers is written over.
    (faces / NAMES[0] / "9x 0.jpg").write_bytes(picture(77, size=(30, 30)))
    (tmp_path / "other").mkdir()
    (tmp_path / "other/notes.txt").write_text("mine")
    with pytest.raises(OutputError, match="holds no pack of this command"):
        export_pack(folded, faces, tmp_path / "other", PackOptions("lfw"))


def test_shards_are_packed_as_folders_are(faces, folded, tmp_path):
    import tarfile

    (tmp_path / "shards").mkdir()
    with tarfile.open(tmp_path / "shards/0.tar", "w") as tar:
        for path in sorted(faces.rglob("*.*")):
            tar.add(path, path.relative_to(faces).as_posix())
    export_pack(folded, faces, tmp_path / "one", PackOptions("lfw"))
    export_pack(folded, tmp_path / "shards", tmp_path / "two", PackOptions("lfw"))
    assert tree(tmp_path / "one") == tree(tmp_path / "two")


def test_the_command(faces, folded, monkeypatch):
    monkeypatch.chdir(faces.parent)
    made = lookalikes(
        "export-pack", "pairs.csv", "--faces", "faces", "--layout", "insightface", "--size", 112,
        "--out", "pack",
    )  # fmt: skip
    assert made.code == 0
    assert "faces made JPEG files of" in made.out
    assert Path("pack/property").read_text() == f"{len(NAMES)},112,112\n"
    again = lookalikes(
        "export-pack", "pairs.csv", "--faces", "faces", "--layout", "lfw", "--out", "pack"
    )
    assert (again.code, "pack: exists" in again.err) == (1, True)
    assert lookalikes("export-pack", "pairs.csv", "--faces", "faces", "--out", "pack").code == 2
