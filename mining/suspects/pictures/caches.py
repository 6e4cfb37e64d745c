"""Caches of pictures that are compared, each read once while there is room to keep it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from pathlib import Path
from threading import Lock
from typing import Generic, NamedTuple, TypeVar

import numpy as np

from mining.suspects.pictures.features import Bytes, Picture, picture_of, pixels_of
from pairsets import images
from pairsets.faces import is_folder, locator

# Pictures that may be asked for again: what is looked at of every pair, and of likely ones.
SPOTS_BYTES, PIXELS_BYTES = 384 * 2**20, 96 * 2**20

T = TypeVar("T")


class Known(NamedTuple):
    """A picture that was read, and its pixels that are compared as long as they are kept."""

    picture: Picture
    pixels: Bytes | None


def read_picture(file: Path, max_pixels: int) -> Known | str:
    """The picture in a file, or why it cannot be read."""
    try:
        return Known(
            *picture_of(images.decode(images.read(file), path=file, max_pixels=max_pixels))
        )
    except images.ImageError as error:
        return error.cause


class Recent(Generic[T]):
    """Cache of the items used last, up to so many bytes; for several threads."""

    def __init__(self, limit: int) -> None:
        self._limit, self._held = limit, 0
        self._items: OrderedDict[str, tuple[T, int]] = OrderedDict()
        self._lock = Lock()

    def get(self, name: str) -> T | None:
        """Item kept under a name, or None where it is kept no more."""
        with self._lock:
            if name not in self._items:
                return None
            self._items.move_to_end(name)
            return self._items[name][0]

    def keep(self, name: str, item: T, size: int) -> None:
        """Keep an item of so many bytes, and drop what was not used for longest."""
        with self._lock:
            self._held += size - self._items.pop(name, (item, 0))[1]
            self._items[name] = (item, size)
            while self._held > self._limit and len(self._items) > 1:
                _, (_, freed) = self._items.popitem(last=False)
                self._held -= freed


class PictureCache:
    """The pictures of the faces in a folder, each made once while there is room to keep it.

    Attributes:
        root, max_pixels: the folder, and the pixels above which an image is not read.
        unread: the paths asked for that could not be read, and why.
    """

    def __init__(
        self,
        root: Path,
        max_pixels: int,
        spots_bytes: int = SPOTS_BYTES,
        pixels_bytes: int = PIXELS_BYTES,
    ) -> None:
        self.root, self.max_pixels = root, max_pixels
        self._locate = locator(root)
        self._pictures: Recent[Picture] = Recent(spots_bytes)
        self._pixels: Recent[Bytes] = Recent(pixels_bytes)
        self.unread: dict[str, str] = {}

    @property
    def is_folder(self) -> bool:
        """Whether the faces are files of this machine, which any process can read."""
        return is_folder(self.root)

    def picture(self, path: str) -> Picture | None:
        """The picture of a face; None where the file cannot be read."""
        found = self._pictures.get(path)
        if found is not None or path in self.unread:
            return found
        made = read_picture(self._locate(path), self.max_pixels)
        if isinstance(made, str):
            self.unread[path] = made
            return None
        self.keep(path, made)
        return made.picture

    def pixels(self, path: str, picture: Picture) -> Bytes | None:
        """Pixels of a face that are compared, `[h, w, 3]`; None where the file cannot be read.

        Of a picture made before no more than its pixels is made again.
        """
        found = self._pixels.get(path)
        if found is not None or path in self.unread:
            return found
        file = self._locate(path)
        try:
            image = images.decode(images.read(file), path=file, max_pixels=self.max_pixels)
        except images.ImageError as error:
            self.unread[path] = error.cause
            return None
        # Written over since: where its padding ends is not known.
        if image.size != picture.size:
            return None
        pixels = pixels_of(np.asarray(image), picture.kept, picture.shape)
        self.keep(path, Known(picture, pixels))
        return pixels

    def locate(self, path: str) -> Path:
        """The file of a face."""
        return self._locate(path)

    def known(self, paths: Iterable[str]) -> dict[str, Known]:
        """Pictures of some paths, as far as they are kept."""
        found = {}
        for path in paths:
            picture = self._pictures.get(path)
            if picture is not None:
                found[path] = Known(picture, self._pixels.get(path))
        return found

    def keep(self, path: str, known: Known) -> None:
        """Take a picture of a face, and its pixels that are compared, which were made before."""
        picture, pixels = known
        # Some hundred bytes for the objects.
        size = 800 + picture.spots.nbytes + picture.scales.nbytes + picture.words.nbytes
        self._pictures.keep(path, picture, size)
        if pixels is not None:
            self._pixels.keep(path, pixels, 200 + pixels.nbytes)
