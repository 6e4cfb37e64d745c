"""Parquet files whose schema, or what `datasets` says of it, is not as it should be: one error."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pairsets.errors import SourceError
from pairsets.picture_sources.image_table import Columns, Entry
from pairsets.sources.folders.parquet_images import ParquetImages

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

COLUMNS = Columns("image", "label")


def write(path: Path, told: bytes | None, **columns: object) -> Path:
    rows = {"image": [{"bytes": b"x", "path": "1.png"}], "label": [1], **columns}
    table = pa.table(rows)
    pq.write_table(
        table.replace_schema_metadata(None if told is None else {"huggingface": told}), path
    )
    return path


def classes(names: object) -> bytes:
    label = {"_type": "ClassLabel", "names": names}
    return json.dumps({"info": {"features": {"label": label, "x": float("nan")}}}).encode()


def test_classes_are_as_datasets_says(tmp_path: Path) -> None:
    found = ParquetImages.open(write(tmp_path / "a.parquet", classes(["rei", "asuka"])))
    assert list(found.entries(COLUMNS)) == [Entry("asuka", "1.png", None)]


@pytest.mark.parametrize(
    "told", [None, b"[]", b"{}", b'{"info": null}', b'{"info": {"features": []}}', b'{"info": 5}']
)
def test_without_a_word_of_classes_they_are_numbers(tmp_path: Path, told: bytes | None) -> None:
    found = ParquetImages.open(write(tmp_path / "a.parquet", told))
    assert list(found.entries(COLUMNS)) == [Entry("1", "1.png", None)]


@pytest.mark.parametrize(
    ("told", "says"),
    [
        (b"", "metadata 'huggingface': not JSON"),
        (b"{", "metadata 'huggingface': not JSON"),
        (b"\xff", "metadata 'huggingface': not UTF-8"),
        (b"[" * 3000, "metadata 'huggingface': nested too deeply"),
        (b"9" * 5000, "metadata 'huggingface': not JSON"),
        (b'{"info": 1, "info": 2}', "'info' is there twice"),
        (classes(5), "'label': names of classes 5; expected a list of texts"),
        (classes([1, 2]), r"'label': names of classes \[1, 2\]"),
        (classes("ab"), "'label': names of classes 'ab'"),
    ],
)
def test_words_that_are_none(tmp_path: Path, told: bytes, says: str) -> None:
    path = write(tmp_path / "a.parquet", told)
    with pytest.raises(SourceError, match=says) as caught:
        ParquetImages.open(path)
    assert str(caught.value).startswith(f"{path}: ")


def test_values_that_python_has_none_for(tmp_path: Path) -> None:
    far = pa.array([2**62], pa.timestamp("us"))
    path = write(tmp_path / "a.parquet", None, label=far)
    with pytest.raises(SourceError, match=r"a\.parquet"):
        list(ParquetImages.open(path).entries(COLUMNS))


def test_paths_that_are_none(tmp_path: Path) -> None:
    """A number is no path, nor what no file system could hold."""
    for path in (5, "a" * 5000, "../a.parquet"):
        image = [{"bytes": b"", "path": path}]
        file = write(tmp_path / "a.parquet", None, image=image)
        found = ParquetImages.open(file)
        assert list(found.pictures(COLUMNS)) == [None]
        assert [one.path for one in found.entries(COLUMNS)] == [path if path != 5 else None]


def test_a_table_of_pairs_with_such_values(tmp_path: Path) -> None:
    from pairsets.sources.formats.row_tables import read_rows

    path = tmp_path / "pairs.parquet"
    pq.write_table(pa.table({"a": ["x"], "when": pa.array([2**62], pa.timestamp("us"))}), path)
    with pytest.raises(SourceError, match=r"pairs\.parquet: not a whole Parquet file"):
        list(read_rows(path))
