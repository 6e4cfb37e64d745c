"""Fields of shards that say who is shown: a file beside the picture, or a column."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pairsets.errors import FacesError
from pairsets.identities.rules import REMEDIES, Naming

FOLDER = "folder"


@dataclass(frozen=True)
class ByField:
    """Rule by which the identity is what a shard says beside the picture.

    Attributes:
        field: of tar shards `folder`, `cls`, `txt` or `json:NAME`; of Parquet a column.
    """

    field: str

    @property
    def said(self) -> str:
        """Option that asks for this rule."""
        return f"--identity-field {self.field}"

    def name(self, paths: Sequence[str]) -> Naming:
        """Refuse pictures that lie in folders, which have no fields.

        Raises:
            FacesError: always.
        """
        raise FacesError(
            f"{self.said}: is of tar and Parquet shards, and these are {len(paths):,} pictures in "
            f"folders; there are {REMEDIES}"
        )
