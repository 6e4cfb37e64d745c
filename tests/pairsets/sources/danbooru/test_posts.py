"""A post as dumps of all years have it: of whom it is, or why it is left out."""

from __future__ import annotations

import pytest
from support.danbooru import newer, post, tag

from pairsets.errors import SourceError
from pairsets.sources.danbooru.posts import (
    BANNED,
    DELETED,
    FILE,
    NAMELESS,
    NOBODY,
    RATED,
    SEVERAL,
    UNRATED,
    UNSAID,
    UNTYPED,
    Rule,
    post_id,
)

REI = "ayanami_rei"


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        (post(1, REI), REI),
        (newer(1, REI), REI),
        (newer(1, REI, tags=[]), REI),
        (newer(1, "a\u3000b"), "a\u3000b"),
        (newer(1, "a/b", tag_string_character="  a/b \n"), "a/b"),
        (post(1, tags=[tag(REI, 4)]), REI),
        (post(1, tags=[tag(REI, 4.0), tag(REI, "4", "2")]), REI),
        (post(1, tags=[7, None, tag("solo"), {"name": "x"}, {"category": 4, "name": REI}]), REI),
        (post(1, tags=[tag(1941, "4")]), "1941"),
        (post(1, "zoe\u0308", tag_string_character=REI), "zoe\u0308"),
        (post(1, REI, is_deleted="0", is_banned=0, rating=" S "), REI),
        (post(1, REI, is_deleted=None, is_banned=None), REI),
        (post(1, REI, rating="general", file_ext=".JPEG"), REI),
        # Two tags of category 4 at least, however they are written.
        (post(1, REI, "asuka"), SEVERAL),
        (newer(1, REI, "asuka"), SEVERAL),
        (post(1, REI, "Ayanami_rei"), SEVERAL),
        (post(1, tags=[tag(REI, "4"), tag(None, "4")]), SEVERAL),
        (post(1), NOBODY),
        (newer(1), NOBODY),
        (post(1, tags=[]), NOBODY),
        (post(1, tags=None), UNSAID),
        (post(1, tags="1girl solo"), UNSAID),
        (post(1, tags={"4": REI}), UNSAID),
        (post(1, tags=[tag(REI, "14"), tag(REI, True), tag(REI, [4])]), NOBODY),
        (newer(1, tag_string_character=[REI]), REI),
        *(
            (post(1, tags=[tag(name, 4)]), NAMELESS)
            for name in ("", "  ", None, [], "a\0", "\ud800")
        ),
        *((post(1, REI, is_deleted=yes), DELETED) for yes in (True, 1, "1", "true", "True", "t")),
        (newer(1, REI, is_banned="TRUE"), BANNED),
        *((post(1, REI, rating=other), RATED) for other in ("q", "e", "", 7, ["s"])),
        (post(1, REI, rating=None), UNRATED),
        *((post(1, REI, file_ext=other), FILE) for other in ("zip", "mp4", "", 3)),
        (post(1, REI, file_ext=None), UNTYPED),
    ],
)
def test_judged(found, verdict):
    assert Rule().judge(found) == verdict


def test_the_first_reason_counts():
    changes = {
        "is_deleted": (True, DELETED),
        "is_banned": (True, BANNED),
        "rating": ("e", RATED),
        "file_ext": ("zip", FILE),
    }
    wrong = {name: value for name, (value, _) in changes.items()}
    for name, (_, reason) in changes.items():
        assert Rule().judge(post(1, **wrong)) == reason
        del wrong[name]
    assert Rule().judge(post(1, **wrong)) == NOBODY


def test_a_rule_that_takes_more():
    found = post(1, REI, is_deleted=True, is_banned=True, rating="e", file_ext="zip")
    rule = Rule(("e",), (" .ZIP ",), keep_deleted=True, keep_banned=True)
    assert rule.judge(found) == REI
    assert rule.judge(found | {"rating": "s"}) == RATED
    assert rule == Rule(("e", "e"), ("zip", "ZIP"), True, True)


@pytest.mark.parametrize(
    ("ratings", "extensions", "told"),
    [
        (("safe",), ("jpg",), "rating 'safe': unknown; expected some of g, s, q, e"),
        ((), ("jpg",), "no rating is left"),
        (("s",), (), "no extension, or an empty one"),
        (("s",), ("jpg", "."), "no extension, or an empty one"),
    ],
)
def test_rules_that_are_refused(ratings, extensions, told):
    with pytest.raises(SourceError, match=told):
        Rule(ratings, extensions)


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("263167", 263167),
        (263167, 263167),
        ("007", 7),
        (0, 0),
        (2**31 - 1, 2**31 - 1),
        *(
            (other, None)
            for other in (2**31, -1, "-1", "", "1.5", 1.0, True, None, "١", "9" * 5000)
        ),
    ],
)
def test_the_number_of_a_post(written, number):
    assert post_id({"id": written}) == number


DL = {"rating": "general", "extension": "jpg", "tags": ["1girl", REI]}


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        pytest.param({**DL, "tags_character": [REI]}, REI, id="gallery-dl, a list"),
        pytest.param({**DL, "tags_character": REI}, REI, id="gallery-dl, a text"),
        pytest.param({**DL, "tag_string_character": REI}, REI, id="Danbooru's text beside a list"),
        pytest.param(
            {**DL, "tags_character": "", "tag_string_character": REI}, REI, id="one empty"
        ),
        pytest.param({**DL, "tags_character": [REI, "asuka"]}, SEVERAL, id="a list of two"),
        pytest.param({**DL, "tags_character": f"{REI} asuka"}, SEVERAL, id="a text of two"),
        pytest.param({**DL, "tags_character": []}, NOBODY, id="an empty list"),
        pytest.param({**DL, "tags_general": "1girl"}, NOBODY, id="other categories alone"),
        pytest.param({**DL, "tags_character": [None]}, NAMELESS, id="a list of nothing"),
        pytest.param({**DL, "tags_character": {"a": 1}}, NAMELESS, id="an object"),
        pytest.param(DL, UNSAID, id="a list of texts alone"),
        pytest.param({**DL, "tags": [REI, tag("asuka", 4)]}, "asuka", id="texts and objects"),
        pytest.param({**DL, "tags": {"character": [REI], "general": []}}, REI, id="e621"),
        pytest.param({**DL, "tags": {"character": [], "general": ["x"]}}, NOBODY, id="e621, none"),
        pytest.param({**DL, "tags": {"general": ["x"]}}, NOBODY, id="e621, no place for any"),
        pytest.param({**DL, "tags": [{"name": REI, "type": 4}]}, UNSAID, id="types of Sankaku"),
        pytest.param(newer(1, REI, flags={"deleted": True}), DELETED, id="e621, deleted"),
        pytest.param(newer(1, REI, flags={"deleted": False}), REI, id="e621, not deleted"),
        pytest.param(newer(1, REI, flags=["deleted"]), REI, id="flags of another kind"),
        pytest.param(newer(1, REI, status="deleted"), DELETED, id="Moebooru, deleted"),
        pytest.param(newer(1, REI, status="active"), REI, id="Moebooru, not deleted"),
        pytest.param(
            newer(1, REI, file_ext=None, file={"ext": "JPG"}), REI, id="a type within the file"
        ),
        pytest.param(newer(1, REI, file_ext=None, file={"ext": "zip"}), FILE, id="a zip there"),
        pytest.param(newer(1, REI, file_ext=None, image="ab.cd.png"), REI, id="by the file's name"),
        pytest.param(newer(1, REI, file_ext=None, image="abcd"), UNTYPED, id="no ending"),
        pytest.param(
            newer(1, REI, file_ext=None, file_url="https://x.y/z/a.mp4?b=c.jpg"), FILE, id="a film"
        ),
    ],
)
def test_judged_as_other_tools_have_it(found, verdict):
    assert Rule().judge({"id": 1, **found}) == verdict


def test_what_is_deleted_elsewhere_may_be_kept():
    found = newer(1, REI, flags={"deleted": True}, status="deleted")
    assert Rule(keep_deleted=True).judge(found) == REI
