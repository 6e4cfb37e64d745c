"""Kinds of what an audit of a folder of faces finds. Nothing heavy is imported, for the help.

Most are kinds of suspects, too (`pairsets.files.suspect_kinds`), so that pairs can be asked for
them. `outlier` and `few` are of a folder alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pairsets.files.suspect_kinds import KINDS

# Every kind, in the order of tables, and what it is in words.
AUDIT_KINDS: Mapping[str, str] = {
    "duplicate": "the same picture twice",
    "source": "two faces of one picture",
    "variant": "variants of one drawing",
    "alias": "one identity under two names",
    "mislabel": "a face of another identity",
    "crop": "a bad crop",
    "outlier": "a face unlike all others",
    "few": "an identity with too few pictures",
}
# What a finding is of: two or more faces, two identities, one face; `few` is of one identity.
OF_PAIRS = ("duplicate", "source", "variant")
OF_IDENTITIES = ("alias",)
OF_FACES = ("mislabel", "crop", "outlier")
# Kinds of which it is sure which face to leave out; and all of which it can be said at all.
SURE = ("duplicate", "crop")
ACTIONABLE = (*OF_PAIRS, *OF_FACES)


def is_of_pairs(kind: str) -> bool:
    """Whether pairs can be asked for a kind that an audit finds.

    >>> is_of_pairs("alias"), is_of_pairs("few")
    (True, False)
    """
    return kind in AUDIT_KINDS and kind in KINDS


def in_order(kinds: Iterable[str]) -> list[str]:
    """Kinds of an audit, each once, in the order of tables.

    >>> in_order(["few", "alias"])
    ['alias', 'few']
    """
    found = {*kinds}
    return [kind for kind in AUDIT_KINDS if kind in found]
