"""Protocol of a reference model: two methods, a similarity and a fingerprint."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Generator, Iterable, Mapping, Sequence
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Similarity = Literal["cosine", "inner_product"]
Precision = Literal["fp32", "bf16"]
DEVICES = ("auto", "cpu", "cuda", "mps")


class Model(Protocol):
    """Reference model that turns decoded images into vectors.

    The embedding stage calls `preprocess` once an image, from several threads, and `encode` once
    a batch, from one thread; neither may depend on what was called before.
    """

    @property
    def name(self) -> str:
        """The `family:argument` text that loads this model."""

    @property
    def similarity(self) -> Similarity:
        """Measure that compares two of its vectors; `cosine` ones are stored with unit norm."""

    @property
    def provenance(self) -> Mapping[str, object]:
        """JSON-able facts: digests of the weights, preprocessing, precision, library versions."""

    @property
    def notes(self) -> Sequence[str]:
        """Sentences on what its file left open and how it was read; often none."""

    @property
    def fingerprint(self) -> str:
        """`digest(provenance)`: changes whenever the same image could get another vector."""

    def preprocess(self, image: Image.Image) -> NDArray[np.generic]:
        """Bring one RGB image to the fixed shape and dtype that `encode` stacks."""

    def encode(self, batch: NDArray[np.generic]) -> NDArray[np.float32]:
        """Vectors `[B, D]` of a stacked batch `[B, ...]`, as the network gives them."""


class Streaming(Protocol):
    """Model on devices that take the next batches while they compute."""

    @property
    def streams(self) -> bool:
        """Whether `encode_many` is to be used."""

    def encode_many(
        self, batches: Iterable[NDArray[np.generic]]
    ) -> Generator[NDArray[np.float32], None, None]:
        """Vectors of each batch, in order, as `encode` gives them."""


def digest(facts: Mapping[str, object]) -> str:
    """SHA-256, in hex, of the canonical JSON of `facts`.

    >>> digest({"b": 1, "a": 2}) == digest({"a": 2, "b": 1})
    True
    """
    text = json.dumps(facts, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()
