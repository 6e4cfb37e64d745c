"""Findings of a diagnosis: what is wrong, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """Something that is wrong, or worth knowing.

    Attributes:
        what: in a sentence.
        remedy: what to do, or to type.
        broken: whether commands fail by it; else it is a note.
    """

    what: str
    remedy: str
    broken: bool = True
