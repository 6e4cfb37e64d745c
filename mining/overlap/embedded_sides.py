"""Vectors of a training and a test set, by which their identities are compared."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from mining.embeddings.options import EmbeddingOptions, notes_of
from mining.embeddings.two_folders import TwoFolders
from mining.errors import RunError
from mining.models.names import embeddings_name
from mining.overlap.alike_identities import alike_identities
from pairsets.errors import PairSetError
from pairsets.faces import Faces
from pairsets.files.aliases import Aliases
from pairsets.files.cannot_links import CannotLinks
from pairsets.progress import Progress
from pairsets.sources.overlap import Collection, Shared, shared_identities

# Before the paths of either set, where both are meant.
_NAMES = ("train", "test")


@dataclass(frozen=True)
class EmbeddedSides:
    """Vectors of both sets: folders that `embed` wrote, or a model that embeds them now.

    Attributes:
        train, test: the folders.
        model: `family:argument` of the model, instead of folders.
        cannot_link: files of faces that cannot be one identity's.
        encoding: how the model runs, and images are read.

    Raises:
        RunError: both ways, one folder alone, or files without vectors.
    """

    train: Path | None = None
    test: Path | None = None
    model: str | None = None
    cannot_link: Sequence[Path] = ()
    encoding: EmbeddingOptions = field(default_factory=EmbeddingOptions)

    def __post_init__(self) -> None:
        if (self.train is None) != (self.test is None):
            raise RunError(
                "vectors of one set alone; expected those of both (--train-embeddings and "
                "--test-embeddings)"
            )
        if self.model is not None and self.train is not None:
            raise RunError("a model and vectors that are made already; expected one of the two")
        if self.cannot_link and not self:
            raise RunError(
                "faces that cannot be one identity's (--cannot-link) are asked of where identities "
                "are compared by vectors; name --model, or embeddings of both sets"
            )

    def __bool__(self) -> bool:
        """True where there is anything to compare identities by."""
        return self.model is not None or self.train is not None

    def refuse_unfit(self, ours: Collection, theirs: Collection, out: Path | None) -> None:
        """Raise RunError where a model has no pictures, or no place for its vectors."""
        if self.model is None:
            return
        if out is None:
            raise RunError("--model needs --out, beside which its vectors are kept")
        for side in (ours, theirs):
            if side.faces is None:
                raise RunError(
                    f"{side.source}: no folder of faces, so there is nothing for --model to look at"
                )

    def compare(
        self,
        ours: Collection,
        theirs: Collection,
        aliases: Aliases | None,
        out: Path | None,
        progress: Progress,
    ) -> tuple[list[Shared], list[str]]:
        """Identities that may be one under two names, and sentences on what was not looked at.

        Raises:
            EmbeddingError: folders of different models.
            PairSetError: vectors of other faces; files of faces that cannot be read, or of none of
                these.
        """
        links = CannotLinks.read(self.cannot_link) if self.cannot_link else None
        two, notes = self._folders(ours, theirs, out, progress)
        both = two.load()
        split = both.faces.split or 0
        parts = both.faces.identities[:split], both.faces.identities[split:]
        paths = both.faces.paths[:split], both.faces.paths[split:]
        for side, prefix, there in zip((ours, theirs), _NAMES, paths, strict=True):
            notes += _misfit(side, {path[len(prefix) + 1 :] for path in there})
        cannot = None
        if links is not None:
            cannot, told = self._stacked(links, both.faces)
            notes += told
        known = {(one.train, one.test) for one in shared_identities(*parts, aliases)}
        with progress("Comparing identities by their vectors") as step:
            return alike_identities(both, known, cannot, step), notes

    def _folders(
        self, ours: Collection, theirs: Collection, out: Path | None, progress: Progress
    ) -> tuple[TwoFolders, list[str]]:
        """The folders of vectors, made now where there is a model."""
        if self.train is not None and self.test is not None:
            return TwoFolders(self.train, self.test, _NAMES), []
        # `refuse_unfit` has seen to it that both are there.
        model = self.encoding.load(str(self.model))
        home = Path(str(out)).with_suffix(".embeddings") / embeddings_name(model)
        for name, side in zip(_NAMES, (ours, theirs), strict=True):
            if side.faces is not None:
                self.encoding.embed(side.faces, model, home / name, progress)
        return TwoFolders(home / _NAMES[0], home / _NAMES[1], _NAMES), notes_of([model])

    def _stacked(self, links: CannotLinks, faces: Faces) -> tuple[CannotLinks, list[str]]:
        """The links by paths that say which set they are of; a path may be of either."""
        places: dict[str, list[str]] = {}
        for path in faces.paths.tolist():
            places.setdefault(path.partition("/")[2], []).append(path)
        strangers = links.refuse_strangers(places, "these two sets")
        owners = dict(zip(faces.paths.tolist(), faces.identities.tolist(), strict=True))
        plain = {path: [owners[place] for place in both] for path, both in places.items()}
        _, same = links.identities(plain)
        found = replace(
            links,
            pairs=[
                (a, b)
                for one, other in links.pairs
                for a in places.get(one, ())
                for b in places.get(other, ())
            ],
            pictures=[
                [place for path in paths for place in places.get(path, ())]
                for paths in links.pictures
            ],
        )
        names, told = ", ".join(map(str, links.sources)), []
        if strangers:
            told.append(f"{names}: {strangers:,} of its paths are of neither set; passed over.")
        if same:
            told.append(
                f"{names}: {same:,} of its pairs of faces are of one identity; is one of them "
                "mislabelled, or the same person twice in a picture?"
            )
        return found, told


def _misfit(side: Collection, embedded: Iterable[str]) -> list[str]:
    """Sentences on pictures that have no vector; PairSetError where most have none."""
    if side.faces is None:
        return []
    paths, there = {*side.faces.paths.tolist()}, {*embedded}
    if 2 * len(paths & there) < len(paths):
        raise PairSetError(
            f"{side.source}: {len(paths & there):,} of its {len(paths):,} pictures are among the "
            f"embedded ones, and {min(paths - there)!r} is not, for one; are the embeddings those "
            "of another folder?"
        )
    lacking, further = len(paths - there), len(there - paths)
    told = []
    if lacking:
        told.append(
            f"{side.source}: {lacking:,} pictures have no vector; they are compared by name."
        )
    if further:
        told.append(f"{side.source}: {further:,} embedded pictures are not in it any more.")
    return told
