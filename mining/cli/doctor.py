"""An installation looked over: the command doctor."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import typer

from mining.cli.app import app
from mining.cli.json_output import or_json

if TYPE_CHECKING:
    from mining.commands.doctor import Diagnosis
    from mining.diagnosis.findings import Finding

# Of the help.
PANEL = "When something goes wrong"
_GIB = 2**30


@app.command(rich_help_panel=PANEL, epilog="Example: `lookalikes doctor`")
def doctor() -> None:
    """Look over the installation: versions, FAISS, devices, the way of the search, memory, disk.

    Ends with status 1 where something is broken, and says what to do. Libraries are tried in a
    process of their own. The text has no paths or names of yours: it is fit for a report.
    """
    from mining.commands.doctor import diagnose

    found = diagnose()
    print_diagnosis(found)
    if not found.works:
        raise typer.Exit(1)


def diagnosis_content(found: Diagnosis) -> dict[str, object]:
    """Document of a diagnosis."""
    return found.content()


@or_json(diagnosis_content)
def print_diagnosis(found: Diagnosis) -> None:
    """Print what was found, without what is personal."""
    from mining.diagnosis.privacy import hidden

    for line in lines_of(found):
        typer.echo(hidden(line))


def lines_of(found: Diagnosis) -> Iterator[str]:
    """Lines that tell a diagnosis to a person, paths as they are."""
    system, packages = found.system, found.packages
    yield (
        f"lookalikes {packages.own or '(not installed)'}, Python {system['python']}, "
        f"{system['system']} {system['machine']}"
    )
    yield ""
    yield "Packages"
    core = {one.name for one in packages.core}
    known = packages.versions
    yield from _wrapped(f"{name} {known[name]}" for name in known if name in core)
    yield "Extras"
    there = [one for one in packages.extras if not one.lacking]
    for one in there:
        yield f"  {one.name:<12} " + ", ".join(f"{n} {v}" for n, v in one.packages.items())
    for one in packages.extras:
        if one.lacking and one.name not in ("cpu", "gpu"):
            yield f"  {one.name:<12} not installed: {one.install}"
    yield "FAISS"
    yield f"  {_faiss(found)}"
    yield "Devices"
    yield from (f"  {line}" for line in _devices(found))
    yield "Exact search"
    yield from (f"  {line}" for line in _search(found))
    yield "Threads"
    yield from (f"  {line}" for line in _threads(found))
    yield "Memory and disk"
    memory = found.memory
    yield f"  memory {_size(memory['free'])} free of {_size(memory['total'])}"
    for place in found.places:
        where = "none" if place.path is None else str(place.path)
        yield f"  {place.name}: {where}, {_size(place.free)} free"
    yield ""
    yield from _told(found.findings)


def _told(found: Sequence[Finding]) -> Iterator[str]:
    """Lines on what is wrong, the broken first."""
    if not found:
        yield "All of it works."
        return
    for one in found:
        yield f"{'BROKEN' if one.broken else 'Note'}: {one.what}"
        yield f"  -> {one.remedy}"
    if not any(one.broken for one in found):
        yield "Nothing is broken."


def _wrapped(parts: Iterable[str]) -> Iterator[str]:
    """Parts in lines of at most 100 characters."""
    line = ""
    for part in parts:
        if line and len(line) + len(part) > 95:
            yield f"  {line},"
            line = ""
        line = f"{line}, {part}" if line else part
    if line:
        yield f"  {line}"


def _faiss(found: Diagnosis) -> str:
    owners, facts = found.packages.owners("faiss"), found.facts("faiss")
    if not facts:
        return f"{' and '.join(owners)}, which does not work" if owners else "not installed"
    gpus = f", {facts['gpus']} GPUs" if facts["gpus"] else ""
    level = f", {facts['instructions']}" if facts["instructions"] else ""
    name = " and ".join(owners) or "of no package that pip knows"
    return f"{name} {facts['version']}{level} (built with: {facts['options']}){gpus}"


def _devices(found: Diagnosis) -> Iterator[str]:
    system, torch = found.system, found.facts("torch")
    features = system["features"]
    assert isinstance(features, list)
    yield f"{system['processor']}, {system['usable_cores']} of {system['cores']} cores usable" + (
        f"; {' '.join(features)}" if features else ""
    )
    if not torch:
        yield "GPUs are not known, as PyTorch does not work"
        return
    build = f"CUDA {torch['cuda']}" if torch["cuda"] else "no CUDA"
    yield f"PyTorch {torch['version']}: {torch['instructions']}, {build}"
    for number, one in enumerate(torch["gpus"]):
        yield f"cuda:{number} {one['name']}, capability {one['capability']}, " + (
            f"{_size(one['free'])} free of {_size(one['memory'])}"
        )
    if torch["mps"]:
        yield "mps, for embedding"
    providers = found.facts("onnxruntime").get("providers")
    if providers:
        yield f"ONNX Runtime: {', '.join(providers)}"


def _search(found: Diagnosis) -> Iterator[str]:
    facts = found.facts("search")
    if not facts:
        yield "not known, as it does not work"
        return
    for one in facts["paths"]:
        whole = f", whole vectors by {one['whole']}" if one["whole"] != one["first"] else ""
        yield f"{one['device']}: {one['first']}{whole} ({one['reason']})"
    yield (
        f"of vectors of {facts['dimensions']} dimensions; a small search was tried on each: "
        + ("WRONG on " + ", ".join(facts["wrong"]) if facts["wrong"] else "right")
    )


def _threads(found: Diagnosis) -> Iterator[str]:
    torch = found.facts("torch")
    if torch:
        parts = [name for name in ("mkl", "onednn") if torch[name]]
        yield f"PyTorch: {torch['threads']}" + (f", with {' and '.join(parts)}" if parts else "")
    lines = []
    for one in found.facts("threads").get("libraries", ()):
        more = [str(one[key]) for key in ("version", "architecture", "threading_layer") if one[key]]
        about = f" ({', '.join(more)})" if more else ""
        lines.append(f"{one['internal_api']}: {one['num_threads']}{about}")
    yield from dict.fromkeys(lines)
    settings = found.system["settings"]
    assert isinstance(settings, dict)
    yield from (f"{name}={value}" for name, value in settings.items())


def _size(count: int | None) -> str:
    return "?" if count is None else f"{count / _GIB:,.1f} GiB"
