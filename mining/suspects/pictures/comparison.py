"""Pairs of pictures compared once for all checks that look at them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mining.parallel import in_chunks
from mining.suspects.pictures.alignment import ways
from mining.suspects.pictures.features import Bytes, Picture, PictureCache, Recent, needed
from mining.suspects.pictures.single_thread import opencv_alone
from mining.suspects.pictures.words import told
from pairsets.images import MAX_PIXELS
from pairsets.pairset import PairKey
from pairsets.progress import Step, unheard

# Score from which no further way to lie is looked for: the two are one picture.
SURE = 0.62
# Of the picture that shows less, what the other must show too, so that they may be one.
LEAST_SHOWN = 0.25
# Pairs that a thread takes at a time.
_CHUNK = 32
# Memory for what was found of pairs, some 200 bytes each.
_FOUND_BYTES, _FOUND = 64 * 2**20, 300


@dataclass(frozen=True)
class Comparison:
    """Comparison of two pictures that are laid over each other as well as they can be.

    Attributes:
        score: agreement at the worst spot, 0 to 1, of what shows a good part of the one; nan where
            a picture cannot be read.
        agreement: share of textured places that agree, of the way that has most.
        shared: of the picture that shows less, what the other shows too, in that way.
        common: score of a part however small.
        why: how the two differ, in words.
    """

    score: float = 0.0
    agreement: float = 0.0
    shared: float = 0.0
    common: float = 0.0
    why: str = ""


# A comparison of what cannot be read.
UNREAD = Comparison(np.nan)


class Comparisons:
    """Pictures below a folder, each read once, and pairs of them, each compared once.

    As far as there is memory: some 0.5 GB.

    Args:
        root: the folder that paths of pairs are relative to.
        max_pixels: larger images are not read.
        threads: how many; as many as there are cores by default.
        spots_bytes: memory for what is known of pictures; some by default.
        copies_only: pairs that cannot be copies are not compared further: their scores stay, their
            agreement is 0.

    Raises:
        SuspectError: OpenCV is not installed.
    """

    def __init__(
        self,
        root: Path,
        *,
        max_pixels: int = MAX_PIXELS,
        threads: int | None = None,
        spots_bytes: int | None = None,
        copies_only: bool = False,
    ) -> None:
        needed("pictures that are compared", "cv2")
        room = {} if spots_bytes is None else {"spots_bytes": spots_bytes}
        self.pictures = PictureCache(root, max_pixels, **room)
        self._threads, self._copies_only = threads, copies_only
        self._found: Recent[Comparison] = Recent(_FOUND_BYTES)

    @property
    def unread(self) -> Mapping[str, str]:
        """The faces of all pairs so far that could not be read, and why."""
        return dict(sorted(self.pictures.unread.items()))

    def keep(self, path: str, picture: Picture, pixels: Bytes) -> None:
        """Take what `picture_of` made of a face already, as long as there is room for it."""
        self.pictures.keep(path, picture, pixels)

    def of(self, keys: Sequence[PairKey], progress: Step = unheard) -> list[Comparison]:
        """Comparison of each pair."""
        found = [UNREAD] * len(keys)
        # Neighbours share faces.
        order = sorted(range(len(keys)), key=keys.__getitem__)
        done = 0
        with opencv_alone():
            for rows, compared in in_chunks(
                lambda row: self._compared(keys[row]), order, self._threads, chunk=_CHUNK
            ):
                for row, one in zip(rows, compared, strict=True):
                    found[row] = one
                done += len(rows)
                progress(done, len(keys))
        return found

    def _compared(self, key: PairKey) -> Comparison:
        name = "\0".join(key)
        found = self._found.get(name)
        if found is None:
            found = self._compare(key)
            self._found.keep(name, found, _FOUND + len(name) + len(found.why))
        return found

    def _compare(self, key: PairKey) -> Comparison:
        # Needs OpenCV, of which it was asked before whether it is there.
        from mining.suspects.pictures.overlay import laid_over

        a, b = map(self.pictures.picture, key)
        if a is None or b is None:
            return UNREAD
        # Of one colour, too: a blank file twice is one picture twice.
        if a.digest == b.digest:
            return Comparison(1.0, 1.0, 1.0, 1.0, "pixel by pixel")
        best = Comparison()
        for way in ways(a, b):
            pixels_a, pixels_b = map(self.pictures.pixels, key, (a, b))
            if pixels_a is None or pixels_b is None:  # gone since
                return UNREAD
            overlay = laid_over(a, b, pixels_a, pixels_b, way, copies_only=self._copies_only)
            if overlay is None:
                continue
            shared = max(overlay.shares)
            score = overlay.score if overlay.is_alike and shared >= LEAST_SHOWN else 0.0
            if (score, overlay.agreement) > (best.score, best.agreement):
                why = told(a, b, way, overlay)
                best = Comparison(score, overlay.agreement, shared, overlay.score, why)
            if score >= SURE:
                break
        return best


class PictureCheck:
    """Foundation of checks that look at comparisons of pictures.

    Args:
        root: the folder that paths of pairs are relative to.
        max_pixels: larger images are not read.
        threads: how many; as many as there are cores by default.
        comparisons: of pictures below `root`, where other checks look at the same ones.

    Raises:
        SuspectError: OpenCV is not installed.
    """

    def __init__(
        self,
        root: Path,
        *,
        max_pixels: int = MAX_PIXELS,
        threads: int | None = None,
        comparisons: Comparisons | None = None,
    ) -> None:
        self._root = root
        self.comparisons = comparisons or Comparisons(root, max_pixels=max_pixels, threads=threads)

    @property
    def unread(self) -> Mapping[str, str]:
        """The faces of all pairs so far that could not be read, and why."""
        return self.comparisons.unread
