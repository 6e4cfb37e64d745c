"""Oracle of scanning: the folder read by `os.walk`, all paths sorted, and compared one by one."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path

from pairsets.paths import is_image


def plain_scan(root: Path) -> tuple[list[str], dict[str, int]]:
    """Paths of the images below `root`, and how many files were left out, by reason."""
    paths: list[str] = []
    skipped: dict[str, int] = {}
    for folder, _, names in os.walk(root):
        for name in names:
            file = Path(folder) / name
            why = None
            if not is_image(name):
                why = "not an image by its name"
            elif name.startswith("._") and file.read_bytes()[:4] == b"\x00\x05\x16\x07":
                why = "macOS resource file"
            if why is None:
                paths.append(file.relative_to(root).as_posix())
            else:
                skipped[why] = skipped.get(why, 0) + 1
    return sorted(paths), skipped


def plain_refusal(paths: list[str]) -> str | None:
    """Beginning of the message about two spellings of one path among these and their folders."""
    folders: dict[str, None] = {}
    for path in paths:
        folder = path.rpartition("/")[0]
        while folder:
            folders.setdefault(folder)
            folder = folder.rpartition("/")[0]
    seen: dict[str, str] = {}
    # Folders as they first come, each before those that hold it.
    for path in [*paths, *folders]:
        key = unicodedata.normalize("NFC", path.lower())
        if seen.get(key) == path:
            return f"{path!r} is listed twice"
        if key in seen:
            return f"{seen[key]!r} and {path!r} are two spellings of one path"
        seen[key] = path
    return None
