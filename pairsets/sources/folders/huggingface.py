"""Pictures that the library `datasets` reads from a local folder: image folders, saved data sets.

Data sets are also written, as the library saves them. Nothing is downloaded, decoded or kept in a
cache.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pairsets.errors import FacesError, SourceError
from pairsets.picture_sources.image_table import (
    Column,
    Columns,
    Entry,
    Picture,
    choose_split,
    column_of,
    entry_of,
    picture_of,
)

SAVED = ("state.json", "dataset_dict.json")
# What a data set is saved as that is all in one shard.
SHARD = "data-00000-of-00001.arrow"
WRITTEN = (SHARD, "dataset_info.json", SAVED[0])
# Columns that are no text.
_VALUES = {"label": "int8", "score": "float64"}
# Rows with pictures that are held at once.
_HELD = 64


@dataclass(frozen=True)
class HuggingFaceImages:
    """Pictures in a data set of the library.

    Attributes:
        root: the folder.
        parts: one data set a split.
        columns: what each column holds.
    """

    root: Path
    parts: tuple[Any, ...]
    columns: Mapping[str, Column]

    @classmethod
    def open(cls, source: Path, split: str | None = None) -> HuggingFaceImages:
        """Open what `save_to_disk` wrote, or a folder of pictures with or without metadata.

        Raises:
            SourceError: `datasets` is not installed or cannot read it, or there are several
                splits and none is chosen.
        """
        datasets = _datasets()
        try:
            with _quiet(datasets):
                splits = _load(datasets, source)
        except Exception as error:
            raise SourceError(f"{source}: datasets cannot read it: {error}") from None
        chosen = choose_split(list(splits), split, source)
        parts = tuple(splits[name] for name in chosen)
        features = parts[0].features
        if not features or any(part.features != features for part in parts):
            raise SourceError(f"{source}: its splits have other columns, or none")
        return cls(source, parts, {name: _column(datasets, f) for name, f in features.items()})

    def entries(self, columns: Columns) -> Iterator[Entry]:
        """The rows without their pictures, in order.

        Raises:
            SourceError: a row that `datasets` cannot read.
        """
        named = Column("text") if columns.id is None else self.columns[columns.id]
        for row in self._rows([name for name in columns if name is not None], columns.image):
            yield entry_of(row, columns, self.columns[columns.identity], named)

    def pictures(self, columns: Columns) -> Iterator[Picture]:
        """The picture of each row, in the same order: its bytes, its file, or None."""
        for row in self._rows([columns.image], columns.image):
            yield picture_of(row[columns.image], self.root)

    def _rows(self, names: list[str], image: str) -> Iterator[dict[str, Any]]:
        datasets = _datasets()
        for part in self.parts:
            found = part.select_columns(list(dict.fromkeys(names)))
            if isinstance(part.features[image], datasets.Image):
                found = found.cast_column(image, datasets.Image(decode=False))
            try:
                yield from found
            # Metadata are read, and files of rows looked for, row by row.
            except Exception as error:
                raise SourceError(f"{self.root}: datasets cannot read it: {error}") from None


def write_dataset(
    folder: Path,
    names: Sequence[str],
    rows: Sequence[tuple[object, ...]],
    *,
    faces: int,
    root: Path | None = None,
) -> None:
    """Write rows into `folder` as `Dataset.save_to_disk` does: the files `WRITTEN`.

    The same rows and pictures give the same bytes.

    Args:
        folder: there already; it may hold other files.
        names: of the columns.
        rows: a cell a column.
        faces: of how many columns, the first ones, the cells are paths of pictures.
        root: what they are relative to, where the pictures themselves are to be written, as they
            are and undecoded; without it the columns hold the paths. The library keeps of a
            picture's path the last name alone.

    Raises:
        SourceError: `datasets` is not installed.
        FacesError: a picture cannot be read.
    """
    datasets = _datasets()
    from datasets.arrow_writer import ArrowWriter

    face = datasets.Value("string") if root is None else datasets.Image()
    features = datasets.Features(
        {
            name: face if at < faces else datasets.Value(_VALUES[name])
            for at, name in enumerate(names)
        }
    )
    digest = hashlib.sha256(json.dumps([names, rows]).encode())
    with tempfile.TemporaryDirectory(dir=folder) as place, _quiet(datasets):
        table = Path(place) / "rows.arrow"
        with ArrowWriter(path=str(table), features=features, writer_batch_size=_HELD) as writer:
            for row in rows:
                cells = [
                    _bytes_of(root, str(cell)) if root is not None and at < faces else cell
                    for at, cell in enumerate(row)
                ]
                writer.write(dict(zip(names, cells, strict=True)))
            writer.finalize()
        saved = datasets.Dataset(
            datasets.table.MemoryMappedTable.from_file(str(table)),
            info=datasets.DatasetInfo(features=features),
            fingerprint=digest.hexdigest()[:16],
        )
        out = Path(place) / "saved"
        saved.save_to_disk(str(out), num_shards=1)
        for name in WRITTEN:
            (out / name).replace(folder / name)


def _bytes_of(root: Path, path: str) -> dict[str, object]:
    """A picture as `datasets.Image` holds it."""
    try:
        return {"bytes": (root / path).read_bytes(), "path": path}
    except OSError as error:
        raise FacesError(f"{root}: {path!r} cannot be read: {error.strerror}") from None


def _load(datasets: Any, source: Path) -> Mapping[str, Any]:
    """Data sets of the splits in a folder."""
    if any((source / name).is_file() for name in SAVED):
        _refuse_damaged(source)
    if (source / SAVED[1]).is_file():
        return dict(datasets.load_from_disk(str(source)))
    if (source / SAVED[0]).is_file():
        return {"train": datasets.load_from_disk(str(source))}
    # By the builder's name, so that no README is followed and nothing is looked up; streamed, so
    # that no cache is written but locks.
    with tempfile.TemporaryDirectory() as cache:
        return dict(
            datasets.load_dataset(
                "imagefolder", data_dir=str(source.resolve()), streaming=True, cache_dir=cache
            )
        )


def _refuse_damaged(source: Path) -> None:
    """Raise ValueError for a file of Arrow whose columns do not hang together.

    `datasets` maps them into memory and believes them: offsets that lead beyond would end Python.
    """
    import pyarrow

    for file in sorted(source.rglob("*.arrow")):
        with pyarrow.memory_map(str(file)) as stream:
            try:
                with pyarrow.ipc.open_stream(stream) as batches:
                    for batch in batches:
                        batch.validate(full=True)
            except (pyarrow.ArrowException, OSError) as error:
                raise ValueError(f"{file.name} is damaged: {error}") from None


@contextmanager
def _quiet(datasets: Any) -> Iterator[None]:
    """Keep the library from drawing progress bars and from telling its servers of the use."""
    hidden, counting = datasets.utils.are_progress_bars_disabled(), "HF_UPDATE_DOWNLOAD_COUNTS"
    counted = getattr(datasets.config, counting, None)
    datasets.disable_progress_bars()
    setattr(datasets.config, counting, False)
    try:
        yield
    finally:
        setattr(datasets.config, counting, counted)
        if not hidden:
            datasets.enable_progress_bars()


def _column(datasets: Any, feature: Any) -> Column:
    if isinstance(feature, datasets.Image):
        return Column("image")
    if isinstance(feature, datasets.ClassLabel):
        return Column("class", tuple(feature.names or ()))
    return column_of(str(getattr(feature, "dtype", "")))


def _datasets() -> Any:
    try:
        import datasets
    except ImportError:
        raise SourceError(
            "Hugging Face data sets need datasets: pip install 'lookalikes[huggingface]'"
        ) from None
    return datasets
