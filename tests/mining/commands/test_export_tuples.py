"""Tuples for training as files: read back by the libraries that others train with."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from support.command_line import contents, lookalikes

from mining.commands.export_tuples import FaceSource, Writing, export_tuples
from mining.embeddings.store import Embeddings
from mining.errors import RunError
from pairsets import PairSet
from pairsets.errors import FacesError, OutputError, SourceError
from pairsets.files.score_files import write_scores
from pairsets.files.suspects import Doubt, Suspects
from pairsets.identities.rules import ByLevel
from pairsets.sources.formats import read_pairs
from pairsets.sources.tuples import TupleOptions

# Hardest first by their ranks: 橘_雪, then a and b, then d & e.
PATHS = [("a/1.png", "b/0.png"), ("a/0.png", "橘_雪/2.png"), ("b/0.png", "d & e/1.png")]
RANKS = np.array([2, 1, 3])
SCORES = np.array([0.5, 0.75, 0.25])
HARDEST = [PATHS[1], PATHS[0], PATHS[2]]
TRIPLETS = [row for a, b in HARDEST for row in ((a, b), (b, a))]


@pytest.fixture
def mined(faces_folder: Path) -> Path:
    """Three mined pairs in a pair file, with their scores beside it."""
    path = faces_folder.parent / "mined.csv"
    pairs = PairSet.of([a for a, _ in PATHS], [b for _, b in PATHS], 0)
    pairs.write(path)
    write_scores(path.with_suffix(".scores.csv"), pairs, {"pixels": SCORES}, RANKS)
    return path


@pytest.fixture
def faces(faces_folder: Path) -> FaceSource:
    return FaceSource(faces_folder)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def read(path):
    """A table as records, whichever its form."""
    if path.suffix == ".csv":
        return pd.read_csv(path).to_dict("records")
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    return pytest.importorskip("pyarrow.parquet").read_table(path).to_pylist()


@pytest.mark.parametrize("ending", [".csv", ".jsonl", ".parquet"])
def test_triplets_come_back_hardest_first(mined, faces, tmp_path, ending):
    out = tmp_path / f"triplets{ending}"
    made = export_tuples(mined, out, faces, TupleOptions())
    rows = read(out)
    assert made.files == [out]
    assert [list(row) for row in rows] == [["anchor", "positive", "negative"]] * 6
    assert [(row["anchor"], row["negative"]) for row in rows] == TRIPLETS
    for row in rows:
        assert (faces.faces / row["positive"]).is_file()
        assert row["positive"].split("/")[0] == row["anchor"].split("/")[0]
        assert row["positive"] != row["anchor"]
    assert made.funnel[-1].count == 6
    assert not made.warnings


@pytest.mark.parametrize("ending", [".csv", ".jsonl", ".parquet"])
def test_labelled_pairs_come_back_with_scores(mined, faces, tmp_path, ending):
    out = tmp_path / f"pairs{ending}"
    options = TupleOptions("labeled-pair")
    export_tuples(mined, out, faces, options, writing=Writing(scores=True))
    rows = read(out)
    assert [list(row) for row in rows] == [["anchor", "positive", "label", "score"]] * len(rows)
    negatives = [row for row in rows if row["label"] == 0]
    assert [(row["anchor"], row["positive"]) for row in negatives] == HARDEST
    assert [row["score"] for row in negatives] == [0.75, 0.5, 0.25]
    others = [row for row in rows if row["label"] == 1]
    assert others
    assert all(pd.isna(row["score"]) for row in others)
    assert len(negatives) + len(others) == len(rows)
    back = read_pairs(out, "n-tuples")
    assert back.pairs.label.tolist() == [row["label"] for row in rows]


def test_triplets_are_read_as_pairs_again(mined, faces, tmp_path):
    out = tmp_path / "triplets.jsonl"
    export_tuples(mined, out, faces, TupleOptions("n-tuple", negatives=1))
    back = read_pairs(out, "n-tuples").pairs
    negatives = {frozenset(pair) for pair in zip(back.path_a, back.path_b, strict=True)}
    assert {frozenset(pair) for pair in PATHS} <= negatives


def test_a_data_set_holds_the_pictures_as_they_are(mined, faces, tmp_path):
    datasets = pytest.importorskip("datasets")
    out = tmp_path / "triplets"
    made = export_tuples(mined, out, faces, TupleOptions())
    assert made.files == [out]
    found = datasets.load_from_disk(str(out))
    assert found.column_names == ["anchor", "positive", "negative"]
    assert all(isinstance(one, datasets.Image) for one in found.features.values())
    assert found[0]["anchor"].size == (32, 32)
    plain = tmp_path / "triplets.jsonl"
    export_tuples(mined, plain, faces, TupleOptions())
    raw = found
    for name in found.column_names:
        raw = raw.cast_column(name, datasets.Image(decode=False))
    assert len(raw) == 6
    for row, paths in zip(raw, read(plain), strict=True):
        for name, path in paths.items():
            assert row[name]["bytes"] == (faces.faces / path).read_bytes()
            assert row[name]["path"] == Path(path).name


def test_a_data_set_of_paths_and_labels(mined, faces, tmp_path):
    datasets = pytest.importorskip("datasets")
    out = tmp_path / "pairs"
    options = TupleOptions("labeled-pair")
    export_tuples(mined, out, faces, options, writing=Writing(pictures=False, scores=True))
    found = datasets.load_from_disk(str(out))
    assert {name: one.dtype for name, one in found.features.items()} == {
        "anchor": "string",
        "positive": "string",
        "label": "int8",
        "score": "float64",
    }
    plain = tmp_path / "pairs.jsonl"
    export_tuples(mined, plain, faces, options, writing=Writing(scores=True))
    assert found.to_list() == read(plain)


@pytest.mark.parametrize("name", ["t.csv", "t.jsonl", "t.parquet", "t"])
def test_the_same_input_gives_the_same_bytes(mined, faces, tmp_path, name):
    if name == "t":
        pytest.importorskip("datasets")
    made = []
    for folder in ("one", "two"):
        out = tmp_path / folder / name
        export_tuples(mined, out, faces, TupleOptions("n-tuple", negatives=1))
        files = sorted(out.iterdir()) if out.is_dir() else [out]
        made.append([(file.name, file.read_bytes()) for file in files])
    assert made[0] == made[1]


def test_what_is_there_is_replaced_only_if_told(mined, faces, tmp_path):
    pytest.importorskip("datasets")
    for name in ("t.jsonl", "t"):
        out = tmp_path / name
        export_tuples(mined, out, faces, TupleOptions())
        before = contents(tmp_path)
        with pytest.raises(OutputError, match=r"exists; .*--overwrite"):
            export_tuples(mined, out, faces, TupleOptions("labeled-pair"))
        assert contents(tmp_path) == before
        export_tuples(mined, out, faces, TupleOptions("labeled-pair"), overwrite=True)
    # Nor do parts of an older data set stay.
    (tmp_path / "t" / "data-00001-of-00002.arrow").write_bytes(b"")
    export_tuples(mined, tmp_path / "t", faces, TupleOptions(), overwrite=True)
    assert names(tmp_path / "t") == [
        "data-00000-of-00001.arrow",
        "dataset_info.json",
        "state.json",
    ]


def test_a_folder_of_something_else_is_left_alone(mined, faces, tmp_path):
    out = tmp_path / "mine"
    out.mkdir()
    (out / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match=r"holds notes\.txt"):
        export_tuples(mined, out, faces, TupleOptions(), overwrite=True)
    assert names(out) == ["notes.txt"]


def test_without_scores_pairs_are_as_hard_as_they_stand(mined, faces, tmp_path):
    mined.with_suffix(".scores.csv").unlink()
    out = tmp_path / "t.csv"
    made = export_tuples(mined, out, faces, TupleOptions())
    assert read(out)[0]["anchor"] == PATHS[0][0]
    assert made.warnings == [
        "No mined.scores.csv beside the pairs: they count as hard as they stand."
    ]
    with pytest.raises(RunError, match=r"mined\.scores\.csv: missing"):
        export_tuples(
            mined,
            tmp_path / "s.csv",
            faces,
            TupleOptions("labeled-pair"),
            writing=Writing(scores=True),
        )


def test_without_ranks_the_score_says_how_hard(mined, faces, tmp_path):
    """Of the first of two models, which a warning names."""
    pairs = PairSet.read(mined)
    scores = {"one": np.array([0.1, 0.2, 0.3]), "two": np.array([0.3, 0.2, 0.1])}
    write_scores(mined.with_suffix(".scores.csv"), pairs, scores)
    out = tmp_path / "t.csv"
    made = export_tuples(mined, out, faces, TupleOptions())
    assert [row["anchor"] for row in read(out)[::2]] == [a for a, _ in PATHS[::-1]]
    assert made.warnings == ["mined.scores.csv has scores of 2 models: those of one are used."]


def test_excluded_pairs_and_suspects_are_left_out_and_counted(mined, faces, tmp_path):
    pairs = PairSet.read(mined)
    excluded = [tmp_path / "one.csv", tmp_path / "two.csv"]
    excluded[0].write_text(f"pathB,pathA\n{PATHS[0][0]},{PATHS[0][1]}\n", "utf-8")
    excluded[1].write_text("pathA,pathB\nx/1.png,y/1.png\n", "utf-8")
    doubt = Doubt("crop", np.array([0.1, 0.9, 0.1]), RANKS == 1, ("", "no face", ""))
    suspects = Suspects.of(pairs, [doubt]).write(tmp_path / "s.csv")
    out = tmp_path / "t.jsonl"
    made = export_tuples(mined, out, faces, TupleOptions(), exclude=excluded, suspects=suspects)
    assert [(row["anchor"], row["negative"]) for row in read(out)] == [PATHS[2], PATHS[2][::-1]]
    told = {row.what: row.count for row in made.funnel}
    assert (told["excluded"], told["suspects"], told["negatives used"]) == (1, 1, 1)


def test_embeddings_tell_the_faces(mined, faces, tmp_path, faces_folder):
    vectors = tmp_path / "vectors"
    assert lookalikes("embed", faces_folder, "--model", "pixels", "--out", vectors).code == 0
    plain, other = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    export_tuples(mined, plain, faces, TupleOptions())
    export_tuples(mined, other, FaceSource(embeddings=vectors), TupleOptions())
    assert other.read_bytes() == plain.read_bytes()
    assert len(Embeddings.load(vectors)) == 18
    with pytest.raises(RunError, match="no folder that they lie in"):
        export_tuples(mined, tmp_path / "d", FaceSource(embeddings=vectors), TupleOptions())
    assert not (tmp_path / "d").exists()


@pytest.mark.parametrize("name", ["t.json", "t.tar.gz"])
def test_another_ending_is_refused(mined, faces, tmp_path, name):
    with pytest.raises(OutputError, match=r"expected \.csv, \.jsonl, \.parquet, or a name without"):
        export_tuples(mined, tmp_path / name, faces, TupleOptions())


def test_pairs_of_other_faces_are_refused_and_nothing_is_written(mined, faces, tmp_path):
    (faces.faces / "d & e" / "1.png").unlink()
    for name in ("t.csv", "t"):
        with pytest.raises(FacesError, match=r"'d & e/1\.png' is not among the 17 faces"):
            export_tuples(mined, tmp_path / name, faces, TupleOptions())
        assert not (tmp_path / name).exists()


def test_a_file_without_negatives_is_refused(faces, tmp_path):
    source = tmp_path / "p.csv"
    PairSet.of(["a/0.png"], ["a/1.png"], 1).write(source)
    with pytest.raises(SourceError, match=r"p\.csv: no valid negatives among 1 pairs"):
        export_tuples(source, tmp_path / "t.csv", faces, TupleOptions())


def test_outputs_that_would_harm_an_input_are_refused(mined, faces, tmp_path):
    with pytest.raises(OutputError, match="is read by this command"):
        export_tuples(mined, mined, faces, TupleOptions(), overwrite=True)
    with pytest.raises(OutputError, match="inside the faces folder"):
        export_tuples(mined, faces.faces / "t.csv", faces, TupleOptions())


def test_faces_are_told_in_one_way():
    with pytest.raises(RunError, match="no faces to take positives from"):
        FaceSource()
    with pytest.raises(RunError, match="leave out --identity-level"):
        FaceSource(embeddings=Path("e"), identities=ByLevel(1))


def test_scores_are_of_labelled_pairs_alone(mined, faces, tmp_path):
    with pytest.raises(RunError, match="scores with the form triplet"):
        export_tuples(
            mined, tmp_path / "t.csv", faces, TupleOptions(), writing=Writing(scores=True)
        )


def test_on_the_command_line(mined, faces_folder, tmp_path):
    out = tmp_path / "t.jsonl"
    given = ["--faces", faces_folder, "--form", "n-tuple", "--negatives-per-row", 2]
    outcome = lookalikes("export-tuples", mined, *given, "--out", out)
    assert outcome.code == 0
    assert "n-tuples" in outcome.out
    assert [[*row] for row in read(out)] == [["anchor", "positive", "negative_1", "negative_2"]]
    assert read(out)[0]["anchor"] == "b/0.png"
    again = lookalikes("export-tuples", mined, *given, "--out", out)
    assert "exists" in again.message
    missing = lookalikes("export-tuples", mined, "--out", tmp_path / "u.csv")
    assert "--faces" in missing.message
