"""Versions on every node, compared with those here: results are of one code, or of none."""

from __future__ import annotations

import functools
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mining.cluster.extra import import_ray
from mining.errors import ClusterError

if TYPE_CHECKING:
    from mining.cluster.session import Node

_MISSING = "not installed"


def _probe() -> Callable[[], dict[str, str]]:
    """A function that tells what is installed where it runs.

    It is made within another so that Ray sends its code: a node that lacks this package, or has an
    older one, could not import it.
    """

    def tell() -> dict[str, str]:
        import hashlib
        import importlib.util
        import platform
        from importlib.metadata import PackageNotFoundError, version
        from pathlib import Path

        found = {"Python": ".".join(platform.python_version_tuple()[:2])}
        for name in ("lookalikes", "torch", "numpy"):
            try:
                found[name] = version(name)
            except PackageNotFoundError:
                found[name] = "not installed"
        # The same version may be of another state of the source.
        digest = hashlib.sha256()
        for package in ("mining", "indexes", "pairsets"):
            spec = importlib.util.find_spec(package)
            if spec is None or spec.origin is None:
                found["lookalikes"] = "not installed"
                return found
            root = Path(spec.origin).parent
            for file in sorted(root.rglob("*.py"), key=lambda path: path.as_posix()):
                digest.update(f"{package}/{file.relative_to(root).as_posix()}\0".encode())
                digest.update(file.read_bytes())
        found["lookalikes"] += f" (source {digest.hexdigest()[:8]})"
        return found

    return tell


@functools.cache
def versions_here() -> Mapping[str, str]:
    """Versions that this process has, by package."""
    return _probe()()


def refuse_here(wanted: Mapping[str, str]) -> None:
    """Raise ClusterError where this process, of a node, has other versions than the driver.

    Args:
        wanted: `versions_here` of the driver.

    Raises:
        ClusterError: names this node, the package and both versions.
    """
    _compare(wanted, versions_here(), socket.gethostname())


def refuse_others(
    nodes: Callable[[], Sequence[Node]], timeout: float, tell: Callable[[str], None]
) -> None:
    """Raise ClusterError for a node whose versions are not those here.

    Args:
        nodes: that are alive, each time it is called; a small task runs on each of them. One that
            is gone before it answers is nobody's trouble.
        timeout: seconds for all of them to answer.
        tell: is told of nodes that stay and do not answer while others do. They may only be busy,
            and whatever runs there looks at its versions first.

    Raises:
        ClusterError: names the node, the package and both versions; or a node, where none answers.
    """
    ray = import_ray()
    probe = _probe()
    here = probe()
    affinity = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy
    task = ray.remote(probe)
    asked = {
        task.options(
            num_cpus=0, max_retries=1, scheduling_strategy=affinity(node_id=node.id, soft=False)
        ).remote(): node
        for node in nodes()
    }
    end = time.monotonic() + timeout
    silent: list[str] = []
    for ref, node in asked.items():
        try:
            _compare(here, _answer(ray, ref, node, end), node.name)
        except _SilentError as error:
            if _stays(node, nodes, end):
                silent.append(str(error))
    if len(silent) == len(asked) > 0:
        raise ClusterError(silent[0])
    for text in silent:
        tell(text)


class _SilentError(ClusterError):
    """No answer of a node."""


def _answer(ray: Any, ref: object, node: Node, end: float) -> Mapping[str, str]:
    try:
        answer: Mapping[str, str] = ray.get(ref, timeout=max(0.0, end - time.monotonic()))
    except ray.exceptions.RayTaskError as error:
        raise ClusterError(f"node {node.name}: cannot tell its versions: {error.cause}") from None
    except ray.exceptions.GetTimeoutError:
        raise _SilentError(
            f"node {node.name}: did not answer in time; is it overloaded, or its Ray of another "
            "version?"
        ) from None
    except ray.exceptions.RayError as error:
        raise _SilentError(f"node {node.name}: cannot be used: {first_line(error)}") from None
    return answer


def _stays(node: Node, nodes: Callable[[], Sequence[Node]], end: float) -> bool:
    """Whether a node is still there at the end: a lost one is missed only after some seconds."""
    while any(other.id == node.id for other in nodes()):
        if time.monotonic() > end:
            return True
        time.sleep(0.2)
    return False


def _compare(here: Mapping[str, str], there: Mapping[str, str], node: str) -> None:
    for package, version in here.items():
        found = there.get(package, _MISSING)
        if found == version:
            continue
        if found == _MISSING:
            raise ClusterError(
                f"node {node}: {package} is not installed there, here it is {version}; "
                f"install the same on every node: pip install 'lookalikes[cluster]=={_bare(here)}'"
            )
        raise ClusterError(
            f"node {node}: {package} is {found} there, and {version} here; install the same "
            "on every node and on the machine that starts the work"
        )


def _bare(here: Mapping[str, str]) -> str:
    return here["lookalikes"].split(" ")[0]


def first_line(error: BaseException) -> str:
    """First line of an error's text; Ray's go on with pages of advice.

    Where that only announces what follows, as before another's traceback, its last line too.
    """
    lines = (str(error).strip() or type(error).__name__).splitlines()
    return f"{lines[0]} {lines[-1].strip()}" if lines[0].endswith(":") else lines[0]
