"""Processes that train one network together, a part of every batch each; by accelerate.

Each sees its part of the pictures; the vectors of all are brought together, so that the loss is
that of the whole batch. Statistics of batch normalisation are those of the parts.
"""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mining.errors import TrainingError
from mining.training.extra import import_extra

Rows = NDArray[np.int64]


def launched() -> int:
    """Number of processes that a launcher (`accelerate launch`, `torchrun`) started; 1 without."""
    try:
        return int(os.environ.get("WORLD_SIZE", "1"))
    except ValueError:
        return 1


def is_main() -> bool:
    """Whether this process is the one that writes and speaks."""
    return launched() == 1 or os.environ.get("RANK", "0") == "0"


class Processes:
    """The processes of a training, as one of them sees them.

    Attributes:
        count: how many there are.
        rank: number of this one, from 0.
        device: that it trains on.
    """

    def __init__(self, device: torch.device, *, join: bool = True) -> None:
        """Join the others that were launched, if any; else only know how many there are.

        Raises:
            TrainingError: the extra `train` is not installed.
        """
        self.count, self.rank, self.device = launched(), 0, device
        self._accelerator: Any = None
        if self.count > 1 and join:
            accelerate = import_extra("accelerate")
            # The others wait for as long as the first one checks pictures.
            waiting = accelerate.InitProcessGroupKwargs(timeout=timedelta(days=7))
            # A name such as cuda:1 is none that several could share.
            self._accelerator = accelerate.Accelerator(
                cpu=device.type == "cpu", kwargs_handlers=[waiting]
            )
            self.count = int(self._accelerator.num_processes)
            self.rank = int(self._accelerator.process_index)
            self.device = torch.device(self._accelerator.device)

    def refuse_uneven(self, batch_size: int) -> None:
        """Raise TrainingError where a batch cannot be shared out evenly."""
        if batch_size % self.count or batch_size < 2 * self.count:
            raise TrainingError(
                f"batch_size: {batch_size}; expected a multiple of the {self.count} processes"
            )

    def parallel(self, network: nn.Module) -> nn.Module:
        """The network as it is called in training: gradients are those of all processes."""
        if self._accelerator is None:
            return network
        module: nn.Module = self._accelerator.prepare_model(network)
        return module

    def part(self, size: int) -> slice:
        """Places of a batch of `size` that are this process's."""
        each = size // self.count
        return slice(self.rank * each, (self.rank + 1) * each)

    def together(self, vectors: Tensor) -> Tensor:
        """Vectors of the whole batch, `[B, D]`, of those of this part.

        Only this part has a gradient, so many times as there are processes, whose mean it becomes:
        so all of them together are the gradient of the whole batch.
        """
        if self.count == 1:
            return vectors
        scaled = _Scaled.apply(vectors, self.count)  # type: ignore[no-untyped-call]
        parts = [torch.empty_like(vectors) for _ in range(self.count)]
        torch.distributed.all_gather(parts, vectors.detach().contiguous())
        parts[self.rank] = scaled
        return torch.cat(parts)

    def share(self, rows: Rows) -> Rows:
        """The rows that this process embeds."""
        return np.array_split(rows, self.count)[self.rank]

    def gather(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """Vectors of all shares, in order."""
        if self.count == 1:
            return vectors
        parts: list[Any] = [None] * self.count
        torch.distributed.all_gather_object(parts, vectors)
        return np.concatenate(parts)

    def align(self, module: nn.Module) -> None:
        """Give all processes the first one's running statistics."""
        if self.count > 1:
            for buffer in module.buffers():
                torch.distributed.broadcast(buffer, 0)

    def wait(self) -> None:
        """Go on when all others are here."""
        if self._accelerator is not None:
            self._accelerator.wait_for_everyone()

    def tell(self, thing: Any) -> Any:
        """Copy of a thing that the first process has."""
        if self.count == 1:
            return thing
        told = [thing]
        torch.distributed.broadcast_object_list(told)
        return told[0]

    def leave(self) -> None:
        """Let go of the others."""
        if self._accelerator is not None:
            self._accelerator.end_training()


class _Scaled(torch.autograd.Function):
    """Identity whose gradient comes back so many times over."""

    @staticmethod
    def forward(ctx: Any, vectors: Tensor, factor: int) -> Tensor:
        ctx.factor = factor
        return vectors.view_as(vectors)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return gradient * ctx.factor, None
