"""Paths of the pictures of a dataset: in Danbooru's buckets, in a flat folder, or as given."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from pairsets.errors import SourceError
from pairsets.images import ImageError
from pairsets.paths import why_unsafe
from pairsets.sources.dataset import PictureId

# In the order in which they are looked for.
_SUFFIXES: tuple[str, ...] = (
    *(".jpg", ".png", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif"),
    *(".jfif", ".jpe", ".jif", ".jfi"),
)
SMALL = "512px"


class NotFoundError(ImageError):
    """Error of a picture that is not where it could be."""


@dataclass(frozen=True)
class PicturePaths:
    """A folder of pictures. It may hold millions of them: it is never listed.

    Attributes:
        root: the folder, or the `512px/` in it, since that is what boxes are of.
    """

    root: Path

    def __post_init__(self) -> None:
        if not self.root.is_dir():
            what = "a file; expected the" if self.root.exists() else "no such"
            raise SourceError(f"{self.root}: {what} folder of pictures")
        if (self.root / SMALL).is_dir():
            object.__setattr__(self, "root", self.root / SMALL)

    def find(self, picture: PictureId) -> Path:
        """The file of a picture.

        A number is looked for as `%04d/ID.jpg` (ID modulo 1000), then as `ID.jpg`, then with the
        endings of other formats. Text is a path relative to the folder.

        Raises:
            NotFoundError: no such file, or a path that leaves the folder.
        """
        if isinstance(picture, str):
            return self._at(picture)
        stems = (f"{self.root}/{picture % 1000:04d}/{picture}", f"{self.root}/{picture}")
        for suffix in _SUFFIXES:
            for stem in stems:
                if _is_file(f"{stem}{suffix}"):
                    return Path(f"{stem}{suffix}")
        raise NotFoundError(
            f"no such picture; looked for {picture % 1000:04d}/{picture}.jpg, {picture}.jpg and "
            "other formats"
        )

    def named(self, stem: str) -> list[str]:
        """The paths of the pictures that are called `stem` but for their ending."""
        if why_unsafe(stem):
            return []
        return [f"{stem}{end}" for end in _SUFFIXES if _is_file(f"{self.root}/{stem}{end}")]

    def _at(self, path: str) -> Path:
        leaving = why_unsafe(path)
        if leaving:
            raise NotFoundError(f"its path {leaving}")
        file = self.root / path
        if not _is_file(file):
            raise NotFoundError("no such picture")
        if not file.resolve().is_relative_to(self.root.resolve()):
            raise NotFoundError("a link that leaves the folder of pictures")
        return file


def _is_file(file: str | Path) -> bool:
    # Not `Path.is_file`, five times as slow, which raises for a name that is too long.
    return os.path.isfile(file)  # noqa: PTH113
