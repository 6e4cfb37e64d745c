"""Warnings on pairs that were mined: too few, not sure, full of hubs."""

from __future__ import annotations

from collections import Counter

from mining.ranking.mined_pairs import Mined
from pairsets.evaluation.hubness import Hub
from pairsets.faces import Faces
from pairsets.random_set import pair_space

# A hub dominates if it is in so many pairs, in more than such a share of them, and so many times
# as often as it would be in random pairs of the same faces. In the adversarial negatives of
# ZACI-20 one image is in 63 of 2,991 pairs, 21 times as often as by chance.
HUB_PAIRS, HUB_SHARE, HUB_TIMES = 10, 0.01, 5


def warnings_of(mined: Mined) -> list[str]:
    """A sentence on each thing to look at."""
    warnings = []
    if len(mined) < mined.wanted:
        kept = " that keep to the rules" if mined.rules.given else ""
        kept += " besides those excluded" if mined.excluded else ""
        if mined.exact or mined.index != "exact":
            found = f"exist{kept}."
        else:
            found = f"were found{kept}; further down there may be more."
        warnings.append(f"{mined.wanted:,} pairs were asked for, but only {len(mined):,} {found}")
    elif not mined.exact and mined.index == "exact" and mined.quantiles is None:
        warnings.append("Better pairs than some of these may have been missed.")
    if mined.index != "exact":
        share = (
            "" if mined.recall is None else f": it found {mined.recall:.1%} of the hardest pairs"
        )
        warnings.append(f"The index {mined.index} is approximate{share}.")
    if mined.strangers and not mined.excluded:
        warnings.append(
            f"None of the excluded pairs is of these faces: {mined.strangers:,} of their paths no "
            "face has; were they made from another folder?"
        )
    return [*warnings, *_hub_warning(mined), *fusion_warnings(mined)]


def fusion_warnings(mined: Mined) -> list[str]:
    """A sentence on each answer of several references that is not exact."""
    found = [("", mined)]
    found += [(f" mined without {name}", others) for name, others in mined.without.items()]
    return [
        f"{', '.join(one.fusion.names)} agree on too little for an exact answer: of the "
        f"{len(one):,} pairs{which}, {one.sure:,} are certainly the hardest; harder ones than the "
        "others may be missing."
        for which, one in found
        if one.fusion is not None and not one.exact
    ]


def _hub_warning(mined: Mined) -> list[str]:
    """One sentence on the images, identities and pairs of them that dominate without a cap."""
    found, rules = mined.hubness, mined.rules
    kinds = {
        "image": (found.image, rules.max_per_image),
        "identity": (found.identity, rules.max_per_identity),
        "identity pair": (found.identity_pair, rules.max_per_identity_pair),
    }
    if mined.label:
        del kinds["identity pair"]  # which is the identity
    hubs = {
        kind: hub
        for kind, (hub, cap) in kinds.items()
        if hub is not None and cap is None and _dominates(kind, hub, mined)
    }
    if not hubs:
        return []
    shares = [
        f"one {kind} is in {hub.count:,} of the {len(mined):,} pairs ({100 * hub.share:.1f} %)"
        for kind, hub in hubs.items()
    ]
    flags = [f"--max-per-{kind.replace(' ', '-')} N" for kind in hubs]
    return [f"Hubs fill the set: {', '.join(shares)}. To spread it: {', '.join(flags)}."]


def _dominates(kind: str, hub: Hub, mined: Mined) -> bool:
    often = hub.count >= HUB_PAIRS and hub.share > HUB_SHARE
    return often and hub.share > HUB_TIMES * chance_of(kind, hub.names, mined)


def chance_of(kind: str, names: tuple[str, ...], mined: Mined) -> float:
    """The share of all pairs that an image, an identity or two of them (`kind`) is in.

    All pairs are those of the searched faces with the label of the mined ones.
    """
    space, sizes = pair_space(mined.faces), Counter(mined.faces.identities.tolist())
    faces = len(mined.faces)
    if mined.faces.split is not None:
        return _between(kind, names, mined.faces, mined.faces.split) / space.count_negatives
    if kind == "image":
        own = sizes[mined.pairs.identity(names[0])]
        pairs = own - 1 if mined.label else faces - own
    elif mined.label:
        pairs = sizes[names[0]] * (sizes[names[0]] - 1) // 2
    elif kind == "identity":
        pairs = sizes[names[0]] * (faces - sizes[names[0]])
    else:
        pairs = sizes[names[0]] * sizes[names[1]]
    return pairs / (space.count_positives if mined.label else space.count_negatives)


def _between(kind: str, names: tuple[str, ...], faces: Faces, split: int) -> int:
    """Number of the pairs of different identities between two sets that a hub is in."""
    people = faces.identities.tolist()
    ours, theirs = Counter(people[:split]), Counter(people[split:])
    if kind == "image":
        row = int(faces.positions(names)[0])
        others, size = (theirs, len(faces) - split) if row < split else (ours, split)
        return size - others[people[row]]
    if kind == "identity":
        (name,) = names
        there, here = len(faces) - split - theirs[name], split - ours[name]
        return ours[name] * there + theirs[name] * here
    one, other = names
    return ours[one] * theirs[other] + ours[other] * theirs[one]
