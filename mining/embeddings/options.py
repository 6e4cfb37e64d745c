"""Options of embedding: device, precision, batches, and whether bad images are skipped."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Literal, get_args

from mining.embeddings.crew import Crew, Encoder
from mining.embeddings.engines import Engine, refuse_unfit
from mining.embeddings.producer import BATCH_SIZE, OnError, embed
from mining.embeddings.store import Embeddings
from mining.embeddings.whitening_learner import Method, WhiteningPlan, learn_whitening
from mining.errors import EmbeddingError, ModelError
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
Post = Literal["centre", "whiten"]
_METHODS: Mapping[str, Method] = {"centre": "centre", "whiten": "within"}


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
        post, post_from: a step that is learnt on the spot instead, from a folder of embeddings of
            other faces by the same model: `centre` takes their mean off, `whiten` whitens within
            their identities; see `mining.embeddings.whitening_learner`.
        cache: folder of vectors that runs share; see `mining.embed`. On one machine it changes no
            vector.
        crew: processes elsewhere that embed; this one where it is None. It changes no vector.

    Raises:
        ModelError: `post` without `post_from`, or the other way round; or with `whitening`.
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
    post: Post | None = None
    post_from: Path | None = None
    cache: Path | None = field(default=None, compare=False)
    crew: Crew | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        if self.post is not None and self.post not in get_args(Post):
            raise ModelError(f"--post {self.post!r} is none of {', '.join(get_args(Post))}")
        if self.post is not None and self.post_from is None:
            raise ModelError(
                f"--post {self.post} is learnt on other faces: give --post-from, a folder of "
                "their embeddings by the same model"
            )
        if self.post_from is not None and self.post is None:
            raise ModelError(
                f"--post-from {self.post_from} without --post; say what to learn there: "
                f"{' or '.join(get_args(Post))}"
            )
        if self.post is not None and self.whitening is not None:
            raise ModelError(
                f"--post {self.post} and --whitening {self.whitening}: one step or the other; "
                "--post learns what --whitening reads"
            )

    @property
    def steps(self) -> list[str]:
        """Names of the options that make another model of each that is run."""
        return [name for name in ("layers", "flip", "whitening", "post") if getattr(self, name)]

    @property
    def settled(self) -> dict[str, object]:
        """Settings that an interrupted run goes on with alone; `auto` is none of them."""
        engine = {} if self.engine == "auto" else {"engine": self.engine}
        steps: dict[str, object] = {"layers": [*self.layers]} if self.layers else {}
        steps |= {"flip": True} if self.flip else {}
        if self.whitening is not None:
            steps["whitening"] = Whitening.read(self.whitening).digest
        if self.post is not None and self.post_from is not None:
            found = Embeddings.load(self.post_from).manifest
            steps["post"] = [self.post, found["fingerprint"], found["vectors_sha256"]]
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
        model = self._adapted(model, spec) if spec != FLOOR else model
        refuse_unfit(model, self._engine(spec))
        return model

    def refuse_steps(self, spec: str) -> None:
        """Raise ModelError where steps are asked for behind `pixels`, which `load` leaves without.

        For models that the user names: the floor stands beside models with steps as it is.
        """
        if split_label(spec)[1] == FLOOR and self.steps:
            raise ModelError(
                f"--{self.steps[0]} is of networks; {FLOOR} has no steps behind it: give it without"
            )

    def _adapted(self, model: Model, spec: str) -> Model:
        """The model with the steps behind it; itself where there are none."""
        if self.layers:
            from mining.models.layers import with_layers

            model = with_layers(model, self.layers)
        if not self.flip and self.whitening is None and self.post is None:
            return model
        step, label = None, self.whitening or self.post_from
        if self.whitening is not None:
            step = Whitening.read(self.whitening)
        elif self.post is not None and self.post_from is not None:
            self._refuse_faces(self.post_from, spec)
            found = Embeddings.load(self.post_from)
            step = learn_whitening(found, WhiteningPlan(_METHODS[self.post]))
        return AdaptedModel(model, flip=self.flip, whitening=step, label=str(label))

    def _refuse_faces(self, folder: Path, spec: str) -> None:
        """Raise EmbeddingError, with the command that is missing, for a folder of faces."""
        if not folder.is_dir() or (folder / "manifest.json").exists():
            return
        made = folder.with_name(f"{folder.name}-vectors")
        words = ["lookalikes", "embed", str(folder), "--model", spec, "--out", str(made)]
        words += ["--layers", ",".join(self.layers)] if self.layers else []
        words += ["--flip"] if self.flip else []
        raise EmbeddingError(
            f"{folder}: no embeddings, which a step is learnt on; are these the faces? Then first: "
            f"{shlex.join(words)}; and give --post-from {shlex.quote(str(made))}"
        )

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
