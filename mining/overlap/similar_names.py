"""Names of two lists that may be one identity's: found without comparing each with each."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator

from mining.suspects.identity.names import REBUILT, Likeness, Name, likeness

# From here on names are told: below it are namesakes, sisters and words in common.
LEAST = Likeness.ORDER


def similar_names(first: Iterable[str], second: Iterable[str]) -> list[tuple[str, str, Likeness]]:
    """Every two names, one of each list, whose likeness is `LEAST` or more; sorted.

    Equal names are among them.

    >>> similar_names(["rin_(fate)", "saber"], ["rin_(summer)_(fate)"])
    [('rin_(fate)', 'rin_(summer)_(fate)', <Likeness.COSTUME: 4>)]
    """
    ours: dict[Hashable, list[str]] = defaultdict(list)
    for name in sorted({*first}):
        for key in _keys(name):
            ours[key].append(name)
    found = {}
    for other in sorted({*second}):
        for name in {name for key in _keys(other) for name in ours.get(key, ())}:
            said = likeness(name, other)
            if said >= LEAST:
                found[name, other] = said
    return [(name, other, found[name, other]) for name, other in sorted(found)]


def _keys(name: str) -> Iterator[Hashable]:
    """Keys that names so alike have in common: the letters of the stem, in any order.

    Or, where one of them was rebuilt, those of the stem without one or more words behind it.
    """
    stem = Name.of(name).stem
    while stem:
        yield "".join(sorted("".join(stem)))
        stem = stem[:-1] if stem[-1] in REBUILT else ()
