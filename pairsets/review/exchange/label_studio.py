"""The pairs of a review as tasks for Label Studio, where a page of ours is not wanted.

`OUT.json` is imported into a project whose labelling interface is `OUT.xml`. A task's `data` has
the number of its pair, from 0, and the addresses of two pictures: no label, no score. Exports of
Label Studio carry `data` along. Addresses hold paths, and so the names of identities: who looks at
them on purpose is not blind.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote
from xml.sax.saxutils import quoteattr

from pairsets.pairset import PairSet
from pairsets.review.exchange.export import ExportedVerdicts, judged
from pairsets.review.store.store import Store
from pairsets.review.store.verdicts import REASONS, WORDS, ReviewError, Verdict
from pairsets.storage.artefacts import atomic_write, refuse_existing, with_ending, write_text
from pairsets.storage.publication import written_together

# How Label Studio addresses files below LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT.
PREFIX = "/data/local-files/?d="


@dataclass(frozen=True)
class Tasks:
    """Result of `write_tasks`: its files, and how many tasks they hold.

    Attributes:
        files: the tasks, and the labelling interface.
        tasks: pairs.
        judged: those that come with the verdict on them.
        left_out: pairs that the pair file marks invalid: nobody's to judge.
    """

    files: tuple[Path, ...]
    tasks: int
    judged: int
    left_out: int


def task_files(out: Path) -> list[Path]:
    """The files of the tasks `out`, a name that ends in `.json`.

    Raises:
        ReviewError: another ending.
    """
    return [with_ending(out, ".json", "the .xml goes beside it"), out.with_suffix(".xml")]


def write_tasks(
    store: Store,
    out: Path,
    *,
    prefix: str = PREFIX,
    annotations: bool = True,
    who: str | None = None,
    overwrite: bool = False,
    inputs: Iterable[Path] = (),
) -> Tasks:
    """Write the pairs as tasks, and the labelling interface beside them: both files or none.

    Args:
        store: of the review.
        out: the tasks; beside them goes `.xml`.
        prefix: what comes before a path, percent-encoded, in the address of its picture.
        annotations: let pairs that are judged here come with the verdict, as
            `pairsets.review.exchange.export.judged` has it. Tasks with one count as done there.
        who: whose verdicts alone, as for `judged`.
        overwrite: replace the files of an earlier export.
        inputs: never replaced, as the pair file that is reviewed.

    Raises:
        ReviewError: a prefix that paths cannot follow; no pair to judge; nobody called `who`; a
            file that may not be written.
    """
    if not prefix.endswith(("/", "=")):
        raise ReviewError(
            f"{prefix!r}: expected a prefix that ends in / or =: paths are put right behind it"
        )
    files = task_files(Path(out))
    refuse_existing(files, overwrite=overwrite, inputs=[*inputs, store.path])
    valid = store.pairs.valid
    if not valid.any():
        raise ReviewError(f"none of the {len(valid)} pairs is to be judged: all are marked invalid")
    verdicts = judged(store, who=who) if annotations else None
    with written_together(files, overwrite=overwrite) as folder:
        count = done = 0
        with atomic_write(folder / files[0].name) as stream:
            # One task a line, and never all in memory.
            stream.write(b"[")
            for task in _tasks(store.pairs, prefix, verdicts):
                text = json.dumps(task, ensure_ascii=False, allow_nan=False)
                stream.write((",\n" if count else "\n").encode() + text.encode())
                count += 1
                done += "annotations" in task
            stream.write(b"\n]\n")
        write_text(folder / files[1].name, interface())
    return Tasks(tuple(files), count, done, len(valid) - count)


def interface() -> str:
    """The labelling interface: two pictures side by side, a verdict, why a pair does not count."""

    def choices(values: Iterable[str], first: int) -> str:
        return "".join(
            f'    <Choice value={quoteattr(value)} hotkey="{key}"/>\n'
            for key, value in enumerate(values, first)
        )

    return (
        "<View>\n"
        '  <View style="display: grid; grid-template-columns: 1fr 1fr; column-gap: 8px">\n'
        '    <Image name="left" value="$left" zoom="true"/>\n'
        '    <Image name="right" value="$right" zoom="true"/>\n'
        "  </View>\n"
        '  <Header value="Is this the same identity?" size="4"/>\n'
        '  <Choices name="verdict" toName="left" choice="single" required="true" '
        'showInline="true">\n'
        f"{choices(WORDS, 1)}"
        "  </Choices>\n"
        '  <View visibleWhen="choice-selected" whenTagName="verdict" whenChoiceValue="invalid">\n'
        '  <Header value="Why does the pair not count?" size="5"/>\n'
        '  <Choices name="reason" toName="left" choice="single" showInline="true">\n'
        f"{choices(REASONS, len(WORDS) + 1)}"
        "  </Choices>\n"
        "  </View>\n"
        "</View>\n"
    )


def _tasks(
    pairs: PairSet, prefix: str, verdicts: ExportedVerdicts | None
) -> Iterator[dict[str, object]]:
    for row in pairs.valid.nonzero()[0].tolist():
        left, right = (prefix + quote(paths[row]) for paths in (pairs.path_a, pairs.path_b))
        task: dict[str, object] = {"data": {"pair": row, "left": left, "right": right}}
        results = [] if verdicts is None else _results(verdicts, row)
        if results:
            # It may be wrong: without the word Label Studio takes what is imported for the truth.
            task["annotations"] = [{"result": results, "ground_truth": False}]
        yield task


def _results(verdicts: ExportedVerdicts, row: int) -> list[dict[str, object]]:
    """Verdict on a pair and its reason, as choices of Label Studio."""
    prediction, invalid = verdicts.pairs.human_prediction[row], verdicts.pairs.invalid[row]
    if not invalid and prediction < 0:
        return []
    said = [_choice("verdict", row, Verdict(int(prediction), bool(invalid)).word)]
    if row in verdicts.reasons:
        said.append(_choice("reason", row, verdicts.reasons[row]))
    return said


def _choice(name: str, row: int, value: str) -> dict[str, object]:
    return {
        "id": f"{name}-{row}",
        "from_name": name,
        "to_name": "left",
        "type": "choices",
        "value": {"choices": [value]},
    }
