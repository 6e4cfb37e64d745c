"""Presets: the configurations that the models published with ZACI-20 were trained with.

Values: `examples/tuned_configs/` of github.com/kosuke1701/optuna-metric-learning; epochs, patience
and folds as the publication of the models states them. They were tuned on faces of Danbooru.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass

from mining.errors import TrainingError
from mining.training.configuration import (
    AugmentationSettings,
    LossSettings,
    OptimizerSettings,
    TrainingConfig,
    ValidationSettings,
)

_OF_ALL = (
    "The trunk begins with the weights that are given; the originals began with torchvision's or "
    "timm's for ImageNet (pretrained=True).",
    "RAdam is PyTorch's, with decoupled weight decay: its first five steps, where beta2 is 0.999, "
    "follow the mean of the gradients. The originals' package `radam` leaves the weights as they "
    "are in those five, and does the same from the sixth on.",
    "Batches follow from the seed and the step alone; the originals' sampler of m pictures an "
    "identity drew from NumPy's global state.",
    "Identities are held out by our folds of their names; the originals' were those of "
    "scikit-learn's KFold(shuffle=True, random_state=1234) over sorted folder names, so that other "
    "identities were held out.",
    "Beside MAP@R, by which the best epoch is chosen as it was there, FPR is reported on a random "
    "and on an adversarial set of the identities held out.",
    "RandAugment has the originals' operations and strengths, but another random generator.",
    "Pictures are resized by Pillow with its bilinear filter, as torchvision's Resize did; other "
    "versions of both may differ by a grey level.",
)
_CLASSIFIER = (
    "The classifier has no bias; the stored example of the originals has one. As there, its cross "
    "entropy is weighed against a contrastive loss of weight 1.",
    "The classifier has an output for each identity that is trained on; the stored example counted "
    "those held out, too, which no picture ever shows.",
)
_LARGER = (
    "Pictures are of 256 pixels, as it was tuned; the published loader resizes to 224, so that "
    "published vectors are of smaller pictures than those trained on. A model trained here states "
    "its own size.",
)


@dataclass(frozen=True)
class Preset:
    """A configuration with a name.

    Attributes:
        name: of the published model.
        config: what it is trained with.
        differences: sentences on how training here differs from how that model was trained.
    """

    name: str
    config: TrainingConfig
    differences: tuple[str, ...]


def preset(name: str) -> Preset:
    """The preset of that name.

    Raises:
        TrainingError: there is none; it names the nearest, or all.

    >>> preset("0206_resnet18").config.trunk
    'ResNet-18'
    """
    if name in PRESETS:
        return PRESETS[name]
    near = difflib.get_close_matches(name, PRESETS, n=1, cutoff=0.5)
    meant = f"did you mean {near[0]}?" if near else f"expected one of {', '.join(PRESETS)}"
    raise TrainingError(f"preset {name!r}: there is none of that name; {meant}")


def _preset(
    name: str, trunk: str, lr: float, decay: float, *, size: int = 224, classifier: float = 0.0
) -> Preset:
    """A preset with what all of them share."""
    margins = {"pos_margin": 0.681566, "neg_margin": 1.04214}
    config = TrainingConfig(
        trunk=trunk,
        dim=500,
        input_size=size,
        dropout=0.367399,
        m=8,
        batch_size=64,
        images_per_epoch=100_000,
        epochs=60,
        loss=LossSettings("contrastive", margins, classifier_weight=classifier),
        optimizer=OptimizerSettings(lr, decay, beta1=0.9, beta2=0.999, eps=1e-8),
        augmentation=AugmentationSettings("randaugment", operations=1, magnitude=26),
        validation=ValidationSettings(folds=100, select="map@r", patience=3),
    )
    more = _CLASSIFIER * (classifier > 0) + _LARGER * (size > 224)
    return Preset(name, config, (*_OF_ALL, *more))


PRESETS: Mapping[str, Preset] = {
    one.name: one
    for one in (
        _preset("0206_resnet18", "ResNet-18", 4.01253e-5, 2.90147e-5),
        _preset("0206_resnet152", "ResNet-152", 1.49446e-5, 7.47373e-5),
        _preset(
            "0206_seresnet152",
            "timm:seresnet152d",
            4.2389812939829e-5,
            4.62205651807216e-3,
            size=256,
        ),
        _preset(
            "0217_cls_resnet18",
            "ResNet-18",
            8.00632046543503e-5,
            1.95306175496775e-7,
            classifier=0.8,
        ),
        _preset("0301_cls_resnet152", "ResNet-152", 8.2e-5, 1e-4, classifier=0.4),
    )
}
