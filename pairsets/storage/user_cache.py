"""Folder of the user's cache: what can be made, or fetched, again."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """Folder of what can be made again: `lookalikes` in `$XDG_CACHE_HOME`, else in `~/.cache`.

    Raises:
        OSError: the user has no home folder.
    """
    given = os.environ.get("XDG_CACHE_HOME", "")
    if Path(given).is_absolute():
        return Path(given) / "lookalikes"
    try:
        return Path.home() / ".cache" / "lookalikes"
    except RuntimeError as error:
        raise OSError(2, str(error), "~") from None
