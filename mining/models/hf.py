"""Image models of the transformers library, `hf:FOLDER` and `hf:ORGANISATION/NAME[@REVISION]`.

Weights are safetensors alone, and no code of a repository is run. A vector is what comes first of:

1. of a model of pictures and texts, its image features, as `get_image_features` gives them;
2. `image_embeds`, of an image tower with its projection;
3. `pooler_output`, where the weights have all that it is made with;
4. the class token of the last layer, where the model has one;
5. the mean over the positions of the last layer.

Pictures are prepared as `preprocessor_config.json` says, by this project's own resizing, which is
Pillow's: of the library's two processors the one of that name does the same, and the other differs
from it by a grey level.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from torch import nn

from mining.errors import ModelError
from mining.models.base import Precision
from mining.models.hf_folders import model_folder, read_settings
from mining.models.hf_processors import preprocessing_of
from mining.models.torch_model import TorchModel
from mining.models.torchvision_ops import import_torchvision
from mining.models.transform import Preprocessing
from mining.models.weights import some

Pooling = Literal["features", "embeds", "pooler", "class token", "mean"]
_SAID: Mapping[Pooling, str] = {
    "features": "its image features",
    "embeds": "its image_embeds",
    "pooler": "its pooler_output",
    "class token": "the class token of its last layer",
    "mean": "the mean over the positions of its last layer",
}
# Names of the parameter of a class token, at the first position.
_CLASS_TOKENS = ("cls_token", "class_token", "class_embedding")
# Settings on which no vector depends.
_IDLE = {"_name_or_path", "transformers_version", "architectures", "dtype", "torch_dtype"}
_IDLE |= {"id2label", "label2id", "text_config", "problem_type"}


class ImageNetwork(nn.Module):
    """Image model with the pooling that makes a vector of its output."""

    def __init__(self, model: nn.Module, pooling: Pooling) -> None:
        super().__init__()
        self.model, self.pooling = model, pooling

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Vectors `[B, D]` of normalised images `[B, 3, H, W]`."""
        found: Any
        if self.pooling == "features":
            found = self.model.get_image_features(pixel_values=images)  # type: ignore[operator]
            found = getattr(found, "pooler_output", found)
        else:
            output = self.model(pixel_values=images)
            if self.pooling in ("embeds", "pooler"):
                found = output.image_embeds if self.pooling == "embeds" else output.pooler_output
            elif output.last_hidden_state.ndim == 4:
                found = output.last_hidden_state.mean(dim=(2, 3))
            elif self.pooling == "class token":
                found = output.last_hidden_state[:, 0]
            else:
                found = output.last_hidden_state.mean(dim=1)
        # Pooled maps, [B, D, 1, 1].
        vectors: torch.Tensor = found.flatten(1) if found.shape[2:] == (1, 1) else found
        return vectors


def load(argument: str, *, name: str, device: str, precision: Precision) -> TorchModel:
    """Load an image model of transformers'.

    Raises:
        ModelError: transformers is not installed, no such model, one without safetensors or with
            code of its own, weights that do not fit, a model that takes no pictures or gives no
            vectors, or preprocessing that is not supported.
    """
    if not argument:
        raise ModelError(f"model {name!r}: expected hf:FOLDER or hf:ORGANISATION/NAME")
    library = _import(name)
    folder = model_folder(argument, name)
    settings = read_settings(folder)
    label = f"model {name!r}"
    with _quiet(library):
        model, report = _built(library, folder, settings, label)
        try:
            processor = library.AutoImageProcessor.from_pretrained(
                folder, backend="pil", local_files_only=True, trust_remote_code=False
            )
        except Exception as error:
            raise _refused(label, "its image processor", error) from error
    notes = _checked_weights(model, report, label)
    preprocessing = preprocessing_of(processor, label)
    network = _tried(model.eval(), preprocessing, label)
    return TorchModel(
        network,
        preprocessing,
        name=name,
        similarity="cosine",
        facts={
            "family": "hf",
            "architecture": type(model).__name__,
            "pooling": network.pooling,
            "config": _settled(model.config.to_dict()),
        },
        libraries=("transformers",),
        device=device,
        precision=precision,
        notes=[f"{name}: a vector is {_SAID[network.pooling]}", *notes],
    )


def _import(name: str) -> Any:
    """The module transformers, after torchvision's operators."""
    import_torchvision()
    try:
        import transformers
    except ImportError as error:
        raise ModelError(
            f"model {name!r}: needs transformers ({error}): pip install 'lookalikes[hf]'"
        ) from None
    return transformers


def _settled(config: Mapping[str, Any]) -> dict[str, object]:
    """Settings that vectors depend on, those of parts included."""
    return {
        key: _settled(value) if isinstance(value, Mapping) else value
        for key, value in config.items()
        if key not in _IDLE
    }


@contextlib.contextmanager
def _quiet(library: Any) -> Iterator[None]:
    """Context in which the library prints neither warnings nor bars: what is wrong is raised."""
    logging = library.utils.logging
    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()


def _built(
    library: Any, folder: Path, settings: Mapping[str, Any], label: str
) -> tuple[Any, Mapping[str, Any]]:
    """The model with its weights, and the library's account of which fitted."""
    named = settings.get("architectures")
    names = [one for one in named if isinstance(one, str)] if isinstance(named, list) else []
    # AutoModel knows no projection, which is all that such a model is for.
    projected = [one for one in names if one.endswith("WithProjection")]
    kind = getattr(library, projected[0], library.AutoModel) if projected else library.AutoModel
    try:
        model, report = kind.from_pretrained(
            folder,
            use_safetensors=True,
            trust_remote_code=False,
            local_files_only=True,
            dtype=torch.float32,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # told in the report, and refused by it
        )
    except Exception as error:
        raise _refused(label, "it", error) from error
    if not hasattr(model, "get_image_features") and model.main_input_name != "pixel_values":
        raise ModelError(
            f"{label}: {type(model).__name__} takes {model.main_input_name}, and no pictures"
        )
    return model, report


def _refused(label: str, what: str, error: Exception) -> ModelError:
    text = " ".join(str(error).split())[:300]
    return ModelError(f"{label}: transformers cannot load {what} ({type(error).__name__}: {text})")


def _checked_weights(model: Any, report: Mapping[str, Any], label: str) -> list[str]:
    """Refuse weights that are not the model's, and take off a pooler that has none.

    Left to itself the library draws at random what the weights lack.

    Returns:
        What a user should know of what was not taken; often nothing.
    """
    notes = []
    missing = sorted(map(str, report["missing_keys"]))
    if missing and all(key.startswith("pooler.") for key in missing) and model.pooler is not None:
        model.pooler, missing = None, []
        notes.append(f"{label}: has no weights of a pooler, and none is used")
    mine = {key for key, _ in model.named_children()}
    prefix = f"{model.base_model_prefix}." if model.base_model_prefix else ""
    # Heads are expected to be left over; layers that the configuration has not are another network.
    left = sorted(map(str, report["unexpected_keys"]))
    strange = [
        key for key in left if (prefix and key.startswith(prefix)) or key.partition(".")[0] in mine
    ]
    faults = (
        (missing, "missing"),
        (strange, "that it has not"),
        (sorted(map(_reshaped, report["mismatched_keys"])), "of another shape"),
        (sorted(map(str, report.get("error_msgs") or ())), "that cannot be loaded"),
    )
    said = [f"{len(names)} {what}: {some(names)}" for names, what in faults if names]
    if said:
        raise ModelError(
            f"{label}: its weights do not fit {type(model).__name__}, which config.json describes; "
            f"{'; '.join(said)}. Likely cause: files of two models, or an incomplete checkpoint"
        )
    if left:
        notes.append(f"{label}: {len(left)} tensors are not used: {some(left)}")
    return notes


def _reshaped(found: Sequence[Any]) -> str:
    """A tensor's name, its shape in the file and that of its place."""
    name, given, wanted = found
    return f"{name} {tuple(given)} for {tuple(wanted)}"


def _tried(model: Any, preprocessing: Preprocessing, label: str) -> ImageNetwork:
    """The network with the first pooling that fits what the model gives for two pictures of noise.

    Raises:
        ModelError: it fails, gives no vectors, or gives others when it is asked again.
    """
    noise = torch.randn(2, 3, *preprocessing.size, generator=torch.Generator().manual_seed(0))
    height, width = preprocessing.size
    try:
        with torch.inference_mode():
            network = ImageNetwork(model, _pooling(model, noise, label))
            vectors, again = network(noise), network(noise)
    except (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as e:
        text = " ".join(str(e).split())[:300]
        raise ModelError(
            f"{label}: {type(model).__name__} fails on pictures of {height} x {width} pixels, "
            f"which its preprocessing makes ({type(e).__name__}: {text})"
        ) from e
    if not isinstance(vectors, torch.Tensor) or vectors.ndim != 2 or len(vectors) != 2:
        shape = tuple(getattr(vectors, "shape", ()))
        raise ModelError(
            f"{label}: {_SAID[network.pooling]} is of shape {shape} for 2 pictures; expected one "
            "vector a picture"
        )
    if not torch.allclose(vectors, again, rtol=1e-3, atol=1e-3, equal_nan=True):
        raise ModelError(
            f"{label}: {type(model).__name__} gives other vectors for the same pictures when it is "
            "asked again, as a model that hides parts of a picture at random"
        )
    return network


def _pooling(model: Any, noise: torch.Tensor, label: str) -> Pooling:
    """The first rule of the module that fits a model."""
    if hasattr(model, "get_image_features"):
        return "features"
    output = model(pixel_values=noise)
    for key, pooling in (("image_embeds", "embeds"), ("pooler_output", "pooler")):
        if getattr(output, key, None) is not None:
            return pooling  # type: ignore[return-value]
    last = getattr(output, "last_hidden_state", None)
    if not isinstance(last, torch.Tensor) or last.ndim not in (3, 4):
        raise ModelError(
            f"{label}: {type(model).__name__} gives {', '.join(output)}, and none of image_embeds, "
            "pooler_output and last_hidden_state by picture and position"
        )
    names = [key.rpartition(".")[2] for key, _ in model.named_parameters()]
    marked = last.ndim == 3 and any(key in _CLASS_TOKENS for key in names)
    return "class token" if marked else "mean"
