"""Who a picture shows, told by its path: the folder, a level of folders, a pattern, or a list.

A rule is one class with the methods of `Rule`: `ByLevel` is here, `ByPattern` in
`identity_patterns.py`, `ByList` in `identity_lists.py`. Without a rule it is the folder, as far as
that can be known: `by_folder` asks where it cannot.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from pairsets.errors import FacesError

# A folder of that name holds a part of a data set, not an identity.
SPLITS = frozenset(
    {"train", "val", "valid", "validation", "test", "dev", "eval", "trn", "tst"}
    | {"training", "testing", "query", "gallery", "probe"}
)
_SPLIT_WORD = re.compile(
    rf"(?:^|(?<=[\W_]))(?:{'|'.join(sorted(SPLITS))})(?=[\W_\d]|$)", re.IGNORECASE
)
# What a column of a table is called that says who a picture shows.
WHO_COLUMNS = frozenset(
    {"identity", "character", "name", "label", "class", "class_name"}
    | {"person", "subject", "celebrity", "target"}
)
# From so many identities on, and such a share of them with one picture, something is misread.
FEW, SINGLE_SHARE = 5, 0.9
# Remedies, as messages name them.
REMEDIES = (
    "--identity-level N (the identity is the path down to its N-th folder), "
    "--identity-pattern REGEX|NAME (it stands in the path), or --identities FILE (a list)"
)


@dataclass(frozen=True)
class Naming:
    """What a rule makes of some paths.

    Attributes:
        identities: `N`, who each shows; None where it is nobody, or cannot be told.
        left_out: how many of these there are, by reason.
        notes: sentences on what the user should look at.
    """

    identities: Sequence[str | None]
    left_out: Mapping[str, int] = field(default_factory=dict)
    notes: Sequence[str] = ()


class Rule(Protocol):
    """How identities are told.

    Attributes:
        said: the option that asks for it, for messages and manifests.
    """

    @property
    def said(self) -> str:
        """The option that asks for it."""

    def name(self, paths: Sequence[str]) -> Naming:
        """Who each of these relative, `/`-separated paths shows.

        Raises:
            FacesError: the rule does not fit the paths.
        """


@dataclass(frozen=True)
class ByLevel:
    """The identity is the path down to its `level`-th folder.

    >>> ByLevel(1).name(["rei/video1/1.jpg", "rei/video2/1.jpg"]).identities
    ['rei', 'rei']
    >>> ByLevel(2).name(["naruto/sakura/1.jpg", "cardcaptor/sakura/1.jpg"]).identities
    ['naruto/sakura', 'cardcaptor/sakura']
    """

    level: int

    def __post_init__(self) -> None:
        if self.level < 1:
            raise FacesError(f"identity level {self.level}; expected 1 or more")

    @property
    def said(self) -> str:
        """The option that asks for it."""
        return f"--identity-level {self.level}"

    def name(self, paths: Sequence[str]) -> Naming:
        """The first `level` folders of each path.

        Raises:
            FacesError: a picture lies in fewer folders.
        """
        parts = [path.split("/", self.level) for path in paths]
        high = [path for path, part in zip(paths, parts, strict=True) if len(part) <= self.level]
        if high:
            raise FacesError(
                f"{self.said}: {some(high)} in fewer folders than {self.level}; expected every "
                f"picture below {self.level} or more: a lower level, or --identity-pattern, "
                "--identities"
            )
        found = ["/".join(part[:-1]) for part in parts]
        return Naming(found, notes=self._notes(dict.fromkeys(found)))

    def _notes(self, names: Iterable[str]) -> list[str]:
        """What a level may tear apart, or throw together."""
        names = list(names)
        notes = []
        if self.level > 1:
            above = Counter(name.rpartition("/")[0] for name in names)
            torn = sum(count > 1 for count in above.values())
            if torn:
                first = next(name for name, count in above.items() if count > 1)
                notes.append(
                    f"{self.said} takes folders of one parent apart: {len(names):,} identities in "
                    f"{len(above):,} folders, such as {above[first]:,} in {first!r}."
                )
            homes: dict[str, list[str]] = {}
            for name in names:
                homes.setdefault(name.rpartition("/")[2], []).append(name)
            twice = {name: found for name, found in homes.items() if len(found) > 1}
            if twice:
                name, found = next(iter(twice.items()))
                more = f", and {len(twice) - 1:,} more names do" if len(twice) > 1 else ""
                notes.append(
                    f"The name {name!r} stands in {len(found):,} places ({', '.join(found[:2])})"
                    f"{more}: {self.said} takes them for different identities. Where a name is "
                    "one identity everywhere, use --identity-pattern '([^/]+)/[^/]+$'."
                )
        splits = [name for name in names if self.level == 1 and is_split(name)]
        if splits:
            notes.append(
                f"{self.said} takes {', '.join(map(repr, splits[:3]))} for identities, which are "
                "names of parts of a data set."
            )
        return notes


def by_folder(root: Path, paths: Sequence[str]) -> Naming:
    """Who each picture shows where no rule says it: the folder, if all lie one folder deep.

    Of `train/rei`, `val/rei` the pictures of one name are taken for one identity.

    Raises:
        FacesError: pictures lie in no folder, or in several, so that it has to be asked which one
            is the identity; the message counts what each choice would give.
    """
    depths = Counter(path.count("/") for path in paths)
    if depths[0]:
        raise FacesError(_flat(root, paths, depths[0] == len(paths)))
    firsts = list(dict.fromkeys(path.partition("/")[0] for path in paths))
    if set(depths) == {1}:
        _refuse_parts(root, paths, firsts)
        return Naming([path.rpartition("/")[0] for path in paths])
    if set(depths) == {2} and all(map(is_split, firsts)):
        return _across_splits(root, paths, firsts)
    raise FacesError(_nested(root, paths, depths, firsts))


def nearly_all_single(identities: Iterable[str]) -> tuple[int, int] | None:
    """How many identities there are and how many have one picture, if nearly all of five or more.

    >>> nearly_all_single(["a", "b", "c", "d", "e"]), nearly_all_single(["a", "a", "b"])
    ((5, 5), None)
    """
    sizes = Counter(identities)
    single = sum(size == 1 for size in sizes.values())
    return (
        (len(sizes), single) if len(sizes) >= FEW and single > SINGLE_SHARE * len(sizes) else None
    )


def is_split(name: str) -> bool:
    """Whether a folder is named as a part of a data set.

    >>> is_split("Train"), is_split("dev_x")
    (True, False)
    """
    return name.lower() in SPLITS


def some(paths: Sequence[str]) -> str:
    """The first path, and how many others."""
    if len(paths) == 1:
        return f"{paths[0]!r} is"
    return f"{paths[0]!r} and {len(paths) - 1:,} more are"


def _flat(root: Path, paths: Sequence[str], all_of_them: bool) -> str:
    stray = [path for path in paths if "/" not in path]
    where = f"{root}: {some(stray)} outside a character folder; expected <character>/<image>"
    if not all_of_them:
        return (
            f"{where}. Does the path tell who is shown, there is --identity-pattern REGEX|NAME; "
            "does a list, --identities FILE"
        )
    return (
        f"{where}: is this the folder of one character?{fitting(paths)} Else say with "
        "--identity-pattern REGEX|NAME where in its name stands who a picture shows, or with "
        "--identities FILE in which list"
    )


def fitting(paths: Sequence[str]) -> str:
    """The named patterns that fit, as a sentence."""
    from pairsets.identity_patterns import suggestions

    found = suggestions(paths)
    if not found:
        return ""
    told = [
        f"{one.about} ({one.identities:,} identities, {one.pictures:,} pictures): "
        f"--identity-pattern {one.name}"
        for one in found[:3]
    ]
    return f" The names look like those of {'; or of '.join(told)}."


def _refuse_parts(root: Path, paths: Sequence[str], firsts: Sequence[str]) -> None:
    """Raise FacesError where the folders seem to be parts of a data set, and no identities.

    That is: they are called alike but for a word such as train or test, as `image_train` and
    `image_test`; or their pictures are named as those of a data set, several persons in a folder.
    """
    from pairsets.identity_patterns import torn_by_folders

    rests = {_SPLIT_WORD.sub("", name, count=1) for name in firsts}
    words = len(firsts) > 1 and len(rests) == 1 and all(map(_SPLIT_WORD.search, firsts))
    if words or torn_by_folders(paths):
        shown = ", ".join(firsts[:4]) + (", ..." if len(firsts) > 4 else "")
        raise FacesError(
            f"{root}: its folders ({shown}) seem to be parts of a data set, and the pictures lie "
            f"directly in them; who does a picture show?{fitting(paths)} There are {REMEDIES}. If "
            "each folder is one identity: --identity-level 1"
        )


def _across_splits(root: Path, paths: Sequence[str], firsts: Sequence[str]) -> Naming:
    below = [path.split("/")[1] for path in paths]
    homes: dict[str, set[str]] = {}
    for path, name in zip(paths, below, strict=True):
        homes.setdefault(name, set()).add(path.partition("/")[0])
    shared = [name for name, found in homes.items() if len(found) > 1]
    if any(name.isdecimal() for name in shared):
        name = next(name for name in shared if name.isdecimal())
        raise FacesError(
            f"{root}: {name!r} is a folder of {' and of '.join(sorted(homes[name]))}: a number may "
            "be one identity's everywhere, or be given anew in each part (as MSMT17 does). If it "
            "is one identity: --identity-pattern splits; if they are others: --identity-level 2"
        )
    note = (
        f"{', '.join(sorted(firsts))} are taken for parts of a data set, in which a name is one "
        f"identity everywhere: {len(homes):,} identities, {len(shared):,} of them in several "
        "parts. To tell them apart: --identity-level 2."
    )
    return Naming(below, notes=[note])


def _nested(
    root: Path, paths: Sequence[str], depths: Mapping[int, int], firsts: Sequence[str]
) -> str:
    """Which folder is the identity? With what each answer gives."""
    deepest = [path for path in paths if path.count("/") == max(depths)]
    lowest = min(depth for depth, count in depths.items() if count)
    choices = [
        f"{len({tuple(path.split('/')[:level]) for path in paths}):,} identities by "
        f"--identity-level {level}"
        for level in range(1, lowest + 1)
    ]
    if any(map(is_split, firsts)):
        choices.append("--identity-pattern splits where the first folder is a part of a data set")
    inner = ""
    if len(firsts) == 1:
        inner = f" Or are the faces in {root / firsts[0]}?"
    uneven = "" if lowest == max(depths) else f" (and others lie in {lowest})"
    return (
        f"{root}: {some(deepest)} in {max(depths)} folders{uneven}; which one is the identity? "
        f"There are {'; '.join(choices)}; or say it with --identity-pattern REGEX "
        f"('^(.*)/' is the folder that holds the picture), --identities FILE.{inner}"
    )
