"""Packages as the installation itself tells them: versions, extras, who owns a module.

Read from metadata alone; none of them is imported, so that a broken one is listed like any other.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from importlib.metadata import PackageNotFoundError, distributions, requires, version

from mining.diagnosis.findings import Finding

OWN = "lookalikes"
# Extras of those who work on lookalikes itself.
_INNER = frozenset({"dev", "docs"})
# Of these any one does: both own the module `faiss`.
FAISS = ("cpu", "gpu")
# Modules that packages of several names bring, with the remedy of having two.
_ONCE = {
    "faiss": (
        r"faiss(-cpu|-gpu.*)?",
        "pip uninstall {names}; then one of: pip install 'lookalikes[cpu]' (any machine) or pip "
        "install 'lookalikes[gpu]' (CUDA)",
    ),
    "onnxruntime": (
        r"onnxruntime(-gpu|-directml|-openvino)?",
        "pip uninstall {names}; then one of them again, as: pip install 'lookalikes[onnx]'",
    ),
}
_REQUIREMENT = re.compile(
    r"\s*([\w.-]+)\s*(?:\[[^\]]*\])?\s*\(?([^;)]*)\)?\s*(?:;(.*))?", re.DOTALL
)
_EXTRA = re.compile(r"extra\s*==\s*['\"]([\w.-]+)['\"]")


@dataclass(frozen=True)
class Requirement:
    """Package that is needed, in some versions.

    Attributes:
        name: of the package.
        limits: of its version, as `>=1.11,<2`; empty for any.
        extra: that asks for it; empty where lookalikes always needs it.
    """

    name: str
    limits: str
    extra: str

    @classmethod
    def parse(cls, text: str) -> Requirement:
        """The requirement that a line of metadata states.

        >>> Requirement.parse("ray[default]>=2.60; extra == 'cluster'")
        Requirement(name='ray', limits='>=2.60', extra='cluster')
        """
        found = _REQUIREMENT.match(text)
        name, limits, marker = found.groups() if found else (text, "", "")
        extra = _EXTRA.search(marker or "")
        return cls(name, (limits or "").replace(" ", ""), extra.group(1) if extra else "")

    def allows(self, installed: str) -> bool:
        """Whether a version is within the limits; limits of other kinds than < and > are not read.

        >>> one = Requirement("optuna", ">=5.0,<6", "train")
        >>> [one.allows(text) for text in ("4.9", "5.0", "5.10.1+cpu", "6")]
        [False, True, True, False]
        """
        for limit in filter(None, self.limits.split(",")):
            kind, number = re.match(r"([<>=!~]*)(.*)", limit).groups()  # type: ignore[union-attr]
            mine, other = _release(installed), _release(number)
            if (kind == ">=" and mine < other) or (kind == "<" and mine >= other):
                return False
        return True


@dataclass(frozen=True)
class Extra:
    """Optional part of lookalikes.

    Attributes:
        name: of the extra.
        packages: versions of those packages of it that are installed.
        lacking: those that are not.
    """

    name: str
    packages: Mapping[str, str]
    lacking: Sequence[str]

    @property
    def install(self) -> str:
        """Command that installs it."""
        return f"pip install '{OWN}[{self.name}]'"


@dataclass(frozen=True)
class Packages:
    """Packages of an installation.

    Attributes:
        own: version of lookalikes; None where it runs from its source, not installed.
        requirements: what its metadata asks for, but for developers' extras.
        names: of all packages that are installed.
    """

    own: str | None
    requirements: Sequence[Requirement]
    names: frozenset[str] = field(repr=False)

    @classmethod
    def here(cls) -> Packages:
        """The packages of this Python."""
        try:
            own, lines = version(OWN), requires(OWN) or []
        except PackageNotFoundError:
            own, lines = None, []
        found = [Requirement.parse(line) for line in lines]
        told = (str(one.metadata["Name"] or "") for one in distributions())
        names = frozenset(name.lower().replace("_", "-") for name in told)
        return cls(own, [one for one in found if one.extra not in _INNER], names)

    @cached_property
    def versions(self) -> dict[str, str]:
        """Version of each package that is asked for and installed."""
        found = {}
        for one in self.requirements:
            try:
                found[one.name] = version(one.name)
            except PackageNotFoundError:
                continue
        return found

    @property
    def core(self) -> list[Requirement]:
        """The packages that lookalikes cannot do without."""
        return [one for one in self.requirements if not one.extra]

    @property
    def extras(self) -> list[Extra]:
        """The extras, by name."""
        known = self.versions
        found = []
        for name in sorted({one.extra for one in self.requirements} - {""}):
            wanted = [one.name for one in self.requirements if one.extra == name]
            there = {one: known[one] for one in wanted if one in known}
            found.append(Extra(name, there, [one for one in wanted if one not in known]))
        return found

    def owners(self, module: str) -> list[str]:
        """Packages that own a module which only one should."""
        pattern, _ = _ONCE[module]
        return sorted(name for name in self.names if re.fullmatch(pattern, name))

    def findings(self) -> list[Finding]:
        """Findings of what is installed, and in which version."""
        found = []
        if self.own is None:
            found.append(
                Finding(
                    "lookalikes runs from its source and is not installed: what it needs is not "
                    "known here, so versions are not checked",
                    "in its folder: pip install -e '.[cpu]'",
                    broken=False,
                )
            )
        found += [self._lacking(one) for one in self.core if one.name not in self.versions]
        whole = {one.name for one in self.extras if not one.lacking}
        for one in self.requirements:
            mine = self.versions.get(one.name)
            if mine is None or one.allows(mine) or (one.extra and one.extra not in whole):
                continue
            what = f"{one.name} {mine} is not of the versions that "
            what += f"the extra {one.extra} needs" if one.extra else "lookalikes needs"
            remedy = f"pip install '{one.name}{one.limits}'"
            found.append(Finding(f"{what}, {one.limits}", remedy, broken=not one.extra))
        for module, (_, remedy) in _ONCE.items():
            owners = self.owners(module)
            if len(owners) > 1:
                what = f"{' and '.join(owners)} are both installed, and both own the module "
                told = remedy.format(names=" ".join(owners))
                found.append(Finding(f"{what}{module}: which is used is chance", told))
        return found

    def _lacking(self, one: Requirement) -> Finding:
        return Finding(f"{one.name} is not installed", f"pip install '{one.name}{one.limits}'")


def _release(text: str) -> tuple[int, ...]:
    """Numbers that a version begins with, without noughts at their end."""
    found = re.match(r"\d+(\.\d+)*", text)
    numbers = [int(part) for part in found.group().split(".")] if found else []
    while numbers and not numbers[-1]:
        numbers.pop()
    return tuple(numbers)
