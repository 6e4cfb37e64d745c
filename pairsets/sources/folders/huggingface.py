"""Pictures that the library `datasets` reads from a local folder: image folders, saved data sets.

Nothing is downloaded, decoded or kept in a cache.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pairsets.errors import SourceError
from pairsets.sources.folders.image_table import (
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
