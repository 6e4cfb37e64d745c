"""Whom pictures show where no rule says it: the folders they lie in, or a refusal that asks."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from pairsets.errors import FacesError
from pairsets.identities.rules import REMEDIES, SPLITS, Naming, is_split, some
from pairsets.paths import strings
from pairsets.text_column import TextColumn

_SPLIT_WORD = re.compile(
    rf"(?:^|(?<=[\W_]))(?:{'|'.join(sorted(SPLITS))})(?=[\W_\d]|$)", re.IGNORECASE
)


def by_folder(root: Path | str, paths: Sequence[str]) -> Naming:
    """Who each picture shows where no rule says it: the folder, if all lie one folder deep.

    Of `train/rei`, `val/rei` the pictures of one name are taken for one identity.

    Raises:
        FacesError: pictures lie in no folder, or in several, so that it has to be asked which one
            is the identity; the message counts what each choice would give.
    """
    codes, folders = TextColumn.of(paths).folders
    depths = Counter[int]()
    for folder, count in zip(folders, np.bincount(codes).tolist(), strict=True):
        depths[folder.count("/") + 1 if folder else 0] += count
    if depths[0]:
        raise FacesError(_flat(root, paths, depths[0] == len(paths)))
    firsts = list(dict.fromkeys(folder.partition("/")[0] for folder in folders))
    if set(depths) == {1}:
        _refuse_parts(root, paths, firsts)
        return Naming(strings(folders)[codes].tolist())
    if set(depths) == {2} and all(map(is_split, firsts)):
        return _across_splits(root, paths, firsts)
    raise FacesError(_nested(root, paths, depths, firsts))


def _flat(root: Path | str, paths: Sequence[str], all_of_them: bool) -> str:
    stray = [path for path in paths if "/" not in path]
    where = f"{root}: {some(stray)} outside an identity folder; expected <identity>/<image>"
    if not all_of_them:
        return (
            f"{where}. Does the path tell who is shown, there is --identity-pattern REGEX|NAME; "
            "does a list, --identities FILE"
        )
    return (
        f"{where}: is this the folder of one identity?{fitting(paths)} Else say with "
        "--identity-pattern REGEX|NAME where in its name stands who a picture shows, or with "
        "--identities FILE in which list"
    )


def fitting(paths: Sequence[str]) -> str:
    """The named patterns that fit, as a sentence."""
    from pairsets.identities.patterns import suggestions

    found = suggestions(paths)
    if not found:
        return ""
    told = [
        f"{one.about} ({one.identities:,} identities, {one.pictures:,} pictures): "
        f"--identity-pattern {one.name}"
        for one in found[:3]
    ]
    return f" The names look like those of {'; or of '.join(told)}."


def _refuse_parts(root: Path | str, paths: Sequence[str], firsts: Sequence[str]) -> None:
    """Raise FacesError where the folders seem to be parts of a data set, and no identities.

    That is: they are called alike but for a word such as train or test, as `image_train` and
    `image_test`; or their pictures are named as those of a data set, several persons in a folder.
    """
    from pairsets.identities.patterns import torn_by_folders

    rests = {_SPLIT_WORD.sub("", name, count=1) for name in firsts}
    words = len(firsts) > 1 and len(rests) == 1 and all(map(_SPLIT_WORD.search, firsts))
    if words or torn_by_folders(paths):
        shown = ", ".join(firsts[:4]) + (", ..." if len(firsts) > 4 else "")
        raise FacesError(
            f"{root}: its folders ({shown}) seem to be parts of a data set, and the pictures lie "
            f"directly in them; who does a picture show?{fitting(paths)} There are {REMEDIES}. If "
            "each folder is one identity: --identity-level 1"
        )


def _across_splits(root: Path | str, paths: Sequence[str], firsts: Sequence[str]) -> Naming:
    codes, folders = TextColumn.of(paths).folders
    names = [folder.split("/")[1] for folder in folders]
    homes: dict[str, set[str]] = {}
    for folder, name in zip(folders, names, strict=True):
        homes.setdefault(name, set()).add(folder.partition("/")[0])
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
    return Naming(strings(names)[codes].tolist(), notes=[note])


def _nested(
    root: Path | str, paths: Sequence[str], depths: Mapping[int, int], firsts: Sequence[str]
) -> str:
    """Question which folder is the identity, with the number of identities by each answer."""
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
        inner = f" Or are the faces in {root}/{firsts[0]}?"
    uneven = "" if lowest == max(depths) else f" (and others lie in {lowest})"
    return (
        f"{root}: {some(deepest)} in {max(depths)} folders{uneven}; which one is the identity? "
        f"There are {'; '.join(choices)}; or say it with --identity-pattern REGEX "
        f"('^(.*)/' is the folder that holds the picture), --identities FILE.{inner}"
    )
