"""Converting a file of pairs: what comes out, what is told, and what is never touched."""

from __future__ import annotations

import json
from contextlib import contextmanager

import numpy as np
import pytest
from PIL import Image
from support.format_examples import balanced, labelled, of_any_kind

from mining.commands.convert import convert_pairs
from pairsets import PairSet
from pairsets.errors import FacesError, OutputError, SourceError
from pairsets.files.folds import Folds
from pairsets.files.side_files import folds_of
from pairsets.identities.patterns import ByPattern
from pairsets.identities.rules import ByLevel
from pairsets.sources.formats import Pairs, read_pairs, write_pairs


def counts(made):
    return {(row.stage, row.what): row.count for row in made.funnel}


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_round_all_formats_and_back(tmp_path):
    """Through every format that keeps what LFW's has, the bytes come back."""
    start = tmp_path / "pairs.txt"
    write_pairs(balanced(4, 5), start, "lfw")
    last = start
    for number, name in enumerate(["sllfw", "calfw", "csv", "jsonl", "parquet", "lfw"]):
        out = tmp_path / f"{number}.bin"
        if name == "csv":
            out = tmp_path / "x.csv"
        made = convert_pairs(last, out, to_format=name)
        assert made.files[0] == out
        assert made.funnel[-1].count == 40
        last = out
    assert last.read_bytes() == start.read_bytes()
    pairs = PairSet.read(tmp_path / "x.csv")
    assert Folds.read(folds_of(tmp_path / "x.csv"), pairs).numbers.tolist() == (
        np.repeat([1, 2, 3, 4], 10).tolist()
    )


def test_a_pair_file_comes_with_folds_and_a_manifest(tmp_path):
    source, out = tmp_path / "pairs.txt", tmp_path / "made" / "x.csv"
    source.write_text("2\t1\nA\t1\t2\nA\t1\tB\t1\nA\t2\t1\nA\t1\tC\t1\n")
    made = convert_pairs(source, out, reading={"suffix": ".png"})
    assert made.files == [out, out.with_suffix(".json"), folds_of(out)]
    assert names(out.parent) == ["x.csv", "x.folds.csv", "x.json"]
    assert counts(made) == {
        ("read lfw", "pairs listed again"): 1,
        ("read lfw", "pairs read"): 3,
        ("read lfw", "positives"): 1,
        ("read lfw", "negatives"): 2,
        ("read lfw", "folds"): 2,
        ("write csv", "pairs written"): 3,
    }
    content = json.loads(out.with_suffix(".json").read_text())
    assert content["kind"] == "converted"
    assert content["parameters"] == {"format": "lfw", "suffix": ".png"}
    assert PairSet.read(out).path_a[0] == "A/A_0001.png"
    again = tmp_path / "again" / out.name
    convert_pairs(source, again, reading={"suffix": ".png"})
    for one, other in zip(
        made.files, (again, again.with_suffix(".json"), folds_of(again)), strict=True
    ):
        assert one.read_bytes() == other.read_bytes()


def test_what_the_new_format_cannot_hold_is_counted_and_told(tmp_path):
    content = of_any_kind()
    write_pairs(content, tmp_path / "x.csv", "csv")
    made = convert_pairs(tmp_path / "x.csv", tmp_path / "x.txt", to_format="sllfw")
    invalid = int((content.pairs.invalid == 1).sum())
    assert invalid > 0
    assert counts(made)["write sllfw", "invalid pairs, which the format cannot mark"] == invalid
    assert counts(made)["read csv", "invalid pairs"] == invalid
    assert counts(made)["write sllfw", "pairs written"] == 60 - invalid
    assert any("4 folds" in warning for warning in made.warnings)
    assert any("person said" in warning for warning in made.warnings)


def test_folds_and_a_manifest_of_older_pairs_do_not_stay(tmp_path):
    out = tmp_path / "x.csv"
    write_pairs(of_any_kind(), out, "csv")
    out.with_suffix(".json").write_text('{"reference": {"model": "m", "fingerprint": "f"}}')
    source = tmp_path / "new.jsonl"
    write_pairs(labelled(), source, "jsonl")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(OutputError, match=r"x.csv: exists"):
        convert_pairs(source, out)
    out.unlink()
    with pytest.raises(OutputError, match=r"x.json: exists"):
        convert_pairs(source, out)
    out.with_suffix(".json").unlink()
    with pytest.raises(OutputError, match=r"x.folds.csv: exists"):
        convert_pairs(source, out)
    for name, content in before.items():
        (tmp_path / name).write_bytes(content)
    convert_pairs(source, out, overwrite=True)
    assert names(tmp_path) == ["new.jsonl", "x.csv", "x.json"]
    assert PairSet.read(out) == labelled().pairs
    assert "reference" not in json.loads(out.with_suffix(".json").read_text())


def test_the_models_that_mined_a_pair_file_are_named_on(tmp_path):
    write_pairs(of_any_kind(), tmp_path / "x.csv", "csv")
    reference = {"model": "m", "fingerprint": "f"}
    (tmp_path / "x.json").write_text(json.dumps({"reference": reference}))
    convert_pairs(tmp_path / "x.csv", tmp_path / "y.csv")
    assert json.loads((tmp_path / "y.json").read_text())["reference"] == reference


@pytest.mark.parametrize("name", ["x.csv", "x.folds.csv", "x.json", "x.parquet"])
def test_what_is_read_is_never_replaced(name, tmp_path):
    kind = "parquet" if name == "x.parquet" else "csv"
    source = tmp_path / ("x.parquet" if name == "x.parquet" else "x.csv")
    write_pairs(of_any_kind(), source, kind)
    (tmp_path / "x.json").write_text("{}")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(OutputError, match="is read by this command"):
        convert_pairs(source, tmp_path / name, to_format="jsonl", overwrite=True)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_nothing_is_written_where_something_is_wrong(tmp_path):
    source = tmp_path / "x.csv"
    write_pairs(of_any_kind(), source, "csv")
    before = names(tmp_path)
    with pytest.raises(OutputError, match=r"y.txt: its ending does not say .* --to-format .csv"):
        convert_pairs(source, tmp_path / "y.txt")
    with pytest.raises(SourceError, match="lfw cannot hold"):
        convert_pairs(source, tmp_path / "y.txt", to_format="lfw")
    with pytest.raises(SourceError, match="no format 'xml'"):
        convert_pairs(source, tmp_path / "y.txt", to_format="xml")
    with pytest.raises(SourceError, match=r"x.csv, line 1: 'pathA,pathB,.*expected the number"):
        convert_pairs(source, tmp_path / "y.csv", from_format="lfw")
    with pytest.raises(SourceError, match="reading csv has no option 'suffix'; it has none"):
        convert_pairs(source, tmp_path / "y.jsonl", reading={"suffix": ".png"})
    assert names(tmp_path) == before


@pytest.mark.parametrize("overwrite", [False, True])
def test_an_interrupt_while_writing_leaves_what_was_there(overwrite, tmp_path, monkeypatch):
    source, out = tmp_path / "x.jsonl", tmp_path / "out" / "y.csv"
    write_pairs(of_any_kind(), source, "jsonl")
    out.parent.mkdir()
    if overwrite:
        write_pairs(balanced(), out, "csv")
    before = {path.name: path.read_bytes() for path in out.parent.iterdir()}

    def interrupted(*_):
        raise KeyboardInterrupt

    # After the pairs themselves are written.
    monkeypatch.setattr(Folds, "write", interrupted)
    with pytest.raises(KeyboardInterrupt):
        convert_pairs(source, out, overwrite=overwrite)
    assert {path.name: path.read_bytes() for path in out.parent.iterdir()} == before


def draw(folder, paths):
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 4)).save(folder / path)


def test_faces_that_must_be_there(tmp_path):
    faces, source = tmp_path / "faces", tmp_path / "x.txt"
    draw(faces, ["A/1.png", "A/2.png"])
    source.write_text("A/1.png\nA/2.png\nA/1.png\nB/1.png\n")
    with pytest.raises(FacesError, match=r"'B/1.png' is not there"):
        convert_pairs(source, tmp_path / "x.csv", faces=faces)
    assert names(tmp_path) == ["faces", "x.txt"]
    draw(faces, ["B/1.png"])
    convert_pairs(source, tmp_path / "x.csv", faces=faces)
    assert len(PairSet.read(tmp_path / "x.csv")) == 2


@pytest.mark.parametrize("ending", [".jpg", ".png", ".JPG"])
def test_how_images_of_lfw_end_is_seen_in_their_folder(ending, tmp_path):
    faces, source = tmp_path / "faces", tmp_path / "pairs.txt"
    draw(faces, [f"A/A_{number:04d}{ending}" for number in (1, 2)] + [f"B/B_0001{ending}"])
    # Beside it lie other files, as landmarks do.
    (faces / "A" / "A_0001.txt").write_text("1 2")
    source.write_text("1\nA\t1\t2\nA\t1\tB\t1\n")
    made = convert_pairs(source, tmp_path / "x.csv", faces=faces)
    assert PairSet.read(tmp_path / "x.csv").path_b.tolist() == [
        f"A/A_0002{ending}",
        f"B/B_0001{ending}",
    ]
    assert [ending in warning for warning in made.warnings] == ([] if ending == ".jpg" else [True])
    # What the user says counts, right or wrong.
    with pytest.raises(FacesError, match=r"A_0001.gif"):
        convert_pairs(source, tmp_path / "y.csv", faces=faces, reading={"suffix": "gif"})


def test_progress_is_of_the_source(tmp_path):
    source = tmp_path / "x.jsonl"
    write_pairs(Pairs(labelled().pairs), source, "jsonl")
    seen = []

    @contextmanager
    def bar(title):
        yield lambda done, total: seen.append((title, done, total))

    convert_pairs(source, tmp_path / "x.csv", progress=bar)
    size = source.stat().st_size
    assert seen == [("Reading jsonl", size, size)]
    assert read_pairs(tmp_path / "x.csv").pairs == labelled().pairs


def test_pictures_of_an_aligner_are_found(tmp_path):
    faces, source = tmp_path / "aligned", tmp_path / "pairs.txt"
    names = ["A/A_0001_0.png", "A/A_0002_0.png", "B/B_0001_0.png"]
    draw(faces, names)
    source.write_text("1\nA\t1\t2\nA\t1\tB\t1\n")
    made = convert_pairs(source, tmp_path / "x.csv", faces=faces)
    assert PairSet.read(tmp_path / "x.csv").paths == names
    assert [note for note in made.warnings if "_0.png" in note]
    # Without the folder they are as LFW has them, or as is said.
    convert_pairs(source, tmp_path / "y.csv", reading={"suffix": "_0.png"})
    assert PairSet.read(tmp_path / "y.csv").paths == names


def test_what_may_be_templates_or_pictures_is_told_by_the_folder_or_asked(tmp_path):
    faces, source = tmp_path / "imgs", tmp_path / "agedb_pairs.txt"
    names = [f"{number}.jpg" for number in range(8)]
    draw(faces, names)
    source.write_text("0 1 1\n2 3 1\n4 5 0\n6 7 0\n")
    asked = r"templates .* or of pictures .*Say --from-format ijb or --from-format indices"
    with pytest.raises(SourceError, match=asked):
        convert_pairs(source, tmp_path / "x.csv")
    convert_pairs(source, tmp_path / "x.csv", faces=faces)
    pairs = PairSet.read(tmp_path / "x.csv")
    assert pairs.paths == names
    # Who is on them is as far as positives tell, and is kept beside the pairs.
    assert pairs.names(0) == ("as 0.jpg", "as 0.jpg")
    assert pairs.names(2) == ("as 4.jpg", "as 5.jpg")
    draw(faces, [f"{number}.jpg" for number in range(8, 17)])
    with pytest.raises(SourceError, match=f"imgs does not tell which.*{asked[-20:]}"):
        convert_pairs(source, tmp_path / "y.csv", faces=faces)
    convert_pairs(source, tmp_path / "y.csv", faces=faces, from_format="indices")
    assert PairSet.read(tmp_path / "y.csv") == pairs
    convert_pairs(source, tmp_path / "z.csv", from_format="ijb")
    assert PairSet.read(tmp_path / "z.csv").path_a[0] == "subject_000000/0"


def test_identities_go_along_and_do_not_stay(tmp_path):
    source, out = tmp_path / "x.txt", tmp_path / "x.csv"
    source.write_text("A_1.jpg A_2.jpg 1\nA_1.jpg B_1.jpg 0\n")
    made = convert_pairs(source, out)
    beside = tmp_path / "x.identities.csv"
    assert made.files == [out, out.with_suffix(".json"), beside]
    assert PairSet.read(out).names(1) == ("A", "B")
    convert_pairs(out, tmp_path / "again.csv")
    assert PairSet.read(tmp_path / "again.csv") == PairSet.read(out)
    with pytest.raises(OutputError, match=r"x\.identities\.csv: is read by this command"):
        convert_pairs(out, beside, overwrite=True)
    write_pairs(labelled(), tmp_path / "new.jsonl", "jsonl")
    convert_pairs(tmp_path / "new.jsonl", out, overwrite=True)
    assert not beside.exists()


def test_another_ending_than_the_list_says_is_told(tmp_path):
    faces, source = tmp_path / "faces", tmp_path / "x.txt"
    draw(faces, ["A/1.png", "A/2.png", "B/1.png"])
    source.write_text("A/1.jpg A/2.jpg 1\nA/1.jpg B/1.jpg 0\n")
    with pytest.raises(
        FacesError, match=r"'A/1\.jpg' is not, but 1\.png is beside .*other endings"
    ):
        convert_pairs(source, tmp_path / "x.csv", faces=faces)


def test_who_is_on_a_picture_may_be_said(tmp_path):
    source, out = tmp_path / "x.txt", tmp_path / "x.csv"
    source.write_text("rei/v1/1.jpg rei/v2/1.jpg\nrei/v1/1.jpg asuka/v1/1.jpg\n")
    with pytest.raises(SourceError, match="say with --identity-level N"):
        convert_pairs(source, out)
    convert_pairs(source, out, identities=ByLevel(1))
    pairs = PairSet.read(out)
    assert pairs.label.tolist() == [1, 0]
    assert pairs.names(0) == ("rei", "rei")
    assert json.loads(out.with_suffix(".json").read_text())["parameters"] == {
        "format": "trials",
        "identities": "--identity-level 1",
    }


def test_nothing_is_guessed_of_who_is_told(tmp_path):
    source, out = tmp_path / "x.csv", tmp_path / "y.csv"
    source.write_text("pathA,pathB,label\n1_a.jpg,1_b.jpg,1\n1_a.jpg,2_a.jpg,0\n")
    guessed = convert_pairs(source, out)
    assert any("known as far as positive pairs" in text for text in guessed.warnings)
    made = convert_pairs(source, out, identities=ByPattern("([0-9])_"), overwrite=True)
    assert made.warnings == []
    assert PairSet.read(out).named == {"1_a.jpg": "1", "1_b.jpg": "1", "2_a.jpg": "2"}


def test_columns_that_are_named_make_it_a_table(tmp_path):
    source, out = tmp_path / "x.csv", tmp_path / "y.csv"
    source.write_text("probe,reference,verdict\nA/1.jpg,A/2.jpg,same\nA/1.jpg,B/1.jpg,different\n")
    with pytest.raises(SourceError, match="looks like none of the formats"):
        convert_pairs(source, out)
    convert_pairs(source, out, reading={"columns": "probe,reference,verdict"})
    assert PairSet.read(out).label.tolist() == [1, 0]


def test_folds_of_what_was_mined_go_when_its_pair_file_is_replaced(tmp_path):
    write_pairs(balanced(4, 5), tmp_path / "x.txt", "lfw")
    out = tmp_path / "out.csv"
    left = [out.with_suffix(f".{name}.csv") for name in ("identity_folds", "characters")]
    for file in left:
        file.write_text("identity,fold\n")
    convert_pairs(tmp_path / "x.txt", out, from_format="lfw")
    assert all(file.exists() for file in left), "nothing was mined there"
    convert_pairs(tmp_path / "x.txt", out, from_format="lfw", overwrite=True)
    assert not any(file.exists() for file in left)
