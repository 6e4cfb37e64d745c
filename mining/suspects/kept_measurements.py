"""Measurements of checks, kept in the user's cache: the same set need not be measured twice.

Known again are vectors by their digests, faces and whom they show by their names, and the checks
by their own code. What is not in the cache, or damaged there, is measured anew.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

from mining.embeddings.store import Embeddings
from mining.models.base import digest
from mining.suspects.identity.measurement import Measurement
from pairsets.files.expectations import Expectation
from pairsets.storage.artefacts import installed, write_json
from pairsets.storage.json_files import read_object
from pairsets.storage.user_cache import cache_folder

_WHAT = "a kept measurement of a check"


def kept_measurement(
    kind: str,
    models: Sequence[Embeddings],
    trusted: bool,
    measure: Callable[[], Measurement],
) -> Measurement:
    """Measurement of these vectors as it was kept, or as `measure` makes it now.

    Args:
        kind: of the check.
        models: whose vectors it looks at; nothing is kept of others than a folder has.
        trusted: whether it flags where it would abstain.
        measure: called where nothing is kept.
    """
    if not all(one.is_of_file for one in models):
        return measure()
    facts = {
        "kind": kind,
        "trusted": trusted,
        "models": [_facts(one) for one in models],
        "code": _code(),
        "versions": installed("numpy"),
    }
    try:
        file = cache_folder() / "measurements" / f"{digest(facts)[:40]}.json"
        found = _read(file, kind)
    except OSError:  # no home folder, or it cannot be read
        return measure()
    if found is None:
        found = measure()
        content = {"level": found.level.hex(), "expected": found.expected.content()}
        # A cache that is full or read-only changes nothing but the time.
        with contextlib.suppress(OSError):
            file.parent.mkdir(parents=True, exist_ok=True)
            write_json(file, content)
    return found


def _read(file: Path, kind: str) -> Measurement | None:
    """The measurement in a file; None where there is none."""
    try:
        content = read_object(file, _WHAT)
        expected = Expectation.of_content(content.inner("expected").content)
        found = Measurement(float.fromhex(content.text("level")), expected)
    except (FileNotFoundError, KeyError, TypeError, ValueError, OverflowError):
        return None
    return found if expected.kind == kind else None


def _facts(embeddings: Embeddings) -> dict[str, object]:
    """Facts that tell vectors, and whom they show, from any others."""
    names = hashlib.sha256()
    for column in (embeddings.faces.paths, embeddings.faces.identities):
        for text in column:
            names.update(f"{text}\0".encode())
    digests = {key: embeddings.manifest[f"{key}_sha256"] for key in ("vectors", "images")}
    return {
        "fingerprint": embeddings.manifest["fingerprint"],
        **digests,
        "names": names.hexdigest(),
    }


@cache
def _code() -> str:
    """Digest of all code of the packages: another version may measure otherwise."""
    found = hashlib.sha256()
    home = Path(__file__).parents[2]
    for package in ("indexes", "mining", "pairsets"):
        for file in sorted((home / package).rglob("*.py")):
            found.update(file.read_bytes())
    return found.hexdigest()
