"""Store of embeddings: one vector a face, kept on disk and made once.

A folder of embeddings holds

- `vectors.npy`: float32 `[N, D]`, memory-mappable, rows in the order of the faces; of unit norm
  where the model's similarity is cosine;
- `images.csv`: `path,sha256`, a line a row; of vectors from elsewhere, whose pictures nobody saw,
  the digest of the row itself;
- `identities.csv`: `path,identity`, who each face shows, only where that is not the folder;
- `whitening.safetensors`: the step behind the model, where there is one;
- `manifest.json`: model, fingerprint, similarity, shape, digests, versions, what was skipped;
- `status.csv`: size, times and inode of each file when it was read; only spares reading it again.

While it is being made, finished rows stand in `partial/` (see `mining.embeddings.journal`).
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, cast, get_args

import numpy as np
from numpy.typing import NDArray

from indexes.memory import gather
from mining.embeddings.engines import checked
from mining.embeddings.journal import Vectors
from mining.embeddings.vector_file import VectorFile
from mining.errors import EmbeddingError as EmbeddingError
from mining.models.base import Similarity
from mining.models.model_labels import split_folder, with_label
from pairsets.arrays import Rows
from pairsets.faces import Faces, differing
from pairsets.funnel import FunnelRow
from pairsets.pairset import IDENTITY_COLUMNS, read_identities
from pairsets.paths import strings
from pairsets.picture_sources.base import PictureSource
from pairsets.progress import Step, unheard
from pairsets.storage.csv_tables import Row, csv_rows, table_rows
from pairsets.storage.digests import sha256
from pairsets.storage.json_files import read_object, short
from pairsets.text_column import TextColumn

SCHEMA = 1
FILES = ("vectors.npy", "images.csv", "status.csv")
# Where faces are not named by their folders.
IDENTITIES = "identities.csv"
# The step behind the model, where there is one, for whoever embeds a picture as these were.
WHITENING = "whitening.safetensors"
# Of the provenance of vectors from elsewhere; no family of models, for there is no network.
FAMILY = "imported"
_SAID = ("identities", "identities_sha256")
# Makes embeddings of arrays: above this one.
_ARRAYS = "mining.embeddings.array_embeddings"
_TEXTS = ("model", "fingerprint", "similarity", "images_sha256", "vectors_sha256")
IMAGES_HEADER = ["path", "sha256"]
# Begins of causes that tell of a vector and not of a picture.
UNUSABLE, NO_VECTOR = "its vector: ", "no vector"
_VECTORLESS = (UNUSABLE, NO_VECTOR)


@dataclass(frozen=True, eq=False, repr=False)
class Embeddings:
    """Embeddings of faces: one vector a face, and what model made them.

    Attributes:
        faces: the embedded faces, in row order.
        vectors: `[N, D]` float32, read-only, memory-mapped.
        manifest: the content of `manifest.json`.
        folder: where they lie.
        files: that `vectors` are mapped from; none of vectors in memory.
        label: what the user calls the model in tables; None of its own name.
        row_digests: of vectors in no folder, the SHA-256 of each row by its path; else None.
    """

    faces: Faces
    vectors: Vectors
    manifest: Mapping[str, Any]
    folder: Path
    files: tuple[VectorFile, ...] = ()
    label: str | None = None
    row_digests: Mapping[str, str] | None = None

    @classmethod
    def of(
        cls,
        X: object,  # noqa: N803
        identities: object,
        *,
        paths: Sequence[str] | None = None,
        root: str | Path = "",
        name: str = "arrays",
        similarity: Similarity = "cosine",
    ) -> Embeddings:
        """Embeddings of arrays in memory, for all that takes embeddings.

        The fingerprint is of the content, `imported-...`, that which `lookalikes import` gives to
        a file of the same vectors and paths. Rows stand in the order of their paths.

        Args:
            X: `[N, D]` vectors: an array, a list of rows, a torch tensor, a DataFrame of numbers.
            identities: `[N]`: who each row shows, names or whole numbers.
            paths: `[N]`: of the pictures, relative to `root`; by default the number of each row,
                with as many digits as the last one's.
            root: folder that the paths lie in; only what shows pictures looks into it.
            name: of the model in tables.
            similarity: `cosine` brings rows to unit norm; `inner_product` takes them as they are.

        Raises:
            IndexesError: vectors of another shape, not finite, or of nothing but noughts;
                identities of another length, missing or of several kinds.
            EmbeddingError: no rows, a path that is none or is there twice, or an unfit name.

        >>> made = Embeddings.of([[3, 4], [1, 0]], ["rei", "asuka"])
        >>> made, [*made.faces.paths]
        (Embeddings(2 faces of 2 identities, 2 dimensions, 'imported:arrays', cosine), ['0', '1'])
        """
        made: Embeddings = importlib.import_module(_ARRAYS).embeddings_of(
            X, identities, paths=paths, root=root, name=name, similarity=similarity
        )
        return made

    def __repr__(self) -> str:
        called = f", called {self.label!r}" if self.label is not None else ""
        return (
            f"Embeddings({len(self):,} faces of {self.faces.count_identities:,} identities, "
            f"{self.vectors.shape[1]:,} dimensions, {self.model!r}{called}, {self.similarity})"
        )

    @property
    def model(self) -> str:
        """The `family:argument` text of the model."""
        return str(self.manifest["model"])

    @property
    def called(self) -> str:
        """That text, with the label before it where there is one: what names in tables are of."""
        return with_label(self.label, self.model)

    @property
    def similarity(self) -> Similarity:
        """Measure that compares the vectors; either way the score is their inner product."""
        return cast(Similarity, self.manifest["similarity"])

    @property
    def skipped(self) -> Mapping[str, str]:
        """Images without a vector: path -> cause."""
        # Vectors that were never in a folder may come without.
        return cast(Mapping[str, str], self.manifest.get("skipped", {}))

    @property
    def digests(self) -> dict[str, str]:
        """SHA-256 of the files that were embedded, by path; of arrays, those of their rows."""
        if self.row_digests is not None:
            return dict(self.row_digests)
        file = self.folder / "images.csv"
        if not file.is_file():
            return {}
        with _told(self.folder):
            return dict(zip(read_images(file), read_images(file, "sha256"), strict=True))

    @property
    def saw_pictures(self) -> bool:
        """Whether `digests` are those of pictures: not of vectors from elsewhere, without any."""
        whole = self.manifest.get("provenance", {})
        return all(one.get("pictures", True) for one in (whole, whole.get(FAMILY, {})))

    @property
    def is_of_file(self) -> bool:
        """Whether the vectors are those of a file, all of them, so that the manifest tells them."""
        return bool(self.files) and self.vectors is self.files[0].vectors

    def __len__(self) -> int:
        return len(self.faces)

    @contextmanager
    def watched(
        self, progress: Step | None = None, checkpoint: Path | None = None
    ) -> Iterator[Step]:
        """A block that reads the vectors; see `mining.embeddings.vector_file.VectorFile.watched`.

        Raises:
            EmbeddingError: a file that they are mapped from changed meanwhile.
        """
        step = progress or unheard
        with ExitStack() as stack:
            for file in self.files:
                step = stack.enter_context(file.watched(step, checkpoint))
            yield step

    def refuse_changed(self) -> None:
        """Raise EmbeddingError where a file of the vectors changed since it was opened."""
        for file in self.files:
            file.refuse_changed()

    def take(self, rows: Rows) -> Embeddings:
        """Embeddings of some faces, by number, in memory; the manifest stays that of the folder."""
        faces = self.faces.take(rows)
        with self.watched():
            vectors = gather(self.vectors, rows)
        vectors.setflags(write=False)
        return replace(self, faces=faces, vectors=vectors, files=())

    @classmethod
    def load_named(cls, path: Path, root: str | Path = "") -> Embeddings:
        """Open the embeddings of `FOLDER` or `NAME=FOLDER`, see `mining.models.model_labels`.

        Raises:
            ModelError: a name that is none, or that may be part of the folder's.
            EmbeddingError: as `load`.
        """
        label, folder = split_folder(path)
        return replace(cls.load(folder, root), label=label)

    @classmethod
    def load(
        cls, folder: str | Path, root: str | Path = "", *, known: TextColumn | None = None
    ) -> Embeddings:
        """Open the embeddings in `folder`; `root` is the folder the face paths lie in.

        Where the paths are those `known`, that column is theirs, with what it holds ready.

        Raises:
            EmbeddingError: not a folder of embeddings, unfinished, of a newer schema, or its
                files do not belong together.
        """
        folder = Path(folder)
        with _told(folder):
            manifest = read_manifest(folder / "manifest.json")
            file = VectorFile(folder / "vectors.npy")
        with ThreadPoolExecutor(1) as pool:
            # The digest of what may be gigabytes is taken while the rest is read.
            vectors = pool.submit(file.digest)
            found = cls._of(folder, Path(root), manifest, file, known)
            for name in ("images.csv", IDENTITIES, "vectors.npy"):
                key = f"{name.partition('.')[0]}_sha256"
                if key not in manifest:
                    continue
                digest = vectors.result() if name == "vectors.npy" else sha256(folder / name)
                if digest != manifest[key]:
                    raise EmbeddingError(
                        f"{folder}: {name} is not the one its manifest describes; was it sorted, "
                        "edited or copied in part? Make it again with: lookalikes embed"
                    )
        return found

    def of_source(self, source: PictureSource | None) -> Embeddings:
        """These embeddings, of faces whose pictures are read there."""
        if source is None:
            return self
        faces = self.faces
        there = Faces(faces.root, faces.paths, faces.identities, said=faces.said, source=source)
        return replace(self, faces=there)

    @classmethod
    def _open(cls, folder: Path, root: Path) -> Embeddings:
        """`load` without the digests, for files that this process has just made or checked."""
        with _told(folder):
            manifest = read_manifest(folder / "manifest.json")
            file = VectorFile(folder / "vectors.npy")
        return cls._of(folder, root, manifest, file)

    @classmethod
    def _of(
        cls,
        folder: Path,
        root: Path,
        manifest: Mapping[str, Any],
        file: VectorFile,
        known: TextColumn | None = None,
    ) -> Embeddings:
        """Embeddings of opened files; EmbeddingError where they do not belong together."""
        with _told(folder):
            faces = _read_faces(folder, root, manifest, known)
        vectors, shape = file.vectors, (manifest["images"], manifest["dimensions"])
        if vectors.shape != shape or vectors.dtype != np.float32 or len(faces) != len(vectors):
            raise EmbeddingError(
                f"{folder}: {vectors.dtype} vectors {vectors.shape} and {len(faces)} images where "
                f"the manifest has float32 {shape}; files of two runs mixed?"
            )
        return cls(faces, vectors, manifest, folder, (file,))


@contextmanager
def _told(folder: Path) -> Iterator[None]:
    """Name the folder in errors of its files; EmbeddingError for each of them."""
    try:
        yield
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


def read_images(path: Path, column: Literal["path", "sha256"] = "path") -> TextColumn:
    """Path, or digest, of each row; ValueError says what is wrong."""
    at = IMAGES_HEADER.index(column)
    with path.open(encoding="utf-8", newline="") as stream:
        rows = csv_rows(path, stream)
        if next(rows, (1, []))[1] != IMAGES_HEADER:
            raise ValueError(f"{path.name} does not begin with {','.join(IMAGES_HEADER)}")
        return TextColumn.of(_cells(path, rows, at))


def _cells(path: Path, rows: Iterator[Row], at: int) -> Iterator[str]:
    for _, cells in rows:
        if len(cells) != len(IMAGES_HEADER):
            raise ValueError(f"{path.name} has lines that are not {','.join(IMAGES_HEADER)}")
        yield cells[at]


def _read_faces(
    folder: Path, root: Path, manifest: Mapping[str, Any], known: TextColumn | None
) -> Faces:
    """The embedded faces; FileNotFoundError where it is missing who they show."""
    paths, said = read_images(folder / "images.csv"), manifest.get("identities")
    if known is not None and known.equals(paths):
        paths = known
    if "identities_sha256" not in manifest:
        return Faces.of_paths(root, paths, said=said)
    file = folder / IDENTITIES
    names = _names_in_order(file, paths)
    if names is not None:
        return Faces(root, paths, names, said=said)
    return Faces.of_paths(root, paths, identities=read_identities(file, ()), said=said)


def _names_in_order(file: Path, paths: TextColumn) -> NDArray[np.object_] | None:
    """Who each face shows, one object an identity; None where the file has other rows."""
    if not file.is_file():
        raise FileNotFoundError(2, "no such file", str(file))
    known: dict[str, str] = {}
    names: list[str] = []

    def faces() -> Iterator[str]:
        for _, (face, identity) in table_rows(file, "file of identities", IDENTITY_COLUMNS):
            names.append(known.setdefault(identity, identity))
            yield face

    return strings(names) if TextColumn.of(faces()).equals(paths) else None


def named_otherwise(faces: Faces, paths: Sequence[str]) -> Mapping[str, str] | None:
    """Who each of these faces shows, where it is not the folder."""
    if faces.named is None:
        return None
    return differing({path: faces.named[path] for path in paths})


def skipped_rows(embeddings: Embeddings) -> list[FunnelRow]:
    """Funnel rows of the embedding stage."""
    causes = list(embeddings.skipped.values())
    without = sum(cause.startswith(_VECTORLESS) for cause in causes)
    counts = {
        "images that cannot be read": len(causes) - without,
        "faces without a usable vector": without,
    }
    rows = [FunnelRow("embed", what, count) for what, count in counts.items() if count]
    return [*rows, FunnelRow("embed", "faces embedded", len(embeddings), kept=True)]
