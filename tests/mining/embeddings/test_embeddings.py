"""Embeddings: made once, resumed after any kill, remade when something changed."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.drawn import draw_face

from mining import Embeddings, embed, load_model
from mining.embeddings.journal import Source, VectorJournal, exclusive
from mining.errors import EmbeddingError
from mining.models import ModelError
from pairsets import Faces
from pairsets.errors import OutputError


class Counting:
    """The `pixels` model, which counts what it is asked and can fail on demand."""

    def __init__(self, fingerprint="one", similarity="cosine", fail_at=None, dimensions=None):
        self.inner = load_model("pixels")
        self.name, self.similarity, self.fingerprint = "python:counting", similarity, fingerprint
        self.provenance = {"family": "counting"}
        self.decoded, self.batches, self.alone = 0, [], 0
        self.fail_at, self.value, self.dimensions = fail_at, None, dimensions

    def preprocess(self, image):
        self.decoded += 1
        return self.inner.preprocess(image)

    def encode(self, batch):
        if len(batch) == 1:  # alone, to see whether its vector is the same
            self.alone += 1
            return self.inner.encode(batch)
        self.batches.append(len(batch))
        if self.fail_at is not None and len(self.batches) > self.fail_at:
            raise KeyboardInterrupt
        vectors = self.inner.encode(batch)
        if self.value is not None:
            vectors[0] = self.value
        return vectors


@pytest.fixture
def faces(faces_folder):
    return Faces.scan(faces_folder)


def files_of(folder):
    return {
        name: (folder / name).read_bytes()
        for name in ("vectors.npy", "images.csv", "manifest.json")
    }


def test_each_image_once_in_full_batches(faces, tmp_path):
    model = Counting()
    found = embed(faces, model, tmp_path / "e", batch_size=5)
    assert model.decoded == len(faces) == 18
    assert model.batches == [5, 5, 5, 5]
    assert model.alone == 3
    assert found.faces.paths.tolist() == faces.paths.tolist()
    assert isinstance(found.vectors, np.memmap)
    assert found.vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(found.vectors, axis=1), 1, atol=1e-6)
    assert not (tmp_path / "e" / "partial").exists()
    assert sorted(path.name for path in (tmp_path / "e").iterdir()) == [
        "images.csv",
        "manifest.json",
        "status.csv",
        "vectors.npy",
    ]


def test_rows_are_the_models_vectors(faces, tmp_path):
    model = Counting(similarity="inner_product")
    found = embed(faces, model, tmp_path / "e", batch_size=4)
    for path, row in zip(faces.paths, found.vectors, strict=True):
        with Image.open(faces.locate(path)) as image:
            alone = model.inner.encode(model.inner.preprocess(image.convert("RGB"))[None])[0]
        np.testing.assert_array_equal(row, alone)


def test_nothing_is_done_twice(faces, tmp_path):
    embed(faces, Counting(), tmp_path / "e")
    before = files_of(tmp_path / "e")
    again = Counting()
    embed(faces, again, tmp_path / "e")
    assert (again.decoded, again.batches, again.alone) == (0, [], 0)
    assert files_of(tmp_path / "e") == before


@pytest.mark.parametrize("batches", [0, 1, 3])
def test_interrupted_and_resumed_ends_with_the_same_bytes(faces, tmp_path, batches):
    embed(faces, Counting(), tmp_path / "whole", batch_size=4)
    with pytest.raises(KeyboardInterrupt):
        embed(faces, Counting(fail_at=batches), tmp_path / "e", batch_size=4)
    with pytest.raises(EmbeddingError, match="not a finished folder"):
        Embeddings.load(tmp_path / "e")
    rest = Counting()
    embed(faces, rest, tmp_path / "e", batch_size=4)
    assert rest.decoded == 18 - 4 * batches
    assert files_of(tmp_path / "e") == files_of(tmp_path / "whole")


SLOW = """
import itertools, sys, time
from mining import embed, load_model
from pairsets import Faces
model = load_model("pixels")
batches = itertools.count()
class Slow:
    name, similarity, fingerprint, provenance = "python:slow", "cosine", "slow", {}
    preprocess = model.preprocess
    def encode(self, batch):
        if next(batches) == int(sys.argv[3]):
            time.sleep(10_000)
        return model.encode(batch)
embed(Faces.scan(sys.argv[1]), Slow(), sys.argv[2], batch_size=1)
"""


def test_kill_9_at_any_moment(faces, faces_folder, tmp_path):
    script = tmp_path / "slow.py"
    script.write_text(SLOW)
    run = [sys.executable, str(script), str(faces_folder)]
    subprocess.run([*run, str(tmp_path / "whole"), "-1"], check=True)
    lines = []
    for wanted in (1, 6, 11):
        # By itself it stops after five batches more, of the eighteen.
        process = subprocess.Popen([*run, str(tmp_path / "e"), "5"])
        journal = tmp_path / "e" / "partial" / "journal.jsonl"
        while process.poll() is None:
            done = journal.read_bytes().count(b"\n") if journal.exists() else 0
            if done > wanted:
                break
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        lines.append(journal.read_bytes().count(b"\n"))
    assert lines == sorted(set(lines))  # each run went on where the last one was killed
    subprocess.run([*run, str(tmp_path / "e"), "-1"], check=True)
    assert files_of(tmp_path / "e") == files_of(tmp_path / "whole")


def test_a_cut_off_batch_is_made_again(faces, tmp_path):
    """Once: 8 of 12 images stand after the damage, 4 more after the second interruption."""
    embed(faces, Counting(), tmp_path / "whole", batch_size=4)
    for damage in ("rows cut", "rows changed", "line cut", "line garbled"):
        folder = tmp_path / damage
        with pytest.raises(KeyboardInterrupt):
            embed(faces, Counting(fail_at=3), folder, batch_size=4)
        rows, lines = folder / "partial" / "vectors.f32", folder / "partial" / "journal.jsonl"
        data, text = rows.read_bytes(), lines.read_bytes()
        if damage == "rows cut":
            rows.write_bytes(data[:-7])
        elif damage == "rows changed":
            rows.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
        elif damage == "line cut":
            lines.write_bytes(text[:-9])
        else:
            lines.write_bytes(text[:-30] + b"#" * 29 + b"\n")
        with pytest.raises(KeyboardInterrupt):
            embed(faces, Counting(fail_at=1), folder, batch_size=4)
        rest = Counting()
        embed(faces, rest, folder, batch_size=4)
        assert rest.decoded == 18 - 12, damage
        assert files_of(folder) == files_of(tmp_path / "whole"), damage


def test_rows_are_written_before_the_line_that_vouches_for_them(tmp_path):
    journal = VectorJournal(tmp_path, "one")
    written = []
    line = journal._line

    def watched(content):
        written.append((tmp_path / "vectors.f32").stat().st_size)
        line(content)

    journal._line = watched
    with closing(journal):
        for batch in range(2):
            journal.append(
                [Source(f"a/{batch}", "0" * 64, 1, 2, 3, 4)], np.ones((1, 3), np.float32)
            )
    assert written == [0, 12, 24]


@pytest.mark.parametrize("moves", range(4))
@pytest.mark.parametrize("before", [False, True])
def test_killed_between_two_moves(faces, tmp_path, monkeypatch, moves, before):
    """The new files are whole in `partial/`; whichever were moved, the next call finishes.

    Until then the folder is unfinished, also where another model's vectors stood in it.
    """
    embed(faces, Counting("two"), tmp_path / "whole")
    folder = tmp_path / "e"
    if before:
        embed(faces, Counting("one"), folder)
    replace, done = Path.replace, []

    def stopping(self, target):
        if self.parent.name == "partial" and not self.name.startswith("."):
            if len(done) == moves:
                raise KeyboardInterrupt
            done.append(self.name)
        return replace(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", stopping)
        with pytest.raises(KeyboardInterrupt):
            embed(faces, Counting("two"), folder)
    with pytest.raises(EmbeddingError, match="not a finished folder"):
        Embeddings.load(folder)
    rest = Counting("two")
    embed(faces, rest, folder)
    assert rest.decoded == 0
    assert files_of(folder) == files_of(tmp_path / "whole")


def test_killed_before_the_files_are_written(faces, tmp_path):
    """All vectors stand in the journal; another model's folder is no reason to stop there."""
    embed(faces, Counting("one"), tmp_path / "e")

    def interrupt(done, total):
        if done == total:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        embed(faces, Counting("two"), tmp_path / "e", progress=interrupt)
    rest = Counting("two")
    found = embed(faces, rest, tmp_path / "e")
    assert rest.decoded == 0
    assert found.manifest["fingerprint"] == "two"


def test_a_changed_image_is_noticed(faces, faces_folder, tmp_path):
    first = embed(faces, Counting(), tmp_path / "e")
    old = np.array(first.vectors)
    changed = faces_folder / "d & e" / "1.png"
    status = changed.stat()
    draw_face(77).save(changed)
    # Same size and times: only the content tells.
    data = changed.read_bytes()
    changed.write_bytes(data[: status.st_size].ljust(status.st_size, b"\0"))
    os.utime(changed, ns=(status.st_atime_ns, status.st_mtime_ns))
    model = Counting()
    found = embed(faces, model, tmp_path / "e")
    assert model.decoded == 1
    different = np.flatnonzero((np.array(found.vectors) != old).any(axis=1))
    assert faces.paths[different].tolist() == ["d & e/1.png"]


def test_touched_and_copied_images_are_not_made_again(faces, faces_folder, tmp_path):
    embed(faces, Counting(), tmp_path / "e")
    for file in faces_folder.rglob("*.png"):
        file.write_bytes(file.read_bytes())
    model = Counting()
    embed(faces, model, tmp_path / "e")
    assert model.decoded == 0
    (tmp_path / "e" / "status.csv").unlink()
    embed(faces, model, tmp_path / "e")
    assert model.decoded == 0


def test_a_changed_list_is_noticed(faces, faces_folder, tmp_path):
    embed(faces, Counting(), tmp_path / "e")
    draw_face(9).save(faces_folder / "a" / "new.png")
    (faces_folder / "b" / "2.png").unlink()
    now = Faces.scan(faces_folder)
    model = Counting()
    found = embed(now, model, tmp_path / "e")
    assert model.decoded == 1
    assert found.faces.paths.tolist() == now.paths.tolist()
    fresh = embed(now, Counting(), tmp_path / "fresh")
    np.testing.assert_array_equal(found.vectors, fresh.vectors)


def test_a_face_less_is_noticed(faces, faces_folder, tmp_path):
    embed(faces, Counting(), tmp_path / "e")
    (faces_folder / "b" / "2.png").unlink()
    model = Counting()
    found = embed(Faces.scan(faces_folder), model, tmp_path / "e")
    assert model.decoded == 0
    assert found.faces.paths.tolist() == [path for path in faces.paths if path != "b/2.png"]
    assert len(found.vectors) == 17


def test_a_changed_model_is_noticed(faces, tmp_path):
    embed(faces, Counting("one"), tmp_path / "e")
    other = Counting("two", similarity="inner_product")
    found = embed(faces, other, tmp_path / "e")
    assert other.decoded == 18
    assert found.manifest["fingerprint"] == "two"
    with pytest.raises(KeyboardInterrupt):
        embed(faces, Counting("three", fail_at=1), tmp_path / "e", batch_size=4)
    third = Counting("four")
    embed(faces, third, tmp_path / "f", batch_size=4)
    assert third.decoded == 18


def test_unfinished_vectors_of_another_model_are_kept(faces, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        embed(faces, Counting("three", fail_at=1), tmp_path / "e", batch_size=4)
    with pytest.raises(ModelError, match="unfinished vectors of another model"):
        embed(faces, Counting("four"), tmp_path / "e", batch_size=4)
    third = Counting("three")
    embed(faces, third, tmp_path / "e", batch_size=4)
    assert 0 < third.decoded < 18


def spoil(folder):
    """Four files that are not usable images."""
    (folder / "a" / "0.png").write_bytes(b"")
    (folder / "b" / "1.png").write_bytes(b"not an image")
    whole = (folder / "d & e" / "2.png").read_bytes()
    (folder / "d & e" / "2.png").write_bytes(whole[: len(whole) // 2])
    Image.new("1", (9000, 9000)).save(folder / ".hidden" / "0.png")
    return [".hidden/0.png", "a/0.png", "b/1.png", "d & e/2.png"]


def test_unreadable_images_fail_together(faces, faces_folder, tmp_path):
    bad = spoil(faces_folder)
    model = Counting()
    with pytest.raises(EmbeddingError) as caught:
        embed(faces, model, tmp_path / "e", batch_size=2, max_pixels=10**6)
    message = str(caught.value)
    assert message.startswith(f"4 of 18 images in {faces_folder} cannot be used:")
    assert re.findall(r"^  (.*?): ", message, re.MULTILINE) == bad
    assert "--on-error skip" in message
    assert model.decoded == 14  # every readable one was read, so that the list is complete
    assert not (tmp_path / "e" / "manifest.json").exists()


def test_nothing_is_encoded_after_a_failure(faces, faces_folder, tmp_path):
    (faces_folder / faces.paths[0]).write_bytes(b"")
    model = Counting()
    with pytest.raises(EmbeddingError, match="1 of 18 images"):
        embed(faces, model, tmp_path / "e", batch_size=4)
    assert (model.decoded, model.batches) == (17, [])


def test_unreadable_images_are_skipped_and_counted(faces, faces_folder, tmp_path):
    bad = spoil(faces_folder)
    found = embed(
        faces, Counting(), tmp_path / "e", batch_size=4, on_error="skip", max_pixels=10**6
    )
    assert sorted(found.skipped) == bad
    assert found.faces.paths.tolist() == [path for path in faces.paths if path not in bad]
    assert "0 bytes" in found.skipped["a/0.png"]
    draw_face(1).save(faces_folder / "a" / "0.png")
    model = Counting()
    again = embed(faces, model, tmp_path / "e", on_error="skip", max_pixels=10**6)
    assert model.decoded == 1
    assert len(again) == 15


def test_no_readable_image_at_all(faces_folder, tmp_path):
    for file in faces_folder.rglob("*.png"):
        file.write_bytes(b"")
    with pytest.raises(EmbeddingError, match="18 of 18 images"):
        embed(Faces.scan(faces_folder), Counting(), tmp_path / "e", on_error="skip")


@pytest.mark.parametrize(
    ("value", "word"), [(0.0, "zero"), (np.nan, "not finite"), (np.inf, "not")]
)
def test_vectors_that_cannot_be_ranked_are_refused_by_name(faces, tmp_path, value, word):
    model = Counting(similarity="inner_product")
    model.value = value
    with pytest.raises(EmbeddingError, match=rf"{re.escape(faces.paths[0])} \({word}"):
        embed(faces, model, tmp_path / "e")


def test_vectors_of_a_wrong_shape(faces, tmp_path):
    model = Counting()
    model.inner = type(
        "Flat",
        (),
        {
            "preprocess": staticmethod(load_model("pixels").preprocess),
            "encode": staticmethod(lambda batch: np.ones(len(batch), np.float32)),
        },
    )()
    with pytest.raises(ModelError, match=r"vectors of shape \(32,\) for 32 images"):
        embed(faces, model, tmp_path / "e")


def test_two_processes_keep_apart(faces, tmp_path):
    busy = f"process {os.getpid()}, at work since 20.*, embeds into it"
    with exclusive(tmp_path / "e"), pytest.raises(OutputError, match=busy):
        embed(faces, Counting(), tmp_path / "e")


def test_progress_counts_up_to_all(faces, tmp_path):
    seen = []
    embed(faces, Counting(), tmp_path / "e", batch_size=4, progress=lambda *at: seen.append(at))
    assert seen == [(0, 18), (4, 18), (8, 18), (12, 18), (16, 18), (18, 18)]


def test_manifest_tells_where_it_comes_from(faces, tmp_path):
    model = Counting()
    embed(faces, model, tmp_path / "e")
    manifest = json.loads((tmp_path / "e" / "manifest.json").read_text())
    assert manifest["model"] == "python:counting"
    assert manifest["images"] == 18
    assert manifest["provenance"] == {"family": "counting"}
    assert {"numpy", "pillow", "python"} <= manifest["versions"].keys()


def test_folders_that_are_not_embeddings(faces, tmp_path):
    folder = tmp_path / "e"
    embed(faces, Counting(), folder)
    whole = {path.name: path.read_bytes() for path in folder.iterdir()}

    def expect(message, **changes):
        for name, data in {**whole, **changes}.items():
            (folder / name).write_bytes(data)
        with pytest.raises(EmbeddingError, match=message):
            Embeddings.load(folder)

    expect("damaged", **{"manifest.json": b"{"})
    expect("damaged", **{"vectors.npy": whole["vectors.npy"][:50]})
    expect(
        "schema 9",
        **{"manifest.json": whole["manifest.json"].replace(b'"schema": 1', b'"schema": 9')},
    )
    expect("files of two runs", **{"images.csv": b"path,sha256\na/1.png,0\n"})
    np.save(tmp_path / "objects.npy", np.array([{}], object), allow_pickle=True)
    expect("damaged", **{"vectors.npy": (tmp_path / "objects.npy").read_bytes()})
    with pytest.raises(EmbeddingError, match="lookalikes embed"):
        Embeddings.load(tmp_path / "absent")


def test_journal_of_another_model_is_refused(tmp_path):
    source = Source("a/1", "0" * 64, 1, 2, 3, 4)
    with closing(VectorJournal(tmp_path, "one")) as journal:
        journal.append([source], np.ones((1, 3), np.float32))
    with closing(VectorJournal(tmp_path, "one")) as journal:
        assert journal.sources == [source]
        np.testing.assert_array_equal(journal.vectors(), np.ones((1, 3)))
    with pytest.raises(ModelError, match="another model"):
        VectorJournal(tmp_path, "two")
    with closing(VectorJournal(tmp_path, "one")) as journal:
        assert journal.sources == [source]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        pytest.param({"images": True}, "images is True; expected a whole number", id="images"),
        pytest.param(
            {"dimensions": -3},
            "dimensions is -3; expected a whole number, 1 or more",
            id="dimensions below one",
        ),
        pytest.param(
            {"dimensions": 10**400},
            "dimensions is a number of 1329 bits",
            id="dimensions beyond all",
        ),
        pytest.param(
            {"similarity": "l2"},
            "similarity is 'l2'; expected cosine or inner_product",
            id="similarity",
        ),
        pytest.param(
            {"skipped": {"a": 1}}, "skipped is {'a': 1}; expected the cause", id="skipped"
        ),
        pytest.param({"notes": "a"}, "notes is 'a'; expected a list of texts", id="notes"),
        pytest.param({"identities": 5}, "identities is 5; expected a text", id="identities"),
        pytest.param({"schema": [1]}, r"schema \[1\], this version reads", id="schema"),
    ],
)
def test_a_manifest_of_other_values(change, says, faces_folder, tmp_path):
    folder = tmp_path / "vectors"
    embed(Faces.scan(faces_folder), load_model("pixels"), folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**manifest, **change}))
    with pytest.raises(EmbeddingError, match=says) as caught:
        Embeddings.load(folder, faces_folder)
    assert str(folder) in str(caught.value)


@pytest.mark.parametrize("head", [b"{'a'", b"(" * 50, b"{" + b"[" * 200, b"'" * 9])
def test_vectors_whose_head_is_no_text_of_python(head, faces_folder, tmp_path):
    folder = tmp_path / "vectors"
    embed(Faces.scan(faces_folder), load_model("pixels"), folder)
    data = (folder / "vectors.npy").read_bytes()
    (folder / "vectors.npy").write_bytes(data[:10] + head.ljust(len(data) - 10, b"\n"))
    with pytest.raises(EmbeddingError, match=r"damaged embeddings \(vectors\.npy"):
        Embeddings.load(folder, faces_folder)
