"""A piece of work in a process of its own: equal threads, its time, its peak memory."""

from __future__ import annotations

import ctypes
import gc
import importlib.util
import multiprocessing
import platform
import resource
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.jobs import Answer, Job
from benchmarks.peers import SIDES

# Enough to load kernels, start threads and fill caches.
_WARM_ROWS, _WARM_PAIRS = 2000, 1000
# What sides need that nothing of ours does: a module, and the package that has it.
_NEEDED = {
    "sentence-transformers": ("sentence_transformers.util", "sentence-transformers"),
    "torchdr": ("torchdr.distance", "torchdr"),
    "numkong-f32": ("numkong", "numkong"),
    "numkong-bf16": ("numkong", "numkong"),
    "numkong-int8": ("numkong", "numkong"),
}


class UnfinishedError(Exception):
    """Work that gave no result; the message says why."""


@dataclass(frozen=True)
class Run:
    """One timed run.

    Attributes:
        seconds: from vectors in memory to the answer.
        peak_mib: private memory at its highest, beyond the process with its imports and inputs;
            warm-up and first-call buffers count, mapped files (libraries) do not.
        gpu_mib: what torch had on the device at its highest; None on the CPU.
        answer: the pairs; None where a side only multiplies.
        threads: threads of each library.
    """

    seconds: float
    peak_mib: float
    gpu_mib: float | None
    answer: Answer | None
    threads: dict[str, int]


def alone(work: Callable[..., Any], *arguments: object, limit: float | None = None) -> Any:
    """What `work` returns, computed in a process of its own, which ends with it.

    Forked, so that imports are paid once; the caller must never have used threads or a GPU.

    Raises:
        UnfinishedError: it raised, died, or took longer than `limit` seconds.
    """
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=_child, args=(there, work, arguments))
    process.start()
    there.close()
    try:
        if not here.poll(limit):
            raise UnfinishedError(f"stopped after {limit:.0f} s")
        finished, value = here.recv()
    except EOFError:
        process.join()
        raise UnfinishedError(f"its process died (exit code {process.exitcode})") from None
    finally:
        process.kill()
        process.join()
    if not finished:
        raise UnfinishedError(value)
    return value


def _child(pipe: Any, work: Callable[..., Any], arguments: tuple[object, ...]) -> None:
    try:
        pipe.send((True, work(*arguments)))
    except Exception as error:
        pipe.send((False, f"{type(error).__name__}: {error}".strip()[:300]))


def timed(
    side: str, folder: Path, pairs: int, device: str, threads: int, rows: int | None = None
) -> Run:
    """Run one side on the first `rows` of the vectors in `folder`; for a process of its own."""
    pinned, kept = pin(threads)
    vectors = np.load(folder / "vectors.npy", mmap_mode="r")
    # A copy in memory either way, so that nobody waits for a disk.
    vectors = np.array(vectors[:rows])
    groups = np.load(folder / "groups.npy")[:rows]
    job = Job(vectors, groups, pairs, device)
    gauge = Gauge()
    few = SIDES[side].warm_rows or _WARM_ROWS
    SIDES[side].start(Job(vectors[:few], groups[:few], min(pairs, _WARM_PAIRS), device))()
    work = SIDES[side].start(job)
    synchronise(device)
    start = time.perf_counter()
    answer = work()
    synchronise(device)
    seconds = time.perf_counter() - start
    del kept
    return Run(seconds, gauge.peak_mib(), _gpu_peak(device), answer, pinned)


def pin(threads: int) -> tuple[dict[str, int], object]:
    """Give every library the same number of threads.

    Returns what each now has, and an object to hold as long as that shall last.

    Raises:
        RuntimeError: one of them has another number.
    """
    import faiss
    import torch
    from threadpoolctl import threadpool_info, threadpool_limits

    kept = threadpool_limits(threads)
    torch.set_num_threads(threads)
    faiss.omp_set_num_threads(threads)
    found = {"torch": torch.get_num_threads(), "faiss": faiss.omp_get_max_threads()}
    if "numba" in sys.modules:
        sys.modules["numba"].set_num_threads(threads)
        found["numba"] = sys.modules["numba"].get_num_threads()
    for library in threadpool_info():
        name = Path(library["filepath"]).name.split("-")[0].split(".")[0]
        found[name] = max(library["num_threads"], found.get(name, 0))
    if set(found.values()) != {threads}:
        raise RuntimeError(f"threads differ, expected {threads} everywhere: {found}")
    return found, kept


class Gauge:
    """Peak private memory from now on, beyond what the process holds now."""

    def __init__(self) -> None:
        gc.collect()
        if platform.libc_ver()[0] == "glibc":
            # What was freed but not given back would hide as much of the work's own.
            ctypes.CDLL(None).malloc_trim(0)
        with suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
        self._start = _status().get("RssAnon")
        self._fallback = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    def peak_mib(self) -> float:
        """MiB; where /proc is missing, the growth of the process's peak instead."""
        now = _status()
        if self._start is None:
            unit = 1024**2 if platform.system() == "Darwin" else 1024
            grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - self._fallback
            return grown / unit
        # Mapped files only grow, so that what is mapped now was at most so much at the peak.
        return max(0.0, (now["VmHWM"] - now["RssFile"] - now["RssShmem"] - self._start) / 1024)


def _status() -> dict[str, int]:
    """The KiB figures of /proc/self/status; nothing on other systems."""
    with suppress(OSError):
        lines = Path("/proc/self/status").read_text().splitlines()
        fields = (line.partition(":")[::2] for line in lines if line.endswith(" kB"))
        return {name: int(value.split()[0]) for name, value in fields}
    return {}


def synchronise(device: str) -> None:
    """Wait until the device has done what it was given."""
    if device == "cuda":
        import torch

        torch.cuda.synchronize()


def _gpu_peak(device: str) -> float | None:
    if device != "cuda":
        return None
    import torch

    return float(torch.cuda.max_memory_allocated() / 2**20)


def load_libraries(sides: list[str]) -> dict[str, str]:
    """Import what the sides need, once and before any fork; why some cannot run."""
    for name in ("faiss", "torch", "indexes"):
        importlib.import_module(name)
    missing = {}
    for side in [name for name in sides if name in _NEEDED]:
        module, package = _NEEDED[side]
        if importlib.util.find_spec(module.partition(".")[0]) is None:
            missing[side] = f"not installed: pip install {package}"
            continue
        if side == "sentence-transformers":
            from mining.models.torchvision_ops import import_torchvision

            import_torchvision()  # which sentence-transformers would import unmended
        importlib.import_module(module)
    return missing
