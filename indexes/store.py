"""An index on disk: the FAISS file, and a JSON sidecar that says what it is."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from indexes.base import IndexesError, Vectors

SCHEMA = 1
# Bytes of a sidecar, which has some hundred.
_MOST = 2**20
# Values that are written at once.
_COPIED = 2**22


def faiss() -> Any:
    """The `faiss` module, or an error that names the extra to install."""
    try:
        import faiss
    except ImportError as error:
        raise IndexesError(
            f"FAISS is not installed ({error}); install one of: pip install 'lookalikes[cpu]' "
            "(any machine) or pip install 'lookalikes[gpu]' (CUDA)"
        ) from None
    return faiss


def build_facts() -> dict[str, Any]:
    """Facts of FAISS: its version, its instructions, its GPUs; a small search shows that it works.

    Raises:
        IndexesError: it is not installed, or finds another row than itself.
    """
    library = faiss()
    index = library.IndexFlatIP(8)
    index.add(np.eye(8, dtype=np.float32))
    _, rows = index.search(np.eye(8, dtype=np.float32), 1)
    if rows[:, 0].tolist() != list(range(8)):
        raise IndexesError(f"FAISS {library.__version__} finds other rows than the nearest")
    level = getattr(getattr(library, "SIMDConfig", None), "get_level_name", None)
    return {
        "version": library.__version__,
        "instructions": str(level()) if level is not None else "",
        "options": " ".join(library.get_compile_options().split()),
        "gpus": int(getattr(library, "get_num_gpus", int)()),
    }


def sidecar(path: Path) -> Path:
    """Path of the JSON file beside an index file."""
    return path.with_suffix(".json")


@dataclass(frozen=True)
class FlatFile:
    """A FAISS `IndexFlatIP` that is written without being held: its file is a head and the vectors.

    Attributes:
        vectors: `[N, D]` float32, memory-mapped or in memory.
    """

    vectors: Vectors

    @property
    def ntotal(self) -> int:
        """Number of vectors."""
        return len(self.vectors)

    @property
    def d(self) -> int:
        """Dimensions."""
        return int(self.vectors.shape[1])

    def write(self, path: Path) -> None:
        """Write the file that FAISS would write."""
        head = self._head()
        if head is None:
            index = faiss().IndexFlatIP(self.d)
            index.add(self.vectors)
            faiss().write_index(index, str(path))
            return
        step = max(1, _COPIED // self.d)
        with path.open("wb") as stream:
            stream.write(head)
            for start in range(0, self.ntotal, step):
                part = np.ascontiguousarray(self.vectors[start : start + step], "<f4")
                stream.write(part.data)

    def _head(self) -> bytes | None:
        """Head of the file; None where this FAISS writes another form than the one known here.

        Of an index without vectors it has two numbers to be put in: of the vectors at the ninth
        byte (behind a name and the dimensions), and of the values at its end.
        """
        none, one = (faiss().IndexFlatIP(self.d) for _ in range(2))
        sample = np.arange(1, self.d + 1, dtype="<f4")[np.newaxis]
        one.add(sample)
        empty, whole = (faiss().serialize_index(index).tobytes() for index in (none, one))
        if _headed(empty, 1, self.d) + sample.tobytes() != whole:
            return None
        return _headed(empty, self.ntotal, self.d)


def _headed(empty: bytes, count: int, width: int) -> bytes:
    """Head of an index without vectors, made that of `count` of them."""
    at = 8
    return b"".join(
        [
            empty[:at],
            count.to_bytes(8, "little"),
            empty[at + 8 : -8],
            (count * width).to_bytes(8, "little"),
        ]
    )


def save(index: Any, path: Path, kind: str, facts: Mapping[str, object] | None = None) -> Path:
    """Write `index` and its sidecar, each to a temporary file that is then renamed."""
    if path.suffix == ".json":
        raise IndexesError(f"{path}: the sidecar's name; expected that of an index: .faiss")
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    notes = path.with_name(f".{path.name}.{os.getpid()}.json.tmp")
    try:
        try:
            if isinstance(index, FlatFile):
                index.write(temporary)
            else:
                faiss().write_index(index, str(temporary))
        except RuntimeError as error:
            raise OSError(f"{path}: FAISS could not write the index ({_reason(error)})") from None
        content = {
            "schema": SCHEMA,
            "kind": kind,
            "vectors": index.ntotal,
            "dimensions": index.d,
            "similarity": "inner_product",
            "faiss": faiss().__version__,
            "sha256": _sha256(temporary),
            **(facts or {}),
        }
        notes.write_text(json.dumps(content, indent=2) + "\n", "utf-8")
        temporary.replace(path)
        notes.replace(sidecar(path))
    finally:
        for leftover in (temporary, notes):
            with suppress(OSError):
                leftover.unlink(missing_ok=True)
    return path


def load(path: Path, kind: str) -> tuple[Any, dict[str, Any]]:
    """Read an index of this kind and its sidecar, once its digest was found right."""
    try:
        facts = _read_sidecar(sidecar(path))
        written = facts["schema"], facts["kind"], facts["sha256"]
        found = _sha256(path)
    except FileNotFoundError as error:
        raise IndexesError(
            f"{error.filename}: no such file; an index is a file and its .json"
        ) from None
    if written[0] != SCHEMA:
        raise IndexesError(
            f"{sidecar(path)}: schema {written[0]!r:.40}, this version reads {SCHEMA}"
        )
    if written[1] != kind:
        raise IndexesError(f"{path}: an index of kind {written[1]!r:.40}, expected {kind!r}")
    if written[2] != found:
        raise IndexesError(
            f"{path}: not the file its sidecar describes (SHA-256 differs); cut off in a copy?"
        )
    try:
        return faiss().read_index(str(path)), facts
    except RuntimeError as error:
        raise IndexesError(f"{path}: FAISS could not read it ({_reason(error)})") from None


def _read_sidecar(path: Path) -> dict[str, Any]:
    """Read the JSON beside an index; IndexesError where it is not that of one."""
    try:
        with path.open("rb") as stream:
            data = stream.read(_MOST + 1)
        if len(data) > _MOST:
            raise ValueError(f"more than {_MOST:,} bytes")
        facts = json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        why = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise IndexesError(f"{path}: not the sidecar of an index ({why[:200]})") from None
    if not isinstance(facts, dict):
        raise IndexesError(f"{path}: not the sidecar of an index; expected an object")
    if missing := [name for name in ("schema", "kind", "sha256") if name not in facts]:
        raise IndexesError(f"{path}: not the sidecar of an index: no {', '.join(missing)}")
    return facts


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _reason(error: Exception) -> str:
    """The cause in a FAISS error, without the place in its source."""
    text = re.sub(r"^Error in .*? at \S+:\d+: ", "", str(error).strip(), flags=re.DOTALL)
    return " ".join(text.split())[:200] or "no reason given"
