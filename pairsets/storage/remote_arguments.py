"""Arguments of a command that are URLs: its inputs are fetched, its output is pushed when it ends.

A command reads and writes paths of this machine. What it is given by URL lies, while it is at work,
in the user's cache: a folder of faces stays where it is and is read face by face, anything else is
fetched whole. What goes to a URL is written into a folder of the cache, where a killed command
finds its work again, and pushed when the command has ended well: manifests last, so that nothing
half-pushed passes for whole. A command that fails leaves the target as it was.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pairsets.errors import OutputError
from pairsets.storage.mirrors import mirror_of
from pairsets.storage.remote_files import is_remote, remote_url, shown
from pairsets.storage.remote_inputs import fetched
from pairsets.storage.remote_outputs import Output

# Addresses of servers, which are no files.
_SERVERS = ("http:", "https:", "ray:")
_TEXT = re.compile(r"(?P<name>[^=:/]*=)?(?P<url>.+)", re.DOTALL)
# Arguments of this machine, by option.
_REFUSED = {
    "cache": "--cache",
    "figure": "--figure",
    "study": "--study",
    "out_plots": "--out-plots",
}
# Schemes of one place.
_SAME = {"gcs": "gs", "s3a": "s3"}
# What is written as a file alone, with none beside it.
_PICTURES = (".png", ".svg")


@dataclass(frozen=True)
class Roles:
    """Names of a command's arguments by what becomes of their URLs.

    Attributes:
        outputs: what is written.
        faces: folders of faces, which are read face by face.
        refused: what has to be of this machine, each with the option that gives it.
    """

    outputs: Sequence[str] = ("out",)
    faces: Sequence[str] = ("faces",)
    refused: Mapping[str, str] = field(default_factory=lambda: _REFUSED)


def any_remote(options: Mapping[str, object]) -> bool:
    """Whether one of a command's arguments is a URL."""
    return any(map(_is_url, _values(options)))


@contextmanager
def staged(options: Mapping[str, Any], roles: Roles | None = None) -> Iterator[dict[str, Any]]:
    """A command's arguments with paths of this machine for URLs; outputs are pushed at the end.

    Args:
        options: the arguments by name: paths, texts, lists of them, or anything else.
        roles: which are which.

    Raises:
        RemoteError: a place cannot be reached, read or written; nothing is changed there then, but
            where a push was cut off.
        OutputError: an output is or lies in an input, or an argument has to be of this machine.
    """
    roles = roles or Roles()
    for name, option in roles.refused.items():
        url = _url(options.get(name))
        if url is not None:
            raise OutputError(f"{shown(url)}: {option} is a place of this machine; give a path")
    _refuse_in_faces(options, roles)
    _refuse_inputs(options, roles)
    local = dict(options)
    with ExitStack() as stack:
        outputs: list[Output] = []
        for name in roles.outputs:
            url = _url(options.get(name))
            if url is not None:
                output = Output.begin(url, stack, overwrite=bool(options.get("overwrite")))
                outputs.append(output)
                local[name] = output.place
        for name, value in options.items():
            if name not in roles.outputs:
                local[name] = _here(value, lazily=name in roles.faces)
        yield local
        for output in outputs:
            output.push()


def _values(options: Mapping[str, object]) -> Iterator[object]:
    for value in options.values():
        yield from value if isinstance(value, list | tuple) else [value]


def _is_url(value: object) -> bool:
    if isinstance(value, Path):
        return is_remote(_parted(value.as_posix())[1])
    # Else `onnx:/models/x.onnx`, the name of a model, would be one.
    if not isinstance(value, str) or "://" not in value:
        return False
    text = _parted(value)[1]
    return is_remote(text) and not text.lower().startswith(_SERVERS)


def _url(value: object) -> str | None:
    return remote_url(value) if isinstance(value, Path | str) and _is_url(value) else None


def _parted(text: str) -> tuple[str, str]:
    """Name before a file in `NAME=FILE`, with the sign, and the file."""
    match = _TEXT.fullmatch(text)
    return (match["name"] or "", match["url"]) if match else ("", text)


def _here(value: Any, *, lazily: bool) -> Any:
    """A path of this machine for a URL; anything else as it is."""
    if isinstance(value, list):
        return [_here(one, lazily=lazily) for one in value]
    if not _is_url(value):
        return value
    front, text = _parted(value if isinstance(value, str) else value.as_posix())
    url = remote_url(text)
    assert url is not None
    if lazily:
        place = mirror_of(url)
        place.mkdir(parents=True, exist_ok=True)
    else:
        place = fetched(url)
    return type(place)(f"{front}{place}") if isinstance(value, Path) else f"{front}{place}"


def _refuse_in_faces(options: Mapping[str, Any], roles: Roles) -> None:
    """Raise OutputError where an output's URL lies in that of the faces."""
    for name in roles.outputs:
        out = _url(options.get(name))
        for other in roles.faces:
            for faces in _urls(options.get(other)):
                if out and f"{_plain(out)}/".startswith(f"{_plain(faces)}/"):
                    raise OutputError(
                        f"{shown(out)}: inside the faces folder {shown(faces)}, where its pictures "
                        "would become faces; choose another --out"
                    )


def _refuse_inputs(options: Mapping[str, Any], roles: Roles) -> None:
    """Raise OutputError where an output is an input, lies in one, or is called as one is."""
    others = [name for name in options if name not in roles.outputs]
    inputs = [url for name in others for url in _urls(options[name])]
    for out in filter(None, (_url(options.get(name)) for name in roles.outputs)):
        plain = _plain(out)
        above, _, base = plain.rpartition("/")
        stem, dot, ending = base.rpartition(".")
        alike = f"{above}/{stem or base}."
        for url in inputs:
            found = _plain(url)
            if f"{plain}/".startswith(f"{found}/") or (
                # Tables come with files beside them.
                found.startswith(alike)
                and "/" not in found[len(alike) :]
                and f"{dot}{ending}".lower() not in _PICTURES
            ):
                raise OutputError(
                    f"{shown(out)}: {shown(url)} is read by this command, and an input is never "
                    "replaced; choose another --out"
                )


def _urls(value: object) -> list[str]:
    """The URLs that an argument is or holds, also those behind a name."""
    values = value if isinstance(value, list | tuple) else [value]
    found = [_parted(str(one))[1] for one in values if _is_url(one)]
    return [url for one in found if (url := remote_url(one))]


def _plain(url: str) -> str:
    """A URL in the one spelling of all of its place, to be compared.

    >>> _plain("s3a://bucket//x/"), _plain("gcs://bucket/x")
    ('s3://bucket/x', 'gs://bucket/x')
    """
    scheme, _, rest = shown(url).partition("://")
    return f"{_SAME.get(scheme, scheme)}://{re.sub('/+', '/', rest).strip('/')}"
