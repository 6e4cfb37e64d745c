"""Pictures that lie as files in a remote folder, one object each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pairsets import images
from pairsets.picture_sources.base import (
    FactRows,
    FileFacts,
    checked,
    laid,
    refuse_large,
    row_of,
    rows_of_facts,
)
from pairsets.storage.mirrors import mirror_of
from pairsets.storage.remote_files import Facts, MissingError, RemoteFolder
from pairsets.text_column import TextColumn


@dataclass(frozen=True, eq=False)
class RemotePictures:
    """Pictures of a remote folder.

    Attributes:
        folder: that they lie in.
        paths: of the pictures, as they were listed.
        listed: `[N, 4]`, their facts: size, time, digest of the ETag, 0.
    """

    folder: RemoteFolder
    paths: TextColumn
    listed: FactRows

    @classmethod
    def of(cls, folder: RemoteFolder, files: Sequence[tuple[str, Facts]]) -> RemotePictures:
        """Pictures of a listing."""
        listed = np.array([[*facts, 0] for _, facts in files], np.int64).reshape(-1, 4)
        return cls(folder, TextColumn.of(path for path, _ in files), listed)

    @property
    def name(self) -> str:
        """Place of the pictures, for messages."""
        return self.folder.name

    def read(self, path: str) -> tuple[bytes, FileFacts]:
        """The bytes of a picture, and its facts; see `PictureSource`."""
        facts = self._facts(path)
        refuse_large(facts[0], path)
        try:
            data = self.folder.read(path)
        except MissingError:
            raise images.ImageError("no longer there", path) from None
        if len(data) != facts[0]:
            raise images.ImageError(
                f"cut short: {len(data):,} bytes came where {facts[0]:,} were listed", path
            )
        return checked(data, path), facts

    def facts(self, paths: Sequence[str]) -> FactRows:
        """`[N, 4]`: the facts of each picture; see `PictureSource`."""
        return rows_of_facts(self.listed, self.paths.find(paths))

    def take(self, paths: TextColumn) -> RemotePictures:
        """Source of these pictures alone."""
        return RemotePictures(self.folder, paths, self.facts(paths))

    def in_order(self, paths: TextColumn) -> TextColumn:
        """The paths as they are: each is read by itself."""
        return paths

    def locate(self, path: str) -> Path:
        """A file of this machine with the picture; see `PictureSource`."""
        place = mirror_of(self.folder.url) / path
        return laid(place, self._facts(path), lambda: self.read(path)[0])

    def _facts(self, path: str) -> FileFacts:
        size, time, tag, rest = self.listed[row_of(self.paths, path)].tolist()
        return size, time, tag, rest
