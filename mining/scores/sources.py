"""Sources of scores: files, submissions, embeddings, models to run on the faces."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mining.embeddings.options import EmbeddingOptions, notes_of
from mining.embeddings.store import Embeddings
from mining.errors import RunError
from mining.models import Model
from mining.models.model_labels import alike_labelled
from mining.models.names import embeddings_name
from mining.scores.census import refuse_other_faces, take_all
from mining.scores.collection import Gathered, gather, names_of
from mining.scores.gallery_search import search_drawn
from pairsets.errors import ScoresError
from pairsets.evaluation.census import CensusComparison
from pairsets.evaluation.comparison import compare
from pairsets.evaluation.gallery_search import GallerySearch
from pairsets.evaluation.interval_options import IntervalOptions
from pairsets.evaluation.missing_scores import Missing
from pairsets.faces import Faces
from pairsets.files.side_files import Named
from pairsets.files.submissions import Submission, read_submission
from pairsets.gallery_draw import GalleryOptions, draw_gallery
from pairsets.pairset import PairSet, refuse_lacking
from pairsets.progress import Progress
from pairsets.storage.artefacts import refuse_inside
from pairsets.tables.leaderboard import Leaderboard


@dataclass(frozen=True)
class ScoreSources:
    """Sources of the scores of models, and what becomes of those that are missing.

    Attributes:
        models: `family:argument` of models to run on the faces, or `NAME=family:argument`.
        scores: score files.
        embeddings: folders written by `lookalikes embed`, or `NAME=FOLDER`.
        submissions: score files written by `lookalikes export-scores`.
        faces: the folder that the pairs' paths lie in; only models to run need it.
        missing: what becomes of pairs without a score, see `mining.scores.collection.gather`.
        distance: every score file has distances, where lower is more alike.
        distance_of: of these models of score files the scores are distances.
        all_pairs: whether rates over all pairs of the faces are told, too, of models with vectors.
        full: whether all scores are looked at for them; None where that is affordable.
        gallery: that is drawn of the faces and searched by models with vectors; None for none.
        cache: where vectors of `models` are kept; each command has a place of its own.
        encoding: how models run and images are read.
    """

    models: Sequence[str] = ()
    scores: Sequence[Named] = ()
    embeddings: Sequence[Path] = ()
    submissions: Sequence[Path] = ()
    faces: Path | None = None
    missing: Missing = "fail"
    distance: bool = False
    distance_of: Sequence[str] = ()
    all_pairs: bool = False
    full: bool | None = None
    gallery: GalleryOptions | None = None
    cache: Path | None = None
    encoding: EmbeddingOptions = field(default_factory=EmbeddingOptions)

    def __bool__(self) -> bool:
        """True where there is any source."""
        return bool(self.models or self.scores or self.embeddings or self.submissions)

    @property
    def whole(self) -> bool:
        """Whether all faces count, and not those of the pairs alone."""
        return self.all_pairs or self.gallery is not None

    @property
    def files(self) -> list[Path]:
        """The score files."""
        return [file.path for file in self.scores]

    def refuse_inside_faces(self, out: Path | None) -> None:
        """Raise OutputError where `out` or the cache lies in the folder of faces."""
        for folder in (out, self.cache):
            if folder is not None and self.faces is not None:
                refuse_inside(folder, self.faces)

    def open(self, *, without: Collection[str] = ()) -> OpenSources:
        """Load the embeddings; `without` has the sources that the caller cannot take.

        Raises:
            ScoresError: a source of such a kind.
            RunError: models, and no faces to run them on; all pairs or a gallery, and no vectors.
            EmbeddingError: a folder that has no embeddings.
        """
        if unfit := [name for name in without if getattr(self, name)]:
            raise ScoresError(f"scores cannot come from {' or '.join(unfit)} here")
        found = OpenSources(self, [Embeddings.load_named(folder) for folder in self.embeddings])
        if self.whole and not (self.models or self.embeddings):
            raise RunError(
                f"{'--all-pairs' if self.all_pairs else '--identify'} needs vectors of all faces, "
                "which score files have none of: name --model or --embeddings"
            )
        if self.models and self.faces is None:
            raise RunError("--model needs --faces, the folder that the pairs' paths lie in")
        return found


@dataclass(eq=False)
class OpenSources:
    """Sources that are being read, first of all what is at hand.

    Attributes:
        asked: where scores come from.
        embeddings: those loaded, and those of models that were run.
        submissions: those read.
        models: those loaded to be run, by the text that names them.
        homes: where vectors of these lie, once they were run.
    """

    asked: ScoreSources
    embeddings: list[Embeddings]
    submissions: Sequence[Submission] = ()
    models: Mapping[str, Model] = field(default_factory=dict)
    homes: Sequence[Path] = ()

    @property
    def notes(self) -> list[str]:
        """Sentences that a user should know of the models' files."""
        found = list(notes_of(self.models.values()))
        if self.asked.all_pairs and self.asked.scores:
            found.append(
                "Over all pairs stand the models with vectors alone: score files have scores of "
                "some pairs, and not of all."
            )
        if self.asked.gallery is not None and self.asked.scores:
            found.append(
                "The gallery is searched by the models with vectors alone: score files have scores "
                "of some pairs, and a search needs those of all."
            )
        return found

    @property
    def named(self) -> dict[str, Embeddings]:
        """The embeddings by the names that tables have for their models."""
        return dict(zip(names_of(self.embeddings), self.embeddings, strict=True))

    def read_submissions(self, pairs: PairSet) -> None:
        """Read the submissions, of these very pairs."""
        self.submissions = [read_submission(file, pairs) for file in self.asked.submissions]

    def load_models(self) -> None:
        """Load the models to run, each once."""
        encoding = self.asked.encoding
        (texts,) = alike_labelled(self.asked.models)
        self.models = {text: encoding.load(text) for text in dict.fromkeys(texts)}

    def run_models(self, faces: Faces, cache: Path, progress: Progress) -> None:
        """Embed `faces` with each model; `cache` is where, unless the sources say it.

        Raises:
            RunError: where all faces count, embeddings at hand that are of different ones.
        """
        if self.asked.whole:
            refuse_other_faces(self.embeddings)
        cache = self.asked.cache or cache
        self.homes = [cache / embeddings_name(model) for model in self.models.values()]
        for (called, model), home in zip(self.models.items(), self.homes, strict=True):
            made = self.asked.encoding.embed(faces, model, home, progress, called=called)
            self.embeddings.append(made)

    def gather(self, sets: Mapping[str, PairSet]) -> Gathered:
        """Every model's scores on every set; models not yet run are known by name alone."""
        return gather(
            sets,
            self.asked.scores,
            self.embeddings,
            self.submissions,
            {} if self.homes else self.models,
            missing=self.asked.missing,
            distance=self.asked.distance,
            distance_of=self.asked.distance_of,
        )

    def take_census(
        self, boards: Sequence[Leaderboard], checkpoint: Path, progress: Progress
    ) -> CensusComparison | None:
        """Rates over all pairs of the models with vectors; None where nobody asks for them.

        The target FNR is that of the first of `boards`.

        Raises:
            RunError: vectors of different faces.
        """
        if not self.asked.all_pairs:
            return None
        return take_all(
            self.named,
            next(board.comparison for board in boards if board.comparison).target_fnr,
            full=self.asked.full,
            device=self.asked.encoding.device,
            progress=progress,
            checkpoint=checkpoint,
        )

    def search_gallery(
        self, intervals: IntervalOptions, progress: Progress
    ) -> GallerySearch | None:
        """Search by the models with vectors in a drawn gallery; None where nobody asks for it.

        Raises:
            RunError: vectors of different faces.
            SampleError, EmbeddingError: see `mining.scores.gallery_search.search_drawn`.
        """
        if self.asked.gallery is None:
            return None
        return search_drawn(self.named, self.asked.gallery, intervals, progress=progress)

    def check(
        self,
        sets: Mapping[str, PairSet],
        files: Mapping[str, Path],
        target_fnr: float | str | None,
        faces: Faces | None = None,
    ) -> None:
        """Raise what evaluating the sets would raise, before the work on models.

        So is what drawing a gallery would: of embeddings at hand, else of `faces`.
        """
        given = self.gather(sets)
        for name, pairs in sets.items():
            rest = pairs.take(given.kept[name])
            refuse_lacking(rest, [0, 1], str(files[name]))
            compare(name, rest, given.scores[name], target_fnr, missing="reject", draws=0)
        if self.asked.gallery is not None and faces is not None:
            faces = self.embeddings[0].faces if self.embeddings else faces
            drawn = self.asked.gallery
            draw_gallery(
                faces.identities,
                gallery_size=drawn.size,
                held_out=drawn.held_out,
                seed=drawn.seed,
            )
