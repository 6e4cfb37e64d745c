"""Checks of identities as `benchmarks/suspects.py` asks them, of one reference each."""

from __future__ import annotations

from typing import Any

from mining.embeddings.store import Embeddings
from mining.suspects.aliases import SameIdentity
from mining.suspects.mislabels import Mislabelled
from mining.suspects.vetoes import SecondModel
from pairsets.files.expectations import Expectation


def alias(looking: Embeddings) -> Any:
    """Check of identities with two names."""
    return SameIdentity([looking])


def mislabel(looking: Embeddings) -> Any:
    """Check of faces in wrong folders; has `of_faces`."""
    return Mislabelled([looking])


def veto(looking: Embeddings) -> Any:
    """Check of pairs by another reference than mined them."""
    return SecondModel(looking)


def expected_of(check: object) -> Expectation | None:
    """Expectation of a check that measures itself, after it was asked; None of another."""
    found = getattr(check, "expected", None)
    return found if isinstance(found, Expectation) else None
