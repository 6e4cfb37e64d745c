"""Boxes of faces that a selection reads, and which of them count."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pairsets.errors import SourceError
from pairsets.funnel import FunnelRow
from pairsets.progress import Progress
from pairsets.sources.danbooru.single_faces import Boxed
from pairsets.sources.danbooru.sizes import Limits, sizes_for
from pairsets.sources.face_boxes import FaceBoxes, read_annotations
from pairsets.sources.folders.picture_paths import PicturePaths as PictureFolder

# The least shorter side of a box in ZACI-20's test set: nothing it has is left out. What is
# smaller would be blown up elevenfold to 224 pixels.
MIN_SIZE = 20
# Bytes of boxes that take longer to read than a process to start.
LARGE = 8 * 2**20


@dataclass(frozen=True)
class FaceLimits:
    """Limits of the faces that count.

    Attributes:
        min_score, min_size: see `pairsets.sources.danbooru.single_faces.Boxed.of`.
        picture_size: width and height of pictures whose size nobody says; by default 512 for
            posts, the small pictures of Danbooru, and unknown for others.

    Raises:
        SourceError: a number with which nothing can be selected.
    """

    min_score: float | None = None
    min_size: int = MIN_SIZE
    picture_size: int | None = None

    def __post_init__(self) -> None:
        if self.picture_size is not None:
            refuse_below(1, picture_size=self.picture_size)
        refuse_below(0, min_size=self.min_size)
        score = self.min_score
        if score is not None and not (isinstance(score, float | int) and isfinite(score)):
            raise SourceError(f"min score {score}; expected a number")


def refuse_below(lowest: int, **given: object) -> None:
    """Raise SourceError unless each is a whole number of at least so much."""
    for name, value in given.items():
        if not isinstance(value, int) or value < lowest:
            raise SourceError(f"{name.replace('_', ' ')} {value}; expected {lowest} or more")


@dataclass(frozen=True, eq=False)
class JudgedFaces:
    """Boxes that were read, what counts of them, and what was dropped and noticed on the way."""

    found: FaceBoxes
    boxed: Boxed
    each: NDArray[np.int64] | None
    funnel: list[FunnelRow]
    warnings: list[str]


@dataclass(frozen=True)
class FacesSource:
    """Source of boxes, and how they are read: the arguments of `select_faces`.

    Attributes:
        named: whether boxes are taken by their own names, where they have some.
    """

    faces: Path
    tag_ids: Path | None
    place: PictureFolder | None
    limits: FaceLimits
    named: bool

    @property
    def is_large(self) -> bool:
        """Whether the boxes take longer to read than a process to start, and nothing else."""
        return self.place is None and self.faces.is_file() and self.faces.stat().st_size >= LARGE

    @property
    def sized(self) -> bool:
        """Whether the size of all pictures is given."""
        return self.limits.picture_size is not None

    def read(self, progress: Progress) -> JudgedFaces:
        """Read the boxes."""
        with progress("Reading the faces") as step:
            found = read_annotations(
                self.faces,
                tag_ids=self.tag_ids,
                pictures=self.place,
                sized=self.sized,
                progress=step,
            )
        return self.judged(found, progress)

    def judged(self, found: FaceBoxes, progress: Progress) -> JudgedFaces:
        """The boxes that count, of those that were read."""
        limits = self.limits
        with progress("Looking at the pictures") as step:
            sizes, looked, warnings = sizes_for(
                found, self.faces, limits.picture_size, self.place, step
            )
        funnel = [FunnelRow("annotations", what, n) for what, n in sorted(found.skipped.items())]
        funnel += [FunnelRow("annotations", what, n) for what, n in looked.items() if n]
        of: Limits = {
            "min_score": limits.min_score, "min_size": limits.min_size, "picture_size": sizes
        }  # fmt: skip
        boxed, each = Boxed.of(found, **of), None
        if found.names is not None and self.named:
            boxed, each = Boxed.each(found, **of)
        if limits.min_score is not None:
            what = f"faces that score below {limits.min_score}"
            funnel.append(FunnelRow("annotations", what, boxed.weak))
        if boxed.unscored:
            told = f"{boxed.unscored:,} faces have no score: the least score spares them."
            warnings.append(told)
        return JudgedFaces(found, boxed, each, funnel, warnings)
