"""What every result says of the machine it was measured on."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping
from pathlib import Path

from pairsets.storage.artefacts import versions, write_json

RESULTS = Path(__file__).parent / "results"


def describe() -> dict[str, object]:
    """Processor, cores, system and library versions."""
    processor = platform.processor() or platform.machine()
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                processor = line.partition(":")[2].strip()
            elif line.startswith("flags"):
                wanted = (
                    "avx2", "avx_vnni", "avx512f", "avx512_vnni", "avx512_bf16", "amx_tile",
                    "amx_bf16", "amx_int8",
                )  # fmt: skip
                features = [name for name in wanted if name in line.split()]
                break
        else:
            features = []
    except OSError:
        features = []
    return {
        "processor": processor,
        "features": features,
        "cores": os.cpu_count(),
        "system": platform.system(),
        "versions": versions(
            "lookalikes", "numpy", "torch", "timm", "pillow", "faiss-cpu", "scikit-learn", "scipy"
        ),
    }


def keep(name: str, result: Mapping[str, object]) -> None:
    """Write `results/<name>.json` with the machine's description, and print it."""
    content = {"benchmark": name, "machine": describe(), **result}
    write_json(RESULTS / f"{name}.json", content)
    print(json.dumps(content, indent=2))
