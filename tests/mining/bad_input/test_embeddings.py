"""Embeddings that are damaged, foreign, in use or interrupted."""

from __future__ import annotations

import io
import json
import subprocess
import sys

import numpy as np
import pytest
from support.command_line import contents, lookalikes
from support.refusals import GOOD, read_vectors, refused, write

import mining.embeddings.journal


def spoil_manifest(**changes):
    def spoil(folder):
        manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
        manifest = {key: value for key, value in (manifest | changes).items() if value is not ...}
        (folder / "manifest.json").write_text(json.dumps(manifest))

    return spoil


def spoil(name, content):
    return lambda folder: (folder / name).write_bytes(content)


def drop(name):
    return lambda folder: (folder / name).unlink()


def truncate(folder):
    data = (folder / "vectors.npy").read_bytes()
    (folder / "vectors.npy").write_bytes(data[:-100])


def save(array):
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def archive():
    stream = io.BytesIO()
    np.savez(stream, np.zeros((18, 772), np.float32))
    return stream.getvalue()


class Bomb:
    """Raises where it is unpickled."""

    def __reduce__(self):
        return exec, ("raise SystemExit('unpickled')",)


SPOILT = {
    "no manifest": (drop("manifest.json"), "not a finished folder of embeddings (manifest.json is"),
    "no images": (
        drop("images.csv"),
        "not a finished folder of embeddings (images.csv is missing)",
    ),
    "no vectors": (drop("vectors.npy"), "(vectors.npy is missing); make it with: lookalikes embed"),
    "truncated": (truncate, "damaged embeddings"),
    "0 bytes": (spoil("vectors.npy", b""), "damaged embeddings"),
    "no array": (spoil("vectors.npy", b"not an array"), "damaged embeddings"),
    "archive": (spoil("vectors.npy", archive()), "damaged embeddings"),
    "pickled": (
        spoil("vectors.npy", save(np.array([Bomb()] * 18, object))),
        "damaged embeddings (vectors.npy: Array can't be memory-mapped: Python objects in dtype.)",
    ),
    "float64": (
        spoil("vectors.npy", save(np.ones((18, 772)))),
        "float64 vectors (18, 772) and 18 images where the manifest has float32 (18, 772)",
    ),
    "fewer rows": (
        spoil("vectors.npy", save(np.ones((17, 772), np.float32))),
        "float32 vectors (17, 772) and 18 images where the manifest has float32 (18, 772)",
    ),
    "other shape": (spoil_manifest(dimensions=5), "has float32 (18, 5); files of two runs mixed?"),
    "not finite": (
        spoil("vectors.npy", save(np.full((18, 772), np.nan, np.float32))),
        "vectors.npy is not the one its manifest describes",
    ),
    "newer": (spoil_manifest(schema=99), "schema 99, this version reads 1; made by another"),
    "no schema": (spoil_manifest(schema=...), "manifest.json is not that of embeddings"),
    "no model": (spoil_manifest(model=..., provenance=...), "model is missing; expected a text"),
    "list": (
        spoil("manifest.json", b"[]"),
        "manifest.json: []; expected the manifest of embeddings",
    ),
    "no JSON": (spoil("manifest.json", b"{"), "manifest.json: not JSON"),
    "deep JSON": (spoil("manifest.json", b"[" * 10**6), "manifest.json: nested too deeply"),
    "binary": (spoil("manifest.json", b"\xff\xfe"), "manifest.json: not UTF-8 text at byte 0"),
    "no header": (spoil("images.csv", b"a/0.png,0\n"), "does not begin with path,sha256"),
    "short rows": (
        spoil("images.csv", b"path,sha256\na/0.png\n"),
        "lines that are not path,sha256",
    ),
    "open quote": (spoil("images.csv", b'path,sha256\n"a'), "unexpected end of data"),
    "a face twice": (spoil("images.csv", b"path,sha256\na/0,0\na/0,0\n"), "'a/0' is listed twice"),
}


@pytest.mark.parametrize("kind", SPOILT)
def test_damaged_embeddings(embedded, kind):
    damage, expected = SPOILT[kind]
    sound = contents(embedded / "embeddings")
    damage(embedded / "embeddings")
    message = refused(embedded, "mine", "embeddings", "--out", "a.csv")
    assert expected in message
    assert message.startswith("embeddings: ")
    assert lookalikes("embed", "faces", "--model", "pixels", "--out", "embeddings").code == 0
    assert contents(embedded / "embeddings") == sound


@pytest.mark.parametrize(
    ("folder", "expected"),
    [
        ("nowhere", "nowhere: not a finished folder of embeddings (manifest.json is missing)"),
        ("faces", "faces: not a finished folder of embeddings"),
        ("faces/a/0.png", "faces/a/0.png: not a finished folder of embeddings"),
    ],
)
def test_not_a_folder_of_embeddings(home, folder, expected):
    write(home / "pairs.csv", GOOD)
    assert expected in refused(home, "mine", folder, "--out", "a.csv")
    assert expected in refused(home, "evaluate", "pairs.csv", "--embeddings", folder)


@pytest.mark.parametrize(
    "journal",
    [
        b"nonsense\n",
        b"[]\n",
        b'{"fingerprint":"F"}\n',
        b'{"fingerprint":"F","dimensions":"many"}\n',
        b'{"fingerprint":"F","dimensions":-1}\n{"crc32":0,"sources":[]}\n',
        b'{"fingerprint":"F","dimensions":772}\n{"crc32":0}\n',
        b'{"fingerprint":"F","dimensions":772}\n{"crc32":0,"sources":[["a/0.png"]]}\n',
        b'{"fingerprint":"F","dimensions":999999999999}\n{"crc32":0,"sources":[[1,2,3,4,5,6]]}\n',
        b'{"fingerprint":"F","dimensions":772}\n{"crc32":0,"sources":[["a/0.png","0",1,1,1,1]]}',
    ],
)
def test_damaged_journal_is_thrown_away(embedded, journal):
    fingerprint = json.loads((embedded / "embeddings/manifest.json").read_text())["fingerprint"]
    (embedded / "out" / "partial").mkdir(parents=True)
    write(embedded / "out/partial/journal.jsonl", journal.replace(b"F", fingerprint.encode(), 1))
    write(embedded / "out/partial/vectors.f32", bytes(4 * 772))
    assert lookalikes("embed", "faces", "--model", "pixels", "--out", "out").code == 0
    assert contents(embedded / "out") == contents(embedded / "embeddings")


def test_embeddings_in_use(embedded):
    script = (
        "import sys\nfrom pathlib import Path\nfrom mining.embeddings.journal import exclusive\n"
        "with exclusive(Path('embeddings')):\n    print('held', flush=True)\n    sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout.readline() == b"held\n"
        message = refused(embedded, "embed", "faces", "--model", "pixels", "--out", "embeddings")
        other.stdin.close()
    assert message.startswith(f"embeddings: process {other.pid}, at work since 20")
    assert message.endswith(", embeds into it; wait until it is done")


def test_interrupted_embedding_goes_on(embedded, monkeypatch):
    def interrupt(self, sources, vectors, append=mining.embeddings.journal.VectorJournal.append):
        append(self, sources, vectors)
        raise KeyboardInterrupt

    embed = ("embed", "faces", "--model", "pixels", "--batch-size", 4, "--out", "out")
    with monkeypatch.context() as patch:
        patch.setattr(mining.embeddings.journal.VectorJournal, "append", interrupt)
        for _ in range(2):
            outcome = lookalikes(*embed)
            assert outcome.code == 130
            assert (
                "Nothing is half-written; the same command goes on with what it kept" in outcome.err
            )
    assert "not a finished folder" in lookalikes("mine", "out", "--out", "a.csv").message
    assert lookalikes(*embed).code == 0
    assert read_vectors(embedded / "out") == read_vectors(embedded / "embeddings")
