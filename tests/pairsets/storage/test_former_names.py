"""What earlier versions wrote is read under the names of this one."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from mining.commands.run_folder import RunFolder
from pairsets.files.aliases import Aliases
from pairsets.pairset import PairSet
from pairsets.review.store.store import Store
from pairsets.review.store.verdicts import Verdict
from pairsets.sources.folders.face_folder import _key_of
from pairsets.storage.former_names import present_keys


def test_keys_change_and_values_stay() -> None:
    found = present_keys({"rules": [{"max_per_character_pair": 1}], "character": "character"})
    assert found == {"rules": [{"max_per_identity_pair": 1}], "identity": "character"}


def test_a_table_of_aliases(tmp_path: Path) -> None:
    for word in ("character", "identity"):
        file = tmp_path / f"{word}.csv"
        file.write_text(f"{word},alias\nrei,ayanami_rei\n")
        assert Aliases.read(file).same("rei", "ayanami_rei")


def test_work_on_a_folder_of_faces_goes_on(tmp_path: Path) -> None:
    file = tmp_path / "faces.json"
    file.write_text(json.dumps({"kind": "faces", "key": {"character": "character", "rows": 3}}))
    assert _key_of(file, "faces") == {"identity": "character", "rows": 3}


def test_settings_of_an_unfinished_run(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    asked = {"rules": {"is": "Rules", "max_per_character": 2}, "clusters": "character"}
    run.marker.write_text("build\n" + json.dumps(asked))
    assert run.settings == {"rules": {"is": "Rules", "max_per_identity": 2}, "clusters": "identity"}


@pytest.fixture
def former(tmp_path: Path) -> Path:
    """Database of a review with a verdict of which the reason has its former name."""
    file = tmp_path / "review.sqlite"
    pairs = PairSet.of(["rei/1", "rei/2"], ["asuka/1", "asuka/2"], 0)
    with Store.begin(file, pairs) as store:
        person = store.annotator("Rei")
        store.judge(person, 0, Verdict.of("invalid", "several identities"), key="key-00001")
    with closing(sqlite3.connect(file)) as database, database:
        for table in ("verdicts", "events"):
            database.execute(f"UPDATE {table} SET reason = 'several characters'")
    return file


def test_a_verdict_sent_again_is_the_same_one(former: Path) -> None:
    with Store.open(former) as store:
        person = store.annotator("Rei")
        store.judge(person, 0, Verdict.of("invalid", "several identities"), key="key-00001")
        store.judge(person, 1, Verdict.of("invalid", "several characters"), key="key-00002")
    with closing(sqlite3.connect(former)) as database:
        for table in ("verdicts", "events"):
            found = database.execute(f"SELECT DISTINCT reason FROM {table}").fetchall()
            assert found == [("several identities",)]
