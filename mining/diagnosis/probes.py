"""Probes: what libraries tell of themselves. Run by `trials`, where they may fail as they like."""

from __future__ import annotations

import importlib
from typing import Any

# Faces of the small search that shows whether the answer is right, and their dimensions.
_ROWS, _WIDTH, _PAIRS = 600, 96, 50
# Dimensions that the path of a search is told for.
TYPICAL = 512


def _imported(name: str) -> dict[str, Any]:
    return {"version": str(getattr(importlib.import_module(name), "__version__", ""))}


def numpy() -> dict[str, Any]:
    """Facts of NumPy."""
    return _imported("numpy")


def pandas() -> dict[str, Any]:
    """Facts of pandas."""
    return _imported("pandas")


def pillow() -> dict[str, Any]:
    """Facts of Pillow, whose compiled part is imported, too."""
    importlib.import_module("PIL.Image")
    return _imported("PIL")


def matplotlib() -> dict[str, Any]:
    """Facts of Matplotlib."""
    return _imported("matplotlib")


def huggingface_hub() -> dict[str, Any]:
    """Facts of the Hugging Face Hub's client: where it keeps weights."""
    constants = importlib.import_module("huggingface_hub.constants")
    return _imported("huggingface_hub") | {"cache": str(constants.HF_HUB_CACHE)}


def torch() -> dict[str, Any]:
    """Facts of PyTorch: its build, and the devices that it sees."""
    import torch as library

    gpus = []
    for number in range(library.cuda.device_count() if library.cuda.is_available() else 0):
        about = library.cuda.get_device_properties(number)
        free, total = library.cuda.mem_get_info(number)
        gpus.append(
            {
                "name": about.name,
                "capability": f"{about.major}.{about.minor}",
                "memory": total,
                "free": free,
            }
        )
    return {
        "version": library.__version__,
        "cuda": library.version.cuda,
        "instructions": library.backends.cpu.get_cpu_capability(),
        "gpus": gpus,
        "mps": library.backends.mps.is_available(),
        "threads": library.get_num_threads(),
        "onednn": library.backends.mkldnn.is_available(),  # type: ignore[no-untyped-call]
        "mkl": library.backends.mkl.is_available(),  # type: ignore[no-untyped-call]
        "cache": library.hub.get_dir(),
    }


def torchvision() -> dict[str, Any]:
    """Facts of torchvision, imported as commands do it, which mends one known trouble."""
    from mining.models.torchvision_ops import import_torchvision, is_mended

    return {"version": import_torchvision().__version__, "mended": is_mended()}


def timm() -> dict[str, Any]:
    """Facts of timm."""
    from mining.models.torchvision_ops import import_timm

    return {"version": import_timm().__version__}


def faiss() -> dict[str, Any]:
    """Facts of FAISS: its build, and whether it searches."""
    from indexes.store import build_facts

    return build_facts()


def onnxruntime() -> dict[str, Any]:
    """Facts of ONNX Runtime: where it can run a network."""
    library = importlib.import_module("onnxruntime")
    return _imported("onnxruntime") | {"providers": library.get_available_providers()}


def opencv() -> dict[str, Any]:
    """Facts of OpenCV."""
    return _imported("cv2")


def pyarrow() -> dict[str, Any]:
    """Facts of Apache Arrow."""
    return _imported("pyarrow")


def threads() -> dict[str, Any]:
    """Facts of the libraries that multiply, with the threads of each."""
    from threadpoolctl import threadpool_info

    importlib.import_module("numpy")
    told = ("user_api", "internal_api", "version", "num_threads", "threading_layer", "architecture")
    return {"libraries": [{name: one.get(name) for name in told} for one in threadpool_info()]}


def search() -> dict[str, Any]:
    """Facts of the exact search: its path on each device here, and whether its answer is right."""
    from indexes.join.search_path import search_paths

    paths = search_paths(TYPICAL)
    return {
        "dimensions": TYPICAL,
        "paths": [
            {"device": one.device, "first": one.first, "whole": one.whole, "reason": one.reason}
            for one in paths
        ],
        "wrong": [one.device for one in paths if not _is_right(one.device, one.precision)],
    }


def _is_right(device: str, precision: Any) -> bool:
    """Whether a small search on a device, by its own kernel, finds the very best pairs."""
    import numpy as np

    from indexes import FlatIndex
    from indexes.join import SearchOptions

    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((_ROWS, _WIDTH)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    groups = np.arange(_ROWS) // 4
    how = SearchOptions(device=device, precision=precision)
    found = FlatIndex(vectors).top_pairs(_PAIRS, groups, how=how)
    i, j = np.triu_indices(_ROWS, 1)
    i, j = i[groups[i] != groups[j]], j[groups[i] != groups[j]]
    scores = np.einsum("nd,nd->n", vectors[i].astype(float), vectors[j].astype(float))
    best = np.argsort(-scores, kind="stable")[:_PAIRS]
    return {*zip(i[best].tolist(), j[best].tolist(), strict=True)} == {
        *zip(found.i.tolist(), found.j.tolist(), strict=True)
    }
