"""Files of metadata, plain and packed, cut into whole lines."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import lzma
import os
import sys
import tarfile

import pytest
import zstandard

from pairsets.errors import SourceError
from pairsets.sources.danbooru.sidecars import Sidecars
from pairsets.sources.danbooru.streams import Stream, Stretch, metadata_files
from pairsets.sources.text.compression import unpacked

LINES = [b'{"id": %d, "x": "%s"}\r\n' % (at, b"\xe7\xb6\xbe" * (at % 50)) for at in range(3000)]
TEXT = b"".join(LINES)
PACK = {
    ".json": lambda data: data,
    ".json.gz": gzip.compress,
    ".json.xz": lzma.compress,
    ".json.zst": zstandard.ZstdCompressor().compress,
}


@pytest.mark.parametrize("ending", PACK)
@pytest.mark.parametrize("block", [1, 1000, 10**6, 10**8])
def test_whole_lines_of_all_kinds(tmp_path, ending, block):
    path = tmp_path / f"x{ending}"
    path.write_bytes(PACK[ending](TEXT))
    stream = Stream(path)
    found = list(stream.blocks(block))
    assert b"".join(found) == TEXT
    assert all(data.endswith(b"\n") for data in found)
    assert stream.taken == stream.size == path.stat().st_size
    assert stream.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    if block == 10**8:
        assert len(found) == 1


@pytest.mark.parametrize("ending", list(PACK)[1:])
def test_packed_in_parts_and_under_another_name(tmp_path, ending):
    path = tmp_path / "x.json"
    half = len(TEXT) // 2
    path.write_bytes(PACK[ending](TEXT[:half]) + PACK[ending](TEXT[half:]))
    assert b"".join(Stream(path).blocks()) == TEXT


def test_what_pzstd_packs_begins_with_a_frame_to_skip(tmp_path):
    path = tmp_path / "x.json.zst"
    packed = zstandard.compress(TEXT)
    path.write_bytes(b"\x50\x2a\x4d\x18\4\0\0\0" + len(packed).to_bytes(4, "little") + packed)
    assert b"".join(Stream(path).blocks()) == TEXT


@pytest.mark.parametrize("ending", list(PACK)[1:])
def test_cut_off_packed_data_is_no_end(tmp_path, ending):
    path = tmp_path / f"x{ending}"
    path.write_bytes(PACK[ending](TEXT)[:-20])
    with pytest.raises(SourceError, match=r"x\.json.*: ends in the middle of its packed data"):
        list(Stream(path).blocks())


@pytest.mark.parametrize("ending", list(PACK)[1:])
def test_broken_packed_data(tmp_path, ending):
    path = tmp_path / f"x{ending}"
    whole = bytearray(PACK[ending](TEXT))
    whole[10 : len(whole) - 10] = bytes(len(whole) - 20)
    path.write_bytes(whole)
    with pytest.raises(SourceError, match=r"x\.json.*: (broken packed data \(|ends in the middle)"):
        list(Stream(path).blocks())


def test_what_unpacks_to_much_more_does_so_in_parts(tmp_path):
    path = tmp_path / "x.json.zst"
    path.write_bytes(zstandard.compress(bytes(2**29)))
    assert path.stat().st_size < 20_000
    with path.open("rb") as raw:
        sizes = [len(part) for part in unpacked(raw, 2**20)]
    assert sum(sizes) == 2**29
    assert max(sizes) < 2**28


def test_zstd_needs_its_extra(tmp_path, monkeypatch):
    path = tmp_path / "x.json.zst"
    path.write_bytes(PACK[".json.zst"](TEXT))
    monkeypatch.setitem(sys.modules, "zstandard", None)
    with pytest.raises(
        SourceError, match=r"x\.json\.zst: packed .* pip install 'lookalikes\[zstd\]'"
    ):
        list(Stream(path).blocks())


def test_no_line_end_a_mark_of_byte_order_and_nothing_at_all(tmp_path):
    path = tmp_path / "x.json"
    path.write_bytes(b"\xef\xbb\xbf" + TEXT + b'{"id": 7')
    assert b"".join(Stream(path, 999).blocks()) == TEXT + b'{"id": 7'
    path.write_bytes(b"")
    stream = Stream(path)
    assert list(stream.blocks()) == []
    assert stream.sha256 == hashlib.sha256(b"").hexdigest()


def test_other_files(tmp_path):
    path = tmp_path / "x.json"
    path.write_bytes(b' [\n{"id": 1},\n{"id": 2}\n]')
    with pytest.raises(SourceError, match=r"x\.json, line 1: a JSON array.*jq -c"):
        list(Stream(path).blocks())
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        tar.addfile(tarfile.TarInfo("metadata.json"))
    path.write_bytes(lzma.compress(archive.getvalue()))
    with pytest.raises(SourceError, match=r"x\.json: a tar archive; unpack it first"):
        list(Stream(path).blocks())
    path.write_bytes(b"\x80\x04\0\0")
    with pytest.raises(SourceError, match=r"x\.json: not text; expected one post a line"):
        list(Stream(path).blocks())
    path.write_bytes(b"x" * 10**6)
    with pytest.raises(SourceError, match=r"x\.json: a line of more than"):
        list(Stream(path, longest=10**5).blocks(10**4))


def test_what_lies_in_a_folder(tmp_path):
    for name in ("b.json", "a.JSONL.xz", "c.ndjson", ".d.json", "e.txt", "f.json.tar.xz"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "folder.json").mkdir()
    files, others = metadata_files([tmp_path / "c.ndjson", tmp_path])
    assert [file.name for file in files] == ["c.ndjson", "a.JSONL.xz", "b.json"]
    assert others == 4
    assert metadata_files([tmp_path / "e.txt"]) == ([tmp_path / "e.txt"], 0)
    with pytest.raises(SourceError, match=r"folder\.json: no metadata in it; expected files such"):
        metadata_files([tmp_path / "folder.json"])
    with pytest.raises(SourceError, match="nowhere: no such file or folder of metadata"):
        metadata_files([tmp_path / "nowhere"])
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(SourceError, match="pipe: no regular file"):
        metadata_files([tmp_path / "pipe"])


def test_files_of_one_post_are_one_source(tmp_path):
    for name, text in {
        "b.jpg.json": '\ufeff{\r\n "id": 2,\r\n "a": "x } { y"\r\n}',
        "a.json": '{\n "id": 1\n}\n{\n "id": 3, "b": {\n"c": [{\n}, {\n}]\n}\n}\n',
        "c.mp4.json": '{"id": 4}',
        "d.json": '{"id": 5}\n{"id": 6}\n',
        "a.jpg": "a picture",
    }.items():
        (tmp_path / name).write_text(text, encoding="utf-8", newline="")
    (plain, joined), others = metadata_files([tmp_path])
    assert (plain, others) == (tmp_path / "d.json", 1)
    assert isinstance(joined, Sidecars)
    assert [file.name for file in joined.files] == ["a.json", "b.jpg.json", "c.mp4.json"]
    for block in (1, 10**6):
        joined.taken = 0
        found = list(joined.pieces(block))
        assert len(found) == (3 if block == 1 else 1)
        assert [json.loads(line)["id"] for line in b"".join(found).splitlines()] == [1, 3, 2, 4]
        assert joined.taken == joined.size
    before = joined.stamp
    assert joined.stamp == before
    (tmp_path / "a.json").write_text('{\n "id": 9\n}')
    assert joined.stamp != before


def test_folders_within_a_folder_without_metadata_are_hinted_at(tmp_path):
    (tmp_path / "deeper").mkdir()
    with pytest.raises(SourceError, match="folders in it are not looked into: give them"):
        metadata_files([tmp_path])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param("id,uploader_id,created_at\n1,2,3\n", r"a table; .*e621's export", id="CSV"),
        pytest.param('"id","md5"\n"1","x"\n', "a table", id="CSV in quotes"),
    ],
)
def test_tables_are_refused(text, told, tmp_path):
    path = tmp_path / "posts.csv"
    path.write_text(text)
    with pytest.raises(SourceError, match=told):
        list(Stream(path).blocks())


@pytest.mark.parametrize("begin", [b"", b"\xef\xbb\xbf", b"\n\n"])
@pytest.mark.parametrize("block", [1, 999, 5000, 70_000, 10**8])
def test_a_plain_file_is_cut_where_a_packed_one_is(tmp_path, begin, block):
    """So a block is the same whether its text is handed over or where it lies."""
    text = begin + TEXT + b'{"id": 7, "x": "' + b"y" * 20_000 + b'"}\n' + TEXT[:-5]
    plain, packed = tmp_path / "x.json", tmp_path / "x.json.gz"
    plain.write_bytes(text)
    packed.write_bytes(gzip.compress(text))
    pieces = list(Stream(plain).pieces(block))
    assert all(isinstance(piece, Stretch) for piece in pieces)
    assert [piece.read() for piece in pieces] == list(Stream(packed).pieces(block))


def test_a_file_that_changes_while_it_is_read(tmp_path):
    path = tmp_path / "x.json"
    path.write_bytes(TEXT)
    pieces = Stream(path).pieces(20_000)
    first = next(pieces)
    with path.open("ab") as file:
        file.write(b"{}\n")
    with pytest.raises(SourceError, match=r"x\.json: changed while it was read; run it again"):
        list(pieces)
    path.write_bytes(b"x")
    with pytest.raises(SourceError, match=r"x\.json: changed while it was read; run it again"):
        first.read()
    path.unlink()
    with pytest.raises(SourceError, match=r"x\.json: No such file"):
        first.read()
