"""A disk that is full or may not be written to leaves nothing half-written."""

from __future__ import annotations

import os
import subprocess

import pytest
from support.command_line import contents, lookalikes, lookalikes_apart
from support.refusals import read_vectors, refused

from pairsets import PairSet

TOO_LARGE = "File too large; nothing half-written is left: make room"


def limited(size):
    """Python lines after which no file of more than `size` bytes can be written."""
    return f"import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, ({size}, {size}))"


@pytest.mark.parametrize("size", [100, 5000])
def test_full_disk_while_mining(embedded, size):
    pytest.importorskip("resource")
    mine = ("mine", "embeddings", "--out", "a.csv")
    assert lookalikes(*mine, "--pairs", 3).code == 0
    before = contents(embedded)
    again = lookalikes_apart(*mine, "--overwrite", before=limited(size))
    name = "a.csv" if size == 100 else "a.scores.csv"
    assert again.message.startswith(f"{name}: {TOO_LARGE}")
    assert contents(embedded) == before
    assert lookalikes(*mine, "--overwrite").code == 0
    assert len(PairSet.read("a.csv")) == 18 + 135


def test_full_disk_while_embedding(embedded):
    pytest.importorskip("resource")
    embed = ("embed", "faces", "--model", "pixels", "--batch-size", 4, "--out", "out")
    failed = lookalikes_apart(*embed, before=limited(30_000))
    assert failed.message.startswith(f"out/partial: {TOO_LARGE}")
    assert [name for name in contents(embedded / "out") if "/" not in name] == ["partial"]
    assert "not a finished folder" in lookalikes("mine", "out", "--out", "a.csv").message
    assert (embedded / "out/partial/journal.jsonl").read_text("utf-8").count("crc32") == 2
    assert lookalikes(*embed).code == 0
    assert read_vectors(embedded / "out") == read_vectors(embedded / "embeddings")


def test_full_disk_leaves_the_old_embeddings(embedded):
    pytest.importorskip("resource")
    (embedded / "faces" / "a" / "0.png").rename(embedded / "faces" / "a" / "9.png")
    before = read_vectors(embedded / "embeddings")
    embed = ("embed", "faces", "--model", "pixels", "--out", "embeddings")
    failed = lookalikes_apart(*embed, before=limited(30_000))
    assert failed.message.startswith(f"embeddings/partial/vectors.npy: {TOO_LARGE}")
    assert read_vectors(embedded / "embeddings") == before
    assert lookalikes("mine", "embeddings", "--out", "a.csv").code == 0
    assert lookalikes(*embed).code == 0
    assert read_vectors(embedded / "embeddings") != before


def test_full_disk_while_building(home):
    pytest.importorskip("resource")
    build = ("build", "faces", "--reference", "pixels", "--pairs", 20, "--out", "run")
    failed = lookalikes_apart(*build, before=limited(70_000))
    assert "File too large" in failed.message
    assert (home / "run" / "UNFINISHED").exists()
    assert not list((home / "run").rglob("*.tmp"))
    assert lookalikes(*build).code == 0
    assert not (home / "run" / "UNFINISHED").exists()
    assert (home / "run" / "report.html").read_bytes().endswith(b"</html>")


@pytest.fixture
def small_disk(home):
    """A disk of its own, of 256 KiB, at `disk`."""
    disk = home / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "lookalikes-test", disk],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip("to mount a small disk takes root")
    yield disk
    subprocess.run(["umount", disk], check=True)


def fill(disk):
    with (disk / "filler").open("wb", buffering=0) as stream:
        try:
            while stream.write(bytes(4096)):
                pass
        except OSError:
            return


def test_really_full_disk(embedded, small_disk):
    full = "No space left on device; nothing half-written is left: make room, then run the same"
    mine = ("mine", "embeddings", "--out", "disk/a.csv")
    embed = ("embed", "faces", "--model", "pixels", "--out", "disk/embeddings")
    assert lookalikes(*mine, "--pairs", 3).code == 0
    fill(small_disk)
    before = contents(small_disk)
    assert full in lookalikes(*mine, "--overwrite").message
    assert contents(small_disk) == before
    assert full in lookalikes(*embed).message
    assert not list(small_disk.rglob("vectors.npy"))
    (small_disk / "filler").unlink()
    assert lookalikes(*mine, "--overwrite").code == 0
    assert lookalikes(*embed).code == 0
    assert read_vectors(small_disk / "embeddings") == read_vectors(embedded / "embeddings")


def test_disk_that_is_read_only(embedded, small_disk):
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    for command in (
        ("build", "faces", "--reference", "pixels", "--out", "disk/run"),
        ("embed", "faces", "--model", "pixels", "--out", "disk/embeddings"),
        ("mine", "embeddings", "--out", "disk/a.csv"),
        ("random", "faces", "--out", "disk/r.csv"),
    ):
        message = refused(embedded, *command)
        assert message == f"{command[-1]}: Read-only file system; choose another --out"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_folder_that_may_not_be_written_to(home):
    (home / "closed").mkdir(mode=0o555)
    message = refused(home, "random", "faces", "--out", "closed/r.csv")
    assert message.endswith(": Permission denied; may you read and write there?")
