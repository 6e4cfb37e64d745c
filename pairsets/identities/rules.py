"""Rules that tell who a picture shows by its path: a level of folders, a pattern, or a list.

A rule is one class with the methods of `Rule`: `ByLevel` is here, `ByPattern` in `patterns.py`,
`ByList` in `lists.py`. Without a rule it is the folder, as far as that can be known: `by_folder`,
in `folders.py`, asks where it cannot.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from pairsets.errors import FacesError
from pairsets.paths import strings
from pairsets.text_column import TextColumn

# A folder of that name holds a part of a data set, not an identity.
SPLITS = frozenset(
    {"train", "val", "valid", "validation", "test", "dev", "eval", "trn", "tst"}
    | {"training", "testing", "query", "gallery", "probe"}
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
    """Identities that a rule gives to some paths.

    Attributes:
        identities: `N`, who each shows; None where it is nobody, or cannot be told.
        left_out: how many of these there are, by reason.
        notes: sentences on what the user should look at.
    """

    identities: Sequence[str | None]
    left_out: Mapping[str, int] = field(default_factory=dict)
    notes: Sequence[str] = ()


class Rule(Protocol):
    """Rule by which identities are told.

    Attributes:
        said: the option that asks for it, for messages and manifests.
    """

    @property
    def said(self) -> str:
        """Option that asks for this rule."""

    def name(self, paths: Sequence[str]) -> Naming:
        """Who each of these relative, `/`-separated paths shows.

        Raises:
            FacesError: the rule does not fit the paths.
        """


@dataclass(frozen=True)
class ByLevel:
    """Rule by which the identity is the path down to its `level`-th folder.

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
        """Option that asks for this rule."""
        return f"--identity-level {self.level}"

    def name(self, paths: Sequence[str]) -> Naming:
        """The first `level` folders of each path.

        Raises:
            FacesError: a picture lies in fewer folders.
        """
        codes, folders = TextColumn.of(paths).folders
        parts = [folder.split("/") if folder else [] for folder in folders]
        high = []
        if any(len(part) < self.level for part in parts):
            high = [path for path in paths if path.count("/") < self.level]
        if high:
            raise FacesError(
                f"{self.said}: {some(high)} in fewer folders than {self.level}; expected every "
                f"picture below {self.level} or more: a lower level, or --identity-pattern, "
                "--identities"
            )
        found = ["/".join(part[: self.level]) for part in parts]
        return Naming(strings(found)[codes].tolist(), notes=self._notes(dict.fromkeys(found)))

    def _notes(self, names: Iterable[str]) -> list[str]:
        """Notes on identities that a level may tear apart, or throw together."""
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


def nearly_all_single(identities: Iterable[str]) -> tuple[int, int] | None:
    """Numbers of identities and of those with one picture, if nearly all of five or more.

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
    """Text of the first path, and how many others."""
    if len(paths) == 1:
        return f"{paths[0]!r} is"
    return f"{paths[0]!r} and {len(paths) - 1:,} more are"
