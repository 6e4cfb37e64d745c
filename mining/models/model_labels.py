"""Labels of models: what `NAME=MODEL` and `NAME=FOLDER` call one in tables, figures and files.

A label stands before the first `=` and has none of `:`, `/` and `\\`. So what a model is loaded
by, which has its family and a colon first, is never torn, and neither is a URL, nor a path with a
stroke before its `=`. A folder that is there under the whole text is meant by it, label or not;
where what stands behind the `=` is there, too, either may be meant, and neither is taken.

A label is no part of the model: not of its fingerprint, nor of its vectors and where they are kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from mining.errors import ModelError

# What has one of these before its `=` is a model's own text, a URL or a path.
_NO_LABEL = (":", "/", "\\")
_LONGEST = 100


def split_label(text: str) -> tuple[str | None, str]:
    """Split the label, None without, from the text that loads a model.

    >>> split_label("ours=timm:resnet50@runs/lr=0.1/best.pth")
    ('ours', 'timm:resnet50@runs/lr=0.1/best.pth')
    >>> split_label("timm:resnet50@runs/lr=0.1/best.pth")
    (None, 'timm:resnet50@runs/lr=0.1/best.pth')

    Raises:
        ModelError: a label that is empty, too long or not to be printed, or nothing behind it.
    """
    label, sign, rest = text.partition("=")
    if not sign or any(mark in label for mark in _NO_LABEL):
        return None, text
    return checked_label(label, text), _named(rest, text)


def split_folder(path: Path) -> tuple[str | None, Path]:
    """Split the label, None without, from a folder of embeddings; see the module.

    Raises:
        ModelError: as `split_label`; or either of two folders may be meant.
    """
    text = str(path)
    label, sign, rest = text.partition("=")
    if not sign or any(mark in label for mark in _NO_LABEL):
        return None, path
    if not path.exists():
        return checked_label(label, text), Path(_named(rest, text))
    if label and rest and Path(rest).exists():
        raise ModelError(
            f"{text}: a folder of this name is there, and so is {rest}, which would be called "
            f"{label}; say {path.absolute()} for the former, {label}={Path(rest).absolute()} for "
            "the latter"
        )
    return None, path


def folder_of(path: Path) -> Path:
    """The folder of `NAME=FOLDER`, without the label."""
    return split_folder(path)[1]


def with_label(label: str | None, text: str) -> str:
    """The text of a model with its label, if it has one.

    >>> with_label("ours", "pixels"), with_label(None, "pixels")
    ('ours=pixels', 'pixels')
    """
    return text if label is None else f"{label}={text}"


def checked_label(label: str, text: str) -> str:
    """The label, if tables can have it; ModelError names the `text` that it is of."""
    if not label.strip():
        raise ModelError(f"{text}: an empty name before the =; expected NAME=..., or no =")
    if label != label.strip() or not label.isprintable() or len(label) > _LONGEST:
        raise ModelError(
            f"{text}: {label[:_LONGEST]!r} is no name for a table; expected up to {_LONGEST} "
            "characters that can be printed, without blanks around them"
        )
    return label


def alike_labelled(*groups: Iterable[str]) -> list[list[str]]:
    """Models of several groups, each model with its label wherever it is named.

    >>> alike_labelled(["ours=pixels"], ["timm:resnet50", "pixels"])
    [['ours=pixels'], ['timm:resnet50', 'ours=pixels']]

    Raises:
        ModelError: one model under two labels, or two under one.
    """
    split = [[split_label(text) for text in group] for group in groups]
    labels: dict[str, str] = {}
    for label, spec in (one for group in split for one in group):
        if label is not None and labels.setdefault(spec, label) != label:
            raise ModelError(f"{spec}: called both {labels[spec]} and {label}; name it once")
    found = [[with_label(labels.get(spec), spec) for _, spec in group] for group in split]
    refuse_label_twice([text for group in found for text in group])
    return found


def refuse_label_twice(texts: Sequence[str]) -> None:
    """Raise ModelError where two different models have one label."""
    specs: dict[str, str] = {}
    for label, spec in map(split_label, texts):
        if label is not None and specs.setdefault(label, spec) != spec:
            raise ModelError(
                f"{label}: the name of {specs[label]} and of {spec}; give each a name of its own"
            )


def _named(rest: str, text: str) -> str:
    if not rest:
        raise ModelError(f"{text}: a name, and no model or folder behind the =")
    return rest
