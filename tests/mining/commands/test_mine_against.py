"""`mine A --against B`: what it writes, what can be done with it, and what is refused."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest
from support import oracle
from support.command_line import contents, lookalikes
from support.flat_calls import evaluate_pairs, mine_pairs
from support.refusals import misused, refused

from mining.commands.show import show_pairs
from mining.embeddings.store import Embeddings
from mining.embeddings.two_folders import TwoFolders, told_apart
from mining.errors import EmbeddingError
from pairsets import PairSet
from pairsets.files.score_files import read_scores
from pairsets.files.side_files import Named


@pytest.fixture
def home(faces_folder, tmp_path, monkeypatch):
    """Faces in `data/old` and `data/new`, an identity in one of them alone, and embeddings."""
    for name, gone in (("old", "a"), ("new", "d & e")):
        shutil.copytree(faces_folder, tmp_path / "data" / name)
        shutil.rmtree(tmp_path / "data" / name / gone)
        for folder in (tmp_path / "data" / name).iterdir():
            for number in (0,) if name == "old" else (1, 2):
                (folder / f"{number}.png").unlink()
    monkeypatch.chdir(tmp_path)
    for name in ("old", "new"):
        made = lookalikes("embed", f"data/{name}", "--model", "pixels", "--out", f"emb/{name}")
        assert made.code == 0
    return tmp_path


AGAINST = ("mine", "emb/old", "--against", "emb/new", "--out", "m.csv")


def sets_of(home):
    return [Embeddings.load(home / "emb" / name) for name in ("old", "new")]


def test_the_pair_file_is_of_both_sets(home):
    made = lookalikes(*AGAINST, "--pairs", "7", "--positives", "5").summary
    assert "Paths begin with old/ and new/" in made
    pairs, sets = PairSet.read(home / "m.csv"), sets_of(home)
    scores = read_scores(home / "m.scores.csv", pairs)["pixels"]
    truth = oracle.pairs_between(
        *(np.array(one.vectors) for one in sets), [one.faces.identities for one in sets], 7
    )
    negatives = pairs.label == 0
    found = sorted(
        zip(-scores[negatives], pairs.path_a[negatives], pairs.path_b[negatives], strict=True)
    )
    wanted = [
        (-score, f"old/{sets[0].faces.paths[i]}", f"new/{sets[1].faces.paths[j]}")
        for i, j, score in truth
    ]
    assert found == sorted(wanted)
    assert int(pairs.label.sum()) == 5
    assert {path.split("/")[0] for path in pairs.path_a} == {"old"}
    assert {path.split("/")[0] for path in pairs.path_b} == {"new"}
    assert not pairs.contradicting.any()
    assert {*pairs.identity_a} | {*pairs.identity_b} <= {
        path.split("/", 1)[1].rpartition("/")[0] for path in pairs.paths
    }
    manifest = json.loads((home / "m.json").read_text("utf-8"))
    assert manifest["parameters"]["sets"] == ["old", "new"]
    assert manifest["inputs"]["images_sha256"] == [one.manifest["images_sha256"] for one in sets]
    counts = {row["what"]: row["count"] for row in manifest["funnel"]}
    assert counts["pairs of one identity"] == 4 * 2 * 1
    assert counts["pairs of different identities, less alike"] == 10 * 5 - 8 - 7


def test_what_a_user_does_next(home):
    """Evaluate by the scores beside it or by a model on the pictures, show it, look for doubts."""
    assert lookalikes(*AGAINST, "--pairs", "9").code == 0
    by_file = evaluate_pairs(home / "m.csv", scores=[Named(home / "m.scores.csv")])
    by_model = evaluate_pairs(home / "m.csv", models=["pixels"], faces=home / "data")
    for made in (by_file, by_model):
        assert [entry.model for entry in made.leaderboard.entries] == ["pixels"]
        assert not made.warnings or "contradict" not in " ".join(made.warnings)
    shown = show_pairs(
        home / "m.csv", home / "data", home / "m.png", scores=home / "m.scores.csv", count=3
    )
    assert shown.files[0].stat().st_size > 0
    for command in (
        ("compare", "data", "--pairs", "m.csv", "--scores", "m.scores.csv", "--out", "compared"),
        ("suspects", "m.csv", "--faces", "data", "--kinds", "duplicate", "--out", "doubts.csv"),
        ("mine", "emb/old", "--against", "emb/new", "--exclude", "m.csv", "--out", "more.csv"),
    ):
        assert lookalikes(*command).code == 0, command
    first, more = PairSet.read(home / "m.csv"), PairSet.read(home / "more.csv")
    kept = {pair for pair, label in zip(more.keys, more.label, strict=True) if label == 0}
    assert kept.isdisjoint(first.keys)


def test_the_names_of_the_sets_may_be_said(home):
    (home / "both" / "x").mkdir(parents=True)
    shutil.copytree(home / "data" / "old", home / "both" / "x" / "y")
    shutil.copytree(home / "data" / "new", home / "both" / "z")
    assert lookalikes(*AGAINST, "--pairs", "3", "--set-names", "x/y, z/").code == 0
    assert {path.split("/")[0] for path in PairSet.read(home / "m.csv").paths} == {"x", "z"}
    shown = show_pairs(home / "m.csv", home / "both", home / "m.png", count=3)
    assert shown.files[0].is_file()


def test_names_are_where_the_folders_differ(tmp_path):
    sets = [tmp_path / name / "embeddings" / "resnet" for name in ("train", "test")]
    assert told_apart(*sets) == ("train", "test")
    assert TwoFolders(*sets).names == ("train", "test")


def test_the_order_of_the_sets_is_that_of_the_columns(home):
    assert lookalikes("mine", "emb/new", "--against", "emb/old", "--out", "m.csv").code == 0
    assert {path.split("/")[0] for path in PairSet.read(home / "m.csv").path_a} == {"new"}


def test_a_picture_in_both_sets_is_told(home):
    shutil.copy(home / "data/old/橘_雪/1.png", home / "data/new/橘_雪/7.png")
    embedded = lookalikes("embed", "data/new", "--model", "pixels", "--out", "emb/new")
    assert embedded.code == 0
    assert "1 picture is in both sets" in lookalikes(*AGAINST).summary


UNFIT = {
    "--label positive": ("--label", "positive"),
    "--folds": ("--folds", "2"),
    "--index": ("--index", "Flat"),
    "--drop-suspects": ("--drop-suspects", "alias"),
}


@pytest.mark.parametrize("option", UNFIT)
def test_what_is_of_one_set_is_refused(home, option):
    message = refused(home, *AGAINST, *UNFIT[option])
    assert f"--against and {option} do not go together" in message


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ("a,a", "do not tell the sets apart"),
        ("a,a/b", "do not tell the sets apart"),
        ("a/b,a", "do not tell the sets apart"),
        ("../a,b", "leaves its folder"),
        ("/a,b", "is absolute"),
        (",b", "is empty"),
    ],
)
def test_names_that_say_nothing_are_refused(home, names, message):
    assert message in refused(home, *AGAINST, "--set-names", names)


def test_misuse(home):
    assert "name --against" in misused(
        home, "mine", "emb/old", "--set-names", "a,b", "--out", "m.csv"
    )
    assert "expected two" in misused(home, *AGAINST, "--set-names", "a")
    assert "one model's" in misused(home, "mine", "emb/old", "emb/new", *AGAINST[2:])


def test_a_set_against_itself_is_refused(home):
    message = refused(home, "mine", "emb/old", "--against", "emb/../emb/old", "--out", "m.csv")
    assert "a set against itself" in message
    shutil.copytree(home / "emb" / "old", home / "emb" / "copy")
    message = refused(home, "mine", "emb/old", "--against", "emb/copy", "--out", "m.csv")
    assert "emb/copy: the very pictures of emb/old" in message


def test_other_models_are_refused(home, monkeypatch):
    (home / "means.py").write_text(
        "import numpy as np\n"
        "def colours():\n"
        "    return lambda images: np.array([np.asarray(i, float).mean((0, 1)) for i in images])\n"
    )
    monkeypatch.syspath_prepend(home)
    monkeypatch.delitem(sys.modules, "means", raising=False)
    made = lookalikes("embed", "data/new", "--model", "python:means:colours", "--out", "emb/other")
    assert made.code == 0
    message = refused(home, "mine", "emb/old", "--against", "emb/other", "--out", "m.csv")
    assert "are of pixels and python:means:colours: fingerprint" in message
    for name in ("similarity", "dimensions"):
        sets = sets_of(home)
        sets[1] = Embeddings(
            sets[1].faces, sets[1].vectors, {**sets[1].manifest, name: "x"}, sets[1].folder
        )
        with pytest.raises(EmbeddingError, match=f"{name} .* and x; vectors of two models"):
            TwoFolders(home / "emb/old", home / "emb/new")._refuse_misfit(*sets)


def test_nothing_shared_is_said_where_positives_are_drawn(home):
    for name in ("b", "c (twin)", ".hidden", "橘_雪"):
        shutil.rmtree(home / "data" / "new" / name)
    for name in ("f", "g"):
        shutil.copytree(home / "data" / "new" / "a", home / "data" / "new" / name)
    made = lookalikes(
        "embed", "data/new", "--model", "pixels", "--identity-level", "1", "--out", "emb/new"
    )
    assert made.code == 0
    assert "no identity is in both sets" in refused(home, *AGAINST)
    assert lookalikes(*AGAINST, "--positives", "0").code == 0
    assert not PairSet.read(home / "m.csv").label.any()


def test_a_set_of_which_nothing_is_left_is_refused(home):
    names = {path.name for path in (home / "data" / "new").rglob("*.png")}
    (home / "ignored.csv").write_text("\n".join(sorted(names)) + "\n")
    message = refused(home, *AGAINST, "--ignore-list", "ignored.csv")
    assert "emb/new: no face is left of it" in message


def test_paths_without_the_set_in_front_are_refused(home):
    assert lookalikes("mine", "emb/old", "--out", "one.csv", "--positives", "0").code == 0
    message = refused(home, *AGAINST, "--test-pairs", "one.csv")
    assert "not among the" in message


KILLED = """
import os, signal, sys
from pathlib import Path
from indexes.join import checkpoint, tiles
checkpoint.FIRST = checkpoint.PERIOD = 0.0
import indexes.join.plain
indexes.join.plain.BLOCK = 2
original = checkpoint.Ledger.keep
def keep(self, **options):
    original(self, **options)
    if self.path.exists():
        os.kill(os.getpid(), signal.SIGKILL)
checkpoint.Ledger.keep = keep
from mining.commands.mine import mine_pairs
from mining.embeddings.two_folders import TwoFolders
mine_pairs(TwoFolders(Path("emb/old"), Path("emb/new")), Path("m.csv"), pairs=9)
"""


def test_killed_it_goes_on_to_the_same_bytes(home):
    ended = subprocess.run(
        [sys.executable, "-c", KILLED], cwd=home, capture_output=True, timeout=1800, check=False,
        env={"PYTHONPATH": ":".join(sys.path)},
    )  # fmt: skip
    assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()
    assert (home / "m.partial.npz").exists()
    two = TwoFolders(home / "emb/old", home / "emb/new")
    mine_pairs(two, home / "m.csv", pairs=9)
    assert not (home / "m.partial.npz").exists()
    (home / "again").mkdir()
    mine_pairs(two, home / "again" / "m.csv", pairs=9)
    left, whole = contents(home), contents(home / "again")
    assert {name: left[name] for name in whole} == whole
