"""A model with steps behind it that need no training: flip averaging, and a whitening.

Order: the network's vector of the picture and of its mirror image, their mean, unit length for a
cosine model, then the whitening. Whoever keeps the vectors brings a cosine model's to unit length
again.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from mining.errors import ModelError
from mining.models.base import Model, Similarity, digest
from mining.models.collection_mean import LEAST_IDENTITIES, CollectionMean, compared
from mining.models.whitening_step import Whitening, unit

# Behind the text that loads a model.
STEPS = re.compile(r"(?:\+layers=[^\s+]+)?(?:\+flip)?(?:\+whitening=[0-9a-f]{8})?\Z")


class AdaptedModel:
    """A model of any family, its vectors averaged over a flip, or whitened, or both.

    Flip averaging is the practice of face verification (InsightFace's LFW protocol, after Deng et
    al., "ArcFace", CVPR 2019): the network's outputs for both pictures are added *before* they are
    brought to unit length. The mirror image is that of the picture, made before preprocessing.

    Attributes:
        model: whose vectors they are.
        flip: whether the mirror image counts too.
        whitening: the step; None without.
    """

    def __init__(
        self,
        model: Model,
        *,
        flip: bool = False,
        whitening: Whitening | None = None,
        label: str = "whitening",
    ) -> None:
        """Put steps behind a model.

        Args:
            model: of any family.
            flip: see the class.
            whitening: learnt on vectors of `model`, flipped alike.
            label: how errors and notes call the whitening, such as its file.

        Raises:
            ModelError: the whitening is another model's.
        """
        self.model, self.flip, self.whitening = model, flip, whitening
        self.name: str = model.name + ("+flip" if flip else "")
        self.similarity: Similarity = model.similarity
        self.notes: Sequence[str] = model.notes
        provenance = {**model.provenance, **({"flip": "mean of outputs"} if flip else {})}
        if whitening is not None:
            whitening.refuse_other_model(provenance, self.name, label)
            provenance["whitening"] = {
                "digest": whitening.digest, "method": whitening.facts["method"]
            }  # fmt: skip
            self.name += f"+whitening={whitening.digest[:8]}"
        self.provenance: Mapping[str, object] = provenance
        self.fingerprint: str = digest(provenance)
        self._label = label

    def over(self, running: Model) -> AdaptedModel:
        """These steps behind another engine of the model."""
        found = AdaptedModel.__new__(AdaptedModel)
        vars(found).update(vars(self))
        found.model = running
        return found

    def preprocess(self, image: Image.Image) -> NDArray[np.generic]:
        """The picture as `encode` stacks it; `[2, ...]` where its mirror image stands beside it."""
        given = self.model.preprocess(image)
        if not self.flip:
            return given
        return np.stack([given, self.model.preprocess(ImageOps.mirror(image))])

    def inner(self, batch: NDArray[np.generic]) -> NDArray[np.generic]:
        """A batch as the model itself is given it: `[2 B, ...]` where pictures are flipped."""
        return batch.reshape(-1, *batch.shape[2:]) if self.flip and len(batch) else batch

    def encode(self, batch: NDArray[np.generic]) -> NDArray[np.float32]:
        """Vectors `[B, K]` of a stacked batch.

        Raises:
            ModelError: as the model's own; or its vectors are not of the whitening's length.
        """
        vectors = np.asarray(self.model.encode(self.inner(batch)), np.float32)
        if self.flip:
            pairs = vectors.reshape(len(batch), 2, -1).astype(np.float64)
            vectors = pairs.mean(axis=1).astype(np.float32)
        step = self.whitening
        if step is None:
            return vectors
        if vectors.ndim != 2 or vectors.shape[1] != len(step.mean):
            raise ModelError(
                f"{self._label}: learnt on vectors of {len(step.mean)} components; {self.name} "
                f"gives {vectors.shape}"
            )
        # As they were kept when the step was learnt: float32, of unit length for a cosine.
        kept = unit(vectors).astype(np.float32) if self.similarity == "cosine" else vectors
        return step.apply(kept.astype(np.float64)).astype(np.float32)

    def notes_on(self, identities: Iterable[str], images: Iterable[str]) -> list[str]:
        """A sentence where the whitening was learnt on some of these faces.

        Args:
            identities: who the faces show.
            images: SHA-256 of their pictures, in hex.
        """
        if self.whitening is None:
            return []
        names = {*identities}
        digests = {*images}
        people, pictures = self.whitening.shared(names, digests)
        if not people and not pictures:
            return []
        return [
            f"{Path(self._label).name}: learnt on {people:,} of these {len(names):,} identities "
            f"(by name) and on {pictures:,} of these {len(digests):,} pictures. Error rates here "
            "flatter it; judge it on identities that it was not learnt on."
        ]

    def note_on_mean(self, found: CollectionMean) -> str | None:
        """A sentence where the mean that was learnt is not that of the faces, or none can tell.

        Args:
            found: mean of these faces' vectors, as they are kept.
        """
        if self.whitening is None:
            return None
        label, learnt = Path(self._label).name, self.whitening.stepped
        if learnt is None:
            return (
                f"{label}: learnt by an earlier version of lookalikes, which kept nothing that "
                "tells whether it fits these faces; learn it again: lookalikes learn-whitening"
            )
        fit = compared(learnt, found)
        if fit is None:
            return (
                f"{label}: whether its mean fits these faces cannot be told from the "
                f"{learnt.identities:,} identities that it was learnt on and {found.identities:,} "
                f"here; expected {LEAST_IDENTITIES} or more of each."
            )
        if not fit.foreign:
            return None
        return (
            f"{label}: learnt on another kind of faces, by the look of it. Its mean lies "
            f"{math.sqrt(fit.ratio):.1f} times as far from that of these faces as the draw of "
            f"{learnt.identities:,} and {found.identities:,} identities explains; what is left of "
            f"their mean is {fit.share:.2g} times the variance between identities. Such a step "
            "brings little: learn one on other identities of this collection."
        )

    def whitening_facts(self, found: CollectionMean) -> dict[str, object]:
        """Facts for a manifest on the whitening: where it is from, and how its mean fits.

        Args:
            found: see `note_on_mean`.
        """
        step = self.whitening
        if step is None:
            return {}
        names = ("method", "folder", "faces", "identities", "model", "digest")
        facts = {name: step.facts[name] for name in names if name in step.facts}
        fit = None if step.stepped is None else compared(step.stepped, found)
        if fit is None:
            return {**facts, "fit": None}
        told = {name: float(f"{value:.4g}") for name, value in vars(fit).items()}
        return {**facts, "fit": {**told, "foreign": fit.foreign}}


def split_steps(name: str) -> tuple[str, str]:
    """The text that loads a model, and the steps behind it.

    >>> split_steps("timm:resnet50@w.pth+flip+whitening=0123abcd")
    ('timm:resnet50@w.pth', '+flip+whitening=0123abcd')
    >>> split_steps("timm:resnet50")
    ('timm:resnet50', '')
    """
    found = STEPS.search(name)
    at = len(name) if found is None else found.start()
    return name[:at], name[at:]
