"""Machine of an installation: processor, memory, disk, and the folders that are written to."""

from __future__ import annotations

import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mining.diagnosis.findings import Finding
from pairsets.storage.user_cache import cache_folder

GIB = 2**30
# Instructions that products are quicker by.
_FEATURES = (
    *("avx2", "avx_vnni", "avx512f", "avx512_vnni", "avx512_bf16", "amx_tile", "amx_bf16"),
    *("amx_int8", "asimd", "asimddp", "bf16", "i8mm", "sve"),
)
# Settings of the environment that say how fast things are, or on what.
_SETTINGS = (
    *("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "CUDA_VISIBLE_DEVICES"),
    *("ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA", "FAISS_OPT_LEVEL", "KMP_DUPLICATE_LIB_OK"),
)
_CPUINFO, _MEMINFO, _GROUP = Path("/proc/cpuinfo"), Path("/proc/meminfo"), Path("/sys/fs/cgroup")
# Files of an NVIDIA driver.
_DRIVER = (Path("/proc/driver/nvidia/version"), Path("/dev/nvidia0"))


@dataclass(frozen=True)
class Place:
    """Folder that commands write to.

    Attributes:
        name: of its use.
        path: of the folder; None where there is none to be had.
        free: bytes; None where they are not known.
        writable: whether files can be made there.
        variable: of the environment, that names another folder.
        needed: whether commands fail without it.
    """

    name: str
    path: Path | None
    free: int | None
    writable: bool
    variable: str = ""
    needed: bool = True

    @classmethod
    def of(cls, name: str, path: Path, variable: str = "", *, needed: bool = True) -> Place:
        """The folder, or the nearest one above it that is there."""
        above = next((one for one in (path, *path.parents) if one.exists()), path)
        try:
            free = shutil.disk_usage(above).free
        except OSError:
            free = None
        writable = above.is_dir() and os.access(above, os.W_OK | os.X_OK)
        return cls(name, path, free, writable, variable, needed)

    def finding(self) -> Finding | None:
        """Finding of the folder; None where all is well."""
        remedy = f"name another folder by the environment variable {self.variable}"
        if not self.variable:
            remedy = "work in another folder, or mend its permissions"
        if self.path is None:
            return Finding(f"{self.name}: there is no such folder", remedy, broken=self.needed)
        if not self.writable:
            what = f"{self.name}, {self.path}: cannot be written to"
            return Finding(what, remedy, broken=self.needed)
        if self.free is not None and self.free < GIB:
            what = f"{self.name}, {self.path}: {self.free / GIB:.2f} GiB of its disk are free"
            return Finding(what, f"make room, or {remedy}", broken=False)
        return None


def own_places() -> list[Place]:
    """The folders that lookalikes itself writes to."""
    found = [Place.of("current folder", Path())]
    try:
        found.append(Place.of("cache", cache_folder(), "XDG_CACHE_HOME"))
    except OSError:
        found.append(Place("cache", None, None, False, "XDG_CACHE_HOME"))
    try:
        found.append(Place.of("temporary files", Path(tempfile.gettempdir()), "TMPDIR"))
    except FileNotFoundError:
        found.append(Place("temporary files", None, None, False, "TMPDIR"))
    return found


def system_facts() -> dict[str, object]:
    """Facts of the system, the processor and its cores."""
    model, features = processor()
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()}",
        "machine": platform.machine(),
        "processor": model,
        "features": features,
        "cores": os.cpu_count(),
        "usable_cores": usable_cores(),
        "virtual_environment": sys.prefix != sys.base_prefix,
        "settings": {name: os.environ[name] for name in _SETTINGS if name in os.environ},
    }


def usable_cores(group: Path = _GROUP) -> int:
    """Cores that this process may use: all, or as many as the system or a container leaves it."""
    cores = os.cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    try:
        quota, _, period = (group / "cpu.max").read_text("ascii").partition(" ")
        allowed = int(quota) / int(period)
    except (OSError, ValueError, ZeroDivisionError):
        return cores
    return max(1, min(cores, round(allowed + 0.49)))


def memory_facts(meminfo: Path = _MEMINFO, group: Path = _GROUP) -> dict[str, int | None]:
    """Bytes of memory in all, and free; of a container, what it may have. None is not known."""
    total = free = None
    try:
        for line in meminfo.read_text("ascii").splitlines():
            name, _, value = line.partition(":")
            if name in ("MemTotal", "MemAvailable"):
                size = int(value.split()[0]) * 1024
                total, free = (size, free) if name == "MemTotal" else (total, size)
    except (OSError, ValueError, IndexError):
        pass
    if total is None and hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    limit = _number(group / "memory.max")
    used = _number(group / "memory.current")
    if limit is not None and (total is None or limit < total):
        left = None if used is None else max(0, limit - used)
        total, free = limit, left if free is None else min(free, left if left is not None else free)
    return {"total": total, "free": free}


def has_driver(files: Sequence[Path] = _DRIVER) -> bool:
    """Whether a driver for NVIDIA's GPUs is here."""
    return any(file.exists() for file in files)


def processor() -> tuple[str, list[str]]:
    """Name of the processor, and those of its instructions that matter."""
    model, features = platform.processor() or platform.machine(), list[str]()
    try:
        lines = _CPUINFO.read_text("utf-8", "replace").splitlines()
    except OSError:
        return model, features
    for line in lines:
        name, _, value = (part.strip() for part in line.partition(":"))
        if name == "model name":
            model = value
        elif name.lower() in ("flags", "features") and not features:
            features = [one for one in _FEATURES if one in value.split()]
    return model, features


def _number(file: Path) -> int | None:
    try:
        return int(file.read_text("ascii"))
    except (OSError, ValueError):  # `max`, where there is no limit
        return None
