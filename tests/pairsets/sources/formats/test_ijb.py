"""IJB's pairs of templates: subjects found by following positives, and lines that are wrong."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pairsets import PairSet
from pairsets.errors import SourceError
from pairsets.faces import identity_of
from pairsets.sources.formats import Pairs, ijb


def smallest_joined(edges, count):
    """The smallest number in reach of each, by walking."""
    beside = {at: {at} for at in range(count)}
    for one, other in edges:
        beside[one].add(other)
        beside[other].add(one)
    found = []
    for start in range(count):
        seen, todo = {start}, [start]
        while todo:
            fresh = beside[todo.pop()] - seen
            seen |= fresh
            todo += fresh
        found.append(min(seen))
    return found


@given(st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11)), max_size=25))
def test_what_is_joined(edges):
    a, b = np.array(edges, int).reshape(-1, 2).T
    assert ijb.joined(a, b, 12).tolist() == smallest_joined(edges, 12)


@pytest.mark.parametrize("seed", range(3))
def test_long_chains_are_joined(seed):
    """A path through all numbers in random order, which no few rounds of neighbours would end."""
    order = np.random.default_rng(seed).permutation(200_000)
    assert not ijb.joined(order[:-1], order[1:], order.size).any()
    halves = ijb.joined(
        order[:-1][order[:-1] % 2 == 0], order[:-1][order[:-1] % 2 == 0], order.size
    )
    assert (halves == np.arange(order.size)).all()


def read(tmp_path, text, **options):
    path = tmp_path / "pairs.txt"
    path.write_text(text)
    return ijb.read(path, **options)


def test_subjects_are_what_positives_join(tmp_path):
    found = read(tmp_path, "30 7 1\n7 120 1\n9 30 0\n5 9 0\n")
    pairs = found.pairs
    assert pairs.path_a.tolist() == [
        "subject_000007/30", "subject_000007/7", "subject_000009/9", "subject_000005/5",
    ]  # fmt: skip
    assert pairs.path_b.tolist()[1:3] == ["subject_000007/120", "subject_000007/30"]
    assert pairs.label.tolist() == [1, 1, 0, 0]
    assert (found.notes, dict(found.dropped)) == ((), {})


def test_a_negative_between_templates_that_positives_join(tmp_path):
    found = read(tmp_path, "1 2 1\n2 3 1\n1 3 0\n3 4 0\n")
    assert found.pairs.label.tolist() == [1, 1, 0, 0]
    assert identity_of(found.pairs.path_a[2]) == identity_of(found.pairs.path_b[2])
    (note,) = found.notes
    assert note.startswith("1 pairs are labelled as of different subjects")


def test_repeats_are_counted_and_contradictions_refused(tmp_path):
    found = read(tmp_path, "1 2 1\n2 1 1\n3 3 1\n3 3 0\n1 4 0\n")
    assert len(found.pairs) == 2
    assert dict(found.dropped) == {"pairs listed again": 1, "faces paired with themselves": 2}
    assert not found.notes
    with pytest.raises(SourceError, match=r"line 5: .* have label 0, and 1 in line 2"):
        read(tmp_path, "\n1 2 1\n \t \n3 1 0\r\n2\t1  0 \r\n")


@pytest.mark.parametrize(
    "line",
    ["1 2", "1 2 1 1", "1 2 1 x", "1 2 1 1 1", "1 2 2", "1 2 -1", "-1 2 1", "1.0 2 1", "1 2 1.0",
     "a 2 1", "1,2,1", "1 2 nan", "99999999999999999999 2 1", "9999999999999999999 2 0", '"1" 2 1',
     "1 2 1 \u00a0", "\u0661 2 1", "0x1 2 1", "1e2 2 1", "1 2\x0b1",
     "1 2 1\x0c"],
)  # fmt: skip
@pytest.mark.parametrize("at", [0, 1, 400])
def test_a_line_that_is_wrong(line, at, tmp_path):
    lines = [f"{number} {number + 1} {number % 2}" for number in range(500)]
    lines[at] = line
    with pytest.raises(SourceError) as error:
        read(tmp_path, "\n".join(lines))
    assert f"pairs.txt, line {at + 1}: " in str(error.value)
    assert "expected TEMPLATE1 TEMPLATE2 LABEL" in str(error.value)


def test_a_byte_order_mark_is_no_pair(tmp_path):
    with pytest.raises(SourceError, match=r"pairs\.txt"):
        read(tmp_path, "\ufeff")


def test_blocks_do_not_show(tmp_path):
    generator = np.random.default_rng(0)
    numbers = [f"{a} {b}\t{int(a % 7 == b % 7)}" for a, b in generator.integers(1, 900, (3000, 2))]
    text = "\ufeff" + "\r\n".join(numbers)
    seen = []
    path = tmp_path / "pairs.txt"
    path.write_text(text)
    whole = ijb.read_numbers(path, lambda done, total: seen.append((done, total)))
    parts = ijb.read_numbers(path, lambda done, total: seen.append((done, total)), block=1000)
    assert len(whole[0]) == 3000
    assert [column.tolist() for column in parts[:3]] == [column.tolist() for column in whole[:3]]
    assert whole[3] is parts[3] is None
    assert len(seen) > 30
    assert seen[-1][0] == seen[-1][1] == (tmp_path / "pairs.txt").stat().st_size


def test_pairs_of_templates_that_another_file_lacks(tmp_path):
    (tmp_path / "t.txt").write_text("1.jpg 1 1\n2.jpg 2 1\n3.jpg 3 1\n")
    text = "1 2 1\n2 4 1\n4 3 1\n1 3 0\n"
    found = read(tmp_path, text, templates=str(tmp_path / "t.txt"))
    # 3 is of the same subject by way of 4, whose pairs are gone.
    assert set(map(identity_of, found.pairs.paths)) == {"subject_000001"}
    assert dict(found.dropped) == {"pairs of a template without pictures": 2}
    with pytest.raises(SourceError, match=r"line 6: .* have label 1, and 0 in line 5"):
        read(tmp_path, f"4 1 1\n{text}3 1 1\n", templates=tmp_path / "t.txt")
    (tmp_path / "t.txt").write_text("1.jpg 77 1\n")
    with pytest.raises(SourceError, match=r"no pair of templates that .*t.txt lists"):
        read(tmp_path, text, templates=tmp_path / "t.txt")


def test_other_names_of_subjects_are_lost_and_said_so(tmp_path):
    pairs = PairSet.of(["rei/4", "asuka/9"], ["rei/3", "rei/3"], [1, 0])
    held = ijb.write(Pairs(pairs), tmp_path / "x.txt")
    assert (tmp_path / "x.txt").read_text() == "4 3 1\n9 3 0\n"
    assert held.pairs == ijb.read(tmp_path / "x.txt").pairs
    assert held.pairs.path_a.tolist() == ["subject_000003/4", "subject_000009/9"]
    assert "3 templates will be read as of others" in held.notes[0]


@pytest.mark.parametrize("face", ["rei/4.jpg", "rei/x", "rei/04", "asuka/3"])
def test_faces_that_are_no_templates(face, tmp_path):
    pairs = PairSet.of([face], ["rei/3"], [0])
    with pytest.raises(SourceError, match=r"ijb cannot hold these pairs: .*template"):
        ijb.write(Pairs(pairs), tmp_path / "x.txt")
    assert not list(tmp_path.iterdir())
