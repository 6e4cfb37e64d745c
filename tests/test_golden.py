"""Files that an earlier state of the code wrote are read, and what is made of them is the same."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from support.command_line import lookalikes
from support.drawn import draw_face

from indexes import FlatIndex
from mining.embeddings.store import Embeddings
from mining.models import load_model
from pairsets.files.audits import Audit
from pairsets.files.folds import Folds
from pairsets.files.identity_folds import IdentityFolds
from pairsets.files.score_files import read_ranks, read_scores
from pairsets.files.side_files import folds_of
from pairsets.files.submissions import read_submission
from pairsets.files.suspects import Suspects
from pairsets.pairset import PairSet
from pairsets.review.store.store import Store

PAIRS = {"mined": 103, "folded": 40, "random": 40, "positives": 605, "judged": 40, "verdicts": 40}


@pytest.fixture
def golden(tmp_path: Path) -> Path:
    return Path(shutil.copytree(Path(__file__).parent / "golden", tmp_path / "golden"))


@pytest.mark.parametrize("name", PAIRS)
def test_pair_files(golden: Path, name: str) -> None:
    pairs = PairSet.read(golden / f"{name}.csv")
    assert len(pairs) == PAIRS[name]
    again = pairs.write(golden / "again.csv")
    assert again.read_bytes() == (golden / f"{name}.csv").read_bytes()


def test_embeddings_are_those_of_their_model(golden: Path) -> None:
    embeddings = Embeddings.load(golden / "vectors")
    assert embeddings.manifest["fingerprint"] == load_model("pixels").fingerprint
    assert embeddings.vectors.shape == (37, 772)
    index = FlatIndex.load(golden / "run" / "index.faiss")
    assert np.array_equal(index.search(embeddings.vectors, 1).rows[:, 0], np.arange(37))


def test_what_lies_beside_a_pair_file(golden: Path) -> None:
    mined, folded = (PairSet.read(golden / f"{name}.csv") for name in ("mined", "folded"))
    assert list(read_scores(golden / "mined.scores.csv", mined)) == ["pixels"]
    assert read_ranks(golden / "mined.scores.csv", mined).max() == 30
    folds = Folds.read(folds_of(golden / "folded.csv"), folded)
    assert sorted(set(folds.numbers.tolist())) == [1, 2]
    faces = Embeddings.load(golden / "vectors").faces
    IdentityFolds.read(golden / "folded.characters.csv", faces)
    assert len(Suspects.read(golden / "mined.suspects.csv")) > 0
    assert read_submission(golden / "pixels.submission.csv", mined).model == "pixels"


def test_a_review_goes_on(golden: Path) -> None:
    with Store.open(golden / "random.review.sqlite") as store:
        assert list(store.annotators.values()) == ["judged"]
    done = lookalikes("review", "export", golden / "random.csv", "--out", golden / "again.csv")
    assert done.code in (0, 3), done
    assert (golden / "again.csv").read_bytes() == (golden / "verdicts.csv").read_bytes()
    told = [golden / f"{name}.judgements.csv" for name in ("again", "verdicts")]
    assert told[0].read_bytes() == told[1].read_bytes()


def test_commands_make_the_same_of_them(golden: Path) -> None:
    vectors = golden / "vectors"
    for command in (
        ("mine", vectors, "--pairs", 30, "--out", golden / "new.csv"),
        ("evaluate", golden / "random.csv", "--embeddings", vectors, "--out", golden / "told"),
    ):
        done = lookalikes(*command)
        assert done.code in (0, 3), done
    for name, old in {
        "new.csv": "mined.csv",
        "new.scores.csv": "mined.scores.csv",
        "told.differences.csv": "tables.differences.csv",
    }.items():
        assert (golden / name).read_bytes() == (golden / old).read_bytes()


@pytest.mark.parametrize("folder", ["run", "comparison"])
def test_finished_folders_are_known(golden: Path, folder: str) -> None:
    other = "build" if folder == "comparison" else "compare"
    options = (
        ("--reference", "pixels")
        if other == "build"
        else ("--pairs", golden / "random.csv", "--model", "pixels")
    )
    for number, name in enumerate(("rei", "asuka", "rei", "asuka")):
        (golden / "faces" / name).mkdir(parents=True, exist_ok=True)
        draw_face(number).save(golden / "faces" / name / f"{number}.png")
    done = lookalikes(other, golden / "faces", *options, "--out", golden / folder)
    assert done.code != 0
    assert "holds a " in done.message


def test_manifests_are_those_of_their_files(golden: Path) -> None:
    for manifest in sorted(golden.glob("*.json")):
        content = json.loads(manifest.read_text("utf-8"))
        if "files" in content:
            assert all((golden / name).is_file() for name in content["files"])


def test_an_audit(golden: Path) -> None:
    audit = Audit.read(golden / "audit.json")
    assert audit.speaking == ["duplicate", "mislabel", "crop"]
    assert audit.kinds["alias"].abstains
    assert audit.left_out == ["mari/1.png", "shinji/2.png"]
    table = audit.write_table(golden / "again.csv")
    assert table.read_bytes() == (golden / "audit.csv").read_bytes()
