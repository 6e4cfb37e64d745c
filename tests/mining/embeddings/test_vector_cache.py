"""Vectors that runs share: the same bytes with and without, whatever becomes of the cache."""

from __future__ import annotations

import shutil
import subprocess
import sys

import numpy as np
import pytest
from support.command_line import lookalikes
from support.refusals import refused

from mining import embed, load_model
from mining.embeddings.vector_cache import VectorCache, facts_of
from pairsets import Faces


class Counting:
    """The `pixels` model, which counts the pictures that it encodes and can fail on demand."""

    def __init__(self, fingerprint="one", fail_at=None):
        self.inner = load_model("pixels")
        self.name, self.similarity, self.fingerprint = "python:counting", "cosine", fingerprint
        self.provenance = {"family": "counting"}
        self.decoded, self.calls, self.fail_at = 0, 0, fail_at

    def preprocess(self, image):
        self.decoded += 1
        return self.inner.preprocess(image)

    def encode(self, batch):
        self.calls += 1
        if self.fail_at is not None and self.calls > self.fail_at:
            raise KeyboardInterrupt
        return self.inner.encode(batch)


@pytest.fixture
def faces(faces_folder):
    return Faces.scan(faces_folder)


def bytes_of(folder):
    names = ("vectors.npy", "images.csv", "manifest.json")
    return {name: (folder / name).read_bytes() for name in names}


def run(faces, out, cache=None, model=None, **options):
    model = model or Counting()
    embed(faces, model, out, batch_size=4, cache=cache, **options)
    return model.decoded


def records(cache):
    return sorted(cache.rglob("*.vectors"))


def test_the_same_bytes_and_nothing_embedded_twice(faces, tmp_path):
    run(faces, tmp_path / "plain")
    assert run(faces, tmp_path / "one", tmp_path / "cache") == len(faces)
    assert run(faces, tmp_path / "two", tmp_path / "cache") == 0
    assert bytes_of(tmp_path / "plain") == bytes_of(tmp_path / "one") == bytes_of(tmp_path / "two")
    assert len(records(tmp_path / "cache")) == 1


def test_pictures_are_known_by_their_content(faces, tmp_path):
    run(faces, tmp_path / "one", tmp_path / "cache")
    other = tmp_path / "other"
    for row, path in enumerate(faces.paths):
        (other / f"who{row % 3}").mkdir(parents=True, exist_ok=True)
        shutil.copy(faces.root / path, other / f"who{row % 3}" / f"{row}.png")
    moved = Faces.scan(other)
    assert run(moved, tmp_path / "two", tmp_path / "cache") == 0
    run(moved, tmp_path / "plain")
    assert bytes_of(tmp_path / "two") == bytes_of(tmp_path / "plain")


@pytest.mark.parametrize("what", ["fingerprint", "batch size", "pixels"])
def test_another_way_to_make_vectors_shares_none(faces, tmp_path, what):
    run(faces, tmp_path / "one", tmp_path / "cache")
    model = Counting("two" if what == "fingerprint" else "one")
    options = {"max_pixels": 10_000_000} if what == "pixels" else {}
    size = 5 if what == "batch size" else 4
    embed(faces, model, tmp_path / "e", batch_size=size, cache=tmp_path / "cache", **options)
    assert model.decoded == len(faces)


def test_engine_device_and_fingerprint_are_in_the_key():
    class Device(Counting):
        device = "cuda:0"

    onnx = {"name": "onnx", "version": "1", "export_sha256": "a"}
    told = [
        facts_of(Counting(), None, 4, 9),
        facts_of(Counting("two"), None, 4, 9),
        facts_of(Device(), None, 4, 9),
        facts_of(Counting(), onnx, 4, 9),
        facts_of(Counting(), {**onnx, "export_sha256": "b"}, 4, 9),
        facts_of(Counting(), {**onnx, "version": "2"}, 4, 9),
    ]
    assert all(one not in told[:at] for at, one in enumerate(told))


@pytest.mark.parametrize("damage", ["vector", "digest", "checksum", "cut", "head", "empty"])
def test_what_is_damaged_is_made_and_written_again(faces, tmp_path, damage):
    run(faces, tmp_path / "one", tmp_path / "cache")
    (file,) = records(tmp_path / "cache")
    content = bytearray(file.read_bytes())
    size = (len(content) - 25) // len(faces)
    if damage == "cut":
        content = content[:-7]
    elif damage == "empty":
        content = bytearray()
    else:
        at = {"vector": 25 + 3 * size + 60, "digest": 25 + 3 * size, "head": 3}
        content[at.get(damage, 25 + 4 * size - 1)] ^= 1
    file.write_bytes(content)
    again = run(faces, tmp_path / "two", tmp_path / "cache")
    assert again == (len(faces) if damage in ("head", "empty") else 1)
    assert bytes_of(tmp_path / "one") == bytes_of(tmp_path / "two")
    assert run(faces, tmp_path / "three", tmp_path / "cache") == 0
    assert bytes_of(tmp_path / "one") == bytes_of(tmp_path / "three")


def test_an_interrupted_run_leaves_what_it_made(faces, tmp_path):
    run(faces, tmp_path / "plain")
    with pytest.raises(KeyboardInterrupt):
        run(faces, tmp_path / "one", tmp_path / "cache", Counting(fail_at=4))
    decoded = run(faces, tmp_path / "two", tmp_path / "cache")
    assert 0 < decoded < len(faces)
    assert bytes_of(tmp_path / "plain") == bytes_of(tmp_path / "two")


def test_a_picture_that_cannot_be_read_is_told_as_without(faces, tmp_path, faces_folder):
    (faces_folder / faces.paths[3]).write_bytes(b"no picture")
    found = [
        run(faces, tmp_path / out, cache, on_error="skip")
        for out, cache in (("plain", None), ("one", tmp_path / "c"), ("two", tmp_path / "c"))
    ]
    assert found[2] == 0
    assert bytes_of(tmp_path / "plain") == bytes_of(tmp_path / "one") == bytes_of(tmp_path / "two")


CONCURRENT = """
import sys
from pathlib import Path
from mining import embed, load_model
from pairsets import Faces
embed(Faces.scan(sys.argv[1]), load_model("pixels"), sys.argv[2], cache=Path(sys.argv[3]))
"""


def test_runs_at_once(faces, tmp_path):
    started = [
        subprocess.Popen([sys.executable, "-c", CONCURRENT, str(faces.root), str(tmp_path / out),
                          str(tmp_path / "cache")])
        for out in ("a", "b")
    ]  # fmt: skip
    assert [one.wait(300) for one in started] == [0, 0]
    embed(faces, load_model("pixels"), tmp_path / "plain")
    for out in ("a", "b"):
        assert bytes_of(tmp_path / out) == bytes_of(tmp_path / "plain")


def test_a_cache_gives_what_was_put_in(tmp_path):
    rows = np.random.default_rng(0).standard_normal((700, 5)).astype(np.float32)
    names = [f"{row:064x}" for row in range(700)]
    first = VectorCache(tmp_path / "c", {"a": 1})
    first.append(names[:600], rows[:600])
    first.append(names[600:], rows[600:])
    first.close()
    found = VectorCache(tmp_path / "c", {"a": 1}).find({*names[::7], "f" * 64})
    assert {*found} == {*names[::7]}
    assert all((found[names[row]] == rows[row]).all() for row in range(0, 700, 7))
    assert VectorCache(tmp_path / "c", {"a": 2}).find({*names}) == {}


def test_on_the_command_line(faces_folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    command = ("embed", faces_folder, "--model", "pixels")
    assert lookalikes(*command, "--out", "a").code == 0
    assert lookalikes(*command, "--out", "b", "--cache", "c").code == 0
    built = lookalikes("build", faces_folder, "--reference", "pixels", "--pairs", 5,
                       "--cache", "c", "--out", "run")  # fmt: skip
    assert built.code == 0, built.err
    (made,) = (tmp_path / "run" / "embeddings").iterdir()
    assert bytes_of(tmp_path / "a") == bytes_of(tmp_path / "b") == bytes_of(made)
    assert len(records(tmp_path / "c")) == 1
    inside = (*command, "--out", "d", "--cache", faces_folder / "c")
    assert "inside the faces folder" in refused(tmp_path, *inside)
    assert "choose another --cache" in refused(tmp_path, *command, "--out", "d", "--cache", "d/c")
    (tmp_path / "file").write_text("")
    assert "is a file" in refused(tmp_path, *command, "--out", "d", "--cache", "file")
