"""Trials of ONNX Runtime beside PyTorch on the first pictures: do they agree, and which is faster.

Speeds are kept beside the export: on one machine, with as many threads, the same engine is taken
again, and vectors are the same bytes.
"""

from __future__ import annotations

import platform
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from mining.errors import ModelError
from mining.models.base import Model, digest
from mining.models.heap import kept_heap
from mining.models.onnx_engine import CALL, OnnxEngine
from mining.models.torch_model import TorchModel
from pairsets.storage.artefacts import installed, write_json
from pairsets.storage.json_files import read_object

LEAST_COSINE = 1 - 1e-6
# Between vectors that are compared by their inner product, where lengths count too.
_MOST_LONGER = 1e-3
# Less is no gain worth other vectors' bytes, and may be chance.
LEAST_GAIN = 1.03
# Batches of either engine, two at least, as the first one of PyTorch's still fetches its memory;
# and the seconds after which there is no further one.
_LEAST_ROUNDS, _ROUNDS = 2, 4
_LONG = 5.0
# PyTorch loses more on small batches; large ones of a large network take long.
_MOST_IMAGES = 16

Pixels = NDArray[np.generic]


@dataclass(frozen=True)
class Agreement:
    """Nearness of the two engines' vectors of the same pictures.

    Attributes:
        images: pictures compared.
        least_cosine: of a picture's two vectors.
        largest_difference: of a coordinate, of unit vectors where they are compared by cosine.
    """

    images: int
    least_cosine: float
    largest_difference: float

    def __str__(self) -> str:
        return (
            f"on the first {self.images} pictures the vectors of the two have a cosine of "
            f"1 - {max(0.0, 1 - self.least_cosine):.1e} at the least, and coordinates at most "
            f"{self.largest_difference:.1e} apart"
        )


@dataclass(frozen=True)
class Trial:
    """Images a second of either, and whether ONNX Runtime's bits depend on a picture's company."""

    torch: float
    onnx: float
    independent: bool

    @property
    def gain(self) -> float:
        """Speed of ONNX Runtime as a multiple of PyTorch's."""
        return self.onnx / self.torch


def agreement(
    model: TorchModel, by_torch: NDArray[np.float32], by_onnx: NDArray[np.float32]
) -> Agreement:
    """Compare the two engines' vectors of the first pictures.

    Raises:
        ModelError: they are not the same but for rounding.
    """
    expected, found = (one.astype(np.float64) for one in (by_torch, by_onnx))
    if found.shape != expected.shape:
        raise ModelError(
            f"{model.name}: ONNX Runtime gives {found.shape} where PyTorch gives {expected.shape}; "
            "ask for the engine torch"
        )
    lengths = [np.linalg.norm(one, axis=1, keepdims=True) for one in (expected, found)]
    with np.errstate(invalid="ignore", divide="ignore"):
        units = [one / length for one, length in zip((expected, found), lengths, strict=True)]
        longer = np.max(np.abs(lengths[1] / lengths[0] - 1))
    apart = units if model.similarity == "cosine" else [expected, found]
    told = Agreement(
        len(expected),
        float(np.min(np.einsum("nd,nd->n", *units))),
        float(np.max(np.abs(apart[0] - apart[1]))),
    )
    # Written so that what is no number does not pass.
    if not (told.least_cosine >= LEAST_COSINE and longer <= _MOST_LONGER):
        raise ModelError(
            f"{model.name}: ONNX Runtime does not agree with PyTorch: {told} (lengths differ by up "
            f"to {longer:.1e}); needed are a cosine of 1 - {1 - LEAST_COSINE:.0e} and lengths "
            f"within {_MOST_LONGER:.0e}. Ask for the engine torch"
        )
    return told


def kept_trial(
    model: TorchModel,
    engine: OnnxEngine,
    pixels: Pixels,
    batch_size: int,
    speed: Callable[[Model, Pixels], float],
) -> Trial:
    """The trial of these engines on this machine, made where none is kept."""
    threads = torch.get_num_threads()
    images = min(batch_size, max(_MOST_IMAGES, CALL * threads))
    about = {
        "export": engine.export.sha256,
        "machine": platform.node(),
        "threads": threads,
        "images": images,
        "versions": installed("torch", "onnxruntime"),
    }
    base = engine.export.file
    file = base.with_name(f"{base.stem}.{digest(about)[:16]}.json")
    kept = _read(file)
    if kept is not None:
        return kept
    batch = pixels[np.arange(images) % len(pixels)]
    start = time.perf_counter()
    with kept_heap():
        rates: list[tuple[float, float]] = []
        while len(rates) < _LEAST_ROUNDS or (
            len(rates) < _ROUNDS and time.perf_counter() - start < _LONG
        ):
            rates.append((speed(model, batch), speed(engine, batch)))
    trial = Trial(
        torch=max(rate for rate, _ in rates),
        onnx=max(rate for _, rate in rates),
        independent=independent(engine, pixels),
    )
    with suppress(OSError):  # then another run tries again
        write_json(file, {**about, "trial": asdict(trial)})
    return trial


def _read(file: Path) -> Trial | None:
    """A trial that was kept; None where none can be read."""
    try:
        found = read_object(file, "a trial of engines").inner("trial").content
        trial = Trial(**found)
        sound = trial.torch > 0 and trial.onnx > 0 and isinstance(trial.independent, bool)
    except (OSError, ValueError, TypeError):
        return None
    return trial if sound else None


def images_a_second(model: Model, batch: Pixels) -> float:
    """Speed of encoding one batch."""
    start = time.perf_counter()
    model.encode(batch)
    return len(batch) / (time.perf_counter() - start)


def independent(engine: OnnxEngine, pixels: Pixels) -> bool:
    """Whether a picture's vector is the same bits alone, and elsewhere with other company.

    Pictures are turned by one place, so that each stands elsewhere in another call.
    """
    vectors = engine.encode(pixels)
    turned = engine.encode(np.roll(pixels, 1, axis=0))
    alone = engine.encode(pixels[:1])
    return np.array_equal(np.roll(turned, -1, axis=0), vectors) and np.array_equal(
        alone, vectors[:1]
    )
