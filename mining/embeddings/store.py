"""Store of embeddings: one vector a face, kept on disk and made once.

A folder of embeddings holds

- `vectors.npy`: float32 `[N, D]`, memory-mappable, rows in the order of the faces; of unit norm
  where the model's similarity is cosine;
- `images.csv`: `path,sha256`, a line a row;
- `identities.csv`: `path,identity`, who each face shows, only where that is not the folder;
- `manifest.json`: model, fingerprint, similarity, shape, digests, versions, what was skipped;
- `status.csv`: size, times and inode of each file when it was read; only spares reading it again.

While it is being made, finished rows stand in `partial/` (see `mining.embeddings.journal`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast, get_args

import numpy as np

from mining.embeddings.engines import checked
from mining.embeddings.journal import Vectors
from mining.errors import EmbeddingError as EmbeddingError
from mining.models.base import Similarity
from pairsets.arrays import Rows
from pairsets.faces import Faces, differing
from pairsets.funnel import FunnelRow
from pairsets.pairset import read_identities
from pairsets.storage.csv_tables import csv_rows
from pairsets.storage.digests import sha256
from pairsets.storage.json_files import read_object, short

SCHEMA = 1
FILES = ("vectors.npy", "images.csv", "status.csv")
# Where faces are not named by their folders.
IDENTITIES = "identities.csv"
_SAID = ("identities", "identities_sha256")
_TEXTS = ("model", "fingerprint", "similarity", "images_sha256", "vectors_sha256")
IMAGES_HEADER = ["path", "sha256"]


@dataclass(frozen=True, eq=False)
class Embeddings:
    """Embeddings of faces: one vector a face, and what model made them.

    Attributes:
        faces: the embedded faces, in row order.
        vectors: `[N, D]` float32, read-only, memory-mapped.
        manifest: the content of `manifest.json`.
        folder: where they lie.
    """

    faces: Faces
    vectors: Vectors
    manifest: Mapping[str, Any]
    folder: Path

    @property
    def model(self) -> str:
        """The `family:argument` text of the model."""
        return str(self.manifest["model"])

    @property
    def similarity(self) -> Similarity:
        """Measure that compares the vectors; either way the score is their inner product."""
        return cast(Similarity, self.manifest["similarity"])

    @property
    def skipped(self) -> Mapping[str, str]:
        """Images without a vector: path -> cause."""
        # Vectors that were never in a folder may come without.
        return cast(Mapping[str, str], self.manifest.get("skipped", {}))

    def __len__(self) -> int:
        return len(self.faces)

    def take(self, rows: Rows) -> Embeddings:
        """Embeddings of some faces, by number, in memory; the manifest stays that of the folder."""
        faces = Faces(
            self.faces.root,
            self.faces.paths[rows],
            self.faces.identities[rows],
            said=self.faces.said,
        )
        vectors = np.asarray(self.vectors[rows])
        vectors.setflags(write=False)
        return Embeddings(faces, vectors, self.manifest, self.folder)

    @classmethod
    def load(cls, folder: str | Path, root: str | Path = "") -> Embeddings:
        """Open the embeddings in `folder`; `root` is the folder the face paths lie in.

        Raises:
            EmbeddingError: not a folder of embeddings, unfinished, of a newer schema, or its
                files do not belong together.
        """
        found = cls._open(Path(folder), Path(root))
        for name, digest in (
            ("images.csv", "images_sha256"),
            (IDENTITIES, "identities_sha256"),
            ("vectors.npy", "vectors_sha256"),
        ):
            if digest in found.manifest and sha256(found.folder / name) != found.manifest[digest]:
                raise EmbeddingError(
                    f"{folder}: {name} is not the one its manifest describes; was it sorted, "
                    "edited or copied in part? Make it again with: lookalikes embed"
                )
        return found

    @classmethod
    def _open(cls, folder: Path, root: Path) -> Embeddings:
        """`load` without the digests, for files that this process has just made or checked."""
        try:
            manifest = read_manifest(folder / "manifest.json")
            paths = [path for path, _ in read_images(folder / "images.csv")]
            faces = replace(
                Faces.of_paths(root, paths, identities=_read_identities(folder, manifest)),
                said=manifest.get("identities"),
            )
            vectors = _open_vectors(folder / "vectors.npy")
        except (FileNotFoundError, NotADirectoryError) as error:
            raise EmbeddingError(
                f"{folder}: not a finished folder of embeddings ({Path(error.filename).name} is "
                f"missing); {_inner(folder)}"
            ) from None
        except EmbeddingError:
            raise
        except ValueError as error:
            raise EmbeddingError(
                f"{folder}: damaged embeddings ({error}); make them again with: lookalikes embed"
            ) from None
        shape = manifest["images"], manifest["dimensions"]
        if vectors.shape != shape or vectors.dtype != np.float32 or len(paths) != len(vectors):
            raise EmbeddingError(
                f"{folder}: {vectors.dtype} vectors {vectors.shape} and {len(paths)} images where "
                f"the manifest has float32 {shape}; files of two runs mixed?"
            )
        return cls(faces, vectors, manifest, folder)


def _inner(folder: Path) -> str:
    """Advice on a folder that is none of embeddings: there may be some in it."""
    inside = sorted(found.parent for found in folder.glob("*/manifest.json"))
    if inside:
        return f"did you mean {inside[0]}?"
    return "make it with: lookalikes embed"


def read_manifest(path: Path) -> dict[str, Any]:
    """The manifest, its kind and fields checked; ValueError says what is wrong."""
    found = read_object(path, "the manifest of embeddings", most=None)
    content = dict(found.content)
    if "schema" not in content:
        raise ValueError(f"{path.name} is not that of embeddings")
    if content["schema"] != SCHEMA:
        raise EmbeddingError(
            f"{path.parent}: schema {short(content['schema'])}, this version reads {SCHEMA}; "
            "made by another version of lookalikes?"
        )
    for name in (*_TEXTS, *(name for name in _SAID if name in found)):
        found.text(name)
    found.count("images", least=1)
    found.count("dimensions", least=1)
    found.inner("provenance")
    if "notes" in found:
        found.texts("notes")
    if "engine" in found:
        checked(found.inner("engine").content)
    if found.text("similarity") not in get_args(Similarity):
        found.refuse("similarity", " or ".join(get_args(Similarity)))
    skipped = found.inner("skipped").content
    if not all(isinstance(cause, str) for cause in skipped.values()):
        found.refuse("skipped", "the cause of each picture that was left out")
    return content


def _open_vectors(path: Path) -> Vectors:
    """The array of a file, as a memory map; ValueError where it is none."""
    try:
        # Not `np.load`, which also opens archives.
        found: Vectors = np.lib.format.open_memmap(path, mode="r")
    except OSError:
        raise
    # Its head is a text of Python, of which NumPy raises errors of many kinds.
    except Exception as error:
        raise ValueError(f"{path.name}: {error}") from None
    return found


def read_images(path: Path) -> list[tuple[str, str]]:
    """Path and digest of each row; ValueError says what is wrong."""
    with path.open(encoding="utf-8", newline="") as stream:
        rows = [cells for _, cells in csv_rows(path, stream)]
    if rows[:1] != [IMAGES_HEADER]:
        raise ValueError(f"{path.name} does not begin with {','.join(IMAGES_HEADER)}")
    if any(len(row) != len(IMAGES_HEADER) for row in rows):
        raise ValueError(f"{path.name} has lines that are not {','.join(IMAGES_HEADER)}")
    return [(path, content) for path, content in rows[1:]]


def _read_identities(folder: Path, manifest: Mapping[str, Any]) -> Mapping[str, str] | None:
    """Who each face shows, where it is not the folder; FileNotFoundError where that is missing."""
    if "identities_sha256" not in manifest:
        return None
    file = folder / IDENTITIES
    found = read_identities(file, ())
    if found is None:
        raise FileNotFoundError(2, "no such file", str(file))
    return found


def named_otherwise(faces: Faces, paths: Sequence[str]) -> Mapping[str, str] | None:
    """Who each of these faces shows, where it is not the folder."""
    if faces.named is None:
        return None
    return differing({path: faces.named[path] for path in paths})


def skipped_rows(embeddings: Embeddings) -> list[FunnelRow]:
    """Funnel rows of the embedding stage."""
    rows = []
    if embeddings.skipped:
        rows.append(FunnelRow("embed", "images that cannot be read", len(embeddings.skipped)))
    return [*rows, FunnelRow("embed", "faces embedded", len(embeddings), kept=True)]
