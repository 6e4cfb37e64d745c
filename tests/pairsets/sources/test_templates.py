"""Templates: their file, and pooling against two plain loops."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pairsets.errors import SourceError
from pairsets.sources.templates import Templates, numbered, pooled, rows_by_path


def naive(vectors, rows, templates, media):
    """The mean of the means, spelled out."""
    found = defaultdict(lambda: defaultdict(list))
    for row, template, medium in zip(rows, templates, media, strict=True):
        found[template][medium].append(vectors[row].astype(float))
    return {
        template: sum(sum(frames) / len(frames) for frames in shots.values()) / len(shots)
        for template, shots in found.items()
    }


@st.composite
def albums(draw):
    """Pictures in templates; media numbers come again in other templates."""
    count = draw(st.integers(1, 40))
    numbers = st.lists(st.integers(0, 4), min_size=count, max_size=count)
    vectors = np.random.default_rng(draw(st.integers(0, 99))).standard_normal((count, 3))
    vectors = vectors.astype(np.float32)
    vectors.setflags(write=False)
    rows = draw(st.permutations(range(count)))
    return vectors, np.array(rows), np.array(draw(numbers)), np.array(draw(numbers))


@given(albums(), st.sampled_from([1, 3, 1 << 14]))
def test_the_mean_over_media_of_the_mean_over_their_pictures(album, block):
    seen = []
    numbers, found = pooled(
        *album, block=block, progress=lambda done, total: seen.append((done, total))
    )
    truth = naive(*album)
    assert numbers.tolist() == sorted(truth)
    for number, vector in zip(numbers.tolist(), found, strict=True):
        np.testing.assert_allclose(vector, truth[number], rtol=1e-12, atol=1e-12)
    assert seen == sorted(seen)
    assert seen[-1] == (len(album[1]), len(album[1]))


@pytest.mark.parametrize("seed", range(5))
def test_the_order_of_the_lines_changes_no_bit(seed):
    """Of numbers so far apart that each order of summing them rounds otherwise."""
    generator = np.random.default_rng(seed)
    wide = generator.standard_normal((400, 3)) * 10.0 ** generator.integers(-12, 12, (400, 1))
    columns = np.arange(400), generator.integers(0, 3, 400), generator.integers(0, 3, 400)
    order = generator.permutation(400)
    vectors = wide.astype(np.float32)
    one, other = pooled(vectors, *columns), pooled(vectors, *(each[order] for each in columns))
    assert one[1].tobytes() == other[1].tobytes()


def test_a_long_video_counts_as_much_as_a_still():
    vectors = np.array([[1, 0]] * 500 + [[0, 1]], np.float32)
    _, found = pooled(vectors, np.arange(501), np.zeros(501, int), [7] * 500 + [8])
    assert found.tolist() == [[0.5, 0.5]]


def test_the_file_as_ijb_has_it(tmp_path):
    path = tmp_path / "ijbc_face_tid_mid.txt"
    path.write_bytes("\ufeff1.jpg 1 69544\r\n\r\nimg/a b é.png 1 2\r\n1.jpg 20000 69544\n".encode())
    found = Templates.read(path)
    assert found.images.tolist() == ["1.jpg", "img/a b é.png", "1.jpg"]
    assert (found.templates.tolist(), found.media.tolist()) == ([1, 1, 20000], [69544, 2, 69544])
    assert found.numbers.tolist() == [1, 20000]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("2.jpg 1", "line 3: '2.jpg 1'; expected IMAGE TEMPLATE MEDIA"),
        ("2.jpg 1 -4", "line 3: '2.jpg 1 -4'"),
        ("2.jpg 1.0 4", "line 3: '2.jpg 1.0 4'"),
        ("2.jpg 1 99999999999999999999", "line 3: "),
        ("2.jpg,1,4", "line 3: .*a CSV of NIST's"),
        ("1 0", "line 3: .*the file of template pairs"),
        ("1.jpg 1 8", "line 3: '1.jpg' is in template 1 already"),
        ("../2.jpg 1 8", r"line 3: the path '../2.jpg' leaves its folder"),
        ("/2.jpg 1 8", "line 3: the path '/2.jpg' is absolute"),
    ],
)
def test_a_line_that_is_wrong(line, message, tmp_path):
    path = tmp_path / "x.txt"
    path.write_text(f"1.jpg 1 1\n\n{line}\n3.jpg 2 1\n")
    with pytest.raises(SourceError, match=message):
        Templates.read(path)


def test_a_file_without_lines(tmp_path):
    (tmp_path / "x.txt").write_text("\n")
    with pytest.raises(SourceError, match=r"x.txt: empty"):
        Templates.read(tmp_path / "x.txt")
    with pytest.raises(SourceError, match="no such file of templates"):
        Templates.read(tmp_path / "y.txt")


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ((["a"], [1], [1, 2]), "1 pictures, 1 templates, 2 media"),
        (([], np.empty(0, int), np.empty(0, int)), "0 pictures"),
        ((["a"], [1.0], [1]), "templates: float64"),
        ((["a", "b"], [1, -1], [1, 1]), "row 2: the number -1"),
    ],
)
def test_columns_that_are_wrong(columns, message):
    with pytest.raises(SourceError, match=message):
        Templates(*columns)


def test_pictures_are_found_below_other_folders():
    paths = ["loose_crop/1.jpg", "b/img/1.png", "c/img/1.png", "c/2.png", "2.png"]
    wanted = ["1.jpg", "c/img/1.png", "2.png", "9.jpg", "op/1.jpg", "crop/1.jpg"]
    assert rows_by_path(wanted, paths).tolist() == [0, 2, 4, -1, -1, -1]
    for unclear in ("1.png", "img/1.png"):
        with pytest.raises(SourceError, match=f"'{unclear}' could be 'b/img/1.png' or another"):
            rows_by_path([unclear], paths)


def test_templates_by_number():
    assert numbered(["x/12", "subject_000003/3"]) == {12: "x/12", 3: "subject_000003/3"}
    for wrong in ("x/12.jpg", "x/012", "x/-1", "x/１"):
        with pytest.raises(SourceError, match="is no template"):
            numbered([wrong])
    with pytest.raises(SourceError, match="template 12 is both 'x/12' and 'y/12'"):
        numbered(["x/12", "y/12"])
