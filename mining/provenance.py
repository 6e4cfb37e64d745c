"""What a stage dropped, and what a pair file was made from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict

from mining.embeddings import Embeddings
from mining.negatives import Negatives, ignored_rows
from pairsets.artefacts import versions
from pairsets.faces import NESTED, Faces
from pairsets.pairset import PairSet
from pairsets.report import FunnelRow
from pairsets.sampling import PairSpace

SCHEMA = 1


def manifest(
    kind: str,
    pairs: PairSet,
    embeddings: Embeddings,
    parameters: Mapping[str, object],
    inputs: Mapping[str, object],
    funnel: Sequence[FunnelRow],
    *,
    reference: bool = True,
) -> dict[str, object]:
    """The provenance of a pair file."""
    content: dict[str, object] = {
        "schema": SCHEMA,
        "kind": kind,
        "pairs": {
            "positives": int((pairs.label == 1).sum()),
            "negatives": int((pairs.label == 0).sum()),
            "invalid": int((~pairs.valid).sum()),
        },
        "parameters": dict(parameters),
        "inputs": dict(inputs),
    }
    if reference:
        content["reference"] = {
            name: embeddings.manifest[name]
            for name in ("model", "fingerprint", "similarity", "dimensions", "provenance")
        }
    content["funnel"] = [asdict(row) for row in funnel]
    content["versions"] = versions("lookalikes", "numpy", "pandas", "faiss-cpu", "faiss-gpu")
    return content


def faces_rows(faces: Faces) -> list[FunnelRow]:
    """Funnel rows of reading the folder."""
    rows = [
        FunnelRow("faces", what, count, kept=what == NESTED)
        for what, count in sorted(faces.skipped.items())
    ]
    return [*rows, FunnelRow("faces", "images found", len(faces), kept=True)]


def skipped_rows(embeddings: Embeddings) -> list[FunnelRow]:
    """Funnel rows of the embedding stage."""
    rows = []
    if embeddings.skipped:
        rows.append(FunnelRow("embed", "images that cannot be read", len(embeddings.skipped)))
    return [*rows, FunnelRow("embed", "faces embedded", len(embeddings), kept=True)]


def mining_rows(mined: Negatives, random: PairSet, ignore: Iterable[str]) -> list[FunnelRow]:
    """Funnel rows of the mining stage and of the positives it is joined with."""
    space = PairSpace.of(mined.faces)
    rows = []
    if mined.ignored:
        rows.append(FunnelRow("mine", "faces on the ignore list", mined.ignored))
    if mined.unknown:
        rows.append(FunnelRow("mine", "names on the ignore list that no face has", mined.unknown))
    rows += [
        FunnelRow("mine", "pairs of one character", space.count_positives),
        FunnelRow(
            "mine", "pairs of different characters, less alike", space.count_negatives - len(mined)
        ),
        FunnelRow("mine", "adversarial negatives", len(mined), kept=True),
    ]
    invalid = int((~random.valid & (random.label == 1)).sum())
    if invalid:
        rows.append(FunnelRow("positives", "marked invalid in the test pairs", invalid))
    ignored = int((random.positives & ignored_rows(random, ignore)).sum())
    if ignored:
        rows.append(FunnelRow("positives", "with a face on the ignore list", ignored))
    kept = int(random.positives.sum()) - ignored
    return [*rows, FunnelRow("positives", "positives taken over", kept, kept=True)]


def warnings_of(mined: Negatives) -> list[str]:
    """What a user should know of the mined pairs."""
    warnings = []
    if len(mined) < mined.wanted:
        warnings.append(f"{mined.wanted:,} pairs were asked for, but only {len(mined):,} exist.")
    if mined.index != "exact":
        found = (
            "" if mined.recall is None else f": it found {mined.recall:.1%} of the hardest pairs"
        )
        warnings.append(f"The index {mined.index} is approximate{found}.")
    return warnings
