"""Ray, of the extra `cluster`, imported when it is needed, and quiet."""

from __future__ import annotations

import os
from typing import Any

from mining.errors import ClusterError

# Read by Ray when it is imported, and by the processes that it starts; what the user set stands.
_SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    # What fails is told by us, once; the text of lost nodes is printed even with log_to_driver off.
    "RAY_DEDUP_LOGS_SKIP_REGEX": "^",
    "RAY_IGNORE_UNHANDLED_ERRORS": "1",
    # Ray hides the GPUs from tasks that ask for none, and warns that it will not for ever.
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}


def import_ray() -> Any:
    """Import Ray.

    Raises:
        ClusterError: it is not installed; says how to.
    """
    for name, value in _SETTINGS.items():
        os.environ.setdefault(name, value)
    try:
        import ray
        import ray.exceptions
        import ray.util.scheduling_strategies
    except ImportError as error:
        raise ClusterError(
            f"a cluster needs the package ray, which cannot be imported ({error}): "
            "pip install 'lookalikes[cluster]'"
        ) from None
    return ray
