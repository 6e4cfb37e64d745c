"""Arguments of commands: which are URLs, and what stands for them here."""

from __future__ import annotations

from pathlib import Path

import pytest

from pairsets.errors import OutputError, RemoteError
from pairsets.storage.mirrors import mirror_of, origin_of, told
from pairsets.storage.remote_arguments import any_remote, fetched, staged
from pairsets.storage.remote_files import RemoteFolder


@pytest.mark.parametrize(
    ("value", "remote"),
    [
        (Path("s3://bucket/x"), True),
        ([Path("here"), Path("gs://bucket/x")], True),
        (["CCIP=s3://bucket/scores.csv"], True),
        (Path("here/s3"), False),
        ("onnx:/models/x.onnx", False),
        ("http://127.0.0.1:8000", False),
        ("ray://head:10001", False),
        (["NAME=here.csv"], False),
        (None, False),
        (7, False),
    ],
)
def test_which_arguments_are_urls(value, remote):
    assert any_remote({"value": value, "other": 1}) is remote


def test_a_place_stands_for_its_url_in_this_process():
    place = mirror_of("memory://bucket/faces")
    assert mirror_of(Path("memory://bucket/faces")) == place
    assert origin_of(place) == RemoteFolder("memory://bucket/faces")
    assert place.name == "faces"
    assert told(f"{place}/rei/1.jpg and {place.parent}/x") == (
        "memory://bucket/faces/rei/1.jpg and memory://bucket/x"
    )
    assert origin_of(Path("elsewhere")) is None


def test_no_password_is_in_a_place():
    place = mirror_of("ftp://rei:geheim@host/faces")
    assert "geheim" not in str(place)
    assert "geheim" not in told(place)


def test_a_file_comes_with_what_is_called_after_it_and_anew_when_it_changed():
    home = RemoteFolder("memory://fetched/sets")
    for name in ("a.csv", "a.json", "a.scores.csv", "b.csv"):
        home.write(name, name.encode())
    place = fetched("memory://fetched/sets/a.csv")
    assert place.read_bytes() == b"a.csv"
    assert {file.name for file in place.parent.glob("?.*")} == {"a.csv", "a.json", "a.scores.csv"}
    home.write("a.csv", b"longer than before")
    home.remove(["a.scores.csv"])
    assert fetched("memory://fetched/sets/a.csv").read_bytes() == b"longer than before"
    assert {file.name for file in place.parent.glob("?.*")} == {"a.csv", "a.json"}


def test_vectors_without_their_manifest_are_refused():
    RemoteFolder("memory://half/vectors").write("vectors.npy", b"x")
    with pytest.raises(RemoteError, match=r"manifest\.json is missing.*lookalikes embed"):
        fetched("memory://half/vectors")


def test_an_error_leaves_the_target_as_it_was_and_the_work_here():
    target = RemoteFolder("memory://failed/out")
    target.write("a.csv", b"old")
    options = {"out": Path("memory://failed/out/a.csv"), "overwrite": True}

    def fail() -> None:
        with staged(options) as local:
            assert local["out"].read_bytes() == b"old"
            local["out"].write_bytes(b"new")
            raise OutputError("refused")

    with pytest.raises(OutputError, match="refused"):
        fail()
    assert target.read("a.csv") == b"old"
    # What the first call made and the second found is pushed, too.
    with staged(options) as local:
        assert local["out"].read_bytes() == b"new"
        (local["out"].parent / "a.json").write_bytes(b"{}")
    assert {path: target.read(path) for path in target.find()} == {"a.csv": b"new", "a.json": b"{}"}


def test_files_that_begin_alike_are_no_folder():
    target = RemoteFolder("memory://alike/out")
    target.write("board.csv", b"old")
    with staged({"out": Path("memory://alike/out/board")}) as local:
        assert local["out"].with_suffix(".csv").read_bytes() == b"old"
        local["out"].with_suffix(".md").write_bytes(b"new")
    assert {*target.find()} == {"board.csv", "board.md"}


def test_what_has_to_be_of_this_machine_says_so():
    with (
        pytest.raises(OutputError, match="--cache is a place of this machine"),
        staged({"cache": Path("s3://bucket/cache")}),
    ):
        pass
