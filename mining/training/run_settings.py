"""Settings of where and from what a training runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mining.models.base import Precision
from mining.training.network import TrunkSource
from pairsets import images
from pairsets.files.aliases import Aliases
from pairsets.files.exclusions import PathPairs


@dataclass(frozen=True)
class RunSettings:
    """Settings of where and from what a training runs; with the configuration they decide it.

    Attributes:
        seed: of all that is random.
        device: `auto`, `cpu`, `cuda`, `cuda:N` or `mps`.
        workers: threads that decode; one a core where it is None.
        source: network that the training starts from; None for the configuration's trunk with
            the weights that its library fetches.
        precision: `bf16` runs the network under autocast.
        skip: leave out pictures that cannot be read, rather than stop.
        max_pixels: above which a picture is refused undecoded.
        memory: bytes of decoded pictures that are kept.
        checkpoint_seconds: between two checkpoints at least.
        exclude: pairs of faces that are no negatives.
        aliases: names that are one identity's.
    """

    seed: int = 0
    device: str = "auto"
    workers: int | None = None
    source: TrunkSource | None = None
    precision: Precision = "fp32"
    skip: bool = False
    max_pixels: int = images.MAX_PIXELS
    memory: int = 2**30
    checkpoint_seconds: float = 20.0
    exclude: Sequence[PathPairs] = ()
    aliases: Aliases | None = None
