"""The C library's heap while a network runs on the CPU.

A network asks for large buffers layer by layer and frees them again. By default glibc takes each
from the kernel and gives it back, and the kernel zeroes every page anew: on two cores that was
more than half the time of an EfficientNet-Lite0 (`benchmarks/embedding.py`). Kept in the heap, the
same pages serve again.
"""

from __future__ import annotations

import ctypes
import platform
from collections.abc import Iterator
from contextlib import contextmanager

# From malloc.h, with the values glibc starts with.
_TRIM_THRESHOLD, _MMAP_MAX = -1, -4
_DEFAULT_TRIM, _DEFAULT_MMAPS = 128 * 1024, 65_536
_NEVER = 2**31 - 1


@contextmanager
def kept_heap() -> Iterator[None]:
    """Keep freed memory in the process within the block; give it back at its end.

    Only with glibc (most Linux systems); elsewhere it does nothing. It changes where memory lies,
    never a result.
    """
    if platform.libc_ver()[0] != "glibc":
        yield
        return
    libc = ctypes.CDLL(None)
    libc.mallopt(_MMAP_MAX, 0)
    libc.mallopt(_TRIM_THRESHOLD, _NEVER)
    try:
        yield
    finally:
        libc.mallopt(_MMAP_MAX, _DEFAULT_MMAPS)
        libc.mallopt(_TRIM_THRESHOLD, _DEFAULT_TRIM)
        libc.malloc_trim(0)
