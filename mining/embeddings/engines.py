"""Engine that computes a PyTorch model's vectors: PyTorch itself, or ONNX Runtime on the CPU.

Vectors of two engines are never in one folder. What was decided is written to `partial/engine.json`
before the first vector, and stands in the manifest afterwards; a run that goes on, or adds faces,
goes on with that engine. Folders that name none are PyTorch's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from mining.errors import EmbeddingError, ModelError
from mining.models.adapted_model import AdaptedModel
from mining.models.base import Model
from pairsets.storage.artefacts import installed, write_json
from pairsets.storage.json_files import read_object

if TYPE_CHECKING:
    from mining.models.engine_trials import Agreement
    from mining.models.onnx_engine import OnnxEngine
    from mining.models.torch_model import TorchModel

Engine = Literal["auto", "torch", "onnx"]
RECORD = "engine.json"
# Faces that the two engines are compared on.
SAMPLE = 4
# Fewer new faces are not worth an export. A number of faces, not of seconds: it is the same on
# every machine.
FEW = 256
_PACKAGES = {"torch": "torch", "onnx": "onnxruntime"}
_CALLED = {"torch": "PyTorch", "onnx": "ONNX Runtime"}

Facts = Mapping[str, Any]
Pixels = NDArray[np.generic]


def refuse_unfit(model: Model, engine: Engine) -> None:
    """Raise ModelError where this model cannot be run by the engine asked for."""
    if engine not in get_args(Engine):
        raise ModelError(f"engine {engine!r} is none of {', '.join(get_args(Engine))}")
    home = _home(model)
    if engine in ("auto", home):
        return
    if home == "onnx":
        raise ModelError(
            f"model {model.name!r}: an ONNX file, which ONNX Runtime alone runs; leave the engine "
            "auto"
        )
    if home is None:
        raise ModelError(
            f"model {model.name!r}: no network of PyTorch's that could be run by {engine}: this "
            "family computes its vectors itself; leave the engine auto"
        )
    reason = _unfit(inner(model))
    if reason:
        raise ModelError(f"model {model.name!r}: not for the engine onnx: {reason}")
    _require_runtime(model)


class EngineChoice:
    """The engine of a folder's vectors: the one they have, else the one asked for.

    Attributes:
        facts: of the engine, as the manifest holds them; None while it is undecided, and for
            models that have no engine.
    """

    def __init__(
        self, folder: Path, model: Model, engine: Engine, *, begun: bool, finished: Facts | None
    ) -> None:
        """Read what was decided before.

        Args:
            folder: of the embeddings.
            model: makes the vectors.
            engine: asked for.
            begun: `partial/` holds vectors of this model.
            finished: the manifest of finished vectors of this model, where there are some.

        Raises:
            ModelError: the engine is not for this model, or unfinished vectors are of another.
            EmbeddingError: the record of unfinished vectors is damaged.
        """
        refuse_unfit(model, engine)
        self.model, self.engine = model, engine
        self.file = folder / "partial" / RECORD
        self.home = _home(model)
        self.facts: Facts | None = None
        if self.home != "torch":
            self.facts = None if self.home is None else _facts(self.home)
            return
        unfinished = _read(self.file, model.fingerprint, needed=begun)
        if begun:
            unfinished = unfinished or {"name": "torch"}
            if not self._is_todays(unfinished):
                wanted = _called(_facts(str(self._wanted(unfinished))))
                raise ModelError(
                    f"{folder}: holds unfinished vectors made by {_called(unfinished)}, not by "
                    f"{wanted}; go on with that one, choose another folder, or remove "
                    f"{self.file.parent}"
                )
        earlier = [unfinished, None if finished is None else finished.get("engine", _TORCH)]
        self.facts = next((one for one in earlier if one and self._is_todays(one)), None)

    def fits(self, manifest: Facts) -> bool:
        """Whether finished vectors of this model are this engine's."""
        if self.home != "torch":
            return True
        there = manifest.get("engine", _TORCH)
        return self.facts is not None and identity_of_engine(there) == identity_of_engine(
            self.facts
        )

    def open(self, sample: Callable[[], Pixels], *, batch_size: int, count: int) -> Model:
        """The model that encodes; decided now if it was not, and recorded before it is used.

        Args:
            sample: decodes up to `SAMPLE` of the faces to embed; there may be none.
            batch_size: images a call of `encode`.
            count: faces to embed.

        Raises:
            ModelError: the engine that was asked for, or that made the vectors there, cannot be
                had, or does not agree with PyTorch.
        """
        if self.home != "torch":
            return self.model
        running = self._open(lambda: self._given(sample()), batch_size * self._calls, count)
        return self.model.over(running) if isinstance(self.model, AdaptedModel) else running

    def _open(self, sample: Callable[[], Pixels], batch_size: int, count: int) -> Model:
        """The network that encodes, without what stands behind it; see `open`."""
        before = self.facts
        if before is None and self.engine == "auto":
            running = self._decide(sample, batch_size, count)
        elif self._wanted(before or {}) == "onnx":
            running = self._onnx(sample(), batch_size)[0]
            made: Facts = self.facts or {}
            if before is not None and before.get("export_sha256") != made["export_sha256"]:
                raise ModelError(
                    f"{self.file.parent.parent}: its vectors were made with another export of "
                    f"{self.model.name} than can be made today: was onnx or onnxscript upgraded? "
                    "Choose another folder, or have all made again with the engine torch"
                )
            self.facts = before or made
        else:
            running, self.facts = inner(self.model), before or _facts("torch")
        write_json(self.file, {"fingerprint": self.model.fingerprint, "engine": self.facts})
        return running

    def _decide(self, sample: Callable[[], Pixels], batch_size: int, count: int) -> Model:
        """The faster engine for `auto`, if it gives the same vectors but for rounding."""
        from mining.models.engine_trials import LEAST_GAIN, images_a_second, kept_trial

        why = _unfit(inner(self.model)) or (
            f"fewer than {FEW} faces to embed" if count < FEW else ""
        )
        if not why:
            pixels = sample()
            why = "" if len(pixels) else "no face can be read"
        if not why:
            try:
                running, torch_model = self._onnx(pixels, batch_size)
                trial = kept_trial(torch_model, running, pixels, batch_size, images_a_second)
                if not trial.independent:
                    why = "a picture's vector depends on its company in ONNX Runtime"
                elif trial.gain < LEAST_GAIN:
                    why = "ONNX Runtime is not faster here"
                else:
                    return running
            except ModelError as error:
                why = str(error)
        self.facts = {**_facts("torch"), "why": why}
        return inner(self.model)

    def _given(self, pixels: Pixels) -> Pixels:
        """A batch as the network is given it."""
        return self.model.inner(pixels) if isinstance(self.model, AdaptedModel) else pixels

    @property
    def _calls(self) -> int:
        """Pictures that the network is given for each one of a batch."""
        return 2 if isinstance(self.model, AdaptedModel) and self.model.flip else 1

    def _onnx(self, pixels: Pixels, batch_size: int) -> tuple[OnnxEngine, TorchModel]:
        """ONNX Runtime on the model's export, compared with PyTorch; and the model."""
        from mining.models.engine_trials import agreement
        from mining.models.onnx_engine import CALL, OnnxEngine
        from mining.models.onnx_exports import kept_export
        from mining.models.torch_model import TorchModel

        model = inner(self.model)
        assert isinstance(model, TorchModel)
        _require_runtime(model)
        # A network that fails by itself says so first.
        expected = model.encode(pixels) if len(pixels) else None
        engine = OnnxEngine(model, kept_export(model, CALL), batch_size=batch_size)
        found: Agreement | None = None
        if expected is not None:
            found = agreement(model, expected, engine.encode(pixels))
        self.facts = {
            **_facts("onnx"),
            "export_sha256": engine.export.sha256,
            **({} if found is None else {"compared": asdict(found)}),
        }
        return engine, model

    def _wanted(self, there: Facts) -> str | None:
        """The engine that is asked for; by `auto` the one there."""
        return there.get("name") if self.engine == "auto" else self.engine

    def _is_todays(self, there: Facts) -> bool:
        """Whether vectors of that engine are what the engine asked for would make today."""
        name = there["name"]
        if name != self._wanted(there):
            return False
        # PyTorch's version is part of the fingerprint. Of an engine that is not installed, what
        # there is stands until it is needed.
        today = _facts(name).get("version")
        return name == "torch" or today is None or there.get("version") == today


def opened_as(model: Model, facts: Facts | None, *, batch_size: int) -> Model:
    """The model by the engine that was chosen elsewhere, as it encodes there.

    Args:
        model: loaded here.
        facts: of the engine; see `EngineChoice`.
        batch_size: images a call of `encode`.

    Raises:
        ModelError: the engine cannot be had, or its export is another one here.
    """
    if facts is None or facts["name"] != "onnx" or _home(model) != "torch":
        return model
    from mining.models.onnx_engine import CALL, OnnxEngine
    from mining.models.onnx_exports import kept_export
    from mining.models.torch_model import TorchModel

    network = inner(model)
    assert isinstance(network, TorchModel)
    _require_runtime(model)
    adapted = model if isinstance(model, AdaptedModel) else None
    images = batch_size * (2 if adapted is not None and adapted.flip else 1)
    engine = OnnxEngine(network, kept_export(network, CALL), batch_size=images)
    if engine.export.sha256 != facts["export_sha256"]:
        raise ModelError(
            f"{model.name}: its export to ONNX is another one here; are onnx, onnxscript and torch "
            "of the same versions everywhere? Or ask for the engine torch"
        )
    return engine if adapted is None else adapted.over(engine)


_TORCH: Facts = {"name": "torch"}


def _home(model: Model) -> str | None:
    """The engine of a model by itself; None for one that has no engine, or does not tell."""
    found = getattr(inner(model), "engine", None)
    return found if found in _PACKAGES else None


def inner(model: Model) -> Model:
    """The model without the steps behind it, which no engine runs."""
    return model.model if isinstance(model, AdaptedModel) else model


def _unfit(model: Any) -> str:
    """The reason that a network of PyTorch's is not for ONNX Runtime; empty where it is."""
    if model.precision != "fp32":
        return f"it computes in fp32, not in {model.precision}"
    if model.device.type != "cpu":
        return f"it runs on the CPU, not on {model.device.type}; ask for the device cpu"
    return ""


def _require_runtime(model: Model) -> None:
    from mining.models.onnx_exports import require

    require(("onnxruntime",), f"{model.name}: the engine onnx")


def _facts(name: str) -> dict[str, Any]:
    """An engine and its version, where it is installed."""
    found = installed(_PACKAGES[name])
    return {"name": name, **({"version": found[_PACKAGES[name]]} if found else {})}


def identity_of_engine(facts: Facts) -> list[object]:
    """The facts that tell two engines' vectors of one model apart."""
    if facts["name"] == "torch":
        return ["torch"]
    return [facts.get(key) for key in ("name", "version", "export_sha256")]


def _called(facts: Facts) -> str:
    return " ".join(filter(None, [_CALLED.get(facts["name"], "?"), facts.get("version")]))


def _read(file: Path, fingerprint: str, *, needed: bool) -> Facts | None:
    """The engine of unfinished vectors of this model; None where none is named."""
    try:
        found = read_object(file, "the record of an engine")
        if found.text("fingerprint") != fingerprint:
            return None
        return checked(found.inner("engine").content)
    except FileNotFoundError:
        return None
    except ValueError as error:
        if not needed:
            return None
        raise EmbeddingError(
            f"{file}: damaged ({error}), so that nothing says which engine made the unfinished "
            f"vectors beside it; remove {file.parent} to begin anew"
        ) from None


def checked(facts: Facts) -> Facts:
    """The facts of an engine from a file; ValueError where they are none."""
    if facts.get("name") not in _PACKAGES:
        raise ValueError(f"no engine is called {facts.get('name')!r}")
    for key in ("version", "export_sha256", "why"):
        if not isinstance(facts.get(key, ""), str):
            raise ValueError(f"{key} of the engine is no text")
    if not isinstance(facts.get("compared", {}), Mapping):
        raise ValueError("compared of the engine is no object")
    return facts


def said_of(manifest: Facts) -> list[str]:
    """Sentences for a user on the engine that ran a network of PyTorch's; none for PyTorch."""
    facts = manifest.get("engine", _TORCH)
    compared = facts.get("compared")
    if facts["name"] != "onnx" or not compared:
        return []
    return [
        f"{_called(facts)} ran the network: its vectors of the first {compared['images']} faces "
        f"are at most {compared['largest_difference']:.1e} a coordinate from PyTorch's, their "
        f"cosines with them at least 1 - {max(0.0, 1 - compared['least_cosine']):.1e}."
    ]
