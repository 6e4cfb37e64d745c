"""Actions that follow an audit: a list of faces to leave out, or their move out of the folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mining.errors import RunError
from pairsets.errors import OutputError
from pairsets.faces import Faces
from pairsets.files.audit_kinds import ACTIONABLE, AUDIT_KINDS, SURE
from pairsets.paths import base_name
from pairsets.storage.artefacts import refuse_inside, write_text
from pairsets.storage.csv_tables import csv_text
from pairsets.storage.relocation import refuse_move


@dataclass(frozen=True)
class Actions:
    """Actions to take on what an audit finds; by default none.

    Attributes:
        ignore_list: file of base names to write, as `pairsets.read_ignore_list` reads it.
        move_to: folder that faces to leave out are moved to.
        act_on: kinds of which faces are left out; None for those that are sure of the face.

    Raises:
        RunError: a kind that says nothing of which face to leave out, or none at all.
    """

    ignore_list: Path | None = None
    move_to: Path | None = None
    act_on: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        for kind in self.act_on or ():
            if kind not in ACTIONABLE:
                known = f"a finding of kind {kind}" if kind in AUDIT_KINDS else f"kind {kind!r}"
                raise RunError(
                    f"{known} says of no face that it is to be left out; --act-on takes "
                    f"{', '.join(ACTIONABLE)}"
                )
        if self.act_on == ():
            raise RunError(f"--act-on: no kind; expected some of {', '.join(ACTIONABLE)}")

    @property
    def kinds(self) -> Sequence[str]:
        """Kinds of which faces are left out."""
        return SURE if self.act_on is None else self.act_on

    def refuse_early(self, faces: Path, kinds: Sequence[str]) -> None:
        """Raise for what can never be done with these faces, before the work.

        Args:
            faces: the folder.
            kinds: that are looked for.

        Raises:
            OutputError: a place inside the faces, or one that is taken.
            RunError: a kind to act on that is not looked for.
        """
        if self.ignore_list is not None:
            refuse_inside(self.ignore_list, faces, option="--ignore-list")
        if self.move_to is not None:
            refuse_move([], faces, self.move_to)
        for kind in self.act_on or ():
            if kind not in kinds:
                raise RunError(f"--act-on {kind}: that kind is not looked for")

    def write_ignore_list(self, left_out: Sequence[str], out: Path) -> Path:
        """Write base names, one a line, as `pairsets.read_ignore_list` reads them."""
        names = sorted({base_name(path) for path in left_out})
        return write_text(out, csv_text([[name] for name in names]))


def refuse_ambiguous(left_out: Sequence[str], faces: Faces, out: Path) -> None:
    """Raise OutputError where a base name cannot say which face is to be left out.

    Args:
        left_out: paths of the faces to leave out.
        faces: all of them.
        out: the ignore list, for messages.
    """
    gone = {*left_out}
    names: Mapping[str, str] = {base_name(path): path for path in left_out}
    for name, path in names.items():
        if "\n" in name or "\r" in name or not name.strip():
            raise OutputError(f"{out}: {path!r} has a name that no line can hold; use --move-to")
    for path in faces.paths:
        other = names.get(base_name(path))
        if other is not None and path not in gone:
            raise OutputError(
                f"{out}: {base_name(path)!r} is the base name of {other}, which is to be left out, "
                f"and of {path}, which is to stay, and an ignore list holds base names alone. Move "
                "the faces out of the folder instead (--move-to), or give the audit to what makes "
                "pairs (mine, build --audit); what was looked at so far is kept"
            )
