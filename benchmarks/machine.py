"""What every result says of the machine it was measured on."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping
from pathlib import Path

from mining.diagnosis.machine import processor
from pairsets.storage.artefacts import versions, write_json

RESULTS = Path(__file__).parent / "results"


def describe() -> dict[str, object]:
    """Processor, cores, system and library versions."""
    name, features = processor()
    return {
        "processor": name,
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
