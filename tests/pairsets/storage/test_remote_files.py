"""Files beyond this machine: a real S3 server of the test's own, and places that refuse."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest
from support.buckets import KEYS, refusing_server
from support.command_line import HANGS

import pairsets.storage.remote_files as remote_files
from pairsets.errors import RemoteError
from pairsets.storage.remote_arguments import staged
from pairsets.storage.remote_files import MissingError, RemoteFolder, is_remote, remote_url, shown
from pairsets.storage.remote_inputs import fetched


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("s3://bucket/faces", "s3://bucket/faces"),
        ("S3://bucket/faces/", "s3://bucket/faces"),
        (Path("gs://bucket/a b"), "gs://bucket/a b"),
        (Path("memory:///x/y"), "memory://x/y"),
        ("hf://datasets/a/b@main/x", "hf://datasets/a/b@main/x"),
        ("faces", None),
        ("C:/faces", None),
        (Path("/s3/faces"), None),
        ("rei:1.jpg", None),
    ],
)
def test_what_is_a_url(given, url):
    assert remote_url(given) == url
    assert is_remote(given) == (url is not None)


def test_no_secret_is_shown():
    url = "s3://user:geheim@bucket/faces?token=geheim"
    assert shown(url) == "s3://bucket/faces"
    folder = RemoteFolder(url)
    assert "geheim" not in f"{folder}{folder.name}{folder!r}{folder.base}"
    with pytest.raises(RemoteError) as refused:
        RemoteFolder("nowhere://user:geheim@host/x").find()
    assert "geheim" not in str(refused.value)


@pytest.mark.parametrize("kind", ["memory", "s3"])
def test_what_is_written_is_found_and_read(kind, request, tmp_path):
    home = request.getfixturevalue("bucket") if kind == "s3" else "memory://written"
    folder = RemoteFolder(f"{home}/faces")
    folder.write("rei/1.jpg", b"abcdef")
    folder.write("asuka [1]/ä%20#?.jpg", b"xy")
    found = folder.find()
    assert {path: facts.size for path, facts in found.items()} == {
        "rei/1.jpg": 6,
        "asuka [1]/ä%20#?.jpg": 2,
    }
    assert folder.find() == found
    assert folder.read("rei/1.jpg", start=1, end=3) == b"bc"
    assert folder.read("asuka [1]/ä%20#?.jpg", size=2) == b"xy"
    assert [*RemoteFolder(f"{home}/faces/rei/1.jpg").find()] == [""]
    folder.fetch(found, tmp_path)
    assert (tmp_path / "rei/1.jpg").read_bytes() == b"abcdef"
    assert sorted(file.name for file in tmp_path.rglob("*") if file.is_file()) == [
        "1.jpg",
        "ä%20#?.jpg",
    ]
    # What comes and goes is seen at once: no listing is kept.
    folder.write("rei/2.jpg", b"new")
    folder.remove(["rei/1.jpg", "rei/none.jpg"])
    assert set(folder.find()) == {"rei/2.jpg", "asuka [1]/ä%20#?.jpg"}


def test_a_changed_file_has_other_facts(bucket):
    folder = RemoteFolder(bucket)
    folder.write("1.jpg", b"abc")
    before = folder.find()["1.jpg"]
    folder.write("1.jpg", b"abd")
    after = folder.find()["1.jpg"]
    assert before.size == after.size
    assert before.tag != after.tag != 0


def test_what_is_cut_short_is_refused_and_not_left(bucket, tmp_path):
    folder = RemoteFolder(bucket)
    folder.write("1.jpg", b"abcdef")
    listed = folder.find()
    folder.write("1.jpg", b"abc")
    with pytest.raises(RemoteError, match="3 bytes came where 6 were listed"):
        folder.fetch(listed, tmp_path)
    with pytest.raises(RemoteError, match="cut short"):
        folder.read("1.jpg", size=6)
    assert [*tmp_path.iterdir()] == []


def test_what_is_pushed_last_is_missing_until_all_is_there(tmp_path):
    folder = RemoteFolder("memory://pushed/vectors")
    for name in ("manifest.json", "vectors.npy"):
        (tmp_path / name).write_text(f"old {name}")
    folder.push(tmp_path, ["manifest.json", "vectors.npy"], last=["manifest.json"])
    with pytest.raises(RemoteError, match=r"gone\.npy: not there"):
        folder.push(tmp_path, ["vectors.npy", "gone.npy"], last=["manifest.json"])
    assert [*folder.find()] == ["vectors.npy"]


@pytest.mark.parametrize("key", ["../../../evil.txt", "a/../b.csv", "/b.csv", "a//b.csv", "\ud800"])
def test_a_name_that_leaves_its_folder_is_refused_before_anything_is_written(
    key, tmp_path, monkeypatch
):
    from fsspec.implementations.memory import MemoryFileSystem

    folder = RemoteFolder("memory://hostile/in")
    folder.write("a.csv", b"x")
    monkeypatch.setattr(
        MemoryFileSystem,
        "find",
        lambda place, path, **more: {f"{path}/{key}": {"size": 1, "type": "file", "mtime": 1}},
    )
    with pytest.raises(RemoteError, match=r"memory://hostile/in: the name .* refused; rename it"):
        folder.find()
    for give in (fetched, lambda url: staged({"out": url, "overwrite": True}).__enter__()):
        with pytest.raises(RemoteError, match="refused; rename it"):
            give("memory://hostile/in")


def test_other_strokes_are_refused_where_they_are_strokes(monkeypatch):
    folder = RemoteFolder("memory://strokes/in")
    folder.write("..\\evil.txt", b"x")
    assert [*folder.find()] == ["..\\evil.txt"]
    monkeypatch.setattr(remote_files, "WINDOWS", True)
    with pytest.raises(RemoteError, match="is another path on Windows: refused"):
        folder.find()


@pytest.mark.parametrize(
    "told",
    [
        {"modify": "20240102030405"},
        {"modify": "20240102030405.678"},
        {"modificationTime": 1704164645678},
        {"last_write_time": datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)},
        {"mtime": 1704164645.5},
        {"LastModified": "2024-01-02T03:04:05Z"},
    ],
)
def test_each_back_end_tells_its_time(told):
    assert remote_files._facts({"size": 3, **told})[:2] == (3, 1704164645 * 10**9)


def test_what_has_neither_time_nor_tag_is_never_known_again():
    assert remote_files._facts({"size": 3}) != remote_files._facts({"size": 3})
    assert remote_files._facts({"size": 3, "etag": "x"}) == remote_files._facts(
        {"size": 3, "etag": "x"}
    )


def test_a_face_called_403_that_is_missing_is_not_forbidden():
    folder = RemoteFolder("memory://numbers/faces")
    with pytest.raises(MissingError, match=r"403\.jpg: not there"):
        folder.read("rei/403.jpg")
    damaged = remote_files._explained(OSError("s3://b/403.jpg: odd"), "s3://b/403.jpg")
    assert "no right" not in str(damaged)


@pytest.mark.parametrize("url", ["file:///x", "local:///x/y"])
def test_a_url_of_this_machine_is_refused(url):
    with pytest.raises(RemoteError, match="a place of this machine; give a path"):
        RemoteFolder(remote_url(url) or "").find()


def test_no_query_is_in_an_error():
    told = remote_files._explained(
        OSError("cannot open https://rei:geheim@host/x?token=geheim: gone wrong"), "https://host/x"
    )
    assert "geheim" not in str(told)
    assert "gone wrong" in str(told) or "https://host/x" in str(told)


def test_a_folder_is_sent_to_another_process():
    folder = RemoteFolder("memory://bucket/faces")
    folder.write("1.jpg", b"abc")
    assert pickle.loads(pickle.dumps(folder)) == folder


def test_nothing_there(bucket):
    with pytest.raises(MissingError, match=f"{bucket}/none: nothing is there"):
        RemoteFolder(f"{bucket}/none").find()
    with pytest.raises(MissingError, match="s3://no-such-bucket/x: not"):
        RemoteFolder("s3://no-such-bucket/x").find()
    with pytest.raises(MissingError, match=f"{bucket}/none/1.jpg: not there"):
        RemoteFolder(f"{bucket}/none").read("1.jpg")


def test_no_right(monkeypatch):
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    with refusing_server() as address:
        monkeypatch.setenv("AWS_ENDPOINT_URL", address)
        folder = RemoteFolder("s3://private/faces")
        for ask in (folder.find, lambda: folder.read("1.jpg"), lambda: folder.write("1.jpg", b"x")):
            with pytest.raises(RemoteError, match=r"s3://private/faces.*: no right to it") as told:
                ask()
            assert "AWS_ACCESS_KEY_ID" in str(told.value)
            assert "testing" not in str(told.value)


def test_an_endpoint_that_is_not_there(monkeypatch):
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(RemoteError, match=r"cannot be reached.*AWS_ENDPOINT_URL"):
        RemoteFolder("s3://bucket/faces").find()


def test_a_place_that_never_answers(monkeypatch):
    from fsspec.implementations.memory import MemoryFileSystem

    silent = threading.Event()
    monkeypatch.setattr(remote_files, "ANSWER", 0.05)
    monkeypatch.setattr(MemoryFileSystem, "info", lambda place, path: silent.wait())
    with pytest.raises(RemoteError, match="memory://silent: no answer within"):
        RemoteFolder("memory://silent").find()
    silent.set()


@pytest.mark.parametrize(
    ("scheme", "back_end"),
    [("gs", "GCSFileSystem"), ("hf", "HfFileSystem"), ("s3", "S3FileSystem")],
)
def test_each_scheme_has_its_back_end(scheme, back_end):
    url = f"{scheme}://{'datasets/a/b' if scheme == 'hf' else 'bucket'}/faces"
    # Made in a process of its own: some start threads that nothing ends.
    code = (
        "import os, fsspec\n"
        "from pairsets.storage.remote_files import RemoteFolder\n"
        f"place, path = RemoteFolder({url!r})._open()\n"
        "print(*[kind.__name__ for kind in type(place).__mro__], path)"
    )
    # Google's is asked for no machine of its cloud, which takes long where there is none.
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=HANGS,
        check=True,
        env={**os.environ, "NO_GCE_CHECK": "true"},
    )
    assert back_end in done.stdout


def test_a_back_end_that_is_not_installed():
    with pytest.raises(RemoteError, match=r"pip install 'lookalikes\[cloud\]'"):
        RemoteFolder("abfs://faces@account/x").find()


def test_without_fsspec(monkeypatch):
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(RemoteError, match=r"pip install 'lookalikes\[cloud\]'"):
        RemoteFolder("memory://never/opened/before").find()


def test_a_scheme_that_nobody_knows():
    with pytest.raises(RemoteError, match="Protocol not known: nowhere; expected a URL such as"):
        RemoteFolder("nowhere://x").find()
