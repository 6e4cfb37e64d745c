"""Tree of confused identities, so that a map of them all is looked at part by part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np

from pairsets.arrays import Rows
from pairsets.evaluation.communities import divide
from pairsets.evaluation.confusion_network import ConfusionNetwork
from pairsets.evaluation.seriation import seriate

# Rows of a map that are looked at together.
MOST = 30
Tree: TypeAlias = "int | list[Tree]"


def tree_of(network: ConfusionNetwork, most: int = MOST) -> list[Tree]:
    """Places of all identities, in lists of lists of at most `most`.

    The first level has the groups, where there are any, those with most false accepts first. What
    is larger than `most` is divided by its false accepts, or else into runs.
    """
    every = np.arange(len(network))
    if network.communities.count:
        parts = _parts(network, every, network.communities.labels)
        return _gathered([_node(network, part, most) for part in parts], most)
    found = _node(network, every, most)
    return found if isinstance(found, list) else [found]


def _node(network: ConfusionNetwork, members: Rows, most: int) -> Tree:
    """Members as a list in an order that shows who is confused; one alone as itself."""
    if len(members) == 1:
        return int(members[0])
    low, high, accepted = _between(network, members)
    if len(members) <= most:
        near = np.ones((len(members), len(members)))
        near[low, high] = near[high, low] = 1 / (1 + accepted)
        order, _ = seriate(near)
        return [int(member) for member in members[order]]
    parts = _parts(network, members, divide(low, high, accepted, len(members)))
    if len(parts) == 1:
        ends = np.bincount(low, accepted, len(members)) + np.bincount(high, accepted, len(members))
        busiest = members[np.argsort(-ends, kind="stable")]
        parts = [busiest[at : at + most] for at in range(0, len(busiest), most)]
    return _gathered([_node(network, part, most) for part in parts], most)


def _gathered(nodes: Sequence[Tree], most: int) -> list[Tree]:
    """Nodes, in runs of `most` where they are more."""
    if len(nodes) <= most:
        return list(nodes)
    runs = [list(nodes[at : at + most]) for at in range(0, len(nodes), most)]
    return _gathered([run[0] if len(run) == 1 else run for run in runs], most)


def _between(network: ConfusionNetwork, members: Rows) -> tuple[Rows, Rows, Rows]:
    """Edges among `members`, by their places there."""
    place = np.full(len(network), -1)
    place[members] = np.arange(len(members))
    low, high = place[network.low], place[network.high]
    inside = (low >= 0) & (high >= 0)
    return low[inside], high[inside], network.accepted[inside]


def _parts(network: ConfusionNetwork, members: Rows, labels: Rows) -> list[Rows]:
    """Members by label, those with most false accepts among them first."""
    low, high, accepted = _between(network, members)
    same = labels[low] == labels[high]
    inside = np.bincount(labels[low[same]], accepted[same], labels.max() + 1)
    return [members[labels == one] for one in np.argsort(-inside, kind="stable")]


def content_of(network: ConfusionNetwork) -> Mapping[str, object]:
    """Content that the page's script draws: names, edges in columns, the tree, the groups."""
    found = network.communities
    return {
        "names": [name.encode("utf-8", "replace").decode() for name in network.identities],
        "low": network.low.tolist(),
        "high": network.high.tolist(),
        "accepted": network.accepted.tolist(),
        "counts": network.counts.tolist(),
        "best": network.best.tolist(),
        "tree": tree_of(network),
        "groups": found.count,
        "modularity": round(found.modularity, 4),
        "chance": round(found.chance, 4),
    }
