"""Audits: written and read alike, refused where damaged, or of other faces."""

from __future__ import annotations

import csv
import hashlib
import json
from dataclasses import replace

import numpy as np
import pytest
from support.audits import small_audit, small_folder, twins
from support.drawn import draw_face

from pairsets import Faces
from pairsets.errors import PairSetError
from pairsets.files.audit_findings import Finding, Note, Twosome
from pairsets.files.audits import Audit, KindAccount


@pytest.fixture
def faces(tmp_path):
    return small_folder(tmp_path / "faces")


@pytest.fixture
def file(faces, tmp_path):
    return small_audit(faces).write(tmp_path / "audit.json")


def test_what_is_written_is_read(faces, file):
    made, read = small_audit(faces), Audit.read(file)
    assert read.content() == made.content()
    assert read.findings == made.findings
    assert read.kinds == made.kinds
    assert read.source == file
    assert len(read.digest) == 64


def test_a_table_has_a_row_a_note(faces, tmp_path):
    audit = small_audit(faces)
    with audit.write_table(tmp_path / "audit.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["kind"], row["group"], row["path"]) for row in rows] == [
        ("duplicate", "1", "asuka/0.png"),
        ("duplicate", "1", "rei/0.png"),
        ("duplicate", "2", "mari/0.png"),
        ("duplicate", "2", "mari/1.png"),
        ("mislabel", "1", "rei/1.png"),
        ("crop", "1", "shinji/2.png"),
        ("few", "1", ""),
    ]
    assert [row["precision"] for row in rows] == ["", "", "", "", "0.9000", "", ""]
    assert rows[4]["other"] == "mari"
    assert rows[6]["score"] == ""


def test_an_audit_speaks_of_kinds_of_pairs_that_do_not_abstain(faces):
    audit = small_audit(faces)
    assert audit.speaking == ["duplicate", "mislabel", "crop"]
    assert audit.left_out == ["mari/1.png", "shinji/2.png"]
    assert audit.kinds["alias"].sentence() == "abstains: too few identities"
    assert audit.kinds["crop"].sentence() == "not measured here"
    assert audit.kinds["few"].sentence() == "counted"


def test_pairs_faces_and_identities_are_looked_up(faces):
    audit = small_audit(faces)
    alias = Finding("alias", (Note("", "rei", "asuka", 0.7, "both", "ask"),))
    audit = replace(audit, findings=[*audit.findings, alias])
    assert audit.pairs["duplicate"]["asuka/0.png", "rei/0.png"] == (0.9, "the same picture")
    assert audit.pairs["alias"] == {("asuka", "rei"): (0.7, "both")}
    assert audit.single["crop"] == {"shinji/2.png": (1.0, "nearly one colour")}


def damaged(file, change):
    content = json.loads(file.read_text("utf-8"))
    change(content)
    file.write_text(json.dumps(content), "utf-8")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda c: c.update(what="pairs"), "JSON of something else"),
        (lambda c: c.update(schema=99), "newer lookalikes"),
        (lambda c: c.update(schema="1"), "schema is '1'"),
        (lambda c: c["kinds"].update(odd={}), "unknown kinds odd"),
        (lambda c: c["findings"].pop(), "0 findings of kind few, and 1 by its account"),
        (lambda c: c["findings"][0].update(kind="odd"), "kind 'odd'"),
        (lambda c: c["findings"][0].update(notes=[]), "a finding of nothing"),
        (lambda c: c["findings"][0].update(pairs=[[0, 9, 1, "x"]]), r"\[0, 9, 1, 'x'\]; expected"),
        (lambda c: c["findings"][0].update(pairs=[[0, 1]]), "two places of notes"),
        (lambda c: c["findings"][0]["notes"][0].update(suggestion="burn"), "'burn'"),
        (lambda c: c["findings"][0]["notes"][0].update(score=7), "a score of 7"),
        (lambda c: c["findings"][0]["notes"][0].update(score="x"), "score is 'x'"),
        (lambda c: c["faces"]["paths"].pop(), "11 paths, 11 identities, 12 sizes and 12 digests"),
        (lambda c: c["faces"]["digests"].pop(), "12 sizes and 11 digests"),
        (lambda c: c["faces"].pop("digests"), "not the one its digest is of"),
        (lambda c: c["faces"]["sizes"].__setitem__(0, 1), "not the one its digest is of"),
        (lambda c: c["kinds"]["alias"].update(expected={}), "the expectation of a check"),
        (lambda c: c.update(unread=[1]), "unread is"),
        (lambda c: c.pop("faces"), "faces is missing"),
    ],
)
def test_a_damaged_file_is_refused_by_one_error(file, change, told):
    damaged(file, change)
    with pytest.raises(PairSetError, match=told) as refused:
        Audit.read(file)
    assert str(file) in str(refused.value)


def test_what_is_no_audit_is_refused(tmp_path):
    (tmp_path / "cut.json").write_text('{"what": "aud')
    for name, told in (("none.json", "no such audit"), ("cut.json", "not JSON"), (".", "a folder")):
        with pytest.raises(PairSetError, match=told):
            Audit.read(tmp_path / name)


def test_the_same_faces_are_taken(faces, file):
    Audit.read(file).refuse_other(Faces.scan(faces.root), sizes=True)


def test_faces_that_changed_are_named(faces, file):
    audit = Audit.read(file)
    draw_face(99, 64).save(faces.root / "rei" / "0.png")
    with pytest.raises(PairSetError, match=r"1 of another size \('rei/0.png'\)"):
        audit.refuse_other(Faces.scan(faces.root), sizes=True)
    # Of vectors alone sizes are not known.
    audit.refuse_other(Faces.scan(faces.root))
    (faces.root / "rei" / "2.png").unlink()
    draw_face(5).save(faces.root / "rei" / "3.png")
    draw_face(5).save(faces.root / "rei" / "4.png")
    told = r"2 added \('rei/3.png' for one\), 1 no longer there \('rei/2.png'\)"
    with pytest.raises(PairSetError, match=told):
        audit.refuse_other(Faces.scan(faces.root))


def test_other_bytes_of_one_size_are_named(faces, file):
    audit = Audit.read(file)
    path = faces.root / "rei" / "1.png"
    before = path.read_bytes()
    path.write_bytes(before[:-1] + b"x")
    audit.refuse_other(Faces.scan(faces.root), sizes=True)
    told = r"1 with other bytes \('rei/1.png'\)"
    with pytest.raises(PairSetError, match=told):
        audit.faces.refuse_strangers(["rei/0.png", "rei/1.png"], file, faces.root)
    audit.faces.refuse_strangers(["rei/0.png"], file, faces.root)
    # What can be read now, or could be then alone, is told elsewhere.
    assert audit.faces.changed({"rei/1.png": ""}) == []
    digests = {"rei/1.png": hashlib.sha256(before).hexdigest(), "new.png": "0" * 64}
    audit.faces.refuse_changed(digests, file)
    digests |= {"rei/1.png": hashlib.sha256(path.read_bytes()).hexdigest()}
    with pytest.raises(PairSetError, match=told):
        audit.faces.refuse_changed(digests, file)


def test_other_faces_are_refused(file, tmp_path):
    other = small_folder(tmp_path / "other", ("x", "y"))
    with pytest.raises(PairSetError, match="an audit of other faces"):
        Audit.read(file).refuse_other(other)


def test_faces_that_are_rightly_away_are_allowed(faces, tmp_path):
    audit = replace(small_audit(faces), moved=frozenset(["mari/1.png"]))
    audit = Audit.read(audit.write(tmp_path / "moved.json"))
    (faces.root / "mari" / "1.png").unlink()
    audit.refuse_other(Faces.scan(faces.root), sizes=True)
    (faces.root / "mari" / "0.png").unlink()
    left = Faces.scan(faces.root)
    with pytest.raises(PairSetError, match="1 no longer there"):
        audit.refuse_other(left, sizes=True)
    audit.refuse_other(left, sizes=True, absent=["mari/0.png"])


def test_another_way_to_tell_identities_is_refused(faces, file):
    paths = faces.paths.tolist()
    other = Faces.of_paths(faces.root, paths, identities=dict.fromkeys(paths, "one"))
    with pytest.raises(PairSetError, match="shows 'asuka' by the audit, and 'one' here"):
        Audit.read(file).refuse_other(other)


def test_identities_that_are_no_folders_are_kept(faces, tmp_path):
    paths = faces.paths.tolist()
    other = Faces.of_paths(faces.root, paths, identities=dict.fromkeys(paths, "one"))
    made = small_audit(faces)
    audit = replace(made, faces=replace(made.faces, identities=["one"] * 12))
    read = Audit.read(audit.write(tmp_path / "one.json"))
    read.refuse_other(other, sizes=True)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Note("a/1", "a", "", 2.0, "x", "ask"),
        lambda: Note("a/1", "a", "", 0.5, "x", "burn"),  # type: ignore[arg-type]
        lambda: Finding("odd", (Note("a/1", "a", "", 0.5, "x", "ask"),)),
        lambda: Finding("crop", ()),
        lambda: Finding("duplicate", (Note("a/1", "a", "", 0.5, "x", "ask"),)),
        lambda: Finding(
            "crop",
            (Note("a/1", "a", "", 0.5, "x", "ask"),),
            (Twosome(("a/1", "a/2"), 1, "x"),),
        ),
        lambda: Finding(
            "duplicate",
            (Note("a/1", "a", "", 0.5, "x", "ask"),),
            (Twosome(("a/1", "a/2"), 1, "x"),),
        ),
    ],
)
def test_findings_check_themselves(make):
    with pytest.raises(ValueError, match=r"."):
        make()


def test_names_of_a_finding_are_those_it_is_about():
    assert Finding("alias", (Note("", "b", "a", 0.5, "x", "ask"),)).names == ["b", "a"]
    one = Note("a/1", "a", "b/1", 0.5, "x", "ask")
    assert twins("duplicate", one, Note("b/1", "b", "a/1", 0.5, "x", "ask")).names == ["a", "b"]


def test_a_kind_that_was_not_looked_for_abstains():
    account = KindAccount(0, 0, why="one identity")
    assert account.abstains
    assert account.sentence() == "abstains: one identity"
    assert np.isnan(account.precision or np.nan)


def test_names_speak_where_pictures_abstain(faces):
    """An abstaining check of aliases still flags by names and lists."""
    audit = small_audit(faces)
    named = Finding("alias", (Note("", "rei", "asuka", 0.98, "one by name", "ask"),))
    kinds = {**audit.kinds, "alias": replace(audit.kinds["alias"], findings=1)}
    audit = replace(audit, kinds=kinds, findings=[*audit.findings, named])
    assert audit.kinds["alias"].abstains
    assert audit.speaking == ["duplicate", "alias", "mislabel", "crop"]
