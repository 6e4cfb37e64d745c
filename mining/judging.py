"""Scores sent to a leaderboard, and how large a set a study needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mining.embeddings import Embeddings
from mining.encoder import Encoding, notes_of
from mining.gathering import Gathered, Named, gather
from mining.refusals import contradictions, refuse_lacking
from mining.run import Progress, RunError, embeddings_name, refuse_inside, silent
from mining.scoring import readable
from mining.setfiles import lost_rows, low_aucs, was_mined
from mining.steps import Made
from pairsets.artefacts import refuse_existing
from pairsets.bootstrap import DRAWS, refuse_few
from pairsets.clusters import By
from pairsets.comparison import compare
from pairsets.differences import ALPHA
from pairsets.errors import ScoresError
from pairsets.faces import resolve
from pairsets.identities import Rule
from pairsets.missing import Missing
from pairsets.pairset import PairSet
from pairsets.power import Power, power_between
from pairsets.publication import alone
from pairsets.rates import area_under, roc
from pairsets.report import FunnelRow
from pairsets.submission import DISTANCE, submission_files, write_submission


@dataclass(frozen=True, eq=False)
class Planned:
    """What `plan` found: every two models, and the set that they were compared on.

    `warnings` name the two models that nothing can be planned from, and those that mined the set;
    `funnel` counts the pairs that were left out, or counted as rejected.
    """

    plans: Sequence[Power]
    pairs: Path
    warnings: Sequence[str] = ()
    funnel: Sequence[FunnelRow] = ()


@alone()
def submit(
    pairs: Path,
    out: Path,
    *,
    scores: Path | None = None,
    embeddings: Path | None = None,
    faces: Path | None = None,
    model: str | None = None,
    name: str | None = None,
    description: str | None = None,
    authors: Sequence[str] = (),
    url: str | None = None,
    cache: Path | None = None,
    missing: Missing = "fail",
    distance: bool = False,
    overwrite: bool = False,
    encoding: Encoding,
    progress: Progress = silent,
) -> Made:
    """Write a submission: one model's scores of a pair file and their manifest.

    The scores are those of a score file, of embeddings, or of a model run on the faces.

    Args:
        pairs: the pair file.
        out: score file to write, its name ending in `.csv`; the manifest lies beside it.
        scores: a score file; of several models `name` picks one.
        embeddings: a folder written by `lookalikes embed`.
        faces: the folder that the pairs' paths lie in, for `model`.
        model: `family:argument`.
        name: what the table shall call it; its own name if not given.
        description, authors, url: what readers should know.
        cache: where the vectors of `model` are kept.
        missing: valid pairs without a score are refused (`fail`), or sent as rejected (`reject`).
        distance: the score file has distances; what is sent is minus these.
        overwrite: replace an older submission.
        encoding: how the model runs and images are read.
        progress: shows how far it is.
    """
    given = [one for one in (scores, embeddings, model) if one is not None]
    if len(given) != 1:
        raise RunError(
            f"{len(given)} sources of scores; expected one of --scores, --embeddings and --model"
        )
    files = submission_files(out)
    refuse_existing(files, overwrite=overwrite, inputs=[pairs, pairs.with_suffix(".json"), scores])
    for folder in (out, cache):
        if folder is not None and faces is not None:
            refuse_inside(folder, faces)
    if missing == "drop":
        raise RunError(
            "--missing drop: a submission speaks of every valid pair, and none can be left out; "
            "--missing reject sends those without a score as rejected"
        )
    asked = PairSet.read(pairs)
    sources = [] if embeddings is None else [Embeddings.load(embeddings)]
    noted: list[str] = []
    if model is not None:
        if faces is None:
            raise RunError("--model needs --faces, the folder that the pairs' paths lie in")
        present = resolve(faces, asked.paths, asked.identities)
        loaded = encoding.load(model)
        noted = notes_of([loaded])
        folder = (cache or pairs.with_suffix(".embeddings")) / embeddings_name(loaded)
        sources.append(encoding.embed(present, loaded, folder, progress))
    if missing == "fail" and (count := int((~readable(asked, sources)).sum())):
        raise ScoresError(
            f"{pairs}: {count} pairs with an image that cannot be read, which have no score of "
            f"{sources[0].model}; --missing reject sends them as rejected"
        )
    found = gather(
        {pairs.stem: asked},
        [] if scores is None else [Named(scores)],
        sources,
        missing=missing,
        distance=distance,
    )
    if len(found.models) > 1 and name not in found.models:
        raise ScoresError(
            f"{scores}: scores of {len(found.models)} models ({', '.join(found.models)}); a "
            "submission is of one of them, which --name picks"
        )
    own = name if name in found.models else found.models[0]
    known = sources[0].manifest if own in found.fingerprints else {}
    values = found.scores[pairs.stem][own]
    written = write_submission(
        out,
        asked,
        values,
        model=name or own,
        fingerprint=known.get("fingerprint"),
        similarity=DISTANCE if distance else known.get("similarity"),
        provenance=known.get("provenance"),
        description=description,
        authors=authors,
        url=url,
        overwrite=overwrite,
    )
    scored = int(np.isfinite(values).sum())
    rejected = int(np.isneginf(values).sum())
    rows = [FunnelRow("submit", "pairs scored", scored, kept=True)]
    if rejected:
        what = "pairs without a score, sent as rejected"
        rows.append(FunnelRow("submit", what, rejected, kept=True))
    if left := len(asked) - scored - rejected:
        rows.insert(0, FunnelRow("submit", "invalid pairs without a score", left))
    return Made(written, rows, [*noted, *_low(pairs, asked, found, {own: values})])


def _low(
    path: Path, pairs: PairSet, found: Gathered, scores: Mapping[str, NDArray[np.float64]]
) -> list[str]:
    """Sentences on models of which positives score lower than negatives, unless the set was mined.

    A set whose labels are kept back says nothing.
    """
    labels = pairs.label[pairs.valid]
    if len(np.unique(labels)) < 2 or was_mined(path, pairs):
        return []
    aucs = {model: area_under(roc(labels, values[pairs.valid])) for model, values in scores.items()}
    return low_aucs(path.stem, aucs, found, alone=True)


def plan(
    pairs: Path,
    *,
    points: float,
    identities: Rule | None = None,
    scores: Sequence[Named] = (),
    embeddings: Sequence[Path] = (),
    models: Sequence[str] = (),
    statistic: str = "fpr",
    power: float = 0.8,
    target_fnr: float | str | None = None,
    missing: Missing = "fail",
    distance: bool = False,
    distance_of: Sequence[str] = (),
    clusters: By = "character",
    draws: int = DRAWS,
    seed: int = 0,
) -> Planned:
    """How many pairs and characters it takes to tell every two models `points` (a share) apart.

    `identities` say who faces show, where neither folders nor `PAIRS.identities.csv` do.
    `models` picks some of those that have scores; all of them if not given. With M comparisons each
    is planned at the level 0.05 / M, the first step of Holm's correction, which tables apply: a set
    of that size tells the two apart whatever the other models do. Pairs without a score, and scores
    that are distances, are taken as `mining.gathering.gather` does.

    Raises:
        ScoresError: fewer than two models, an unknown one or one named twice, and what
            `pairsets.power` refuses of every two.
    """
    if not draws:
        raise ScoresError("0 bootstrap draws: not resampled, so that there is nothing to plan from")
    refuse_few(draws)
    asked = PairSet.read(pairs, identities)
    against = contradictions(asked, clusters, str(pairs))
    refuse_lacking(asked, [0, 1], str(pairs))
    sources = [Embeddings.load(folder) for folder in embeddings]
    found = gather(
        {pairs.stem: asked},
        scores,
        sources,
        missing=missing,
        distance=distance,
        distance_of=distance_of,
    )
    whole, asked = asked, asked.take(found.kept[pairs.stem])
    refuse_lacking(asked, [0, 1], str(pairs))
    known = found.scores[pairs.stem]
    for model in models:
        if model not in known:
            raise ScoresError(f"no scores of {model}; there are {', '.join(known) or 'none'}")
    if len({*models}) < len(models):
        raise ScoresError(f"a model named twice: {', '.join(models)}")
    chosen = {model: known[model] for model in (models or known)}
    if len(chosen) < 2:
        raise ScoresError(
            f"{len(chosen)} models to tell apart ({', '.join(chosen) or 'none'}); expected two or "
            "more with --scores and --embeddings"
        )
    compared = compare(
        pairs.stem,
        asked,
        chosen,
        target_fnr,
        missing="reject",
        turned=found.distances,
        clusters=clusters,
        draws=draws,
        seed=seed,
    )
    every_two = list(combinations(chosen, 2))
    plans: list[Power] = []
    refused: list[ScoresError] = []
    for first, second in every_two:
        try:
            plans.append(
                power_between(
                    compared,
                    first,
                    second,
                    statistic,
                    points=points,
                    power=power,
                    alpha=ALPHA / len(every_two),
                    clusters=clusters,
                )
            )
        except ScoresError as error:
            refused.append(error)
    if not plans:
        raise refused[0]
    miners = found.mined_by(pairs)
    warnings = [
        f"{model} mined this set, which makes its rates there what they are: a difference from it "
        "says nothing of the model"
        for model in chosen
        if model in miners
    ]
    warnings += [] if was_mined(pairs, whole) else low_aucs(pairs.stem, compared.aucs, found)
    said = [*against, *map(str, refused), *warnings]
    return Planned(plans, pairs, said, lost_rows("power", pairs.stem, found))
