"""A folder of faces to random pairs."""

from __future__ import annotations

from pathlib import Path

from mining.commands.result import CommandResult
from mining.miners.inputs import refuse_single
from pairsets.errors import PairSetError
from pairsets.faces import Faces
from pairsets.files.side_files import design_of, folds_of, manifest_of, mined_folds_of
from pairsets.funnel import FunnelRow, faces_rows
from pairsets.identities.rules import Rule
from pairsets.pairset import identities_of
from pairsets.paths import read_ignore_list
from pairsets.random_set import random_pairs
from pairsets.storage.artefacts import refuse_existing, versions
from pairsets.storage.publication import alone, written_together


@alone()
def sample_pairs(
    faces: Path,
    out: Path,
    *,
    identities: Rule | None = None,
    positives: int | None = None,
    negatives: int | None = None,
    ignore_list: Path | None = None,
    seed: int = 0,
    overwrite: bool = False,
) -> CommandResult:
    """Draw random pairs of a folder of faces into the pair file `out`."""
    files, named = [out, manifest_of(out)], identities_of(out)
    refuse_existing([*files, folds_of(out), named], overwrite=overwrite, inputs=[ignore_list])
    if positives == 0 and negatives == 0:
        raise PairSetError("0 positive and 0 negative pairs asked for: there is nothing to draw")
    found = Faces.scan(faces, identities)
    refuse_single(found, faces)
    ignored = read_ignore_list(ignore_list) if ignore_list is not None else frozenset[str]()
    pairs = random_pairs(found, positives=positives, negatives=negatives, seed=seed, ignore=ignored)
    kept = int(found.without(ignored).sum())
    funnel = faces_rows(found)
    if kept < len(found):
        funnel.append(FunnelRow("random", "faces on the ignore list", len(found) - kept))
    unknown = len(ignored - found.known_names(ignored))
    if unknown:
        funnel.append(FunnelRow("random", "names on the ignore list that no face has", unknown))
    counts = {
        "positives": int((pairs.label == 1).sum()),
        "negatives": int((pairs.label == 0).sum()),
    }
    funnel += [FunnelRow("random", what, count, kept=True) for what, count in counts.items()]
    content = {
        "schema": 1,
        "kind": "random",
        "pairs": counts,
        "parameters": {
            "positives": positives,
            "negatives": negatives,
            "seed": seed,
            **({"identities": found.said} if found.said is not None else {}),
        },
        "versions": versions("lookalikes", "numpy"),
    }
    if pairs.named is not None:
        files.append(named)
    # Of the pairs that stood here before.
    stale = sorted({design_of(out), folds_of(out), *mined_folds_of(out), named} - {*files})
    with written_together(
        files, manifest=manifest_of(out), stale=stale, overwrite=overwrite
    ) as folder:
        pairs.write(folder / out.name, content)
    return CommandResult(files, funnel, found.notes)
