"""What the methods refuse."""

from __future__ import annotations

from mining.models.base import ModelError


class NoPartsError(ModelError):
    """A model whose score cannot be read off as a sum over positions."""
