"""The faces of a page as small WebP pictures, each embedded once however many pairs it is in."""

from __future__ import annotations

import io
from base64 import b64encode
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from os import cpu_count
from pathlib import Path
from typing import TypeVar

from PIL.Image import Image

from pairsets.faces import resolve
from pairsets.images import MAX_PIXELS, ImageError, thumbnail
from pairsets.report.content import GalleryPair

# Longer side of a face. Few faces may be large, for the enlarged view; many keep the file small:
# about 6 kB, 3.5 kB and 2 kB each.
FEW_FACES, PIXELS_OF_FEW, PIXELS_OF_MANY = 300, 192, 128
VERY_MANY_FACES, PIXELS_OF_VERY_MANY = 4000, 96
DATA_URI = "data:image/webp;base64,"
A = TypeVar("A")
B = TypeVar("B")


@dataclass(frozen=True)
class FaceSheet:
    """A style sheet that holds the pictures, and which class shows which face.

    A class with a background image is shared by every element that names it, where `<img>` would
    repeat the picture; and it needs no script.
    """

    classes: dict[str, str]
    css: str


def face_sheet(
    root: Path, gallery: Iterable[GalleryPair], pixels: int, max_pixels: int, prefix: str = "f"
) -> FaceSheet:
    """Thumbnails of all faces of `gallery`, at most `pixels` on a side, as data URIs.

    Args:
        root: the folder of faces.
        gallery: the pairs to show.
        pixels: the longer side.
        max_pixels: width times height above which a face is refused undecoded.
        prefix: what the names of classes start with; two sheets on a page need two.

    Raises:
        FacesError: a face is missing, unreadable, over `max_pixels` or outside `root`.
    """
    paths = distinct_faces(gallery)
    return as_sheet(paths, encode_faces(root, paths, pixels, max_pixels), prefix)


def as_sheet(paths: Sequence[str], pictures: Sequence[str], prefix: str) -> FaceSheet:
    """Style sheet of these faces, whose pictures are already encoded."""
    classes = {path: f"{prefix}{at}" for at, path in enumerate(paths)}
    rules = [
        f".{name}{{background-image:url({DATA_URI}{picture})}}\n"
        for name, picture in zip(classes.values(), pictures, strict=True)
    ]
    return FaceSheet(classes, "".join(rules))


def distinct_faces(gallery: Iterable[GalleryPair]) -> list[str]:
    """The paths of all faces of `gallery`, each once, in order of appearance."""
    return list(dict.fromkeys(path for pair in gallery for path in (pair.path_a, pair.path_b)))


def pixels_for(faces: int) -> int:
    """Longer side, in pixels, of a thumbnail on a page of so many faces."""
    if faces <= FEW_FACES:
        return PIXELS_OF_FEW
    return PIXELS_OF_MANY if faces <= VERY_MANY_FACES else PIXELS_OF_VERY_MANY


def encode_faces(
    root: Path, paths: Sequence[str], pixels: int, max_pixels: int = MAX_PIXELS
) -> list[str]:
    """Each face as WebP in base64, at most `pixels` on its longer side.

    Raises:
        FacesError: a face is missing, unreadable, over `max_pixels` or outside `root`; of several,
            the first in `paths`.
    """
    faces = resolve(root, paths)
    return _in_threads(lambda path: _encode(faces.locate(path), pixels, max_pixels), paths)


def encode_larger(
    root: Path, paths: Sequence[str], pixels: int, than: int, max_pixels: int = MAX_PIXELS
) -> dict[str, str]:
    """Faces as `encode_faces` encodes them, of those alone that are larger than `than` pixels.

    Raises:
        FacesError: see `encode_faces`.
    """
    faces = resolve(root, paths)

    def encode(path: str) -> str:
        picture = thumbnail(faces.locate(path), pixels, max_pixels=max_pixels)
        return _encoded(picture) if max(picture.size) > than else ""

    found = zip(paths, _in_threads(encode, paths), strict=True)
    return {path: picture for path, picture in found if picture}


def encode_readable(
    files: Sequence[Path], pixels: int, max_pixels: int = MAX_PIXELS
) -> list[str | None]:
    """Each picture as WebP in base64, at most `pixels` on its longer side; None: not readable."""

    def encode(file: Path) -> str | None:
        try:
            return _encode(file, pixels, max_pixels)
        except ImageError:
            return None

    return _in_threads(encode, files)


def _encode(file: Path, pixels: int, max_pixels: int) -> str:
    return _encoded(thumbnail(file, pixels, max_pixels=max_pixels))


def _encoded(picture: Image) -> str:
    stream = io.BytesIO()
    picture.save(stream, "WEBP", quality=82, method=4)
    return b64encode(stream.getvalue()).decode()


def _in_threads(work: Callable[[A], B], items: Sequence[A]) -> list[B]:
    """Results in order: Pillow decodes, scales and encodes without the lock of the interpreter."""
    pool = ThreadPoolExecutor(max_workers=cpu_count() or 1)
    try:
        return list(pool.map(work, items))
    finally:
        pool.shutdown(cancel_futures=True)
