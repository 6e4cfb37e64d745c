"""Place in a bucket that a command writes to: written here first, pushed when it has ended well."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pairsets.storage.artefacts import write_json
from pairsets.storage.json_files import read_object
from pairsets.storage.mirrors import mirror_of
from pairsets.storage.publication import claimed
from pairsets.storage.remote_files import Facts, MissingError, RemoteFolder
from pairsets.storage.remote_inputs import MANIFEST, VECTORS, called_alike, read_facts

# Stands in a run that is not finished, as `mining.commands.run_folder` has it.
_UNFINISHED = "UNFINISHED"
_REPORT = "report.html"


@dataclass
class Output:
    """A place that is written to, and what is known of it.

    Attributes:
        remote: the target, a folder or a file.
        place: where it is written meanwhile.
        whole: whether all of it has to be pushed, since an earlier push was cut off.
    """

    remote: RemoteFolder
    place: Path
    whole: bool

    @classmethod
    def begin(cls, url: str, stack: ExitStack, *, overwrite: bool) -> Output:
        """Bring here what is there already, as far as the command has to know it.

        Args:
            url: of the target.
            stack: holds the claim to the place here until the command has ended.
            overwrite: whether the command may replace what is there.

        Raises:
            RemoteError: it cannot be reached or read.
            OutputError: another command writes there now.
        """
        remote, place = RemoteFolder(url), mirror_of(url, "output")
        stack.enter_context(claimed(place.parent, folder=True))
        place.parent.mkdir(parents=True, exist_ok=True)
        output = cls(remote, place, False)
        there, known = output._listed(), read_facts(output._note)
        if output._cut.exists():
            # Half of what is there is ours: it is made whole, and what was made is made anew.
            output.whole = True
            output._reopen()
        elif there != known or not output._note.exists():
            output._renew(there, overwrite=overwrite)
        return output

    @property
    def _note(self) -> Path:
        return self.place.parent / ".listed.json"

    @property
    def _cut(self) -> Path:
        return self.place.parent / ".pushing"

    def _listed(self) -> dict[str, Facts]:
        """Files at the target: below a folder, or those called alike."""
        try:
            found = self.remote.find()
        except MissingError:
            return self._beside()
        return self._beside() if [*found] == [""] else found

    def _is_folder(self) -> bool:
        """Whether the target is a folder that is there, and no file or beginning of files."""
        try:
            return [*self.remote.find()] != [""]
        except MissingError:
            return False

    def _beside(self) -> dict[str, Facts]:
        try:
            return called_alike(self.remote)
        except MissingError:
            return {}

    def _renew(self, there: Mapping[str, Facts], *, overwrite: bool) -> None:
        """Begin anew, with what is at the target now."""
        home = self.place.parent
        for old in home.iterdir():
            shutil.rmtree(old) if old.is_dir() else old.unlink()
        stand_ins: list[str] = []
        if there:
            is_file = not self._is_folder()
            into = home if is_file else self.place
            source = self.remote.parent if is_file else self.remote
            if is_file and not PurePosixPath(self.remote.base).suffix:
                # That they are there is all that is asked of those beside a folder to come.
                stand_ins = [*there]
                for name in stand_ins:
                    (home / name).touch()
            elif is_file or overwrite or VECTORS in there:
                source.fetch(there, into)
            else:
                # To be refused by the command, which needs no more for that.
                stand_ins, there = [next(iter(there))], {}
                (into / stand_ins[0]).parent.mkdir(parents=True)
                (into / stand_ins[0]).touch()
        self._write_note(there, stand_ins)

    def _write_note(self, there: Mapping[str, Facts], stand_ins: Sequence[str] = ()) -> None:
        """Note what is at the target, and which files here are the same, or stand for them."""
        files = {path: [*facts] for path, facts in there.items()}
        here = {path: [*status] for path, status in self._snapshot().items()}
        kind = "folder" if self.place.is_dir() else "file"
        held = {"files": files, kind: here, "stand_ins": dict.fromkeys(stand_ins, 0)}
        write_json(self._note, held)

    def _read_before(self) -> tuple[dict[str, tuple[int, int]], set[str]]:
        """Size and time of each file here when it was last what the target has; and stand-ins."""
        kind = "folder" if self.place.is_dir() else "file"
        try:
            note = read_object(self._note, "what was pushed", most=None)
            # What lay beside a folder that came since is none of its files.
            here = note.inner(kind).content if kind in note.content else {}
            before = {str(path): (int(size), int(time)) for path, (size, time) in here.items()}
            return before, {*note.inner("stand_ins").content}
        except (OSError, ValueError, TypeError):
            return {}, set()

    def _reopen(self) -> None:
        """Let the command work again where it had ended, and was not pushed whole."""
        if self.place.is_dir():
            if not (self.place / VECTORS).exists():
                (self.place / _UNFINISHED).write_text("What was made was not pushed whole.\n")
            return
        before, _ = self._read_before()
        for name, status in self._snapshot().items():
            # What was only fetched is somebody's, and stays.
            if status != before.get(name):
                (self.place.parent / name).unlink()

    def _snapshot(self) -> dict[str, tuple[int, int]]:
        """Size and time of each file that is a result."""
        home = self.place if self.place.is_dir() else self.place.parent
        found = {}
        for file in home.rglob("*"):
            name = file.relative_to(home).as_posix()
            if not file.is_file() or any(part.startswith(".") for part in name.split("/")):
                continue
            status = file.stat()
            found[name] = status.st_size, status.st_mtime_ns
        return found

    def push(self) -> None:
        """Copy what was written to the target, and remove there what was removed here.

        Raises:
            RemoteError: it was cut off; the same command makes it whole.
        """
        is_folder = self.place.is_dir()
        home = self.place if is_folder else self.place.parent
        target = self.remote if is_folder else self.remote.parent
        now = self._snapshot()
        before, stand_ins = self._read_before()
        gone = [name for name in before if name not in now]
        changed = [
            name
            for name in now
            if (self.whole and is_folder and name not in stand_ins) or now[name] != before.get(name)
        ]
        if changed or gone:
            self._cut.touch()
            there = {name for name in now if name not in stand_ins or name in changed}
            # Beside a file lie those of others, which are left as they are.
            last = [one for one in _endings(there) if is_folder or _of_set(one, changed)]
            target.push(home, changed, last)
            target.remove(gone)
            self._cut.unlink()
        if is_folder:
            self._write_note(self._listed())
        else:
            shutil.rmtree(home)


def _endings(names: Collection[str]) -> list[str]:
    """Files that say that others are whole, in the order in which they are pushed.

    Each table that a manifest tells of comes when all else is there, then the manifests, and the
    report of a run at the very end.
    """
    paired = [name for name in names if name.endswith(".json") and f"{name[:-5]}.csv" in names]
    others = [name for name in names if name.rpartition("/")[2] == MANIFEST and name not in paired]
    tables = [f"{name[:-5]}.csv" for name in paired]
    return [*sorted(tables), *sorted([*paired, *others]), *([_REPORT] if _REPORT in names else [])]


def _of_set(ending: str, changed: Collection[str]) -> bool:
    """Whether a table, its manifest, or a file that is called after both changed."""
    stem = ending.rpartition(".")[0]
    return any(name.startswith(f"{stem}.") for name in changed)
