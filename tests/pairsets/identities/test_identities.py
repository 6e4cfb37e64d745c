"""Who a picture shows: folders, levels, patterns of published data sets, lists."""

import pytest

from pairsets import FacesError
from pairsets.faces import Faces
from pairsets.identities.lists import ByList
from pairsets.identities.patterns import NAMED, ByPattern, suggestions
from pairsets.identities.rules import ByLevel, nearly_all_single

MARKET = [
    *("-1_c1s1_000401_03.jpg", "0000_c1s1_000151_01.jpg", "0000_c2s1_000201_02.jpg"),
    *("0002_c1s1_000451_03.jpg", "0002_c2s1_000776_01.jpg", "0002_c3s1_001051_02.jpg"),
    *("0007_c1s6_028546_01.jpg", "0007_c2s3_071002_01.jpg", "0007_c3s3_077419_03.jpg"),
]
VIDEOS = [f"{who}/video{video}/{n}.jpg" for who in "ab" for video in (1, 2) for n in (1, 2)]


def plant(folder, *paths):
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(b"")
    return folder


# As each data set is published, with invented persons.
@pytest.mark.parametrize(
    ("name", "paths", "identities"),
    [
        ("market1501", MARKET, [None] * 3 + ["0002"] * 3 + ["0007"] * 3),
        ("dukemtmc", ["0005_c2_f0046985.jpg", "0007_c3_f0080487.jpg"], ["0005", "0007"]),
        (
            "msmt17",
            [
                "train/0000/0000_000_01_0303morning_0015_0.jpg",
                "test/0000/0000_001_05_0303morning_0020_2_ex.jpg",
            ],
            ["train/0000", "test/0000"],
        ),
        ("veri776", ["0002_c002_00030600_0.jpg", "0005_c003_00084295_1.jpg"], ["0002", "0005"]),
        ("cacd", ["41_Ada_Ash_0002.jpg", "25_Bo_Birch_0001.jpg"], ["Ada_Ash", "Bo_Birch"]),
        ("agedb", ["0_AdaAsh_35_f.jpg", "10008_BoBirch_102_m.jpg"], ["AdaAsh", "BoBirch"]),
        ("lfw", ["Ada_Ash_0001.jpg", "x/Bo_J._Birch_0012.jpg"], ["Ada_Ash", "Bo_J._Birch"]),
        ("calfw", ["Ada_Ash_0001.jpg"], ["Ada_Ash"]),
        ("cplfw", ["Ada_Ash_2.jpg"], ["Ada_Ash"]),
        ("facescrub", ["Ada_Ash_251.png", "Bo_Birch_50123.jpeg"], ["Ada_Ash", "Bo_Birch"]),
        ("splits", ["train/Ada/1.jpg", "Val/Ada/2.jpg"], ["Ada", "Ada"]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_names_of_published_data_sets(name, paths, identities):
    assert ByPattern(name).name(paths).identities == identities


def test_every_named_pattern_has_a_group_and_says_what_it_is_of():
    for name, one in NAMED.items():
        assert ByPattern(name).said == f"--identity-pattern {name}"
        assert one.about


def test_junk_and_distractors_are_nobody_and_are_counted(tmp_path):
    faces = Faces.scan(plant(tmp_path, *MARKET), ByPattern("market1501"))
    assert faces.identities.tolist() == ["0002"] * 3 + ["0007"] * 3
    assert faces.skipped == {
        "junk, nobody in particular": 1,
        "distractors, nobody in particular": 2,
    }
    assert faces.named == dict(zip(faces.paths, faces.identities, strict=True))


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("([a-z]+", "not a regular expression"),
        ("video[0-9]", "no group that is the identity"),
        ("market", "no pattern of that name; there are market1501"),
        ("(a)/(b)", "2 groups"),
        ("(person[0-9]+)/", "fits none of 8 paths"),
        (r"(a)/video1/1", "'a/video1/2.jpg' and 6 more are without an identity"),
    ],
)
def test_patterns_that_cannot_be_meant(pattern, message):
    with pytest.raises(FacesError, match=message):
        ByPattern(pattern).name(VIDEOS)


def test_a_group_called_identity_is_the_one_of_several():
    found = ByPattern(r"(video)(?P<identity>\d)/").name(VIDEOS[:4])
    assert found.identities == ["1", "1", "2", "2"]


def test_what_few_paths_lack_is_left_out_and_named():
    found = ByPattern("^([ab])/").name([*VIDEOS, "odd/1.jpg"])
    assert found.identities == [*"aaaabbbb", None]
    assert sum(found.left_out.values()) == 1
    assert "'odd/1.jpg'" in found.notes[0]


def test_the_first_folder_of_several(tmp_path):
    faces = Faces.scan(plant(tmp_path, *VIDEOS), ByLevel(1))
    assert sorted(set(faces.identities)) == ["a", "b"]


def test_namesakes_of_two_series_stay_two_and_are_told(tmp_path):
    paths = ["naruto/sakura/1.jpg", "cardcaptor/sakura/1.jpg", "cardcaptor/tomoyo/1.jpg"]
    faces = Faces.scan(plant(tmp_path, *paths), ByLevel(2))
    assert faces.count_identities == 3
    assert any("'sakura' stands in 2 places" in note for note in faces.notes)
    assert any("folders of one parent apart" in note for note in faces.notes)


def test_a_level_that_a_picture_does_not_have():
    with pytest.raises(FacesError, match=r"'b/2\.jpg' is in fewer folders than 2"):
        ByLevel(2).name(["a/x/1.jpg", "b/2.jpg"])


@pytest.mark.parametrize(
    ("paths", "messages"),
    [
        (VIDEOS, ["2 identities by --identity-level 1", "4 identities by --identity-level 2"]),
        (["a/x/1.jpg", "b/2.jpg"], ["others lie in 1", "2 identities by --identity-level 1"]),
        (["all/a/1.jpg", "all/b/1.jpg"], ["Or are the faces in", "all?"]),
        (MARKET, ["2 identities, 6 pictures", "--identity-pattern market1501"]),
        (["7.jpg", "8.jpg"], ["outside an identity folder", "--identities FILE"]),
        (
            [f"bounding_box_{part}/{name}" for part in ("train", "test") for name in MARKET],
            ["seem to be parts of a data set", "--identity-pattern market1501"],
        ),
        (
            [f"{part}/{name}" for part in ("query", "gt_bbox", "more") for name in MARKET],
            ["seem to be parts", "--identity-pattern market1501"],
        ),
        (["image_train/1.jpg", "image_test/2.jpg"], ["seem to be parts", "--identity-level 1"]),
        (["train/0/1.jpg", "test/0/2.jpg"], ["be given anew", "--identity-pattern splits"]),
    ],
    ids=[
        *("videos", "uneven", "one-too-high", "market", "numbers", "market-root", "market-parts"),
        *("image-train", "numbered-anew"),
    ],
)
def test_what_is_open_is_asked(tmp_path, paths, messages):
    with pytest.raises(FacesError) as caught:
        Faces.scan(plant(tmp_path, *paths))
    for message in messages:
        assert message in str(caught.value)


def test_a_person_is_one_across_the_parts_of_a_data_set(tmp_path):
    paths = ["train/ada/1.jpg", "train/bo/1.jpg", "val/ada/2.jpg", "val/cy/1.jpg"]
    faces = Faces.scan(plant(tmp_path, *paths))
    assert faces.identities.tolist() == ["ada", "bo", "ada", "cy"]
    assert "3 identities, 1 of them in several" in faces.notes[0]


def test_folders_with_a_split_in_their_names_are_folders(tmp_path):
    paths = ["dev_x/1.png", "val_y/1.png", "aki/1.png"]
    assert Faces.scan(plant(tmp_path / "three", *paths)).count_identities == 3
    paths = ["Val Kilmer/1.png", "Dev Patel/1.png"]
    assert Faces.scan(plant(tmp_path / "two", *paths)).count_identities == 2
    paths = [f"{name[:4]}/{name}" for name in MARKET if name[0] != "-"]
    assert Faces.scan(plant(tmp_path / "market", *paths)).count_identities == 3


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["25_Bo_Birch_0001.jpg", "52_Bo_Birch_0002.jpg"], ["cacd"]),
        (["0_AdaAsh_35_f.jpg", "1_AdaAsh_40_f.jpg"], ["agedb"]),
        (["0002_c002_00030600_0.jpg", "0002_c003_00084280_0.jpg"], ["veri776"]),
        (["Ada_Ash_0001.jpg", "Ada_Ash_0002.jpg"], ["lfw"]),
        (["Ada_Ash_1.jpg", "Ada_Ash_2.jpg"], ["cplfw"]),
        (["Ada_Ash_0001.jpg", "Bo_Birch_0001.jpg"], []),
        (["1.jpg", "2.jpg"], []),
    ],
)
def test_patterns_are_suggested_where_they_give_several_pictures(paths, names):
    assert [one.name for one in suggestions(paths)] == names


def test_identities_that_differ_in_case_alone_are_told(tmp_path):
    paths = ["Ada_Ash_0001.jpg", "ada_ash_0002.jpg"]
    faces = Faces.scan(plant(tmp_path, *paths), ByPattern("lfw"))
    assert faces.count_identities == 2
    assert "case" in faces.notes[0]


def test_nearly_all_single():
    assert nearly_all_single("aab") is None
    assert nearly_all_single([*map(str, range(19)), "0"]) == (19, 18)
    assert nearly_all_single([*map(str, range(9)), "0"]) is None


FLAT = ["1.jpg", "2.jpg", "3.jpg"]


@pytest.mark.parametrize(
    ("text", "paths", "identities"),
    [
        ("1.jpg 2880\n2.jpg 2880\n3.jpg 7\n", FLAT, ["2880", "2880", "7"]),
        ("\ufeff1.jpg\t2880\r\n2.jpg\t2880\r\n3.jpg\t7\r\n", FLAT, ["2880", "2880", "7"]),
        ("2880 1.jpg\n2880 2.jpg\n", FLAT, ["2880", "2880", None]),
        ("a b/1.jpg x\n", ["a b/1.jpg"], ["x"]),
        ("1.jpg Ada Ash\n2.jpg Bea Ash\n3.jpg Ada Ash\n", FLAT, ["Ada Ash", "Bea Ash", "Ada Ash"]),
        ("1.jpg Ada Ash\n2.jpg Rei\n", ["1.png", "2.png"], ["Ada Ash", "Rei"]),
        ("Ada Ash a/1.jpg\nBea Ash a/2.jpg\n", ["a/1.jpg", "a/2.jpg"], ["Ada Ash", "Bea Ash"]),
        ("Ada Ash a b/1 c.jpg\n", ["a b/1 c.jpg"], ["Ada Ash"]),
        ("1 c.jpg Ada Ash\n", ["a b/1 c.jpg"], ["Ada Ash"]),
        ("label,path,split\n0,1.jpg,val\n1,2.jpg,val\n", FLAT, ["0", "1", None]),
        ("path,identity\n1.jpg,rei\n2.jpg,\n", FLAT[:2], ["rei", None]),
        ("0,1.jpg\n0,2.jpg\n1,3.jpg\n", FLAT, ["0", "0", "1"]),
        ("1,a/1.jpg\n2,a/2.jpg\n", ["a/1.jpg", "a/2.jpg"], ["1", "2"]),
        ("label,path\n5,images/1.jpg\n6,images/2.jpg\n", FLAT[:2], ["5", "6"]),
        ("1.jpg 5\n2.jpg 6\n", ["img/1.jpg", "img/2.jpg"], ["5", "6"]),
        ("1.jpg 5\n2.jpg 6\n", ["1.png", "2.png"], ["5", "6"]),
        ("label,path\n5,.\\a\\1.jpg\n", ["a/1.jpg"], ["5"]),
    ],
    ids=[
        *("celeba", "tabs-crlf-bom", "identity-first", "blanks"),
        *("names-of-two-words", "and-png-of-jpg", "words-first", "words-first-of-blanks"),
        *("words-without-folders", "oml", "untold", "no-header"),
        *("numbers-no-header", "folders-above", "without-folders", "png-of-jpg", "windows"),
    ],
)
def test_lists(tmp_path, text, paths, identities):
    (tmp_path / "list.txt").write_bytes(text.encode())
    assert ByList(tmp_path / "list.txt").name(paths).identities == identities


def test_what_a_list_lacks_and_what_it_has_besides_is_counted(tmp_path):
    (tmp_path / "list.txt").write_text("1.jpg 5\n9.jpg 6\n")
    found = ByList(tmp_path / "list.txt").name(FLAT)
    assert found.left_out == {"not in the list list.txt": 2}
    assert "1 of its 2 files are not among the pictures, '9.jpg' for one" in found.notes[0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty"),
        ("8.jpg 5\n", "not one of its 1 files, as '8.jpg'"),
        ("1.jpg 5\n1.jpg 6\n", "line 2: '1.jpg' is '6', but '5' in line 1"),
        ("../1.jpg 5\n", "line 1: the path '../1.jpg' leaves its folder"),
        ("/data/1.jpg 5\n", "line 1: the path '/data/1.jpg' is absolute"),
        ("1.jpg\n2.jpg\n", "expected FILE ID"),
        (",,\n, ,\n", "no row with a value; expected FILE ID"),
        ("1.jpg 2880 1\n2.jpg 2880 0\n", "'1.jpg 2880 1'; which value is the identity"),
        ("path,label,id\n1.jpg,5,6\n", "2 columns may be the identity"),
        ("path,age\n1.jpg,5\n", None),
        ("path,age,size\n1.jpg,5,6\n", "no column is the identity"),
        ("age,label\n5,6\n", "no column holds paths"),
        ("1.jpg,5,6\n", "3 columns without a header"),
        ("1.jpg,5\n2.jpg\n", "line 2: 1 values, and 2 in line 1"),
        ("label,path\n5,x/1.jpg\n6,y/2.jpg\n", "all fit the pictures"),
    ],
)
def test_lists_that_cannot_be_read(tmp_path, text, message):
    (tmp_path / "list.txt").write_text(text)
    if message is None:
        assert ByList(tmp_path / "list.txt").name(["1.jpg"]).identities == ["5"]
        return
    with pytest.raises(FacesError) as caught:
        ByList(tmp_path / "list.txt").name(FLAT)
    assert message in str(caught.value)
    assert "list.txt" in str(caught.value)


def test_the_column_is_chosen_where_two_may_be_meant(tmp_path):
    (tmp_path / "list.csv").write_text("path,label,id\n1.jpg,5,6\n")
    rule = ByList.of(f"id={tmp_path / 'list.csv'}")
    assert rule.name(["1.jpg"]).identities == ["6"]
    for text in ("path,label,id\n1.jpg,5,6\n", "1.jpg 5\n"):
        (tmp_path / "list.csv").write_text(text)
        with pytest.raises(FacesError, match="no column 'who'"):
            ByList(tmp_path / "list.csv", "who").name(["1.jpg"])


def test_a_file_may_be_two_without_its_folders(tmp_path):
    (tmp_path / "list.txt").write_text("1.jpg 5\n")
    with pytest.raises(FacesError, match=r"'1\.jpg' may be 'a/1\.jpg' or 'b/1\.jpg'"):
        ByList(tmp_path / "list.txt").name(["a/1.jpg", "b/1.jpg"])
