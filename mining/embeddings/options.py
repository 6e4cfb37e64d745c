"""Options of embedding: device, precision, batches, and whether bad images are skipped."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from mining.embeddings.engines import Engine, refuse_unfit
from mining.embeddings.producer import BATCH_SIZE, OnError, embed
from mining.embeddings.store import Embeddings
from mining.models import Model, Precision, load_model
from mining.models.names import short_name
from pairsets import images
from pairsets.faces import Faces
from pairsets.progress import Progress

# The model that needs no weights: what it scores is what no model scores.
FLOOR = "pixels"


@dataclass(frozen=True)
class EmbeddingOptions:
    """Options of running models and reading images; see `mining.load_model`, `mining.embed`."""

    device: str = "auto"
    precision: Precision = "fp32"
    batch_size: int = BATCH_SIZE
    workers: int | None = None
    on_error: OnError = "fail"
    max_pixels: int = images.MAX_PIXELS
    engine: Engine = "auto"

    @property
    def settled(self) -> dict[str, object]:
        """Settings that an interrupted run goes on with alone; `auto` is none of them."""
        engine = {} if self.engine == "auto" else {"engine": self.engine}
        return {"precision": self.precision, **engine}

    def load(self, spec: str) -> Model:
        """Load a model on this device, in this precision (`pixels` has only one).

        Raises:
            ModelError: as `load_model`; or the engine is not for this model.
        """
        model = load_model(
            spec,
            device=self.device,
            precision="fp32" if spec == FLOOR else self.precision,
        )
        refuse_unfit(model, self._engine(spec))
        return model

    def _engine(self, spec: str) -> Engine:
        return "auto" if spec == FLOOR else self.engine

    def embed(self, faces: Faces, model: Model, folder: Path, progress: Progress) -> Embeddings:
        """Embed `faces` into `folder`."""
        with progress(f"Embedding: {short_name(model.name)}") as step:
            return embed(
                faces,
                model,
                folder,
                batch_size=self.batch_size,
                workers=self.workers,
                on_error=self.on_error,
                max_pixels=self.max_pixels,
                engine=self._engine(model.name),
                progress=step,
            )


def notes_of(models: Iterable[Model]) -> list[str]:
    """Notes for a user on how the files of these models were read, each sentence once."""
    return list(dict.fromkeys(note for model in models for note in model.notes))
