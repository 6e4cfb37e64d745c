"""Losses between the vectors of a batch, by the library pytorch-metric-learning."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from mining.errors import TrainingError
from mining.training.configuration import LossSettings
from mining.training.extra import import_extra


@dataclass(frozen=True)
class LossKind:
    """Loss of the library, with the options that can be set.

    Attributes:
        factory: its class there.
        options: default of each option.
        ranges: least and most value of each; the first is allowed.
        learns: whether it has a centre for each training identity, which it learns.
        pairs: whether it compares the vectors of a batch in pairs or triplets.
        about: what it is for, in a sentence.
    """

    factory: str
    options: Mapping[str, float]
    ranges: Mapping[str, tuple[float, float]]
    learns: bool
    pairs: bool
    about: str


# The defaults of contrastive are those of the published models, the others the library's; the
# margins of the ArcFace losses are in degrees, there as here.
LOSSES: Mapping[str, LossKind] = {
    "contrastive": LossKind(
        "ContrastiveLoss",
        {"pos_margin": 0.681566, "neg_margin": 1.04214},
        {"pos_margin": (0, 2), "neg_margin": (0, 2)},
        learns=False,
        pairs=True,
        about="Faces of one identity closer than one distance, of two further than another.",
    ),
    "triplet": LossKind(
        "TripletMarginLoss",
        {"margin": 0.05},
        {"margin": (0, 2)},
        learns=False,
        pairs=True,
        about="Each face closer to its own identity than to another by a margin.",
    ),
    "multi-similarity": LossKind(
        "MultiSimilarityLoss",
        {"alpha": 2.0, "beta": 50.0, "base": 0.5},
        {"alpha": (1e-6, 1e4), "beta": (1e-6, 1e4), "base": (-1, 1)},
        learns=False,
        pairs=True,
        about="Pairs weighed by how hard they are beside the others of the batch.",
    ),
    "arcface": LossKind(
        "ArcFaceLoss",
        {"margin": 28.6, "scale": 64.0},
        {"margin": (0, 90), "scale": (0.01, 1000)},
        learns=True,
        pairs=False,
        about="A centre for each identity, that its faces lie nearest to by an angle.",
    ),
    "subcenter-arcface": LossKind(
        "SubCenterArcFaceLoss",
        {"margin": 28.6, "scale": 64.0, "sub_centers": 3},
        {"margin": (0, 90), "scale": (0.01, 1000), "sub_centers": (1, 100)},
        learns=True,
        pairs=False,
        about="ArcFace with several centres an identity, for outfits, styles and wrong labels.",
    ),
    "proxy-nca": LossKind(
        "ProxyNCALoss",
        {"scale": 1.0},
        {"scale": (0.01, 1000)},
        learns=True,
        pairs=False,
        about="A proxy for each identity, in a softmax over distances.",
    ),
    "supcon": LossKind(
        "SupConLoss",
        {"temperature": 0.1},
        {"temperature": (1e-4, 100)},
        learns=False,
        pairs=True,
        about="All faces of an identity against all of the batch, in a softmax.",
    ),
}


class MetricLoss(nn.Module):
    """Loss of a batch: between its vectors, and of a classifier on them where one is asked for.

    Attributes:
        kind: of the loss between vectors.
        metric: the library's loss.
        classifier: `[D] -> [identities]`, without bias; None where there is none.
    """

    def __init__(self, settings: LossSettings, dim: int, identities: int) -> None:
        """Build the loss of vectors of `dim` components and so many training identities.

        Raises:
            TrainingError: an option that the loss has not, or out of its range; the extra `train`
                is not installed.
        """
        super().__init__()
        self.kind = LOSSES[settings.name]
        self._weight = settings.classifier_weight
        library = import_extra("pytorch_metric_learning")
        options = checked_options(settings)
        regularizer = _regularizer(library, settings)
        if settings.name == "proxy-nca":
            options["softmax_scale"] = options.pop("scale")
        if self.kind.learns:
            options |= {"num_classes": identities, "embedding_size": dim}
        self.metric: nn.Module = getattr(library.losses, self.kind.factory)(
            **options, **regularizer
        )
        self.classifier: nn.Linear | None = None
        if settings.classifier_weight:
            self.classifier = nn.Linear(dim, identities, bias=False)

    def forward(self, vectors: Tensor, labels: Tensor, vetoed: Tensor | None = None) -> Tensor:
        """The loss, a number.

        Args:
            vectors: `[B, D]`.
            labels: `[B]` number of the identity of each.
            vetoed: `[B, B]` bool, pairs of different identities that are not to be taken for
                such; only of losses that compare pairs.

        Raises:
            TrainingError: no two vectors of one identity, or of two.
        """
        same = labels[:, None] == labels[None, :]
        other = ~same
        if vetoed is not None:
            other &= ~vetoed
        same.fill_diagonal_(False)
        # The library passes over a side that is missing: a loss of nothing, without a gradient.
        if self.kind.pairs and not (bool(same.any()) and bool(other.any())):
            raise TrainingError(
                "a batch without "
                + ("two pictures of one identity" if not bool(same.any()) else "two identities")
                + " to tell apart"
            )
        if self.kind.pairs and vetoed is not None:
            pairs = (*torch.where(same), *torch.where(other))
            loss = self.metric(vectors, labels, pairs)
        else:
            loss = self.metric(vectors, labels)
        if self.classifier is not None:
            logits = self.classifier(vectors)
            loss = loss + self._weight * nn.functional.cross_entropy(logits, labels)
        return torch.as_tensor(loss)


def checked_options(settings: LossSettings) -> dict[str, Any]:
    """All options of the loss, those that are set and the defaults.

    Raises:
        TrainingError: an option that it has not, or out of its range.

    >>> checked_options(LossSettings("triplet", {"margin": 0.2}))
    {'margin': 0.2}
    """
    kind = LOSSES[settings.name]
    for name, value in settings.options.items():
        if name not in kind.options:
            raise TrainingError(
                f"loss.options.{name}: {settings.name} has no such option; it has "
                f"{', '.join(kind.options)}"
            )
        least, most = kind.ranges[name]
        if not least <= value <= most:
            raise TrainingError(
                f"loss.options.{name}: {value:g}; expected {least:g} to {most:g} for "
                f"{settings.name}"
            )
    options: dict[str, Any] = {**kind.options, **settings.options}
    if "sub_centers" in options:
        if not math.isclose(options["sub_centers"], round(options["sub_centers"])):
            raise TrainingError(
                f"loss.options.sub_centers: {options['sub_centers']}; expected a whole number"
            )
        options["sub_centers"] = round(options["sub_centers"])
    return options


def _regularizer(library: ModuleType, settings: LossSettings) -> dict[str, Any]:
    if settings.regularizer is None:
        return {}
    return {
        "embedding_regularizer": library.regularizers.LpRegularizer(p=settings.regularizer),
        "embedding_reg_weight": settings.regularizer_weight,
    }
