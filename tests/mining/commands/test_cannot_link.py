"""`--cannot-link`: faces of one picture are no aliases, and stay among what is mined."""

from __future__ import annotations

import csv
import json

import pytest
from support.command_line import lookalikes
from support.refusals import misused, refused

from pairsets import PairSet

NAMES = {"b": "hatsune_miku", "c (twin)": "miku_hatsune"}


@pytest.fixture
def home(faces_folder, tmp_path, monkeypatch):
    """Two identities of one name in two orders, which are nearly the same picture."""
    for old, new in NAMES.items():
        (faces_folder / old).rename(faces_folder / new)
    monkeypatch.chdir(tmp_path)
    assert lookalikes("embed", "faces", "--model", "pixels", "--out", "emb").code == 0
    (tmp_path / "crops.csv").write_text(
        "path,id,left,top,right,bottom,picture_bytes,crop_bytes\n"
        "hatsune_miku/1.png,17,0,0,9,9,1,1\nmiku_hatsune/2.png,17,9,0,20,9,1,1\n"
    )
    return tmp_path


LINK = ("--cannot-link", "crops.csv")


def mined_of(file):
    pairs = PairSet.read(file)
    return {frozenset(pairs.names(row)) for row in range(len(pairs)) if not pairs.label[row]}


def test_mined_pairs_of_one_picture_stay(home):
    both = frozenset(NAMES.values())
    mine = ("mine", "emb", "--pairs", "12", "--drop-suspects", "alias")
    assert lookalikes(*mine, "--out", "dropped.csv").code == 0
    assert both not in mined_of(home / "dropped.csv")
    assert lookalikes(*mine, *LINK, "--out", "kept.csv").code == 0
    assert both in mined_of(home / "kept.csv")
    manifest = json.loads((home / "kept.json").read_text("utf-8"))
    assert len(manifest["inputs"]["cannot_link_sha256"]) == 1
    assert "cannot_link_sha256" not in json.loads((home / "dropped.json").read_text())["inputs"]
    # Whoever does not want them excludes them by their paths.
    (home / "links.csv").write_text("pathA,pathB\nhatsune_miku/1.png,miku_hatsune/2.png\n")
    assert lookalikes(*mine, *LINK, "--exclude", "links.csv", "--out", "out.csv").code == 0
    pairs = PairSet.read(home / "out.csv")
    assert ("hatsune_miku/1.png", "miku_hatsune/2.png") not in pairs.keys
    assert ("hatsune_miku/1.png", "miku_hatsune/2.png") in PairSet.read(home / "kept.csv").keys


def test_a_build_has_it(home):
    build = ("build", "faces", "--reference", "pixels", "--pairs", "12", "--drop-suspects", "alias")
    assert lookalikes(*build, *LINK, "--out", "run").code == 0
    assert frozenset(NAMES.values()) in mined_of(home / "run" / "adversarial.csv")


def test_suspects_are_fewer_by_it(home):
    assert lookalikes("mine", "emb", "--pairs", "12", "--out", "m.csv").code == 0
    looked = ("suspects", "m.csv", "--kinds", "alias")
    flags = {}
    for name, options in (("plain", ()), ("linked", LINK)):
        made = lookalikes(*looked, *options, "--out", f"{name}.csv")
        assert made.code == 0
        with (home / f"{name}.csv").open(encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream))
        flags[name] = sum("alias" in row["suspect"] for row in rows)
    assert flags["plain"] > 0 == flags["linked"]


def test_what_does_not_fit_is_told(home):
    assert lookalikes("mine", "emb", "--pairs", "12", "--out", "m.csv").code == 0
    (home / "l.csv").write_text(
        "path,picture\na/0.png,p\na/1.png,p\nhatsune_miku/0.png,p\ngone/1.png,p\n"
    )
    made = lookalikes("suspects", "m.csv", "--embeddings", "emb", "--cannot-link", "l.csv").summary
    assert "l.csv: 1 of its paths are no face of these; passed over." in made
    assert "l.csv: 1 of its pairs of faces are of one identity" in made


def test_refusals(home):
    (home / "strange.csv").write_text("pathA,pathB\nfaces/a/0.png,faces/hatsune_miku/0.png\n")
    (home / "none.csv").write_text("a,b\n1,2\n")
    (home / "aliases.csv").write_text("identity,alias\nhatsune_miku,miku_hatsune\n")
    mine = ("mine", "emb", "--pairs", "12", "--out", "m.csv")
    drop = (*mine, "--drop-suspects", "alias")
    assert "have 'faces/' in front" in refused(home, *drop, "--cannot-link", "strange.csv")
    assert "line 1: expected pathA and pathB" in refused(home, *drop, "--cannot-link", "none.csv")
    assert "cannot be one identity" in refused(home, *drop, *LINK, "--aliases", "aliases.csv")
    assert "--cannot-link without --drop-suspects" in misused(home, *mine, *LINK)
    other = (*mine, "--drop-suspects", "mislabel")
    assert "--cannot-link is for suspects of the kind alias" in refused(home, *other, *LINK)
    message = refused(
        home, "mine", "emb", "--out", "crops.csv", "--overwrite", "--drop-suspects", "alias", *LINK
    )
    assert "is read by this command" in message
