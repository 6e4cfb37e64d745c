"""Text without what is personal in it: a diagnosis is sent to strangers."""

from __future__ import annotations

import getpass
import re
import sys
from collections.abc import Mapping
from pathlib import Path


def hidden(text: object) -> str:
    """A text with `~` for the home folder, `<python>` for that of Python, `<user>` for the name.

    Libraries write paths into their errors, which is why it is done to every text.
    """
    found = str(text)
    for place, word in places().items():
        found = re.sub(rf"{re.escape(place)}(?=[/\\]|$|[^\w.-])", word, found)
    name = _user()
    if name:
        found = re.sub(rf"(?<=[/\\]){re.escape(name)}(?=[/\\]|$|[^\w.-])", "<user>", found)
    return found


def hidden_within(value: object) -> object:
    """A value of JSON of which every text is `hidden`."""
    if isinstance(value, str):
        return hidden(value)
    if isinstance(value, Mapping):
        return {key: hidden_within(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [hidden_within(one) for one in value]
    return value


def places() -> dict[str, str]:
    """Word for each folder that says whose machine this is, the innermost folder first."""
    found = {str(Path(sys.prefix)): "<python>", str(Path(sys.base_prefix)): "<python>"}
    try:
        home = Path.home()
    except RuntimeError:
        home = Path()
    if home.is_absolute() and home != Path(home.anchor):
        found |= {str(home): "~", str(home.resolve()): "~"}
    # A system's own Python stands in folders that are nobody's.
    shared = ("/", "/usr", "/usr/local")
    kept = {place: word for place, word in found.items() if place not in shared}
    return dict(sorted(kept.items(), key=lambda item: -len(item[0])))


def _user() -> str:
    """The user's name, if it is one that tells who that is."""
    try:
        name = getpass.getuser()
    except (OSError, KeyError, ImportError):
        return ""
    return "" if name == "root" else name
