"""The commands for archives, datasets and other formats of pairs, as a user meets them."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from PIL import Image
from support.command_line import contents, lookalikes, what_reaches
from support.danbooru import post, write_faces, write_lines
from support.flat_calls import side_by_side

from mining.cli import convert
from pairsets import PairSet
from pairsets.identities.rules import ByLevel
from pairsets.images import MAX_PIXELS
from pairsets.sources.danbooru.posts import Rule
from pairsets.sources.dataset import Dataset
from pairsets.sources.formats import FORMATS

BOX = (10, 20, 110, 140)


@pytest.fixture
def home(tmp_path, monkeypatch):
    """Metadata, boxes and pictures of twelve identities with two posts, one with three."""
    monkeypatch.chdir(tmp_path)
    names = [f"girl_{at // 2}" for at in range(24)] + ["fate/zero"] * 3
    numbers = range(5_000, 5_000 + len(names))
    posts = [post(number, name) for number, name in zip(numbers, names, strict=True)]
    write_lines(Path("metadata/2020.json"), [*posts, post(9000, "girl_1", "girl_2"), post(9001)])
    write_faces(Path("faces.json"), {number: [BOX] for number in (*numbers, 9000, 9001)})
    for number in numbers:
        file = Path(f"512px/{number % 1000:04d}/{number}.jpg")
        file.parent.mkdir(parents=True)
        Image.new("RGB", (512, 512), (number % 256, 90, 200)).save(file)
    return tmp_path


def selected(*options):
    command = ("select", "--metadata", "metadata", "--faces", "faces.json", "--out", "zaci")
    return lookalikes(*command, "--test-characters", 5, *options)


def test_from_metadata_to_faces(home):
    text = selected("--seed", 3).summary
    assert "27 posts of one character" in text
    assert "1 left out: more than one character" in text
    test, train = Dataset.read("zaci/test.json"), Dataset.read("zaci/train.json")
    assert (len(test.characters), test.histogram, len(train.characters)) == (5, {2: 5}, 8)
    assert "fate/zero" in train.characters
    Path("512px/0000/5000.jpg").unlink()
    for name, images in (("test", 10), ("train", 17)):
        text = lookalikes(
            "crop", "--pictures", "512px", "--dataset", f"zaci/{name}.json", "--out", name
        ).summary
        files = sorted(Path(name).glob("*/*.jpg"))
        missing = [5000] if "girl_0" in Dataset.read(f"zaci/{name}.json").characters else []
        assert len(files) == images - len(missing)
        assert f"{images - len(missing)} crops" in text
        listed = Path(name, "missing.csv")
        rows = [*csv.DictReader(listed.read_text("utf-8").splitlines())] if listed.exists() else []
        assert [int(row["id"]) for row in rows] == missing
    assert len([*Path("train/fate__zero").iterdir()]) == 3
    with Image.open("train/fate__zero/5024.jpg") as crop:
        assert crop.size == (224, 224)


def test_what_is_selected_hangs_on_the_seed_alone(home):
    selected("--seed", 3, "--workers", 1)
    first = contents(home / "zaci")
    selected("--seed", 3, "--workers", 3, "--overwrite")
    assert contents(home / "zaci") == first
    selected("--seed", 4, "--overwrite")
    assert contents(home / "zaci")["test.json"] != first["test.json"]


def test_check_overlap_ends_with_status_three_where_there_is_some(home):
    selected()
    command = ("check-overlap", "--train", "zaci/train.json", "--test", "zaci/test.json")
    assert "Nothing of the test set was found in training" in lookalikes(*command).summary
    name = Dataset.read("zaci/test.json").characters[0]
    Path("names.txt").write_text(f"somebody\n{name.upper()}\n")
    found = lookalikes(
        "check-overlap", "--train", "names.txt", "--test", "zaci/test.json", "--out", "both.csv"
    )
    assert (found.code, found.err) == (3, "")
    with Path("both.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["kind"], row["train"], row["test"]) for row in rows] == [
        ("identity", name.upper(), name)
    ]


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("select --faces none.json --out zaci", "none.json: no such"),
        ("select --metadata none --faces faces.json --out zaci", "none: no such"),
        ("select --metadata metadata --faces faces.json --out zaci", "1,003 test characters"),
        ("crop --pictures none --dataset faces.json --out c", "faces.json: "),
        ("detect 512px --detector none.onnx --out f.jsonl", "none.onnx"),
        ("arrange none --out c", "none: no such"),
        ("align faces --landmarks none.csv --out c", "none.csv: no such file"),
        ("check-overlap --train none --test faces.json", "none: no such"),
        ("convert none.txt --out x.csv", "none.txt: no such"),
        ("convert metadata/2020.json --out x.csv", "metadata/2020.json"),
        ("pool none --templates t.txt --out p", "t.txt: no such"),
    ],
)
def test_a_mistake_is_one_message_and_nothing_is_left(home, command, told):
    before = contents(home)
    assert told in lookalikes(*command.split()).message
    left = {name for name in contents(home) if name not in before}
    # What was parsed is kept for the next try.
    assert all(name.startswith("zaci") for name in left)
    assert not any(name.endswith((".csv", ".json", ".jpg")) for name in left)


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("mine E --out O --folds 1", "expected two or more"),
        ("mine E --out O --folds -3", "expected two or more"),
        ("convert a --out b --to nothing", "nothing"),
        ("crop --pictures p --dataset d --out o --size 0", "--size"),
        ("crop --pictures p --dataset d --out o --quality 101", "--quality"),
        ("detect p --detector d --out o --max-overlap 1.5", "--max-overlap"),
        ("detect p --detector d --out o --device tpu", "none of auto, cpu, cuda"),
        ("evaluate p.csv --far 1.5", "--far"),
        ("select --faces f --out o --min-images 0", "--min-images"),
    ],
)
def test_wrong_usage_is_told_before_anything_is_read(home, command, told):
    assert told in lookalikes(*command.split()).usage


def test_the_formats_offered_are_those_there_are():
    assert set(convert.Format.__args__) == set(FORMATS)


def test_pairs_go_round_through_other_formats(home):
    pairs = PairSet.of(["a/1.png", "a/1.png"], ["a/2.png", "b é/1.png"], [1, 0], [1, -1])
    pairs.write("pairs.csv")
    for source, out in (("pairs.csv", "p.jsonl"), ("p.jsonl", "p.parquet"), ("p.parquet", "p.csv")):
        assert "2 pairs written" in lookalikes("convert", source, "--out", out).summary
    assert PairSet.read("p.csv") == pairs
    assert lookalikes("convert", "p.csv", "--out", "p.txt").message.startswith(
        "p.txt: its ending does not say which format to write"
    )


@pytest.mark.parametrize(
    ("module", "step", "command", "given"),
    [
        (
            "select",
            "select_faces",
            "select --boxes F --out O --metadata M --metadata N --tag-ids T --min-images 3 "
            "--test-characters 9 --test-images 4 --rating e,q --extensions jpg --keep-deleted "
            "--keep-banned --min-face-score 0.5 --min-size 33 --picture-size 256 --seed 7 "
            "--workers 2 --overwrite",
            {
                "metadata": [Path("M"), Path("N")], "tag_ids": Path("T"), "min_images": 3,
                "test_characters": 9, "test_images": 4, "ratings": ("q", "e"),
                "extensions": ("jpg",), "keep_deleted": True, "keep_banned": True,
                "min_score": 0.5, "min_size": 33, "picture_size": 256, "seed": 7, "workers": 2,
                "overwrite": True,
            },
        ),
        ("select", "select_faces", "select --boxes F --out O", {"extensions": Rule().extensions}),
        (
            "crop",
            "crop_faces",
            "crop --pictures P --dataset D --out O --size 99 --pad 0.25 --square --quality 90 "
            "--workers 2 --max-pixels 99 --overwrite",
            {
                "size": 99, "pad": 0.25, "square": True, "quality": 90, "workers": 2,
                "max_pixels": 99, "overwrite": True,
            },
        ),
        (
            "crop",
            "crop_faces",
            "crop --pictures P --dataset D --out O",
            {"size": 224, "pad": 0.0, "square": False, "quality": 75, "max_pixels": MAX_PIXELS},
        ),
        (
            "detect",
            "detect_faces",
            "detect P --detector D --out O --min-confidence 0.25 --max-overlap 0.75 "
            "--device cuda:1 --workers 2 --max-pixels 99 --overwrite",
            {
                "detector": Path("D"), "min_score": 0.25, "overlap": 0.75, "device": "cuda:1",
                "workers": 2, "max_pixels": 99, "overwrite": True,
            },
        ),
        (
            "align",
            "align_faces",
            "align F --landmarks L --out O --size 224 --workers 2 --max-pixels 99 --overwrite",
            {"size": 224, "workers": 2, "max_pixels": 99, "overwrite": True},
        ),
        (
            "arrange",
            "arrange_faces",
            "arrange S --out O --kind parquet --image-column I --identity-column C --id-column D "
            "--split all --workers 2 --max-pixels 99 --overwrite",
            {
                "kind": "parquet", "image_column": "I", "identity_column": "C", "id_column": "D",
                "split": "all", "workers": 2, "max_pixels": 99, "overwrite": True,
            },
        ),
        (
            "check_overlap",
            "find_overlap",
            "check-overlap --train A --test B --out O --aliases L --names-only --workers 2 "
            "--max-pixels 99 --overwrite",
            {
                "out": Path("O"), "aliases": Path("L"), "pictures": False, "workers": 2,
                "max_pixels": 99, "overwrite": True,
            },
        ),
        (
            "convert",
            "convert_pairs",
            "convert S --out O --from-format lfw --to-format n-tuples --faces F --suffix .png "
            "--folds 5 --digits 2 --columns a,b,c --templates T --images I --style n-tuple "
            "--negatives-per-row 3 --overwrite",
            {
                "from_format": "lfw", "to_format": "n-tuples", "faces": Path("F"),
                "reading": {
                    "suffix": ".png", "folds": 5, "templates": [Path("T")], "images": Path("I"),
                    "digits": 2, "columns": "a,b,c",
                },
                "writing": {"style": "n-tuple", "negatives": 3}, "overwrite": True,
            },
        ),
        (
            "convert",
            "convert_pairs",
            "convert S --out O --to-format pml --images I --identity-level 2",
            {
                "from_format": None, "identities": ByLevel(2), "reading": {},
                "writing": {"images": Path("I")},
            },
        ),
        ("pool", "pool_templates", "pool E --templates T --out O --overwrite",
         {"overwrite": True}),
        ("mine", "mine_pairs", "mine E --out O --folds 5", {"folds": 5}),
        ("mine", "mine_pairs", "mine E --out O --folds f.csv", {"folds": Path("f.csv")}),
        ("mine", "mine_pairs", "mine E --out O", {"folds": None}),
        (
            "evaluate",
            "evaluate_pairs",
            "evaluate P --fold-file F --far 0.1 --far 1e-4",
            {"folds": Path("F"), "fars": [0.1, 1e-4]},
        ),
    ],
    ids=lambda value: value.split()[0] if isinstance(value, str) and " " in value else "",
)  # fmt: skip
def test_every_option_reaches_its_step(home, monkeypatch, module, step, command, given):
    options = side_by_side(*what_reaches(monkeypatch, f"{module}.{step}", command))
    assert {name: options[name] for name in given} == given


@pytest.mark.parametrize(
    ("module", "step", "command", "given"),
    [
        ("select", "select_faces", "select --boxes F --out O", (Path("F"), Path("O"))),
        (
            "crop",
            "crop_faces",
            "crop --pictures P --dataset D --out O",
            (Path("P"), Path("D"), Path("O")),
        ),
        ("detect", "detect_faces", "detect P --detector D --out O", (Path("P"), Path("O"))),
        ("arrange", "arrange_faces", "arrange S --out O", (Path("S"), Path("O"))),
        (
            "align",
            "align_faces",
            "align F --landmarks L --out O",
            (Path("F"), Path("L"), Path("O")),
        ),
        (
            "check_overlap",
            "find_overlap",
            "check-overlap --train A --test B",
            (Path("A"), Path("B")),
        ),
        ("convert", "convert_pairs", "convert S --out O", (Path("S"), Path("O"))),
        (
            "pool",
            "pool_templates",
            "pool E --templates T --pair-file P --out O",
            (Path("E"), [Path("T")], Path("P"), Path("O")),
        ),
    ],
)
def test_files_reach_their_step(home, monkeypatch, module, step, command, given):
    arguments, _ = what_reaches(monkeypatch, f"{module}.{step}", command)
    assert arguments == given
