"""Pairs that show one picture twice: copied, mirrored, cut, squeezed, turned, in other colours.

A copy scores high with any model, and says nothing of it. Whether two files show one picture is
found by laying one over the other (`alignment`) and looking at the spot where they agree least
(`overlay`), so that a redraw, a twin or another expression is none. Two files of equal pixels are
one picture whatever they show.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mining.suspects.pictures.comparison import Comparisons, PictureCheck
from mining.suspects.pictures.judge import SURE
from pairsets.files.suspects import Doubt
from pairsets.images import MAX_PIXELS
from pairsets.pairset import PairSet
from pairsets.progress import Step, unheard

# Agreement at the worst spot from which two files show one picture. Drawn pairs of different
# identities, and of one in other expressions, reach 0.4 (but for two, drawn in other colours
# alone), a new earring on a drawing that is otherwise equal nearly 0.6; of planted copies 98 in 100
# have more (benchmarks/suspect_pictures.py; set on the half it does not report).
THRESHOLD = SURE


class DuplicatePictures(PictureCheck):
    """Flags pairs whose two files show the same picture, and says how they differ.

    Not found are copies that are turned by more than some 12 degrees, written over, or much
    blurred. Pictures are kept from call to call, in at most 0.5 GB of memory.

    Args:
        root: the folder that paths of pairs are relative to.
        threshold: agreement at the worst spot, 0 to 1, from which a pair is flagged.
        max_pixels: larger images are not read.
        threads: how many; as many as there are cores by default.
        comparisons: of pictures below `root`, where other checks look at the same ones.

    Raises:
        SuspectError: OpenCV is not installed.
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
        comparisons: Comparisons | None = None,
    ) -> None:
        if not 0 < threshold <= 1:
            raise ValueError(f"a threshold of {threshold}; expected above 0 and at most 1")
        super().__init__(root, max_pixels=max_pixels, threads=threads, comparisons=comparisons)
        self.threshold = threshold

    def __call__(self, pairs: PairSet, progress: Step = unheard) -> Doubt:
        """Score of each pair: how well its files agree at the worst spot, 1 if they are equal.

        nan if one cannot be read.
        """
        found = self.comparisons.of(pairs.keys, progress)
        score = np.array([one.score for one in found], np.float64)
        flagged = score >= self.threshold
        reasons = [
            f"the same picture, {one.why}" if flag else ""
            for one, flag in zip(found, flagged.tolist(), strict=True)
        ]
        return Doubt(self.kind, score, flagged, tuple(reasons))
