"""Writes the lock files: every package that is installed, pinned, with the hashes of its files.

`make lock` calls it. uv looks up one set of versions for every system and Python that the project
runs on. Versions that stand in the files stay unless they no longer fit; `--upgrade` raises them.

- `requirements.build.lock`: what builds; installed first, so that pip fetches nothing by itself.
- `requirements.lock`: what runs and tests.
- `requirements.cuda.lock`: what PyTorch's CUDA build needs besides, and other builds do not.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
BUILD, MAIN, CUDA = (f"requirements{kind}.lock" for kind in (".build", "", ".cuda"))
EXTRAS = (
    "cpu",
    "clip",
    "cloud",
    "cluster",
    "hf",
    "huggingface",
    "map",
    "onnx",
    "parquet",
    "review",
    "sample",
    "suspects",
)
EXTRAS += ("train", "zstd", "docs", "dev")  # the last two are not of users
# Installing the project in place, and the one package that has no wheel.
BUILDERS = ("editables", "setuptools")
# One version for every Python: later ones are not for Python 3.11.0 to 3.11.4 (pymdown-extensions)
# or 3.11 (pyee).
PINNED = ("torch==2.13.0", "torchvision==0.28.0", "pymdown-extensions==12.3", "pyee==13.0.1")
# The CPU builds lie on PyTorch's own index, which uv is not asked for: a hash of theirs stands here
# once the file was tried. A build that is not listed is passed over for the one of PyPI.
UNLISTED = {
    # torch-2.13.0+cpu-cp311-cp311-manylinux_2_28_x86_64.whl
    "torch==2.13.0": ["6746dbcbeb526eb61330b76b41ff1b4eb848951103a892eeb080dfa2b264667b"],
}
_CUDA = re.compile(r"nvidia-|cuda-|triton==")
_HEAD = "# Made by `make lock`; do not edit. {what}\n"


def compiled(source: str, kept: str, options: list[str]) -> list[str]:
    """What uv makes of requirements: a block of lines a package.

    Args:
        source: a file, or the requirements themselves, a line each.
        kept: the pins that are preferred.
        options: more, for uv.
    """
    wanted = ROOT / "build" / "lock"
    wanted.mkdir(parents=True, exist_ok=True)
    found, pinned, given = (wanted / name for name in ("found.txt", "pinned.txt", "given.in"))
    found.write_text(kept, "utf-8")
    pinned.write_text("\n".join(PINNED) + "\n", "utf-8")
    given.write_text(source, "utf-8")
    about = str(ROOT / source) if source.endswith(".toml") else str(given)
    command = [sys.executable, "-m", "uv", "pip", "compile", about, "--quiet", "--universal"]
    command += ["--python-version", "3.11", "--generate-hashes", "--no-header", "--no-annotate"]
    command += ["--constraints", str(pinned), "--output-file", str(found), *options]
    subprocess.run(command, cwd=ROOT, check=True)
    return re.split(r"\n(?=\S)", found.read_text("utf-8").strip())


def pins(name: str) -> str:
    """The pins of a lock file without the hashes, which uv would take over as they are."""
    lines = (ROOT / name).read_text("utf-8").splitlines()
    return "\n".join(line.rstrip("\\ ") for line in lines if re.match(r"[\w.-]+==", line)) + "\n"


def with_unlisted(block: str) -> str:
    """The block with the hashes in `UNLISTED` of its package."""
    name = block.split(maxsplit=1)[0]
    return block + "".join(f" \\\n    --hash=sha256:{one}" for one in UNLISTED.get(name, []))


def write(name: str, blocks: list[str], what: str) -> None:
    """Write a lock file of these blocks."""
    lines = map(with_unlisted, blocks)
    (ROOT / name).write_text(_HEAD.format(what=what) + "\n".join(lines) + "\n", "utf-8")


def main() -> None:
    """Write the three files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--upgrade", action="store_true", help="raise versions")
    options = ["--upgrade"] if parser.parse_args().upgrade else []
    kept = pins(MAIN) + pins(CUDA)
    blocks = compiled(
        "pyproject.toml", kept, options + [word for one in EXTRAS for word in ("--extra", one)]
    )
    write(MAIN, [one for one in blocks if not _CUDA.match(one)], "What runs and tests.")
    write(
        CUDA,
        [one for one in blocks if _CUDA.match(one)],
        "What PyTorch's CUDA build needs besides.",
    )
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    requires = "\n".join([*project["build-system"]["requires"], *BUILDERS]) + "\n"
    write(BUILD, compiled(requires, pins(MAIN), []), "What builds.")


if __name__ == "__main__":
    main()
