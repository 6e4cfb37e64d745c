"""Whether a manifest is that of the files beside it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pairsets.errors import PairSetError
from pairsets.storage.digests import sha256
from pairsets.storage.json_files import MOST, JsonError, read_json

# As every manifest of ours begins.
_BEGIN = b'{\n  "schema"'


def refuse_other(path: Path, rows: Callable[[], str] | None = None) -> None:
    """Raise PairSetError where the manifest beside a file says that it is another one.

    Args:
        path: a pair file, or one that is called after it, as `PAIRS.scores.csv`.
        rows: `rows_digest` of what the file holds; where it is the manifest's, another digest of
            the file is that of one in which verdicts were filled in.
    """
    for manifest in dict.fromkeys([path.with_suffix(".json"), _of_pairs(path)]):
        content = _content(manifest) if manifest != path else {}
        files = content.get("files")
        digest = files.get(path.name) if isinstance(files, dict) else None
        if digest is None or not path.is_file() or sha256(path) == digest:
            continue
        if rows is not None and content.get("rows_sha256") == rows():
            continue
        raise PairSetError(
            f"{manifest} describes another {path.name}: that file was changed, or is of another "
            f"run than its manifest; make both again, or, if the change is meant, remove "
            f"{manifest.name}"
        )


def _of_pairs(path: Path) -> Path:
    """The manifest of the pair file that `path` is called after."""
    return path.with_name(path.stem).with_suffix(".json")


def _content(manifest: Path) -> dict[str, object]:
    """Content of a manifest of ours; nothing of a file of that name that is something else.

    Raises:
        PairSetError: it begins as ours do, and is damaged.
    """
    try:
        if manifest.stat().st_size > MOST:
            return {}
        with manifest.open("rb") as stream:
            ours = stream.read(len(_BEGIN)) == _BEGIN
        content = read_json(manifest, "the manifest of a pair file")
    except OSError:
        return {}
    except JsonError as error:
        if not ours:
            return {}
        raise PairSetError(f"{error}; make it again, or remove it") from None
    return content if isinstance(content, dict) else {}
