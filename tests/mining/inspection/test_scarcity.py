"""Identities that are left with too few pictures, and why."""

from __future__ import annotations

from pathlib import Path

from support.audits import twins

from mining.inspection.scarcity import scarce_identities
from pairsets import Faces
from pairsets.files.audit_findings import Finding, Note

SIZES = {"a": 1, "b": 3, "c": 3, "d": 2}
PATHS = [f"{name}/{n}.png" for name, size in SIZES.items() for n in range(size)]
FACES = Faces.of_paths(Path("faces"), PATHS)


def reasons(findings, unread=()):
    found = scarce_identities(FACES, findings, unread)
    return {one.notes[0].identity: one.notes[0].reason for one in found}


def test_one_picture_is_too_few():
    assert reasons([]) == {"a": "1 usable picture"}


def test_what_is_doubted_is_put_aside():
    findings = [
        twins(
            "duplicate",
            Note("b/0.png", "b", "b/1.png", 1, "x", "keep"),
            Note("b/1.png", "b", "b/0.png", 1, "x", "leave-out"),
        ),
        Finding("crop", (Note("b/2.png", "b", "", 1, "x", "leave-out"),)),
        Finding("mislabel", (Note("c/0.png", "c", "b", 1, "x", "ask"),)),
        Finding("alias", (Note("", "c", "d", 1, "x", "ask"),)),
    ]
    assert reasons(findings, ["d/0.png", "d/1.png"]) == {
        "a": "1 usable picture",
        "b": "1 usable picture of 3 (1 a bad crop, 1 a copy)",
        "d": "no usable pictures of 2 (2 not readable)",
    }


def test_variants_of_a_picture_are_usable():
    both = [Note(f"d/{n}.png", "d", f"d/{1 - n}.png", 1, "x", "ask") for n in (0, 1)]
    assert "d" not in reasons([twins("variant", *both)])
