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
_MATCHES = frozenset({"ENROLL_TEMPLATE_ID", "VERIF_TEMPLATE_ID"})
_IJB = """\
IJB-B and IJB-C as NIST ships them name no label in their pairs (ENROLL,VERIF), and a template's
subject in other files (TEMPLATE_ID,SUBJECT_ID,FILENAME,...). This makes of both what is read here;
run it beside them, with their names:

    import csv, pathlib
    matches = "ijbc_11_G1_G2_matches.csv"
    templates = ["ijbc_1N_gallery_G1.csv", "ijbc_1N_gallery_G2.csv", "ijbc_1N_probe_mixed.csv"]

    def lines(name):
        return pathlib.Path(name).read_text("utf-8-sig").splitlines()

    subject = {}
    with open("face_tid_mid.txt", "w") as out:
        for name in templates:
            for row in csv.DictReader(lines(name)):
                subject[row["TEMPLATE_ID"]] = row["SUBJECT_ID"]
                medium = row.get("MEDIA_ID") or row["SIGHTING_ID"]
                print(row["FILENAME"], row["TEMPLATE_ID"], medium, file=out)
    with open("template_pair_label.txt", "w") as out:
        for row in csv.reader(lines(matches)):
            if row and row[0].strip().isdigit():
                a, b = (cell.strip() for cell in row[:2])
                print(a, b, int(subject[a] == subject[b]), file=out)

Then: lookalikes convert template_pair_label.txt --from-format ijb --out ijbc.csv
and for `pool`: --templates face_tid_mid.txt (a picture with several faces is to be cut first)"""
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


def why_refused(path: Path, head: bytes) -> str | None:
    """Why a file is not read, and what to do, if it is of a form known to tell too little.

    Args:
        path: of the file.
        head: its first bytes.
    """
    lines = head_lines(head)
    if not lines:
        return None
    header = {cell.strip().strip('"') for cell in lines[0].upper().split(",")}
    if header >= _NIST or header >= _MATCHES:
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
