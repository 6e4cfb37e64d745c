"""Two lines a pair, SLLFW's and CALFW's: folds from the order of the labels, flags and folders."""

from __future__ import annotations

import re

import numpy as np
import pytest
from support.format_examples import balanced, numbered

from pairsets import PairSet
from pairsets.errors import SourceError
from pairsets.files.folds import Folds
from pairsets.sources.formats import Pairs, calfw, format_named, read_pairs, sllfw, sniff
from pairsets.sources.formats.inferred_folds import inferred

BOTH = pytest.mark.parametrize("name", ["sllfw", "calfw"])


def lines_of(name, rows):
    """The text of `(face, face, label)` rows, made by hand."""
    if name == "sllfw":
        return "".join(f"{a}\n{b}\n" for a, b, _ in rows)
    flat = [(face.split("/")[-1], label) for a, b, label in rows for face in (a, b)]
    return "".join(f"{face} {label}\n" for face, label in flat)


def labelled_rows(labels):
    """A row of each label, all of different faces."""
    rows = []
    for at, label in enumerate(labels):
        a, b = f"Person_{at}", f"Person_{at}" if label else f"Other_{at}"
        rows.append((numbered(a, 1), numbered(b, 2), label))
    return rows


@BOTH
def test_a_file_of_the_published_size_has_ten_folds(name, tmp_path):
    rows = labelled_rows(([1] * 300 + [0] * 300) * 10)
    path = tmp_path / "x"
    path.write_text(lines_of(name, rows))
    found = read_pairs(path)
    assert found.folds.numbers.tolist() == np.repeat(np.arange(1, 11), 600).tolist()
    assert found.notes == ("10 folds inferred: the file has 10 times 300 positives, 300 negatives",)
    pairs = found.pairs
    assert list(zip(pairs.path_a, pairs.path_b, pairs.label.tolist(), strict=True)) == rows
    format_named(name).write(found, tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == path.read_bytes()


@pytest.mark.parametrize(
    ("labels", "folds"),
    [
        ("1100" * 2, 2), ("111000" * 5, 5), ("10" * 6, 0), ("1100", 0), ("0011" * 2, 0),
        ("1100" * 2 + "11", 0), ("1100" * 2 + "1", 0), ("1100111000", 0), ("11001110", 0),
        ("110110", 0), ("0", 0), ("", 0), ("1" * 8, 0),
    ],
)  # fmt: skip
def test_folds_are_inferred_from_equal_blocks_alone(labels, folds):
    assert inferred([int(label) for label in labels]) == folds


@BOTH
def test_folds_by_number(name, tmp_path):
    path = tmp_path / "x"
    path.write_text(lines_of(name, labelled_rows([1, 0, 0, 1, 1, 0])))
    found = read_pairs(path, folds=3)
    assert found.folds.numbers.tolist() == [1, 1, 2, 2, 3, 3]
    assert not found.notes
    assert read_pairs(path).folds is None
    for wrong in (4, 0, -2):
        with pytest.raises(SourceError, match=f"6 pairs do not make {wrong} equal folds"):
            read_pairs(path, folds=wrong)


@BOTH
def test_a_pair_that_is_dropped_does_not_move_the_others(name, tmp_path):
    """Folds are of the rows as they stand in the file, with those that are listed again."""
    rows = labelled_rows([1, 1, 0, 0] * 2)
    rows[5] = rows[1][1], rows[1][0], 1
    path = tmp_path / "x"
    path.write_text(lines_of(name, rows))
    found = read_pairs(path)
    assert found.dropped == {"pairs listed again": 1}
    assert found.folds.numbers.tolist() == [1, 1, 1, 1, 2, 2, 2]


@BOTH
def test_folds_of_any_order_are_laid_out(name, tmp_path):
    content = balanced(3, 4)
    order = np.random.default_rng(5).permutation(len(content.pairs))
    shuffled = Pairs(content.pairs.take(order), Folds(content.folds.numbers[order]))
    format_named(name).write(shuffled, tmp_path / "x")
    back = read_pairs(tmp_path / "x")
    known = dict(zip(content.pairs.keys, content.folds.numbers.tolist(), strict=True))
    assert [known[key] for key in back.pairs.keys] == back.folds.numbers.tolist()
    assert len(known) == len(back.pairs)


@BOTH
def test_folds_of_two_sizes_are_lost_and_told(name, tmp_path):
    rows = labelled_rows([1, 0, 1, 0, 0])
    content = Pairs(PairSet.of(*zip(*rows, strict=True)), Folds(np.array([1, 1, 2, 2, 2])))
    held = format_named(name).write(content, tmp_path / "x")
    assert held.folds is None
    assert [note for note in held.notes if "does not keep the 2 folds" in note]
    # And the order of the rows stays.
    assert read_pairs(tmp_path / "x").pairs == content.pairs


@BOTH
def test_folds_that_will_be_read_where_there_were_none(name, tmp_path):
    content = Pairs(PairSet.of(*zip(*labelled_rows([1, 1, 0, 0] * 2), strict=True)))
    held = format_named(name).write(content, tmp_path / "x")
    assert held.folds.numbers.tolist() == [1] * 4 + [2] * 4
    assert any("will be read with 2 folds" in note for note in held.notes)


@BOTH
def test_an_odd_number_of_lines(name, tmp_path):
    path = tmp_path / "x"
    path.write_text(lines_of(name, labelled_rows([1, 0])) + lines_of(name, labelled_rows([1]))[:20])
    with pytest.raises(SourceError, match=f"^{re.escape(str(path))}, line 5: "):
        read_pairs(path, name)


def test_a_leading_folder_and_spaces(tmp_path):
    path = tmp_path / "x"
    path.write_text("lfw/A b/1.jpg \nlfw/A b/2.jpg\nlfw/A b/1.jpg\nlfw/C/1.jpg\t\n")
    found = read_pairs(path)
    assert found.pairs.label.tolist() == [1, 0]
    assert found.pairs.names(1) == ("lfw/A b", "lfw/C")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("A/1.jpg\n1.jpg\n", "line 2: '1.jpg'; expected the path of a face in its person's folder"),
        ("A/1.jpg\n../1.jpg\n", "line 1: path '../1.jpg' leaves its folder"),
        ("A/1.jpg\nA/2.jpg\n\nA/1.jpg\n/B/1.jpg\n", "line 4: path '/B/1.jpg' is absolute"),
    ],
)
def test_sllfw_refused(text, told, tmp_path):
    path = tmp_path / "x"
    path.write_text(text)
    with pytest.raises(SourceError, match=f"^{re.escape(str(path))}, {told}"):
        read_pairs(path, "sllfw")


def test_sllfw_knows_a_person_by_the_folder(tmp_path):
    for a, b, label in (("A/1.jpg", "A/2.jpg", 0), ("A/1.jpg", "B/1.jpg", 1)):
        with pytest.raises(
            SourceError, match=f"^sllfw cannot hold .* with label {label}: it knows"
        ):
            sllfw.write(Pairs(PairSet.of([a], [b], [label])), tmp_path / "x")
    for bad in ("top.jpg", "A/x.jpg "):
        with pytest.raises(SourceError, match="outside a folder or with a space at its end"):
            sllfw.write(Pairs(PairSet.of(["B/1.jpg"], [bad], [0])), tmp_path / "x")
    assert not list(tmp_path.iterdir())


def test_calfw_flags(tmp_path):
    """Any number but 0 is the same person; CPLFW's names have no zeros before the number."""
    path = tmp_path / "x"
    path.write_text("AJ_Cook_1.jpg 7\nAJ_Cook_12.jpg 7\nAl Go_2.jpg\t0\nAJ_Cook_1.jpg 00\n")
    assert sniff(path) == "calfw"
    found = read_pairs(path)
    assert found.pairs.label.tolist() == [1, 0]
    assert found.pairs.path_a.tolist() == ["AJ_Cook/AJ_Cook_1.jpg", "Al Go/Al Go_2.jpg"]
    assert found.notes == ()


def test_calfw_flags_against_the_names(tmp_path):
    path = tmp_path / "x"
    path.write_text(
        "A_1.jpg 1\nB_1.jpg 1\nA_1.jpg 1\nC_1.jpg 1\nA_1.jpg 0\nA_2.jpg 0\nD_1.jpg 1\nD_2.jpg 1\n"
    )
    found = read_pairs(path)
    assert found.pairs.label.tolist() == [1, 1, 0, 1]
    assert found.notes == (
        "2 of 4 pairs are flagged as the same person and named as two; the flag is the label",
        "1 of 4 pairs are flagged as different people and named as one; the flag is the label",
    )
    # The label is what is written again.
    calfw.write(found, tmp_path / "again")
    assert (tmp_path / "again").read_text() == path.read_text()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("A_1.jpg 1\nA_2.jpg 0\n", "line 2: flag 0, and not 0 in line 1 for the same pair"),
        ("A_1.jpg 0\nA_2.jpg 3\n", "line 2: flag 3, and 0 in line 1 for the same pair"),
        ("A_1.jpg 1\nA_2.jpg\n", "line 2: 'A_2.jpg'; expected a file's name and a flag"),
        ("A_1.jpg 1\nA_2.jpg x\n", "line 2: .*; expected a file's name and a flag"),
        ("A.jpg 1\nA_2.jpg 1\n", "line 1: .*; expected a file's name and a flag"),
        ("A/A_1.jpg 1\nA/A_2.jpg 1\n", "line 1: .*; expected a file's name and a flag"),
        (
            "A_1.jpg 1\nB_1.jpg 1\nB_1.jpg 0\nA_1.jpg 0\n",
            "line 3: .* have label 0, and 1 in line 1",
        ),
        ("A_1.jpg ١\nA_2.jpg ١\n", "line 1: .*; expected a file's name and a flag"),
        # More digits than Python turns into a number.
        (f"A_1.jpg {'1' * 5000}\n", "line 1: .*; expected a file's name and a flag"),
    ],
)
def test_calfw_refused(text, told, tmp_path):
    path = tmp_path / "x"
    path.write_text(text)
    with pytest.raises(SourceError, match=f"^{re.escape(str(path))}, {told}"):
        read_pairs(path, "calfw")


@pytest.mark.parametrize(
    "face", ["rei/3131051.jpg", "rei/asuka_0001.jpg", "x/rei/rei_1.jpg", "r_1"]
)
def test_calfw_names_a_face_by_its_file_alone(face, tmp_path):
    pairs = PairSet.of(["A/A_0001.jpg"], [face], [0])
    with pytest.raises(SourceError, match=f"^calfw cannot hold {face!r}: it names a face by"):
        calfw.write(Pairs(pairs), tmp_path / "x")
    assert not list(tmp_path.iterdir())


def published(positives, negatives, folds, tmp_path):
    """A file as CALFW is published: positives flagged by their fold, then all the negatives."""
    rows = []
    for fold in range(1, folds + 1):
        for at in range(positives):
            rows += [f"P{fold}_{at}_0001.jpg {fold}", f"P{fold}_{at}_0002.jpg {fold}"]
    for at in range(negatives):
        rows += [f"N{at}_0001.jpg 0", f"M{at}_0001.jpg 0"]
    path = tmp_path / "pairs_CALFW.txt"
    path.write_text("\n".join(rows) + "\n")
    return path


def test_calfw_as_published_has_ten_folds(tmp_path):
    """Fold k is the 300 positives flagged k and the k-th 300 of the 3,000 negatives."""
    found = read_pairs(published(300, 3000, 10, tmp_path))
    each = np.repeat(np.arange(1, 11), 300).tolist()
    assert found.folds.numbers.tolist() == each + each
    assert found.pairs.label.tolist() == [1] * 3000 + [0] * 3000
    assert found.notes == (
        "10 folds by the flags: fold k is the 300 positives flagged k and the k-th 300 of the 3000 "
        "negatives",
    )
    # Written fold by fold, they are inferred again.
    calfw.write(found, tmp_path / "again")
    back = read_pairs(tmp_path / "again")
    known = dict(zip(found.pairs.keys, found.folds.numbers.tolist(), strict=True))
    assert [known[key] for key in back.pairs.keys] == back.folds.numbers.tolist()


def test_as_many_negatives_as_they_like_in_equal_parts(tmp_path):
    found = read_pairs(published(2, 9, 3, tmp_path))
    assert found.folds.numbers.tolist() == [1, 1, 2, 2, 3, 3, 1, 1, 1, 2, 2, 2, 3, 3, 3]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda lines: lines[:-2], "of 2 to 2 positives each, and a 3th of 8 negatives"),
        (lambda lines: lines[2:], "of 1 to 2 positives each"),
    ],
    ids=["a-negative-less", "a-positive-less"],
)
def test_flags_that_make_no_folds_are_told(change, told, tmp_path):
    path = published(2, 9, 3, tmp_path)
    path.write_text("\n".join(change(path.read_text().splitlines())))
    found = read_pairs(path)
    assert found.folds is None
    assert told in found.notes[0]


@pytest.mark.parametrize(
    "flags", ["3 3 0 0", "2 1 0 0", "1 3 0 0", "1 0 2 0", "1 1 0 0", "-1 1 0 0"]
)
def test_other_flags_say_no_fold(flags, tmp_path):
    rows = [f"A{n}_{i}.jpg {flag}\n" for n, flag in enumerate(flags.split()) for i in (1, 2)]
    (tmp_path / "x").write_text("".join(rows))
    found = read_pairs(tmp_path / "x")
    assert found.folds is None
    assert not any("folds" in note for note in found.notes)


@pytest.mark.parametrize(
    "lines",
    [
        ["A_1.jpg 0", "A_2.jpg 0", "B_1.jpg 1", "B_2.jpg 1"],
        ["2_c1_1.jpg 1", "2_c2_4.jpg 1", "7_c1_2.jpg 2", "7_c2_9.jpg 2"],
        ["A_1.jpg 1", "A_2.jpg 1", "A_3.jpg 1", "B_1.jpg 2"],
    ],
    ids=["names", "names-of-pictures", "odd-numbers"],
)
def test_a_list_of_who_is_on_each_picture_is_no_calfw(lines, tmp_path):
    """As Market-1501's or CelebA's: FILE ID a line."""
    (tmp_path / "x").write_text("\n".join(lines))
    with pytest.raises(SourceError, match=r"list of who is on each picture .*--identities"):
        read_pairs(tmp_path / "x")


def test_a_list_of_pictures_is_no_sllfw_unless_it_is_said(tmp_path):
    lines = [f"{name}/{number}.jpg" for name in "ABCD" for number in (1, 2)]
    (tmp_path / "x").write_text("\n".join(lines))
    with pytest.raises(
        SourceError, match=r"list of pictures, not of pairs\? .*--from-format sllfw"
    ):
        sniff(tmp_path / "x")
    assert read_pairs(tmp_path / "x", "sllfw").pairs.label.tolist() == [1, 1, 1, 1]
    (tmp_path / "x").write_text("\n".join(lines[:6]))
    assert sniff(tmp_path / "x") == "sllfw"
