"""Spellings of one path: in two cases or Unicode forms it is one file on some systems, two here."""

from __future__ import annotations

import unicodedata

import numpy as np

from pairsets.errors import FacesError
from pairsets.text_column import TextColumn


def refuse_two_spellings(paths: TextColumn, folders: TextColumn) -> None:
    """Raise FacesError where two paths, or two folders, are spellings of one.

    Raises:
        FacesError: names both; or a path that is listed twice.
    """
    columns = paths.changed(_spelling), folders.changed(_spelling)
    hashes = np.concatenate([column.hashes() for column in columns])
    rising = np.sort(hashes)
    repeated = rising[1:][rising[1:] == rising[:-1]]
    if not repeated.size:
        return
    seen: dict[bytes, str] = {}
    # Few, as only paths whose hash comes twice may be spellings of one.
    for row in np.flatnonzero(np.isin(hashes, repeated)).tolist():
        path = paths[row] if row < len(paths) else folders[row - len(paths)]
        key = _spelling(path.encode("utf-8", "surrogatepass"))
        other = seen.get(key)
        seen[key] = path
        if other == path:
            raise FacesError(f"{path!r} is listed twice")
        if other is not None:
            raise FacesError(
                f"{other!r} and {path!r} are two spellings of one path "
                "(upper and lower case, or Unicode form): rename or remove one"
            )


def _spelling(path: bytes) -> bytes:
    """Key that all spellings share of a path in UTF-8; of many in ASCII, one after the other."""
    if path.isascii():
        return path.lower()
    # Not `casefold`, which also makes one of "weiss" and "weiß".
    key = path.decode("utf-8", "surrogatepass").lower()
    key = key if key.isascii() else unicodedata.normalize("NFC", key)
    return key.encode("utf-8", "surrogatepass")
