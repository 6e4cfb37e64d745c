"""The faces of a page, each embedded once however many pairs it is in."""

from __future__ import annotations

import io
from base64 import b64encode
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pairsets.faces import resolve
from pairsets.images import thumbnail
from pairsets.report.content import GalleryPair


@dataclass(frozen=True)
class FaceSheet:
    """A style sheet that holds the pictures, and which class shows which face.

    A class with a background image is shared by every element that names it, where `<img>` would
    repeat the picture; and it needs no script.
    """

    classes: dict[str, str]
    css: str


def face_sheet(
    root: Path, gallery: Iterable[GalleryPair], pixels: int, max_pixels: int
) -> FaceSheet:
    """Thumbnails of all faces of `gallery`, at most `pixels` on a side, as data URIs.

    Raises:
        FacesError: a face is missing, unreadable, over `max_pixels` or outside `root`.
    """
    paths = list(dict.fromkeys(path for pair in gallery for path in (pair.path_a, pair.path_b)))
    resolve(root, paths)
    classes = {path: f"f{at}" for at, path in enumerate(paths)}
    rules = []
    for path, name in classes.items():
        stream = io.BytesIO()
        thumbnail(root / path, pixels, max_pixels=max_pixels).save(
            stream, "WEBP", quality=82, method=4
        )
        picture = b64encode(stream.getvalue()).decode()
        rules.append(f".{name}{{background-image:url(data:image/webp;base64,{picture})}}\n")
    return FaceSheet(classes, "".join(rules))
