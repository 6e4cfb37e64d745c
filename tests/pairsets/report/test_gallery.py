"""The gallery as text: what it carries, what is only text, what a reader without script sees."""

from __future__ import annotations

import base64
import io
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise

import pytest
from PIL import Image
from support.planted_gallery import EVIL, FACES_EACH, MODELS, page_of, planted_report

from pairsets.errors import FacesError
from pairsets.report.content import GalleryPair, Report
from pairsets.report.gallery import (
    FIRST_PAIRS,
    LARGE_PAIRS,
    LARGE_PIXELS,
    GalleryParts,
    gallery_parts,
)
from pairsets.report.thumbnails import encode_faces, face_sheet, pixels_for

COUNT = 120


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    return planted_report(tmp_path_factory.mktemp("faces"), COUNT)


@pytest.fixture(scope="module")
def parts(report):
    return gallery_parts(report, thumbnail_pixels=24)


class Elements(HTMLParser):
    """Tags with their attributes, and the text of each element."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.open: list[int] = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        self.texts.append("")
        if tag not in ("input", "img", "wbr", "meta"):
            self.open.append(len(self.found) - 1)

    def handle_endtag(self, tag):
        assert self.found[self.open.pop()][0] == tag

    def handle_data(self, data):
        for at in self.open:
            self.texts[at] += data

    def of(self, css_class: str) -> list[str]:
        return [
            text
            for (_, attributes), text in zip(self.found, self.texts, strict=True)
            if css_class in (attributes.get("class") or "").split()
        ]


def carried(parts: GalleryParts, name: str):
    (text,) = re.findall(
        rf'<script type="application/json" id="{name}">(.*?)</script>', parts.section, re.DOTALL
    )
    return json.loads(text)


def test_columns_say_what_the_pairs_say(report, parts):
    data = carried(parts, "pair-data")
    assert data["models"] == report.models
    for at, pair in enumerate(report.gallery):
        assert [data["names"][side[at]] for side in data["people"]] == [pair.name_a, pair.name_b]
        assert [data["paths"][side[at]] for side in data["faces"]] == [pair.path_a, pair.path_b]
        assert data["rank"][at] == pair.rank
        assert [data["sets"][one] for one in data["set"][at]] == [pair.set, *pair.also]
        assert data["label"][at] == str(pair.label)
        assert data["human"][at] == {-1: "-", 0: "0", 1: "1"}[pair.human_prediction]
        for model, name in enumerate(report.models):
            assert data["scores"][model][at] == pair.scores.get(name)
            said = {None: "-", False: "0", True: "1"}[pair.verdicts.get(name)]
            assert data["verdicts"][model][at] == said
    assert data["quantiles"][0] == [pair.quantiles.get(MODELS[0]) for pair in report.gallery]
    assert data["quantiles"][1:] == [None, None]


def test_each_face_is_carried_once(report, parts):
    data, pictures = carried(parts, "pair-data"), carried(parts, "pair-pictures")
    sheet = dict(
        re.findall(r"\.g(\d+)\{background-image:url\(data:.*?base64,(.*?)\)", parts.styles[1])
    )
    whole = [sheet.get(str(at), picture) for at, picture in enumerate(pictures)]
    assert [at for at, picture in enumerate(pictures) if picture is None] == [*map(int, sheet)]
    assert len(whole) == len(data["paths"]) == len(set(data["paths"])) > len(sheet)
    for path, picture in zip(data["paths"], whole, strict=True):
        face = Image.open(io.BytesIO(base64.b64decode(picture))).convert("RGB")
        drawn = Image.open(report.faces_root / path)
        assert face.size == (24, 24)
        # Lossy: the middle of a block is about what was drawn.
        for found, true in zip(face.getpixel((20, 20)), drawn.getpixel((20, 20)), strict=True):
            assert abs(found - true) < 60


def test_text_stays_text(report, parts):
    html = page_of(parts)
    elements = Elements(html)
    assert "alert(1)" not in "".join(parts.scripts + parts.styles)
    # What ends a script element cannot stand in one.
    scripts = [
        text
        for (tag, _), text in zip(elements.found, elements.texts, strict=True)
        if tag == "script"
    ]
    assert len(scripts) == 4
    assert html.count("</script>") == 4
    assert not [text for text in scripts[:3] if "<" in text]
    assert [one for one in elements.of("pair-name") if EVIL in one]
    bold = [
        text for (tag, _), text in zip(elements.found, elements.texts, strict=True) if tag == "b"
    ]
    assert set(bold) == {"", *(model[-7:] for model in MODELS if len(model) > 14)}  # ends of names
    for tag, attributes in elements.found:
        assert tag != "iframe"
        assert "style" not in attributes
        assert not [name for name in attributes if name.startswith("on")]


def test_a_name_that_is_no_text_is_still_written(report):
    odd = replace(report.gallery[0], name_a="a\udcffb", set="\udc80")
    parts = gallery_parts(replace(report, gallery=[odd]), thumbnail_pixels=24)
    page_of(parts).encode("utf-8")
    assert carried(parts, "pair-data")["names"][0] == "a?b"


def test_the_same_report_gives_the_same_bytes(report, parts):
    again = gallery_parts(replace(report, gallery=list(report.gallery)), thumbnail_pixels=24)
    assert again == parts


def test_without_script_the_first_pairs_are_there(report, parts):
    elements = Elements(str(parts.section))
    names = elements.of("pair-name")
    first = report.gallery[:FIRST_PAIRS]
    assert names == [name for pair in first for name in (pair.name_a, pair.name_b)]
    assert [text.strip() for text in elements.of("pair-rank")] == [
        f"Rank {pair.rank:,}" if pair.rank else "" for pair in first
    ]
    said = []
    for pair in first:
        wrong = [pair.mistaken(model) for model in report.models]
        if pair.human_prediction >= 0:
            wrong.append(pair.human_prediction != pair.label)
        kind = "false reject" if pair.label else "false accept"
        said += [kind if one else "right" for one in wrong if one is not None]
    assert elements.of("pair-unseen") == said
    hidden = [
        attributes["id"]
        for _, attributes in elements.found
        if "hidden" in attributes and "id" in attributes
    ]
    assert {"pair-controls", "pair-grid"} <= set(hidden)
    assert f"first {FIRST_PAIRS} of {COUNT} pairs" in " ".join(elements.of("pair-note"))


def test_faces_without_script_are_their_own(report, parts):
    data = carried(parts, "pair-data")
    faces = [
        attributes
        for _, attributes in Elements(str(parts.section)).found
        if "data-face" in attributes
    ]
    first = report.gallery[:FIRST_PAIRS]
    paths = [path for pair in first for path in (pair.path_a, pair.path_b)]
    assert [data["paths"][int(face["data-face"])] for face in faces] == paths
    assert [face["class"].split()[1] for face in faces] == [
        f"g{face['data-face']}" for face in faces
    ]
    assert [face["aria-label"].rpartition(", ")[2] for face in faces] == paths


def test_choices_are_those_that_the_pairs_have(report):
    def choices(gallery):
        section = str(gallery_parts(replace(report, gallery=gallery), thumbnail_pixels=8).section)
        names = re.findall(r'<(?:select|input)[^>]* name="(\w+)"', section)
        return names, re.findall(r'<option value="(\w+)[:"]', section)

    everything, kinds = choices(report.gallery)
    assert everything == ["q", "show", "sort", "set", "label", "wrong", "right", "human", "split"]
    assert {"fa", "fr", "wrong", "right", "high", "low", "split", "human", "rank"} <= set(kinds)
    plain = [
        replace(p, verdicts={}, human_prediction=-1, set="") for p in report.gallery if not p.label
    ]
    assert choices(plain)[0] == ["q", "sort"]
    assert "human" not in choices(plain)[1]
    negatives = [p for p in report.gallery if not p.label]
    assert "fr" not in choices(negatives)[1]
    assert "label" not in choices(negatives)[0]


def test_the_order_listed_is_called_rank_where_it_is(report):
    def first_order(gallery):
        section = str(gallery_parts(replace(report, gallery=gallery), thumbnail_pixels=8).section)
        (choices,) = re.findall(r'name="sort">(.*?)</select>', section, re.DOTALL)
        return re.findall(r"<option[^>]*>(.*?)</option>", choices)[:2]

    ranked = sorted(report.gallery, key=lambda pair: (pair.rank == 0, pair.rank))
    assert first_order(ranked)[0] == "Rank"
    assert first_order(ranked)[1] != "Rank"
    assert first_order(ranked[::-1]) == ["As listed", "Rank"]
    assert first_order([replace(pair, rank=0) for pair in ranked])[0] == "As listed"


def test_no_pairs_no_gallery(report):
    assert gallery_parts(replace(report, gallery=[])) == GalleryParts("", (), ())


@pytest.mark.parametrize("content", [None, b"not an image"])
def test_a_bad_face_is_named(tmp_path, content):
    report = planted_report(tmp_path, 5)
    bad = report.gallery[3].path_b
    (tmp_path / bad).unlink()
    if content is not None:
        (tmp_path / bad).write_bytes(content)
    with pytest.raises(FacesError, match=re.escape(bad)):
        gallery_parts(report)


def test_of_several_bad_faces_the_first_is_named(tmp_path):
    report = planted_report(tmp_path, 60)
    paths = list(dict.fromkeys(p for pair in report.gallery for p in (pair.path_a, pair.path_b)))
    for path in paths[5:]:
        (tmp_path / path).write_bytes(b"no")
    with pytest.raises(FacesError, match=rf"[/\\]{re.escape(paths[5])}"):
        encode_faces(tmp_path, paths, 8)


def test_the_first_pairs_are_carried_larger_too(tmp_path):
    gallery = []
    for at in range(LARGE_PAIRS + 5):
        side = (200, 500, 2 * LARGE_PIXELS)[at % 3]
        for name in ("a", "b"):
            Image.new("RGB", (side, side // 2)).save(tmp_path / f"{at}{name}.png")
        gallery.append(GalleryPair(0, f"{at}a.png", f"{at}b.png", "a", "b", {}))
    parts = gallery_parts(Report("large", tmp_path, gallery=gallery), thumbnail_pixels=192)
    paths = carried(parts, "pair-data")["paths"]
    larger = {paths[int(at)]: picture for at, picture in carried(parts, "pair-larger").items()}
    # Those of 200 pixels are larger than the thumbnails by little, and carried as they are.
    assert {*larger} == {
        path for pair in gallery[:LARGE_PAIRS] for path in (pair.path_a, pair.path_b)
    }
    for path, picture in larger.items():
        face = Image.open(io.BytesIO(base64.b64decode(picture)))
        with Image.open(tmp_path / path) as whole:
            assert max(face.size) == min(LARGE_PIXELS, max(whole.size))
    small = gallery_parts(Report("small", tmp_path, gallery=gallery), thumbnail_pixels=200)
    assert {paths[int(at)] for at in carried(small, "pair-larger")} == {
        path for path in larger if int(path[:-5]) % 3
    }


def test_few_faces_are_larger_than_many():
    sizes = [pixels_for(count) for count in (1, 300, 301, 4000, 4001, 10_000)]
    assert sizes[0] == sizes[1] > sizes[2] == sizes[3] > sizes[4] == sizes[5]


def test_two_sheets_share_no_class(report):
    some = report.gallery[:2]
    one = face_sheet(report.faces_root, some, 8, 10**6)
    two = face_sheet(report.faces_root, some, 8, 10**6, prefix="g")
    assert (
        one.classes.keys()
        == two.classes.keys()
        == {p for pair in some for p in (pair.path_a, pair.path_b)}
    )
    assert not set(one.classes.values()) & set(two.classes.values())
    assert one.css.replace(".f", ".g") == two.css


def test_one_pair_with_nothing_known(tmp_path):
    Image.new("RGB", (9, 9)).save(tmp_path / "a.png")
    Image.new("RGB", (9, 9)).save(tmp_path / "b.png")
    bare = GalleryPair(0, "a.png", "b.png", "a", "b", {})
    parts = gallery_parts(Report("bare", tmp_path, gallery=[bare]))
    data = carried(parts, "pair-data")
    assert (data["models"], data["scores"], data["human"]) == ([], [], "-")
    assert "1 pair, each" in parts.section


def test_planted_pairs_have_what_the_filters_look_for(report):
    """The browser tests would be empty otherwise."""
    pairs = report.gallery
    assert {pair.human_prediction for pair in pairs} == {-1, 0, 1}
    assert {pair.label for pair in pairs} == {0, 1}
    assert {pair.mistaken(MODELS[2]) for pair in pairs} == {True, False, None}
    assert any(a == b for a, b in pairwise(sorted(pair.scores[MODELS[0]] for pair in pairs)))
    assert len({pair.path_a for pair in pairs}) > FACES_EACH


def test_what_a_gallery_leaves_out_is_said(report, parts):
    count = len(report.gallery)
    more = gallery_parts(replace(report, gallery_left_out=7)).section
    assert f"{count:,} of {count + 7:,} pairs" in " ".join(more.split())
    assert f"{count:,} of {count:,} pairs" not in " ".join(parts.section.split())
