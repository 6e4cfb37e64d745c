"""Crews that share a search; who they are knows `mining.cluster`."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from indexes.join.job import Crew
from mining.embeddings.store import Embeddings


class SearchCrews(Protocol):
    """Maker of crews, one for the vectors of each search."""

    def over(self, embeddings: Embeddings, kept: NDArray[np.bool_]) -> Crew:
        """Make the crew that searches the faces that are `kept [N]` of these embeddings."""
