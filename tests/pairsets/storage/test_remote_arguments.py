"""Arguments of commands: which are URLs, and what stands for them here."""

from __future__ import annotations

from pathlib import Path

import pytest

from pairsets.errors import OutputError, RemoteError
from pairsets.storage.mirrors import mirror_of, origin_of, told
from pairsets.storage.remote_arguments import any_remote, staged
from pairsets.storage.remote_files import RemoteFolder
from pairsets.storage.remote_inputs import fetched


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
        # That it is there is known without fetching it: it may be a tar of all faces.
        assert local["out"].with_suffix(".csv").is_file()
        local["out"].with_suffix(".md").write_bytes(b"new")
    assert {path: target.read(path) for path in target.find()} == {
        "board.csv": b"old",
        "board.md": b"new",
    }


def test_what_lies_beside_a_new_folder_is_neither_fetched_nor_changed(monkeypatch):
    home = RemoteFolder("memory://beside/sets")
    home.write("faces.tar", b"large")
    monkeypatch.setattr(RemoteFolder, "fetch", lambda *given: pytest.fail(str(given)))
    with staged({"out": Path("memory://beside/sets/faces")}) as local:
        local["out"].mkdir()
        (local["out"] / "faces.tar").write_bytes(b"of the command")
    assert {path: home.read(path) for path in home.find()} == {
        "faces.tar": b"large",
        "faces/faces.tar": b"of the command",
    }


def test_a_folder_that_a_command_is_to_refuse_is_not_changed():
    home = RemoteFolder("memory://others/run")
    home.write("notes.txt", b"somebody's")
    for _ in range(2):
        with staged({"out": Path("memory://others/run")}) as local:
            assert (local["out"] / "notes.txt").is_file()
            (local["out"] / "more.txt").write_bytes(b"x")
        assert home.read("notes.txt") == b"somebody's"


def test_after_a_push_that_was_cut_off_nothing_of_others_is_removed(monkeypatch):
    """Only what the command wrote is made anew, and may be missing then."""
    home = RemoteFolder("memory://cut/sets")
    home.write("pairs.suspects.csv", b"somebody's")
    options = {"out": Path("memory://cut/sets/pairs.csv")}
    push = RemoteFolder.push

    def cut(folder: RemoteFolder, here: Path, names: list[str], last: list[str]) -> None:
        push(folder, here, [name for name in names if name not in last])
        raise OSError("cut off")

    def write() -> None:
        with staged(options) as local:
            assert not local["out"].exists()
            assert local["out"].with_suffix(".suspects.csv").read_bytes() == b"somebody's"
            for ending in (".csv", ".json", ".scores.csv"):
                local["out"].with_suffix(ending).write_bytes(ending.encode())

    monkeypatch.setattr(RemoteFolder, "push", cut)
    with pytest.raises(OSError, match="cut off"):
        write()
    monkeypatch.setattr(RemoteFolder, "push", push)
    assert {*home.find()} == {"pairs.suspects.csv", "pairs.scores.csv"}
    write()
    assert home.read("pairs.suspects.csv") == b"somebody's"
    assert {*home.find()} == {
        f"pairs.{end}" for end in ("csv", "json", "scores.csv", "suspects.csv")
    }


def test_a_table_comes_before_its_manifest_and_after_all_else(monkeypatch):
    order: list[str] = []
    push = RemoteFolder.push

    def listen(folder: RemoteFolder, here: Path, names: list[str], last: list[str]) -> None:
        order.extend([name for name in names if name not in last] + [*last])
        push(folder, here, names, last)

    monkeypatch.setattr(RemoteFolder, "push", listen)
    with staged({"out": Path("memory://order/a.csv")}) as local:
        for name in ("a.json", "a.csv", "a.z.csv"):
            (local["out"].parent / name).write_bytes(b"{}")
    assert order == ["a.z.csv", "a.csv", "a.json"]
    with staged({"out": Path("memory://order/run")}) as local:
        local["out"].mkdir()
        for name in ("report.html", "a.json", "z.txt", "a.csv", "manifest.json"):
            (local["out"] / name).write_bytes(b"{}")
    assert order[3:] == ["z.txt", "a.csv", "a.json", "manifest.json", "report.html"]


def test_notes_are_no_results():
    home = RemoteFolder("memory://notes/out")
    for name in ("listed", "pushing"):
        with staged({"out": Path(f"memory://notes/out/{name}.csv")}) as local:
            for ending in (".csv", ".json", ""):
                local["out"].with_suffix(ending).write_bytes(name.encode())
    with staged({"out": Path("memory://notes/out/listed.csv"), "overwrite": True}) as local:
        local["out"].write_bytes(b"again")
    assert {path: home.read(path) for path in home.find()} == {
        **{f"listed{end}": b"listed" for end in ("", ".json")},
        **{f"pushing{end}": b"pushing" for end in ("", ".json", ".csv")},
        "listed.csv": b"again",
    }


@pytest.mark.parametrize(
    ("given", "out"),
    [
        ("s3://bucket/a.csv", "s3://bucket/a.csv"),
        ("s3a://bucket/a.csv", "s3://bucket//a.csv"),
        ("gcs://bucket/vectors", "gs://bucket/vectors"),
        ("s3://bucket/vectors", "s3://bucket/vectors/x.csv"),
        ("s3://bucket/a.csv", "s3://bucket/a"),
        ("s3://bucket/a.scores.csv", "s3://bucket/a.csv"),
    ],
)
@pytest.mark.parametrize("named", [False, True])
def test_an_input_is_never_replaced(given, out, named):
    value = [f"CCIP={given}"] if named else given
    with (
        pytest.raises(OutputError, match="an input is never replaced"),
        staged({"pairs": value, "out": out, "overwrite": True}),
    ):
        pass


def test_faces_by_another_name_of_their_scheme_get_no_output():
    with (
        pytest.raises(OutputError, match="inside the faces folder s3a://bucket/faces"),
        staged({"faces": "s3a://bucket/faces", "out": "s3://bucket//faces/vectors"}),
    ):
        pass


def test_a_picture_of_an_input_may_be_called_after_it():
    home = RemoteFolder("memory://drawn/sets")
    home.write("hard.csv", b"pairs")
    home.write("hard.json", b"{}")
    with staged(
        {"pairs": "memory://drawn/sets/hard.csv", "out": "memory://drawn/sets/hard.png"}
    ) as local:
        Path(local["out"]).write_bytes(b"png")
    assert {path: home.read(path) for path in home.find()} == {
        "hard.csv": b"pairs",
        "hard.json": b"{}",
        "hard.png": b"png",
    }


def test_what_an_interrupted_fetch_left_goes_when_it_is_listed_no_more(monkeypatch):
    home = RemoteFolder("memory://stale/sets")
    for name in ("a.csv", "a.suspects.csv"):
        home.write(name, name.encode())
    place = fetched("memory://stale/sets/a.csv")
    for note in place.parent.glob(".*.fetched.json"):
        note.unlink()
    home.remove(["a.suspects.csv"])
    assert fetched("memory://stale/sets/a.csv") == place
    assert [file.name for file in place.parent.glob("a*")] == ["a.csv"]


def test_each_url_has_a_place_of_its_own():
    urls = ["ftp://rei:a@host/x", "ftp://asuka:a@host/x", "ftp://host/x?v=1", "ftp://host/x?v=2"]
    assert len({mirror_of(url) for url in urls}) == len(urls)


def test_what_cannot_be_told_apart_is_fetched_again(monkeypatch):
    """Of the same size, at a place that tells neither time nor ETag."""
    from fsspec.implementations.memory import MemoryFileSystem

    info = MemoryFileSystem.info

    def bare(place, path, **more):
        return {key: value for key, value in info(place, path).items() if key != "created"}

    find = MemoryFileSystem.find
    monkeypatch.setattr(
        MemoryFileSystem,
        "find",
        lambda place, path, **more: {
            name: bare(place, name) for name in find(place, path) if not name.endswith("/")
        },
    )
    home = RemoteFolder("memory://untold/sets")
    for content in (b"one", b"two"):
        home.write("a.csv", content)
        assert fetched("memory://untold/sets/a.csv").read_bytes() == content


def test_what_has_to_be_of_this_machine_says_so():
    with (
        pytest.raises(OutputError, match="--cache is a place of this machine"),
        staged({"cache": Path("s3://bucket/cache")}),
    ):
        pass
