"""Session of a review: all that its server needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pairsets.arrays import Scores
from pairsets.images import MAX_PIXELS
from pairsets.review.judgement.assignment import Assignment
from pairsets.review.store.store import Store
from pairsets.review.store.verdicts import ReviewError, plain_name


@dataclass(frozen=True, eq=False)
class Review:
    """Review as it is served.

    Attributes:
        store, board: of the review.
        faces: the folder that the pair set's paths are relative to.
        name: of the pair set, as people know it.
        scores: `[N]` by model, nan where there is none; shown after judging.
        annotator: who judges where the page does not say; None asks there.
        max_pixels: width times height above which a picture is not opened.
        tell: is told what is worth knowing where the review was begun.

    Raises:
        ReviewError: no such folder, scores of other pairs, or no name.
    """

    store: Store
    board: Assignment
    faces: Path
    name: str
    scores: Mapping[str, Scores] = field(default_factory=dict)
    annotator: str | None = None
    max_pixels: int = MAX_PIXELS
    tell: Callable[[str], None] = lambda text: None

    def __post_init__(self) -> None:
        if not self.faces.is_dir():
            raise ReviewError(f"{self.faces}: no such folder of faces")
        if self.board.store is not self.store:
            raise ReviewError("the board is of another store")
        for model, scores in self.scores.items():
            if scores.shape != (len(self.store.pairs),):
                raise ReviewError(
                    f"{model}: scores of shape {scores.shape} for {len(self.store.pairs)} pairs"
                )
        if self.annotator is not None:
            object.__setattr__(self, "annotator", plain_name(self.annotator))
