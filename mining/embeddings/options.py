"""Options of embedding: device, precision, batches, and whether bad images are skipped."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

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

    def load(self, spec: str) -> Model:
        """Load a model on this device, in this precision (`pixels` has only one)."""
        return load_model(
            spec,
            device=self.device,
            precision="fp32" if spec == FLOOR else self.precision,
        )

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
                progress=step,
            )


def notes_of(models: Iterable[Model]) -> list[str]:
    """Notes for a user on how the files of these models were read, each sentence once."""
    return list(dict.fromkeys(note for model in models for note in model.notes))
