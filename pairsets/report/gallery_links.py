"""Links from the page to views of its gallery, each with how many pairs it opens."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import TypeAlias, TypeVar
from urllib.parse import urlencode

from pairsets.report.content import GalleryPair

# Of a page's pairs two might share a key once in a million pages.
KEY_LENGTH = 12
Rows: TypeAlias = frozenset[int]
A = TypeVar("A")


@dataclass(frozen=True)
class GalleryLink:
    """Number of pairs of a kind, and where the gallery shows them.

    A large set does not fit the gallery: then `shown`, which is what the address opens, is less
    than `count`.

    Attributes:
        count: how many there are.
        address: within the page; empty where the gallery has none of them.
        shown: how many it opens.
        hardest: whether those are harder than all that it does not open.
    """

    count: int
    address: str = ""
    shown: int = 0
    hardest: bool = False

    @property
    def text(self) -> str:
        """Words of the link: how many pairs it opens, and of how many.

        >>> GalleryLink(806, "#pairs?", 704, hardest=True).text, GalleryLink(806, "#", 806).text
        ('the 704 hardest of 806 pairs', '806 pairs')
        """
        whole = f"{self.count:,} pair{'s' if self.count != 1 else ''}"
        if self.shown in (0, self.count):
            return whole
        some = f"the {self.shown:,} hardest" if self.hardest else f"{self.shown:,}"
        return f"{some} of {whole}"


@dataclass(frozen=True, eq=False)
class GalleryViews:
    """The gallery's filters, as its script applies them: addresses of views, and what these open.

    Filters by key, as in the page's address: `set`, a set's name; `label`, `same` or `different`;
    `name` and `with`, identities, both of a pair where both are given; `face`, a path; `wrong` and
    `right`, models with such a verdict; `show`, `fa:MODEL` or `fr:MODEL`, its false accepts or
    rejects.

    Attributes:
        gallery: the pairs.
        scattered: sets and labels of which some left out is harder than some in the gallery.
    """

    gallery: Sequence[GalleryPair]
    scattered: Collection[tuple[str, int]] = ()

    def link(self, count: int, **filters: str) -> GalleryLink:
        """Link to the view of these filters, for `count` pairs that there are of the kind."""
        shown = len(self.rows(filters))
        if not shown:
            return GalleryLink(count)
        kind = filters.get("show", "")[:2]
        label = filters.get("label") or {"fa": "different", "fr": "same"}.get(kind)
        # Pairs of one identity and of two have no order among them, nor have those of two sets.
        one_kind = "set" in filters and label is not None
        hardest = one_kind and (filters["set"], int(label == "same")) not in self.scattered
        return GalleryLink(count, address(filters), shown, hardest)

    def rows(self, filters: Mapping[str, str]) -> Rows:
        """Places in the gallery of the pairs that all filters keep.

        Raises:
            KeyError: a filter that there is none of.
        """
        kept = [self._kept[key](value) for key, value in filters.items() if key != "with"]
        if "with" in filters:
            alone = filters["with"] == filters.get("name")
            kept.append((self._within if alone else self._shown_of).get(filters["with"], Rows()))
        if not kept:
            return Rows(range(len(self.gallery)))
        first, *others = sorted(kept, key=len)
        return first.intersection(*others)

    @cached_property
    def _kept(self) -> Mapping[str, Callable[[str], Rows]]:
        nothing = Rows()
        return {
            "set": lambda name: self._sets.get(name, nothing),
            "label": lambda said: self._labelled[said == "same"],
            "name": lambda name: self._shown_of.get(name, nothing),
            "face": lambda path: self._holding.get(path, nothing),
            "wrong": lambda model: self._judged.get((model, True), nothing),
            "right": lambda model: self._judged.get((model, False), nothing),
            "show": self._errors,
        }

    def _errors(self, told: str) -> Rows:
        kind, _, model = told.partition(":")
        return self._judged.get((model, True), Rows()) & self._labelled[kind == "fr"]

    @cached_property
    def _sets(self) -> dict[str, Rows]:
        return self._grouped(lambda pair: pair.sets)

    @cached_property
    def _labelled(self) -> dict[bool, Rows]:
        found = self._grouped(lambda pair: [bool(pair.label)])
        return {same: found.get(same, Rows()) for same in (False, True)}

    @cached_property
    def _shown_of(self) -> dict[str, Rows]:
        return self._grouped(lambda pair: [pair.name_a, pair.name_b])

    @cached_property
    def _holding(self) -> dict[str, Rows]:
        return self._grouped(lambda pair: [pair.path_a, pair.path_b])

    @cached_property
    def _within(self) -> dict[str, Rows]:
        return self._grouped(lambda pair: [pair.name_a] if pair.name_a == pair.name_b else [])

    @cached_property
    def _judged(self) -> dict[tuple[str, bool], Rows]:
        return self._grouped(
            lambda pair: [
                (model, said != bool(pair.label)) for model, said in pair.verdicts.items()
            ]
        )

    def _grouped(self, keys: Callable[[GalleryPair], Iterable[A]]) -> dict[A, Rows]:
        """Places of the pairs by each of their keys."""
        found: dict[A, list[int]] = {}
        for at, pair in enumerate(self.gallery):
            for key in keys(pair):
                found.setdefault(key, []).append(at)
        return {key: Rows(places) for key, places in found.items()}


def pair_key(path_a: str, path_b: str) -> str:
    """Key of a pair in addresses, `#pair=KEY`: `KEY_LENGTH` digits from its paths, in either order.

    >>> pair_key("Rei/1.png", "Asuka/1.png") == pair_key("Asuka/1.png", "Rei/1.png")
    True
    """
    both = "\n".join(sorted((path_a, path_b))).encode("utf-8", "surrogatepass")
    return sha256(both).hexdigest()[:KEY_LENGTH]


def address(filters: Mapping[str, str]) -> str:
    """Address of a view within the page.

    >>> address({"name": "Rei & Asuka", "with": "雪"})
    '#pairs?name=Rei+%26+Asuka&with=%E9%9B%AA'
    """
    return f"#pairs?{urlencode(filters, errors='replace')}"
