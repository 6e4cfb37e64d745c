"""Links to views of the gallery open what they say, against an oracle that reads the pairs."""

from __future__ import annotations

from itertools import product
from urllib.parse import parse_qsl

import pytest
from support.planted_gallery import EVIL, MODELS, planted_report, shown

from pairsets.report.gallery_links import GalleryLink, GalleryViews, address


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    return planted_report(tmp_path_factory.mktemp("faces"), 600)


def combinations(report):
    """Filters of every kind, alone and with others."""
    pair = next(pair for pair in report.gallery if pair.label)
    other = next(pair for pair in report.gallery if not pair.label)
    names = [{}, {"name": other.name_a}, {"name": other.name_a, "with": other.name_b}]
    names += [{"name": pair.name_a, "with": pair.name_a}, {"with": other.name_b}]
    models = [{}, *({way: name} for way in ("wrong", "right") for name in MODELS)]
    models += [{"wrong": MODELS[0], "right": MODELS[1]}]
    models += [{"show": f"{kind}:{name}"} for kind in ("fa", "fr") for name in MODELS]
    others = [{}, {"label": "same"}, {"label": "different"}, {"set": "random"}]
    others += [{"set": "mined & ranked", "label": "different"}]
    for parts in product(names, models, others):
        yield {key: value for part in parts for key, value in part.items()}


def test_a_link_counts_what_its_filters_keep(report):
    views = GalleryViews(report.gallery)
    found = set()
    for filters in combinations(report):
        expected = shown(report, filters)
        link = views.link(1000, **filters)
        assert sorted(views.rows(filters)) == expected
        assert link.shown == len(expected)
        assert bool(link.address) == bool(expected)
        if expected:
            assert dict(parse_qsl(link.address.partition("?")[2])) == filters
        found.add(len(expected))
    assert len(found) > 50


def test_what_is_not_there_opens_nothing(report):
    views = GalleryViews(report.gallery)
    for filters in ({"name": "nobody"}, {"wrong": "no model"}, {"set": "none"}, {"with": "x"}):
        assert views.link(3, **filters) == GalleryLink(3)
    with pytest.raises(KeyError, match="colour"):
        views.link(3, colour="red")


def test_an_address_holds_any_name():
    for name in (EVIL, "a&b=c#d", "50%2C", "雪 野", "a+b"):
        assert dict(parse_qsl(address({"name": name}).partition("?")[2])) == {"name": name}
    assert address({"name": "\udcff"}) == "#pairs?name=%3F"
