"""Pairs that show one picture twice: copied, mirrored, cut, squeezed, in other colours.

A copy scores high with any model, and says nothing of it. Whether two files show one picture is
found by laying one over the other (`alignment`) and looking at the spot where they agree least
(`overlay`), so that a redraw, a twin or another expression is none. Two files of equal pixels are
one picture whatever they show.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mining.parallel import in_chunks
from mining.suspects.pictures.alignment import Way, ways
from mining.suspects.pictures.features import Bytes, Picture, PictureCache, needed
from mining.suspects.pictures.single_thread import opencv_alone
from pairsets.files.suspects import Doubt
from pairsets.images import MAX_PIXELS
from pairsets.pairset import PairKey, PairSet
from pairsets.progress import Step, unheard

if TYPE_CHECKING:
    from mining.suspects.pictures.overlay import Overlay

# Agreement at the worst spot from which two files show one picture. Drawn pairs of different
# identities, and of one in other expressions, reach 0.4 (but for two, drawn in other colours
# alone), a new earring on a drawing that is otherwise equal nearly 0.6; of planted copies 96 to 97
# in 100 have more (benchmarks/suspect_pictures.py; set on the half it does not report).
THRESHOLD = 0.6
# Pairs that a thread takes at a time.
_CHUNK = 32
# What is said of a copy: from which change of scale and of squeeze, share shown and mean difference
# of colours (levels) on.
_SCALED, _SQUEEZED, _CUT, _COLOURED = 0.04, 0.06, 0.9, 8.0
# Degrees from which a copy is said to be turned, and of its change of colours what must be to one
# side so that it is brighter or darker.
_TURNED, _BRIGHTER = 1.0, 0.9


class DuplicatePictures:
    """Flags pairs whose two files show the same picture, and says how they differ.

    Not found are copies that are turned by more than some 2 degrees, written over, or much blurred.
    Pictures are kept from call to call, in at most 0.5 GB of memory.

    Args:
        root: the folder that paths of pairs are relative to.
        threshold: agreement at the worst spot, 0 to 1, from which a pair is flagged.
        max_pixels: larger images are not read.
        threads: how many; as many as there are cores by default.

    Raises:
        SuspectError: OpenCV or ImageHash is not installed.
        ValueError: a threshold outside 0 to 1.
    """

    kind = "duplicate"

    def __init__(
        self,
        root: Path,
        *,
        threshold: float = THRESHOLD,
        max_pixels: int = MAX_PIXELS,
        threads: int | None = None,
    ) -> None:
        if not 0 < threshold <= 1:
            raise ValueError(f"a threshold of {threshold}; expected above 0 and at most 1")
        needed("duplicate pictures", "cv2", "imagehash")
        self.threshold = threshold
        self._pictures = PictureCache(root, max_pixels)
        self._threads = threads

    @property
    def unread(self) -> Mapping[str, str]:
        """The faces of all pairs so far that could not be read, and why: their scores are nan."""
        return dict(sorted(self._pictures.unread.items()))

    def keep(self, path: str, picture: Picture, pixels: Bytes) -> None:
        """Take what `picture_of` made of a face already, as long as there is room for it."""
        self._pictures.keep(path, picture, pixels)

    def __call__(self, pairs: PairSet, progress: Step = unheard) -> Doubt:
        """Score of each pair: how well its files agree at the worst spot, 1 if they are equal.

        nan if one cannot be read.
        """
        keys = pairs.keys
        # Neighbours share faces.
        order = sorted(range(len(keys)), key=keys.__getitem__)
        score = np.full(len(keys), np.nan)
        reasons = [""] * len(keys)
        done = 0
        with opencv_alone():
            for rows, found in in_chunks(
                lambda row: self._judge(keys[row]), order, self._threads, chunk=_CHUNK
            ):
                for row, (value, reason) in zip(rows, found, strict=True):
                    score[row], reasons[row] = value, reason
                done += len(rows)
                progress(done, len(keys))
        return Doubt(self.kind, score, score >= self.threshold, tuple(reasons))

    def _judge(self, key: PairKey) -> tuple[float, str]:
        """Score and reason of two faces."""
        # Needs OpenCV, of which it was asked before whether it is there.
        from mining.suspects.pictures.overlay import laid_over

        a, b = map(self._pictures.picture, key)
        if a is None or b is None:
            return np.nan, ""
        # Of one colour, too: a blank file twice is one picture twice.
        if a.digest == b.digest:
            return 1.0, "the same picture, pixel by pixel"
        best: tuple[float, str] = 0.0, ""
        for way in ways(a, b):
            pixels_a, pixels_b = map(self._pictures.pixels, key, (a, b))
            if pixels_a is None or pixels_b is None:  # gone since
                return np.nan, ""
            overlay = laid_over(a, b, pixels_a, pixels_b, way)
            if overlay is not None and overlay.score > best[0]:
                best = overlay.score, _reason(a, b, way, overlay)
            if best[0] >= THRESHOLD:
                break
        return best if best[0] >= self.threshold else (best[0], "")


def _reason(a: Picture, b: Picture, way: Way, overlay: Overlay) -> str:
    """Differences of two pictures of the same content, in words."""
    how = []
    if way.mirrored:
        how.append("mirrored")
    size = min(overlay.scale, 1 / overlay.scale)
    if size < 1 - _SCALED:
        how.append(f"at {size:.2f} of the size")
    if max(overlay.squeeze, 1 / overlay.squeeze) > 1 + _SQUEEZED:
        how.append("squeezed")
    if abs(overlay.turn) >= _TURNED:
        how.append(f"turned by {_degrees(overlay.turn)}")
    if min(overlay.shares) < _CUT:
        how.append(f"cropped ({min(overlay.shares):.0%} of one in the other)")
    if a.is_padded != b.is_padded:
        how.append("padded")
    if overlay.greys[0] != overlay.greys[1]:
        how.append("without colours")
    elif overlay.colours > _COLOURED:
        how.append(_recoloured(overlay))
    return ", ".join(["the same picture", *(how or ["re-compressed"])])


def _degrees(turn: float) -> str:
    whole = round(abs(turn))
    return "1 degree" if whole == 1 else f"{whole} degrees"


def _recoloured(overlay: Overlay) -> str:
    """In which way colours differ: all to one side, or any."""
    if abs(overlay.brighter) < _BRIGHTER * overlay.colours:
        return "re-coloured"
    return "brighter" if overlay.brighter > 0 else "darker"
