"""One model's scores of a pair file, as they are sent to a leaderboard."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mining.commands.result import CommandResult
from mining.embeddings.options import EmbeddingOptions, notes_of
from mining.embeddings.store import Embeddings
from mining.errors import RunError
from mining.models.names import embeddings_name
from mining.scores.collection import Gathered, gather
from mining.scores.pair_files import low_aucs, was_mined
from mining.scores.score_pairs import readable
from pairsets.errors import ScoresError
from pairsets.evaluation.missing_scores import Missing
from pairsets.evaluation.rates import area_under, roc
from pairsets.faces import resolve
from pairsets.files.side_files import Named
from pairsets.files.submissions import DISTANCE, submission_files, write_submission
from pairsets.funnel import FunnelRow
from pairsets.pairset import PairSet
from pairsets.progress import Progress, silent
from pairsets.storage.artefacts import refuse_existing, refuse_inside
from pairsets.storage.publication import alone


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
    encoding: EmbeddingOptions,
    progress: Progress = silent,
) -> CommandResult:
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
    return CommandResult(written, rows, [*noted, *_low(pairs, asked, found, {own: values})])


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
