"""Fixtures that plant the truth: small worlds whose answers are known."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

# Threads that wait for one another spin, by default: beside other workers of the tests they burn
# the cores that those they wait for would run on. Read when torch is loaded, here and in processes.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# A report names the day on which it was made: that of a test does not hang on midnight.
os.environ["SOURCE_DATE_EPOCH"] = "1790000000"

import numpy as np
import pytest
from filelock import FileLock
from hypothesis import HealthCheck, settings
from PIL import Image
from support.buckets import KEYS, s3_server
from support.case_names import name_of_value
from support.drawn import draw_face

# How long an example takes says more of what else the machine does than of the code.
settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any machine")

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A cache folder of the tests' own, and no progress, in the commands' processes too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        # How long a step takes here says nothing; tests of progress set it otherwise.
        patch.setenv("LOOKALIKES_PROGRESS", "0")
        yield


@pytest.fixture(scope="session")
def s3_address() -> Iterator[str]:
    """Address of a server that speaks S3, on this machine."""
    with s3_server() as address:
        yield address


@pytest.fixture
def bucket(s3_address: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """URL of a new, empty bucket, which this process and those it starts can reach."""
    import boto3

    for name, value in {**KEYS, "AWS_ENDPOINT_URL": s3_address}.items():
        monkeypatch.setenv(name, value)
    name = f"faces-{uuid4().hex}"
    boto3.client("s3").create_bucket(Bucket=name)
    return f"s3://{name}"


# The longest single tests: begun last, one worker would go on with them alone.
_LONGEST = ("test_readme.py", "test_notebooks.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the tests that take longest."""
    items.sort(key=lambda item: item.path.name not in _LONGEST)


def pytest_make_parametrize_id(config: pytest.Config, val: object, argname: str) -> str | None:
    """Bytes and the like are called after their parameter."""
    return name_of_value(val, argname)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Real faces and the published ZACI-20 files, where the machine has them."""
    folder = Path(os.environ.get("LOOKALIKES_DATA", ROOT.parent / "shared" / "data"))
    if not (folder / "zaci20").is_dir():
        pytest.skip(f"no test data in {folder}; set LOOKALIKES_DATA to the folder that has it")
    return folder


@pytest.fixture
def faces_folder(tmp_path: Path) -> Path:
    """Six identities of three faces each; `b` and `c (twin)` are nearly the same picture."""
    root = tmp_path / "faces"
    seeds = {"a": 1, "b": 2, "c (twin)": 2, "d & e": 4, ".hidden": 5, "橘_雪": 6}
    for identity, seed in seeds.items():
        (root / identity).mkdir(parents=True)
        for number in range(3):
            pixels = np.asarray(draw_face(seed), np.int16)
            noise = np.random.default_rng([seed, number, len(identity)]).integers(
                -12, 13, pixels.shape
            )
            image = Image.fromarray(np.clip(pixels + noise, 0, 255).astype(np.uint8))
            image.save(root / identity / f"{number}.png")
    return root


@pytest.fixture(scope="session")
def demo_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `make demo` leaves in `demo/`, of few identities; made once for all workers.

    It is shared: who wants to write copies it, or writes beside `sample` and `run`.
    """
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    demo = shared / "demo"
    with FileLock(shared / "demo.lock"):
        if not (demo / "run" / "report.html").is_file():
            from mining import build
            from mining.commands.sample import make_sample

            make_sample(demo / "sample", characters=24, seed=0, overwrite=True)
            reference = f"timm:tf_efficientnet_lite0@{demo / 'sample' / 'tf_efficientnet_lite0'}"
            build(demo / "sample" / "faces", reference, pairs=200, out=demo / "run", overwrite=True)
    return demo
