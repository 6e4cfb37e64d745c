"""Pictures that stand for faces."""

from __future__ import annotations

import numpy as np
from PIL import Image


def draw_face(seed: int, size: int = 32) -> Image.Image:
    """A picture of flat coloured blocks; the same seed gives the same picture."""
    generator = np.random.default_rng(seed)
    blocks = generator.integers(0, 256, (4, 4, 3), dtype=np.uint8)
    return Image.fromarray(blocks).resize((size, size), Image.Resampling.NEAREST)
