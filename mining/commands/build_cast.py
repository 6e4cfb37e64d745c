"""The models of a build: which mine, which are evaluated, and which are vectors at hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from indexes import FlatIndex
from mining.commands.run_folder import RunFolder
from mining.embeddings.given_vectors import GivenVectors, refuse_other_pictures, shared_faces
from mining.embeddings.options import FLOOR, EmbeddingOptions
from mining.embeddings.store import Embeddings, skipped_rows
from mining.errors import ModelError, RunError
from mining.miners.fused_negatives import refuse_twice
from mining.models import Model
from mining.models.model_labels import alike_labelled, split_label
from mining.models.names import model_names, plain_names, short_name
from mining.ranking.mined_pairs import Mined
from mining.ranking.model_ranking import search_on
from mining.scores.kinship import Kinships, kinships_between
from mining.scores.pair_files import refuse_inside_out
from pairsets.faces import Faces
from pairsets.funnel import FunnelRow
from pairsets.progress import Progress
from pairsets.storage.publication import written_together

Member = str | Path | Embeddings
Members = Member | Sequence[Member]


@dataclass(frozen=True, eq=False)
class Cast:
    """The models of a build as they were asked for; embeddings among them are open.

    Attributes:
        miners: those that mine.
        others: further ones.
        named: all of these that were asked for as further ones, whether they mine or not.
    """

    miners: Sequence[str | GivenVectors]
    others: Sequence[str | GivenVectors]
    named: Sequence[str] = ()

    @classmethod
    def of(cls, references: Members, models: Sequence[Member]) -> Cast:
        """The models of these texts, folders and embeddings.

        Raises:
            ModelError: two models of one name, or one under two.
            FusionError: a reference twice.
            EmbeddingError: a folder without embeddings.
            RunError: the same vectors twice.
        """
        groups = [_listed(references), [*models]]
        run = [[one for one in group if isinstance(one, str)] for group in groups]
        texts = alike_labelled(*run)
        left = iter([*texts[0], *texts[1]])
        miners, further = (
            [next(left) if isinstance(one, str) else GivenVectors.open(one) for one in group]
            for group in groups
        )
        refuse_twice(texts[0])
        _refuse_folders([*texts[0], *texts[1]])
        others = list(dict.fromkeys(one for one in further if one not in miners))
        found = cls(miners, others, [_called(one) for one in further])
        seen: dict[str, GivenVectors] = {}
        for one in found.given:
            other = seen.setdefault(one.fingerprint, one)
            if other is not one:
                raise RunError(
                    f"{one.source.folder}: the same vectors as {other.source.folder}, of one "
                    "model; name them once"
                )
        model_names([_called(one) for one in (*miners, *others)])
        found._refuse_names([one.called for one in found.given])
        return found

    @property
    def given(self) -> list[GivenVectors]:
        """The vectors at hand."""
        return [one for one in (*self.miners, *self.others) if isinstance(one, GivenVectors)]

    @property
    def further(self) -> list[str]:
        """Texts of the models that do not mine."""
        return [_called(one) for one in self.others]

    @property
    def settings(self) -> dict[str, object]:
        """Settings that an interrupted build goes on with alone, where there are vectors at hand.

        Vectors are known by their content, wherever they lie.
        """
        if not self.given:
            return {}
        return {
            "references": [_called(one) for one in self.miners],
            "models": self.further,
            "embeddings": {one.called: one.settled for one in self.given},
        }

    def _refuse_names(self, specs: Sequence[str]) -> None:
        """Raise ModelError where tables could not tell two models apart."""
        names = model_names(specs)
        for one in self.given:
            if names.count(one.called) > 1:
                raise ModelError(
                    f"{one.source.folder}: another model is called {one.called}, too; give each a "
                    f"name of its own, as NAME={one.source.folder}"
                )

    def refuse_places(self, out: Path) -> None:
        """Raise RunError where vectors lie in the run's folder, or that lies in theirs."""
        for one in self.given:
            if one.place is None:
                continue
            refuse_inside_out(one.place, out)
            if out.resolve().is_relative_to(one.place.resolve()):
                raise RunError(
                    f"{out}: inside {one.place}, whose vectors this build takes; choose another "
                    "--out"
                )

    def load(
        self, faces: Faces, encoding: EmbeddingOptions, *, floor: bool, progress: Progress
    ) -> LoadedCast:
        """Load each model once, and look whether the vectors are of these very faces.

        Raises:
            ModelError: one that cannot be loaded, two of one name, or options of models that are
                run where there is none.
            FusionError: two that mine are one.
            EmbeddingError: vectors of other faces.
            RunError: a model that is to be run though its vectors are at hand.
        """
        asked: list[str | GivenVectors] = [*self.miners, *self.others]
        self._refuse_steps(encoding)
        shared = shared_faces(self.given, faces, encoding.on_error)
        if floor and FLOOR not in (split_label(_called(one))[1] for one in asked):
            # Where its vectors are at hand they are not made once more.
            lowest = encoding.load(FLOOR).fingerprint
            asked += [FLOOR] if lowest not in (one.fingerprint for one in self.given) else []
        specs = [_called(one) for one in asked]
        model_names(specs)
        loaded = [
            encoding.load(one) if isinstance(one, str) else one.without(faces) for one in asked
        ]
        found = LoadedCast(specs, loaded, len(self.miners), shared)
        self._refuse_run(found)
        self._refuse_names(specs)
        refuse_twice(specs[: found.count], [model.fingerprint for model in loaded[: found.count]])
        if self.given:
            with progress("Comparing pictures with those embedded") as step:
                refuse_other_pictures(self.given, shared, encoding.workers, step)
        return found

    def _refuse_steps(self, encoding: EmbeddingOptions) -> None:
        """Raise ModelError where steps behind models are asked for, and no model is run."""
        if encoding.steps and all(
            isinstance(one, GivenVectors) for one in (*self.miners, *self.others)
        ):
            raise ModelError(
                f"{', '.join(encoding.steps)}: of models that are run, and embeddings are taken as "
                "they are; embed with it instead"
            )

    def _refuse_run(self, loaded: LoadedCast) -> None:
        """Raise RunError where a model is to be run though its vectors are at hand."""
        known = {one.fingerprint: one for one in self.given}
        for model, spec in zip(loaded.loaded, loaded.specs, strict=True):
            if not isinstance(model, GivenVectors) and model.fingerprint in known:
                raise RunError(
                    f"{known[model.fingerprint].source.folder}: the vectors of {spec}, which is to "
                    "be run, too; leave out one or the other"
                )


@dataclass(frozen=True, eq=False)
class LoadedCast:
    """The models of a build, those that mine first.

    Attributes:
        specs: `family:argument` of each, with its label if it has one.
        loaded: the models.
        count: of those that mine.
        faces: that there is no lack of vectors at hand of.
    """

    specs: Sequence[str]
    loaded: Sequence[Model | GivenVectors]
    count: int
    faces: Faces

    @cached_property
    def names(self) -> list[str]:
        """Names of the models in tables."""
        return model_names(self.specs)

    @property
    def plain_names(self) -> list[str]:
        """Names of those that mine, as any file can have them."""
        return plain_names(self.loaded[: self.count], self.specs[: self.count])

    @property
    def fingerprints(self) -> dict[str, str]:
        """Fingerprints of the models by these names."""
        loaded = zip(self.names, self.loaded, strict=True)
        return {name: model.fingerprint for name, model in loaded}

    @property
    def notes(self) -> list[str]:
        """Sentences that a user should know of the models' files, and of vectors at hand."""
        return list(dict.fromkeys(note for model in self.loaded for note in model.notes))

    def embed(
        self, run: RunFolder, encoding: EmbeddingOptions, progress: Progress
    ) -> list[Embeddings]:
        """Embed with the first all faces, with the others those that it could; write their list.

        Vectors at hand are copied.
        """

        def embedded(some: Faces, at: int) -> Embeddings:
            model, called = self.loaded[at], self.specs[at]
            folder = run.embeddings(model)
            if not isinstance(model, GivenVectors):
                return encoding.embed(some, model, folder, progress, called=called)
            with progress(f"Copying vectors: {short_name(called)}") as step:
                return model.copy(some, folder, step)

        first = embedded(self.faces, 0)
        others = [embedded(first.faces, at) for at in range(1, len(self.loaded))]
        first.faces.write(run.faces)
        with written_together([run.index, run.index.with_suffix(".json")]) as staged:
            FlatIndex(first.vectors).save(staged / run.index.name)
        return [first, *others]

    def embedding_rows(self, found: Faces, first: Embeddings) -> list[FunnelRow]:
        """Funnel rows of the embedding stage, of the faces of the folder."""
        told = [int((one.paths.find([*first.skipped]) >= 0).sum()) for one in (found, self.faces)]
        # The first tells of its own.
        lost = len(found) - len(self.faces) - (told[0] - told[1])
        what = "faces that some of the embeddings have no vector of"
        return [*([FunnelRow("embed", what, lost)] if lost else []), *skipped_rows(first)]

    def kinships(
        self,
        embedded: Sequence[Embeddings],
        mined: Mined,
        seed: int,
        device: str,
        progress: Progress,
    ) -> Kinships:
        """Kinship of each with the references, by as many hardest pairs as were mined."""
        models = dict(zip(self.names, embedded, strict=True))
        with progress("Looking for kin of the reference"):
            how = search_on(device)
            return kinships_between(models, mined.references, len(mined), seed, how)


def _refuse_folders(texts: Sequence[str]) -> None:
    """Raise ModelError for a folder of embeddings in a model's place."""
    for text in texts:
        spec = split_label(text)[1]
        if ":" not in spec and (Path(spec) / "manifest.json").is_file():
            raise ModelError(
                f"{text}: a folder of embeddings, and no model to run; give it with --embeddings "
                "(in Python as a Path)"
            )


def _listed(members: Members) -> list[Member]:
    """Several models, or the one."""
    return [members] if isinstance(members, str | Path | Embeddings) else [*members]


def _called(member: str | GivenVectors) -> str:
    return member if isinstance(member, str) else member.called
