"""Content of a report, as data that checks itself. Nothing here knows HTML."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pairsets.errors import PairsetsError, ScoresError
from pairsets.evaluation.annotators import Agreement
from pairsets.evaluation.census import CensusComparison
from pairsets.evaluation.confusion import Confusion
from pairsets.evaluation.confusion_network import ConfusionNetwork
from pairsets.evaluation.gallery_search import GallerySearch
from pairsets.evaluation.hubness import Hub, Hubness
from pairsets.evaluation.human import HumanRates
from pairsets.evaluation.rates import Curve, Point
from pairsets.funnel import FunnelRow
from pairsets.images import MAX_PIXELS
from pairsets.report.headline import Headline, headline_of, is_mined
from pairsets.report.provenance import Provenance
from pairsets.tables.leaderboard import Leaderboard

if TYPE_CHECKING:
    from pairsets.evaluation.hardness import Hardness
    from pairsets.report.identity_layout import IdentityLayout


@dataclass(frozen=True, eq=False)
class ModelScores:
    """A model's scores `[N]` on each kind of pair, by what to call it, and its threshold.

    `threshold` is that of the operating point on the first set; None draws no line. `measure` is
    what the scores are: "cosine", "inner product"; empty where that is not known.
    """

    model: str
    groups: Mapping[str, NDArray[np.floating]]
    threshold: float | None = None
    measure: str = ""


@dataclass(frozen=True, eq=False)
class DetSet:
    """The curves of several models on one pair set, and a person's point where there is one.

    Of `HumanRates` the intervals are drawn too.
    """

    name: str
    curves: Mapping[str, Curve]
    human: Point | HumanRates | None = None
    target_fnrs: Sequence[float] = ()


@dataclass(frozen=True)
class GalleryPair:
    """Pair of faces in the gallery, with its scores and verdicts.

    Attributes:
        rank: 1 is the pair that the reference model, or several together, find most alike; 0 where
            nothing mined it.
        path_a, path_b: relative to the report's `faces_root`.
        name_a, name_b: the identities.
        scores: by model, higher is more alike; a model may be missing.
        label: 1 same identity, 0 different.
        verdicts: by model, whether it takes the two for the same at its operating point.
        human_prediction: 1 same, 0 different, -1 not judged.
        set: the pair set that it is of; empty where that need not be said.
        also: further sets that it is of, where all is the same but the rank, which it has in `set`.
        quantiles: by model, where several mined together: the pair's place among all pairs under
            that model, 1 the hardest.
    """

    rank: int
    path_a: str
    path_b: str
    name_a: str
    name_b: str
    scores: Mapping[str, float]
    label: int = 0
    verdicts: Mapping[str, bool] = field(default_factory=dict)
    human_prediction: int = -1
    quantiles: Mapping[str, float] = field(default_factory=dict)
    set: str = ""
    also: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.label not in (0, 1) or self.human_prediction not in (-1, 0, 1):
            raise PairsetsError(
                f"gallery pair {self.rank}: label {self.label} and human_prediction "
                f"{self.human_prediction}; expected 0 or 1, and 0, 1 or -1"
            )
        for model, score in self.scores.items():
            if not isfinite(score):
                raise ScoresError(f"gallery pair {self.rank}: {model} scores it {score}")
        for model, quantile in self.quantiles.items():
            if model not in self.scores or not 0 <= quantile <= 1:
                raise ScoresError(
                    f"gallery pair {self.rank}: a quantile of {quantile} for {model}; expected 0 "
                    "to 1, of a model that scores it"
                )

    @property
    def sets(self) -> tuple[str, ...]:
        """Names of all sets that the pair is of."""
        return (self.set, *self.also)

    def mistaken(self, model: str) -> bool | None:
        """Whether `model`'s verdict is wrong; None where it has none."""
        verdict = self.verdicts.get(model)
        return None if verdict is None else verdict != bool(self.label)


@dataclass(frozen=True, eq=False)
class ConfusionMap:
    """All identities that a model takes for one another, on the pairs of a set."""

    model: str
    set: str
    network: ConfusionNetwork


@dataclass(frozen=True, eq=False)
class HubFaces:
    """Faces in most negatives of a set, and who they show."""

    set: str
    hubs: Sequence[Hub]
    identities: Sequence[str]


@dataclass(frozen=True, eq=False)
class Report:
    """Content of the whole page, in the order shown.

    Attributes:
        title: of the page.
        facts: (label, value) rows: faces, identities, reference model, seed, date...
        funnel: what was dropped, stage by stage.
        leaderboards: one a pair set.
        ranked: names of the sets whose pairs have a mining rank: a model picked them.
        scores: one a model.
        curves: one a pair set.
        gallery: pairs, in the order first shown.
        gallery_left_out: pairs there are beyond those.
        gallery_scattered: sets and labels of which some left out is harder than some shown.
        thresholds: by set and model, from which score on a pair is taken for the same.
        faces_root: the folder that the gallery's paths are relative to.
        hubness: who fills the negatives of a set, by what to call it.
        hubs: the faces that are in most of them.
        hardness: how fast mined sets get easier, by set.
        confusions: which identities are taken for which, by what to call it.
        maps: all identities of each of these, to look at part by part.
        layout: the identities in the plane, or why there is no such map.
        agreement: of several people who judged, by set.
        census: the models over all pairs, where these were counted: it leads.
        identification: the models in a gallery, where one was searched.
        mined: how many pairs the largest mined set has.
        warnings: sentences a reader must see first.
        max_pixels: width times height above which a face is refused undecoded.
        provenance: what stands at the foot, where it is known.
    """

    title: str
    faces_root: Path
    facts: Sequence[tuple[str, str]] = ()
    funnel: Sequence[FunnelRow] = ()
    leaderboards: Sequence[Leaderboard] = ()
    ranked: Collection[str] = ()
    scores: Sequence[ModelScores] = ()
    curves: Sequence[DetSet] = ()
    gallery: Sequence[GalleryPair] = ()
    gallery_left_out: int = 0
    gallery_scattered: Collection[tuple[str, int]] = ()
    thresholds: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    hubness: Mapping[str, Hubness] = field(default_factory=dict)
    hubs: HubFaces | None = None
    hardness: Mapping[str, Hardness] = field(default_factory=dict)
    confusions: Mapping[str, Confusion] = field(default_factory=dict)
    maps: Sequence[ConfusionMap] = ()
    layout: IdentityLayout | None = None
    agreement: Mapping[str, Agreement] = field(default_factory=dict)
    census: CensusComparison | None = None
    identification: GallerySearch | None = None
    mined: int = 0
    warnings: Sequence[str] = ()
    max_pixels: int = MAX_PIXELS
    provenance: Provenance | None = None

    def __post_init__(self) -> None:
        if not self.title.strip():
            raise PairsetsError("a report without a title")

    @property
    def models(self) -> list[str]:
        """The models that score gallery pairs, in order of appearance."""
        return list(dict.fromkeys(model for pair in self.gallery for model in pair.scores))

    @property
    def headline(self) -> Headline | None:
        """Headline of the page; see `pairsets.report.headline`."""
        return headline_of(self.leaderboards, self.ranked)

    @property
    def all_mined(self) -> bool:
        """Whether a model picked the pairs of every set."""
        return all(is_mined(board, self.ranked) for board in self.leaderboards)
