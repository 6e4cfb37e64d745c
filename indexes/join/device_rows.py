"""Rows of a search on its devices: all of them there, or blocks that are brought when needed.

What fits is computed before anything is put on a device. Where all rows fit into the memory of each
device, each has a copy. Else they stay in pinned memory of the host, and each thread of a device
keeps as many blocks there as fit, the longest unused giving way to the next: in a row of tiles the
left block stays, and where tiles come by squares, both do. A device has two threads, each with a
stream of its own, so that one's copies run beside the other's products.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from indexes.base import IndexesError, Rows, Scores, Vectors
from indexes.join.filters import Map, Norms, Rounded, rounded16

# Bytes of a device that are left to its driver, to torch, and to products of other searches.
_RESERVE = 2**30
# Threads of a device: while one settles what it found, the other's products run.
THREADS = 2


@dataclass(frozen=True)
class Residence:
    """Way in which rows are kept on devices.

    Attributes:
        resident: whether all of them are on each device.
        side: rows of a block.
        slots: blocks that each thread of a device keeps, where they are not resident.
    """

    resident: bool
    side: int
    slots: int = 0


def free_bytes(device: str) -> int | None:
    """Bytes of the device's memory that are free; None where it is the processor's own."""
    if torch.device(device).type != "cuda":
        return None
    free, _ = torch.cuda.mem_get_info(torch.device(device))
    # What torch holds and has not given to any tensor is free to this search as well.
    kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return int(free) + kept


def residence(devices: Sequence[str], count: int, width: int, side: int, scratch: int) -> Residence:
    """Best way to keep `count` rows of `width` on the devices.

    Args:
        devices: names.
        count, width: of the rows, in bfloat16.
        side: rows of a block, those of a tile.
        scratch: bytes that each thread of a device needs beside.

    Raises:
        IndexesError: not even two blocks a thread fit.
    """
    whole, block = count * (2 * width + 4), 2 * side * width
    slots = max(2, -(-count // side))
    for device in devices:
        free = free_bytes(device)
        if free is None:
            continue
        left = free - THREADS * scratch - _RESERVE
        if whole > left:
            slots = min(slots, (left - 4 * count) // (THREADS * block))
        else:
            continue
        if slots < 2:
            least = THREADS * (2 * block + scratch) + _RESERVE + 4 * count
            raise IndexesError(
                f"{device}: {free:,} bytes of its memory are free, and a search of {count:,} "
                f"vectors of {width} in tiles of {side:,} rows needs {least:,}; end other programs "
                "there, use smaller tiles, or another device (cpu takes the processor)"
            )
    resident = all(
        free is None or whole <= free - THREADS * scratch - _RESERVE
        for free in map(free_bytes, devices)
    )
    return Residence(resident, side, 0 if resident else slots)


class DeviceRows(Rounded):
    """Rows in bfloat16 and their groups on several devices.

    Args:
        values: `[P, W]`, on the first device, or on the host.
        norms, noise: see `Rounded`.
        groups: `[P]` codes of the rows' groups.
        devices: names.
        kept: whether `values` are to be on each.
    """

    def __init__(
        self,
        values: Tensor,
        norms: Norms,
        noise: float,
        groups: Rows,
        devices: Sequence[str],
        kept: Residence,
    ) -> None:
        super().__init__(values, norms, noise)
        self.residence = kept
        codes = torch.from_numpy(groups).to(torch.int32)
        self._codes = {device: codes.to(device) for device in devices}
        where = devices if kept.resident else ()
        self._values = {device: values.to(device) for device in where}

    def on(self, device: str) -> Tensor | None:
        """All values on the device; None where they are on the host."""
        return self._values.get(device)

    def codes(self, device: str, rows: slice, columns: slice) -> Tensor:
        """Codes `[R + C]` of the groups of rows and columns, on the device."""
        every = self._codes[device]
        return torch.cat([every[rows], every[columns]])


def rows_on(
    vectors: Vectors,
    order: Rows,
    lengths: Scores,
    groups: Rows,
    devices: Sequence[str],
    kept: Residence,
    each: Map,
) -> DeviceRows:
    """The vectors in bfloat16, in the order of the join, where the residence says.

    Args:
        vectors, order, lengths, each: as of `rounded16`.
        groups: `[N]` codes of the vectors' groups.
        devices: names.
        kept: how they are kept.
    """
    pinned = not kept.resident and any(torch.device(name).type == "cuda" for name in devices)
    where = devices[0] if kept.resident else "cpu"
    made = rounded16(vectors, order, lengths, where, each, pinned=pinned)
    return DeviceRows(made.values, made.norms, made.noise, groups[order], devices, kept)


class BlockCache:
    """Blocks of rows on a device, of which the one that was used longest ago gives way.

    Args:
        device: its name.
        kept: rows of a block and number of blocks, two at least.
        width: of a row.
    """

    def __init__(self, device: str, kept: Residence, width: int) -> None:
        shape = kept.slots, kept.side, width
        self.slots = torch.empty(shape, dtype=torch.bfloat16, device=device)
        self.held: OrderedDict[tuple[int, int], int] = OrderedDict()
        self.copied = 0

    def fetch(self, values: Tensor, rows: slice) -> Tensor:
        """The values of `rows` on the device, until one more than there are slots was asked for."""
        key, count = (rows.start, rows.stop), rows.stop - rows.start
        if count > self.slots.shape[1]:
            return values[rows].to(self.slots.device)
        slot = self.held.pop(key, None)
        if slot is None:
            full = len(self.held) == len(self.slots)
            slot = self.held.popitem(last=False)[1] if full else len(self.held)
            self.slots[slot, :count].copy_(values[rows], non_blocking=True)
            self.copied += 1
        self.held[key] = slot
        return self.slots[slot, :count]


@contextmanager
def explained_memory(devices: Sequence[str], count: int, width: int) -> Iterator[None]:
    """Turn a device's lack of memory into one clear error.

    Raises:
        IndexesError: the memory of a device ran out.
    """
    try:
        yield
    except torch.OutOfMemoryError as error:
        free = ", ".join(f"{name}: {free_bytes(name) or 0:,} bytes free" for name in devices)
        raise IndexesError(
            f"{', '.join(devices)}: out of memory in a search of {count:,} vectors of {width}, "
            f"{2 * count * width:,} bytes in bfloat16 ({free}); another program may have taken it: "
            "end that, use smaller tiles, or another device (cpu takes the processor)"
        ) from error
