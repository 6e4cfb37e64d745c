"""Pictures that faces were cut from, as the names of their files tell."""

from __future__ import annotations

import re
from typing import NamedTuple

from pairsets.paths import base_name

# Behind the name of a picture, the number of a face in it: `_0`, `-12`, ` (3)`, `_face1`.
_CROP = re.compile(r"^(?P<name>.+?)(?:[ _.-]?\(\d{1,2}\)|[ _.-](?:face|crop)?[_-]?\d{1,2})$")
# Numbers of posts, and digests: nobody counts faces so. A shorter number may be anybody's first.
_POST, _DIGEST = re.compile(r"[1-9][0-9]{4,17}"), re.compile(r"[0-9a-f]{16,}")


class PictureName(NamedTuple):
    """Name of the picture that a face was cut from.

    Attributes:
        name: of the file, without its ending and the number of a crop.
        tells: whether it is the number of a post or a digest, which no two pictures share.
    """

    name: str
    tells: bool


def picture_name(path: str) -> PictureName:
    """Name of the picture of a face, by its file.

    >>> picture_name("rei/3131051_0.jpg")
    PictureName(name='3131051', tells=True)
    >>> picture_name("rei/party (2).png")
    PictureName(name='party', tells=False)
    >>> picture_name("asuka/000123.png")
    PictureName(name='000123', tells=False)
    """
    stem = base_name(path).rpartition(".")[0] or base_name(path)
    found = _CROP.match(stem)
    name = found["name"] if found else stem
    return PictureName(name, bool(_POST.fullmatch(name) or _DIGEST.fullmatch(name)))
