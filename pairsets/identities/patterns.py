"""Identities that stand in the names of pictures: patterns, and those of published data sets."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from pairsets.errors import FacesError
from pairsets.identities.rules import SPLITS, Naming, some

GROUP = "identity"
# What a pattern leaves over may be stray files; from such a share on, the pattern is wrong.
_MANY = 0.5
# Share of the pictures that a pattern must fit to be suggested.
_FITS = 0.9


@dataclass(frozen=True)
class NamedPattern:
    """Pattern by which a published data set names its pictures.

    Attributes:
        about: the data set and its naming.
        regex: searched in the relative path; its group `identity` is the identity.
        nobody: identities that are none, and what they are.
        own: whether no other pictures are likely to be called so.
    """

    about: str
    regex: str
    nobody: Mapping[str, str] = field(default_factory=dict)
    own: bool = False


def _file(name: str) -> str:
    """A pattern of the whole name of a file, its ending aside."""
    return rf"(?:^|/){name}(?:\.\w+)+$"


# The special before the general: of two that tell the same identities the first is suggested.
NAMED: Mapping[str, NamedPattern] = MappingProxyType(
    {
        "market1501": NamedPattern(
            "Market-1501, PERSON_cCsS_FRAME_BOX.jpg",
            _file(r"(?P<identity>-1|\d{4})_c\d+s\d+_\d+_\d+"),
            {"-1": "junk, nobody in particular", "0000": "distractors, nobody in particular"},
            own=True,
        ),
        "dukemtmc": NamedPattern(
            "DukeMTMC-reID, PERSON_cC_fFRAME.jpg",
            _file(r"(?P<identity>\d{4})_c\d+_f\d+"),
            own=True,
        ),
        "msmt17": NamedPattern(
            # The persons of its test part are numbered from 0000 again.
            "MSMT17, PART/PERSON/PERSON_IMAGE_CAMERA_TIME_FRAME_BOX.jpg",
            r"(?:^|/)(?P<identity>(?:[^/]+/)?\d{4})/\d{4}_\d{3}_\d{2}_[^/]+$",
        ),
        "veri776": NamedPattern(
            "VeRi-776, VEHICLE_cCAMERA_TIME_INDEX.jpg",
            _file(r"(?P<identity>\d{4})_c\d{3}_\d+_\d+"),
            own=True,
        ),
        "cacd": NamedPattern(
            "CACD, AGE_First_Last_0001.jpg",
            _file(r"\d{1,3}_(?P<identity>[^/]*[^\W\d_][^/]*)_\d{4}"),
        ),
        "agedb": NamedPattern(
            "AgeDB, NUMBER_Name_AGE_GENDER.jpg",
            _file(r"\d+_(?P<identity>[^/]+)_\d{1,3}_[mf]"),
            own=True,
        ),
        "lfw": NamedPattern(
            "LFW, First_Last_0001.jpg", _file(r"(?P<identity>[^/]*[^\W\d_][^/]*)_\d{4}")
        ),
        "calfw": NamedPattern(
            "CALFW, First_Last_0001.jpg", _file(r"(?P<identity>[^/]*[^\W\d_][^/]*)_\d{4}")
        ),
        "cplfw": NamedPattern(
            "CPLFW, First_Last_1.jpg", _file(r"(?P<identity>[^/]*[^\W\d_][^/]*)_\d{1,4}")
        ),
        "facescrub": NamedPattern(
            "FaceScrub, First_Last_123.jpg", _file(r"(?P<identity>[^/]*[^\W\d_][^/]*)_\d+")
        ),
        "splits": NamedPattern(
            "folders of a person in each part of a data set, train/PERSON and val/PERSON",
            rf"^(?i:{'|'.join(sorted(SPLITS))})/(?P<identity>[^/]+)/[^/]+$",
        ),
    }
)


@dataclass(frozen=True)
class ByPattern:
    """Rule by which the identity is what a group of a regular expression finds in the path.

    Attributes:
        text: the expression, or the name of one of `NAMED`.

    Raises:
        FacesError: no such name, not an expression, or no group that is the identity.

    >>> ByPattern("market1501").name(["0002_c1s1_000451_03.jpg", "-1_c1s1_000401_03.jpg"])
    Naming(identities=['0002', None], left_out={'junk, nobody in particular': 1}, notes=[])
    >>> ByPattern(r"id(\\d+)").name(["all/id7_a.jpg", "all/id7_b.jpg"]).identities
    ['7', '7']
    """

    text: str

    def __post_init__(self) -> None:
        known = NAMED.get(self.text)
        try:
            regex = re.compile(known.regex if known else self.text)
        except (re.error, OverflowError, RecursionError) as error:
            raise FacesError(f"{self.said}: not a regular expression ({error})") from None
        if not regex.groups:
            names = ", ".join(NAMED)
            if re.fullmatch(r"[\w-]+", self.text):
                raise FacesError(f"{self.said}: no pattern of that name; there are {names}")
            raise FacesError(
                f"{self.said}: no group that is the identity; expected one in brackets, as in "
                f"'([^/]+)_[0-9]+', or one of the names {names}"
            )
        if regex.groups > 1 and GROUP not in regex.groupindex:
            raise FacesError(
                f"{self.said}: {regex.groups} groups; call the one that is the identity "
                f"(?P<{GROUP}>...), or begin the others with (?:"
            )
        object.__setattr__(self, "_regex", regex)

    @property
    def said(self) -> str:
        """Option that asks for this rule."""
        return f"--identity-pattern {self.text if self.text in NAMED else repr(self.text)}"

    def name(self, paths: Sequence[str]) -> Naming:
        """Identities that the group finds in each path.

        Raises:
            FacesError: it fits none of the paths, or leaves over more than it fits.
        """
        found = self._found(paths)
        unfit = [path for path, name in zip(paths, found, strict=True) if not name]
        if paths and len(unfit) == len(paths):
            raise FacesError(f"{self.said}: fits none of {len(paths):,} paths, as {paths[0]!r}")
        if len(unfit) > _MANY * len(paths):
            raise FacesError(
                f"{self.said}: {some(unfit)} without an identity, of {len(paths):,} pictures; "
                "expected a pattern that fits most: or is this another folder?"
            )
        nobody = NAMED[self.text].nobody if self.text in NAMED else {}
        left_out = (
            {f"the pattern {self.text!r} does not fit their path": len(unfit)} if unfit else {}
        )
        for name, what in nobody.items():
            count = found.count(name)
            if count:
                left_out[what] = count
        named = [None if not name or name in nobody else name for name in found]
        if not any(named):
            raise FacesError(f"{self.said}: nobody is on any of {len(paths):,} pictures")
        notes = []
        if unfit:
            notes.append(f"{some(unfit)} left out, as {self.said} does not fit.")
        return Naming(named, left_out, notes)

    def _found(self, paths: Sequence[str]) -> list[str | None]:
        group = GROUP if GROUP in self._regex.groupindex else 1
        search = self._regex.search
        known: dict[str | None, str | None] = {}
        # One object an identity, however many pictures it has.
        return [
            known.setdefault(found[group], found[group]) if (found := search(path)) else None
            for path in paths
        ]

    _regex: re.Pattern[str] = field(init=False, repr=False, compare=False)


def torn_by_folders(paths: Sequence[str]) -> bool:
    """Whether pictures named as those of a data set lie in folders of several identities each.

    >>> torn_by_folders(["gt/0002_c1s1_000451_03.jpg", "gt/0007_c1s6_028546_01.jpg"])
    True
    >>> torn_by_folders(["0002/0002_c1s1_000451_03.jpg", "0007/0007_c1s6_028546_01.jpg"])
    False
    """
    for name, pattern in NAMED.items():
        rule = ByPattern(name)
        # Most folders are of no such data set: a few names tell.
        if not pattern.own or not all(rule._found(paths[:3])):
            continue
        inside: dict[str, set[str]] = {}
        fits = 0
        for path, found in zip(paths, rule._found(paths), strict=True):
            people = inside.setdefault(path.rpartition("/")[0], set())
            if found:
                fits += 1
                people.add(found)
        several = sum(len(people) > 1 for people in inside.values())
        if fits >= _FITS * len(paths) and 2 * several > len(inside):
            return True
    return False


@dataclass(frozen=True)
class Suggestion:
    """A named pattern that fits a folder, and what it would give."""

    name: str
    about: str
    identities: int
    pictures: int


def suggestions(paths: Sequence[str]) -> list[Suggestion]:
    """The named patterns that fit nearly all paths and give identities with several pictures.

    Of those that tell the same identities, the first.

    >>> suggestions(["0002_c002_00030600_0.jpg", "0002_c003_00084280_0.jpg"])[0].name
    'veri776'
    """
    kept: list[Suggestion] = []
    seen: list[list[int]] = []
    for name, pattern in NAMED.items():
        found = ByPattern(name)._found(paths)
        fits = sum(map(bool, found))
        named = [one for one in found if one and one not in pattern.nobody]
        distinct = len(set(named))
        if fits < _FITS * len(paths) or not named or distinct == len(named):
            continue
        codes: dict[str | None, int] = {}
        grouped = [codes.setdefault(one, len(codes)) for one in found]
        if grouped not in seen:
            seen.append(grouped)
            kept.append(Suggestion(name, pattern.about, distinct, len(named)))
    return kept
