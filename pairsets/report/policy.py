"""Policy of a page that is one file: its own texts and pictures, and nothing else."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from hashlib import sha256


def content_policy(styles: Sequence[str], scripts: Sequence[str]) -> str:
    """Content-Security-Policy that lets in these texts and data URIs, and nothing else."""

    def digests(texts: Sequence[str]) -> str:
        found = (b64encode(sha256(text.encode()).digest()).decode() for text in texts)
        return " ".join(f"'sha256-{digest}'" for digest in found)

    return (
        "default-src 'none'; img-src data:; "
        f"style-src {digests(styles)}; script-src {digests(scripts)}; "
        "base-uri 'none'; form-action 'none'"
    )
