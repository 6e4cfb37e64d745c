"""The floor."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageEnhance
from support.small_models import photo

from mining.models import load_model


def cosines(*images: Image.Image) -> np.ndarray:
    model = load_model("pixels")
    vectors = model.encode(np.stack([model.preprocess(image) for image in images]))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors @ vectors.T


def test_size_and_encoding_hardly_matter_and_the_picture_does() -> None:
    image = photo(1, (200, 160))
    similar = cosines(image, image.resize((90, 120)), photo(2, (200, 160)), photo(3, (200, 160)))
    assert similar[0, 1] > 0.99
    assert similar[0, 2:].max() < 0.9


def test_colours_tell_images_of_one_layout_apart() -> None:
    image = photo(1)
    turned = Image.merge("RGB", image.split()[::-1])
    similar = cosines(image, ImageEnhance.Brightness(image).enhance(0.9), turned)
    assert similar[0, 1] > similar[0, 2]


def test_images_of_one_colour_are_compared_by_it() -> None:
    colours = ("#808080", "#ff0000", "#f01010", "#0000ff")
    similar = cosines(*(Image.new("RGB", (30, 30), colour) for colour in colours))
    assert np.isfinite(similar).all()
    assert similar[1, 2] > 0.95
    assert similar[1, 3] < 0.5
    greys = cosines(*(Image.new("RGB", (30, 30), (level,) * 3) for level in (127, 128)))
    assert greys[0, 1] > 0.9


def test_an_image_is_the_same_vector_in_any_batch_to_the_bit() -> None:
    model = load_model("pixels")
    batch = np.stack([model.preprocess(photo(seed)) for seed in range(6)])
    together = model.encode(batch)
    assert together.shape == (6, 772)
    for row in range(6):
        assert np.array_equal(model.encode(batch[row : row + 1])[0], together[row])
