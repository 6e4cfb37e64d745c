"""Embeddings of two sets as one, their paths told apart by the name of a folder in front."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from indexes.join.stack import Stacked
from mining.embeddings.store import Embeddings, read_images
from mining.errors import EmbeddingError
from mining.models.model_labels import split_folder
from pairsets.faces import Faces
from pairsets.paths import why_unsafe
from pairsets.text_column import TextColumn

_ONE_MODEL = "; vectors of two models cannot be compared: embed both sets with one"


@dataclass(frozen=True)
class TwoFolders:
    """Two folders of embeddings of one model.

    Attributes:
        first, second: the folders.
        label: what the model is called, where one of the two is given as `NAME=FOLDER`.
        names: what stands before the paths of either set: the folders that its faces lie in, below
            the one that holds both. By default the first folders, from the end, that differ.

    Raises:
        EmbeddingError: a set against itself, or names that do not tell the sets apart.
    """

    first: Path
    second: Path
    names: tuple[str, str] | None = None
    label: str | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        labels, folders = zip(*map(split_folder, (self.first, self.second)), strict=True)
        given = {label for label in labels if label is not None}
        if len(given) > 1:
            raise EmbeddingError(
                f"{' and '.join(sorted(given))}: two names, and the vectors of both sets are of "
                "one model; name it once"
            )
        object.__setattr__(self, "label", next(iter(given), None))
        object.__setattr__(self, "first", folders[0])
        object.__setattr__(self, "second", folders[1])
        if self.first.resolve() == self.second.resolve():
            raise EmbeddingError(
                f"{self.second}: a set against itself; lookalikes mine of one set alone finds its "
                "best pairs"
            )
        names = self.names
        if names is None:
            object.__setattr__(self, "names", told_apart(self.first, self.second))
            return
        for name in names:
            if why := why_unsafe(name):
                raise EmbeddingError(f"the set name {name!r} {why}; expected a folder, as in train")
        for one, other in (names, names[::-1]):
            if f"{other}/".startswith(f"{one}/"):
                raise EmbeddingError(
                    f"the set names {names[0]!r} and {names[1]!r} do not tell the sets apart; "
                    "expected folders of which neither lies in the other"
                )

    @property
    def folders(self) -> list[Path]:
        """Both folders."""
        return [self.first, self.second]

    def load(self) -> Embeddings:
        """The embeddings of both, those of the second set behind those of the first.

        Raises:
            EmbeddingError: not two folders of embeddings, or of different models.
            FacesError: with the names in front, two paths are spellings of one.
        """
        sets = [Embeddings.load(folder) for folder in self.folders]
        self._refuse_misfit(*sets)
        names = self.names or ("", "")
        first, second = (one.faces for one in sets)
        paths = TextColumn.of(
            f"{name}/{path}"
            for name, faces in zip(names, (first, second), strict=True)
            for path in faces.paths
        )
        said = None
        if first.said is not None and second.said is not None:
            said = " and ".join(dict.fromkeys((first.said, second.said)))
        together = Faces(
            Path(),
            paths,
            np.concatenate([first.identities, second.identities]),
            said=said,
            split=len(first),
        )
        stacked = Stacked(sets[0].vectors, sets[1].vectors)
        files = sets[0].files + sets[1].files
        return Embeddings(
            together, stacked.rows, _manifest(sets, names), self.first, files, self.label
        )

    def _refuse_misfit(self, first: Embeddings, second: Embeddings) -> None:
        """Raise EmbeddingError where the two are of different models, or the same pictures."""
        refuse_other_model(first, second)
        if first.manifest["images_sha256"] == second.manifest["images_sha256"]:
            raise EmbeddingError(
                f"{self.second}: the very pictures of {self.first}; lookalikes mine of one set "
                "alone finds its best pairs"
            )

    def warnings(self) -> list[str]:
        """A sentence on pictures that are in both sets."""
        ours, theirs = (
            set(read_images(folder / "images.csv", "sha256")) for folder in self.folders
        )
        if not (both := len(ours & theirs)):
            return []
        return [
            f"{both:,} {'pictures are' if both > 1 else 'picture is'} in both sets: each is taken "
            "for a face of either; under two names it is the best of all pairs."
        ]


def refuse_other_model(first: Embeddings, second: Embeddings) -> None:
    """Raise EmbeddingError where vectors are of two models, or of two states of one."""
    for what in ("fingerprint", "similarity", "dimensions"):
        ours, theirs = first.manifest[what], second.manifest[what]
        if ours != theirs:
            models = f"{first.model} and {second.model}"
            if first.model == second.model:
                models = f"two states of {first.model}, with other weights or settings"
            raise EmbeddingError(
                f"{first.folder} and {second.folder} are of {models}: {what} {ours} and {theirs}"
                f"{_ONE_MODEL}"
            )


def told_apart(first: Path, second: Path) -> tuple[str, str]:
    """The first folders, from the end, by which two paths differ.

    >>> told_apart(Path("runs/train/resnet50"), Path("runs/test/resnet50"))
    ('train', 'test')
    """
    ours, theirs = first.resolve().parts[::-1], second.resolve().parts[::-1]
    for one, other in zip(ours, theirs, strict=False):
        if one != other and "/" not in (one, other):
            return one, other
    raise EmbeddingError(
        f"{first} and {second}: no folder in them tells the sets apart; name the sets: "
        "--set-names A,B"
    )


def _manifest(sets: Sequence[Embeddings], names: Sequence[str]) -> Mapping[str, Any]:
    """The manifest of both: that of the first, where it is not of the pictures."""
    first = sets[0].manifest
    content = {name: value for name, value in first.items() if name != "identities_sha256"}
    digests = ["images_sha256", "vectors_sha256"]
    if any("identities_sha256" in one.manifest for one in sets):
        digests.append("identities_sha256")
    content |= {name: [one.manifest.get(name) for one in sets] for name in digests}
    content["images"] = sum(map(len, sets))
    content["skipped"] = {
        f"{name}/{path}": cause
        for name, one in zip(names, sets, strict=True)
        for path, cause in one.skipped.items()
    }
    notes = [note for one in sets for note in one.manifest.get("notes", ())]
    if notes:
        content["notes"] = list(dict.fromkeys(notes))
    return content
