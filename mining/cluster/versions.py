"""Versions on every node, compared with those here: results are of one code, or of none."""

from __future__ import annotations

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


def refuse_others(nodes: Sequence[Node], timeout: float) -> None:
    """Raise ClusterError for a node whose versions are not those here.

    Args:
        nodes: on each of which a small task runs.
        timeout: seconds for all of them to answer.

    Raises:
        ClusterError: names the node, the package and both versions; or a node that does not answer.
    """
    ray = import_ray()
    tell = _probe()
    here = tell()
    affinity = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy
    task = ray.remote(tell)
    asked = {
        task.options(
            num_cpus=0, max_retries=1, scheduling_strategy=affinity(node_id=node.id, soft=False)
        ).remote(): node
        for node in nodes
    }
    waiting = ray.wait(list(asked), num_returns=len(asked), timeout=timeout)[1]
    if waiting:
        raise ClusterError(
            f"node {asked[waiting[0]].name}: did not answer within {timeout:g} s; is it "
            "overloaded, or its Ray of another version?"
        )
    for ref, node in asked.items():
        _compare(here, _answer(ray, ref, node, timeout), node)


def _answer(ray: Any, ref: object, node: Node, timeout: float) -> Mapping[str, str]:
    try:
        answer: Mapping[str, str] = ray.get(ref, timeout=timeout)
    except ray.exceptions.RayTaskError as error:
        raise ClusterError(f"node {node.name}: cannot tell its versions: {error.cause}") from None
    except ray.exceptions.RayError as error:
        raise ClusterError(f"node {node.name}: cannot be used: {first_line(error)}") from None
    return answer


def _compare(here: Mapping[str, str], there: Mapping[str, str], node: Node) -> None:
    for package, version in here.items():
        found = there.get(package, _MISSING)
        if found == version:
            continue
        if found == _MISSING:
            raise ClusterError(
                f"node {node.name}: {package} is not installed there, here it is {version}; "
                f"install the same on every node: pip install 'lookalikes[cluster]=={_bare(here)}'"
            )
        raise ClusterError(
            f"node {node.name}: {package} is {found} there, and {version} here; install the same "
            "on every node and on the machine that starts the work"
        )


def _bare(here: Mapping[str, str]) -> str:
    return here["lookalikes"].split(" ")[0]


def first_line(error: BaseException) -> str:
    """First line of an error's text; Ray's go on with pages of advice."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
