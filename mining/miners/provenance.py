"""Provenance of mined pairs: what was dropped, and what they were made from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from mining.embeddings.store import Embeddings
from mining.miners.inputs import Joined
from mining.ranking.mined_pairs import Mined
from pairsets.funnel import FunnelRow
from pairsets.pairset import PairSet
from pairsets.random_set import pair_space
from pairsets.storage.artefacts import versions
from pairsets.storage.json_files import JsonError, read_object

SCHEMA = 1


def manifest(
    kind: str,
    pairs: PairSet,
    parameters: Mapping[str, object],
    inputs: Mapping[str, object],
    funnel: Sequence[FunnelRow],
    *,
    origin: Mapping[str, object] | None = None,
    mined: Mapping[str, object] | None = None,
) -> dict[str, object]:
    """The provenance of a pair file; of the mined pairs in it, where there are any.

    Args:
        kind: of the pair file.
        pairs: all of them.
        parameters: what was asked for.
        inputs: digests of what it was made from.
        funnel: what was dropped on the way.
        origin, mined: the models that mined, and facts on the mined pairs; see `accounts_of`.
    """
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
    content |= origin or {}
    if mined is not None:
        content["mined"] = dict(mined)
    content["funnel"] = [asdict(row) for row in funnel]
    content["versions"] = versions("lookalikes", "numpy", "pandas", "faiss-cpu", "faiss-gpu")
    return content


def accounts_of(mined: Mined) -> dict[str, dict[str, object]]:
    """The `origin` of mined pairs, and facts on them as `mined`, for a `manifest`."""
    origin = origin_of(mined.references.values(), fusion_of(mined))
    return {"origin": origin, "mined": facts_of(mined)}


def facts_of(mined: Mined) -> dict[str, object]:
    """Facts on mined pairs in a manifest."""
    return {
        "exact": mined.exact,
        "depth": mined.depth,
        "depth_is_exact": mined.listed,
        "hubness": {name: found.content() for name, found in mined.hubness_by_caps.items()},
    }


def fusion_of(mined: Mined) -> dict[str, object] | None:
    """Facts on the fusion of several references in a manifest; None of a single one."""
    if mined.fusion is None or len(mined.fusion.names) == 1:
        return None
    method, sure, limit = mined.fusion.method, mined.fusion.sure, mined.fusion.limit
    return {"method": method, "sure": sure, "exact": mined.exact, "limit": limit}


def origin_of(
    references: Iterable[Embeddings], fusion: Mapping[str, object] | None
) -> dict[str, object]:
    """The models that mined, as a manifest names them: `reference`, or `references` of several.

    Args:
        references: their embeddings.
        fusion: how several were fused; see `fusion_of`.
    """
    facts = [
        {
            name: one.manifest[name]
            for name in ("model", "fingerprint", "similarity", "dimensions", "provenance")
        }
        | ({} if one.label is None else {"name": one.label})
        | ({"notes": one.manifest["notes"]} if one.manifest.get("notes") else {})
        for one in references
    ]
    if len(facts) == 1:
        return {"reference": facts[0]}
    return {"references": facts, "fusion": dict(fusion or {})}


def identities_digest(embeddings: Embeddings) -> dict[str, object]:
    """The digest of who each face shows, as an input of a manifest; none where folders say it."""
    digest = embeddings.manifest.get("identities_sha256")
    return {} if digest is None else {"identities_sha256": digest}


def mined_by(path: Path) -> dict[str, object]:
    """Entries on who mined or sampled it in the manifest beside a pair file; else none."""
    try:
        content = read_object(path.with_suffix(".json"), "the manifest of mined pairs").content
        names = ("reference", "references", "fusion", "design")
        return {name: content[name] for name in names if name in content}
    except (OSError, JsonError):
        return {}


def mining_rows(mined: Mined, joined: Joined) -> list[FunnelRow]:
    """Funnel rows of mining, of the pairs that join what was mined, and of leaving each one out."""
    space = pair_space(mined.faces)
    counts = (space.count_negatives, space.count_positives)
    alike = ("pairs of different identities", "pairs of one identity")
    own, other = mined.label, 1 - mined.label
    lost = sum(count for _, count in mined.dropped)
    # A search that could not be followed to its end leaves it open why.
    rest = ("less alike", "more alike")[own]
    if len(mined) < mined.wanted and mined.exact and mined.rules.given:
        rest = ("scoring too low", "scoring too high")[own]
    rows = [
        ("faces on the ignore list", mined.ignored),
        ("names on the ignore list that no face has", mined.unknown),
        ("paths in the excluded pairs that no face has", mined.strangers),
    ]
    rows = [
        *((what, count) for what, count in rows if count),
        (alike[other], counts[other]),
        *((f"{alike[own]}, {what}", count) for what, count in mined.dropped),
        (f"{alike[own]}, {rest}", counts[own] - len(mined) - lost),
    ]
    funnel = [FunnelRow("mine", what, count) for what, count in rows]
    if mined.rules.capped:
        beyond = "" if mined.listed else ", at least"
        what = f"best pairs looked through down to the last one taken{beyond}"
        funnel.append(FunnelRow("mine", what, mined.depth, kept=True))
    if mined.without_bound is not None:
        what = "of them without a margin: neither face has another of its identity"
        funnel.append(FunnelRow("mine", what, mined.without_bound, kept=True))
    what = ("adversarial negatives", "hard positives")[own]
    funnel.append(FunnelRow("mine", what, len(mined), kept=True))
    return [
        *funnel,
        *joined.funnel(other),
        *(
            FunnelRow("leave-one-out", f"negatives mined without {name}", len(one), kept=True)
            for name, one in mined.without.items()
        ),
    ]
