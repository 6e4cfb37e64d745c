"""Faces, vectors, pair files and runs in a bucket: the same as in folders, from end to end."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import pytest
from support.buckets import download, refusing_server, upload
from support.command_line import lookalikes
from support.drawn import draw_face
from support.elements import without_command

from pairsets.storage.mirrors import mirror_of
from pairsets.storage.remote_files import RemoteFolder

PIXELS = "pixels"
BUILT = ("--reference", PIXELS, "--pairs", "6", "--no-floor", "--no-all-pairs", "--out")
# What differs from one machine, or one listing, to the other.
OWN = {"status.csv"}


@pytest.fixture(scope="module")
def faces(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("home") / "faces"
    for number in range(12):
        file = folder / ("rei", "asuka", "shinji")[number % 3] / f"{number}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        draw_face(number).save(file)
    return folder


@pytest.fixture
def there(faces, bucket, tmp_path, monkeypatch) -> str:
    """A bucket with the faces, and a cache of its own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    upload(faces, f"{bucket}/faces")
    return bucket


class CutOffError(Exception):
    """As if the process were killed."""


@contextmanager
def cut_off() -> Iterator[None]:
    """Let a push end when all is there but what says that it is whole."""
    push = RemoteFolder.push

    def cut(folder: RemoteFolder, home: Path, names: list[str], last: list[str]) -> None:
        push(folder, home, [name for name in names if name != last[-1]], last[:-1])
        raise CutOffError

    with mock.patch.object(RemoteFolder, "push", cut):
        yield


def files_of(folder: Path) -> dict[str, bytes]:
    return {
        file.relative_to(folder).as_posix(): without_command(file.read_bytes())
        for file in folder.rglob("*")
        if file.is_file()
    }


def test_three_commands_from_bucket_to_bucket(faces, there, tmp_path):
    """Embed, mine and build write the same bytes as from folder to folder."""
    embedded = lookalikes("embed", f"{there}/faces", "--model", PIXELS, "--out", f"{there}/vectors")
    assert f"written {there}/vectors/vectors.npy" in embedded.summary
    lookalikes("embed", faces, "--model", PIXELS, "--out", tmp_path / "vectors").summary  # noqa: B018
    here, away = files_of(tmp_path / "vectors"), download(f"{there}/vectors")
    assert here.keys() == away.keys()
    assert {name for name in here if here[name] != away[name]} <= OWN

    mined = lookalikes(
        "mine", f"{there}/vectors", "--pairs", "8", "--out", f"{there}/sets/hard.csv"
    )
    assert f"written {there}/sets/hard.csv" in mined.summary
    lookalikes("mine", tmp_path / "vectors", "--pairs", "8", "--out", tmp_path / "sets/hard.csv")
    assert download(f"{there}/sets") == files_of(tmp_path / "sets")

    away = "build", f"{there}/faces", *BUILT, f"{there}/runs/first"
    with cut_off():
        assert lookalikes(*away).code == 70
    assert "report.html" not in RemoteFolder(f"{there}/runs/first").find()
    for typed in (away, ("build", faces, *BUILT, tmp_path / "runs/first")):
        built = lookalikes(*typed)
        assert built.code == 0, built.err
    here, away = files_of(tmp_path / "runs/first"), download(f"{there}/runs/first")
    assert here.keys() == away.keys()
    differing = {name for name in here if here[name] != away[name]}
    assert {Path(name).name for name in differing} <= OWN


def test_what_was_made_is_read_from_the_bucket(faces, there, tmp_path):
    for arguments in (
        ("embed", f"{there}/faces", "--model", PIXELS, "--out", f"{there}/vectors"),
        ("mine", f"{there}/vectors", "--pairs", "8", "--out", f"{there}/hard.csv"),
        (
            *("export-scores", f"{there}/hard.csv", "--embeddings", f"{there}/vectors"),
            *("--out", f"{there}/scores.csv"),
        ),
        (
            *("evaluate", f"{there}/hard.csv", "--embeddings", f"{there}/vectors", "--scores"),
            *(f"again={there}/scores.csv", "--draws", "100", "--out", f"{there}/board"),
        ),
        ("show", f"{there}/hard.csv", "--faces", f"{there}/faces", "--out", f"{there}/pairs.png"),
    ):
        outcome = lookalikes(*arguments)
        assert outcome.code == 0, (arguments, outcome.err)
        assert str(tmp_path) not in outcome.out + outcome.err
    found = RemoteFolder(there).find()
    assert {"scores.csv", "board.csv", "board.json", "pairs.png"} <= set(found)


def test_embedding_again_reads_what_is_new_alone(faces, there, monkeypatch):
    arguments = ("embed", f"{there}/faces", "--model", PIXELS, "--out", f"{there}/vectors")
    assert lookalikes(*arguments).code == 0
    first = RemoteFolder(f"{there}/vectors").find()
    read: list[str] = []
    reading = RemoteFolder.read
    monkeypatch.setattr(
        RemoteFolder,
        "read",
        lambda folder, path, **more: read.append(path) or reading(folder, path, **more),
    )
    assert lookalikes(*arguments).code == 0
    assert read == []
    assert RemoteFolder(f"{there}/vectors").find() == first
    RemoteFolder(f"{there}/faces").write("rei/new.png", (faces / "rei/0.png").read_bytes())
    # Also where nothing is known of what was there but the bucket itself.
    shutil.rmtree(mirror_of(there).parents[1])
    assert lookalikes(*arguments).code == 0
    assert read == ["rei/new.png"]
    assert b"rei/new.png" in download(f"{there}/vectors")["images.csv"]


def test_a_refused_command_leaves_nothing(there):
    RemoteFolder(f"{there}/faces").write("rei/broken.png", b"no picture")
    outcome = lookalikes("embed", f"{there}/faces", "--model", PIXELS, "--out", f"{there}/vectors")
    assert f"1 of 13 images in {there}/faces cannot be used" in outcome.message
    assert {path.partition("/")[0] for path in RemoteFolder(there).find()} == {"faces"}


def test_a_file_that_is_there_is_replaced_only_when_asked(there, tmp_path):
    vectors = f"{there}/vectors"
    assert lookalikes("embed", f"{there}/faces", "--model", PIXELS, "--out", vectors).code == 0
    RemoteFolder(there).write("hard.csv", b"somebody's")
    arguments = ("mine", vectors, "--pairs", "5", "--out", f"{there}/hard.csv")
    assert f"{there}/hard.csv: exists; choose another --out" in lookalikes(*arguments).message
    assert RemoteFolder(there).read("hard.csv") == b"somebody's"
    assert lookalikes(*arguments, "--overwrite").code == 0
    assert RemoteFolder(there).read("hard.csv").startswith(b"pathA,pathB")
    built = ("build", f"{there}/faces", "--reference", PIXELS, "--out", vectors)
    assert f"{vectors}: exists and is not empty" in lookalikes(*built).message


@pytest.mark.parametrize(
    ("arguments", "last"),
    [
        (("embed", "{}/faces", "--model", PIXELS, "--out", "{}/out"), "manifest.json"),
        (("random", "{}/faces", "--positives", "3", "--out", "{}/out/pairs.csv"), "pairs.json"),
    ],
    ids=["embed", "random"],
)
def test_a_push_that_was_cut_off_is_made_good(there, arguments, last):
    """Without its manifest what is there is not whole; the same command ends it."""
    typed = [one.format(there) for one in arguments]
    with cut_off():
        assert lookalikes(*typed).code == 70
    half = RemoteFolder(f"{there}/out").find()
    assert last not in half
    if last == "manifest.json":
        mined = lookalikes("mine", f"{there}/out", "--out", f"{there}/hard.csv")
        assert f"{there}/out: not a finished folder of embeddings" in mined.message
        assert "lookalikes embed" in mined.message
    outcome = lookalikes(*typed)
    assert outcome.code == 0, outcome.err
    whole = RemoteFolder(f"{there}/out").find()
    assert {*half, last} <= set(whole)
    assert not [path for path in whole if "/." in path]


def test_an_output_within_the_faces_is_refused(there):
    outcome = lookalikes(
        "embed", f"{there}/faces", "--model", PIXELS, "--out", f"{there}/faces/vectors"
    )
    assert f"{there}/faces/vectors: inside the faces folder {there}/faces" in outcome.message


def test_no_right_is_said_before_any_work(faces, monkeypatch, bucket):
    with refusing_server() as address:
        monkeypatch.setenv("AWS_ENDPOINT_URL", address)
        for typed in (
            ("embed", "s3://private/faces", "--model", PIXELS, "--out", "vectors"),
            ("embed", faces, "--model", PIXELS, "--out", "s3://private/vectors"),
            ("mine", "s3://private/vectors", "--out", "hard.csv"),
        ):
            assert "no right to it" in lookalikes(*typed).message


def test_commands_of_this_machine_alone_say_so():
    assert (
        "sample takes files of this machine alone" in lookalikes("sample", "s3://bucket/try").usage
    )
    assert "name with --out" in lookalikes("suspects", "s3://bucket/pairs.csv").usage
    refused = lookalikes("neighbours", "rei", "--embeddings", "x", "--out-scores", "s3://b/x.csv")
    assert "s3://b/x.csv: --out-scores is a place of this machine; give a path" in refused.message
    local = lookalikes("embed", "file:///x", "--model", PIXELS, "--out", "vectors")
    assert "a place of this machine; give a path" in local.message


def test_a_crash_keeps_no_password_of_a_url(monkeypatch):
    def fail(*given: object, **more: object) -> None:
        raise ZeroDivisionError("at s3://rei:geheim@bucket/faces?token=geheim")

    monkeypatch.setattr("mining.commands.embed.embed_faces", fail)
    outcome = lookalikes(
        "embed", "ftp://rei:geheim@host/x?t=geheim", "--model", PIXELS, "--out", "v"
    )
    assert outcome.code == 70
    kept = re.search(r"with (\S+\.txt)", outcome.err)
    assert kept is not None
    text = Path(kept[1]).read_text()
    assert "geheim" not in text + outcome.err
    assert "ftp://host/x" in text
    assert "ZeroDivisionError: at s3://bucket/faces" in text


def test_a_build_of_vectors_in_a_bucket(faces, there, tmp_path):
    """Faces and embeddings by URL: compared with each other, and the same bytes as here."""
    kept = ("--pairs", "6", "--no-floor", "--no-all-pairs", "--out")
    for place, source in ((there, f"{there}/faces"), (tmp_path, faces)):
        made = lookalikes("embed", source, "--model", PIXELS, "--out", f"{place}/vectors")
        assert made.code == 0
        given = ("--embeddings", f"ours={place}/vectors")
        built = lookalikes("build", source, *given, *kept, f"{place}/run")
        assert built.code == 0, built.err
    here, away = files_of(tmp_path / "run"), download(f"{there}/run")
    assert here.keys() == away.keys()
    differing = {name for name in here if here[name] != away[name]}
    assert {Path(name).name for name in differing} <= OWN
    (tmp_path / "changed").mkdir()
    shutil.copy(faces / "asuka/1.png", tmp_path / "changed/0.png")
    upload(tmp_path / "changed", f"{there}/faces/rei")
    again = lookalikes("build", f"{there}/faces", *given, *kept, f"{there}/other")
    assert "are other than those that the vectors were made of" in again.message
    assert "rei/0.png" in again.message
