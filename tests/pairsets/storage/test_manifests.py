"""Manifests are of the files beside them, or are refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from pairsets import PairSet
from pairsets.errors import PairSetError
from pairsets.storage.manifests import refuse_other


def pairs(label: int = 0) -> PairSet:
    return PairSet.of(["a/1", "a/1"], ["b/1", "a/2"], [label, 1])


def test_a_manifest_holds_the_digests_of_its_siblings(tmp_path: Path) -> None:
    one = PairSet.of(
        ["1", "2"], ["3", "4"], [0, 1], identities=dict.fromkeys("1234", "x") | {"1": "y"}
    )
    one.write(tmp_path / "p.csv", {"kind": "random"})
    content = json.loads((tmp_path / "p.json").read_text())
    assert content["files"].keys() == {"p.csv", "p.identities.csv"}
    assert content["rows_sha256"] == one.rows_sha256
    assert PairSet.read(tmp_path / "p.csv").rows_sha256 == one.rows_sha256


def test_another_pair_file_is_refused(tmp_path: Path) -> None:
    pairs().write(tmp_path / "p.csv", {"kind": "random"})
    pairs().take([0]).write(tmp_path / "q.csv", {"kind": "random"})
    shutil.copy(tmp_path / "q.csv", tmp_path / "p.csv")
    with pytest.raises(PairSetError, match=r"p\.json describes another p\.csv: .* remove p\.json"):
        PairSet.read(tmp_path / "p.csv")
    (tmp_path / "p.json").unlink()
    assert len(PairSet.read(tmp_path / "p.csv")) == 1


def test_other_labels_are_another_file(tmp_path: Path) -> None:
    pairs().write(tmp_path / "p.csv", {})
    text = (tmp_path / "p.csv").read_text()
    (tmp_path / "p.csv").write_text(text.replace("a/2,1", "a/2,0"))
    with pytest.raises(PairSetError, match="describes another"):
        PairSet.read(tmp_path / "p.csv")


def test_verdicts_may_be_filled_in(tmp_path: Path) -> None:
    pairs().write(tmp_path / "p.csv", {})
    text = (tmp_path / "p.csv").read_text()
    (tmp_path / "p.csv").write_text(text.replace(",-1,0", ",1,0").replace("\n", "\r\n"))
    assert PairSet.read(tmp_path / "p.csv").judged.all()


def test_scores_are_those_of_the_manifest(tmp_path: Path) -> None:
    pairs().write(tmp_path / "p.csv", {})
    content = json.loads((tmp_path / "p.json").read_text())
    (tmp_path / "p.scores.csv").write_text("other\n")
    refuse_other(tmp_path / "p.scores.csv")
    content["files"]["p.scores.csv"] = "0" * 64
    (tmp_path / "p.json").write_text(json.dumps(content))
    with pytest.raises(PairSetError, match=r"p\.json describes another p\.scores\.csv"):
        refuse_other(tmp_path / "p.scores.csv")


def test_a_damaged_manifest_is_refused(tmp_path: Path) -> None:
    pairs().write(tmp_path / "p.csv", {"schema": 1, "kind": "random"})
    text = (tmp_path / "p.json").read_text()
    (tmp_path / "p.json").write_text(text[:-40])
    with pytest.raises(PairSetError, match=r"p\.json: not JSON .* make it again, or remove it"):
        PairSet.read(tmp_path / "p.csv")


@pytest.mark.parametrize("text", ["", "[]", '{"files": 1}', '{"files": {"p.csv": 3}}', "[" * 3000])
def test_a_file_of_that_name_that_is_no_manifest(tmp_path: Path, text: str) -> None:
    pairs().write(tmp_path / "p.csv")
    (tmp_path / "p.json").write_text(text)
    if "3}" in text:
        with pytest.raises(PairSetError, match="describes another"):
            PairSet.read(tmp_path / "p.csv")
    else:
        assert len(PairSet.read(tmp_path / "p.csv")) == 2
