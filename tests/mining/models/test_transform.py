"""Preprocessing against torchvision's and timm's own, bit for bit."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from PIL import Image
from support.small_models import photo

from mining.models import ModelError
from mining.models.torch_model import TorchModel
from mining.models.torchvision_ops import import_timm, import_torchvision
from mining.models.transform import Preprocessing

SHAPES = [(224, 224), (60, 44), (43, 301), (301, 43), (257, 255), (5, 9), (1, 1), (16, 1)]
PLANS = [
    Preprocessing((224, 224), (224, 224), "bilinear"),
    Preprocessing((128, 128), (128, 128), "bilinear", (0.5,) * 3, (0.5,) * 3),
    Preprocessing((64, 64), 73, "bicubic"),
    Preprocessing((33, 48), 48, "lanczos", (0.1, 0.2, 0.3), (0.7, 0.8, 0.9)),
    Preprocessing((40, 40), 32, "bilinear"),
    Preprocessing((31, 20), (41, 33), "box"),
]


class Flat(torch.nn.Module):
    """Hands its input out, so that a test sees what a network would."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return inputs.flatten(1)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: f"{plan.resize}-{plan.size}")
def test_it_is_torchvisions_classic_pipeline_to_the_bit(
    plan: Preprocessing, shape: tuple[int, int]
) -> None:
    t = import_torchvision().transforms
    mode = t.InterpolationMode(plan.interpolation)
    resize = t.Resize(plan.resize, interpolation=mode)
    classic = t.Compose([resize, t.CenterCrop(plan.size)])
    image = photo(1, shape)
    pixels = plan.apply(image)
    assert np.array_equal(pixels, np.asarray(classic(image)))
    normal = t.Compose([classic, t.ToTensor(), t.Normalize(plan.mean, plan.std)])(image).numpy()
    assert np.array_equal(plan.normalise(pixels[None])[0], normal)
    model = TorchModel(Flat(), plan, name="flat", similarity="cosine", facts={}, device="cpu")
    assert np.array_equal(model.encode(pixels[None])[0], normal.ravel())


def test_every_byte_is_normalised_as_torchvision_does() -> None:
    t = import_torchvision().transforms
    plan = Preprocessing((16, 16), (16, 16))
    image = Image.fromarray(np.arange(768, dtype=np.uint16).astype(np.uint8).reshape(16, 16, 3))
    image.putdata([(n, n, n) for n in range(256)])
    normal = t.Compose([t.ToTensor(), t.Normalize(plan.mean, plan.std)])(image).numpy()
    assert np.array_equal(plan.normalise(np.asarray(image)[None])[0], normal)
    model = TorchModel(Flat(), plan, name="flat", similarity="cosine", facts={}, device="cpu")
    assert np.array_equal(model.encode(np.asarray(image)[None])[0], normal.ravel())


@pytest.mark.parametrize("crop_mode", ["center", "squash"])
@pytest.mark.parametrize("crop_pct", [0.875, 0.95, 1.0])
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
def test_it_is_timms_evaluation_transform(
    crop_mode: str, crop_pct: float, interpolation: str
) -> None:
    from mining.models.backbones import _timm_preprocessing

    data = {
        "input_size": (3, 96, 96),
        "crop_pct": crop_pct,
        "crop_mode": crop_mode,
        "interpolation": interpolation,
        "mean": (0.5, 0.4, 0.3),
        "std": (0.2, 0.3, 0.4),
    }
    theirs = import_timm().data.create_transform(**data, is_training=False)
    ours = _timm_preprocessing(data, "timm:x")
    for shape in SHAPES:
        image = photo(2, shape)
        expected = theirs(image).numpy()
        assert np.array_equal(ours.normalise(ours.apply(image)[None])[0], expected)


@pytest.mark.parametrize(
    "change",
    [
        {"crop_mode": "border"},
        {"input_size": (3, 96, 64)},
        {"input_size": (1, 96, 96)},
        {"input_size": None},
        {"crop_pct": 0},
        {"interpolation": "random"},
        {"mean": (0.5,)},
    ],
    ids=str,
)
def test_what_timm_may_ask_and_we_cannot_do(change: dict[str, object]) -> None:
    from mining.models.backbones import _timm_preprocessing

    data: dict[str, object] = {
        "input_size": (3, 96, 96),
        "crop_pct": 1.0,
        "crop_mode": "center",
        "interpolation": "bilinear",
        "mean": (0.5, 0.4, 0.3),
        "std": (0.2, 0.3, 0.4),
    }
    _timm_preprocessing(data, "timm:x")
    with pytest.raises(ModelError):
        _timm_preprocessing(data | change, "timm:x")


def test_a_strip_does_not_grow_to_gigabytes(monkeypatch: pytest.MonkeyPatch) -> None:
    largest = 0
    resize = Image.Image.resize

    def measured(self: Image.Image, size: tuple[int, int], *args: object) -> Image.Image:
        nonlocal largest
        largest = max(largest, size[0] * size[1])
        return resize(self, size, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(Image.Image, "resize", measured)
    for shape in [(1, 60_000), (60_000, 1)]:
        pixels = Preprocessing((224, 224), 256).apply(Image.new("RGB", shape, (9, 8, 7)))
        assert pixels.shape == (224, 224, 3)
        assert (pixels == (9, 8, 7)).all()
    assert largest <= 16 * 256 * 256


def test_facts_are_json_and_tell_every_field_apart() -> None:
    base = Preprocessing((8, 8), (8, 8))
    others = [
        Preprocessing((9, 8), (8, 8)),
        Preprocessing((8, 8), 8),
        Preprocessing((8, 8), (8, 8), "box"),
        Preprocessing((8, 8), (8, 8), mean=(0.5, 0.456, 0.406)),
        Preprocessing((8, 8), (8, 8), std=(0.5, 0.224, 0.225)),
    ]
    assert len({json.dumps(plan.facts()) for plan in [base, *others]}) == 6


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"size": (0, 8)}, "size is"),
        ({"size": (8,)}, "size is"),
        ({"resize": 0}, "resize is"),
        ({"resize": (8, 8, 8)}, "resize is"),
        ({"resize": (8, 9999)}, "resize is"),
        ({"interpolation": "cubic"}, "interpolation 'cubic' is none of nearest"),
        ({"mean": (0.5, 0.5)}, "mean is"),
        ({"std": (0.5, 0.5, float("nan"))}, "std is"),
        ({"std": (0.5, 0.5, 0.0)}, "not above 0"),
    ],
)
def test_it_checks_itself(arguments: dict[str, object], says: str) -> None:
    with pytest.raises(ModelError, match=says):
        Preprocessing(**({"size": (8, 8), "resize": (8, 8)} | arguments))  # type: ignore[arg-type]
