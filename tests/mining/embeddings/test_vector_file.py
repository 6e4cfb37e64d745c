"""A file of vectors that changes while it is read is an error, and never a wrong answer."""

from __future__ import annotations

import gc
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from indexes.join import checkpoint as join_checkpoint
from mining import Embeddings, embed, load_model
from mining.embeddings.vector_file import VectorFile
from mining.errors import EmbeddingError
from mining.ranking.model_ranking import ModelRanking
from mining.ranking.positive_ranking import PositiveRanking
from mining.scores.score_pairs import score_pairs
from pairsets import Faces, PairSet


@pytest.fixture
def folder(faces_folder, tmp_path):
    embed(Faces.scan(faces_folder), load_model("pixels"), tmp_path / "e")
    return tmp_path / "e"


def shorten(path):
    """Cut less than a page off: what was there reads as zeros, and nothing is killed."""
    size = path.stat().st_size
    os.truncate(path, size - 1)
    return size


def write_again(path):
    data = path.read_bytes()
    status = path.stat()
    with path.open("r+b") as stream:
        stream.write(data[:-4] + b"\0\0\0\0")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1))


CHANGES = {"shorter": shorten, "written to": write_again}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_each_reader_refuses_it(folder, change):
    found = Embeddings.load(folder)
    paths = found.faces.paths
    readers = [
        lambda: ModelRanking(found).top(5),
        lambda: PositiveRanking(found).top(3),
        lambda: score_pairs(PairSet.of([paths[0]], [paths[-1]], [0]), found),
        lambda: found.take(np.array([0, 3])),
        found.refuse_changed,
    ]
    for read in readers:
        read()
    change(folder / "vectors.npy")
    for read in readers:
        with pytest.raises(EmbeddingError, match=r"vectors\.npy: changed while it was read \("):
            read()


def test_the_message_says_what_and_why(folder):
    file = folder / "vectors.npy"
    found = VectorFile(file)
    size = shorten(file)
    with pytest.raises(EmbeddingError) as raised:
        found.refuse_changed()
    assert f"{size - 1:,} bytes, where it had {size:,}" in str(raised.value)
    assert "another program" in str(raised.value)
    assert "lookalikes embed" in str(raised.value)


def test_a_file_put_in_its_place_is_another(folder):
    """As `embed` and most programs write: what is open stays as it is."""
    file = folder / "vectors.npy"
    found = VectorFile(file)
    before = np.array(found.vectors)
    (folder / "new").write_bytes(b"short")
    (folder / "new").replace(file)
    found.refuse_changed()
    np.testing.assert_array_equal(found.vectors, before)
    with pytest.raises(ValueError, match=r"vectors\.npy"):
        VectorFile(file)


def test_it_is_closed_with_the_last_who_has_it(folder):
    def files():
        return len([*Path("/proc/self/fd").iterdir()])

    if not Path("/proc/self/fd").exists():
        pytest.skip("no list of open files there")
    gc.collect()
    before = files()
    found = VectorFile(folder / "vectors.npy")
    assert files() > before
    del found
    gc.collect()
    assert files() == before


def test_what_was_found_meanwhile_is_not_kept(folder, tmp_path, monkeypatch):
    """A checkpoint may hold pairs of what was read in between, and is gone on with later."""
    for name in ("FIRST", "PERIOD"):
        monkeypatch.setattr(join_checkpoint, name, 0.0)
    monkeypatch.setattr(join_checkpoint, "WORTH", -1.0)
    kept = tmp_path / "a.partial.npz"
    found = Embeddings.load(folder)

    def change(done, total):
        shorten(folder / "vectors.npy")

    with pytest.raises(EmbeddingError, match="changed while it was read"):
        ModelRanking(found, checkpoint=kept).top(5, change)
    assert not kept.exists()


MINING = """
import json, os, sys
from pathlib import Path
from mining.commands import mine
from mining.embeddings import vector_file

file, when, out = Path(sys.argv[1]) / "vectors.npy", int(sys.argv[2]), Path(sys.argv[3])
looks = []
look = vector_file.VectorFile.refuse_changed

def counted(self):
    looks.append(1)
    # Between two reads, and by less than a page, so that nothing reads behind the file's end.
    if len(looks) == when:
        os.truncate(file, file.stat().st_size - 1)
    look(self)

vector_file.VectorFile.refuse_changed = counted
try:
    mine.mine_pairs(file.parent, out, pairs=5)
except Exception as error:
    print(json.dumps([len(looks), type(error).__name__, str(error)]))
else:
    print(json.dumps([len(looks), None, None]))
"""


def test_mining_writes_nothing_of_it(folder, tmp_path):
    """Shortened before any look at it, mining ends by an error and leaves no pair file."""
    whole = (folder / "vectors.npy").read_bytes()

    def mined(when):
        (folder / "vectors.npy").write_bytes(whole)
        out = tmp_path / f"mined {when}" / "a.csv"
        program = [sys.executable, "-c", MINING, str(folder), str(when), str(out)]
        found = subprocess.run(program, stdout=subprocess.PIPE, check=True)
        return json.loads(found.stdout), out

    (looks, error, _), out = mined(-1)
    assert error is None
    assert out.exists()
    assert looks >= 3
    for when in sorted({1, looks // 2, looks}):
        (seen, error, message), out = mined(when)
        assert (seen >= when, error) == (True, "EmbeddingError"), message
        assert re.search(r"vectors\.npy: changed while it was read", message)
        assert not out.exists()
        assert not out.parent.exists() or not [*out.parent.iterdir()]
