"""An installation and the machine below it -> what works, what is broken, and what to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mining.diagnosis.findings import Finding
from mining.diagnosis.machine import Place, has_driver, memory_facts, own_places, system_facts
from mining.diagnosis.packages import Packages
from mining.diagnosis.privacy import hidden, hidden_within
from mining.diagnosis.trials import Answer, Trial, try_all

_PROBES = "mining.diagnosis.probes"
# By the name of a trial: the package that it is of, and what it needs to tell anything.
_CORE: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "numpy": ("numpy", ()),
    "pandas": ("pandas", ("numpy",)),
    "pillow": ("pillow", ()),
    "matplotlib": ("matplotlib", ("numpy",)),
    "huggingface_hub": ("huggingface-hub", ()),
    "torch": ("torch", ()),
    "torchvision": ("torchvision", ("torch",)),
    "timm": ("timm", ("torch", "torchvision")),
}
# Tried where their packages are installed.
_OPTIONAL: Mapping[str, Sequence[str]] = {
    "onnxruntime": ("onnxruntime", "onnxruntime-gpu"),
    "opencv": ("opencv-python-headless", "opencv-python"),
    "pyarrow": ("pyarrow",),
}
_NO_FAISS = (
    "one of: pip install 'lookalikes[cpu]' (any machine) or pip install 'lookalikes[gpu]' (CUDA)"
)
_CUDA = "install PyTorch's build for CUDA: https://pytorch.org/get-started/locally/"


@dataclass(frozen=True)
class Diagnosis:
    """Diagnosis of an installation.

    Attributes:
        system: of the processor and the system.
        packages: what is installed.
        answers: of the libraries, by the name of their trial.
        memory: bytes, `total` and `free`; None is not known.
        places: folders that are written to.
        findings: what is wrong, the broken first.
    """

    system: Mapping[str, object]
    packages: Packages
    answers: Mapping[str, Answer]
    memory: Mapping[str, int | None]
    places: Sequence[Place]
    findings: Sequence[Finding]

    @property
    def works(self) -> bool:
        """Whether nothing is broken."""
        return not any(one.broken for one in self.findings)

    def facts(self, name: str) -> Mapping[str, Any]:
        """Facts that a library told; none where it failed, or was not tried."""
        return self.answers[name].facts if name in self.answers else {}

    def content(self) -> dict[str, object]:
        """The diagnosis as JSON has it, without what is personal."""
        # Folders are told once, under `places`.
        told = {
            name: {key: value for key, value in one.facts.items() if key != "cache"}
            for name, one in self.answers.items()
        }
        content = {
            "works": self.works,
            "findings": [asdict(one) for one in self.findings],
            "lookalikes": self.packages.own,
            "system": dict(self.system),
            "packages": self.packages.versions,
            "extras": {
                one.name: {
                    "installed": not one.lacking,
                    "lacking": [*one.lacking],
                    "install": one.install,
                }
                for one in self.packages.extras
            },
            "faiss_packages": self.packages.owners("faiss"),
            "libraries": told,
            "memory": dict(self.memory),
            "places": [
                asdict(one) | {"path": None if one.path is None else str(one.path)}
                for one in self.places
            ],
        }
        found = hidden_within(content)
        assert isinstance(found, dict)
        return found


def diagnose(trials: Sequence[Trial] | None = None) -> Diagnosis:
    """Look at everything that commands rest on. Nothing is changed, and nothing raises.

    Libraries are tried in a process of their own, in which a broken one may end.

    Args:
        trials: of libraries; by default of all that are needed, or installed.
    """
    packages, system = Packages.here(), system_facts()
    answers = try_all(_trials(packages) if trials is None else trials)
    places = [*own_places(), *_kept_weights(answers)]
    found = [*packages.findings(), *_of_libraries(packages, answers)]
    found += [one for one in (place.finding() for place in places) if one is not None]
    found += [*_of_devices(answers), *_of_threads(answers, system)]
    # What is not installed is told once.
    found = [*{one.what: one for one in reversed(found)}.values()][::-1]
    found = [Finding(hidden(one.what), hidden(one.remedy), one.broken) for one in found]
    found.sort(key=lambda one: not one.broken)
    return Diagnosis(system, packages, answers, memory_facts(), places, found)


def _trials(packages: Packages) -> list[Trial]:
    found = [Trial(name, f"{_PROBES}:{name}", needs) for name, (_, needs) in _CORE.items()]
    found.append(Trial("faiss", f"{_PROBES}:faiss", ("numpy",)))
    found += [
        Trial(name, f"{_PROBES}:{name}", ("numpy",))
        for name, owners in _OPTIONAL.items()
        if packages.names.intersection(owners)
    ]
    found.append(Trial("search", f"{_PROBES}:search", ("numpy", "torch")))
    found.append(Trial("threads", f"{_PROBES}:threads", ("numpy",)))
    return found


def _kept_weights(answers: Mapping[str, Answer]) -> list[Place]:
    """The folders that PyTorch and the Hugging Face Hub keep weights in."""
    told = (
        ("huggingface_hub", "weights, Hugging Face", "HF_HOME"),
        ("torch", "weights, PyTorch", "TORCH_HOME"),
    )
    return [
        Place.of(name, Path(answers[trial].facts["cache"]), variable, needed=False)
        for trial, name, variable in told
        if trial in answers and "cache" in answers[trial].facts
    ]


def _of_libraries(packages: Packages, answers: Mapping[str, Answer]) -> list[Finding]:
    """Findings of the libraries that failed, and of what they told."""
    found = []
    for name, answer in answers.items():
        if name == "faiss" and answer.fault and not packages.owners("faiss"):
            found.append(Finding("FAISS is not installed", _NO_FAISS))
        elif answer.fault:
            found.append(_failed(name, answer, packages))
    if answers.get("torchvision", Answer()).facts.get("mended"):
        found.append(
            Finding(
                "torchvision is of another build than PyTorch (operator torchvision::nms does not "
                "exist); lookalikes works all the same, other programs may not",
                "pip install --force-reinstall torch torchvision, both from one index",
                broken=False,
            )
        )
    for device in answers.get("search", Answer()).facts.get("wrong", ()):
        found.append(
            Finding(
                f"the exact search on {device} finds other pairs than the best",
                "report it with this text; until then: lookalikes mine --device "
                + ("cpu" if device != "cpu" else "cuda, on another machine"),
            )
        )
    return found


def _failed(name: str, answer: Answer, packages: Packages) -> Finding:
    """Finding of a library that failed."""
    if name in _CORE and answer.missing.replace("_", "-") in (name, _CORE[name][0]):
        limits = {one.name: one.limits for one in packages.core}
        package = _CORE[name][0]
        return Finding(
            f"{package} is not installed", f"pip install '{package}{limits.get(package, '')}'"
        )
    titles = {"search": "the exact search", "threads": "the libraries that multiply"}
    what = f"{titles.get(name, name)} does not work: {answer.fault}"
    if answer.ended == "SIGILL":
        return Finding(
            what, "its build is for another processor: install one for this (any that it can use)"
        )
    if name in titles:
        return Finding(what, "report it with this text")
    owners = {"faiss": packages.owners("faiss"), **{key: [*one] for key, one in _OPTIONAL.items()}}
    names = owners.get(name, [_CORE[name][0]] if name in _CORE else [name])
    installed = [one for one in names if one in packages.names] or names[:1]
    if name == "torchvision":
        installed = ["torch", "torchvision"]  # of two that do not fit, either may be the wrong one
    again = " ".join(installed)
    return Finding(what, f"install it anew: pip install --force-reinstall --no-cache-dir {again}")


def _of_devices(answers: Mapping[str, Answer]) -> list[Finding]:
    """Notes on GPUs that are here and not used."""
    if "torch" not in answers or answers["torch"].fault:
        return []
    torch = answers["torch"].facts
    if torch.get("gpus") or not has_driver():
        return []
    if torch.get("cuda") is None:
        what = "an NVIDIA driver is here, and this PyTorch is built for the processor alone"
        return [Finding(what, _CUDA, broken=False)]
    what = f"an NVIDIA driver is here, and PyTorch (CUDA {torch['cuda']}) sees no device"
    remedy = "look at CUDA_VISIBLE_DEVICES and at nvidia-smi: is the driver older than that CUDA?"
    return [Finding(what, remedy, broken=False)]


def _of_threads(answers: Mapping[str, Answer], system: Mapping[str, Any]) -> list[Finding]:
    """Notes on threads that are too many, or too few."""
    threads = answers.get("torch", Answer()).facts.get("threads")
    usable = system["usable_cores"]
    if threads is None or threads == usable or (usable // 2 <= threads < usable and threads > 1):
        return []  # one thread a core that has two is as good
    what = f"PyTorch computes in {threads} threads, of {usable} cores that it may use"
    remedy = f"set the environment variable OMP_NUM_THREADS={usable}, or leave it unset"
    if threads > usable:
        remedy = f"set the environment variable OMP_NUM_THREADS={usable}"
    return [Finding(what, remedy, broken=False)]
