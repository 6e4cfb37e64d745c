"""Options of embedding: device, precision, batches, and whether bad images are skipped."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from mining.embeddings.crew import Crew, Encoder
from mining.embeddings.engines import Engine, refuse_unfit
from mining.embeddings.producer import BATCH_SIZE, OnError, embed
from mining.embeddings.store import Embeddings
from mining.errors import ModelError
from mining.models import Model, Precision, load_model
from mining.models.adapted_model import AdaptedModel, split_steps
from mining.models.model_labels import split_label, with_label
from mining.models.names import short_name
from mining.models.whitening_step import Whitening
from pairsets import images
from pairsets.errors import OutputError
from pairsets.faces import Faces, is_folder
from pairsets.progress import Progress
from pairsets.storage.artefacts import refuse_below_file, refuse_inside

# The model that needs no weights: what it scores is what no model scores.
FLOOR = "pixels"


@dataclass(frozen=True)
class EmbeddingOptions:
    """Options of running models and reading images; see `mining.load_model`, `mining.embed`.

    Attributes:
        device, precision: see `mining.load_model`.
        batch_size, workers, on_error, max_pixels, engine: see `mining.embed`.
        layers: of a network of PyTorch's, whose averaged outputs make the vector; see
            `mining.models.layers`. None of them: the usual output.
        flip: whether the vectors of a picture and of its mirror image are averaged; see
            `mining.models.adapted_model`.
        whitening: file with a step behind the model; see `mining.models.whitening_step`.
        cache: folder of vectors that runs share; see `mining.embed`. On one machine it changes no
            vector.
        crew: processes elsewhere that embed; this one where it is None. It changes no vector.
    """

    device: str = "auto"
    precision: Precision = "fp32"
    batch_size: int = BATCH_SIZE
    workers: int | None = None
    on_error: OnError = "fail"
    max_pixels: int = images.MAX_PIXELS
    engine: Engine = "auto"
    layers: tuple[str, ...] = ()
    flip: bool = False
    whitening: Path | None = None
    cache: Path | None = field(default=None, compare=False)
    crew: Crew | None = field(default=None, compare=False, repr=False)

    @property
    def settled(self) -> dict[str, object]:
        """Settings that an interrupted run goes on with alone; `auto` is none of them."""
        engine = {} if self.engine == "auto" else {"engine": self.engine}
        steps: dict[str, object] = {"layers": [*self.layers]} if self.layers else {}
        steps |= {"flip": True} if self.flip else {}
        if self.whitening is not None:
            steps["whitening"] = Whitening.read(self.whitening).digest
        return {"precision": self.precision, **engine, **steps}

    def load(self, spec: str) -> Model:
        """Load a model on this device, in this precision, with the steps behind it.

        A label before it (`NAME=family:argument`) is no part of it, and whoever tells of the model
        keeps it. `pixels` has only one precision and no steps.

        Raises:
            ModelError: as `load_model`; or the engine, the layers or the whitening are not for this
                model.
        """
        spec = split_label(spec)[1]
        if steps := split_steps(spec)[1]:
            raise ModelError(
                f"model {spec!r}: {steps} is no part of a model's name, but what options made of "
                f"it; load {split_steps(spec)[0]} with --layers, --flip and --whitening"
            )
        model: Model = load_model(
            spec,
            device=self.device,
            precision="fp32" if spec == FLOOR else self.precision,
        )
        model = self._adapted(model) if spec != FLOOR else model
        refuse_unfit(model, self._engine(spec))
        return model

    def _adapted(self, model: Model) -> Model:
        """The model with the steps behind it; itself where there are none."""
        if self.layers:
            from mining.models.layers import with_layers

            model = with_layers(model, self.layers)
        if not self.flip and self.whitening is None:
            return model
        step = Whitening.read(self.whitening) if self.whitening is not None else None
        label = str(self.whitening)
        return AdaptedModel(model, flip=self.flip, whitening=step, label=label)

    def refuse_cache(self, out: Path, faces: Path) -> None:
        """Raise OutputError where the cache is, or lies in, what is read or written."""
        if self.cache is None:
            return
        if is_folder(faces):
            refuse_inside(self.cache, faces, option="--cache")
        refuse_below_file(self.cache / "about.json")
        if self.cache.resolve().is_relative_to(out.resolve()):
            raise OutputError(f"{self.cache}: in {out}, what one run makes; choose another --cache")

    def _engine(self, spec: str) -> Engine:
        return "auto" if spec == FLOOR else self.engine

    def embed(
        self,
        faces: Faces,
        model: Model,
        folder: Path,
        progress: Progress,
        *,
        called: str | None = None,
    ) -> Embeddings:
        """Embed `faces` into `folder`; `called` is the model's text, with its label if any."""
        label = None if called is None else split_label(called)[0]
        with progress(f"Embedding: {short_name(with_label(label, model.name))}") as step:
            found = embed(
                faces,
                model,
                folder,
                batch_size=self.batch_size,
                workers=self.workers,
                on_error=self.on_error,
                max_pixels=self.max_pixels,
                engine=self._engine(model.name),
                cache=self.cache,
                crew=self._encoder(split_steps(model.name)[0]),
                progress=step,
            )
        return replace(found, label=label)

    def _encoder(self, spec: str) -> Encoder | None:
        """The crew with this model."""
        if self.crew is None:
            return None
        return self.crew.with_model(partial(_load, replace(self, crew=None), spec))


def _load(options: EmbeddingOptions, spec: str, device: str | None) -> Model:
    """Load a model in another process, on the device that was chosen here."""
    return (options if device is None else replace(options, device=device)).load(spec)


def notes_of(models: Iterable[Model]) -> list[str]:
    """Notes for a user on how the files of these models were read, each sentence once."""
    return list(dict.fromkeys(note for model in models for note in model.notes))
