"""Explanation of a score of two faces: maps of where the model looks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from PIL import Image

from mining.errors import MiningError, ModelError, NoPartsError
from mining.models.base import Model, Similarity
from mining.saliency.masks import MASKS, correlations, score_of
from mining.saliency.view import Box, View
from pairsets.arrays import Floats
from pairsets.progress import Step, unheard

Method = Literal["auto", "parts", "masks"]
BATCH_SIZE = 32


@dataclass(frozen=True, eq=False)
class Explanation:
    """A score, and maps of what in either face it comes from.

    Attributes:
        score: the model's, of the two faces.
        similarity: `cosine` or `inner_product`.
        method: `parts`, whose maps sum to the score each, or `masks`, whose maps are correlations
            from -1 to 1.
        maps: of A and of B, float64 `[h, w]`, first row on top. Above 0: this place raises the
            score; below: it lowers it.
        boxes: what part of each picture its map covers: left, top, right and bottom as fractions.
            Beyond it, the model sees nothing.
        note: why `auto` did not take `parts`; empty where it did, or was not asked.
    """

    score: float
    similarity: Similarity
    method: Literal["parts", "masks"]
    maps: tuple[Floats, Floats]
    boxes: tuple[Box, Box]
    note: str = ""

    def __post_init__(self) -> None:
        for side, values in zip("AB", self.maps, strict=True):
            if values.ndim != 2 or not np.isfinite(values).all():
                raise MiningError(f"map of {side}: {values.shape}, or not finite; expected [h, w]")


def explain(
    a: Image.Image,
    b: Image.Image,
    model: Model,
    *,
    method: Method = "auto",
    masks: int = MASKS,
    seed: int = 0,
    batch_size: int = BATCH_SIZE,
    progress: Step | None = None,
) -> Explanation:
    """Explain the score of two faces under a model.

    Args:
        a, b: RGB images; see `pairsets.images.decode`.
        model: any.
        method: `parts` splits the score among the positions of a PyTorch network's features, see
            `mining.saliency.parts`; `masks` needs no more than the model's vectors, see
            `mining.saliency.masks`; `auto` takes `parts` where it holds, else `masks`.
        masks: how many random masks a face, for `masks`.
        seed: of the masks.
        batch_size: how many masked faces are encoded at once.
        progress: told how many masked faces are done, and how many there are.

    Returns:
        The maps; with the faces exchanged, the same maps exchanged.

    Raises:
        MiningError: no such method, or fewer than 2 masks.
        ModelError: `parts` is asked for and does not hold, or the model gives no usable vector.
    """
    check(method, masks)
    if batch_size < 1:
        raise MiningError(f"a batch size of {batch_size}; expected 1 or more")
    views = (View.of(a, model), View.of(b, model))
    vectors = (_vector(views[0], "A"), _vector(views[1], "B"))
    score = score_of(*vectors, model.similarity)
    boxes = (views[0].box, views[1].box)
    note = ""
    if method != "masks":
        try:
            maps = _parts(views, score)
            return Explanation(score, model.similarity, "parts", maps, boxes)
        except NoPartsError as error:
            if method == "parts":
                raise NoPartsError(f"{error}; --method masks explains any model") from error
            note = str(error)
    maps = correlations(
        views, vectors, masks=masks, seed=seed, batch_size=batch_size, progress=progress or unheard
    )
    return Explanation(score, model.similarity, "masks", maps, boxes, note)


def check(method: str, masks: int) -> None:
    """Raise MiningError unless there is such a method and masks enough for a correlation."""
    if method not in get_args(Method):
        raise MiningError(f"method {method!r} is none of {', '.join(get_args(Method))}")
    if masks < 2:
        raise MiningError(f"{masks} masks; expected 2 or more, and some hundreds to see anything")


def _parts(views: tuple[View, View], score: float) -> tuple[Floats, Floats]:
    from mining.models.torch_model import TorchModel
    from mining.saliency.parts import contributions

    model = views[0].model
    if not isinstance(model, TorchModel):
        raise NoPartsError(
            f"{model.name}: no PyTorch network, and parts can be read off inside such alone"
        )
    batch = np.concatenate([view.stack([view.pixels]) for view in views])
    return contributions(model, batch, score)


def _vector(view: View, side: str) -> Floats:
    """The model's vector of the whole face, float64 `[D]`."""
    vector: Floats = view.model.encode(view.stack([view.pixels]))[0].astype(np.float64)
    norm = float(np.sqrt(vector @ vector))
    if not np.isfinite(norm) or norm == 0:
        what = "zero" if norm == 0 else "not finite"
        raise ModelError(
            f"{view.model.name}: the vector of face {side} is {what}, and has no score to explain; "
            "are the weights damaged?"
        )
    return vector
