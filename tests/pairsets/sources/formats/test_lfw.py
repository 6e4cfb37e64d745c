"""LFW's pair files: the real ones' quirks, and what is wrong with a file told by its line."""

from __future__ import annotations

import re

import numpy as np
import pytest
from support.format_examples import balanced

from pairsets import PairSet
from pairsets.errors import SourceError
from pairsets.files.folds import Folds
from pairsets.sources.formats import Pairs, candidates, lfw, read_pairs, sniff


def drawn(folds: int, size: int, seed: int = 0):
    """A file as the published one is, and its pairs read by hand: a, b, label, fold."""
    generator = np.random.default_rng(seed)
    people = [f"Person_{number}" for number in range(400)]
    lines, expected, seen = [f"{folds}\t{size}"], [], set()

    def add(line, a, b, label, fold):
        fresh = frozenset((a, b)) not in seen
        if fresh:
            seen.add(frozenset((a, b)))
            lines.append(line)
            expected.append((a, b, label, fold))
        return fresh

    for fold in range(1, folds + 1):
        row = 0
        while row < size:
            name = people[generator.integers(400)]
            one, other = generator.choice(np.arange(1, 90), 2, replace=False)
            a, b = (f"{name}/{name}_{number:04d}.jpg" for number in (one, other))
            row += add(f"{name}\t{one}\t{other}", a, b, 1, fold)
        while row < 2 * size:
            x, y = generator.choice(people, 2, replace=False)
            one, other = generator.integers(1, 12000, 2)
            a, b = f"{x}/{x}_{one:04d}.jpg", f"{y}/{y}_{other:04d}.jpg"
            row += add(f"{x}\t{one}\t{y}\t{other}", a, b, 0, fold)
    return "\n".join(lines) + "\n", expected


def read_rows(found):
    pairs = found.pairs
    return list(
        zip(
            pairs.path_a,
            pairs.path_b,
            pairs.label.tolist(),
            found.folds.numbers.tolist(),
            strict=True,
        )
    )


def test_a_file_of_the_published_size(tmp_path):
    text, expected = drawn(10, 300)
    path = tmp_path / "pairs.txt"
    path.write_text(text)
    found = read_pairs(path)
    assert read_rows(found) == expected
    assert not found.dropped
    lfw.write(found, tmp_path / "again.txt")
    assert (tmp_path / "again.txt").read_text() == text


def test_white_space_instead_of_tabs(tmp_path):
    text, expected = drawn(3, 4)
    path = tmp_path / "pairs.txt"
    path.write_text(text.replace("\t", "  ").replace("\n", " \n"))
    assert sniff(path) == "lfw"
    assert read_rows(read_pairs(path)) == expected


def test_the_files_for_development_have_no_folds(tmp_path):
    path = tmp_path / "pairsDevTest.txt"
    path.write_text("2\nAbel\t1\t2\nBo\t3\t1\nAbel\t1\tBo\t1\nCy\t9\tAbel\t2\n")
    found = read_pairs(path)
    assert found.folds is None
    assert found.pairs.label.tolist() == [1, 1, 0, 0]
    assert found.pairs.path_a[3] == "Cy/Cy_0009.jpg"
    lfw.write(found, tmp_path / "again.txt")
    assert (tmp_path / "again.txt").read_text() == path.read_text()


def test_one_fold_is_not_a_file_for_development(tmp_path):
    path = tmp_path / "pairs.txt"
    path.write_text("1\t1\nAbel\t1\t2\nAbel\t1\tBo\t1\n")
    found = read_pairs(path)
    assert found.folds.numbers.tolist() == [1, 1]
    lfw.write(found, tmp_path / "again.txt")
    assert (tmp_path / "again.txt").read_text() == path.read_text()


def test_pairs_listed_again_and_faces_with_themselves_are_counted(tmp_path):
    path = tmp_path / "pairs.txt"
    path.write_text(
        "2\t2\nA\t1\t2\nA\t2\t1\nA\t1\tB\t1\nB\t1\tA\t1\nC\t1\t1\nD\t1\t2\nA\t1\tB\t1\nC\t1\tD\t1\n"
    )
    found = read_pairs(path)
    assert found.dropped == {"pairs listed again": 3, "faces paired with themselves": 1}
    # The first stays, in its fold.
    assert found.folds.numbers.tolist() == [1, 1, 2, 2]
    assert found.pairs.path_a.tolist() == [f"{n}/{n}_0001.jpg" for n in "AADC"]


def test_a_fold_that_loses_all_its_pairs_closes_up(tmp_path):
    path = tmp_path / "pairs.txt"
    part = "A\t1\t2\nA\t1\tB\t1\n"
    path.write_text(f"3\t1\n{part}{part}C\t1\t2\nC\t1\tB\t1\n")
    found = read_pairs(path)
    assert found.folds.numbers.tolist() == [1, 1, 2, 2]
    assert any("1 of 3 folds lost all their pairs" in note for note in found.notes)


def test_another_suffix(tmp_path):
    path = tmp_path / "pairs.txt"
    path.write_text("1\nA b\t1\t2\nA b\t1\tB\t1\n")
    for suffix in ("png", ".png"):
        found = read_pairs(path, suffix=suffix)
        assert found.pairs.path_b.tolist() == ["A b/A b_0002.png", "B/B_0001.png"]
    held = lfw.write(found, tmp_path / "again.txt")
    assert (tmp_path / "again.txt").read_text() == path.read_text()
    assert any(".png" in note for note in held.notes)


def test_rows_are_laid_out_by_fold_and_label(tmp_path):
    """Pairs in any order are written as the format wants them; those of a block keep theirs."""
    content = balanced(3, 4)
    order = np.random.default_rng(1).permutation(len(content.pairs))
    shuffled = Pairs(content.pairs.take(order), Folds(content.folds.numbers[order]))
    held = lfw.write(shuffled, tmp_path / "x")
    assert sorted(read_rows(held)) == sorted(read_rows(content))
    label, fold = held.pairs.label, held.folds.numbers
    assert fold.tolist() == [1] * 8 + [2] * 8 + [3] * 8
    assert label.tolist() == [1, 1, 1, 1, 0, 0, 0, 0] * 3
    rank = {key: row for row, key in enumerate(shuffled.pairs.keys)}
    places = [rank[key] for key in held.pairs.keys]
    assert all(places[at : at + 4] == sorted(places[at : at + 4]) for at in range(0, 24, 4))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("A\tx\t2\n", r"line 1: 'A\\tx\\t2'; expected the number of folds and of pairs"),
        ("0\t3\nA\t1\t2\n", "line 1: .*expected the number of folds"),
        ("10\t300\t1\n", "line 1: nothing but numbers .*--from-format indices"),
        ("-1\t3\n", "line 1: .*expected the number of folds"),
        ("٣\nA\t1\t2\n", "line 1: .*expected the number of folds"),
        ("1\t2\nA\t1\t2\nA\t1\tB\t1\nA\t1\tB\t2\nA\t1\tB\t3\n",
         "line 3: .*expected name n1 n2, for positive 2 of 2 of fold 1. Does line 1 say"),
        ("1\nA\t1\t2\nA\t1\t3\n", "line 3: .*expected name1 n1 name2 n2, for negative 1 of 1"),
        ("1\nA\t1\tx\nA\t1\tB\t3\n", "line 2: .*expected name n1 n2"),
        ("1\nA\t1\t-2\nA\t1\tB\t3\n", "line 2: .*expected name n1 n2"),
        ("1\nA b 1 2\nA 1 B 1\n", "line 2: .*names with spaces set off by tabs"),
        ("1\nA\t1\t2\nA\t1\tA\t3\n", "line 3: 'A' twice, in a pair of different people"),
        ("1\nA\t1\t2\n\nA\t1\tB\t3\nA\t1\tB\t2\n", "line 5: a pair more than the 2 that line 1"),
        ("2\t1\nA\t1\t2\nA\t1\tB\t3\n", "x: 2 pairs, and line 1 says 4; is the file cut short"),
        ("1\nA/b\t1\t2\nA\t1\tB\t3\n", "line 2: 'A/b'; expected a name without"),
        ("1\n..\t1\t2\nA\t1\tB\t3\n", "line 2: path '../.._0001.jpg' leaves its folder"),
        ("9" * 30 + "\nA\t1\t2\n", "line 1: .*expected the number of folds"),
    ],
)  # fmt: skip
def test_lines_that_are_refused(text, told, tmp_path):
    path = tmp_path / "x"
    path.write_text(text)
    with pytest.raises(SourceError, match=f"^{re.escape(str(tmp_path))}/.*{told}"):
        read_pairs(path, "lfw")


def pair_set(*rows):
    return PairSet.of(*zip(*rows, strict=True))


P, N = ("A/A_0001.jpg", "A/A_0002.jpg", 1), ("A/A_0001.jpg", "B/B_0001.jpg", 0)


@pytest.mark.parametrize(
    ("rows", "folds", "told"),
    [
        ([P], None, "as many positives as negatives in a set without folds; csv"),
        ([P, N], [1, 2], "as many positives as negatives in each fold, and folds of one size"),
        ([P, N, ("A/A_0003.jpg", "A/A_0004.jpg", 1)], [1, 1, 2], "folds of one size; csv, jsonl"),
        ([P, ("A/A_0001.jpg", "B/1.jpg", 0)], None, "'B/1.jpg': it names faces as Aaron_Peirsol/"),
        ([P, ("A/A_0001.jpg", "B/B_1.jpg", 0)], None, "'B/B_1.jpg'"),
        ([P, ("A/A_0001.jpg", "B/B_00001.jpg", 0)], None, "'B/B_00001.jpg'"),
        ([P, ("A/A_0001.jpg", "x/B/B_0001.jpg", 0)], None, "'x/B/B_0001.jpg'"),
        ([P, ("A/A_0001.jpg", "B/B_0001.png", 0)], None, "several endings, as 'A.*g' and 'B.*png"),
        ([P, ("A/A_0003.jpg", "A/A_0004.jpg", 0)], None, "with label 0: it knows the same person"),
        ([("A/A_0001.jpg", "C/C_0001.jpg", 1), N], None, "with label 1: it knows the same person"),
        ([P, ("A/A_0001.jpg", "b\tc/b\tc_0001.jpg", 0)], None, "with a tab in a name"),
    ],
)  # fmt: skip
def test_what_the_format_cannot_hold(rows, folds, told, tmp_path):
    content = Pairs(pair_set(*rows), None if folds is None else Folds(np.array(folds)))
    with pytest.raises(SourceError, match=f"^lfw cannot hold .*{told}"):
        lfw.write(content, tmp_path / "x")
    assert not list(tmp_path.iterdir())


SAME, OTHER = "Ada_Ash\t1\t2\nCy\t3\t2\n", "Ada_Ash\t1\tBo\t1\nCy\t1\tDi\t12\n"
PATHS = [
    ("Ada_Ash/Ada_Ash_0001.jpg", "Ada_Ash/Ada_Ash_0002.jpg", 1),
    ("Cy/Cy_0003.jpg", "Cy/Cy_0002.jpg", 1),
    ("Ada_Ash/Ada_Ash_0001.jpg", "Bo/Bo_0001.jpg", 0),
    ("Cy/Cy_0001.jpg", "Di/Di_0012.jpg", 0),
]
KAGGLE = "name,imagenum1,imagenum2,\nAda_Ash,1,2,\nCy,3,2,\nAda_Ash,1,Bo,1\nCy,1,Di,12\n"


def labelled_paths(found):
    pairs = found.pairs
    return list(zip(pairs.path_a, pairs.path_b, pairs.label.tolist(), strict=True))


@pytest.mark.parametrize(
    "text",
    [SAME + OTHER, (SAME + OTHER).replace("\t", " "), KAGGLE, KAGGLE.replace("2,\n", "2\n")],
    ids=["tabs", "blanks", "kaggle", "kaggle-without-the-last-comma"],
)
def test_without_a_first_line_cells_are_the_label(text, tmp_path):
    path = tmp_path / "pairs.txt"
    path.write_text(text)
    assert sniff(path) == "lfw"
    found = read_pairs(path)
    assert labelled_paths(found) == PATHS
    assert found.folds is None
    assert found.notes == (
        "no first line that says how many: labels are told by three cells or four",
    )


def test_without_a_first_line_there_may_be_more_of_one_label(tmp_path):
    path = tmp_path / "pairs.txt"
    path.write_text(SAME + OTHER.splitlines()[0])
    assert labelled_paths(read_pairs(path)) == PATHS[:3]


def test_folds_of_a_file_without_a_first_line(tmp_path):
    text, expected = drawn(3, 4)
    path = tmp_path / "pairs.txt"
    path.write_text(text.partition("\n")[2])
    found = read_pairs(path)
    assert read_rows(found) == expected
    assert "3 folds inferred" in found.notes[1]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("1\t3\n" + SAME + "Bo\t1\t2\nAda_Ash\t1\tBo\t1\n", "x: 4 pairs, and line 1 says 6; .* It "
         "has 3 pairs of one name and 1 of two, .* take line 1 out"),
        ("1\t2\n" + SAME + "Bo\t1\t2\n" + OTHER, "line 4: .* It has 3 pairs of one name and 2 of"),
        ("1\t1\n" + SAME + OTHER, "line 3: .*expected name1 n1 name2 n2, for negative 1 of 1"),
    ],
    ids=["few-negatives", "many-positives", "another-number"],
)  # fmt: skip
def test_as_many_of_each_is_forced_by_the_first_line(text, told, tmp_path):
    path = tmp_path / "x"
    path.write_text(text)
    with pytest.raises(SourceError, match=f"(?s)^{re.escape(str(tmp_path))}/.*{told}"):
        read_pairs(path)


@pytest.mark.parametrize("text", ["1.jpg 1 69544\n2.jpg 2 69544\n", "1 2 3\n4 5 6\n", "a 1\nb 2\n"],
                         ids=["media-of-templates", "numbers", "identities"])  # fmt: skip
def test_other_lists_are_no_pairs_of_names(text, tmp_path):
    (tmp_path / "x").write_text(text)
    assert "lfw" not in candidates(tmp_path / "x")
    with pytest.raises(SourceError, match="line 1: "):
        read_pairs(tmp_path / "x", "lfw")


def draw(folder, names):
    for name in names:
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"")
    return folder


def found_in(tmp_path, names, **options):
    """What the four pairs above are, with these files in the folder."""
    path = tmp_path / "pairs.txt"
    path.write_text(SAME + OTHER)
    return read_pairs(path, "lfw", faces=draw(tmp_path / "faces", names), **options)


WANTED = [("Ada_Ash", 1), ("Ada_Ash", 2), ("Bo", 1), ("Cy", 1), ("Cy", 2), ("Cy", 3), ("Di", 12)]


@pytest.mark.parametrize(
    ("form", "note"),
    [
        ("{n}/{n}_{i:04d}.jpg", None),
        ("{n}/{n}_{i:04d}.png", "end in .png"),
        ("{n}/{n}_{i:04d}_0.png", "end in _0.png"),
        ("{n}/{n}_{i}.jpg", "called ..._1.jpg"),
        ("{n}/{n}_{i:06d}.JPG", "called ..._000001.JPG"),
        ("{n}/{n}_{i}_aligned.webp", "called ..._1_aligned.webp"),
    ],
    ids=["usual", "png", "aligned", "unpadded", "six-digits", "both"],
)
def test_pictures_tell_how_they_are_called(form, note, tmp_path):
    names = [form.format(n=name, i=number) for name, number in WANTED]
    found = found_in(tmp_path, [*names, "Ada_Ash/Ada_Ash_1.txt", "Bo/other.png"])
    assert found.pairs.paths == sorted(names)
    assert [note in told for told in found.notes[1:]] == ([True] if note else [])


def test_the_usual_form_counts_where_all_have_it(tmp_path):
    usual = [f"{name}/{name}_{number:04d}.jpg" for name, number in WANTED]
    also = [f"{name}/{name}_{number:04d}.png" for name, number in WANTED]
    assert found_in(tmp_path, usual + also).pairs.paths == sorted(usual)


def test_pictures_of_several_endings(tmp_path):
    names = [
        f"{name}/{name}_{number:04d}{'.png' if number == 1 else '.jpeg'}" for name, number in WANTED
    ]
    found = found_in(tmp_path, names)
    assert found.pairs.paths == sorted(names)
    assert "end in .jpeg, .png, of each the one that is" in found.notes[1]


@pytest.mark.parametrize("suffix", ["_0.png", "_1.png"])
def test_two_pictures_for_a_number_are_asked_for(suffix, tmp_path):
    names = [f"{name}/{name}_{number:04d}_{face}.png" for name, number in WANTED for face in (0, 1)]
    with pytest.raises(SourceError, match=r"two pictures for each number, .*--suffix and --digits"):
        found_in(tmp_path, names)
    found = found_in(tmp_path, names, suffix=suffix)
    assert found.pairs.path_a[0] == f"Ada_Ash/Ada_Ash_0001{suffix}"


@pytest.mark.parametrize(
    ("names", "told"),
    [
        ([f"{n}/{n}_{i:04d}.jpg" for n, i in WANTED if n != "Di"],
         r"no picture 12 of 'Di' in .*there is no folder 'Di' with pictures"),
        ([f"{n}/{n}_{i:04d}.jpg" for n, i in WANTED if i != 3],
         r"no picture 3 of 'Cy' in .*it has Cy_0001\.jpg, Cy_0002\.jpg$"),
        ([f"{n}_{i:04d}.jpg" for n, i in WANTED],
         r"pictures Ada_Ash_\.\.\. in .* itself: .*arrange"),
        ([f"{n}/{n}_{i:04d}_{i % 2}.png" for n, i in WANTED],
         r"no one form .*'Ada_Ash/Ada_Ash_0001\.jpg' is not there, but Ada_Ash_0001_1\.png.*--suf"),
    ],
    ids=["no-folder", "no-picture", "flat", "no-one-form"],
)  # fmt: skip
def test_why_a_picture_is_not_found(names, told, tmp_path):
    with pytest.raises(SourceError, match=f"(?s){told}"):
        found_in(tmp_path, names)


def test_pictures_of_an_aligner_come_back(tmp_path):
    path = tmp_path / "pairs.txt"
    path.write_text("1\t2\n" + SAME + OTHER)
    found = read_pairs(path, suffix="_0.png")
    held = lfw.write(found, tmp_path / "again")
    assert (tmp_path / "again").read_text() == path.read_text()
    assert "images end in _0.png: name the suffix" in held.notes[0]
