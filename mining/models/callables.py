"""A user's own model: `python:module:factory`, where `factory()` makes it.

What it returns is either

- an object with `preprocess(image)` and `encode(batch)` as in `mining.models.base.Model`, or
- a callable from a list of PIL images to an array `[N, D]`.

Either may have the attributes `similarity` (`"cosine"`, the default, or `"inner_product"`) and
`fingerprint`, any text. The fingerprint stored with the vectors is made of the name
`module:factory`, of the digest of the module's source file, and of that text: code that reads
weights from elsewhere should put their digest there, or a change of weights will go unnoticed.
"""

from __future__ import annotations

import hashlib
import importlib
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, cast, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mining.errors import ModelError
from mining.models.base import Precision, Similarity, digest
from pairsets.storage.artefacts import installed

ImagesToVectors = Callable[[list[Image.Image]], Any]


class UserModel:
    """The user's object or callable behind the checks of the contract."""

    def __init__(self, made: object, *, name: str, facts: Mapping[str, object]) -> None:
        """Wrap what the factory made; `facts` enter the fingerprint.

        Raises:
            ModelError: it is neither such an object nor a callable, or its `similarity` is none.
        """
        self.name = name
        self.notes: Sequence[str] = ()
        similarity = getattr(made, "similarity", "cosine")
        if similarity not in get_args(Similarity):
            known = " or ".join(get_args(Similarity))
            raise ModelError(f"model {name!r}: its similarity is {similarity!r}, not {known}")
        self.similarity = cast(Similarity, similarity)
        self._preprocess: Callable[[Image.Image], Any]
        self._encode: Callable[[NDArray[np.generic]], Any]
        preprocess, encode = getattr(made, "preprocess", None), getattr(made, "encode", None)
        if callable(preprocess) and callable(encode):
            self._preprocess, self._encode = preprocess, encode
        elif callable(made):
            to_vectors = cast(ImagesToVectors, made)
            self._preprocess = _boxed
            self._encode = lambda batch: to_vectors(list(batch))
        else:
            raise ModelError(
                f"model {name!r}: the factory gave a {type(made).__name__}, which has no "
                "preprocess and encode and cannot be called with a list of images"
            )
        self.provenance: Mapping[str, object] = {
            **facts,
            "precision": "fp32",
            "versions": installed("numpy", "pillow"),
        }
        self.fingerprint = digest(self.provenance)

    def preprocess(self, image: Image.Image) -> NDArray[np.generic]:
        """Image as the user's object prepares it; for a callable as it is, in a 0-d array."""
        return np.asarray(self._preprocess(image))

    def encode(self, batch: NDArray[np.generic]) -> NDArray[np.float32]:
        """float32 `[B, D]` of a stacked batch.

        Raises:
            ModelError: the user's code fails, or gives anything but one vector an image.
        """
        try:
            vectors = np.asarray(self._encode(batch), dtype=np.float32)
        except Exception as error:
            raise ModelError(
                f"model {self.name!r}: its code fails on {len(batch)} images: "
                f"{type(error).__name__}: {error}"
            ) from error
        if vectors.ndim != 2 or len(vectors) != len(batch):
            raise ModelError(
                f"model {self.name!r}: gives {vectors.shape} for {len(batch)} images; "
                f"expected ({len(batch)}, D), one vector an image"
            )
        return vectors


def load(argument: str, *, name: str, device: str, precision: Precision) -> UserModel:
    """Import the module, from the current directory too, and call the factory.

    The device is left to the user's code.

    Raises:
        ModelError: no such module or attribute, not callable, raises, or bf16 is asked for.
    """
    if precision != "fp32":
        raise ModelError(
            f"model {name!r}: its precision is its own code's affair; leave fp32, not {precision}"
        )
    module_name, _, attribute = argument.partition(":")
    if not module_name or not attribute:
        raise ModelError(f"model {name!r}: expected python:module:factory")
    module = _import(module_name, name)
    factory = getattr(module, attribute, None)
    if factory is None:
        raise ModelError(f"model {name!r}: module {module_name!r} has no {attribute!r}")
    if not callable(factory):
        raise ModelError(
            f"model {name!r}: {attribute!r} is a {type(factory).__name__}, not a function that "
            "makes the model"
        )
    try:
        made = factory()
    except Exception as error:
        raise ModelError(
            f"model {name!r}: {attribute}() raises {type(error).__name__}: {error}"
        ) from error
    facts = {
        "family": "python",
        "target": argument,
        "source": _source_digest(module, name),
        "fingerprint": str(getattr(made, "fingerprint", "")),
    }
    return UserModel(made, name=name, facts=facts)


def _boxed(image: Image.Image) -> NDArray[np.object_]:
    """The image in a 0-d object array: such arrays stack whatever the sizes of the images."""
    box: NDArray[np.object_] = np.empty((), dtype=object)
    box[()] = image
    return box


def _import(module: str, name: str) -> ModuleType:
    """Import a module, looking in the current directory first, as `python -m` does."""
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    importlib.invalidate_caches()
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name and (module == error.name or module.startswith(f"{error.name}.")):
            raise ModelError(
                f"model {name!r}: no module {module!r} in {here} or among the installed packages"
            ) from None
        raise ModelError(f"model {name!r}: importing {module!r}: {error}") from error
    except Exception as error:
        raise ModelError(
            f"model {name!r}: importing {module!r} raises {type(error).__name__}: {error}"
        ) from error


def _source_digest(module: ModuleType, name: str) -> str:
    """SHA-256, in hex, of the file a module was imported from."""
    file = getattr(module, "__file__", None)
    if file is None:
        raise ModelError(f"model {name!r}: {module.__name__} has no file to take a fingerprint of")
    return hashlib.sha256(Path(file).read_bytes()).hexdigest()
