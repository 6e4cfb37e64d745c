"""Packs of a pair set for other evaluators: its faces named as LFW's are, and pairs of those names.

Face N of an identity is `Name/Name_0001.jpg`: the faces of the pairs alone, numbered from 1 without
a gap in the order of their paths, so that readers that go by the number and those that take the
N-th file of a folder find the same. A name has no blanks, at which many a reader cuts.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from PIL import Image

from pairsets.errors import SourceError
from pairsets.images import MAX_PIXELS, ImageError, decode, open_header, orientation_of
from pairsets.pairset import PairSet
from pairsets.paths import is_image
from pairsets.sources.folders.pack_lists import Layout, Size, in_list_order, refuse_unlisted
from pairsets.sources.folders.safe_names import LONGEST, SafeNames, safe_names
from pairsets.sources.formats import Pairs
from pairsets.sources.formats.collection import held_by

ENDING = ".jpg"
_KEEPS = frozenset({"label", "folds", "identities"})
# Four digits: with more, the names of a folder would not stand in the order of their numbers.
MOST, _NUMBERED = 9999, len(f"_0000{ENDING}")
_PLAIN_MODES = frozenset({"RGB", "L"})


@dataclass(frozen=True, eq=False)
class PackPlan:
    """Plan of a pack: what each face is called in it, and the pairs as they are listed.

    Attributes:
        content: the pairs by the names of the pack, whose folders are the identities; with notes,
            and what was dropped.
        names: of the identities' folders.
        faces: path of each face by its path in the pack, in the pack's order.
    """

    content: Pairs
    names: SafeNames
    faces: Mapping[str, str]

    @classmethod
    def of(cls, content: Pairs, layout: Layout, taken: Iterable[str] = ()) -> PackPlan:
        """The plan for pairs; `taken` are names that no folder may have.

        Raises:
            SourceError: pairs or names that the layout cannot hold.

        >>> pairs = PairSet.of(["rei a/x.png"], ["rei a/b.png"], 1)
        >>> PackPlan.of(Pairs(pairs), "insightface").faces
        {'rei_a/rei_a_0001.jpg': 'rei a/b.png', 'rei_a/rei_a_0002.jpg': 'rei a/x.png'}
        """
        held = in_list_order(held_by(layout, _KEEPS, content), layout)
        refuse_unlisted(held, layout)
        pairs = held.pairs
        by_identity: dict[str, list[str]] = {}
        for face in pairs.paths:
            by_identity.setdefault(pairs.identity(face), []).append(face)
        names = safe_names(by_identity, taken=taken, longest=LONGEST - _NUMBERED, blanks=False)
        faces: dict[str, str] = {}
        for identity in sorted(by_identity, key=names.folder):
            folder, listed = names.folder(identity), by_identity[identity]
            if is_image(folder):
                raise SourceError(
                    f"the identity {identity!r} is called as an image is, and lists would take "
                    "it for one; rename it, with --identities for one"
                )
            if len(listed) > MOST:
                raise SourceError(
                    f"{len(listed):,} faces of {identity!r}; a pack has at most {MOST:,} of one, "
                    f"as in {folder}/{folder}_{MOST}{ENDING}"
                )
            for number, face in enumerate(listed, 1):
                faces[f"{folder}/{folder}_{number:04d}{ENDING}"] = face
        called = {face: path for path, face in faces.items()}
        renamed = PairSet.of(
            (called[face] for face in pairs.path_a),
            (called[face] for face in pairs.path_b),
            pairs.label,
        )
        return cls(replace(held, pairs=renamed), names, faces)


@dataclass(frozen=True)
class PackPicture:
    """Picture of a pack.

    Attributes:
        data: a JPEG file.
        size: its width and height.
        copied: whether these are the bytes of the face's own file.
        squeezed: whether its sides had other proportions.
    """

    data: bytes
    size: Size
    copied: bool
    squeezed: bool = False


def pack_picture(
    data: bytes, size: int | None, quality: int, *, path: str = "", max_pixels: int = MAX_PIXELS
) -> PackPicture:
    """The picture of a face as a JPEG file that every reader shows alike.

    An upright JPEG file in colours or grey stays as it is, byte for byte. Anything else is drawn
    upright on white and saved anew.

    Args:
        data: the whole file, of any of `pairsets.images.FORMATS`.
        size: side to resize to, squeezing what is not square; None leaves pictures as large as
            they are.
        quality: of a file that is made, 1 to 100; its colours are not thinned out.
        path: named in errors.
        max_pixels: width times height above which a picture is refused undecoded.

    Raises:
        ImageError: it cannot be used.
    """
    # Decoded even where it is only copied: one that is cut off would stop whoever reads the pack.
    face = decode(data, path=path or None, max_pixels=max_pixels)
    if size is None and _is_plain(data):
        return PackPicture(data, face.size, copied=True)
    squeezed = size is not None and face.width != face.height
    if size is not None and face.size != (size, size):
        face = face.resize((size, size), Image.Resampling.BICUBIC)
    file = io.BytesIO()
    face.save(file, "JPEG", quality=quality, subsampling=0)
    return PackPicture(file.getvalue(), face.size, copied=False, squeezed=squeezed)


def upright_size(data: bytes, *, path: str, max_pixels: int = MAX_PIXELS) -> Size:
    """Width and height of a picture as it is shown, by its header alone.

    Raises:
        ImageError: no picture, or one too large.
    """
    try:
        image = open_header(data, max_pixels)
        width, height = image.size
        return (height, width) if orientation_of(image) > 4 else (width, height)
    except ImageError as error:
        raise ImageError(error.cause, path) from None
    except Exception as error:  # Pillow's parsers meet hostile bytes with nearly any exception
        raise ImageError(f"is damaged: {error or type(error).__name__}", path) from error


def _is_plain(data: bytes) -> bool:
    """Whether a sound picture's file is a JPEG that readers agree on."""
    image = open_header(data)
    return image.format == "JPEG" and image.mode in _PLAIN_MODES and orientation_of(image) == 1
