"""Lists that tell too little: what their refusals say to run makes a list that is read."""

from __future__ import annotations

import textwrap

import pytest

from pairsets.errors import SourceError
from pairsets.sources.formats import read_pairs, sniff
from pairsets.sources.templates import Templates


def program(path):
    """The program in the refusal of a file."""
    with pytest.raises(SourceError) as caught:
        sniff(path)
    lines = str(caught.value).split("\n")
    assert lines[0].startswith(f"{path}: ")
    inside = [at for at, line in enumerate(lines) if line.startswith("    ")]
    return textwrap.dedent("\n".join(lines[inside[0] : inside[-1] + 1]))


def run(text):
    exec(compile(text, "message", "exec"), {})


def test_ijb_as_nist_ships_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    columns = "TEMPLATE_ID,SUBJECT_ID,FILENAME,SIGHTING_ID,FACE_X,FACE_Y,FACE_WIDTH,FACE_HEIGHT\n"
    one, other = tmp_path / "ijbc_1N_gallery_G1.csv", tmp_path / "ijbc_1N_gallery_G2.csv"
    one.write_text(columns + "1,100,img/1.jpg,1,9,9,5,5\n2,100,img/2.jpg,2,9,9,5,5\n")
    other.write_text(columns + "3,101,img/3.jpg,3,9,9,5,5\n")
    (tmp_path / "ijbc_1N_probe_mixed.csv").write_text(columns + "4,101,frames/4.png,8,9,9,5,5\n")
    matches = tmp_path / "ijbc_11_G1_G2_matches.csv"
    matches.write_text("1,2\n1,3\n2,3\n3,4\n")
    assert program(matches) == program(one)
    run(program(matches))
    found = read_pairs(tmp_path / "template_pair_label.txt")
    assert found.pairs.label.tolist() == [1, 0, 0, 1]
    assert found.pairs.path_b.tolist()[0] == "subject_000001/2"
    templates = Templates.read(tmp_path / "face_tid_mid.txt")
    assert templates.images.tolist() == ["img/1.jpg", "img/2.jpg", "img/3.jpg", "frames/4.png"]
    assert templates.media.tolist() == [1, 2, 3, 8]
    with pytest.raises(SourceError, match="two numbers a line and no label"):
        read_pairs(matches, "ijb")


@pytest.mark.parametrize("kind", ["FF", "FP"])
def test_cfp_as_published(kind, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    root = tmp_path / "Protocol"
    for side, view in (("F", "frontal"), ("P", "profile")):
        lines = [f"{n} ../Data/Images/{n:03d}/{view}/01.jpg\n" for n in range(1, 10)]
        (root / "Split" / f"F{side}").mkdir(parents=True)
        (root / f"Pair_list_{side}.txt").write_text("".join(lines))
    for number in range(1, 4):
        folder = root / "Split" / kind / f"{number:02d}"
        folder.mkdir()
        same = "1,1\n2,2\n" if kind == "FP" else "1,2\n2,3\n"
        (folder / "same.txt").write_text(same.replace("1", str(number)))
        (folder / "diff.txt").write_text(f"{number},{number + 4}\n{number},{number + 5}\n")
    text = program(root / "Split" / kind / "01" / "same.txt")
    run(text if kind == "FP" else text.replace('"FP"', '"FF"'))
    if kind == "FF":
        # Not who is in the pictures, but how they are told from one another.
        first = (tmp_path / "cfp.txt").read_text().splitlines()[0]
        expected = "Data/Images/001/frontal/01.jpg Data/Images/002/frontal/01.jpg 1"
        assert first == expected
        return
    found = read_pairs(tmp_path / "cfp.txt")
    assert found.folds.numbers.tolist()[:4] == [1, 1, 1, 1]
    assert len(found.folds) == 3
    assert found.pairs.path_b[0] == "Data/Images/001/profile/01.jpg"
    # A person's folder holds one of frontal and one of profile pictures.
    assert found.pairs.names(0) == ("Data/Images/001",) * 2
    assert not found.pairs.contradicting.any()
