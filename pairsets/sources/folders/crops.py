"""Faces cut out of pictures, as ZACI-20's own script does it.

`Image.open(picture).crop(bbox).resize((224, 224)).save("<identity>/<id>.jpg")`: in the mode that
the picture has, not turned by EXIF, black where a box leaves the picture. With the same Pillow the
files are the same byte for byte, as long as none of the options is used.
"""

from __future__ import annotations

import io
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from pairsets.errors import SourceError
from pairsets.images import MAX_PIXELS, ImageError, open_header, to_rgb
from pairsets.paths import IMAGE_SUFFIXES
from pairsets.sources.dataset import Dataset, PictureId
from pairsets.sources.folders.safe_names import LONGEST, SafeNames, safe_names, spelling

SUFFIX = ".jpg"
# Modes that a JPEG can have as they are; all others become RGB, on white.
_JPEG_MODES = frozenset({"1", "L", "RGB", "RGBX", "CMYK", "YCbCr"})
# Pillow warns of crops above this; a box that large is a mistake in any case.
_LARGEST_BOX = 80_000_000
Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class CropSettings:
    """Settings by which a face is cut out and saved.

    Attributes:
        size: side of the square crop in pixels; the box is squeezed to it.
        pad: share of the box's sides that is added on each of its sides.
        square: whether the shorter side is first made as long as the longer one.
        quality: of the JPEG, 1 to 100.

    Raises:
        SourceError: a value outside its range.
    """

    size: int = 224
    pad: float = 0.0
    square: bool = False
    quality: int = 75

    def __post_init__(self) -> None:
        if not 1 <= self.size <= 4096:
            raise SourceError(f"a size of {self.size} pixels; expected 1 to 4096")
        if not (math.isfinite(self.pad) and 0 <= self.pad <= 4):
            raise SourceError(f"a pad of {self.pad}; expected 0 to 4 times the box's sides")
        if not 1 <= self.quality <= 100:
            raise SourceError(f"a JPEG quality of {self.quality}; expected 1 to 100")

    def box(self, bbox: Box) -> Box:
        """Box to cut out for a face's box; it may leave the picture.

        >>> CropSettings(pad=0.25, square=True).box((10, 10, 18, 14))
        (8, 6, 20, 18)
        """
        left, top, right, bottom = bbox
        across, down = round(self.pad * (right - left)), round(self.pad * (bottom - top))
        left, top, right, bottom = left - across, top - down, right + across, bottom + down
        if self.square:
            width, height = right - left, bottom - top
            side = max(width, height)
            left, top = left - (side - width) // 2, top - (side - height) // 2
            right, bottom = left + side, top + side
        return left, top, right, bottom


@dataclass(frozen=True)
class Crop:
    """Face that was cut out, as it is saved.

    Attributes:
        data: a JPEG file.
        black: whether the box lies outside the picture, so that nothing is on it.
    """

    data: bytes
    black: bool


def crop_face(
    data: bytes, bbox: Box, settings: CropSettings, *, max_pixels: int = MAX_PIXELS
) -> Crop:
    """Cut a face out of a picture.

    Args:
        data: the picture's whole file, of any of `pairsets.images.FORMATS`.
        bbox: left, top, right, bottom in pixels of the picture as it is stored.
        settings: what to cut and how to save it.
        max_pixels: width times height above which a picture is refused undecoded.

    Raises:
        ImageError: a picture too large, damaged, or of another format; a box too large.
    """
    # Pillow meets hostile bytes with nearly any exception.
    try:
        image = open_header(data, max_pixels)
        width, height = image.size
        left, top, right, bottom = box = settings.box(bbox)
        if (right - left) * (bottom - top) > min(_LARGEST_BOX, max_pixels):
            raise ImageError(
                f"a box of {right - left} x {bottom - top} pixels, in a picture of {width} x "
                f"{height}, is more than the limit of {min(_LARGEST_BOX, max_pixels):,} pixels"
            )
        whole = image
        if image.mode not in _JPEG_MODES:
            image.load()
            whole = to_rgb(image)  # type: ignore[assignment]
        face = whole.crop(box).resize((settings.size, settings.size))
        file = io.BytesIO()
        face.save(file, "JPEG", quality=settings.quality)
    except ImageError:
        raise
    except Exception as error:
        raise ImageError(f"is damaged or cut off: {error or type(error).__name__}") from error
    black = left >= width or top >= height or right <= 0 or bottom <= 0
    return Crop(file.getvalue(), black)


@dataclass(frozen=True, eq=False)
class CropPlan:
    """Plan of the files that the faces of a dataset become.

    Attributes:
        dataset: the faces.
        names: of the identities' folders.
    """

    dataset: Dataset
    names: SafeNames

    @classmethod
    def of(cls, dataset: Dataset, taken: Sequence[str] = ()) -> CropPlan:
        """The plan for all faces; `taken` are names that no folder may have."""
        return cls(dataset, safe_names(dataset.characters, taken=taken))

    def paths(self) -> Iterator[str]:
        """`<folder>/<file>` of each face, in the dataset's order; all differ.

        >>> found = Dataset.of({"saber/alter": [(7, (0, 0, 9, 9)), ("a/b.png", (0, 0, 9, 9))]})
        >>> list(CropPlan.of(found).paths())
        ['saber__alter/7.jpg', 'saber__alter/a__b.jpg']
        """
        for identity, rows in self.dataset.rows():
            folder = self.names.folder(identity)
            for name in file_names(self.dataset.ids[rows].tolist()):
                yield f"{folder}/{name}{SUFFIX}"


def file_names(ids: Sequence[PictureId]) -> list[str]:
    """Distinct names of files, without their ending, for the pictures of an identity.

    A number is its own name. A path loses its image ending if no other then has its name. Where a
    picture comes again, as one with several faces does, the second is called `NAME_2`.

    >>> file_names([7, "a/b.png", 7])
    ['7', 'a__b', '7_2']
    """
    distinct = list(dict.fromkeys(ids))
    named = dict(zip(distinct, _distinct_names(distinct), strict=True))
    if len(distinct) == len(ids):
        return list(named.values())
    used = {spelling(name) for name in named.values()}
    times: Counter[PictureId] = Counter()
    names = []
    for picture in ids:
        times[picture] += 1
        name = named[picture]
        if times[picture] > 1:
            name = f"{name}_{times[picture]}"
            if spelling(name) in used or len(f"{name}{SUFFIX}".encode()) > LONGEST:
                safe = safe_names([name], taken=used, longest=LONGEST - len(SUFFIX))
                name = safe.folder(name)
            used.add(spelling(name))
        names.append(name)
    return names


def _distinct_names(ids: Sequence[PictureId]) -> list[str]:
    numbers = {str(picture) for picture in ids if isinstance(picture, int)}
    texts = [picture for picture in ids if isinstance(picture, str)]
    if not texts:
        return [str(picture) for picture in ids]
    stems = {path: _stem(path) for path in texts}
    times, whole = Counter(stems.values()), set(texts)
    wanted = {
        path: stem if times[stem] == 1 and (stem == path or stem not in whole) else path
        for path, stem in stems.items()
    }
    safe = safe_names(wanted.values(), taken=numbers, longest=LONGEST - len(SUFFIX))
    return [
        safe.folder(wanted[picture]) if isinstance(picture, str) else str(picture)
        for picture in ids
    ]


def _stem(path: str) -> str:
    pure = PurePosixPath(path)
    return path[: -len(pure.suffix)] if pure.suffix.lower() in IMAGE_SUFFIXES else path
