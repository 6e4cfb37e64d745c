"""Vectors are used again where they fit, told apart face by face as a plain dictionary does."""

from __future__ import annotations

import hashlib
import json
import os
import tracemalloc

import numpy as np
import pytest
from support.drawn import draw_face

import mining.embeddings.known_vectors as known_vectors
from mining import Embeddings, embed, load_model
from mining.embeddings.journal import FACTS
from mining.embeddings.store import SCHEMA
from mining.errors import EmbeddingError
from pairsets import Faces
from pairsets.identities.patterns import ByPattern
from pairsets.picture_sources.base import facts_of
from pairsets.storage.artefacts import write_json
from pairsets.storage.csv_tables import write_csv
from pairsets.storage.digests import sha256


class Model:
    """The `pixels` model under a name of its own, which can stop after some batches."""

    similarity = "cosine"

    def __init__(self, stop_after=None):
        self.inner = load_model("pixels")
        self.name, self.fingerprint, self.provenance = "python:model", "one", {}
        self.stop_after, self.decoded, self.batches = stop_after, [], 0

    def preprocess(self, image):
        self.decoded.append(image.size)
        return self.inner.preprocess(image)

    def encode(self, batch):
        self.batches += len(batch) > 1
        if self.stop_after is not None and self.batches > self.stop_after:
            raise KeyboardInterrupt
        return self.inner.encode(batch)


@pytest.fixture(params=[2, 1000])
def chunks(request, monkeypatch):
    monkeypatch.setattr(known_vectors, "CHUNK", request.param)
    monkeypatch.setattr(known_vectors, "COPIED", request.param)


def files_of(folder):
    return {file.name: file.read_bytes() for file in sorted(folder.iterdir())}


def same_but_status(one, other):
    names = {"vectors.npy", "images.csv", "manifest.json"}
    return all((one / name).read_bytes() == (other / name).read_bytes() for name in names)


def test_what_was_embedded_anew_before_an_interruption_is_not_lost(faces_folder, tmp_path):
    """All changed pictures stand in the journal, and only the finished files are of old ones."""
    faces = Faces.scan(faces_folder)
    embed(faces, Model(), tmp_path / "e")
    draw_face(99).save(faces_folder / "a" / "1.png")

    def interrupt(done, total):
        if done == total:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        embed(faces, Model(), tmp_path / "e", progress=interrupt)
    rest = Model()
    embed(faces, rest, tmp_path / "e")
    assert rest.decoded == []
    embed(faces, Model(), tmp_path / "fresh")
    assert same_but_status(tmp_path / "e", tmp_path / "fresh")


@pytest.mark.usefixtures("chunks")
@pytest.mark.parametrize("seed", range(4))
def test_whatever_happened_meanwhile_it_ends_as_if_made_anew(faces_folder, tmp_path, seed):
    """Pictures that came, went, changed, were touched; interruptions; a lost status."""
    draw = np.random.default_rng(seed)
    files = sorted(faces_folder.rglob("*.png"))
    embed(Faces.scan(faces_folder), Model(), tmp_path / "e", batch_size=3)
    for step in range(5):
        for file in draw.choice(files, 4).tolist():
            match int(draw.integers(4)):
                case 0:
                    draw_face(int(draw.integers(1000))).save(file)
                case 1 if file.exists():
                    file.write_bytes(file.read_bytes())
                case 2 if file.exists() and len(list(file.parent.iterdir())) > 1:
                    file.unlink()
                case _:
                    new = file.with_name(f"new {step} {file.name}")
                    draw_face(int(draw.integers(1000))).save(new)
        if draw.integers(4) == 0:
            (tmp_path / "e" / "status.csv").unlink(missing_ok=True)
        faces = Faces.scan(faces_folder)
        if draw.integers(2):
            stopping = Model(stop_after=int(draw.integers(2)))
            try:
                embed(faces, stopping, tmp_path / "e", batch_size=3)
            except KeyboardInterrupt:
                continue
        last = Model()
        embed(faces, last, tmp_path / "e", batch_size=3)
        embed(faces, Model(), tmp_path / "fresh" / str(step), batch_size=3)
        assert same_but_status(tmp_path / "e", tmp_path / "fresh" / str(step))
        status = np.loadtxt(tmp_path / "e" / "status.csv", np.int64, delimiter=",", skiprows=1)
        expected = [facts_of(faces.locate(path).stat()) for path in faces.paths]
        assert status.tolist() == [list(one) for one in expected]
        again = Model()
        embed(faces, again, tmp_path / "e", batch_size=3)
        assert again.decoded == []


def test_with_nothing_to_do_no_file_is_written(faces_folder, tmp_path):
    faces = Faces.scan(faces_folder)
    embed(faces, Model(), tmp_path / "e")
    before = files_of(tmp_path / "e")
    times = {file.name: file.stat().st_mtime_ns for file in (tmp_path / "e").iterdir()}
    found = embed(faces, Model(), tmp_path / "e")
    assert files_of(tmp_path / "e") == before
    assert {file.name: file.stat().st_mtime_ns for file in (tmp_path / "e").iterdir()} == times
    loaded = Embeddings.load(tmp_path / "e")
    assert found.faces.root == faces.root
    assert found.manifest == loaded.manifest
    np.testing.assert_array_equal(found.vectors, loaded.vectors)
    # A new status is kept, so that the next time nothing is read.
    file = faces.locate(faces.paths[0])
    file.write_bytes(file.read_bytes())
    embed(faces, Model(), tmp_path / "e")
    assert files_of(tmp_path / "e").items() - before.items() == {
        ("status.csv", (tmp_path / "e" / "status.csv").read_bytes())
    }
    assert (tmp_path / "e" / "status.csv").read_bytes() != before["status.csv"]


def finished(root, folder, count):
    """A finished folder of faces that are hard links of one, and of small random vectors."""
    (root / "one").mkdir(parents=True)
    original = root / "one" / "0.png"
    draw_face(1).save(original)
    content = hashlib.sha256(original.read_bytes()).hexdigest()
    for at in range(1, count):
        if at % 100 == 0:
            (root / f"identity {at // 100:04d}").mkdir()
        home = "one" if at < 100 else f"identity {at // 100:04d}"
        os.link(original, root / home / f"{at}.png")
    faces, model = Faces.scan(root), Model()
    folder.mkdir()
    np.save(folder / "vectors.npy", np.ones((count, 1), np.float32))
    write_csv(folder / "images.csv", ["path", "sha256"], ((path, content) for path in faces.paths))
    write_csv(folder / "status.csv", FACTS, [facts_of(original.stat())] * count)
    manifest = {
        "schema": SCHEMA,
        "model": model.name,
        "fingerprint": model.fingerprint,
        "similarity": "cosine",
        "images": count,
        "dimensions": 1,
        "skipped": {},
        "images_sha256": sha256(folder / "images.csv"),
        "vectors_sha256": sha256(folder / "vectors.npy"),
        "provenance": {},
    }
    write_json(folder / "manifest.json", manifest)
    return faces


def test_nothing_to_do_takes_no_object_a_face(tmp_path):
    count = 20_000
    faces = finished(tmp_path / "faces", tmp_path / "e", count)
    model = Model()
    tracemalloc.start()
    try:
        embed(faces, model, tmp_path / "e")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert model.decoded == []
    # A dictionary of them alone would take 200 bytes a face; beside what does not grow with them.
    assert peak < 3_000_000 + 200 * count


def test_other_dimensions_of_one_model_are_no_vectors(faces_folder, tmp_path):
    """As a file of `vectors.npy` that does not belong to its manifest: the folder is made anew."""
    faces = Faces.scan(faces_folder)
    embed(faces, Model(), tmp_path / "e")
    vectors = np.load(tmp_path / "e" / "vectors.npy")
    np.save(tmp_path / "e" / "vectors.npy", vectors[:, :-1])
    with pytest.raises(EmbeddingError):
        Embeddings.load(tmp_path / "e")
    model = Model()
    embed(faces, model, tmp_path / "e")
    assert len(model.decoded) == len(faces)
    np.testing.assert_array_equal(np.load(tmp_path / "e" / "vectors.npy"), vectors)


def test_who_faces_show_is_read_in_any_order(faces_folder, tmp_path):
    """In that of the faces, as it is written, without an object a face; in another, too."""
    faces = Faces.scan(faces_folder, ByPattern(r"(\d)\.png$"))
    assert faces.named is not None
    folder = tmp_path / "e"
    embed(faces, Model(), folder)
    found = Embeddings.load(folder).faces
    assert found.identities.tolist() == faces.identities.tolist()
    assert len({id(name) for name in found.identities}) == faces.count_identities
    assert found.said == faces.said
    header, *rows = (folder / "identities.csv").read_text("utf-8").splitlines(keepends=True)
    manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    for other in (rows[::-1], [*rows, *rows], ["stranger/1.png,9\n", *rows]):
        (folder / "identities.csv").write_text(header + "".join(other), "utf-8")
        manifest["identities_sha256"] = sha256(folder / "identities.csv")
        write_json(folder / "manifest.json", manifest)
        found = Embeddings.load(folder).faces
        assert found.paths.tolist() == faces.paths.tolist()
        assert found.identities.tolist() == faces.identities.tolist()
    (folder / "identities.csv").write_text(header + "".join(rows[1:]), "utf-8")
    manifest["identities_sha256"] = sha256(folder / "identities.csv")
    write_json(folder / "manifest.json", manifest)
    with pytest.raises(EmbeddingError, match="no identity is known of"):
        Embeddings.load(folder)
    (folder / "identities.csv").unlink()
    with pytest.raises(EmbeddingError, match=r"identities\.csv is missing"):
        Embeddings.load(folder)
