"""Places in the user's cache that stand for URLs: commands, which take paths, are given these.

What is known of a URL by its place is kept by this process alone, so that no password of a URL is
ever written.
"""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path, PurePath

from pairsets.storage.remote_files import RemoteFolder, remote_url
from pairsets.storage.user_cache import cache_folder

# By its place, the URL that it stands for.
_ORIGINS: dict[str, RemoteFolder] = {}


def mirror_of(url: str | PurePath, kind: str = "faces") -> Path:
    """The place that stands for a URL, a folder of the cache; it may be empty.

    Args:
        url: of a folder or a file.
        kind: of use; each has places of its own.

    Raises:
        OSError: the user has no cache folder.
    """
    found = remote_url(url)
    assert found is not None, url
    remote = RemoteFolder(found)
    # With user and query, of which no more than the digest is written; and one URL is another
    # bucket at another endpoint.
    told = f"{kind}\n{remote.url}\n{os.environ.get('AWS_ENDPOINT_URL', '')}"
    key = hashlib.sha256(told.encode()).hexdigest()[:16]
    place = cache_folder() / "remote" / key / (re.sub(r"[^\w.()=-]", "_", remote.base) or "root")
    _ORIGINS[str(place)] = remote
    return place


def origin_of(place: Path) -> RemoteFolder | None:
    """The remote folder that a place stands for, in this process."""
    return _ORIGINS.get(str(place))


def told(text: object) -> str:
    """A text in which places of the cache are called by the URLs that they stand for."""
    found = str(text)
    for place, remote in _ORIGINS.items():
        found = found.replace(place, remote.name)
        found = found.replace(str(Path(place).parent), remote.parent.name)
    return found
