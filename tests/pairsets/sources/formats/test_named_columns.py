"""Tables whose columns are called otherwise: which are found, and when it has to be asked."""

from __future__ import annotations

import json
import re

import pytest

from pairsets.errors import SourceError
from pairsets.sources.formats import candidates, read_pairs, sniff
from pairsets.sources.formats.named_columns import pairs_among

PUBLISHED = """\
pair_id,fold_id,fold_position,is_same,image_a,image_b,image_a_path,image_b_path
0,1,0,1,A_1.jpg,A_2.jpg,A/A_1.jpg,A/A_2.jpg
1,1,1,0,A_1.jpg,B_1.jpg,A/A_1.jpg,B/B_1.jpg
2,2,0,1,C_1.jpg,C_2.jpg,C/C_1.jpg,C/C_2.jpg
3,2,1,0,C_1.jpg,D_1.jpg,C/C_1.jpg,D/D_1.jpg
"""


def write(tmp_path, text, name="pairs.csv"):
    path = tmp_path / name
    path.write_text(text)
    return path


def test_a_published_table_with_its_folds(tmp_path):
    path = write(tmp_path, PUBLISHED)
    assert sniff(path) == "table"
    found = read_pairs(path)
    assert found.pairs.path_a.tolist() == ["A/A_1.jpg", "A/A_1.jpg", "C/C_1.jpg", "C/C_1.jpg"]
    assert found.pairs.path_b.tolist() == ["A/A_2.jpg", "B/B_1.jpg", "C/C_2.jpg", "D/D_1.jpg"]
    assert found.pairs.label.tolist() == [1, 0, 1, 0]
    assert found.folds.numbers.tolist() == [1, 1, 2, 2]
    assert found.notes == (
        "read from the columns image_a_path, image_b_path, is_same, fold_id",
        "columns left out: pair_id, fold_position, image_a, image_b",
    )


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ("img1,img2,label", [("img1", "img2")]),
        ("label,left,right", [("left", "right")]),
        ("path_1,path_2,same", [("path_1", "path_2")]),
        ("imageA,imageB,match", [("imageA", "imageB")]),
        ("file1,file2,file3", [("file1", "file2")]),
        ("name1,name2,label", []),
        ("anchor,positive,label", []),
        ("a,b,label", []),
        ("score1,score2,label", []),
    ],
)
def test_names_of_two_paths(names, expected):
    assert pairs_among(names.split(",")) == expected


def test_a_first_pair_is_no_header(tmp_path):
    text = "face/1.jpg,face/2.jpg,same\nface/1.jpg,face/3.jpg,different\n"
    path = write(tmp_path, text)
    assert candidates(path) == ["trials"]
    assert read_pairs(path).pairs.label.tolist() == [1, 0]


@pytest.mark.parametrize(
    "header", ["img1,img2,label", "label,left,right", "imageA,imageB,is_match"]
)
@pytest.mark.parametrize("ending", ["csv", "tsv", "semicolons", "jsonl"])
def test_tables_of_any_kind(header, ending, tmp_path):
    names = header.split(",")
    rows = [("A/1.jpg", "A/2.jpg", 1), ("A/1.jpg", "B/1.jpg", 0)]
    cells = [row if names[0] != "label" else (row[2], *row[:2]) for row in rows]
    if ending != "jsonl":
        mark = {"csv": ",", "tsv": "\t", "semicolons": ";"}[ending]
        text = "".join(mark.join(map(str, row)) + "\n" for row in [names, *cells])
    else:
        text = "".join(json.dumps(dict(zip(names, row, strict=True))) + "\n" for row in cells)
    found = read_pairs(write(tmp_path, text, "x"))
    pairs = found.pairs
    assert list(zip(pairs.path_a, pairs.path_b, pairs.label.tolist(), strict=True)) == rows


@pytest.mark.parametrize("label", ["true", "1.0", "1"])
def test_labels_of_json(label, tmp_path):
    other = {"true": "false", "1.0": "0.0", "1": "0"}[label]
    text = "".join(
        f'{{"img1": "A/1.jpg", "img2": "{b}", "same": {x}}}\n'
        for b, x in (("A/2.jpg", label), ("B/1.jpg", other))
    )
    assert read_pairs(write(tmp_path, text, "x")).pairs.label.tolist() == [1, 0]


def test_columns_may_be_named(tmp_path):
    path = write(
        tmp_path,
        "probe,reference,verdict,part\nA/1.jpg,A/2.jpg,same,7\nA/1.jpg,B/1.jpg,different,9\n",
    )
    assert not candidates(path)
    found = read_pairs(path, "table", columns="probe,reference,verdict,part")
    assert found.pairs.label.tolist() == [1, 0]
    assert found.folds.numbers.tolist() == [1, 2]
    with pytest.raises(SourceError, match="no column referent; it has probe, reference, verdict"):
        read_pairs(path, "table", columns="probe,referent,verdict")
    for wrong in ("probe,reference", "a,b,c,d,e", "a,a,b", "a,,b"):
        with pytest.raises(SourceError, match="expected the names of three or four"):
            read_pairs(path, "table", columns=wrong)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("img1,img2,face1,face2,label\na,b,c,d,1\n",
         "the two paths could be img1,img2 or face1,face2: say which with --columns"),
        ("img1,img2,label,same\na,b,1,1\n", "the label could be label or same: say which"),
        ("img1,img2,same,fold,fold_id\na,b,1,1,1\n", "the fold could be fold or fold_id"),
        ("img1,img2,score\na,b,0.5\n", "no label known among them by name"),
        ("probe,reference,label\na,b,1\n", "no two paths known among them by name"),
        ("img1,img2,same\na,,1\n", "line 2: img2 is '', expected the path of a face"),
        ("img1,img2,same\na,b,0.7\n", "line 2: label '0.7'; expected 0 or 1"),
        ("img1,img2,same,fold\na/1,b/1,0,x\n", "line 2: fold is 'x', expected a whole number"),
        ("img1,img2,same\n", "a header and no pairs"),
    ],
    ids=["two-pairs", "two-labels", "two-folds", "scores", "no-paths", "empty", "no-label", "fold",
         "no-rows"],
)  # fmt: skip
def test_what_has_to_be_asked_or_is_wrong(text, told, tmp_path):
    path = write(tmp_path, text)
    with pytest.raises(SourceError, match=f"^{re.escape(str(path))}.*{told}"):
        read_pairs(path, "table")


def test_flat_pictures_of_a_table(tmp_path):
    """Whom no folder tells, positives do."""
    found = read_pairs(write(tmp_path, "img1,img2,same\n1.jpg,2.jpg,1\n3.jpg,4.jpg,0\n"))
    assert found.pairs.names(0) == ("as 1.jpg", "as 1.jpg")
    assert found.pairs.names(1) == ("as 3.jpg", "as 4.jpg")
