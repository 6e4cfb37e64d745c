"""Checks of identities as `benchmarks/suspects.py` asks them, of one reference each."""

from __future__ import annotations

from mining.embeddings.store import Embeddings
from mining.suspects.identity.own_identities import OwnIdentities
from mining.suspects.measured_aliases import MeasuredAliases
from mining.suspects.measured_mislabels import MeasuredMislabels
from mining.suspects.measured_vetoes import MeasuredVeto
from pairsets.files.expectations import Expectation


def alias(looking: Embeddings) -> MeasuredAliases:
    """Check of identities with two names."""
    return MeasuredAliases([OwnIdentities(looking)])


def mislabel(looking: Embeddings) -> MeasuredMislabels:
    """Check of faces in wrong folders; has `of_faces`."""
    return MeasuredMislabels([OwnIdentities(looking)])


def veto(looking: Embeddings) -> MeasuredVeto:
    """Check of pairs by another reference than mined them."""
    return MeasuredVeto(looking)


def expected_of(check: object) -> Expectation | None:
    """Expectation of a check that measures itself, after it was asked; None of another."""
    found = getattr(check, "expected", None)
    return found if isinstance(found, Expectation) else None
