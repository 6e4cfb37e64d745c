"""Results as notebooks show them: what stands in the tables, escaped, with faces and without."""

from __future__ import annotations

import base64
import io
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.drawn import draw_face

from pairsets import Evaluation, Faces, PairSet, compare, evaluate
from pairsets.errors import FacesError, PairSetError

RNG = np.random.default_rng(2)


class Tables(HTMLParser):
    """Cells of all rows, and what the tags name."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.pictures: list[tuple[str, str]] = []
        self.bold: list[str] = []
        self.tags: set[str] = set()
        self._inner = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self._inner = tag
        given = dict(attrs)
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")
        elif tag == "img":
            self.pictures.append((str(given["alt"]), str(given["src"])))

    def handle_data(self, data: str) -> None:
        if self.rows and self.rows[-1] and data.strip():
            self.rows[-1][-1] += f"{data.strip()} "
            if self._inner == "strong":
                self.bold.append(data)


def world(count: int = 200) -> tuple[PairSet, dict[str, np.ndarray]]:
    """Pairs of forty identities, and scores of a good model and of a coin."""
    names = [f"<who {at}>/1 & 2.png" for at in range(40)]
    other = [name.replace("/1", "/3") for name in names]
    chosen = RNG.permutation([(a, b) for a in range(40) for b in range(40)])[:count]
    label = np.array([a == b for a, b in chosen.tolist()], np.int8)
    label = np.concatenate([label[label == 0], np.ones(40, np.int8)])
    pairs = [(a, b) for a, b in chosen.tolist() if a != b] + [(a, a) for a in range(40)]
    found = PairSet.of([names[a] for a, _ in pairs], [other[b] for _, b in pairs], label)
    noise = RNG.standard_normal((2, len(found)))
    return found, {"good & <b>": 4 * label + noise[0], "coin": noise[1]}


def test_pairs_are_listed_with_who_they_show_and_how_many_there_are() -> None:
    pairs, _ = world()
    text = pairs._repr_html_()
    assert f"10 of {len(pairs)} pairs" in text
    assert "<who" not in text
    found = Tables(text)
    assert found.rows[0] == ["A ", "B ", "Pair "]
    assert len(found.rows) == 11
    first = f"{pairs.identity_a[0]} {pairs.path_a[0]} "
    assert found.rows[1][0] == first
    assert found.rows[1][2] == "different "
    assert not found.tags & {"script", "style", "b"}


def test_verdicts_scores_and_invalid_rows_have_columns_where_they_are() -> None:
    pairs = PairSet.of(["a/1", "a/1"], ["a/2", "b/1"], [1, 0], [0, -1], [0, 1])
    found = Tables(pairs.show(scores=[0.5, np.nan])._repr_html_())
    assert found.rows == [
        ["A ", "B ", "Pair ", "Judged ", "Score "],
        ["a a/1 ", "a a/2 ", "same ", "different ", "0.500 "],
        ["a a/1 ", "b b/1 ", "different invalid: left out ", "", "no score "],
    ]
    assert repr(pairs.show(most=1)) == "PairTable(1 of 2 pairs)"


@pytest.mark.parametrize("as_folder", [True, False])
def test_faces_are_small_pictures(tmp_path: Path, as_folder: bool) -> None:
    for who in ("rei", "asuka"):
        (tmp_path / who).mkdir()
        draw_face(len(who), 400).save(tmp_path / who / "1.png")
    pairs = PairSet.of(["rei/1.png"], ["asuka/1.png"], 0)
    table = pairs.show(tmp_path if as_folder else Faces.scan(tmp_path), [0.25])
    found = Tables(table._repr_html_())
    assert [who for who, _ in found.pictures] == ["rei", "asuka"]
    for _, source in found.pictures:
        head, _, data = source.partition(",")
        assert head == "data:image/webp;base64"
        with Image.open(io.BytesIO(base64.b64decode(data))) as picture:
            assert picture.size == (144, 144)


def test_a_picture_that_cannot_be_read_leaves_its_name(tmp_path: Path) -> None:
    for who in ("rei", "asuka"):
        (tmp_path / who).mkdir()
    draw_face(1).save(tmp_path / "rei" / "1.png")
    (tmp_path / "asuka" / "1.png").write_bytes(b"no picture")
    found = Tables(PairSet.of(["rei/1.png"], ["asuka/1.png"], 0).show(tmp_path)._repr_html_())
    assert [who for who, _ in found.pictures] == ["rei"]
    assert found.rows[1][1] == "asuka asuka/1.png "


def test_what_cannot_be_shown_is_named(tmp_path: Path) -> None:
    pairs = PairSet.of(["rei/1.png"], ["asuka/1.png"], 0)
    with pytest.raises(PairSetError, match=r"scores of shape \(2,\) for 1 pairs"):
        pairs.show(scores=[1, 2])
    for most in (0, 201):
        with pytest.raises(PairSetError, match=f"{most} pairs to show; expected 1 to 200"):
            pairs.show(most=most)
    with pytest.raises(FacesError, match="not there"):
        pairs.show(tmp_path)
    (tmp_path / "rei").mkdir()
    draw_face(1).save(tmp_path / "rei" / "1.png")
    with pytest.raises(FacesError, match="not among the 1 faces"):
        pairs.show(Faces.scan(tmp_path))


def test_an_evaluation_has_its_rates_with_intervals() -> None:
    pairs, scores = world()
    found = evaluate(pairs, scores["coin"], 0.1)
    rows = Tables(found._repr_html_()).rows
    assert [row[0].split()[0] for row in rows[1:]] == ["FPR", "EER", "AUC", "d\u2032", "Threshold"]
    low, high = (100 * end for end in (found.intervals["eer"].low, found.intervals["eer"].high))
    assert rows[2][1] == f"{100 * found.eer:.1f} [{low:.1f}, {high:.1f}] "
    told = f"FPR {100 * found.fpr_achieved:.3g} % at an FNR of {100 * found.fnr_achieved:.3g} %"
    assert repr(found).startswith(f"Evaluation({told}, EER ")
    assert found.to_frame().to_dict("records") == [found.record()]


def test_without_intervals_an_evaluation_says_so() -> None:
    pairs, scores = world()
    found = evaluate(pairs, scores["coin"], 0.1, draws=0)
    assert isinstance(found, Evaluation)
    assert not found.intervals
    assert "Nothing was resampled" in found._repr_html_()


def test_models_stand_by_their_fpr_and_bold_is_what_the_pairs_tell() -> None:
    pairs, scores = world()
    found = compare("random", pairs, dict(reversed(scores.items())), 0.1)
    assert [*found.judged] == ["coin", "good & <b>"]
    shown = Tables(found._repr_html_())
    assert [row[0] for row in shown.rows] == ["Model ", "good & <b> ", "coin "]
    good = found.evaluations["good & <b>"]
    assert shown.bold == [f"{100 * good.fpr_achieved:.2f}", f"{100 * good.eer:.2f}"]
    assert repr(found).startswith(f"Comparison('random', {len(pairs)} pairs; FPR at an FNR of 10 %")
    frame = found.to_frame()
    assert frame["model"].tolist() == ["coin", "good & <b>"]
    assert frame["eer"].tolist() == [one.eer for one in found.evaluations.values()]
    assert frame["fpr_group"].tolist() == ["b", "a"]


def test_a_model_that_mined_the_pairs_stands_last_and_is_never_bold() -> None:
    pairs, scores = world()
    found = compare("mined", pairs, scores, 0.1, apart=["good & <b>"])
    shown = Tables(found._repr_html_())
    assert [row[0].split(" mined")[0].strip() for row in shown.rows[1:]] == ["coin", "good & <b>"]
    assert "compared with none" in shown.rows[2][0]
    assert shown.bold == []
