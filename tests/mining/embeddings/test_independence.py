"""Whether a picture's vector is its own, tried on models where it is and where it is not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from mining import embed
from mining.embeddings.independence import prove_independent
from mining.models import ModelError
from pairsets import Faces

Vectors = NDArray[np.float32]
Encode = Callable[[NDArray[np.generic]], Vectors]


class Made:
    """A model whose vectors are what `encode` makes of flattened pixels."""

    name, similarity, fingerprint = "python:made:up", "inner_product", "made up"
    notes = ()

    def __init__(self, encode: Encode) -> None:
        self.provenance: dict[str, object] = {}
        self.calls: list[int] = []
        self._encode = encode

    def preprocess(self, image: Image.Image) -> NDArray[np.generic]:
        return np.asarray(image.resize((3, 3)), np.float32).ravel()

    def encode(self, batch: NDArray[np.generic]) -> Vectors:
        self.calls.append(len(batch))
        return self._encode(batch)


BASIS = np.random.default_rng(0).normal(size=(27, 5)).astype(np.float32)
NOISE = np.random.default_rng(1)


def own(batch: NDArray[np.generic]) -> Vectors:
    return np.asarray(batch @ BASIS, np.float32)


def one_scale(batch: NDArray[np.generic]) -> Vectors:
    """Eight bits for all pixels of a call, as dynamic quantisation takes them."""
    scale = np.abs(batch).max() / 127
    return own(np.round(batch / scale) * scale)


def centred(batch: NDArray[np.generic]) -> Vectors:
    """Less the call's mean, all but zero for a picture alone."""
    found = own(batch)
    return found - np.float32(0.999) * found.mean(axis=0)


def ranked(batch: NDArray[np.generic]) -> Vectors:
    """Better than what came before it: on where it stands in the call."""
    return own(batch) + np.arange(len(batch), dtype=np.float32)[:, None]


def never_alone(batch: NDArray[np.generic]) -> Vectors:
    """Of code that squeezes a call of one."""
    if len(batch) == 1:
        raise ModelError("gives (5,) for 1 images")
    return own(batch)


def by_shape(batch: NDArray[np.generic]) -> Vectors:
    """Half precision, rounded otherwise in another shape of call."""
    return own(batch).astype(np.float16).astype(np.float32) * np.float32(1 + 2**-9 / len(batch))


def trembling(batch: NDArray[np.generic]) -> Vectors:
    """As sums of half precision come out that threads add in any order."""
    found = own(batch)
    return found * (1 + np.float32(2**-9) * NOISE.normal(size=found.shape).astype(np.float32))


def dropped(batch: NDArray[np.generic]) -> Vectors:
    """Dropout, left on."""
    return own(batch * (NOISE.random(batch.shape) < 0.5).astype(np.float32))


PIXELS = [np.random.default_rng(n).random(27, np.float32) * (9 + n) for n in range(6)]


def prove(model: Made, count: int = 6) -> None:
    filled = [*PIXELS[:count], *[PIXELS[count - 1]] * (8 - count)]
    vectors = model.encode(np.stack(filled))
    model.calls.clear()
    prove_independent(model, filled, count, vectors)


def test_three_pictures_alone_are_enough() -> None:
    model = Made(own)
    prove(model)
    assert model.calls == [1, 1, 1]
    prove(model, count=2)
    assert model.calls == [1, 1]


@pytest.mark.parametrize("encode", [never_alone, by_shape, trembling], ids=lambda f: f.__name__)
def test_what_is_no_company(encode: Encode) -> None:
    """Then the whole shape of a batch decides."""
    model = Made(encode)
    prove(model)
    assert model.calls == ([1, 8, 8] if encode is trembling else [1, 8]) * 3


@pytest.mark.parametrize("encode", [one_scale, centred], ids=lambda f: f.__name__)
@pytest.mark.parametrize("count", [2, 3, 6])
def test_company_that_matters(encode: Encode, count: int) -> None:
    with pytest.raises(ModelError, match=r"depends on the others in its batch.*--batch-size 1"):
        prove(Made(encode), count)


def test_a_place_is_not_company() -> None:
    """That of a picture in its batch may count, as kernels work on tails otherwise."""
    prove(Made(ranked))


def test_chance() -> None:
    with pytest.raises(ModelError, match=r"other vectors each time.*eval\(\)"):
        prove(Made(dropped))


def test_embedding_stops_before_a_vector_is_kept(faces_folder: Path, tmp_path: Path) -> None:
    faces = Faces.scan(faces_folder)
    with pytest.raises(ModelError, match="depends on the others"):
        embed(faces, Made(one_scale), tmp_path / "e", batch_size=4)
    assert not (tmp_path / "e" / "manifest.json").exists()
    assert (tmp_path / "e" / "partial" / "vectors.f32").stat().st_size == 0
    # One at a time there is no company.
    model = Made(one_scale)
    assert len(embed(faces, model, tmp_path / "e", batch_size=1)) == len(faces)
    assert set(model.calls) == {1}


def test_a_picture_alone_needs_no_proof(faces_folder: Path, tmp_path: Path) -> None:
    faces = Faces.scan(faces_folder)
    model = Made(own)
    embed(Faces.of_paths(faces.root, faces.paths[:1].tolist()), model, tmp_path / "e", batch_size=4)
    assert model.calls == [4]
