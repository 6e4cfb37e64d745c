"""Errors of mining, and which is a kind of which."""

from __future__ import annotations

from pairsets.errors import PairsetsError


class RunError(PairsetsError):
    """A run that cannot start where it was asked to."""


class EmbeddingError(ValueError):
    """Images or vectors that cannot be used; the message lists every one of them."""


class ModelError(ValueError):
    """A model that cannot be loaded or used; the message says which, why and what to do."""


class RulesError(PairsetsError):
    """Rules that contradict themselves, or that these faces cannot keep."""


class FusionError(PairsetsError):
    """References that cannot be fused; the message says what to mend."""


class SuspectError(ModelError):
    """A check cannot be made."""


class NoPartsError(ModelError):
    """A model whose score cannot be read off as a sum over positions."""
