"""Who is who: the three ways in which pictures and boxes come to a character.

The metadata says it of posts; or each box says it itself; or the boxes of a picture do, or else the
folder in which it lies.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pairsets.errors import SourceError
from pairsets.funnel import FunnelRow
from pairsets.sources.danbooru.blocks import Block
from pairsets.sources.danbooru.metadata import Metadata
from pairsets.sources.danbooru.posts import (
    KEPT,
    NAMELESS,
    NOBODY,
    SEVERAL,
    UNRATED,
    UNSAID,
    UNTYPED,
)
from pairsets.sources.danbooru.selection import (
    SelectedPictures,
    Selection,
    named_boxes,
    named_pictures,
    repeated,
)
from pairsets.sources.danbooru.single_faces import FACES, NO_FACE, ONE, Boxed
from pairsets.sources.face_boxes import FaceBoxes

# As WIDER FACE calls the folders of its pictures: 0--Parade.
_EVENT = re.compile(r"\d+--\w")


def of_posts(
    boxed: Boxed, read: Metadata, blocks: Iterable[Block], faces: Path
) -> tuple[SelectedPictures, list[FunnelRow], list[str]]:
    """The pictures of posts with one character, what was left out, and what to know of it.

    Args:
        boxed: the faces.
        read: the metadata.
        blocks: all of its blocks, which are read on the way.
        faces: the file of the boxes, for messages.

    Raises:
        SourceError: no post, or none that has what it takes, or no face of one.
    """
    try:
        ordered, posts, strangers = boxed.by_post()
    except SourceError as error:
        raise SourceError(f"{faces}: {error}") from None
    selection = Selection(ordered, posts)
    for block in blocks:
        selection.add(block)
    strays = sum(file.strays for file in read.files)
    if not sum(file.posts for file in read.files):
        raise SourceError(f"{read.files[0].path}: no post in the metadata; are the files empty?")
    rows = [
        FunnelRow("posts", "lines that are not a post", strays),
        FunnelRow("posts", "posts that were there before", selection.repeated),
        *(FunnelRow("posts", why, selection.fates[n]) for n, why in read.rule.reasons.items()),
        FunnelRow("posts", "posts of one character", selection.fates[KEPT], kept=True),
        *([FunnelRow("faces", "pictures that name no post", strangers)] if strangers else []),
        *_face_rows(boxed, selection.faces),
    ]
    unsaid = selection.fates[UNSAID] + selection.fates[UNRATED] + selection.fates[UNTYPED]
    if unsaid and not any(selection.fates[n] for n in (NOBODY, SEVERAL, NAMELESS, KEPT)):
        raise SourceError(f"{read.files[0].path}: {_missing(selection.fates)}")
    if not selection.joined and selection.fates[KEPT]:
        raise SourceError(
            f"{faces}: of its {len(boxed.ids):,} pictures none is of a post that is left; are they "
            "the boxes of other pictures?"
        )
    notes = []
    if strays:
        shown = [f"{name}, line {line}" for name, line, _ in read.shown[:3]]
        more = ", ..." if strays > len(shown) else ""
        notes.append(f"Lines of the metadata that are not a post: {', '.join(shown)}{more}")
    if selection.disagreeing:
        notes.append(
            f"{selection.disagreeing:,} posts come again and disagree with the first time, which "
            "counts: give the newest metadata first."
        )
    return selection.pictures(), rows, notes


def of_names(
    found: FaceBoxes, boxed: Boxed, faces: Path
) -> tuple[SelectedPictures, list[FunnelRow], list[str]]:
    """The pictures whose character the boxes name themselves, and what was left out."""
    pictures, fates, nameless = named_pictures(found, boxed)
    if nameless == len(found):
        raise SourceError(
            f"{faces}: names no character, and no picture lies in the folder of one; give the "
            "metadata of the posts"
        )
    row = FunnelRow("faces", "pictures of no one character", nameless)
    notes = [] if found.characters is not None else _told_folders(pictures.names, faces)
    return pictures, [row, *_face_rows(boxed, fates)], notes


def _told_folders(names: Sequence[str], faces: Path) -> list[str]:
    """That the names are those of folders, which are not always people.

    Raises:
        SourceError: they are WIDER FACE's events, or one folder is that of all pictures.
    """
    event = next((name for name in names if _EVENT.match(name)), None)
    if event is not None:
        raise SourceError(
            f"{faces}: names nobody, and folders such as {event!r} are WIDER FACE's events, no "
            "characters; give the metadata of the posts, or boxes that say whose they are"
        )
    if len(names) == 1:
        raise SourceError(
            f"{faces}: names nobody, and all pictures lie in one folder, {names[0]!r}, which is no "
            "character's then; give the metadata of the posts, or boxes that say whose they are"
        )
    shown = ", ".join(map(repr, names[:3]))
    return [
        "Nobody names the faces, so the folder of each picture is taken for its character: "
        f"{shown}{', ...' * (len(names) > 3)}."
    ]


def _missing(fates: Counter[int]) -> str:
    """Sentence on what all posts lack, and what would help."""
    total = sum(fates.values())
    if fates[UNSAID]:
        return (
            f"{fates[UNSAID]:,} of {total:,} posts list their tags without categories, so that "
            "none is known to be a character, and no other post is left; expected tags with "
            "category 4, tag_string_character (Danbooru), tags_character (gallery-dl with the "
            "option tags: true, also for Gelbooru and Moebooru) or tags.character (e621)"
        )
    field, count = "rating", fates[UNRATED]
    if fates[UNTYPED] > count:
        field, count = "file_ext (or file.ext, extension, image)", fates[UNTYPED]
    return f"{count:,} of {total:,} posts have no field {field}, and no other post is left"


def of_boxes(
    found: FaceBoxes, boxed: Boxed, rows: NDArray[np.int64], faces: Path
) -> tuple[SelectedPictures, list[FunnelRow], list[str]]:
    """The faces whose boxes have a name of their own, and what was left out."""
    chosen, fates, nameless, again = named_boxes(found, boxed, rows)
    if not chosen.names:
        raise SourceError(f"{faces}: no face in it has a name; give the metadata of the posts")
    if len(chosen.names) == 1:
        raise SourceError(
            f"{faces}: all faces are called {chosen.names[0]!r}, which is no character's then, but "
            "a class; give the metadata of the posts, or boxes that say whose they are"
        )
    faceless = int((found.counts == 0).sum())
    funnel = [
        FunnelRow("faces", "pictures without a face", faceless),
        FunnelRow("faces", "faces of no one name", nameless),
        *(
            FunnelRow("faces", re.sub("^(the|a) face", "faces", why), fates[n])
            for n, why in boxed.reasons.items()
            if n not in (NO_FACE, FACES)
        ),
        FunnelRow("faces", "faces that are listed again", again),
        FunnelRow("faces", "faces with a name of their own", len(chosen), kept=True),
    ]
    more = repeated(chosen)
    shown = ", ".join(map(repr, chosen.names[:3])) + ", ..." * (len(chosen.names) > 3)
    notes = [f"Each box is taken by its own name, of {len(chosen.names):,}: {shown}."]
    if more:
        notes.append(
            f"{more:,} faces are further ones of a character whom their picture shows already, "
            "which crop names PICTURE_2 and so on."
        )
    return chosen, funnel, notes


def _face_rows(boxed: Boxed, fates: Counter[int]) -> list[FunnelRow]:
    return [
        *(FunnelRow("faces", why, fates[number]) for number, why in boxed.reasons.items()),
        FunnelRow("faces", "pictures of one character with one face", fates[ONE], kept=True),
    ]
