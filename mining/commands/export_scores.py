"""One model's scores of a pair file, as they are sent to a leaderboard."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mining.commands.result import CommandResult
from mining.errors import RunError
from mining.scores.collection import Gathered
from mining.scores.pair_files import low_aucs, was_mined
from mining.scores.score_pairs import readable
from mining.scores.sources import ScoreSources
from pairsets.errors import ScoresError
from pairsets.evaluation.rates import area_under, roc
from pairsets.faces import resolve
from pairsets.files.submissions import DISTANCE, submission_files, write_submission
from pairsets.funnel import FunnelRow
from pairsets.pairset import PairSet
from pairsets.progress import Progress, silent
from pairsets.storage.artefacts import refuse_existing
from pairsets.storage.publication import alone


@dataclass(frozen=True)
class About:
    """Facts for readers of scores: `name` is that in tables, by default the model's own."""

    name: str | None = None
    authors: Sequence[str] = ()
    description: str | None = None
    url: str | None = None


@alone()
def export(
    pairs: Path,
    out: Path,
    sources: ScoreSources,
    *,
    about: About = About(),
    overwrite: bool = False,
    progress: Progress = silent,
) -> CommandResult:
    """Write a submission: one model's scores of a pair file and their manifest.

    Args:
        pairs: the pair file.
        out: score file to write, its name ending in `.csv`; the manifest lies beside it.
        sources: one score file, of whose models `about.name` picks one, or one folder of
            embeddings, or one model. Valid pairs without a score are refused (`fail`), or sent as
            rejected (`reject`); of distances, what is sent is minus these.
        about: what readers should know.
        overwrite: replace an older submission.
        progress: shows how far it is.
    """
    given = len(sources.scores) + len(sources.embeddings) + len(sources.models)
    if given != 1:
        raise RunError(
            f"{given} sources of scores; expected one of --scores, --embeddings and --model"
        )
    files, name = submission_files(out), about.name
    refuse_existing(
        files, overwrite=overwrite, inputs=[pairs, pairs.with_suffix(".json"), *sources.files]
    )
    sources.refuse_inside_faces(out)
    if sources.missing == "drop":
        raise RunError(
            "--missing drop: a submission speaks of every valid pair, and none can be left out; "
            "--missing reject sends those without a score as rejected"
        )
    asked = PairSet.read(pairs)
    opened = sources.open(without=("submissions",))
    if sources.models and sources.faces is not None:
        present = resolve(sources.faces, asked.paths, asked.identities)
        opened.load_models()
        opened.run_models(present, pairs.with_suffix(".embeddings"), progress)
    if sources.missing == "fail" and (count := int((~readable(asked, opened.embeddings)).sum())):
        raise ScoresError(
            f"{pairs}: {count} pairs with an image that cannot be read, which have no score of "
            f"{opened.embeddings[0].model}; --missing reject sends them as rejected"
        )
    found = opened.gather({pairs.stem: asked})
    if len(found.models) > 1 and name not in found.models:
        raise ScoresError(
            f"{sources.files[0]}: scores of {len(found.models)} models "
            f"({', '.join(found.models)}); a submission is of one of them, which --name picks"
        )
    own = name if name in found.models else found.models[0]
    known = opened.embeddings[0].manifest if own in found.fingerprints else {}
    values = found.scores[pairs.stem][own]
    written = write_submission(
        out,
        asked,
        values,
        model=name or own,
        fingerprint=known.get("fingerprint"),
        similarity=DISTANCE if sources.distance else known.get("similarity"),
        provenance=known.get("provenance"),
        description=about.description,
        authors=about.authors,
        url=about.url,
        overwrite=overwrite,
    )
    scored = int(np.isfinite(values).sum())
    rejected = int(np.isneginf(values).sum())
    rows = [FunnelRow("export-scores", "pairs scored", scored, kept=True)]
    if rejected:
        what = "pairs without a score, sent as rejected"
        rows.append(FunnelRow("export-scores", what, rejected, kept=True))
    if left := len(asked) - scored - rejected:
        rows.insert(0, FunnelRow("export-scores", "invalid pairs without a score", left))
    return CommandResult(written, rows, [*opened.notes, *_low(pairs, asked, found, {own: values})])


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
