"""All the metadata once: several files and processes, what is no metadata, and going on."""

from __future__ import annotations

import gzip
import hashlib
import os
import sys

import pytest
from support.danbooru import names_of, post, write_lines

from pairsets.errors import SourceError
from pairsets.sources.danbooru import metadata as metadata_module
from pairsets.sources.danbooru import processes as workers_of
from pairsets.sources.danbooru.blocks import read_block
from pairsets.sources.danbooru.metadata import Metadata
from pairsets.sources.danbooru.posts import Rule
from pairsets.sources.danbooru.streams import Stretch, content_of
from pairsets.storage.resume import Resume

NAMES = names_of(40)


@pytest.fixture
def files(tmp_path):
    """900 posts in a plain file, a packed one, an empty one and a plain one."""
    posts = [post(at, NAMES[at % len(NAMES)]) for at in range(900)]
    paths = [
        write_lines(tmp_path / "in" / f"{at}.json", posts[300 * at : 300 * at + 300])
        for at in range(3)
    ]
    packed = paths[1].with_suffix(".json.gz")
    packed.write_bytes(gzip.compress(paths[1].read_bytes()))
    empty = tmp_path / "in" / "empty.json"
    empty.write_bytes(b"")
    return [paths[0], packed, empty, paths[2]]


def read(files, folder, *, workers=1, block=10_000, rule=None):
    """The metadata, and all numbers of posts, read once."""
    metadata = Metadata.of(files, rule or Rule(), block)
    with Resume(folder, metadata.facts) as journal:
        blocks = metadata.blocks(journal, workers=workers, step=lambda done, total: None)
        return metadata, [number for block in blocks for number in block.ids.tolist()]


def counting(monkeypatch, limit=None):
    """Counts the blocks that are judged; one more than `limit` fails."""
    judged = []

    def judge(data, rule):
        if len(judged) == limit:
            raise KeyboardInterrupt
        judged.append(data)
        return before(data, rule)

    before = workers_of.read_block
    monkeypatch.setattr(workers_of, "read_block", judge)
    return judged


@pytest.mark.parametrize("processes", [1, 2, 3])
@pytest.mark.parametrize("block", [1, 10_000, 10**9])
def test_all_posts_in_their_order(files, tmp_path, processes, block):
    metadata, numbers = read(files, tmp_path / "partial", workers=processes, block=block)
    assert numbers == list(range(900))
    assert [file.posts for file in metadata.files] == [300, 300, 0, 300]
    digests = [hashlib.sha256(path.read_bytes()).hexdigest() for path in files]
    assert [file.sha256 for file in metadata.files] == digests


@pytest.mark.parametrize("limit", [0, 1, 20, 45])
def test_what_was_read_is_not_judged_again(files, tmp_path, monkeypatch, limit):
    with monkeypatch.context() as patch:
        whole = read(files, tmp_path / "whole")
        judged = counting(patch)
        read(files, tmp_path / "again")
        total = len(judged)
    with monkeypatch.context() as patch:
        counting(patch, limit)
        with pytest.raises(KeyboardInterrupt):
            read(files, tmp_path / "partial")
    with monkeypatch.context() as patch:
        judged = counting(patch)
        metadata, numbers = read(files, tmp_path / "partial")
    assert total > 45
    assert len(judged) == total - limit
    assert numbers == whole[1]
    assert metadata.files == whole[0].files
    # And all of it is there now: not even the files are read again.
    counting(monkeypatch, 0)
    monkeypatch.setattr(metadata_module.Stream, "pieces", None)
    assert read(files, tmp_path / "partial")[1] == whole[1]


def test_stopped_anywhere_while_blocks_are_on_their_way(files, tmp_path, monkeypatch):
    whole = read(files, tmp_path / "whole", block=10**5)
    records, append = [], Resume.append

    def late(blocks, rule, workers):
        """As several workers do: a file ends before its last blocks are judged."""
        waiting = []
        for data in blocks:
            waiting.append(data)
            if len(waiting) > 3:
                yield read_block(content_of(waiting.pop(0)), rule).to_bytes()
        for data in waiting:
            yield read_block(content_of(data), rule).to_bytes()

    def keep(journal, record):
        if len(records) == limit:
            raise KeyboardInterrupt
        append(journal, record)
        records.append(record)

    for limit in range(100):
        records.clear()
        with monkeypatch.context() as patch:
            patch.setattr(metadata_module, "read_blocks", late)
            patch.setattr(Resume, "append", keep)
            try:
                read(files, tmp_path / f"{limit}", block=10**5)
            except KeyboardInterrupt:
                pass
            else:
                break
        again = read(files, tmp_path / f"{limit}", block=10**5)
        assert again[1] == whole[1]
        assert again[0].files == whole[0].files
    # Three or more blocks of three files, and the ends of all four.
    assert 13 <= limit < 99


@pytest.mark.parametrize("change", ["rule", "file", "block", "damage"])
def test_what_was_read_of_something_else_is(files, tmp_path, monkeypatch, change):
    folder = tmp_path / "partial"
    read(files, folder)
    given = {}
    if change == "rule":
        given["rule"] = Rule(keep_deleted=True)
    elif change == "file":
        files[3].write_bytes(files[3].read_bytes() + b"\n")
    elif change == "block":
        given["block"] = 30_000
    else:
        journal = folder
        data = bytearray(journal.read_bytes())
        data[len(data) // 2] ^= 1
        journal.write_bytes(data)
    judged = counting(monkeypatch)
    assert read(files, folder, **given)[1] == list(range(900))
    assert b"".join(judged).count(b"\n") >= (400 if change == "damage" else 900)


def test_one_line_in_a_thousand_may_be_something_else(tmp_path):
    posts = [post(at) for at in range(2500)]
    path = write_lines(tmp_path / "x.json", [*posts[:700], "", '{"id":', *posts[700:], '{"id": '])
    metadata, numbers = read([path], tmp_path / "a")
    assert len(numbers) == 2500
    assert metadata.files[0].strays == 2
    assert [(name, line) for name, line, _ in metadata.shown] == [("x.json", 702), ("x.json", 2503)]
    write_lines(path, [*posts[:700], "", '{"id":', *posts[700:], "x", "y"])
    for block in (1000, 10**9):
        told = (
            r"x\.json: 3 of 2,504 lines are not a post; one in 1,000 is passed over\. "
            'line 702: not the JSON object of a post: {"id":; line 2503: .*: x; line 2504: .*: y'
        )
        with pytest.raises(SourceError, match=told):
            read([path], tmp_path / "b", block=block)
    # Of few lines, the last may be cut off.
    write_lines(path, [*posts[:5], '{"id": '])
    assert read([path], tmp_path / "c")[1] == [0, 1, 2, 3, 4]


def test_a_first_line_that_is_no_post(tmp_path):
    good = write_lines(tmp_path / "a.json", [post(1)])
    path = write_lines(
        tmp_path / "b.json", ['{"name": "solo", "category": "0"}', *[post(2)] * 5000]
    )
    told = (
        r"b\.json, line 1: id None, expected a number below 2\^31: \{\"name\".*is it the metadata\?"
    )
    for workers in (1, 2):
        with pytest.raises(SourceError, match=told):
            read([good, path], tmp_path / "partial", workers=workers)


def test_a_system_that_grants_no_wider_pipes(files, tmp_path, monkeypatch):
    def refuse(*arguments):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("fcntl.fcntl", refuse)
    assert read(files, tmp_path / "partial", workers=2)[1] == list(range(900))


def test_a_worker_that_dies(files, tmp_path, monkeypatch):
    """Its program finds another package than ours, which ends it at the first block."""
    (tmp_path / "path" / "pairsets").mkdir(parents=True)
    other = tmp_path / "path" / "pairsets" / "__init__.py"
    other.write_text("import sys; sys.stdin.buffer.read(9); sys.exit(7)")
    monkeypatch.setattr(sys, "path", [str(other.parent.parent), *sys.path])
    with pytest.raises(SourceError, match=r"a worker process died \(exit code 7\)"):
        read(files, tmp_path / "partial", workers=2)


def test_a_worker_tells_that_a_file_is_gone(tmp_path):
    """In another folder of a name that is no text."""
    folder = tmp_path / os.fsdecode(b"\xff")
    try:
        folder.mkdir()
    except OSError:  # macOS
        folder = tmp_path
    path = write_lines(folder / "x.json", [post(at) for at in range(9)])
    good = [Stretch(path, 0, path.stat().st_size)] * 3
    assert len(list(workers_of.read_blocks(good, Rule(), 2))) == 3
    gone = Stretch(path, 5, path.stat().st_size)
    with pytest.raises(SourceError, match=r"x\.json: changed while it was read; run it again"):
        list(workers_of.read_blocks([*good, gone], Rule(), 2))
