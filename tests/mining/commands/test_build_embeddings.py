"""Builds of vectors that exist already: the same as of the model, and refused where they misfit."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from support.command_line import contents, lookalikes
from support.elements import without_command

import mining.commands.build
from mining import Embeddings
from mining.commands.build import build
from mining.commands.build_report import TableOptions
from mining.embeddings.given_vectors import GivenVectors
from mining.embeddings.options import EmbeddingOptions
from mining.errors import EmbeddingError, ModelError, RunError
from mining.models.names import embeddings_name
from pairsets.faces import Faces
from pairsets.identities.rules import ByLevel

MEANS = """
import numpy as np
def colours():
    return lambda images: np.array([np.asarray(i, float).mean((0, 1)) - 99 for i in images])
def corners():
    return lambda images: np.array([np.asarray(i, float)[:9, :9].ravel() - 99 for i in images])
"""
COLOURS, CORNERS = "python:given_means:colours", "python:given_means:corners"
FEW = ("--pairs", 10, "--no-all-pairs", "--no-floor")


@pytest.fixture
def home(faces_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that holds `faces`, which commands run in, and vectors of two models."""
    folder = faces_folder.parent
    (folder / "given_means.py").write_text(MEANS)
    monkeypatch.syspath_prepend(folder)
    monkeypatch.chdir(folder)
    for spec, out in ((COLOURS, "colours"), (CORNERS, "corners")):
        assert lookalikes("embed", "faces", "--model", spec, "--out", out).code == 0
    return folder


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """No report, which takes most of a build's time."""
    monkeypatch.setattr(mining.commands.build, "draw_report", lambda *_: None)


def bytes_of(folder: str) -> dict[str, bytes]:
    """Files of a run, but for the status of pictures, which hangs on when they were looked at."""
    return {
        str(file.relative_to(folder)): without_command(file.read_bytes())
        for file in sorted(Path(folder).rglob("*"))
        if file.is_file() and file.name != "status.csv"
    }


def models_of(path: str) -> set[str]:
    with Path(path).open(encoding="utf-8", newline="") as stream:
        return {row["model"] for row in csv.DictReader(stream)}


def made(*words: object) -> None:
    """Run a build that works."""
    done = lookalikes("build", "faces", *words)
    assert done.code == 0, done.err


def refused(home: Path, *words: object) -> str:
    """Message of a build that is refused and leaves nothing."""
    before = contents(home)
    message = lookalikes("build", "faces", "--out", "run", *FEW, *words).message
    assert contents(home) == before
    return message


def imported(home: Path, out: str, *words: object, name: str = "mine") -> np.ndarray:
    """Import random vectors of the faces; their names are in `names.txt`, in no order."""
    faces = Faces.scan(home / "faces")
    order = np.random.default_rng(3).permutation(len(faces))
    vectors = np.random.default_rng(4).standard_normal((len(faces), 6)).astype("f4")
    np.save(home / "vectors.npy", vectors[order])
    paths = [faces.paths[row] for row in order.tolist()]
    (home / "names.txt").write_text("\n".join(paths), "utf-8")
    done = lookalikes("import", "vectors.npy", "--names", "names.txt", "--name", name,
                      "--out", out, *words)  # fmt: skip
    assert done.code == 0, done.err
    return vectors


# --- the same as of models


@pytest.mark.parametrize("threads", [1, 3])
def test_a_build_of_vectors_has_the_bytes_of_a_build_of_their_models(
    home: Path, threads: int
) -> None:
    made("--reference", COLOURS, "--model", CORNERS, "--pairs", 12, "--seed", 5, "--out", "run")
    made("--embeddings", "colours", "--embeddings", "corners", "--pairs", 12, "--seed", 5,
         "--workers", threads, "--out", "again")  # fmt: skip
    assert bytes_of("run") == bytes_of("again")


def test_several_mine_together_and_each_is_left_out(home: Path, undrawn: None) -> None:
    made("--reference", f"a={COLOURS}", "--reference", f"b={CORNERS}", "--out", "run", *FEW)
    made("--reference", "a", "--reference", "b", "--embeddings", "b=corners",
         "--embeddings", "a=colours", "--out", "again", *FEW)  # fmt: skip
    assert bytes_of("run") == bytes_of("again")
    assert Path("again/adversarial.without-a.csv").is_file()
    made("--reference", f"a={COLOURS}", "--reference", "b", "--embeddings", "b=corners",
         "--out", "mixed", *FEW)  # fmt: skip
    assert bytes_of("run") == bytes_of("mixed")


def test_who_mines(home: Path, undrawn: None) -> None:
    """The references; without any, the first embeddings. All else is evaluated."""
    cases = {
        ("--embeddings", "a=colours", "--embeddings", "b=corners"): "a",
        ("--model", f"b={CORNERS}", "--embeddings", "a=colours"): "a",
        ("--reference", f"b={CORNERS}", "--embeddings", "a=colours"): "b",
        ("--embeddings", "a=colours", "--embeddings", "b=corners", "--reference", "b"): "b",
    }
    for at, (words, miner) in enumerate(cases.items()):
        made(*words, "--out", f"run{at}", *FEW)
        reference = json.loads(Path(f"run{at}/adversarial.json").read_text("utf-8"))["reference"]
        assert (reference["name"], models_of(f"run{at}/leaderboard.csv")) == (miner, {"a", "b"})


def test_the_floor_is_not_run_where_its_vectors_are_given(home: Path, undrawn: None) -> None:
    assert lookalikes("embed", "faces", "--model", "pixels", "--out", "floor").code == 0
    made("--reference", COLOURS, "--out", "run", "--pairs", 10, "--no-all-pairs")
    made("--reference", COLOURS, "--embeddings", "floor", "--out", "again", "--pairs", 10,
         "--no-all-pairs")  # fmt: skip
    assert bytes_of("run") == bytes_of("again")


def test_vectors_of_another_tool_in_any_order(home: Path) -> None:
    vectors = imported(home, "mine")
    done = lookalikes("build", "faces", "--embeddings", "mine", "--pairs", 10,
                      "--out", "run", "--json")  # fmt: skip
    document = json.loads(done.out)
    assert done.code == 0
    assert any("its paths alone say" in text for text in document["warnings"])
    assert models_of("run/leaderboard.csv") == {"imported:mine", "pixels"}
    (folder,) = Path("run/embeddings").glob("imported-mine-*")
    copied, source = Embeddings.load(folder), Embeddings.load("mine")
    assert copied.manifest["fingerprint"] == source.manifest["fingerprint"]
    unit = vectors / np.linalg.norm(vectors, axis=1)[:, None]
    # Against numpy: the score of each pair is the cosine of the very vectors of its two names.
    at = {path: row for row, path in enumerate(Faces.scan(home / "faces").paths)}
    with Path("run/adversarial.scores.csv").open(encoding="utf-8", newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if row["model"] == "imported:mine"]
    for row in rows:
        score = unit[at[row["pathA"]]] @ unit[at[row["pathB"]]]
        assert float(row["score"]) == pytest.approx(score, abs=1e-6)
    # The run stands for itself.
    shutil.rmtree("mine")
    assert lookalikes("evaluate", "run/adversarial.csv", "--embeddings", folder).code == 0


def test_two_imports_of_one_name_have_folders_of_their_own(home: Path, undrawn: None) -> None:
    imported(home, "first")
    vectors = np.load("vectors.npy")
    np.save("vectors.npy", vectors[:, ::-1] + 1)
    done = lookalikes("import", "vectors.npy", "--names", "names.txt", "--name", "mine",
                      "--out", "second")  # fmt: skip
    assert done.code == 0, done.err
    told = refused(home, "--embeddings", "first", "--embeddings", "second")
    assert "another model is called imported:mine, too; give each a name" in told
    made("--embeddings", "a=first", "--embeddings", "b=second", "--out", "run", *FEW)
    assert models_of("run/leaderboard.csv") == {"a", "b"}
    assert len([*Path("run/embeddings").iterdir()]) == 2
    names = [embeddings_name(GivenVectors.open(Path(one))) for one in ("first", "second")]
    assert sorted(names) == sorted(path.name for path in Path("run/embeddings").iterdir())


def test_arrays_of_python_are_vectors_too(home: Path, undrawn: None) -> None:
    faces = Faces.scan("faces")
    numbers = np.random.default_rng(1).standard_normal((len(faces), 5))
    order = np.arange(len(faces))[::-1]
    paths = [faces.paths[row] for row in order.tolist()]
    given = Embeddings.of(numbers[order], faces.identities[order], paths=paths, name="ours")
    run = build("faces", given, models=[Path("colours")], pairs=10, out="run")
    assert [*run.scores["random"]] == ["imported:ours", COLOURS, "pixels"]
    assert list(run.references) == ["imported:ours"]
    again = build("faces", [Path("x=colours")], models=[given], pairs=10, out="again")
    assert list(again.references) == ["x"]


def test_options_of_the_whole_go_together_with_vectors(home: Path, undrawn: None) -> None:
    words = ("--pairs", 8, "--max-per-image", 2, "--drop-suspects", "duplicate", "--cache", "kept",
             "--memory", "4GB")  # fmt: skip
    made("--reference", COLOURS, "--model", CORNERS, *words, "--out", "run")
    made("--embeddings", "colours", "--embeddings", "corners", *words, "--out", "again")
    assert bytes_of("run") == bytes_of("again")


def test_the_first_of_the_further_ones_vetoes(home: Path, undrawn: None) -> None:
    """On so few faces it knows nothing of itself, and is to be trusted."""
    veto = ("--drop-suspects", "veto", "--trust-suspects", "veto", *FEW)
    assert "needs a second model" in refused(home, "--embeddings", "colours", *veto[:4])
    made("--reference", COLOURS, "--model", CORNERS, *veto, "--out", "run")
    made("--embeddings", "colours", "--embeddings", "corners", *veto, "--out", "again")
    assert bytes_of("run") == bytes_of("again")
    inputs = json.loads(Path("again/adversarial.json").read_text("utf-8"))["inputs"]
    assert inputs["veto"] == Embeddings.load("corners").manifest["fingerprint"]
    assert "it is not looked for here" in refused(
        home, "--embeddings", "colours", "--drop-suspects", "duplicate", *veto[2:4]
    )


# --- faces without a vector


def test_faces_that_were_skipped_are_left_out_as_where_a_model_is_run(
    home: Path, undrawn: None
) -> None:
    Path("faces/a/0.png").write_bytes(b"no picture")
    for spec, out in ((COLOURS, "one"), (CORNERS, "two")):
        done = lookalikes("embed", "faces", "--model", spec, "--on-error", "skip", "--out", out)
        assert done.code == 0
    told = refused(home, "--embeddings", "one")
    assert "one: no vector of faces in faces (1): a/0.png (" in told
    assert "--on-error skip" in told
    skip = (*FEW, "--on-error", "skip", "--out")
    made("--reference", COLOURS, "--model", CORNERS, *skip, "run")
    made("--embeddings", "one", "--embeddings", "two", *skip, "again")
    run, again = bytes_of("run"), bytes_of("again")
    # A further model never hears of the picture that the first could not read.
    (own,) = (name for name in run if "corners" in name and name.endswith("manifest.json"))
    assert {name for name in run if run[name] != again[name]} == {own}
    assert run.keys() == again.keys()


def test_faces_that_one_of_several_lacks_are_in_no_pair(home: Path, undrawn: None) -> None:
    lines = (imported(home, "all"), Path("names.txt").read_text("utf-8").split("\n"))[1]
    np.save("vectors.npy", np.load("vectors.npy")[:-2])
    Path("names.txt").write_text("\n".join(lines[:-2]), "utf-8")
    done = lookalikes("import", "vectors.npy", "--names", "names.txt", "--out", "fewer")
    assert done.code == 0, done.err
    lost = lines[-2:]
    told = refused(home, "--embeddings", "colours", "--embeddings", "fewer")
    assert "fewer: no vector of faces in faces (2): " in told
    assert all(f"{path} (not in it)" in told for path in lost)
    for words in (("colours", "fewer"), ("fewer", "colours")):
        run = build("faces", Path(words[0]), models=[Path(words[1])], pairs=10, out=words[0][:3],
                    encoding=EmbeddingOptions(on_error="skip"))  # fmt: skip
        assert [*run.faces.paths] == [path for path in Faces.scan("faces").paths
                                      if path not in lost]  # fmt: skip
        paths = {*run.random.paths, *run.adversarial.paths}
        assert not paths & {*lost}
        counted = {row.what: row.count for row in run.funnel if row.stage == "embed"}
        what = {
            "colours": "faces that some of the embeddings have no vector of",
            "fewer": "faces without a usable vector",
        }
        assert counted == {what[words[0]]: 2, "faces embedded": 16}
    # Test pairs with such a face are left out, and counted.
    assert lookalikes("random", "faces", "--out", "test.csv").code == 0
    made("--embeddings", "colours", "--embeddings", "fewer", "--test-pairs", "test.csv",
         "--on-error", "skip", "--out", "tested", *FEW)  # fmt: skip


# --- what misfits


def changed(home: Path) -> None:
    shutil.copy("faces/b/0.png", "faces/a/0.png")


def gone(home: Path) -> None:
    Path("faces/a/0.png").unlink()


def come(home: Path) -> None:
    shutil.copy("faces/b/0.png", "faces/a/9.png")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (changed, ["pictures in faces are other than", "(1): a/0.png", "Make the vectors again"]),
        (gone, ["vectors of faces that are not in faces (1): a/0.png", "gone?"]),
        (come, ["no vector of faces in faces (1): a/9.png (not in it)"]),
    ],
)
def test_vectors_of_other_faces(
    home: Path, change: Callable[[Path], None], says: list[str]
) -> None:
    change(home)
    told = refused(home, "--embeddings", "colours")
    assert told.startswith("colours: ")
    assert [text for text in says if text not in told] == []


def test_a_picture_is_compared_by_its_content_and_not_by_its_times(
    home: Path, undrawn: None
) -> None:
    """A copied folder is the same; a status that was copied along says nothing of it."""
    shutil.copytree("faces", "copy")
    shutil.rmtree("faces")
    shutil.copytree("copy", "faces")
    made("--embeddings", "colours", "--out", "run", *FEW)


def test_pictures_of_imports_are_compared_where_they_were_seen(home: Path, undrawn: None) -> None:
    imported(home, "seen", "--faces", "faces")
    made("--embeddings", "seen", "--out", "fine", *FEW)
    shutil.copy("faces/b/0.png", "faces/a/0.png")
    assert "pictures in faces are other than" in refused(home, "--embeddings", "seen")


def test_who_is_shown_is_the_build_s_to_say(home: Path, undrawn: None) -> None:
    imported(home, "whole", "--identity-pattern", r"(?P<identity>.).*")
    told = refused(home, "--embeddings", "whole")
    assert "whole: faces in faces show somebody else than their folders say (12): " in told
    assert "--identity-pattern" in told
    run = build("faces", Path("whole"), out="run", identities=ByLevel(1), pairs=5)
    assert run.faces.identities.tolist() == Faces.scan("faces").identities.tolist()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--embeddings", "none"), "none: not a finished folder of embeddings"),
        (("--embeddings", "faces"), "faces: not a finished folder of embeddings"),
        (("--embeddings", "colours", "--embeddings", "x=colours"), "the same vectors as colours"),
        (("--embeddings", "colours", "--model", COLOURS), f"the vectors of {COLOURS}, which is to "
         "be run, too"),
        (("--embeddings", "a=colours", "--model", f"a={CORNERS}"), "another model is called a"),
        (("--embeddings", "a=colours", "--reference", "b"), "no model family is called 'b'"),
        (("--reference", "colours"), "colours: a folder of embeddings, and no model to run"),
        (("--embeddings", "pixels=colours", "--floor"), "another model is called pixels"),
    ],
)  # fmt: skip
def test_what_is_no_set_of_models(home: Path, words: tuple[str, ...], says: str) -> None:
    assert says in refused(home, *words)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "nobody mines; name a --reference, or --embeddings"),
        (("--embeddings", "colours", "--fusion", "min"), "--fusion is of several"),
        (("--embeddings", "pixels=colours", "--reference", "pixels"), "a model, and a NAME"),
    ],
)
def test_usage(home: Path, words: tuple[str, ...], says: str) -> None:
    assert says in lookalikes("build", "faces", "--out", "run", *words).usage


def test_paths_with_the_folder_in_front(home: Path) -> None:
    lines = (imported(home, "all"), Path("names.txt").read_text("utf-8").split("\n"))[1]
    Path("names.txt").write_text("\n".join(f"faces/{one}" for one in lines), "utf-8")
    done = lookalikes("import", "vectors.npy", "--names", "names.txt", "--identity-level", 2,
                      "--out", "fronted")  # fmt: skip
    assert done.code == 0, done.err
    told = (
        "The paths are relative to the faces folder, and these have 'faces/' in front: leave it out"
    )
    assert told in refused(home, "--embeddings", "fronted")


def test_embeddings_in_the_run_s_folder_or_around_it(home: Path, undrawn: None) -> None:
    made("--reference", COLOURS, "--out", "run", *FEW)
    (inner,) = Path("run/embeddings").iterdir()
    before = contents(home)
    told = lookalikes(
        "build", "faces", "--embeddings", inner, "--out", "run", "--overwrite"
    ).message
    assert "inside run, which this command writes" in told
    told = lookalikes("build", "faces", "--embeddings", "colours", "--out", "colours/run").message
    assert "inside colours, whose vectors this build takes" in told
    assert contents(home) == before
    made("--embeddings", inner, "--out", "other", *FEW)


def test_steps_behind_models_are_refused_where_none_is_run(home: Path) -> None:
    with pytest.raises(ModelError, match="flip: of models that are run"):
        build("faces", Path("colours"), out="run", encoding=EmbeddingOptions(flip=True))


def test_damaged_vectors_are_refused(home: Path) -> None:
    data = bytearray(Path("colours/vectors.npy").read_bytes())
    data[-1] ^= 1
    Path("colours/vectors.npy").write_bytes(data)
    assert "vectors.npy is not the one its manifest describes" in refused(
        home, "--embeddings", "colours"
    )


# --- interruption


class KilledError(Exception):
    """As if the process were killed."""


@pytest.mark.parametrize("step", ["FlatIndex", "write_pair_file"])
def test_an_interrupted_build_goes_on(home: Path, undrawn: None, step: str) -> None:
    words = ("--embeddings", "colours", "--embeddings", "corners")
    made(*words, "--out", "whole", *FEW)
    where = "build_cast" if step == "FlatIndex" else "build"
    with mock.patch(f"mining.commands.{where}.{step}", side_effect=KilledError):
        assert lookalikes("build", "faces", *words, "--out", "run", *FEW).code == 70
    assert Path("run/UNFINISHED").is_file()
    # Wherever the same vectors lie by now.
    shutil.move("corners", "moved")
    copied = {file: file.stat().st_ino for file in Path("run/embeddings").glob("*/vectors.npy")}
    assert len(copied) == 2
    made("--embeddings", "colours", "--embeddings", "moved", "--out", "run", *FEW)
    assert {file: file.stat().st_ino for file in copied} == copied
    assert bytes_of("run") == bytes_of("whole")


def test_vectors_that_changed_meanwhile_are_noticed(home: Path, undrawn: None) -> None:
    imported(home, "mine")
    words = ("--embeddings", "ours=mine", "--out", "run", *FEW)
    with mock.patch("mining.commands.build.write_pair_file", side_effect=KilledError):
        assert lookalikes("build", "faces", *words).code == 70
    np.save("vectors.npy", np.load("vectors.npy") + 1)
    done = lookalikes("import", "vectors.npy", "--names", "names.txt", "--name", "mine",
                      "--out", "mine", "--overwrite")  # fmt: skip
    assert done.code == 0, done.err
    told = lookalikes("build", "faces", *words).message
    assert "holds an unfinished build with other settings (embeddings.ours=imported:mine." in told
    made(*words, "--overwrite")


def test_a_model_s_own_run_takes_up_what_was_copied(home: Path, undrawn: None) -> None:
    """A copy is what the model would have left: nothing is embedded again."""
    made("--embeddings", "colours", "--out", "run", *FEW)
    with mock.patch("mining.embeddings.producer.encoded", side_effect=KilledError):
        made("--reference", COLOURS, "--out", "run", "--overwrite", *FEW)


def test_nothing_is_written_before_vectors_are_looked_at(home: Path) -> None:
    (home / "faces/new").mkdir()
    for number in range(3):
        shutil.copy(f"faces/a/{number}.png", "faces/new")
    with pytest.raises(EmbeddingError, match=r"no vector of faces in faces \(3\)"):
        build("faces", Path("colours"), out="run", tables=TableOptions(floor=False))
    assert not Path("run").exists()


def test_vectors_that_share_no_face(home: Path) -> None:
    faces = Faces.scan("faces")
    for at, name in enumerate(("first", "last")):
        rows = np.arange(len(faces))[at::2]
        np.save("vectors.npy", np.eye(len(rows)))
        lines = "\n".join(faces.paths[row] for row in rows.tolist())
        Path("names.txt").write_text(lines, "utf-8")
        words = ("import", "vectors.npy", "--names", "names.txt", "--name", name, "--out", name)
        assert lookalikes(*words).code == 0
    encoding = EmbeddingOptions(on_error="skip")
    with pytest.raises(RunError, match="no face has a vector in each"):
        build("faces", Path("first"), models=[Path("last")], out="run", encoding=encoding)
    assert not Path("run").exists()
