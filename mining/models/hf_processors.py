"""Image processors of the transformers library, as the preprocessing they describe.

A processor's class says what is done, its settings how. Known are classes that do the library's
common steps and nothing else, by their methods, and those named here, which were read. Every other
one is refused by name: to leave one of its steps out would give vectors that look right.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mining.errors import ModelError
from mining.models.transform import Preprocessing
from pairsets.storage.json_files import short

# Pillow's filters by the numbers of the configuration.
_FILTERS = ("nearest", "lanczos", "bilinear", "bicubic", "box", "hamming")
# What a class would change to do something else.
_STEPS = (
    *("preprocess", "_preprocess", "_preprocess_image_like_inputs", "_prepare_image_like_inputs"),
    *("process_image", "resize", "center_crop", "rescale", "normalize", "rescale_and_normalize"),
)
# Read: BEiT's own steps are those of label maps, DINOv3's are in another order, which differs by
# rounding, and ConvNeXT's resize is repeated below.
_READ = ("BeitImageProcessor", "DINOv3ViTImageProcessor", "ConvNextImageProcessor")
# From here on ConvNeXT's resize stretches instead of cropping.
_STRETCHED = 384


def preprocessing_of(processor: Any, label: str) -> Preprocessing:
    """Preprocessing that a processor of the library does.

    Args:
        processor: as the library loads it.
        label: of the model, for errors.

    Raises:
        ModelError: a class or a setting that is not supported, by its name.
    """
    kind = type(processor).__name__.removesuffix("Pil").removesuffix("Fast")
    if kind not in _READ and not _is_plain(type(processor)):
        hint = "; load it as timm:NAME@FOLDER" if "TimmWrapper" in kind else ""
        raise ModelError(f"{label}: pictures are prepared by {kind}, which is not supported{hint}")
    said: Mapping[str, Any] = processor.to_dict()
    for key in ("do_pad", "do_flip_channel_order", "do_thumbnail", "do_reduce_labels"):
        if said.get(key):
            raise ModelError(f"{label}: its preprocessing has {key}, which is not supported")
    if not said.get("do_resize"):
        raise ModelError(
            f"{label}: its preprocessing has no do_resize: it would take pictures of one size alone"
        )
    resize, size = _sizes(said, label, warped="crop_pct" in said and kind == _READ[-1])
    resample = said.get("resample")
    number = 2 if resample is None else resample
    if not isinstance(number, int) or not 0 <= number < len(_FILTERS):
        raise ModelError(f"{label}: its preprocessing has resample {short(resample)}, no filter")
    mean, std = _normalisation(said, label)
    try:
        return Preprocessing(
            size=size,
            resize=resize,
            interpolation=_FILTERS[number],  # type: ignore[arg-type]
            mean=mean,
            std=std,
            crop="floored",
        )
    except (ModelError, TypeError) as error:
        raise ModelError(f"{label}: {error}") from None


def _is_plain(kind: type) -> bool:
    """Whether a class does the library's common steps alone."""
    from transformers.image_processing_backends import PilBackend, TorchvisionBackend

    base = next((one for one in (PilBackend, TorchvisionBackend) if issubclass(kind, one)), None)
    return base is not None and all(
        getattr(kind, step, None) is getattr(base, step, None) for step in _STEPS
    )


def _sizes(
    said: Mapping[str, Any], label: str, *, warped: bool
) -> tuple[int | tuple[int, int], tuple[int, int]]:
    """Size that a picture is resized to, and that of the crop which the network sees."""
    given = {key: value for key, value in dict(said["size"]).items() if value is not None}
    crop: tuple[int, int] | None = None
    if said.get("do_center_crop"):
        cut = dict(said.get("crop_size") or {})
        crop = cut.get("height", 0), cut.get("width", 0)
    if given.keys() == {"height", "width"}:
        whole = given["height"], given["width"]
        return whole, crop or whole
    if given.keys() != {"shortest_edge"}:
        raise ModelError(
            f"{label}: its preprocessing has size {short(said['size'])}, which is not supported; "
            "expected height and width, or shortest_edge alone"
        )
    edge = given["shortest_edge"]
    if warped:
        share = said["crop_pct"]
        if crop is not None or not isinstance(share, float | int) or not 0 < share <= 1:
            raise ModelError(f"{label}: its preprocessing has crop_pct {short(share)} and a crop")
        return ((edge, edge) if edge >= _STRETCHED else int(edge / share)), (edge, edge)
    if crop is None:
        raise ModelError(
            f"{label}: its preprocessing has shortest_edge without do_center_crop: pictures would "
            "keep their shapes, and a batch needs one"
        )
    return edge, crop


def _normalisation(
    said: Mapping[str, Any], label: str
) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    """Mean and deviation of values in [0, 1], whatever scale the processor computes in."""
    factor = said.get("rescale_factor", 1 / 255) if said.get("do_rescale") else 1.0
    mean, std = (said.get(key) for key in ("image_mean", "image_std"))
    if not said.get("do_normalize"):
        mean, std = 0.0, 1.0
    found: list[list[float]] = []
    for key, value in (("image_mean", mean), ("image_std", std)):
        values = list(value) if isinstance(value, Sequence) else [value] * 3
        numbers = [float(one) for one in values if isinstance(one, float | int)]
        if len(values) != 3 or len(numbers) != 3:
            raise ModelError(f"{label}: its preprocessing has {key} {short(value)}; expected three")
        found.append(numbers)
    if not isinstance(factor, float | int) or not factor > 0:
        raise ModelError(f"{label}: its preprocessing has rescale_factor {short(factor)}")
    scale = 1.0 if abs(factor * 255 - 1) < 1e-6 else factor * 255
    (m0, m1, m2), (s0, s1, s2) = ([one / scale for one in values] for values in found)
    return (m0, m1, m2), (s0, s1, s2)
