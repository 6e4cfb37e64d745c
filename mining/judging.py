"""Scores sent to a leaderboard, and how large a set a study needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np

from mining.embeddings import Embeddings
from mining.encoder import Encoding, notes_of
from mining.gathering import Named, gather
from mining.refusals import refuse_lacking
from mining.run import Progress, RunError, embeddings_name, refuse_inside, silent
from mining.steps import Made
from pairsets.artefacts import refuse_existing
from pairsets.bootstrap import DRAWS, refuse_few
from pairsets.clusters import By
from pairsets.comparison import compare
from pairsets.differences import ALPHA
from pairsets.errors import ScoresError
from pairsets.faces import resolve
from pairsets.pairset import PairSet
from pairsets.power import Power, power_between
from pairsets.report import FunnelRow
from pairsets.submission import submission_files, write_submission


@dataclass(frozen=True, eq=False)
class Planned:
    """What `plan` found: every two models, and the set that they were compared on.

    `warnings` name the two models that nothing can be planned from, and those that mined the set.
    """

    plans: Sequence[Power]
    pairs: Path
    warnings: Sequence[str] = ()


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
    asked = PairSet.read(pairs)
    sources = [] if embeddings is None else [Embeddings.load(embeddings)]
    noted: list[str] = []
    if model is not None:
        if faces is None:
            raise RunError("--model needs --faces, the folder that the pairs' paths lie in")
        present = resolve(faces, asked.paths)
        loaded = encoding.load(model)
        noted = notes_of([loaded])
        folder = (cache or pairs.with_suffix(".embeddings")) / embeddings_name(loaded)
        sources.append(encoding.embed(present, loaded, folder, progress))
    found = gather({pairs.stem: asked}, [] if scores is None else [Named(scores)], sources)
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
        similarity=known.get("similarity"),
        provenance=known.get("provenance"),
        description=description,
        authors=authors,
        url=url,
    )
    scored = int(np.isfinite(values).sum())
    rows = [FunnelRow("submit", "pairs scored", scored, kept=True)]
    if scored < len(asked):
        rows.insert(0, FunnelRow("submit", "invalid pairs without a score", len(asked) - scored))
    return Made(written, rows, noted)


def plan(
    pairs: Path,
    *,
    points: float,
    scores: Sequence[Named] = (),
    embeddings: Sequence[Path] = (),
    models: Sequence[str] = (),
    statistic: str = "fpr",
    power: float = 0.8,
    target_fnr: float | str | None = None,
    clusters: By = "character",
    draws: int = DRAWS,
    seed: int = 0,
) -> Planned:
    """How many pairs and characters it takes to tell every two models `points` (a share) apart.

    `models` picks some of those that have scores; all of them if not given. With M comparisons each
    is planned at the level 0.05 / M, the first step of Holm's correction, which tables apply: a set
    of that size tells the two apart whatever the other models do.

    Raises:
        ScoresError: fewer than two models, an unknown one or one named twice, and what
            `pairsets.power` refuses of every two.
    """
    if not draws:
        raise ScoresError("0 bootstrap draws: not resampled, so that there is nothing to plan from")
    refuse_few(draws)
    asked = PairSet.read(pairs)
    refuse_lacking(asked, [0, 1], str(pairs))
    sources = [Embeddings.load(folder) for folder in embeddings]
    found = gather({pairs.stem: asked}, scores, sources)
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
        pairs.stem, asked, chosen, target_fnr, clusters=clusters, draws=draws, seed=seed
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
    return Planned(plans, pairs, [*map(str, refused), *warnings])
