"""Crew that runs a model elsewhere; who it is knows `mining.cluster`."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from typing import Any, Protocol

from mining.embeddings.batches import BatchSettings
from mining.embeddings.journal import Source, Vectors
from mining.models.base import Model
from pairsets.faces import Faces
from pairsets.text_column import TextColumn


class Encoder(Protocol):
    """Other processes that embed faces, with the bytes that this one would give."""

    def encoded(
        self,
        faces: Faces,
        paths: TextColumn,
        model: Model,
        facts: Mapping[str, Any] | None,
        settings: BatchSettings,
    ) -> Generator[tuple[list[Source], Vectors, dict[str, str]], None, None]:
        """Finished vectors with their faces, and causes of failures, in any order.

        Args:
            faces: that the paths are of.
            paths: of the faces to embed.
            model: that encodes here.
            facts: of its engine; see `mining.embeddings.engines.EngineChoice`.
            settings: by which images go through it.
        """


class Crew(Protocol):
    """Processes that can load a model."""

    def with_model(self, load: Callable[[str | None], Model]) -> Encoder:
        """Give these processes a model that each of them loads.

        Args:
            load: loads the model, on the device that it is told; can be sent to another process.
        """
