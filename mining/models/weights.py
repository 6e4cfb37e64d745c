"""Weights: which of a checkpoint's tensors are a network's, checked against it, and digested."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from mining.errors import ModelError
from mining.models.checkpoint_files import State, load_checkpoint, states_in

# A counter of training steps, which old checkpoints lack and evaluation never reads.
_COUNTER = "num_batches_tracked"
# What compiling and sharding put into names, wherever they were applied; no network has such.
_INSERTED = re.compile(r"\b(?:_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)\.")
# The averaged weights beside the raw ones: timm's training script writes the former two so, and
# its own loader takes them.
_AVERAGED, _RAW = ("state_dict_ema", "model_ema"), ("state_dict", "model")


@dataclass(frozen=True)
class Checkpoint:
    """Checkpoint of one file: its state dicts.

    Attributes:
        label: how messages call the file.
        states: by the keys that lead to each, joined by `/`.
        part: the one that is asked for: a key, or a word of the names within.
    """

    label: str
    states: Mapping[str, State]
    part: str | None = None

    def reading(
        self, wanted: Mapping[str, Tensor | None], *, classifier: Iterable[str] = ()
    ) -> Reading:
        """Find the tensors of the file that are those of a network.

        They are looked for in every state dict, with the names as they stand or after any prefix
        that all of them share (`module.`, `model.backbone.`).

        Args:
            wanted: the network's tensors by name, to compare kinds and shapes with; None where
                a name alone is looked for, and others may be there.
            classifier: name prefixes whose tensors may be left over, the network having none.

        Raises:
            ModelError: none fits, with what comes nearest; or several do and none is asked for.
        """
        spare = tuple(f"{prefix}." for prefix in classifier)
        found = [
            one
            for where, state in self.states.items()
            for one in _readings(where, state, wanted, spare)
        ]
        asked = [one for one in found if self.part is None or self.part in one.words]
        if not asked:
            parts = any(one.where or one.prefix for one in found)
            names = ", ".join(one.called for one in found) if parts else ""
            raise ModelError(
                f"{self.label}: has no {self.part!r}; "
                + (f"there are {names}" if names else "it is one state dict, without parts")
            )
        # A name in full is that of one reading, though it be a word of others.
        asked = [one for one in asked if one.words[-1:] == [self.part]] or asked
        fitting = [one for one in asked if one.fits]
        if not fitting:
            # The nearest, to say what is wrong with it.
            return min(asked, key=lambda one: (one.faults, -len(one.state)))
        chosen = fitting[0]
        # One network under two names, as a trainer's module may hold it, is no choice.
        others = [one for one in fitting[1:] if one.where != chosen.where or not _same(one, chosen)]
        if others and self.part is None:
            chosen = self._averaged(fitting)
        elif others:
            raise self._ambiguous(fitting)
        return chosen

    def _averaged(self, fitting: Sequence[Reading]) -> Reading:
        """timm's choice, where that is what the readings are; ModelError where it is not."""
        last = [one.where.rpartition("/")[2] for one in fitting]
        averaged = [one for one, name in zip(fitting, last, strict=True) if name in _AVERAGED]
        if len(averaged) != 1 or not {*last} <= {*_AVERAGED, *_RAW}:
            raise self._ambiguous(fitting)
        return averaged[0]

    def _ambiguous(self, fitting: Sequence[Reading]) -> ModelError:
        names = [_telling(one, fitting) for one in fitting]
        said = " or ".join(
            f"{name} ({one.called})" for name, one in zip(names, fitting, strict=True)
        )
        return ModelError(
            f"{self.label}: holds {len(fitting)} networks that fit: {said}. Name one after a #: "
            f"{self.label}#{names[0]}"
        )


@dataclass(frozen=True)
class Reading:
    """One way to read a network's tensors out of a file.

    Attributes:
        where: the keys that lead to the state dict.
        prefix: what stands before every name there.
        state: the tensors by the network's names.
        missing: names without a tensor.
        unexpected: names after the prefix that the network has not.
        reshaped: names whose tensors have another shape, with both.
        retyped: names whose tensors hold another kind of number, with both.
        outside: names that do not begin with the prefix.
    """

    where: str
    prefix: str
    state: State
    missing: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    reshaped: list[str] = field(default_factory=list)
    retyped: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)

    @property
    def faults(self) -> int:
        """Number of tensors that are missing, unexpected, or of another shape or kind."""
        named = (self.missing, self.unexpected, self.reshaped, self.retyped)
        return sum(map(len, named))

    @property
    def fits(self) -> bool:
        """Whether the network can be loaded with it."""
        return not self.faults and bool(self.state)

    @property
    def called(self) -> str:
        """The dict and the prefix, for a message.

        >>> Reading("ema/weights", "module.", {}).called
        "the names after 'module.' in 'ema/weights'"
        """
        parts = [f"the names after {self.prefix!r}"] if self.prefix else []
        parts += [repr(self.where)] if self.where else []
        return " in ".join(parts) or "the file's own dict"

    @property
    def words(self) -> list[str]:
        """Words that `part` may name the reading by: its keys, its prefix's words, both joined.

        The file's own dict, which has neither, is `.`.
        """
        prefix = self.prefix.rstrip(".")
        whole = f"{self.where}/{prefix}".strip("/")
        words = [*self.where.split("/"), *prefix.split("."), self.where, prefix, whole]
        return [word for word in words if word] or ["."]

    def note(self, label: str, beside: Mapping[str, State]) -> str | None:
        """Sentence on the weights that were taken; None for the whole file as it stands.

        Args:
            label: how the file is called.
            beside: the state dicts in it.
        """
        if not (self.where or self.prefix):
            return None
        text = f"{label}: its weights were taken from {self.called}"
        raw = [name for name in _RAW if name in beside]
        if self.where in _AVERAGED and raw:
            text += f" (the averaged ones, as timm's loader takes them; #{raw[0]} takes the others)"
        if self.outside:
            text += f"; {len(self.outside)} beside them not used: {some(self.outside)}"
        return text


def read_checkpoint(source: Path | bytes, label: str, part: str | None = None) -> Checkpoint:
    """Read the state dicts of a file.

    Args:
        source: a file, `.safetensors` or saved by `torch.save`, or the bytes of the latter.
        label: how errors call it.
        part: the one asked for, see `Checkpoint`.

    Raises:
        ModelError: missing, damaged, or without tensors; see `load_checkpoint`.
    """
    return Checkpoint(label, states_in(load_checkpoint(source, label), label), part)


def read_state(source: Path | bytes, label: str) -> State:
    """The tensors of a checkpoint that holds one network, by name, without a common `module.`.

    Raises:
        ModelError: as `read_checkpoint`; or there are several state dicts.
    """
    checkpoint = read_checkpoint(source, label)
    if len(checkpoint.states) > 1:
        raise ModelError(
            f"{label}: holds several state dicts ({some(list(checkpoint.states))}); expected one"
        )
    state = _without_insertions(next(iter(checkpoint.states.values())))
    prefix = "module."
    if all(name.startswith(prefix) for name in state):
        return {name.removeprefix(prefix): value for name, value in state.items()}
    return state


def split_part(text: str) -> tuple[Path, str | None]:
    """A file and the part of it that is asked for, `FILE#PART`; a name may have a # of its own.

    >>> split_part("/no/such/dino.pth#teacher")[1]
    'teacher'
    """
    file, mark, part = text.rpartition("#")
    if not mark or not file or not part or Path(text).exists():
        return Path(text), None
    return Path(file), part


def fit(
    module: nn.Module,
    weights: State | Checkpoint,
    label: str,
    *,
    classifier: Iterable[str] = (),
) -> list[str]:
    """Load `weights` into `module`: every tensor must have its place, and every place its tensor.

    Args:
        module: changed in place.
        weights: tensors by name, or what a file holds.
        label: how errors call the checkpoint.
        classifier: name prefixes whose tensors may be left over, the module having dropped them.

    Returns:
        What a user should know of which tensors were taken; often nothing.

    Raises:
        ModelError: tensors missing, left over or of another shape; says which and likely why. Or
            several of the file's networks fit.
    """
    checkpoint = weights if isinstance(weights, Checkpoint) else Checkpoint(label, {"": weights})
    wanted = module.state_dict()
    found = checkpoint.reading(wanted, classifier=classifier)
    faults = [
        f"{len(names)} {what}: {some(names)}"
        for what, names in (
            ("missing", found.missing),
            ("unexpected", found.unexpected),
            ("of another shape", found.reshaped),
            ("of another kind of number", found.retyped),
        )
        if names
    ]
    if faults:
        if not found.state:
            cause = "weights of another architecture, or of another library"
        elif found.retyped and found.faults == len(found.retyped):
            cause = "quantised weights; save those in floating point"
        elif found.reshaped and not (found.missing or found.unexpected):
            cause = "the same architecture in another size"
        elif not found.missing and not found.reshaped:
            cause = (
                "another architecture, or parts that served training alone (a loss, a head): save "
                "it without them"
            )
        else:
            cause = "another architecture, or an incomplete checkpoint"
        read = f" (read: {found.called})" if found.where or found.prefix else ""
        raise ModelError(
            f"{label}: does not fit {type(module).__name__}, which has {len(wanted)} tensors"
            f"{read}; {'; '.join(faults)}. Likely cause: {cause}"
        )
    kept = {name: t for name, t in found.state.items() if not name.endswith(_COUNTER)}
    # Not strict for the sake of the counters alone: all else was compared above.
    module.load_state_dict(kept, strict=False)
    note = found.note(label, checkpoint.states)
    return [note] if note else []


def state_digest(state: Mapping[str, Tensor]) -> str:
    """SHA-256, in hex, of names, dtypes, shapes and bytes, wherever the tensors came from."""
    sha = hashlib.sha256()
    for name in sorted(name for name in state if not name.endswith(_COUNTER)):
        tensor = state[name].detach().cpu().contiguous()
        sha.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        sha.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return sha.hexdigest()


def some(names: list[str], count: int = 4) -> str:
    """Text of the first few of a list, for a message.

    >>> some(["a", "b", "c"], 2)
    'a, b, ...'
    """
    return ", ".join(names[:count]) + (", ..." if len(names) > count else "")


def _readings(
    where: str, raw: State, wanted: Mapping[str, Tensor | None], spare: tuple[str, ...]
) -> list[Reading]:
    """A state dict read after each prefix that leads to all of the wanted names, or most nearly."""
    state = _without_insertions(raw)
    written = dict(zip(state, raw, strict=True))
    votes: Counter[str] = Counter()
    for name in state:
        words = name.split(".")
        for at in range(len(words)):
            if ".".join(words[at:]) in wanted:
                votes[".".join(words[:at]) + "." if at else ""] += 1
    needed = [name for name in wanted if not name.endswith(_COUNTER)]
    if not votes:
        return [Reading(where, "", {}, needed, [n for n in raw if not n.startswith(spare)])]
    whole = [prefix for prefix in votes if all(prefix + name in state for name in needed)]
    return [
        _reading(where, prefix, state, written, wanted, spare)
        for prefix in whole or [votes.most_common(1)[0][0]]
    ]


def _reading(
    where: str,
    prefix: str,
    state: State,
    written: Mapping[str, str],
    wanted: Mapping[str, Tensor | None],
    spare: tuple[str, ...],
) -> Reading:
    after = {n.removeprefix(prefix): t for n, t in state.items() if n.startswith(prefix)}
    reshaped, retyped = [], []
    for name, place in wanted.items():
        tensor = after.get(name)
        if tensor is None or place is None or name.endswith(_COUNTER):
            continue
        if tensor.shape != place.shape:
            reshaped.append(f"{name} {tuple(tensor.shape)} for {tuple(place.shape)}")
        elif tensor.is_floating_point() != place.is_floating_point():
            retyped.append(f"{name} {tensor.dtype} for {place.dtype}")
    exact = None not in wanted.values()
    # As the file has it, insertions included.
    raw = [(written[prefix + name], name) for name in wanted if name in after]
    shown = {long.removesuffix(name) for long, name in raw if long.endswith(name)}
    return Reading(
        where,
        shown.pop() if len(shown) == 1 else prefix,
        {name: tensor for name, tensor in after.items() if name in wanted or not exact},
        [name for name in wanted if name not in after and not name.endswith(_COUNTER)],
        [n for n in after if n not in wanted and not n.startswith(spare)] if exact else [],
        reshaped,
        retyped,
        [written[name] for name in state if not name.startswith(prefix)],
    )


def _without_insertions(state: State) -> State:
    """The state dict without what compiling and sharding put into its names."""
    plain = {_INSERTED.sub("", name): tensor for name, tensor in state.items()}
    return plain if len(plain) == len(state) else state


def _same(one: Reading, other: Reading) -> bool:
    """Whether two readings give the same tensors."""
    if one.state.keys() != other.state.keys():
        return False
    return all(torch.equal(one.state[name], other.state[name]) for name in one.state)


def _telling(one: Reading, among: Sequence[Reading]) -> str:
    """The first word that names this reading and no other."""
    others = {word for other in among if other is not one for word in other.words}
    return next((word for word in one.words if word not in others), one.words[-1])
