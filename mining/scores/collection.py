"""Scores of pair sets from wherever they are: score files, embeddings, models run on the faces."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from mining.embeddings.store import Embeddings
from mining.models import Model
from mining.models.names import model_names, short_name
from mining.scores.score_pairs import readable, score_pairs
from pairsets.errors import ScoresError
from pairsets.evaluation.missing_scores import Missing, refuse_unscored, settle, unscored
from pairsets.files.score_files import read_scores, says_none, why_none
from pairsets.files.side_files import Named
from pairsets.files.submissions import DISTANCE, Submission
from pairsets.pairset import PairSet, pair_key
from pairsets.storage.artefacts import refuse_unwritable
from pairsets.storage.json_files import JsonError, JsonObject, read_object

Scores = NDArray[np.float64]


@dataclass(frozen=True)
class Miner:
    """A reference model that mined a pair file.

    Vectors are known by their fingerprint; a name alone does not tell two checkpoints apart.

    Attributes:
        model: the `family:argument` text.
        fingerprint: of the model.
        provenance: the facts that the fingerprint is made of; empty where the manifest lacks them.
        label: what it was called when it mined; None of its own name.
    """

    model: str
    fingerprint: str
    provenance: Mapping[str, object] = field(default_factory=dict, compare=False)
    label: str | None = field(default=None, compare=False)

    @property
    def unlisted(self) -> str:
        """Its name where a table does not have it: like nothing that a table has."""
        return f"{self.model} {self.fingerprint}"

    def among_scores(self, names: Collection[str]) -> str | None:
        """Its name in a score file, which has its label, or the whole name or the short one."""
        mine = (*([] if self.label is None else [self.label]), self.model, short_name(self.model))
        return next((name for name in mine if name in names), None)


@dataclass(frozen=True, eq=False)
class Gathered:
    """Scores by set and model, and what tells whether a model mined a set.

    Attributes:
        scores: by set and model, of the rows of `kept` alone; -inf where a pair without a score
            counts as rejected.
        fingerprints: of the models whose vectors were at hand, or whose submission has one.
        known_as: what their file calls the models that the user named.
        kept: by set, `[N]`: the pairs that are not left out.
        dropped: by set, how many are left out for want of a score; the others that are not kept
            have an image that was skipped while embedding.
        distances: models whose file has distances, or whose submission says so; their scores are
            minus these.
        from_files: the models of score files.
        measures: what the scores of models with vectors are, in words.
    """

    scores: Mapping[str, Mapping[str, Scores]]
    fingerprints: Mapping[str, str]
    known_as: Mapping[str, str] = field(default_factory=dict)
    kept: Mapping[str, NDArray[np.bool_]] = field(default_factory=dict)
    dropped: Mapping[str, int] = field(default_factory=dict)
    distances: frozenset[str] = frozenset()
    from_files: frozenset[str] = frozenset()
    measures: Mapping[str, str] = field(default_factory=dict)

    @property
    def models(self) -> list[str]:
        """In order of appearance."""
        return list(next(iter(self.scores.values()), {}))

    def mined_by(self, pair_file: Path) -> list[str]:
        """The models that mined `pair_file`, by the name they have here.

        A miner that is not among the models is named all the same: that it mined is known.
        """
        found: list[str] = []
        for miner in miners(pair_file):
            found += self.known_as_miner(miner) or [miner.unlisted]
        return list(dict.fromkeys(found))

    def known_as_miner(self, miner: Miner) -> list[str]:
        """The names that `miner` has here; none where it is not among the models."""
        names = [name for name in self.models if name not in self.fingerprints]
        known_as = {self.known_as.get(name, name): name for name in reversed(names)}
        mine = [
            model
            for model, fingerprint in self.fingerprints.items()
            if fingerprint == miner.fingerprint
        ]
        name = miner.among_scores(names)
        own = miner.among_scores(known_as)
        mine += [] if name is None else [name]
        mine += [] if own is None else [known_as[own]]
        return list(dict.fromkeys(mine))


def gather(
    sets: Mapping[str, PairSet],
    files: Sequence[Named] = (),
    embeddings: Sequence[Embeddings] = (),
    submissions: Sequence[Submission] = (),
    coming: Mapping[str, Model] = MappingProxyType({}),
    *,
    missing: Missing = "fail",
    distance: bool = False,
    distance_of: Collection[str] = (),
) -> Gathered:
    """Every model's scores on every set.

    A file may hold several models, and the pairs of one set or of several; files that give a model
    one name make up its scores together. Of models still to be run, which are `coming`, only the
    names are looked at.

    Pairs of images that were skipped while embedding are left out for all models, and counted; so
    are, if `missing` is `drop`, those that some model has no score of. With `reject` either kind
    counts as rejected by that model. What a submission says is rejected is so unless dropped.

    Args:
        sets: by name.
        files: score files.
        embeddings: of the faces.
        submissions: of these very pairs.
        coming: models still to be run, by the text that names them.
        missing: what becomes of valid pairs without a score.
        distance: every score file has distances, where lower is more alike.
        distance_of: of these models of score files the scores are distances.

    Raises:
        ScoresError: a model without scores of some set, or of some pair under `fail`, two models of
            one name, one model twice, distances of a model that no score file has, and what
            `pairsets.files.score_files.read_scores` raises.
    """
    found: dict[str, dict[str, Scores]] = {name: {} for name in sets}
    homes: dict[str, Named] = {}
    known_as: dict[str, str] = {}
    for file in files:
        _add_file(found, homes, known_as, file, sets)
    turned = _distances(homes, distance, distance_of)
    for scores in found.values():
        scores |= {model: -scores[model] for model in turned if model in scores}
    # Images that were skipped are nobody's fault but theirs: such pairs lack scores everywhere.
    there = {name: readable(pairs, embeddings) for name, pairs in sets.items()}
    _refuse_incomplete(found, homes, sets, there if missing == "fail" else {})
    from_files = frozenset(homes)
    _add_submissions(found, homes, submissions)
    names = names_of(embeddings, coming, homes)
    refuse_unwritable((*sets, *homes, *names))
    # Those that are still coming have no vectors yet.
    sources = dict(zip(names, embeddings, strict=False))
    prints = {model: str(source.manifest["fingerprint"]) for model, source in sources.items()}
    # A submission of the model that mined the set is known by it.
    prints |= {
        sent.model: str(sent.manifest["fingerprint"])
        for sent in submissions
        if sent.manifest.get("fingerprint")
    }
    for name, pairs in sets.items():
        found[name] |= {model: score_pairs(pairs, source) for model, source in sources.items()}
        for model in found[name]:
            _refuse_none(found[name][model], pairs, name, model)
    kept, dropped = {}, {}
    for name, pairs in sets.items():
        stay = there[name] if missing != "reject" else np.ones(len(pairs), np.bool_)
        rest, mine = pairs, found[name]
        if not stay.all():
            rest, mine = pairs.take(stay), {model: one[stay] for model, one in mine.items()}
        # What lacks a score by now is said to be rejected, by the user or by a submission.
        whole, mine = settle(rest, mine, "drop" if missing == "drop" else "reject")
        found[name] = {model: values[whole] for model, values in mine.items()}
        dropped[name] = int((~whole).sum())
        kept[name] = stay.copy()
        kept[name][stay] = whole
    turned |= {sent.model for sent in submissions if sent.manifest.get("similarity") == DISTANCE}
    measures = {model: measure_of(source) for model, source in sources.items()}
    measures |= dict.fromkeys(turned, "distance, its sign turned round")
    return Gathered(found, prints, known_as, kept, dropped, turned, from_files, measures)


def measure_of(source: Embeddings) -> str:
    """Words for what the scores of vectors are: "cosine" or "inner product"."""
    return source.similarity.replace("_", " ")


def _refuse_incomplete(
    found: Mapping[str, Mapping[str, Scores]],
    homes: Mapping[str, Named],
    sets: Mapping[str, PairSet],
    there: Mapping[str, NDArray[np.bool_]],
) -> None:
    """Raise ScoresError for a model without scores of a set, or of a pair that is `there`."""
    for name, scores in found.items():
        for model, file in homes.items():
            if model not in scores:
                raise ScoresError(
                    f"{file.path}: no score of any of the {len(sets[name])} pairs of the set "
                    f"{name} for {model}, which has scores of another; name a file that has them "
                    f"in the same way: --scores '{model}=FILE'"
                )
            if name in there:
                whole = np.where(there[name], scores[model], 0.0)
                _refuse_gaps(whole, sets[name], name if len(sets) > 1 else "", model, file.path)


def _add_submissions(
    found: Mapping[str, dict[str, Scores]],
    homes: dict[str, Named],
    submissions: Sequence[Submission],
) -> None:
    """Add the scores of submissions to those of files, each model once."""
    for at, sent in enumerate(submissions):
        for scores in found.values():
            if sent.model in scores:
                twin = any(sent.model == earlier.model for earlier in submissions[:at])
                raise ScoresError(
                    f"a submission called {sent.model}, beside {'another' if twin else 'scores'} "
                    "of that name; expected every model once"
                )
            scores[sent.model] = sent.scores
        homes[sent.model] = Named(Path(sent.model))


def _distances(
    homes: Mapping[str, Named], distance: bool, names: Collection[str]
) -> frozenset[str]:
    """The models of score files whose scores are distances."""
    if (distance or names) and not homes:
        raise ScoresError("distances are those of score files, and none is given: name --scores")
    for name in names:
        if name not in homes:
            raise ScoresError(
                f"distances of {name}, which no score file has; they have {', '.join(homes)}"
            )
    return frozenset(homes if distance else names)


def _refuse_gaps(values: Scores, pairs: PairSet, name: str, model: str, path: Path) -> None:
    lacking = np.flatnonzero(unscored(pairs, values))
    if lacking.size:
        row = int(lacking[0])
        said = says_none(path, pair_key(pairs.path_a[row], pairs.path_b[row]))
        of_set = f" of the set {name}" if name else ""
        refuse_unscored(pairs, values, model, f"{path}{said}", of_set)


def _refuse_none(values: Scores, pairs: PairSet, name: str, model: str) -> None:
    """Raise ScoresError where not one valid pair has a score."""
    if len(pairs) and pairs.valid.any() and unscored(pairs, values).sum() == pairs.valid.sum():
        raise ScoresError(f"{model}: no valid pair of the set {name} has a score")


def names_of(
    embeddings: Sequence[Embeddings],
    coming: Mapping[str, Model] = MappingProxyType({}),
    homes: Mapping[str, Named] = MappingProxyType({}),
) -> list[str]:
    """Names in tables of the models of vectors, each its own; `homes` has those of the others.

    Raises:
        ScoresError: one model twice, or two of one name.
    """
    specs = [(one.called, str(one.manifest["fingerprint"]), str(one.folder)) for one in embeddings]
    specs += [(text, one.fingerprint, f"--model {text}") for text, one in coming.items()]
    names = model_names([spec for spec, _, _ in specs])
    seen: dict[str, str] = {}
    for spec, fingerprint, where in specs:
        if fingerprint in seen:
            raise ScoresError(
                f"{where}: the same model as {seen[fingerprint]}, with the same weights; name it "
                "once"
            )
        seen[fingerprint] = spec
    for name, (_, _, where) in zip(names, specs, strict=True):
        if name in homes:
            raise ScoresError(
                f"{where}: scores of {name} are given twice, here and in {homes[name].path}"
            )
        if names.count(name) > 1:
            raise ScoresError(
                f"{where}: a second model called {name}, with other weights or settings"
            )
    return names


def _add_file(
    found: dict[str, dict[str, Scores]],
    homes: dict[str, Named],
    known_as: dict[str, str],
    file: Named,
    sets: Mapping[str, PairSet],
) -> None:
    any_set, mine = False, dict[str, Named]()
    for name, pairs in sets.items():
        scores = read_scores(file.path, pairs, complete=False)
        if not scores:
            continue
        any_set = True
        if file.name is not None:
            if len(scores) > 1:
                raise ScoresError(
                    f"{file.path}: scores of {len(scores)} models ({', '.join(scores)}), which "
                    f"cannot all be called {file.name}; leave out the name"
                )
            known_as.setdefault(file.name, next(iter(scores)))
            scores = {file.name: next(iter(scores.values()))}
        for model, values in scores.items():
            older = found[name].get(model)
            if older is None:
                found[name][model] = values
            elif homes[model].path == file.path or _differ(older, values):
                raise ScoresError(
                    f"{file.path}: scores of {model} are given twice, here and in "
                    f"{homes[model].path}; is it another model? Then name it: "
                    f"--scores NAME={file.path}"
                )
            else:
                found[name][model] = np.where(np.isfinite(older), older, values)
            mine.setdefault(model, file)
    homes |= {model: one for model, one in mine.items() if model not in homes}
    if not any_set:
        total = sum(map(len, sets.values()))
        paths = [path for pairs in sets.values() for path in pairs.paths]
        why = why_none(file.path, paths) or "; are they another pair set's?"
        raise ScoresError(f"{file.path}: no score of any of the {total} pairs{why}")


def _differ(first: Scores, second: Scores) -> bool:
    """True where a pair has another score in each of them."""
    both = np.isfinite(first) & np.isfinite(second)
    return bool((first[both] != second[both]).any())


def miners(path: Path) -> list[Miner]:
    """The references that the manifest beside a pair file names; none where there are none."""
    try:
        found = read_object(path.with_suffix(".json"), "the manifest of mined pairs")
        several = "references" in found.content
        those = found.objects("references") if several else [found.inner("reference")]
        return [
            Miner(one.text("model"), one.text("fingerprint"), _provenance(one), _label(one))
            for one in those
        ]
    except (OSError, JsonError):
        return []


def _label(reference: JsonObject) -> str | None:
    """Label of a reference when it mined; None where the manifest has none."""
    found = reference.content.get("name")
    return found if isinstance(found, str) else None


def _provenance(reference: JsonObject) -> Mapping[str, object]:
    """The facts on a reference in a manifest; empty where it has none."""
    found = reference.content.get("provenance")
    return found if isinstance(found, Mapping) else {}
