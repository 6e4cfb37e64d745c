"""What follows an audit: lists of base names that mean what they say, or none."""

from __future__ import annotations

from pathlib import Path

import pytest

from mining.errors import RunError
from mining.inspection.actions import Actions, refuse_ambiguous
from pairsets import Faces, read_ignore_list
from pairsets.errors import OutputError

FACES = Faces.of_paths(Path("faces"), ["a/1.png", "a/2.png", "b/1.png", 'b/x,"y".png', "c/z\n.png"])


def test_a_list_is_read_as_it_was_meant(tmp_path):
    left_out = ["a/2.png", 'b/x,"y".png']
    out = Actions().write_ignore_list(left_out, tmp_path / "leave.csv")
    assert read_ignore_list(out) == {"2.png", 'x,"y".png'}
    refuse_ambiguous(left_out, FACES, out)


def test_a_name_of_a_face_that_stays_is_refused():
    with pytest.raises(OutputError) as refused:
        refuse_ambiguous(["b/1.png"], FACES, Path("leave.csv"))
    for part in ("b/1.png", "a/1.png", "--move-to", "--audit"):
        assert part in str(refused.value)
    refuse_ambiguous(["a/1.png", "b/1.png"], FACES, Path("leave.csv"))


def test_a_name_that_no_line_can_hold_is_refused():
    with pytest.raises(OutputError, match="no line can hold"):
        refuse_ambiguous(["c/z\n.png"], FACES, Path("leave.csv"))


@pytest.mark.parametrize(("kind", "told"), [("alias", "finding of kind alias"), ("x", "kind 'x'")])
def test_kinds_that_say_nothing_of_a_face_are_refused(kind, told):
    with pytest.raises(RunError, match=told):
        Actions(act_on=("crop", kind))


def test_kinds_that_are_sure_are_acted_on_by_default():
    assert Actions().kinds == ("duplicate", "crop")
    assert Actions(act_on=("mislabel",)).kinds == ("mislabel",)
    with pytest.raises(RunError, match="not looked for"):
        Actions(act_on=("mislabel",)).refuse_early(Path("faces"), ["crop"])
