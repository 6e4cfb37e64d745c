"""`lookalikes audit`: planted mistakes are found, told, left out, and put back."""

from __future__ import annotations

import csv
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.audits import plant_mistakes, write_vectors
from support.command_line import contents, lookalikes
from support.identities import people
from support.refusals import misused, refused

from mining import Embeddings
from mining.commands.audit import audit
from mining.errors import SuspectError
from mining.inspection.actions import Actions
from mining.inspection.work import AuditWork
from mining.overlap.candidates import Twins
from mining.overlap.nearest_faces import facts_of
from mining.suspects.crops import BadCrops
from mining.suspects.evidence import Evidence
from pairsets import Faces, PairSet, images, read_ignore_list
from pairsets.files.audits import Audit
from pairsets.sources.drawn.sample import draw_faces
from pairsets.storage import relocation

pytest.importorskip("cv2")


@pytest.fixture(scope="module")
def drawn(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("drawn") / "sample"
    return draw_faces(out, characters=10, seed=3).faces


@pytest.fixture(scope="module")
def world(drawn, tmp_path_factory):
    """Faces with planted mistakes, vectors of them, and an audit; and what was planted."""
    home = tmp_path_factory.mktemp("world")
    planted = plant_mistakes(drawn, home / "faces")
    embed = ("embed", home / "faces", "--model", "pixels", "--on-error", "skip")
    assert lookalikes(*embed, "--out", home / "emb").code == 0
    faces = Embeddings.load(home / "emb").faces
    # Each face looks as its identity does; the moved one, and one alone, as another's.
    vectors, _ = people(faces.count_identities, 1, seed=5)
    codes = faces.groups.copy()
    codes[faces.paths.find([planted["moved"]])] = 0
    noise = np.random.default_rng(0).normal(size=(len(faces), vectors.shape[1]))
    found = vectors[codes] + 0.05 * noise
    write_vectors(home / "emb", found / np.linalg.norm(found, axis=1, keepdims=True))
    made = lookalikes("audit", home / "faces", "--embeddings", home / "emb")
    assert made.code == 0, made.err
    return home, planted, made


@pytest.fixture
def home(world, tmp_path, monkeypatch):
    """A copy of that world, to be changed."""
    shutil.copytree(world[0], tmp_path / "w", copy_function=shutil.copy2)
    monkeypatch.chdir(tmp_path / "w")
    return tmp_path / "w"


def rows_of(folder):
    with (folder / "audit.csv").open(encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def told(rows, kind):
    return {row["path"]: row["suggestion"] for row in rows if row["kind"] == kind}


def left_out(home):
    return Audit.read(home / "faces.audit" / "audit.json").left_out


def test_planted_mistakes_are_found_and_nothing_else(world):
    home, planted, made = world
    rows = rows_of(home / "faces.audit")
    assert told(rows, "duplicate") == {
        planted["original"]: "keep",
        planted["copy"]: "leave-out",
        planted["theirs"]: "ask",
        planted["taken"]: "ask",
    }
    assert told(rows, "crop") == {planted["blank"]: "leave-out"}
    read = Audit.read(home / "faces.audit" / "audit.json")
    moved = read.kinds["mislabel"]
    assert moved.abstains or told(rows, "mislabel") == {planted["moved"]: "ask"}
    assert read.unread.keys() == {planted["broken"]}
    assert read.left_out == sorted([planted["copy"], planted["blank"]])
    assert "2 faces would be left out" in made.out
    assert "1 images cannot be read" in made.out
    assert contents(home).keys() >= {"faces.audit/audit.csv", "faces.audit/audit.html"}


def test_the_manifest_tells_what_was_looked_at(world):
    home, _, _ = world
    content = json.loads((home / "faces.audit" / "audit.json").read_text("utf-8"))
    assert content["schema"] == 2
    assert content["versions"].keys() >= {"lookalikes", "python"}
    assert content["parameters"]["seed"] == 0
    (vectors,) = content["embeddings"]
    manifest = json.loads((home / "emb" / "manifest.json").read_text("utf-8"))
    assert vectors["fingerprint"] == manifest["fingerprint"]
    assert content["faces"]["images"] == len(Faces.scan(home / "faces"))
    assert content["kinds"]["crop"] == {
        "findings": 1,
        "faces": 1,
        "expected": None,
        "why": "",
        "counted": False,
        "abstains": False,
    }


def test_pictures_alone_tell_what_they_can(home):
    made = lookalikes("audit", "faces", "--out", "plain")
    assert made.code == 0
    content = json.loads((home / "plain" / "audit.json").read_text("utf-8"))
    assert content["kinds"].keys() >= {"duplicate", "alias", "crop", "few"}
    assert content["lacking"] == {"mislabel": "--embeddings", "outlier": "--embeddings"}
    assert "Not looked for: a face of another identity (mislabel), which needs --emb" in made.out


def test_the_same_audit_has_the_same_bytes(home):
    before = contents(home / "faces.audit")
    assert lookalikes("audit", "faces", "--embeddings", "emb", "--overwrite").code == 0
    after = contents(home / "faces.audit")
    # The places differ, of which the page shows the name alone.
    assert before.keys() == after.keys()
    assert after["audit.csv"] == before["audit.csv"]
    assert after["audit.html"] == before["audit.html"]


def test_python_gives_what_was_found(home):
    made = audit(home / "faces", kinds=["crop", "duplicate"], out=home / "other")
    assert made.audit is not None
    assert list(made.audit.kinds) == ["duplicate", "crop"]
    assert made.audit.findings == Audit.read(home / "other" / "audit.json").findings


def test_what_does_not_fit_in_lists_is_told(home):
    one, other = sorted(Faces.scan("faces").paths)[:2]
    (home / "aliases.csv").write_text("identity,alias\nnobody,no_one\n")
    (home / "links.csv").write_text(f"pathA,pathB\n{one},{other}\ngone/1.png,{one}\n")
    lists = ("--aliases", "aliases.csv", "--cannot-link", "links.csv", "--kinds", "alias")
    made = lookalikes("audit", "faces", "--out", "o", *lists, "--spreadsheet-safe")
    assert made.code == 0
    told = " ".join(made.out.split())
    assert "aliases.csv: 2 listed names are no identity's of these faces" in told
    assert "links.csv: 1 of its paths are no face of these" in told
    assert "links.csv: 1 of its pairs of faces are of one identity" in told
    names = {path.name for path in (home / "o").iterdir()}
    assert names == {"audit.csv", "audit.html", "audit.json", "audit.spreadsheet.csv"}
    content = json.loads((home / "o" / "audit.json").read_text("utf-8"))
    assert len(content["parameters"]["cannot_link_sha256"]) == 1


def test_a_list_of_aliases_is_believed(home):
    one, other, *_ = dict.fromkeys(Faces.scan("faces").identities.tolist())
    (home / "aliases.csv").write_text(f"identity,alias\n{other},{one}\n")
    lists = ("--aliases", "aliases.csv", "--kinds", "alias")
    assert lookalikes("audit", "faces", "--out", "o", *lists).code == 0
    rows = rows_of(home / "o")
    assert [(row["identity"], row["other"], row["suggestion"]) for row in rows] == [
        (min(one, other), max(one, other), "ask")
    ]


# --- faces left out


def test_an_ignore_list_is_one_that_other_commands_take(home):
    planted = left_out(home)
    act = ("audit", "faces", "--out", "o", "--ignore-list", "leave.csv")
    assert lookalikes(*act).code == 0
    assert read_ignore_list("leave.csv") == {Path(path).name for path in planted}
    assert lookalikes("random", "faces", "--ignore-list", "leave.csv", "--out", "r.csv").code == 0
    assert not {*planted} & {*PairSet.read("r.csv").paths}


def test_a_base_name_of_two_faces_is_refused_and_the_work_is_kept(home):
    (copy, *_) = [path for path in left_out(home) if path.endswith("zz_copy.jpg")]
    other = next(path for path in sorted((home / "faces").iterdir()) if path.name not in copy)
    shutil.copy(next(other.glob("*.png")), other / "zz_copy.jpg.png")
    (other / "zz_copy.jpg.png").rename(other / "zz_copy.jpg")
    blank = next(path for path in left_out(home) if "blank" in path)
    draw = np.random.default_rng(0).integers(0, 255, (90, 90, 3), dtype=np.uint8)
    Image.fromarray(draw).save(other / "zz_blank.png")
    before = contents(home / "faces")
    message = lookalikes("audit", "faces", "--out", "o", "--ignore-list", "leave.csv").message
    assert blank in message
    assert f"{other.name}/zz_blank.png" in message
    assert "--move-to" in message
    assert contents(home / "faces") == before
    assert not (home / "leave.csv").exists()
    assert not (home / "o" / "audit.csv").exists()


def test_faces_are_moved_away_and_back(home):
    before = contents(home / "faces")
    made = lookalikes("audit", "faces", "--out", "o", "--move-to", "aside")
    assert made.code == 0
    gone = left_out(home)
    assert [path for path in gone if (home / "faces" / path).exists()] == []
    assert all((home / "aside" / path).read_bytes() == before[path] for path in gone)
    # The audit is still that of the folder, without what it moved.
    Audit.read("o/audit.json").refuse_other(Faces.scan("faces"), sizes=True)
    assert lookalikes("audit", "--undo", "aside/undo.csv").code == 0
    assert contents(home / "faces") == before
    assert not (home / "aside").exists()
    Audit.read("o/audit.json").refuse_other(Faces.scan("faces"), sizes=True)


def test_other_kinds_are_acted_on_when_asked(home):
    act = ("audit", "faces", "--out", "o", "--kinds", "crop,duplicate", "--act-on", "duplicate")
    assert lookalikes(*act).code == 0
    rows = rows_of(home / "o")
    assert set(told(rows, "crop").values()) == {"ask"}
    assert "leave-out" in told(rows, "duplicate").values()


# --- interruption


@pytest.mark.parametrize("stage", ["copies", "mislabels", "page"])
def test_an_interrupted_audit_goes_on_with_the_same_bytes(home, monkeypatch, stage):
    """Crops that were looked at are not looked at again."""
    command = ("audit", "faces", "--embeddings", "emb", "--out", "o")

    def stop(*args, **kwargs):
        raise KeyboardInterrupt

    place = {
        "copies": "mining.overlap.inner_copies.copies_within",
        "mislabels": "mining.suspects.mislabels.Mislabelled.of_faces",
        "page": "mining.commands.audit.write_audit_page",
    }[stage]
    with monkeypatch.context() as patch:
        patch.setattr(place, stop)
        assert lookalikes(*command).code == 130
    left = {path.name for path in (home / "o").iterdir()}
    assert "crops.partial.sqlite" in left
    assert not left & {"audit.csv", "audit.json", "audit.html"}
    looked, asked = [], BadCrops.of_faces

    def of_faces(self, paths, progress):
        looked.extend(paths)
        return asked(self, paths, progress)

    with monkeypatch.context() as patch:
        patch.setattr("mining.suspects.crops.BadCrops.of_faces", of_faces)
        assert lookalikes(*command).code == 0
    # What could not be read may be readable by now.
    assert looked == list(Audit.read("o/audit.json").unread)
    assert {path.name for path in (home / "o").iterdir()} == {
        "audit.csv", "audit.html", "audit.json",
    }  # fmt: skip
    assert (home / "o" / "audit.csv").read_bytes() == (
        home / "faces.audit" / "audit.csv"
    ).read_bytes()


def test_what_became_readable_is_looked_at_when_it_goes_on(home, monkeypatch):
    """Though neither its size nor its time changed, as where a right to read was given."""
    (bad,) = Audit.read("faces.audit/audit.json").unread
    command = ("audit", "faces", "--kinds", "crop,duplicate", "--out", "o")

    def stop(*args, **kwargs):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("mining.commands.audit.write_audit_page", stop)
        assert lookalikes(*command).code == 130
    decode = images.decode

    def readable(data, *, path=None, **options):
        if path is not None and Path(path) == Path("faces") / bad:
            return Image.new("RGB", (64, 64), "white")
        return decode(data, path=path, **options)

    monkeypatch.setattr(images, "decode", readable)
    assert lookalikes(*command).code == 0
    found = Audit.read("o/audit.json")
    assert not found.unread
    assert found.single["crop"][bad][1] == "nearly one colour"


def test_an_interrupted_move_says_how_to_undo_it(home, monkeypatch):
    synced, sync = [], relocation.sync

    def stopping(folder):
        """After the list is on the disk, one face has moved, and another has half."""
        synced.append(folder)
        if len(synced) == 3:
            raise KeyboardInterrupt
        sync(folder)

    before = contents(home / "faces")
    with monkeypatch.context() as patch:
        patch.setattr(relocation, "sync", stopping)
        made = lookalikes("audit", "faces", "--out", "o", "--move-to", "aside")
    assert made.code == 1
    assert "interrupted; some of the" in made.err
    assert "lookalikes audit --undo aside/undo.csv" in made.err
    assert contents(home / "faces") != before
    assert lookalikes("audit", "--undo", "aside/undo.csv").code == 0
    assert contents(home / "faces") == before


# --- what other commands make of it


def same_pairs(one, other):
    assert Path(one).read_bytes() == Path(other).read_bytes()
    first, second = (PairSet.read(path) for path in (one, other))
    assert first.keys == second.keys


def test_mining_by_an_audit_is_mining_without_suspects(home):
    kinds = Audit.read("faces.audit/audit.json").speaking
    mine = ("mine", "emb", "--pairs", "60", "--positives", "5")
    live = ("--drop-suspects", ",".join(kinds), "--faces", "faces")
    assert lookalikes(*mine, *live, "--out", "live.csv").code == 0
    by_audit = ("--audit", "faces.audit/audit.json")
    assert lookalikes(*mine, *by_audit, "--out", "all.csv").code == 0
    same_pairs("live.csv", "all.csv")
    named = ("--drop-suspects", ",".join(kinds), *by_audit)
    assert lookalikes(*mine, *named, "--out", "named.csv").code == 0
    same_pairs("live.csv", "named.csv")
    manifest = json.loads(Path("all.json").read_text("utf-8"))
    assert manifest["inputs"]["audit_sha256"] == Audit.read("faces.audit/audit.json").digest
    assert manifest["parameters"]["drop_suspects"] == kinds
    assert lookalikes(*mine, "--out", "plain.csv").code == 0
    assert PairSet.read("plain.csv").keys != PairSet.read("all.csv").keys


def test_hard_positives_by_an_audit(home):
    mine = ("mine", "emb", "--pairs", "10", "--label", "positive", "--negatives", "5")
    made = lookalikes(*mine, "--audit", "faces.audit/audit.json", "--out", "p.csv")
    assert made.code == 0
    manifest = json.loads(Path("p.json").read_text("utf-8"))
    assert "alias" not in manifest["parameters"]["drop_suspects"]


def test_a_build_takes_an_audit(home):
    (home / "faces" / next(iter(Audit.read("faces.audit/audit.json").unread))).unlink()
    assert lookalikes("audit", "faces", "--out", "o", "--kinds", "duplicate,crop").code == 0
    build = ("build", "faces", "--reference", "pixels", "--pairs", "20", "--positives", "5")
    made = lookalikes(*build, "--negatives", "5", "--audit", "o/audit.json", "--out", "run")
    assert made.code == 0, made.err
    manifest = json.loads(Path("run/adversarial.json").read_text("utf-8"))
    assert manifest["inputs"]["audit_sha256"] == Audit.read("o/audit.json").digest
    taken = PairSet.read("run/adversarial.csv")
    crops = {*Audit.read("o/audit.json").single["crop"]}
    negatives = taken.label == 0
    assert not crops & {*taken.path_a[negatives], *taken.path_b[negatives]}


def test_suspects_are_told_by_an_audit(home):
    assert (
        lookalikes("mine", "emb", "--pairs", "60", "--positives", "5", "--out", "m.csv").code == 0
    )
    found = ("suspects", "m.csv", "--kinds", "duplicate,crop")
    assert lookalikes(*found, "--faces", "faces", "--out", "live.csv").code == 0
    assert lookalikes(*found, "--audit", "faces.audit/audit.json", "--out", "a.csv").code == 0
    columns = []
    for name in ("live.csv", "a.csv"):
        with (home / name).open(encoding="utf-8") as stream:
            rows = csv.DictReader(stream)
            columns.append(
                [(row["pathA"], row["pathB"], row["suspect"], row["reason"]) for row in rows]
            )
    assert columns[0] == columns[1]
    assert any(suspect for _, _, suspect, _ in columns[0])


# --- bad input


def test_a_folder_that_changed_is_refused_by_all(home):
    path = next(iter(Audit.read("faces.audit/audit.json").single["crop"]))
    (home / "faces" / path).write_bytes((home / "faces" / path).read_bytes() + b" ")
    by_audit = ("--audit", "faces.audit/audit.json")
    build = ("build", "faces", "--reference", "pixels", "--out", "run")
    assert "1 of another size" in refused(home, *build, *by_audit)
    (home / "faces" / path).unlink()
    assert "1 no longer there" in refused(home, *build, *by_audit)
    # Vectors of before know nothing of it.
    assert lookalikes("mine", "emb", "--pairs", "9", *by_audit, "--out", "m.csv").code == 0


def test_other_bytes_of_one_size_are_seen(home):
    """By whoever has vectors of the pictures, or the pictures themselves."""
    path = home / "faces" / left_out(home)[0]
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    told = refused(home, "audit", "faces", "--embeddings", "emb", "--out", "o")
    assert "1 of the pictures that it has vectors of have other bytes now" in told
    pictures = ("--kinds", "duplicate,crop")
    assert lookalikes("audit", "faces", *pictures, "--out", "o").code == 0
    mine = ("mine", "emb", "--pairs", "9")
    told = refused(home, *mine, "--audit", "o/audit.json", "--out", "m.csv")
    assert "not as they were audited: 1 with other bytes" in told
    made = lookalikes(*mine, "--audit", "faces.audit/audit.json", "--out", "m.csv")
    assert made.code == 0, made.err


def test_an_audit_of_another_folder_is_refused(home, tmp_path):
    other = tmp_path / "other"
    for at, name in enumerate(["x", "y"]):
        (other / name).mkdir(parents=True)
        for number in range(2):
            noise = np.random.default_rng([at, number]).integers(0, 255, (40, 40, 3), np.uint8)
            Image.fromarray(noise).save(other / name / f"{number}.png")
    assert lookalikes("audit", other).code == 0
    by_audit = ("--audit", tmp_path / "other.audit" / "audit.json")
    assert "an audit of other faces" in refused(home, "mine", "emb", *by_audit, "--out", "m.csv")
    assert lookalikes("mine", "emb", "--pairs", "9", "--out", "m.csv").code == 0
    assert "an audit of other faces" in refused(home, "suspects", "m.csv", *by_audit)


def test_a_broken_audit_is_refused(home):
    (home / "a.json").write_text("{")
    assert "not JSON" in refused(home, "mine", "emb", "--audit", "a.json", "--out", "m.csv")
    told = refused(home, "mine", "emb", "--audit", "faces.audit", "--out", "m.csv")
    assert "a folder; expected the audit.json" in told


def test_bad_folders_are_refused_with_one_error(home):
    (home / "flat").mkdir()
    for picture in list((home / "faces").rglob("0*.png"))[:3]:
        shutil.copy(picture, home / "flat")
    assert "flat" in refused(home, "audit", "flat")
    (home / "empty").mkdir()
    assert "no images in it" in refused(home, "audit", "empty")
    assert "no such folder" in refused(home, "audit", "nowhere")
    (home / "pairs.csv").write_text("pathA,pathB,label,human_prediction,invalid\n")
    assert "suspects of a pair file: lookalikes suspects" in refused(home, "audit", "pairs.csv")


def test_places_that_cannot_be_are_refused_before_the_work(home, monkeypatch):
    monkeypatch.setattr(AuditWork, "look", lambda self: pytest.fail("it worked"))
    assert "inside the faces folder" in refused(home, "audit", "faces", "--out", "faces/x")
    move = ("audit", "faces", "--out", "o", "--move-to")
    assert "choose another --move-to" in refused(home, *move, "faces/aside")
    act = ("audit", "faces", "--out", "o", "--ignore-list")
    assert "choose another --ignore-list" in refused(home, *act, "faces/leave.csv")
    assert "or replace it with --overwrite" in refused(home, "audit", "faces")
    (home / "file").write_text("x")
    assert "is a file, not a folder" in refused(home, "audit", "faces", "--out", "file")


def test_wrong_calls_are_refused(home):
    assert "name the folder of faces" in misused(home, "audit")
    assert "leave out FACES" in misused(home, "audit", "faces", "--undo", "undo.csv")
    new = ("audit", "faces", "--out", "o")
    assert "kind 'odd'" in refused(home, *new, "--kinds", "odd")
    assert "cannot be seen without --embeddings" in refused(home, *new, "--kinds", "outlier")
    assert "that kind is not looked for" in refused(home, *new, "--act-on", "mislabel")
    (home / "aliases.csv").write_text("identity,alias\na,b\n")
    told = refused(home, *new, "--kinds", "crop", "--aliases", "aliases.csv")
    assert "--aliases is for suspects of the kind alias" in told


def test_vectors_of_other_faces_are_refused(home):
    next((home / "faces").rglob("zz_blank.png")).unlink()
    told = refused(home, "audit", "faces", "--embeddings", "emb", "--out", "o")
    assert "1 of its" in told
    assert "faces are not in" in told


@pytest.mark.parametrize("single", [True, False])
def test_faces_that_tell_little_are_looked_at_and_it_is_said(tmp_path, drawn, single):
    """One identity, or one picture of each: what is asked of identities abstains."""
    folders = sorted(drawn.iterdir())
    for folder in folders[:3] if single else folders[:1]:
        (tmp_path / "faces" / folder.name).mkdir(parents=True)
        for picture in sorted(folder.iterdir())[: 1 if single else 3]:
            shutil.copy(picture, tmp_path / "faces" / folder.name)
    faces = tmp_path / "faces"
    level = ("--identity-level", "1")
    embed = ("embed", faces, "--model", "pixels", "--out", tmp_path / "emb", *level)
    assert lookalikes(*embed).code == 0
    made = lookalikes("audit", faces, "--embeddings", tmp_path / "emb", *level)
    assert made.code == 0, made.err
    found = Audit.read(tmp_path / "faces.audit" / "audit.json")
    assert found.kinds["mislabel"].why
    assert found.kinds["outlier"].abstains
    assert "is not looked for" in made.out
    assert found.kinds["few"].findings == (3 if single else 0)


def test_an_audit_without_opencv_says_what_it_lacks(home, monkeypatch):
    def lacking(*args, **kwargs):
        raise SuspectError("copies of pictures: needs cv2")

    monkeypatch.setattr("mining.overlap.inner_copies.copies_within", lacking)
    made = lookalikes("audit", "faces", "--out", "o")
    assert made.code == 0
    assert "needs cv2" in made.out
    assert Audit.read("o/audit.json").kinds["duplicate"].abstains
    assert "duplicate" not in Audit.read("o/audit.json").speaking


def test_nearest_faces_are_likely_copies(home, monkeypatch):
    assert (
        lookalikes("embed", "faces", "--model", "pixels", "--out", "p", "--on-error", "skip").code
        == 0
    )
    monkeypatch.setattr(Twins, "likely", lambda self, picture, most: [])
    found = []
    for out, more in (("a", ()), ("b", ("--embeddings", "p"))):
        assert lookalikes("audit", "faces", "--kinds", "duplicate", *more, "--out", out).code == 0
        found.append({*Audit.read(f"{out}/audit.json").pairs["duplicate"]})
    assert found[0] < found[1] <= {*Audit.read("faces.audit/audit.json").pairs["duplicate"]}


def test_vectors_in_a_folder_are_told_by_their_digest(home):
    embedded = Embeddings.load("emb")
    (facts,) = facts_of([embedded])
    assert embedded.manifest["vectors_sha256"] in facts
    assert facts_of([embedded.take(np.arange(len(embedded)))]) != [facts]


def test_an_audit_without_faiss_looks_at_pictures_alone(home, monkeypatch):
    whole = Audit.read("faces.audit/audit.json")
    monkeypatch.setitem(sys.modules, "faiss", None)
    made = lookalikes("audit", "faces", "--embeddings", "emb", "--out", "o")
    assert made.code == 0
    assert "by the pictures alone: FAISS is not installed" in " ".join(made.out.split())
    assert Audit.read("o/audit.json").pairs["duplicate"] == whole.pairs["duplicate"]


def test_outliers_are_told_where_they_are(home):
    embedded = Embeddings.load("emb")
    vectors = np.column_stack([np.array(embedded.vectors), np.ones(len(embedded))])
    row = int(np.flatnonzero(np.bincount(embedded.faces.groups)[embedded.faces.groups] > 3)[0])
    vectors[row] = np.eye(vectors.shape[1])[0] - vectors[row]
    write_vectors(home / "emb", vectors / np.linalg.norm(vectors, axis=1, keepdims=True))
    evidence = Evidence(references=[Embeddings.load("emb")])
    actions = Actions(act_on=("outlier",))
    made = audit("faces", out="o", evidence=evidence, kinds=["outlier"], actions=actions)
    assert made.audit is not None
    assert made.audit.left_out == [embedded.faces.paths[row]]
