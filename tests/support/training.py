"""Small trainings: identities of coloured blocks, and a network that learns them in seconds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from mining.training.configuration import (
    AugmentationSettings,
    HardNegativeSettings,
    OptimizerSettings,
    TrainingConfig,
    ValidationSettings,
)

TRUNK = "timm:test_resnet"
SMALL = TrainingConfig(
    trunk=TRUNK,
    dim=8,
    input_size=32,
    dropout=0.2,
    m=2,
    batch_size=8,
    images_per_epoch=32,
    epochs=3,
    optimizer=OptimizerSettings(lr=1e-3, weight_decay=1e-4),
    augmentation=AugmentationSettings("affine", flip=True, rotation=5),
    validation=ValidationSettings(folds=3, patience=10, pairs=50),
)
# As options of the command line.
OPTIONS = (
    "--trunk", TRUNK, "--from-scratch", "--dim", "8", "--input-size", "32", "--m", "2",
    "--batch-size", "8", "--images-per-epoch", "32", "--epochs", "2", "--lr", "1e-3",
    "--validation-folds", "3", "--device", "cpu",
)  # fmt: skip


def small(**changes: Any) -> TrainingConfig:
    """The small configuration, with other values."""
    return replace(SMALL, **changes)


def hard(name: str, **changes: Any) -> TrainingConfig:
    """The small configuration with hard negatives from the second epoch on."""
    known = {"warmup": 1, "every": 1, "neighbours": 4, "share": 0.75, "group": 3}
    settings = HardNegativeSettings(name, **{**known, **changes})
    return replace(SMALL, hard_negatives=settings)


def write_faces(root: Path, people: int = 12, each: int = 3, lone: int = 0) -> Path:
    """Pictures of `people` identities, `each` of them so often, and of `lone` ones once."""
    dice = np.random.default_rng(0)
    for person in range(people + lone):
        look = dice.integers(0, 256, (4, 4, 3))
        home = root / f"p{person:02}"
        home.mkdir(parents=True)
        for number in range(each if person < people else 1):
            blocks = np.clip(look + dice.integers(-40, 41, look.shape), 0, 255).astype(np.uint8)
            Image.fromarray(blocks).resize((40, 36), Image.Resampling.BOX).save(
                home / f"{number}.png"
            )
    return root
