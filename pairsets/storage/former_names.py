"""Former names of what files hold: identities were once called characters in all of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# Columns of tables, and keys of manifests and of settings.
KEYS: Mapping[str, str] = {
    "character": "identity",
    "max_per_character": "max_per_identity",
    "max_per_character_pair": "max_per_identity_pair",
}
REASONS: Mapping[str, str] = {"several characters": "several identities"}


def present_keys(value: Any) -> Any:
    """JSON whose keys have the names of this version, however deep; values stay.

    >>> present_keys({"rules": {"max_per_character": 2}, "character": "character"})
    {'rules': {'max_per_identity': 2}, 'identity': 'character'}
    """
    if isinstance(value, dict):
        return {KEYS.get(key, key): present_keys(one) for key, one in value.items()}
    return [present_keys(one) for one in value] if isinstance(value, list) else value
