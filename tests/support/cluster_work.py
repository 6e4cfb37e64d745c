"""Work that tests send to the nodes of a cluster, which import it from here."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
from PIL import Image

from mining.cluster.threshold import ThresholdClient
from mining.errors import MiningError


def square(item: int) -> int:
    return item * item


def process_of(item: int) -> int:
    return os.getpid()


def weighed(item: int, table: np.ndarray) -> tuple[float, bool]:
    return float(table[item].sum()), table.flags.writeable


def refuse(item: int) -> int:
    if item == 3:
        raise MiningError("three is not wanted")
    return item


def break_down(item: int) -> int:
    return [][item]


def die_once(item: int, folder: str) -> int:
    """End the process of some items the first time that they are begun."""
    mark = Path(folder) / str(item)
    if item % 3 == 0 and not mark.exists():
        mark.touch()
        os._exit(1)
    return item


def die(item: int) -> int:
    os._exit(1)


def run_out(item: int, folder: str) -> int:
    with (Path(folder) / "begun").open("a") as stream:
        stream.write(f"{item}\n")
    raise MemoryError


def wait_for(item: int, folder: str) -> int:
    """Say who is at work, then wait until the test lets go."""
    here = Path(folder)
    (here / f"at-{item}-{os.getpid()}").touch()
    while not (here / "go").exists():
        time.sleep(0.02)
    return item


def raised(item: int, client: ThresholdClient) -> float:
    """The threshold after telling one's own, and an answer of the actor's, if it gives one soon."""
    client.raise_to(float(item))
    until = time.monotonic() + 20
    while time.monotonic() < until:
        client._every = 0.0
        if client.value() > item:
            break
        time.sleep(0.02)
    return client.value()


def told(item: int, client: ThresholdClient) -> float:
    return client.raise_to(float(item))


class SmallModel:
    """Mean colours, in a random basis; where a mark lies, the first process that encodes ends."""

    similarity = "cosine"

    def preprocess(self, image: Image.Image) -> np.ndarray:
        return np.asarray(image.resize((4, 4)))

    def encode(self, batch: np.ndarray) -> np.ndarray:
        mark = Path(os.environ.get("LOOKALIKES_TEST_MARK", "/nowhere"))
        if mark.exists():
            mark.unlink()
            os._exit(1)
        basis = np.random.default_rng(7).normal(size=(48, 6))
        return (batch.reshape(len(batch), -1) @ basis).astype(np.float32)
