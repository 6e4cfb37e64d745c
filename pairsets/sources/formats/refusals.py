"""Lists of pairs that tell too little to be read, and how to make one that does."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from pairsets.paths import is_image
from pairsets.sources.text.text_lines import head_lines

_TWO_NUMBERS = re.compile(r"\s*\d{1,18}\s*,\s*\d{1,18}\s*", re.ASCII)
# Fewer lines in order may be pairs.
_SO_MANY = 8
_NIST = frozenset({"TEMPLATE_ID", "SUBJECT_ID", "FILENAME"})
MATCHES = frozenset({"ENROLL_TEMPLATE_ID", "VERIF_TEMPLATE_ID"})
_IJB = (
    "IJB-B and IJB-C as NIST ships them name no label in their pairs (ENROLL,VERIF), and a "
    "template's subject in other files (TEMPLATE_ID,SUBJECT_ID,FILENAME,...). Give all of them: "
    "lookalikes convert ijbc_11_G1_G2_matches.csv --templates ijbc_1N_gallery_G1.csv --templates "
    "ijbc_1N_gallery_G2.csv --templates ijbc_1N_probe_mixed.csv --out ijbc.csv"
)
_CFP = """\
CFP's same.txt and diff.txt hold numbers of lines in Pair_list_F.txt and Pair_list_P.txt, a folder
of ten splits for each protocol. This makes one list of them, split by split; run it in the folder
that holds Protocol/ (FF in place of FP for frontal pairs):

    import pathlib, posixpath
    root, kind = pathlib.Path("Protocol"), "FP"

    def lines(file):
        return file.read_text().splitlines()

    def faces(side):
        rows = (line.split(maxsplit=1) for line in lines(root / f"Pair_list_{side}.txt"))
        return {row[0]: posixpath.normpath(posixpath.join("Protocol", row[1].strip()))
                for row in rows if row}

    first, second = faces(kind[0]), faces(kind[1])
    with open("cfp.txt", "w") as out:
        for split in sorted((root / "Split" / kind).iterdir()):
            for name, label in (("same", 1), ("diff", 0)):
                for line in lines(split / f"{name}.txt"):
                    if line.strip():
                        a, b = (cell.strip() for cell in line.split(","))
                        print(first[a], second[b], label, file=out)

Then: lookalikes convert cfp.txt --faces FOLDER_OF_PROTOCOL --out cfp.csv"""


def are_listed(lines: Sequence[str]) -> bool:
    """Whether lines stand in order, none twice, as files in a list do and faces of pairs do not."""
    return len(lines) >= _SO_MANY and all(one < other for one, other in pairwise(lines))


def header_of(lines: Sequence[str]) -> frozenset[str]:
    """Names of the columns that the first of a file's lines may be the header of."""
    cells = lines[0].upper().split(",") if lines else []
    return frozenset(cell.strip().strip('"') for cell in cells)


def why_refused(path: Path, head: bytes) -> str | None:
    """Why a file is not read, and what to do, if it is of a form known to tell too little.

    Args:
        path: of the file.
        head: its first bytes.
    """
    lines = head_lines(head)
    if not lines:
        return None
    header = header_of(lines)
    if header >= _NIST:
        return f"{path}: a list of templates, not of pairs. {_IJB}"
    if header >= MATCHES:
        return f"{path}: {_IJB}"
    if are_listed([line.rstrip() for line in lines]) and all(map(is_image, lines)):
        return (
            f"{path}: a path a line, each once and in order: a list of pictures, not of pairs? If "
            "each two lines are a pair, say so with --from-format sllfw"
        )
    if not all(map(_TWO_NUMBERS.fullmatch, lines)):
        return None
    if path.stem.lower() in ("same", "diff"):
        return f"{path}: two numbers a line. {_CFP}"
    return f"{path}: two numbers a line and no label. {_IJB}"
