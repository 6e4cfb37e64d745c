"""A post read for its fields alone is judged as all of it is, odd lines included."""

from __future__ import annotations

import json
from random import Random

import msgspec
import pytest
from support.danbooru import names_of, newer, post, quirky, tag

from pairsets.sources.danbooru import blocks
from pairsets.sources.danbooru.blocks import read_block
from pairsets.sources.danbooru.post_fields import OtherFields, Tag, fields_of
from pairsets.sources.danbooru.posts import Rule, post_id

NAMES = names_of(12)
DEEP = 500


def line_of(value):
    return json.dumps(value, ensure_ascii=False).encode(errors="surrogatepass")


def judged(data, monkeypatch=None):
    """All that a block tells; by Python's reader alone where there is a patch to say so."""
    if monkeypatch is not None:
        monkeypatch.setattr(blocks, "fields_of", lambda line: None)
    found = read_block(data, Rule())
    if monkeypatch is not None:
        monkeypatch.undo()
    told = found.lines, found.strays, found.shown, found.names
    return (*told, found.ids.tolist(), found.marks.tolist())


def raw(**fields):
    """A post as text, with fields that stand there as they are given."""
    whole = line_of(post(5, "rei"))[:-1]
    return whole + b"".join(b', "%s": %s' % (k.encode(), v) for k, v in fields.items()) + b"}"


QUIRKS = {
    "a key twice": raw(rating=b'"e"'),
    "tags twice": raw(tags=line_of([tag("asuka", 4)])),
    "tags twice, then none": raw(tags=b"null"),
    "a field of a tag twice": raw(tags=b'[{"name": "x", "name": "y", "category": 4}]'),
    "a key that is escaped": raw(**{"ra\\u0074ing": b'"e"'}),
    "a number beyond 64 bits": raw(score=b"1" * 30, is_deleted=b"1" * 30),
    "an id beyond 64 bits": raw(id=b"1" * 30),
    "an id of a fraction": raw(id=b"5.0"),
    "an id of an exponent": raw(id=b"5e0"),
    "an id of nought": raw(id=b"-0"),
    "an id that is true": raw(id=b"true"),
    "too many digits": raw(x=b"1" * 4301),
    "too many digits at the beginning": b'{"x": ' + b"1" * 4301 + b", " + raw()[1:],
    "just not too many digits": raw(x=b"1" * 4300),
    "too many digits of a fraction": raw(x=b"0." + b"1" * 5000),
    "many digits in a text": raw(x=b'"' + b"1" * 9000 + b'"'),
    "NaN": raw(x=b"NaN"),
    "infinity": raw(x=b"-Infinity"),
    "beyond any float": raw(x=b"1e999", score=b"-1e999", is_banned=b"1e999"),
    "a leading zero": raw(x=b"01"),
    "a bare point": raw(x=b"1."),
    "a plus": raw(x=b"+1"),
    "half a word": raw(x=b"tru"),
    "no UTF-8 where nobody looks": raw(x=b'"\xff\xfe"'),
    "no UTF-8 in a key": raw(x=b'1, "\xc3\x28": 2'),
    "a surrogate as UTF-8": raw(x=b'"\xed\xa0\x80"'),
    "an overlong dot": raw(x=b'"\xc0\xae"'),
    "a lone surrogate": raw(x=b'"\\ud800"'),
    "a lone surrogate in a name": raw(tags=b'[{"name": "\\ud800", "category": 4}]'),
    "a pair of surrogates": raw(tags=b'[{"name": "\\ud83d\\ude42", "category": 4}]'),
    "surrogates the wrong way": raw(x=b'"\\ude42\\ud83d"'),
    "a control character": raw(x=b'"a\x01b"'),
    "a tab in a text": raw(x=b'"a\tb"'),
    "a delete in a text": raw(x=b'"a\x7fb"'),
    "nothing in a name": raw(tags=b'[{"name": "a\\u0000", "category": 4}]'),
    "an escape that is none": raw(x=b'"\\x41"'),
    "half an escape": raw(x=b'"\\u12g4"'),
    "deep": raw(x=b"[" * DEEP + b"]" * DEEP),
    "deep objects": raw(x=b'{"a":' * DEEP + b"1" + b"}" * DEEP),
    "too deep": raw(x=b"[" * 100_000 + b"]" * 100_000),
    "too deep in a tag": raw(tags=b"[" * 100_000 + b"]" * 100_000),
    "a comma too many": raw(x=b"[1,]"),
    "a comma too many at the end": raw(x=b"1,"),
    "something behind it": raw() + b" x",
    "space behind it": raw() + b" \t\r",
    "another kind of space behind it": raw() + b"\x0b",
    "a mark of byte order": b"\xef\xbb\xbf" + raw(),
    "cut off": raw()[:-7],
    "cut off in a character": line_of(post(5, "綾波"))[:-200] + b"\xe7",
    "single quotes": raw().replace(b'"', b"'"),
    "a comment": raw(x=b"1 /* */"),
    "no object": b"[" + raw() + b"]",
    "a text": b'"x"',
    "nothing": b"",
    "null": b"null",
    "space": b" \r",
    "a list for a name": raw(tags=b'[{"name": ["x"], "category": 4}]'),
    "a list for a category": raw(tags=b'[{"name": "x", "category": [4]}, {"category": "4"}]'),
    "a fraction for a category": raw(tags=b'[{"name": "x", "category": 4.0}]'),
    "true for a category": raw(tags=b'[{"name": "x", "category": true}]'),
    "tags without categories": raw(tags=b'[{"name": "x"}]', tag_string_character=b'"rei"'),
    "some tags without categories": raw(tags=b'[{"name": "x"}, {"name": "y", "category": "0"}]'),
    "tags among texts": raw(tags=b'["x", {"name": "y", "category": 4}]'),
    "tags that are texts": raw(tags=b'["x", "y"]', tags_character=b'["rei"]'),
    "tags by category": raw(tags=b'{"character": ["rei"], "general": []}'),
    "no tags but an empty list": raw(tags=b"[]"),
    "no type of file": raw(file_ext=b"null", image=b'"a/b.png?c.zip"'),
    "the type within the file": raw(file_ext=b"null", file=b'{"ext": "zip"}'),
    "flags": raw(flags=b'{"deleted": true}'),
    "flags that are none": raw(flags=b"[]", status=b'"deleted"'),
}


@pytest.mark.parametrize("line", QUIRKS.values(), ids=list(QUIRKS))
def test_what_is_odd_is_read_as_python_reads_it(line, monkeypatch):
    data = b"\n".join([line_of(post(1, "asuka")), line, line_of(newer(2, "rei"))]) + b"\n"
    assert judged(data) == judged(data, monkeypatch)


def test_what_is_odd_differs():
    """Else the test above would be one of a few outcomes."""
    outcomes = {str(judged(line)[1:]) for line in QUIRKS.values()}
    assert len(outcomes) > 20


def test_damaged_lines_are_read_as_python_reads_them(monkeypatch):
    dice = Random(7)
    lines, strays = [], 0
    for number in range(1500):
        line = bytearray(line_of(quirky(dice, number, NAMES)))
        for _ in range(dice.choice((0, 0, 1, 1, 2))):
            at = dice.randrange(len(line))
            how = dice.randrange(4)
            if how == 0:
                del line[at : at + dice.randrange(1, 4)]
            elif how == 1:
                line[at:at] = line[(start := dice.randrange(len(line))) : start + dice.randrange(9)]
            elif how == 2:
                line[at] = dice.choice(b'"\\{}[],:0123456789-.eEtfnu\x00\x1f\t\xff\xc3 ')
            else:
                line[at] ^= 1 << dice.randrange(8)
        lines.append(bytes(line).replace(b"\n", b" "))
    for start in range(0, len(lines), 5):  # so that every stray is shown
        data = b"\n".join(lines[start : start + 5])
        quickly = judged(data)
        assert quickly == judged(data, monkeypatch)
        strays += quickly[1]
    assert 200 < strays < 1200


def test_most_posts_are_read_for_their_fields_alone():
    dice = Random(1)
    lines = [line_of(post(at, dice.choice(NAMES))) for at in range(50)]
    lines += [line_of(newer(at, dice.choice(NAMES))) for at in range(50)]
    lines += [raw(x=b'"' + b"1" * 30 + b" " * 4300 + b'"')]
    assert all(fields_of(line) is not None for line in lines)
    assert all(type(one) is Tag for one in fields_of(lines[0])["tags"])


def test_all_that_the_rule_asks_for_is_read():
    asked = set()

    class Listening(dict):
        def get(self, name, default=None):
            asked.add(name)
            return super().get(name, default)

        def __getitem__(self, name):
            asked.add(name)
            return super().__getitem__(name)

        def __contains__(self, name):
            asked.add(name)
            return super().__contains__(name)

    dice = Random(3)
    for number in range(500):
        found = quirky(dice, number, NAMES)
        if number % 5 == 0:
            found.pop("file_ext", None)
        elif number % 7 == 0:
            found["tags"] = {}
        elif number % 11 == 0:
            found["tags"] = [{"name": "x"}]
        found = Listening(found)
        post_id(found)
        Rule().judge(found)
    assert {"tags", "file_url", "flags", "tag_string_character", "tags_meta"} <= asked
    assert asked <= {field.name for field in msgspec.inspect.type_info(OtherFields).fields}
