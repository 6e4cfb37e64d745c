"""The errors of this package, for callers who catch them by kind: the message says what to mend.

MiningError          a ValueError; no PairsetsError, as what mines is no pair set
├── RunError
├── EmbeddingError
├── RulesError
├── FusionError
├── TrainingError
├── ClusterError
└── ModelError
    ├── SuspectError
    └── NoPartsError
"""

from __future__ import annotations


class MiningError(ValueError):
    """Input that cannot be mined, or an impossible request."""


class RunError(MiningError):
    """A run that cannot start where it was asked to."""


class EmbeddingError(MiningError):
    """Images or vectors that cannot be used; the message lists every one of them."""


class RulesError(MiningError):
    """Rules that contradict themselves, or that these faces cannot keep."""


class FusionError(MiningError):
    """References that cannot be fused."""


class TrainingError(MiningError):
    """A training that cannot start, or cannot go on; the message says at which step and why."""


class ClusterError(MiningError):
    """A cluster that cannot be reached or used, or that lost the same work again and again."""


class ModelError(MiningError):
    """A model that cannot be loaded or used; the message says which and why."""


class SuspectError(ModelError):
    """A check cannot be made."""


class NoPartsError(ModelError):
    """A model whose score cannot be read off as a sum over positions."""
