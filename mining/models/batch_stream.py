"""Stream of batches through one network on one or more devices, in order.

Each device has a thread, and two batches under way: while its network is at work on one, the next
is copied from pinned memory by a stream of its own. Batches go to the devices in turn, whatever
those are doing, so that a face's vector does not depend on their speed. Each network does what
`TorchModel.encode` does with the same batch.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

if TYPE_CHECKING:
    from mining.models.torch_model import TorchModel

# Batches of a device that are under way: one is copied while another is computed.
_AHEAD = 2


@dataclass(frozen=True)
class _Result:
    """Vectors that may still be on their way to the host."""

    vectors: torch.Tensor
    done: torch.cuda.Event | None

    def read(self) -> NDArray[np.float32]:
        """The vectors `[B, D]`, in memory of their own."""
        if self.done is not None:
            self.done.synchronize()
        return np.array(self.vectors.numpy(), np.float32)


class _Lane:
    """One device: its network, its streams, and as many pinned buffers as batches are ahead."""

    def __init__(self, model: TorchModel) -> None:
        self.model = model
        self.pixels: list[torch.Tensor] = []
        self.turn = 0
        self.copies: torch.cuda.Stream | None = None
        if model.device.type == "cuda":
            self.copies = torch.cuda.Stream(model.device)  # type: ignore[no-untyped-call]

    def start(self, batch: NDArray[np.generic]) -> _Result:
        """Put the batch on its way; nothing waits for the device here."""
        model = self.model
        model.refuse_other(batch)
        pixels = self._buffer(batch)
        with model.explained(len(batch)), ExitStack() as stack:
            if self.copies is None:
                output = model.network(model.normalised(pixels.to(model.device)))
                return _Result(model.checked(output, len(batch)), None)
            stack.enter_context(torch.cuda.device(model.device))
            compute = torch.cuda.current_stream()
            with torch.cuda.stream(self.copies):
                there = pixels.to(model.device, non_blocking=True)
            compute.wait_stream(self.copies)
            # Its memory is not to be given away before the network has read it.
            there.record_stream(compute)
            vectors = model.checked(model.network(model.normalised(there)), len(batch))
            here = torch.empty(vectors.shape, dtype=torch.float32, pin_memory=True)
            here.copy_(vectors, non_blocking=True)
            done = torch.cuda.Event()  # type: ignore[no-untyped-call]
            done.record(compute)
            return _Result(here, done)

    def _buffer(self, batch: NDArray[np.generic]) -> torch.Tensor:
        """The batch in the buffer that was used longest ago: its own batch has been read."""
        if len(self.pixels) < _AHEAD or self.pixels[self.turn].shape != batch.shape:
            pinned = self.copies is not None
            made = torch.empty(batch.shape, dtype=torch.uint8, pin_memory=pinned)
            self.pixels[self.turn : self.turn + 1] = [made]
        pixels = self.pixels[self.turn]
        pixels.numpy()[...] = batch
        self.turn = (self.turn + 1) % _AHEAD
        return pixels


def streamed(
    models: Sequence[TorchModel], batches: Iterable[NDArray[np.generic]]
) -> Generator[NDArray[np.float32], None, None]:
    """Vectors `[B, D]` of each batch, in order, by the models in turn.

    Args:
        models: one network, on a device each.
        batches: uint8 `[B, H, W, 3]`; a few are taken ahead of the vectors that are read.

    Raises:
        ModelError: as of `TorchModel.encode`.
    """
    lanes = [_Lane(model) for model in models]
    under_way: deque[Future[_Result]] = deque()
    with ExitStack() as stack:
        threads = [stack.enter_context(ThreadPoolExecutor(1, "device")) for _ in lanes]
        try:
            for number, batch in enumerate(batches):
                if len(under_way) == _AHEAD * len(lanes):
                    yield under_way.popleft().result().read()
                turn = number % len(lanes)
                under_way.append(threads[turn].submit(lanes[turn].start, batch))
            while under_way:
                yield under_way.popleft().result().read()
        finally:
            for future in under_way:
                future.cancel()
