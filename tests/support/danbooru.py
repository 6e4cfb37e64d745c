"""Made-up metadata of Danbooru, with the quirks of the real dumps, and boxes of faces for it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

# Of real posts: a third has no character, a third of the rest more than one.
TAGS_A_POST = 27
_WORDS = ("long", "blue", "hair", "skirt", "ribbon", "smile", "open", "white", "gloves", "holding")
_ODD = (
    "夕立_(艦隊これくしょん)",
    "a&b",
    "fate/zero",
    "zoe\u0308",
    ":3",
    "\\o/",
    "x'y\"z",
    "é_(e)",
    "🙂",
)


def tag(name: object, category: object = "0", number: object = "1") -> dict[str, Any]:
    """A tag as Danbooru2020 has it."""
    return {"id": number, "name": name, "category": category}


def post(number: object, *characters: str, **changes: Any) -> dict[str, Any]:
    """A post as Danbooru2020 has it, of these characters; a change to None takes a field away."""
    found: dict[str, Any] = {
        "id": str(number),
        "created_at": "2016-03-01 09:14:51 UTC",
        "uploader_id": "15",
        "score": "4",
        "source": f"https://i.pximg.net/img-original/img/2016/03/01/{number}_p0.jpg",
        "md5": f"{hash(number) & 2**60 - 1:032x}",
        "last_commented_at": "1970-01-01 00:00:00 UTC",
        "rating": "s",
        "image_width": "700",
        "image_height": "980",
        "is_note_locked": False,
        "file_ext": "jpg",
        "last_noted_at": "1970-01-01 00:00:00 UTC",
        "is_rating_locked": False,
        "parent_id": "0",
        "has_children": False,
        "approver_id": "0",
        "file_size": "412023",
        "is_status_locked": False,
        "up_score": "4",
        "down_score": "0",
        "is_pending": False,
        "is_flagged": False,
        "is_deleted": False,
        "updated_at": "2018-07-12 06:28:12.05921 UTC",
        "is_banned": False,
        "pixiv_id": "0",
        "tags": [tag("1girl"), tag("solo"), *(tag(name, "4") for name in characters)],
        "pools": [],
        "favs": ["15", "283"],
    }
    return {name: value for name, value in (found | changes).items() if value is not None}


def newer(number: int, *characters: str, **changes: Any) -> dict[str, Any]:
    """A post as later dumps have it: numbers are numbers, tags are strings."""
    found: dict[str, Any] = {
        "id": number,
        "created_at": "2022-01-03T06:00:39.711-05:00",
        "rating": "g",
        "image_width": 700,
        "image_height": 980,
        "file_ext": "png",
        "is_deleted": False,
        "is_banned": False,
        "tag_string": " ".join(["1girl", "solo", *characters]),
        "tag_string_general": "1girl solo",
        "tag_string_character": " ".join(characters),
    }
    return {name: value for name, value in (found | changes).items() if value is not None}


def write_lines(path: Path, posts: list[Any]) -> Path:
    """Write a file of posts; a str is a line as it stands."""
    lines = [one if isinstance(one, str) else json.dumps(one, ensure_ascii=False) for one in posts]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes("".join(line + "\n" for line in lines).encode())
    return path


def write_faces(path: Path, faces: dict[Any, list[Any]], score: float = 0.9) -> Path:
    """Write boxes by post, as a detector gives them; `(box, score)` has its own score."""
    content = {}
    for number, boxes in faces.items():
        both = [one if len(one) == 2 else (one, score) for one in boxes]
        content[str(number)] = [{"bbox": list(box), "score": sure} for box, sure in both]
    path.write_text(json.dumps(content))
    return path


def quirky(dice: Random, number: int, names: list[str]) -> dict[str, Any]:
    """A post with some of the quirks that real dumps have."""
    some = [dice.choice(names) for _ in range(dice.choice((0, 1, 1, 1, 1, 2)))]
    if dice.random() < 0.3:
        found = newer(number, *(name.replace(" ", "_") for name in some))
    else:
        found = post(number, *some)
        for one in found["tags"]:
            one["category"] = dice.choice((str, int))(one["category"])
        dice.shuffle(found["tags"])
    found["id"] = dice.choice((str, int))(number)
    quirks: list[dict[str, Any]] = [
        {"is_deleted": dice.choice((True, "1", 1, "true", "True", "t"))},
        {"is_deleted": dice.choice((False, "0", 0, "false", None, ""))},
        {"is_banned": dice.choice((True, "1", "true"))},
        {"rating": dice.choice(("q", "e", "S", "safe", "", None, 7))},
        {"file_ext": dice.choice(("zip", "mp4", "PNG", "gif", "swf", "", None))},
        {"tags": dice.choice(([], [None, 7, "x"], [{"category": "4"}], [tag(None, 4)], None))},
        {"tags": [tag(dice.choice(names), "4"), {"name": "no category"}, tag([], "4")]},
        {"tags": [tag("  ", "4")], "tag_string_character": None},
        {"tags": [tag(some[0], "4"), tag(some[0], 4)] if some else None},
    ]
    for quirk in dice.sample(quirks, dice.choice((0, 0, 0, 1, 1, 2))):
        for name, value in quirk.items():
            found[name] = value
            if value is None:
                del found[name]
    return found


def names_of(count: int) -> list[str]:
    """Names of characters, some of them odd, as tags are written."""
    return [*_ODD, *(f"character_{at}_(series_{at % 97})" for at in range(count))][:count]


def real_sized(count: int, *, characters: int, seed: int = 0) -> Iterator[tuple[str, bool]]:
    """Lines of about 2.4 kB, as real ones are, and whether each post is to have one face.

    Characters differ in how often they occur, as real ones do: many are in two posts or three.
    """
    dice = Random(seed)
    names = names_of(characters)
    words = [f"{one}_{other}_{at}" for at in range(40) for one in _WORDS for other in _WORDS]
    general = [json.dumps(tag(word, "0", str(470000 + at))) for at, word in enumerate(words)]
    whole = json.dumps(post("NUMBER", favs=[]) | {"tags": ["TAGS"]})
    before, _, behind = whole.partition('"TAGS"')
    for number in range(1, count + 1):
        some = dice.choices((0, 1, 2), (0.3, 0.5, 0.2))[0]
        tags = dice.sample(general, dice.randrange(TAGS_A_POST - 12, TAGS_A_POST + 13))
        for _ in range(some):
            at = int(characters * dice.random() ** 2)
            tags.append(json.dumps(tag(names[at], "4", str(at)), ensure_ascii=False))
        favs = ", ".join(f'"{dice.randrange(500_000)}"' for _ in range(dice.randrange(30)))
        line = f"{before}{', '.join(tags)}{behind}".replace('"favs": []', f'"favs": [{favs}]')
        line = line.replace("NUMBER", str(number))
        if dice.random() < 0.25:
            line = line.replace('"rating": "s"', f'"rating": "{dice.choice("qe")}"')
        yield line, dice.random() < 0.75
