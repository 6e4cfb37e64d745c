"""Other forms of data sets put into a folder per identity: which files, named how."""

from __future__ import annotations

import csv
import gc
import io
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mining.commands import arrange
from mining.commands.arrange import arrange_faces
from pairsets.errors import FacesError, OutputError, SourceError
from pairsets.faces import Faces
from pairsets.identities.patterns import ByPattern
from pairsets.identities.rules import ByLevel
from pairsets.random_set import random_pairs
from pairsets.sources.folders.safe_names import SafeNames

datasets = pytest.importorskip("datasets")
pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")


@pytest.fixture(autouse=True)
def quiet():
    datasets.disable_progress_bars()


def picture(seed: int, form: str = "PNG", side: int = 12) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, form)
    return stream.getvalue()


def tree(root: Path) -> dict[str, bytes]:
    """The arranged files, by path."""
    return {p.relative_to(root).as_posix(): p.read_bytes() for p in root.glob("*/*")}


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def write(folder: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def struct(data: bytes | None, path: str | None = None) -> dict[str, object]:
    return {"bytes": data, "path": path}


def parquet(path: Path, columns: dict[str, list[object]], **schema: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns, **schema), path, row_group_size=3)
    return path


LFW = {
    "AJ_Cook_0001.jpg": picture(1, "JPEG"),
    "AJ_Cook_0002.jpg": picture(2, "JPEG"),
    "Zoë_0001.png": picture(3),
    "n:m_7.webp": picture(4, "WEBP"),
}


def test_a_flat_folder_becomes_links_by_identity(tmp_path):
    source = write(
        tmp_path / "lfw", {**LFW, "notes.txt": b"x", "0001.jpg": b"x", "._A_1.jpg": b"x"}
    )
    (source / "masks").mkdir()
    (source / "L_0001.jpg").symlink_to(source / "AJ_Cook_0001.jpg")
    made = arrange_faces(source, tmp_path / "out")
    assert tree(tmp_path / "out") == {
        "AJ_Cook/AJ_Cook_0001.jpg": LFW["AJ_Cook_0001.jpg"],
        "AJ_Cook/AJ_Cook_0002.jpg": LFW["AJ_Cook_0002.jpg"],
        "Zoë/Zoë_0001.png": LFW["Zoë_0001.png"],
        "n%3Am/n%3Am_7.webp": LFW["n:m_7.webp"],
    }
    assert (tmp_path / "out/AJ_Cook/AJ_Cook_0001.jpg").samefile(source / "AJ_Cook_0001.jpg")
    assert SafeNames.read(tmp_path / "out" / "names.csv").name("n%3Am") == "n:m"
    listed = {row["source"]: row["why"] for row in rows_of(tmp_path / "out" / "missing.csv")}
    assert sorted(listed) == ["._A_1.jpg", "0001.jpg", "L_0001.jpg", "masks", "notes.txt"]
    assert listed["L_0001.jpg"] == "a link"
    assert {row.what: row.count for row in made.funnel}["faces"] == 4
    assert sum(row.count for row in made.funnel if not row.kept) == 5
    assert "5 entries" in made.warnings[0]


def test_copies_where_links_cannot_be(tmp_path, monkeypatch):
    source = write(tmp_path / "lfw", LFW)

    def refused(*_):
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refused)
    arrange_faces(source, tmp_path / "out", kind="flat")
    assert sorted(tree(tmp_path / "out").values()) == sorted(LFW.values())
    assert (tmp_path / "out/Zoë/Zoë_0001.png").stat().st_nlink == 1


def test_arranged_faces_can_be_paired(tmp_path):
    names = ("Ann_Lee", "Bo", "Cy_(x)")
    files = {f"{who}_{n:04d}.png": picture(n) for who in names for n in range(1, 5)}
    arrange_faces(write(tmp_path / "flat", files), tmp_path / "out")
    faces = Faces.scan(tmp_path / "out")
    pairs = random_pairs(faces, positives=10, negatives=10, seed=0)
    assert faces.count_identities == 3
    assert (int(pairs.label.sum()), len(pairs)) == (10, 20)


@pytest.mark.parametrize("form", ["class", "text", "number", "dictionary"])
def test_parquet_of_every_kind_of_label(tmp_path, form):
    names = ["fate/alter", "rei", "REI"]
    owners = [0, 1, 2, 0, 1, 2, 1]
    data = [picture(n, ("JPEG", "PNG", "WEBP")[n % 3]) for n in range(7)]
    image = [struct(one, f"dir/{n}.jpeg") for n, one in enumerate(data)]
    schema = {}
    if form == "class":
        label: object = owners
        feature = {"label": {"names": names, "_type": "ClassLabel"}, "image": {"_type": "Image"}}
        meta = {b"huggingface": json.dumps({"info": {"features": feature}}).encode()}
        schema = {"metadata": meta}
    elif form == "number":
        label, names = owners, ["0", "1", "2"]
    else:
        label = pa.array([names[owner] for owner in owners])
        label = label.dictionary_encode() if form == "dictionary" else label
    path = parquet(tmp_path / "x.parquet", {"image": image, "label": label}, **schema)
    arrange_faces(path, tmp_path / "out")
    found = Faces.scan(tmp_path / "out")
    assert found.skipped == {}  # what `arrange` itself wrote is nothing that was left out
    record = tmp_path / "out" / "names.csv"
    back = SafeNames.read(record) if record.exists() else SafeNames()
    assert sorted(map(back.name, found.identities)) == sorted(names[owner] for owner in owners)
    # The bytes as they were, and an ending by their content, whatever the path says.
    by_row = {row["source"]: row["path"] for row in rows_of(tmp_path / "out" / "faces.csv")}
    for number, one in enumerate(data):
        file = by_row[f"row {number}"]
        assert (tmp_path / "out" / file).read_bytes() == one
        ending = (".jpg", ".png", ".webp")[number % 3]
        assert file.endswith(f"/{number}{ending}")
        assert back.name(file.split("/")[0]) == names[owners[number]]


def test_how_files_are_named(tmp_path):
    columns = {
        "picture": [picture(n) for n in range(12)],
        "who": ["a", "b"] * 6,
        "key": [f"k/{n}" for n in range(12)],
    }
    path = parquet(tmp_path / "x.parquet", columns)
    arrange_faces(path, tmp_path / "rows", identity_column="who")
    assert sorted(tree(tmp_path / "rows"))[:2] == ["a/00.png", "a/02.png"]
    arrange_faces(path, tmp_path / "keys", identity_column="who", id_column="key")
    assert "b/k__11.png" in tree(tmp_path / "keys")
    with pytest.raises(SourceError, match="'a' stands twice with 'a'"):
        arrange_faces(path, tmp_path / "no", identity_column="who", id_column="who")
    # A path twice with one identity: rows for that identity, paths for the other.
    images = [struct(picture(n), p) for n, p in enumerate(["x/1.png", "1.png", "y/1.png", "2.png"])]
    path = parquet(tmp_path / "y.parquet", {"image": images, "label": ["a", "b", "a", "b"]})
    arrange_faces(path, tmp_path / "paths")
    assert sorted(tree(tmp_path / "paths")) == ["a/0.png", "a/2.png", "b/1.png", "b/2.png"]


def test_rows_that_give_no_face_are_counted_and_listed(tmp_path):
    write(tmp_path, {"secret.png": picture(99), "pq/inside.png": picture(98)})
    images = [
        struct(picture(0)),
        struct(None),
        None,
        struct(b"<html>"),
        struct(picture(1)),
        struct(picture(2, side=60)),
        struct(None, "../secret.png"),
        struct(None, str(tmp_path / "secret.png")),
        struct(None, "inside.png"),
        struct(picture(3, "JPEG")[:-40]),
    ]
    labels = ["a", "a", "a", "b", None, "b", "c", "c", "d", "e"]
    path = parquet(tmp_path / "pq" / "x.parquet", {"image": images, "label": labels})
    made = arrange_faces(path, tmp_path / "out", max_pixels=1000)
    assert {row.what: row.count for row in made.funnel} == {
        "pictures in the source": 10,
        "pictures that cannot be used": 2,
        "rows without an identity": 1,
        "rows without a picture": 4,
        "faces": 3,
    }
    # No pixel is decoded: a picture cut off shows when it is used.
    assert set(tree(tmp_path / "out")) == {"a/0.png", "d/inside.png", "e/9.jpg"}
    assert tree(tmp_path / "out")["d/inside.png"] == picture(98)
    listed = {row["source"]: row["why"] for row in rows_of(tmp_path / "out" / "missing.csv")}
    assert sorted(listed) == [f"row {n}" for n in (1, 2, 3, 4, 5, 6, 7)]
    assert "3600 pixels" not in listed["row 5"]
    assert "60 x 60 pixels is more than the limit" in listed["row 5"]


def test_several_files_and_splits(tmp_path):
    for name, numbers in {
        "data/train-00000-of-00002.parquet": (0, 1),
        "data/train-00001-of-00002.parquet": (2, 3),
        "data/test-00000-of-00001.parquet": (4, 5),
    }.items():
        columns = {"image": [struct(picture(n)) for n in numbers], "label": ["a", "b"]}
        parquet(tmp_path / "repo" / name, columns)
    with pytest.raises(SourceError, match="several splits; choose one with --split: test, train"):
        arrange_faces(tmp_path / "repo", tmp_path / "out")
    assert not (tmp_path / "out").exists()
    with pytest.raises(SourceError, match="no split 'dev'; there are test, train, and all"):
        arrange_faces(tmp_path / "repo", tmp_path / "out", split="dev")
    for split, count in (("train", 4), ("test", 2), ("all", 6)):
        arrange_faces(tmp_path / "repo", tmp_path / split, split=split)
        assert len(tree(tmp_path / split)) == count


def test_files_whose_classes_or_columns_differ(tmp_path):
    for at, names in enumerate((["rei", "asuka"], ["asuka", "rei"])):
        features = datasets.Features(
            {"image": datasets.Image(), "label": datasets.ClassLabel(names=names)}
        )
        rows = {"image": [struct(picture(at))], "label": [0]}
        part = datasets.Dataset.from_dict(rows, features=features)
        (tmp_path / "repo").mkdir(exist_ok=True)
        part.to_parquet(str(tmp_path / "repo" / f"{at}.parquet"))
    with pytest.raises(SourceError, match=r"1\.parquet: the column 'label' is .* other classes"):
        arrange_faces(tmp_path / "repo", tmp_path / "out")
    parquet(tmp_path / "repo" / "1.parquet", {"image": [struct(picture(1))], "who": ["rei"]})
    with pytest.raises(SourceError, match=r"1\.parquet: no column 'label', as 0\.parquet has"):
        arrange_faces(tmp_path / "repo", tmp_path / "out")
    assert not (tmp_path / "out").exists()
    twice = pa.table([[picture(0)], ["rei"], ["asuka"]], ["image", "label", "label"])
    pq.write_table(twice, tmp_path / "twice.parquet")
    with pytest.raises(SourceError, match="two columns are called 'label'"):
        arrange_faces(tmp_path / "twice.parquet", tmp_path / "out")


@pytest.mark.parametrize(
    ("columns", "options", "told"),
    [
        ({"x": [1]}, {}, "no column for the image; choose with --image-column: x (number)"),
        ({"a": [b"x"], "b": [b"x"], "label": ["q"]}, {}, "2 columns for the image"),
        ({"a": [b"x"], "label": ["q"], "name": ["q"]}, {}, "2 columns for the identity"),
        ({"a": [b"x"], "who": ["q"]}, {}, "no column for the identity"),
        ({"a": [b"x"], "label": ["q"]}, {"image_column": "z"}, "no column 'z'"),
        ({"a": [b"x"], "label": ["q"]}, {"image_column": "label"}, "holds no image"),
        ({"a": [b"x"], "label": [[1]]}, {"identity_column": "label"}, "holds no identity"),
        ({"a": [b"x"], "label": ["q"]}, {}, "not one of the 1 pictures can be used"),
        ({"a": [picture(0)], "label": pa.array([None], "string")}, {}, "not one says in 'label'"),
        ({"a": [picture(0)], "label": ["q"]}, {"kind": "huggingface"}, "expected the folder"),
    ],
)
def test_columns_that_cannot_be_used(tmp_path, columns, options, told):
    path = parquet(tmp_path / "x.parquet", columns)
    with pytest.raises(SourceError) as error:
        arrange_faces(path, tmp_path / "out", **options)
    assert told in str(error.value)
    assert not (tmp_path / "out").exists()


def test_sources_that_are_none(tmp_path):
    (tmp_path / "x.parquet").write_bytes(b"PAR1 but not really")
    (tmp_path / "x.zip").write_bytes(b"PK")
    (tmp_path / "x.tar").touch()
    (tmp_path / "shards").mkdir()
    (tmp_path / "shards" / "00000.tar").touch()
    (tmp_path / "empty").mkdir()
    # Other programs keep such a file, too.
    write(tmp_path / "other", {"state.json": b'{"epoch": 3}', "dataset_info.json": b"{}"})
    for source, told in [
        ("other", "datasets cannot read it"),
        ("x.parquet", "damaged or no Parquet file"),
        ("x.zip", "expected a folder, or a .parquet file"),
        ("x.tar", r"take them as they are, with --identity-field .* KEY.cls beside KEY.jpg"),
        ("shards", r"a folder of .tar, as WebDataset's shards .* take them as they are"),
        ("empty", "no pictures named as AJ_Cook_0001.jpg"),
        ("nowhere", "no such file or folder"),
    ]:
        with pytest.raises(SourceError, match=told):
            arrange_faces(tmp_path / source, tmp_path / "out")
    with pytest.raises(SourceError, match="leave --split out"):
        arrange_faces(write(tmp_path / "lfw", LFW), tmp_path / "out", split="train")
    with pytest.raises(Exception, match="inside the faces folder"):
        arrange_faces(tmp_path / "lfw", tmp_path / "lfw" / "out")
    assert not (tmp_path / "out").exists()


def counted(made) -> dict[str, int]:
    return {row.what: row.count for row in made.funnel}


def test_every_file_of_plain_folders_is_a_face_or_accounted_for(tmp_path):
    # Of these the library `datasets` keeps six: it makes splits of words, and drops the others.
    who = ["dev_x", "val_y", "aki", "rin", ".hack", "__init__"]
    files = {f"{name}/{n}.png": picture(n) for name in who for n in range(3)}
    files |= {"aki/test_1.avif": picture(7, "AVIF"), "aki/1.jfif": picture(8, "JPEG")}
    source = write(tmp_path / "source", {**files, "aki/readme.txt": b"x", "notes.md": b"x"})
    made = arrange_faces(source, tmp_path / "out")
    assert len(tree(tmp_path / "out")) == len(files) == counted(made)["faces"] == 20
    assert Faces.scan(tmp_path / "out").count_identities == 6
    assert counted(made)["entries of the folder: not an image by its name"] == 2
    listed = {row["source"] for row in rows_of(tmp_path / "out" / "missing.csv")}
    assert listed == {"aki/readme.txt", "notes.md"}


def test_namesakes_of_two_series_stay_two(tmp_path):
    paths = [f"{series}/sakura/{n}.png" for series in ("naruto", "cardcaptor") for n in (1, 2)]
    source = write(tmp_path / "source", {path: picture(n) for n, path in enumerate(paths)})
    with pytest.raises(FacesError, match="2 identities by --identity-level 2"):
        arrange_faces(source, tmp_path / "out")
    made = arrange_faces(source, tmp_path / "out", identities=ByLevel(2))
    folders = {path.split("/")[0] for path in tree(tmp_path / "out")}
    assert folders == {"naruto__sakura", "cardcaptor__sakura"}
    assert "'sakura' stands in 2 places" in " ".join(made.warnings)


def test_parts_of_a_data_set_are_one_or_chosen(tmp_path):
    paths = ["train/ada/1.png", "train/bo/1.png", "val/ada/1.png", "val/bo/2.png"]
    source = write(tmp_path / "source", {path: picture(n) for n, path in enumerate(paths)})
    made = arrange_faces(source, tmp_path / "all")
    assert sorted(tree(tmp_path / "all")) == [
        # Two files of one name in one folder: called by their folders, too.
        "ada/train__ada__1.png",
        "ada/val__ada__1.png",
        "bo/1.png",
        "bo/2.png",
    ]
    assert "parts of a data set" in made.warnings[0]
    made = arrange_faces(source, tmp_path / "val", split="val")
    assert sorted(tree(tmp_path / "val")) == ["ada/1.png", "bo/2.png"]
    assert counted(made)["entries of the folder: not in val/"] == 2
    with pytest.raises(SourceError, match="no split 'dev'; there are train, val, and all"):
        arrange_faces(source, tmp_path / "dev", split="dev")


@pytest.mark.parametrize(
    ("names", "pattern"),
    [
        (["0002_c1s1_000451_03", "0002_c2s1_000776_01", "-1_c1s1_000401_03"], "market1501"),
        (["0002_c002_00030600_0", "0002_c003_00084280_0"], "veri776"),
        (["25_Bo_Birch_0001", "52_Bo_Birch_0002"], "cacd"),
        (["0_AdaAsh_35_f", "1_AdaAsh_40_f"], "agedb"),
    ],
    ids=["market", "veri", "cacd", "agedb"],
)
def test_names_of_data_sets_are_not_split_at_the_last_number(tmp_path, names, pattern):
    source = write(tmp_path / "source", {f"{name}.jpg": picture(1) for name in names})
    with pytest.raises((FacesError, SourceError), match=f"--identity-pattern {pattern}"):
        arrange_faces(source, tmp_path / "out")
    made = arrange_faces(source, tmp_path / "out", identities=ByPattern(pattern))
    assert len({path.split("/")[0] for path in tree(tmp_path / "out")}) == 1
    assert counted(made)["faces"] == 2


@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_pictures_that_no_row_of_metadata_names_are_counted(tmp_path):
    files = {f"{n}.png": picture(n) for n in range(3)}
    table = {"metadata.csv": b"file_name,label\n0.png,rei\n1.png,asuka\n"}
    made = arrange_faces(write(tmp_path / "source", files | table), tmp_path / "out")
    assert counted(made)["pictures of the folder that no row taken names"] == 1
    assert [row["source"] for row in rows_of(tmp_path / "out" / "missing.csv")] == ["2.png"]
    gc.collect()


def test_the_library_is_not_asked_about_plain_folders(tmp_path):
    source = write(tmp_path / "source", {"a/1.png": picture(1), "b/1.png": picture(2)})
    with pytest.raises(SourceError, match="--kind folders reads it"):
        arrange_faces(source, tmp_path / "out", kind="huggingface")


def test_files_of_one_name_in_other_cases_stay_pictures(tmp_path):
    files = {"a/1.jpg": picture(1), "a/1.JPG": picture(2), "a/1.png": picture(3)}
    arrange_faces(write(tmp_path / "source", files | {"b/1.png": picture(4)}), tmp_path / "out")
    assert len(Faces.scan(tmp_path / "out")) == 4


# The library leaves its metadata file for the garbage collector to close.
@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("metadata", [None, "csv", "jsonl", "parquet"])
def test_image_folders(tmp_path, metadata):
    data = {n: picture(n, ("PNG", "JPEG")[n % 2]) for n in range(4)}
    if metadata is None:
        files = {f"{'ab'[n // 2]}/{n}.png": one for n, one in data.items()}
    else:
        files = {f"{n}.png": one for n, one in data.items()}
        rows = [{"file_name": f"{n}.png", "identity": "ab"[n // 2]} for n in data]
        text = "\n".join(map(json.dumps, rows))
        if metadata == "csv":
            text = "\n".join(["file_name,identity", *(",".join(row.values()) for row in rows)])
        if metadata == "parquet":
            columns = {key: [row[key] for row in rows] for key in rows[0]}
            parquet(tmp_path / "source" / "metadata.parquet", columns)
        else:
            files[f"metadata.{metadata}"] = (text + "\n").encode()
    arrange_faces(write(tmp_path / "source", files), tmp_path / "out")
    # Plain files are linked as they are called; those of a table are named by their content.
    endings = (".png", ".png" if metadata is None else ".jpg")
    assert tree(tmp_path / "out") == {
        f"{'ab'[n // 2]}/{n}{endings[n % 2]}": one for n, one in data.items()
    }
    gc.collect()


@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("name", ["../secret.png", "/etc/hostname"])
def test_metadata_that_lead_outside(tmp_path, name):
    write(tmp_path, {"secret.png": picture(1), "in/0.png": picture(0)})
    rows = ["file_name,identity", "0.png,rei", f"{name},rei"]
    write(tmp_path, {"in/metadata.csv": ("\n".join(rows) + "\n").encode()})
    with pytest.raises(SourceError, match=r"in: datasets cannot read it: "):
        arrange_faces(tmp_path / "in", tmp_path / "out")
    assert not (tmp_path / "out").exists()
    gc.collect()


@pytest.mark.parametrize("splits", [("train",), ("train", "test"), None])
def test_what_save_to_disk_wrote(tmp_path, splits):
    names = ["fate/alter", "rei"]
    features = datasets.Features(
        {"image": datasets.Image(), "label": datasets.ClassLabel(names=names)}
    )
    rows = {"image": [struct(picture(n)) for n in range(4)] + [None], "label": [0, 1, 0, -1, 1]}
    one = datasets.Dataset.from_dict(rows, features=features)
    both = one if splits is None else datasets.DatasetDict(dict.fromkeys(splits, one))
    both.save_to_disk(str(tmp_path / "saved"))
    if splits is not None and len(splits) > 1:
        with pytest.raises(SourceError, match="several splits"):
            arrange_faces(tmp_path / "saved", tmp_path / "out")
    many = len(splits or (1,))
    made = arrange_faces(tmp_path / "saved", tmp_path / "out", split="all" if many > 1 else None)
    assert Counter(tree(tmp_path / "out").values()) == dict.fromkeys(map(picture, range(3)), many)
    assert len(tree(tmp_path / "out")) == 3 * many
    counts = {row.what: row.count for row in made.funnel}
    assert counts["rows without an identity"] == counts["rows without a picture"] == many
    assert {path.split("/")[0] for path in tree(tmp_path / "out")} == {"fate__alter", "rei"}


def test_nothing_is_looked_up_or_kept_elsewhere(tmp_path):
    source = write(tmp_path / "source", {"1.png": picture(1), "2.png": picture(2)})
    write(source, {"metadata.csv": b"file_name,label\n1.png,rei\n2.png,asuka\n"})
    write(
        source,
        {"README.md": b"---\nconfigs:\n- config_name: x\n  data_files: https://x.y/z\n---\n"},
    )
    home = tmp_path / "home"
    home.mkdir()
    code = (
        "import socket, sys; from pathlib import Path\n"
        "def refuse(*a, **k): print('LOOKED UP', a); raise OSError('no network')\n"
        "socket.socket.connect = socket.getaddrinfo = refuse\n"
        "from mining.commands.arrange import arrange_faces\n"
        "arrange_faces(*map(Path, sys.argv[1:]))\n"
    )
    environment = {"PATH": os.environ["PATH"], "HOME": str(home)}
    done = subprocess.run(
        [sys.executable, "-c", code, str(source), str(tmp_path / "out")],
        env=environment,
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "LOOKED UP" not in done.stdout
    assert len(tree(tmp_path / "out")) == 2
    assert not [path for path in home.rglob("*") if path.is_file() and "hugging" in str(path)]


@pytest.mark.parametrize("module", ["pyarrow", "datasets"])
def test_a_library_that_is_missing_is_named(tmp_path, monkeypatch, module):
    monkeypatch.setitem(sys.modules, module, None)
    if module == "pyarrow":
        (tmp_path / "x.parquet").touch()
        source, extra = tmp_path / "x.parquet", "parquet"
    else:
        files = {"1.png": picture(1), "metadata.csv": b"file_name,label\n1.png,rei\n"}
        source, extra = write(tmp_path / "source", files), "huggingface"
    with pytest.raises(SourceError, match=rf"pip install 'lookalikes\[{extra}\]'"):
        arrange_faces(source, tmp_path / "out")


@pytest.fixture
def table(tmp_path):
    """Forty pictures of four identities in a Parquet file."""
    columns = {
        "image": [struct(picture(n), f"{n}.png") for n in range(40)],
        "label": [f"c{n % 4}" for n in range(40)],
        "key": list(range(40)),
    }
    return parquet(tmp_path / "x.parquet", columns)


def test_interrupted_it_goes_on(tmp_path, table, monkeypatch):
    monkeypatch.setattr(arrange, "_CHUNK", 4)
    put = arrange.FaceFolder.put
    calls = []

    def dying(folder, path, data):
        put(folder, path, data)
        calls.append(path)
        if len(calls) == 22:
            raise KeyboardInterrupt

    monkeypatch.setattr(arrange.FaceFolder, "put", dying)
    with pytest.raises(KeyboardInterrupt):
        arrange_faces(table, tmp_path / "out", workers=1)
    monkeypatch.setattr(arrange.FaceFolder, "put", lambda *a: (calls.append(a[1]), put(*a)))
    calls.clear()
    with pytest.raises(OutputError, match="of other settings"):
        arrange_faces(table, tmp_path / "out", id_column="key")
    made = arrange_faces(table, tmp_path / "out")
    (kept,) = [r.count for r in made.funnel if r.what == "faces that were there already"]
    assert 12 <= kept <= 22
    assert len(calls) == 40 - kept
    assert sorted(tree(tmp_path / "out").values()) == sorted(map(picture, range(40)))
    arrange_faces(table, tmp_path / "whole")
    assert (tmp_path / "out/faces.csv").read_bytes() == (tmp_path / "whole/faces.csv").read_bytes()
    assert (tmp_path / "out/faces.json").read_bytes() == (
        tmp_path / "whole/faces.json"
    ).read_bytes()


def test_a_file_of_another_picture_is_not_taken_for_it(tmp_path, table, monkeypatch):
    out = tmp_path / "out"
    arrange_faces(table, out)
    with monkeypatch.context() as patch:
        # Told before anything is read.
        patch.delattr(arrange.ParquetImages, "open")
        with pytest.raises(OutputError, match="--overwrite"):
            arrange_faces(table, out)
    # Of as many bytes, and of another format.
    rows = pq.read_table(table).to_pydict()
    flipped = bytearray(picture(0))
    flipped[-1] ^= 1
    rows["image"][0]["bytes"] = bytes(flipped)
    rows["image"][1]["bytes"] = picture(1, "JPEG")
    rows["image"][2]["bytes"] = None
    parquet(table, rows)
    made = arrange_faces(table, out, overwrite=True)
    assert ("faces that were there already", 37) in [(r.what, r.count) for r in made.funnel]
    found = tree(out)
    assert found["c0/0.png"] == bytes(flipped)
    assert found["c1/1.jpg"] == picture(1, "JPEG")
    assert len(found) == 39
    # Other faces: nothing of the old ones stays.
    arrange_faces(write(tmp_path / "lfw", LFW), out, overwrite=True)
    assert sorted(tree(out).values()) == sorted(LFW.values())
