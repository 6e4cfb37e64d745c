"""What went wrong, in one message that a user can act on. Nothing heavy is imported."""

from __future__ import annotations

import errno

_FULL = "; nothing half-written is left: make room, then run the same command again"
_HINTS = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EFBIG: _FULL,
    errno.EACCES: "; may you read and write there?",
    errno.EROFS: "; choose another --out",
}


def user_errors() -> tuple[type[Exception], ...]:
    """What a user can mend: shown as one message, without a traceback."""
    from indexes import IndexesError
    from mining.embeddings import EmbeddingError
    from mining.models import ModelError
    from pairsets import PairsetsError
    from pairsets.images import ImageError

    return (
        PairsetsError,
        IndexesError,
        EmbeddingError,
        ImageError,
        ModelError,
        OSError,
        MemoryError,
    )


def message_of(error: Exception) -> str:
    """The message of one of `user_errors`."""
    if isinstance(error, MemoryError):
        return "out of memory; a smaller --batch-size needs less, and so do fewer --pairs"
    if isinstance(error, OSError) and error.strerror:
        file = f"{error.filename}: " if error.filename else ""
        return f"{file}{error.strerror}{_HINTS.get(error.errno or 0, '')}"
    return str(error)
