"""Lists that tell too little: what their refusals say to run makes a list that is read."""

from __future__ import annotations

import textwrap

import pytest

from pairsets.errors import SourceError
from pairsets.sources.formats import read_pairs, sniff


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


def test_ijb_as_nist_ships_it_is_told_what_else_to_give(tmp_path):
    one = tmp_path / "ijbc_1N_gallery_G1.csv"
    one.write_text("TEMPLATE_ID,SUBJECT_ID,FILENAME,SIGHTING_ID\n1,100,img/1.jpg,1\n")
    matches, headed = tmp_path / "ijbc_11_G1_G2_matches.csv", tmp_path / "headed.csv"
    matches.write_text("1,2\n1,3\n")
    headed.write_text("ENROLL_TEMPLATE_ID,VERIF_TEMPLATE_ID\n1,2\n")
    for file, told in [
        (one, "a list of templates, not of pairs"),
        (matches, "two numbers a line and no label"),
        (headed, "name no label in their pairs"),
    ]:
        with pytest.raises(SourceError, match=told) as caught:
            sniff(file)
        assert "convert ijbc_11_G1_G2_matches.csv --templates ijbc_1N_gallery_G1" in str(
            caught.value
        )
        if file != one:
            with pytest.raises(SourceError, match="--templates"):
                read_pairs(file, "ijb")


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
