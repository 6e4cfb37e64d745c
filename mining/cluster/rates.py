"""Rates of machines: measured by us, or published or derived, and then so called."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mining.errors import ClusterError
from pairsets.storage.json_files import JsonObject, read_object

_FILE = Path(__file__).with_name("rates.json")


@dataclass(frozen=True)
class JoinRate:
    """Rate at which a core or a GPU compares vectors.

    Attributes:
        name: of the kind of machine.
        per: `core` or `gpu`.
        operations: multiplications and additions a second; 2 D of them compare two vectors.
        low_bytes: a coordinate of the copy in low precision.
        machine: in words.
        source: where the figure comes from.
        measured: by us.
    """

    name: str
    per: Literal["core", "gpu"]
    operations: float
    low_bytes: int
    machine: str
    source: str
    measured: bool


@dataclass(frozen=True)
class EmbeddingRate:
    """Rate at which a core or a GPU embeds.

    Attributes:
        name: of the network.
        images: a second.
        source: where the figure comes from.
        measured: by us.
    """

    name: str
    images: float
    source: str
    measured: bool


def join_rate(name: str) -> JoinRate:
    """The kept rate of a kind of machine, whatever the case of its name.

    Raises:
        ClusterError: none is kept of it.
    """
    rates = [_join_rate(entry) for entry in _read().objects("join")]
    for rate in rates:
        if rate.name.lower() == name.lower():
            return rate
    raise ClusterError(
        f"no rate of {name!r} is kept; there are {', '.join(rate.name for rate in rates)}"
    )


def embedding_rate(network: str) -> EmbeddingRate:
    """The kept rate of a network on a core.

    Raises:
        ClusterError: none is kept of it.
    """
    entries = _read().objects("embedding")
    for entry in entries:
        if entry.text("name") == network:
            images = float(entry.content["images_a_second"])
            measured = bool(entry.content["measured_by_us"])
            return EmbeddingRate(network, images, entry.text("source"), measured)
    named = ", ".join(entry.text("name") for entry in entries)
    raise ClusterError(
        f"no rate of the network {network!r} is kept; there are {named}, or give images a second"
    )


def _read() -> JsonObject:
    return read_object(_FILE, "the kept rates")


def _join_rate(entry: JsonObject) -> JoinRate:
    return JoinRate(
        name=entry.text("name"),
        per="gpu" if entry.text("per") == "gpu" else "core",
        operations=float(entry.content["operations_a_second"]),
        low_bytes=entry.count("low_precision_bytes"),
        machine=entry.text("machine"),
        source=entry.text("source"),
        measured=bool(entry.content["measured_by_us"]),
    )
