"""The build of an earlier commit, installed in an environment of its own, as a side beside ours.

The commit comes from this repository's history (`git archive`) and is installed by pip, without
its dependencies: a .pth file leads to those of the environment that measures, and to `benchmarks`,
*after* the packages installed here, so that the older `indexes` is the one imported. That it is
gets checked before anything is timed. The environment is made once and kept.

    python -m benchmarks.previous          makes it, and says where
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import io
import os
import pickle
import subprocess
import sys
import tarfile
import tempfile
import venv
from pathlib import Path

from benchmarks.processes import Run, UnfinishedError, load_libraries, timed

# Before tiles of int8.
COMMIT = "dac39c2b6ba4ae3b82786cd50a940dfc4543394d"
_ROOT = Path(__file__).parents[1]
_DONE = "complete"


class PreviousError(Exception):
    """The earlier build cannot be had; the message says why."""


def install(scratch: Path | None = None, root: Path = _ROOT, commit: str = COMMIT) -> Path:
    """Python of the environment that holds the earlier build, made now unless it is there.

    Args:
        scratch: folder where it is kept; the one for temporary files if None.
        root: folder of the repository.
        commit: what is installed.

    Raises:
        PreviousError: there is no such commit, or pip fails.
    """
    packages = [entry for entry in sys.path if Path(entry).name == "site-packages"]
    known = hashlib.sha256(repr((sys.version, str(root), packages)).encode()).hexdigest()[:8]
    home = (scratch or Path(tempfile.gettempdir())) / f"lookalikes-{commit[:7]}-{known}"
    python = home / ("Scripts" if os.name == "nt" else "bin") / "python"
    if not (home / _DONE).exists():
        archive = _archive(root, commit)
        venv.create(home, clear=True, with_pip=True)
        with tempfile.TemporaryDirectory() as folder:
            with tarfile.open(fileobj=io.BytesIO(archive)) as files:
                files.extractall(folder, filter="data")
            _install(python, folder, packages)
        own = subprocess.run(
            [python, "-I", "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        lines = "".join(f"{line}\n" for line in (*packages, root))
        (Path(own.stdout.strip()) / "measuring.pth").write_text(lines, encoding="utf-8")
        (home / _DONE).touch()
    return python


def _archive(root: Path, commit: str) -> bytes:
    """The commit's files as a tar."""
    if not (root / ".git").exists():
        raise PreviousError(f"{root.name} has no git history to take commit {commit[:7]} from")
    try:
        found = subprocess.run(["git", "-C", root, "archive", commit], capture_output=True)
    except OSError as error:
        raise PreviousError(f"git cannot be started: {error}") from None
    if found.returncode:
        why = found.stderr.decode(errors="replace").strip()[:200]
        raise PreviousError(f"commit {commit[:7]} is not in the git history ({why})")
    return found.stdout


def _install(python: Path, folder: str, packages: list[str]) -> None:
    command = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    command += ["--no-deps", "--ignore-installed", folder]
    environment = dict(os.environ)
    if importlib.util.find_spec("hatchling") is not None:
        # What builds it is here already: nothing has to be fetched.
        command.append("--no-build-isolation")
        environment["PYTHONPATH"] = os.pathsep.join(packages)
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise PreviousError(f"pip cannot install it: {done.stderr.strip()[-300:]}")


def run(
    python: Path, side: str, folder: Path, pairs: int, device: str, threads: int,
    rows: int | None = None, limit: float | None = None,
) -> Run:  # fmt: skip
    """What `processes.timed` gives, in a process of the environment of `python`.

    Raises:
        UnfinishedError: it failed, or took longer than `limit` seconds.
    """
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch) / "run.pickle"
        arguments = [side, str(folder), str(pairs), device, str(threads), str(out)]
        arguments += [] if rows is None else [str(rows)]
        try:
            done = subprocess.run(
                [str(python), "-I", "-m", "benchmarks.previous", *arguments],
                timeout=limit, capture_output=True, text=True,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise UnfinishedError(f"stopped after {limit:.0f} s") from None
        if done.returncode:
            last = (done.stderr.strip() or f"exit code {done.returncode}").splitlines()[-1]
            raise UnfinishedError(last[:300])
        result = pickle.loads(out.read_bytes())
    assert isinstance(result, Run)
    return result


def _measure(options: argparse.Namespace) -> None:
    """One run, in the environment of the earlier build."""
    load_libraries([])
    import indexes

    found = Path(indexes.__file__).resolve()
    if not found.is_relative_to(Path(sys.prefix).resolve()):
        raise RuntimeError(f"indexes is {found}, none of the earlier build")
    fixed = (Path(options.folder), options.pairs, options.device, options.threads)
    Path(options.out).write_bytes(pickle.dumps(timed(options.side, *fixed, options.rows)))


def main() -> None:
    """Make the environment; with arguments, measure in it."""
    if len(sys.argv) == 1:
        print(install())
        return
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, kind in (("side", str), ("folder", str), ("pairs", int), ("device", str)):
        parser.add_argument(name, type=kind)
    parser.add_argument("threads", type=int)
    parser.add_argument("out")
    parser.add_argument("rows", type=int, nargs="?")
    _measure(parser.parse_args())


if __name__ == "__main__":
    main()
