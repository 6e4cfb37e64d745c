"""The report: one file, whole, safe, the same twice; and its numbers where they belong."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
import shutil
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from support.elements import Page

from pairsets import Leaderboard, PairSet, evaluate
from pairsets.errors import PairsetsError, ScoresError
from pairsets.evaluation.rates import Point, roc
from pairsets.figures import det_curves
from pairsets.funnel import FunnelRow
from pairsets.report import (
    DetSet,
    GalleryPair,
    ModelScores,
    Report,
    render,
    save_figure,
    to_svg,
    write_report,
)
from pairsets.tables.entries import Entry, model_entry
from pairsets.tables.leaderboard import make_leaderboard, percent
from pairsets.tables.published_rows import PUBLISHED

EVIL = "</script><script>alert(1)</script>\"'&<b>"
FACES = ["rei/1.png", "rei/2.png", "asuka/1.png", "綾波/1.png"]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    for at, path in enumerate(FACES):
        file = folder / "faces" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (300, 300), (60 * at, 10, 200)).save(file)
    return folder / "faces"


@pytest.fixture(scope="module")
def report(root):
    generator = np.random.default_rng(0)
    labels = np.r_[np.ones(60, int), np.zeros(60, int)]
    pairs = PairSet.of([f"a{i}/1" for i in range(120)], [f"b{i}/1" for i in range(120)], labels)
    scores = {name: labels * 0.3 + generator.normal(0, 0.3, 120) for name in ("miner", EVIL)}
    rows = {name: evaluate(pairs, values, 0.139, draws=100) for name, values in scores.items()}
    random = [model_entry(name, row) for name, row in rows.items()]
    mined = [model_entry(name, row, mined=name == "miner") for name, row in rows.items()]
    names = [("rei", "asuka"), ("rei", EVIL), ("asuka", "綾波"), ("rei", "rei")]
    paths = [(0, 2), (1, 2), (2, 3), (0, 1)]
    gallery = [
        GalleryPair(
            rank=at + 1,
            path_a=FACES[a],
            path_b=FACES[b],
            name_a=name_a,
            name_b=name_b,
            scores={"miner": 0.9 - at / 10, EVIL: at / 10},
            label=int(at == 3),
            verdicts={"miner": True, EVIL: at > 1},
        )
        for at, ((a, b), (name_a, name_b)) in enumerate(zip(paths, names, strict=True))
    ]
    return Report(
        title=f"Look-alikes {EVIL}",
        faces_root=root,
        facts=[("Faces", "4"), (EVIL, EVIL)],
        funnel=[
            FunnelRow("mine", f"over the cap {EVIL}", 1_234),
            FunnelRow("mine", "kept", 4, True),
        ],
        leaderboards=[
            Leaderboard("random", (*PUBLISHED["random"].entries, *random)),
            Leaderboard("adversarial", tuple(mined)),
        ],
        scores=[
            ModelScores(
                n,
                {
                    "positives": s[:60],
                    "random negatives": s[60:],
                    "adversarial negatives": s[60:] + 0.2,
                },
                0.4,
            )
            for n, s in scores.items()
        ],
        curves=[
            DetSet("random", {n: roc(labels, s) for n, s in scores.items()}, Point(0, 0.1, 0.1))
        ],
        gallery=gallery,
        warnings=[f"beware {EVIL}"],
    )


@pytest.fixture(scope="module")
def page(report):
    return Page(render(report))


def test_the_same_report_gives_the_same_bytes(report, tmp_path):
    first = write_report(report, tmp_path / "a.html").read_bytes()
    assert write_report(report, tmp_path / "b.html").read_bytes() == first


def test_text_is_text(page):
    scripts = page.of("script")
    runs = [text for attributes, text in scripts if not attributes]
    assert len(runs) == 3  # the page's own, that of its contents and the gallery's
    data = [text for attributes, text in scripts if attributes]
    assert not [text for text in runs if "alert(1)" in text]
    assert not [text for text in data if "<" in text]
    assert page.of("h1") == [({}, f"Look-alikes {EVIL}")]
    assert page.of("title")[0][1] == f"Look-alikes {EVIL}"
    assert [text for _, text in page.of("span", "pair-name")][3] == EVIL
    assert any(f"over the cap {EVIL}" == text for _, text in page.of("td"))
    assert any(f"beware {EVIL}" == text for _, text in page.of("li"))
    assert any(
        EVIL in attributes.get("aria-label", "") for attributes, _ in page.of("span", "pair-face")
    )
    assert any(text == f"Highest score, {EVIL}" for _, text in page.of("option"))


def test_nothing_comes_from_outside(report, page):
    for tag, attributes in page.elements:
        assert tag not in {"link", "iframe", "object", "embed", "base"}
        assert "style" not in attributes
        assert not [name for name in attributes if name.startswith("on")]
        for name in ("src", "href", "srcset", "action", "poster"):
            assert attributes.get(name, "#").startswith("#")
    styles = " ".join(text for _, text in page.of("style"))
    assert "@import" not in styles
    assert set(re.findall(r"url\((.{5})", styles)) == {"data:"}
    assert "://" not in re.sub(r"base64,[^)]*", "", render(report))


def test_the_policy_allows_exactly_what_is_there(report):
    html = render(report)
    policy = dict(
        part.strip().split(" ", 1) for part in Page(html).of("meta")[1][0]["content"].split(";")
    )
    assert policy["default-src"] == "'none'"
    assert policy["img-src"] == "data:"
    for tag in ("style", "script"):
        texts = re.findall(rf"<{tag}>(.*?)</{tag}>", html, re.DOTALL)
        digests = [base64.b64encode(hashlib.sha256(text.encode()).digest()) for text in texts]
        assert policy[f"{tag}-src"] == " ".join(f"'sha256-{one.decode()}'" for one in digests)
    assert html.index("Content-Security-Policy") < html.index("<style>")


def test_each_face_is_in_the_gallery_once_however_many_pairs_show_it(report):
    many = replace(report, gallery=[*report.gallery] * 20)
    html = render(many)
    assert len(Page(html).of("li", "pair-card")) == 36
    pictures = re.findall(r"\.(\w+)\{background-image:url\(data:image/webp;base64,([^)]+)\)", html)
    assert [name for name, _ in pictures if name.startswith("g")] == ["g0", "g1", "g2", "g3"]
    # Beside the gallery only the faces at the top: those of one pair, since all share identities.
    assert [name for name, _ in pictures if not name.startswith("g")] == ["hero0", "hero1"]
    for _, data in pictures:
        with Image.open(io.BytesIO(base64.b64decode(data))) as image:
            assert image.size == (192, 192)


def test_the_gallery_is_in_the_page_with_all_its_pairs(report, page):
    names = [text for _, text in page.of("span", "pair-name", within="pairs")]
    assert names == [name for pair in report.gallery for name in (pair.name_a, pair.name_b)]
    data = json.loads(
        next(text for attributes, text in page.of("script") if attributes.get("id") == "pair-data")
    )
    assert data["models"] == ["miner", EVIL]
    assert data["scores"] == [[0.9, 0.8, 0.7, pytest.approx(0.6)], [0.0, 0.1, 0.2, 0.3]]


def test_the_pictures_at_the_top_are_of_their_own_faces(report):
    html = render(report)
    (first,) = [
        one["class"].split()[1]
        for one, _ in Page(html).of("span", "face")
        if "hero0" in one["class"]
    ]
    data = re.search(rf"\.{first}\{{.*?base64,([^)]+)\)", html)
    assert data is not None
    with Image.open(io.BytesIO(base64.b64decode(data[1]))) as image:
        red = image.convert("RGB").getpixel((90, 90))[0]
    assert red == pytest.approx(60 * FACES.index(report.gallery[0].path_a), abs=6)


def test_every_row_of_the_leaderboards_is_there(report, page):
    rows = [text for _, text in page.of("span", "model")]
    entries = [entry for board in report.leaderboards for entry in board.entries]
    assert rows == [entry.model for entry in entries]
    published = [
        attributes for attributes, _ in page.of("tr") if "published" in attributes.get("class", "")
    ]
    theirs = PUBLISHED["random"].entries
    assert len(published) == len(theirs)
    tables = page.rows("ranking")
    rows = tables[0][1:-1]
    assert [(row[1], row[-1]) for row in rows][:2] == [("1.59", "1.59"), ("N/A", "2.40")]
    ours, found = rows[len(theirs)], entries[len(theirs)]
    low, high = found.fpr_interval.low, found.fpr_interval.high
    assert ours[1] == f"{percent(found.fpr)}[{percent(low)}, {percent(high)}]"
    assert ours[3] == percent(found.fnr)
    assert ours[4].startswith(percent(found.eer))
    assert ours[-1] == percent(found.fpr_interpolated)


def test_the_best_comparable_model_is_bold(root):
    board = Leaderboard(
        "adversarial",
        (
            Entry("person", 0.01, 0.1, None, human=True),
            Entry("miner", 0.02, 0.1, 0.02, comparable=False),
            Entry("good", 0.5, 0.1, 0.4),
            Entry("poor", 0.6, 0.1, 0.3),
        ),
    )
    page = Page(render(Report("t", root, leaderboards=[board])))
    assert [text for _, text in page.of("strong")] == ["50.0", "30.0"]
    mined = page.of("tr", "mined")
    assert len(mined) == 1
    assert mined[0][1].startswith("miner not comparable")


class TestHeadline:
    """The model that does best on pairs that nobody picked, and how it fares on those picked."""

    PERSON = Entry("p", 0.0, 0.1, None, human=True)

    def boards(self, random, mined, mined_by=("m",)):
        """Two sets, with a person and the published rows in each; rows by model and FPR."""
        rows = {
            name: [Entry(model, fpr, 0.139, fpr / 2) for model, fpr in found.items()]
            for name, found in (("random", random), ("adversarial", mined))
        }
        rows["adversarial"] = [
            replace(one, comparable=one.model not in mined_by) for one in rows["adversarial"]
        ]
        return [
            Leaderboard(
                name,
                (self.PERSON, *PUBLISHED[name].entries, *found),
                mined_by=mined_by if name == "adversarial" else (),
            )
            for name, found in rows.items()
        ]

    @staticmethod
    def lede(root, boards, **options):
        page = Page(render(Report("t", root, leaderboards=boards, **options)))
        (said,) = [text for _, text in page.of("p", "lede")]
        figures = [text for attributes, text in page.of("dd") if not attributes.get("class")]
        return said, figures

    def test_the_lowest_on_mined_pairs_is_not_called_the_best(self, root):
        """Pixels, useless on random pairs, look good on pairs picked by what they do not know."""
        boards = self.boards(
            {"m": 0.359, "centred": 0.206, "pixels": 0.5},
            {"m": 1.0, "centred": 0.993, "pixels": 0.763},
        )
        for given in (boards, boards[::-1]):
            said, figures = self.lede(root, given)
            assert said == (
                "Of 3 models centred takes the fewest random pairs of different identities for "
                "the same one: 20.6 %. Of the adversarial pairs, which m mined, it takes 99.3 %. "
                "Mined pairs punish the models that score like their miner, so that the order on "
                "them is not that of the models."
            )
            assert figures[:2] == ["20.6%", "99.3%"]
            assert "pixels" not in said

    def test_mined_pairs_alone_name_no_model(self, root):
        mined = self.boards({"a": 0.1}, {"m": 1.0, "a": 0.9, "b": 0.8})[1:]
        # Whatever it is that tells of the miner: the manifest, ranks, the name.
        plain = replace(mined[0], mined_by=())
        for boards, ranked in (
            (mined, ()),
            ([replace(mined[0], name="x")], ()),
            ([plain], ()),
            ([replace(plain, name="x")], ["x"]),
        ):
            report = Report("t", root, leaderboards=boards, ranked=ranked)
            assert report.headline is None
            said, figures = self.lede(root, boards, ranked=ranked)
            assert said.startswith("Each set here was mined.")
            assert not figures
        assert Report("t", root, leaderboards=[replace(plain, name="x")]).headline.best.model == "b"

    def test_what_the_pairs_cannot_tell_is_said(self, root):
        said, _ = self.lede(root, self.boards({"a": 0.2, "b": 0.2, "c": 0.4}, {"a": 0.9}))
        assert said.startswith(
            "a takes 20.0 % of random pairs of different identities for the same one. No other of "
            "3 models takes fewer, but these pairs cannot tell it from b. Of the adversarial"
        )

    def test_differences_tell_who_is_tied(self, root):
        generator = np.random.default_rng(0)
        label = np.repeat([1, 0], 200)
        ends = [f"c{at % 50}/{at}" for at in range(400)]
        others = [f"c{(at + 1 - label[at]) % 50}/{at}x" for at in range(400)]
        noise = generator.normal(size=400)
        scores = {
            "poor": generator.normal(size=400),
            "twin": 3 * label + noise + generator.normal(0, 0.05, 400),
            "good": 3 * label + noise,
        }
        board = make_leaderboard("random", PairSet.of(ends, others, label), scores, 0.139)
        headline = Report("t", root, leaderboards=[board]).headline
        assert headline.contestants == 3
        assert {headline.best.model, *headline.tied} == {"good", "twin"}

    def test_the_model_that_mined_stands_in_with_a_word_of_warning(self, root):
        said, figures = self.lede(root, self.boards({"m": 0.1}, {"m": 0.95}))
        assert said == (
            "m takes 10.0 % of random pairs of different identities for the same one. Of the "
            "adversarial pairs, which it mined itself, it takes 95.0 %: that says how the set was "
            "made, not how good the model is."
        )
        assert figures[:2] == ["10.0%", "95.0%"]
        two = self.boards({"m": 0.1, "n": 0.4}, {"m": 0.95, "n": 0.9}, ("m", "n"))
        assert "pairs, which it mined with n, it takes 95.0 %: that" in self.lede(root, two)[0]

    def test_a_reference_is_told_by_the_pairs_it_did_not_pick(self, root):
        random, adversarial = self.boards({"a": 0.01, "c": 0.02}, {"a": 0.1, "c": 0.8}, ("a", "b"))
        left_out = Entry("a", 0.7, 0.2, 0.3, pairs_mined_by=("b", EVIL))
        boards = [random, replace(adversarial, entries=(*adversarial.entries, left_out))]
        page = Page(render(Report("t", root, leaderboards=boards)))
        lede = page.of("p", "lede")[0][1]
        assert lede == (
            "Of 2 models a takes the fewest random pairs of different identities for the same "
            f"one: 1.00 %. Of those that b and {EVIL} mined without it, it takes 70.0 %."
        )
        assert page.of("span", "model")[-1][1] == f"a (pairs mined by b, {EVIL})"
        assert "have other negatives" in page.of("p", "intro")[0][1]
        usual = Page(render(Report("t", root, leaderboards=[random, adversarial])))
        assert "have other negatives" not in usual.of("p", "intro")[0][1]

    def test_each_set_that_nobody_picked_has_its_own_lowest(self, root):
        rows = {"one": {"a": 0.1, "b": 0.3}, "two": {"a": 0.5, "b": 0.4}, "three": {"a": 0.0}}
        boards = [
            Leaderboard(name, tuple(Entry(model, fpr, 0.1, 0.1) for model, fpr in found.items()))
            for name, found in rows.items()
        ]
        said, figures = self.lede(root, boards)
        assert said == (
            "Of 2 models a takes the fewest one pairs of different identities for the same one: "
            "10.0 %. On the two pairs it takes 50.0 %; there b has the lowest rate, 40.0 %. On the "
            "three pairs, too, it has the lowest rate: 0.00 %."
        )
        assert figures[:1] == ["10.0%"]

    def test_there_is_none_without_models(self, root):
        assert Report("t", root, leaderboards=self.boards({}, {})).headline is None
        assert Report("t", root).headline is None


def test_hero_pairs_show_no_identity_twice_and_no_positive(report):
    positive_first = [report.gallery[3], *report.gallery[:3]]
    page = Page(render(replace(report, gallery=positive_first)))
    hero = [part for part, _ in page.of("span", "face") if part.keys() == {"class"}]
    assert [part["class"] for part in hero] == ["face hero0", "face hero1"]


def test_funnel_counts(page):
    assert [text for _, text in page.of("tr", "dropped")] == [f"mine over the cap {EVIL} −1,234"]
    assert [text for _, text in page.of("tr", "kept")] == ["kept 4"]


def test_charts_take_the_theme_and_share_no_id(report, page):
    charts = page.of("svg", "chart")
    assert len(charts) == len(report.scores) + 2 * len(report.curves)
    assert [part["aria-label"].partition(":")[0] for part, _ in charts][-1].startswith("Histogram")
    strokes = {attributes.get("stroke", "") for _, attributes in page.elements}
    assert "var(--series-1, #0072b2)" in strokes
    assert not [stroke for stroke in strokes if stroke.startswith("#0072b2")]
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    used = re.findall(r"url\(#([\w-]+)\)", " ".join(str(part) for part in page.elements))
    assert used
    assert set(used) <= set(ids)


def test_an_empty_report_is_a_page(root):
    page = Page(render(Report("Nothing yet", root)))
    assert page.of("h1")[0][1] == "Nothing yet"
    assert not page.of("section") + page.of("dialog") + page.of("table")


@pytest.mark.parametrize("content", [None, b"not an image"])
def test_a_bad_image_is_named_and_the_old_report_stays(report, root, tmp_path, content):
    own = shutil.copytree(root, tmp_path / "faces")
    report = replace(report, faces_root=own)
    path = tmp_path / "out" / "report.html"
    before = write_report(report, path).read_bytes()
    (own / FACES[3]).unlink()
    if content is not None:
        (own / FACES[3]).write_bytes(content)
    with pytest.raises(PairsetsError, match=re.escape(FACES[3])):
        write_report(replace(report, title="new"), path)
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == ["report.html"]


def test_a_face_outside_the_folder_is_refused(report, root):
    Image.new("RGB", (9, 9)).save(root.parent / "secret.png")
    stray = replace(report.gallery[0], path_a="../secret.png")
    with pytest.raises(PairsetsError, match="leaves its folder"):
        render(replace(report, gallery=[stray]))


def test_content_checks_itself(report, root):
    pair = report.gallery[0]
    with pytest.raises(PairsetsError, match="label 2"):
        replace(pair, label=2)
    with pytest.raises(PairsetsError, match="human_prediction 5"):
        replace(pair, human_prediction=5)
    with pytest.raises(ScoresError, match="pair 1: miner scores it nan"):
        replace(pair, scores={"miner": float("nan")})
    with pytest.raises(PairsetsError, match="-1 lost"):
        FunnelRow("mine", "lost", -1)
    with pytest.raises(PairsetsError, match="without a title"):
        Report(" ", root)


def test_figures_are_saved_by_suffix(tmp_path):
    figure = det_curves({"m": roc([1, 0, 1], [0.9, 0.3, 0.2])})
    png = save_figure(figure, tmp_path / "new" / "a.PNG")
    assert png.read_bytes().startswith(b"\x89PNG")
    assert b"<svg" in save_figure(figure, tmp_path / "a.svg").read_bytes()
    with pytest.raises(PairsetsError, match=r"\.pdf"):
        save_figure(figure, tmp_path / "a.pdf")
    assert not (tmp_path / "a.pdf").exists()


def test_svg_for_a_page_keeps_its_words(tmp_path):
    figure = det_curves({"a < b & c": roc([1, 0, 1], [0.9, 0.3, 0.2])})
    page = Page(to_svg(figure, name="x", description=EVIL))
    assert page.elements[0][1]["aria-label"] == EVIL
    assert "a < b & c" in [text for _, text in page.of("text")]
    assert all(part["id"].startswith("x-") for _, part in page.elements if "id" in part)


@pytest.mark.parametrize("quantiles", [{"miner": 1.5}, {"miner": float("nan")}, {"nobody": 0.5}])
def test_quantiles_that_cannot_be(report, quantiles):
    with pytest.raises(ScoresError, match="gallery pair 1: a quantile of"):
        replace(report.gallery[0], quantiles=quantiles)
