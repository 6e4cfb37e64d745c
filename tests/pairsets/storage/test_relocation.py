"""Files moved away and back: bytes and paths as before, and nothing lost in between."""

from __future__ import annotations

import os

import pytest
from support.command_line import contents

from pairsets.errors import OutputError, PairSetError
from pairsets.storage import relocation
from pairsets.storage.relocation import move_away, move_back

PATHS = ["a/1.png", "a/2.png", "b c/3.png"]


@pytest.fixture
def root(tmp_path):
    for path in [*PATHS, "a/stays.png"]:
        file = tmp_path / "faces" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(path.encode() * 100)
    return tmp_path / "faces"


def test_there_and_back_again(root, tmp_path):
    before = contents(root)
    undo = move_away(PATHS, root, tmp_path / "out")
    assert [path for path in PATHS if (root / path).exists()] == []
    assert all((tmp_path / "out" / path).read_bytes() == before[path] for path in PATHS)
    assert (root / "a/stays.png").exists()
    assert move_back(undo) == (PATHS, [])
    assert contents(root) == before
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("links", [True, False])
@pytest.mark.parametrize("moved", [0, 1, 2])
def test_interrupted_at_any_moment_nothing_is_lost(root, tmp_path, monkeypatch, links, moved):
    """After some files, when a file lies at both places, all of it can be undone."""
    before = contents(root)
    unlink, link, done = os.unlink, os.link, []

    def stop(file, *args, **kwargs):
        if len(done) == moved and str(file).endswith(".png"):
            raise KeyboardInterrupt
        done.append(file)
        return unlink(file, *args, **kwargs)

    def refuse(*args, **kwargs):
        raise OSError("no links here")

    with monkeypatch.context() as patch:
        patch.setattr(os, "unlink", stop)
        patch.setattr(os, "link", link if links else refuse)
        with pytest.raises(KeyboardInterrupt):
            move_away(PATHS, root, tmp_path / "out")
    there = {**contents(tmp_path / "out"), **contents(root)}
    assert all(there[path] == before[path] for path in PATHS)
    moved_back, already = move_back(tmp_path / "out" / "undo.csv")
    assert sorted(moved_back + already) == PATHS
    assert contents(root) == before


def test_an_interrupted_undo_goes_on(root, tmp_path):
    before = contents(root)
    undo = move_away(PATHS, root, tmp_path / "out")
    (tmp_path / "out" / PATHS[0]).rename(root / PATHS[0])
    assert move_back(undo) == (PATHS[1:], PATHS[:1])
    assert contents(root) == before


def test_nothing_is_replaced(root, tmp_path):
    (tmp_path / "out" / "a").mkdir(parents=True)
    (tmp_path / "out" / "a" / "2.png").write_bytes(b"mine")
    before = contents(tmp_path)
    with pytest.raises(OutputError, match=r"2\.png: exists"):
        move_away(PATHS, root, tmp_path / "out")
    assert contents(tmp_path) == before


def test_another_file_at_the_old_place_stays(root, tmp_path):
    undo = move_away(PATHS, root, tmp_path / "out")
    (root / PATHS[1]).write_bytes(b"new")
    before = contents(tmp_path)
    with pytest.raises(OutputError, match="another file is there by now"):
        move_back(undo)
    assert contents(tmp_path) == before


def test_a_file_that_is_nowhere_is_told(root, tmp_path):
    undo = move_away(PATHS, root, tmp_path / "out")
    (tmp_path / "out" / PATHS[2]).unlink()
    with pytest.raises(OutputError, match=r"b c/3\.png is neither in"):
        move_back(undo)
    assert not (root / PATHS[0]).exists()


@pytest.mark.parametrize("to", ["faces", "faces/below", "."])
def test_a_folder_in_the_other_is_refused(root, tmp_path, to):
    with pytest.raises(OutputError, match="choose another --move-to"):
        move_away(PATHS, root, tmp_path / to)


def test_a_list_that_is_there_and_a_file_are_refused(root, tmp_path):
    move_away(PATHS[:1], root, tmp_path / "out")
    with pytest.raises(OutputError, match="move them back"):
        move_away(PATHS[1:], root, tmp_path / "out")
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match="a file; expected a folder"):
        move_away(PATHS[1:], root, tmp_path / "file")


@pytest.mark.parametrize("row", ["../x.png,/tmp", "/x.png,/tmp", "a/1.png,relative"])
def test_a_list_of_somebody_else_is_refused(tmp_path, row):
    (tmp_path / "undo.csv").write_text(f"path,folder\n{row}\n")
    with pytest.raises(OutputError, match="expected a list that --move-to wrote"):
        move_back(tmp_path / "undo.csv")


def test_no_list_is_refused(tmp_path):
    with pytest.raises(PairSetError, match="no such list"):
        move_back(tmp_path / "undo.csv")


def test_a_name_with_a_line_end_is_moved(root, tmp_path):
    path = 'a/two\nlines, "quoted".png'
    (root / path).write_bytes(b"x")
    undo = move_away([path], root, tmp_path / "out")
    assert move_back(undo) == ([path], [])
    assert (root / path).read_bytes() == b"x"
    assert undo.name == relocation.UNDO


def test_nothing_is_moved_back_into_a_folder_that_is_gone(tmp_path):
    """Of an unmounted disk, say: it is not made anew under its mount point."""
    root, to = tmp_path / "faces", tmp_path / "aside"
    (root / "a").mkdir(parents=True)
    (root / "a" / "1.png").write_bytes(b"one")
    undo = move_away(["a/1.png"], root, to)
    root.rename(tmp_path / "elsewhere")
    with pytest.raises(OutputError, match="no such folder, and the faces of"):
        move_back(undo)
    assert (to / "a" / "1.png").read_bytes() == b"one"
    assert undo.is_file()
    assert not root.exists()


def test_a_folder_that_cannot_be_made_is_told_before_anything_moves(tmp_path):
    root, to = tmp_path / "faces", tmp_path / "aside"
    for name in "ab":
        (root / name).mkdir(parents=True)
        (root / name / "1.png").write_bytes(name.encode())
    to.mkdir()
    (to / "b").write_text("a file")
    with pytest.raises(OutputError):
        move_away(["a/1.png", "b/1.png"], root, to)
    assert (root / "a" / "1.png").is_file()
    with pytest.raises(OutputError, match="no such file any more"):
        move_away(["a/2.png"], root, to)
