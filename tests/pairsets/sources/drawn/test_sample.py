from __future__ import annotations

import csv
import errno
import hashlib
import io
import itertools
import os
import random
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pairsets.errors import SampleError
from pairsets.faces import Faces
from pairsets.sources.drawn import sample as drawn
from pairsets.sources.drawn.cast import MOST_CHARACTERS, file_system_key, make_cast
from pairsets.sources.drawn.sample import DrawnSample, draw_faces, picture_options
from pairsets.sources.drawn.styles import (
    BACKGROUNDS,
    EYE_COLOURS,
    HAIR_COLOURS,
    SKIN_COLOURS,
    STYLES,
    DrawnStyle,
    colour_gap,
)

WINDOWS_DEVICE = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
FRAMING = {"flip", "rotate", "scale", "translateX", "translateY", "backgroundColor"}


@pytest.fixture(scope="module", params=STYLES)
def sample(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> DrawnSample:
    pytest.importorskip("dicebear_styles")
    folder = tmp_path_factory.mktemp("drawn") / "sample"
    return draw_faces(
        folder, characters=12, images=(2, 4), lookalikes=0.5, size=48, style=request.param
    )


def contents(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def differing(one: dict[str, object], other: dict[str, object]) -> set[str]:
    return {key for key in one | other if one.get(key) != other.get(key)}


def test_what_it_says_is_on_disk(sample: DrawnSample) -> None:
    faces = Faces.scan(sample.faces)
    assert len(faces) == sample.images
    assert faces.count_identities == sample.characters == 12
    assert not faces.skipped
    assert {2, 3, 4} >= {list(faces.identities).count(name) for name in faces.identities}
    assert (sample.folder / "CREDITS.txt").read_text("utf-8") == sample.credit
    assert "Lisa Wischofsky" in sample.credit
    assert "creativecommons.org" in sample.credit
    assert sorted(p.name for p in sample.folder.iterdir()) == [
        "CREDITS.txt",
        "faces",
        "lookalikes.csv",
    ]


def test_pictures_are_square_and_no_two_are_the_same(sample: DrawnSample) -> None:
    pictures = [path.read_bytes() for path in sample.faces.rglob("*.png")]
    assert len(set(pictures)) == len(pictures) == sample.images
    for picture in pictures:
        image = Image.open(io.BytesIO(picture))
        assert image.size == (48, 48)
        # A face, not a plain ground; and nothing of the page shows through.
        assert np.asarray(image.convert("RGB")).std(axis=(0, 1)).max() > 20
        assert np.asarray(image.convert("RGBA"))[..., 3].min() == 255


def test_lookalikes_csv_lists_every_pair_of_a_group(sample: DrawnSample) -> None:
    with (sample.folder / "lookalikes.csv").open(encoding="utf-8", newline="") as stream:
        header, *rows = csv.reader(stream)
    assert header == ["characterA", "characterB", "difference"]
    planted = {
        (*sorted(pair), group.difference)
        for group in sample.lookalikes
        for pair in itertools.combinations(group.names, 2)
    }
    assert set(map(tuple, rows)) == planted
    assert len(rows) == len(planted) >= 2
    assert {name for row in rows for name in row[:2]} <= {p.name for p in sample.faces.iterdir()}


def test_same_seed_same_bytes_and_another_seed_others(sample: DrawnSample, tmp_path: Path) -> None:
    style = next(name for name in STYLES if name.title() in sample.credit)
    again, other = (
        draw_faces(
            tmp_path / str(seed),
            characters=12,
            images=(2, 4),
            lookalikes=0.5,
            size=48,
            style=style,
            seed=seed,
        )
        for seed in (0, 1)
    )
    assert contents(again.folder) == contents(sample.folder)
    pictures = [
        {path.read_bytes() for path in drawn_one.faces.rglob("*.png")}
        for drawn_one in (sample, other)
    ]
    assert not pictures[0] & pictures[1]


@pytest.mark.parametrize("style", STYLES.values(), ids=STYLES)
def test_traits_stay_and_looks_vary(style: DrawnStyle) -> None:
    cast, _ = make_cast(style, 12, 0.5, seed=3)
    varied = {trait.option for trait in style.varied if len(set(trait.choices)) > 1}
    for character in cast:
        looks = [picture_options(style, character, random.Random(n)) for n in range(80)]
        for trait in style.constant:
            shown = {look.get(trait.option, "") for look in looks}
            if trait.word == "eyes" and character.told_by not in ("eyes", "eye colour"):
                assert shown - set(style.shut_eyes) == {character.traits["eyes"]}
                assert shown & set(style.shut_eyes)
            else:
                assert shown == {character.traits[trait.word]}
        for option in varied | FRAMING:
            assert len({str(look.get(option)) for look in looks}) > 1, option


@pytest.mark.parametrize("style", STYLES.values(), ids=STYLES)
def test_drawings_leave_nothing_else_to_chance(style: DrawnStyle) -> None:
    dicebear = pytest.importorskip("dicebear")
    drawings = dicebear.Style(drawn.definition_of(style.name))
    for number, character in enumerate(make_cast(style, 40, 0.2, seed=5)[0]):
        options = picture_options(style, character, random.Random(number))
        one, other = (
            dicebear.Avatar(drawings, {"seed": seed, **options}).to_json()["options"]
            for seed in ("one", "another")
        )
        assert one == other
        shut = options["eyesVariant"] in style.shut_eyes
        for trait in (*style.constant, *style.varied):
            # Some drawings give shut eyes no colour, and hair over the ears no earrings.
            may_be_hidden = trait in style.varied or (shut and trait.option == "eyesColor")
            if trait.option in options and not (may_be_hidden and trait.option not in one):
                assert str(options[trait.option]) in str(one[trait.option]), trait.word


@pytest.mark.parametrize("style", STYLES.values(), ids=STYLES)
def test_look_alikes_differ_in_the_trait_listed_and_nobody_else_in_one(
    style: DrawnStyle,
) -> None:
    cast, groups = make_cast(style, 300, 0.2, seed=0)
    assert len(cast) == len({c.name for c in cast}) == 300
    planted = {
        frozenset(pair): group.difference
        for group in groups
        for pair in itertools.combinations(group.names, 2)
    }
    for one, other in itertools.combinations(cast, 2):
        apart = differing(dict(one.traits), dict(other.traits))
        difference = planted.get(frozenset((one.name, other.name)))
        if difference is None:
            assert len(apart) >= 2
        else:
            assert apart == {difference}
            assert one.told_by == other.told_by == difference
    alike = [name for group in groups for name in group.names]
    assert len(alike) == len(set(alike))
    assert 59 <= len(alike) <= 60
    assert {c.name for c in cast if c.told_by} == set(alike)
    assert {group.difference for group in groups} == {
        trait.word for trait in style.constant if trait.tells_apart
    }


def test_colours_can_be_told_apart() -> None:
    for palette in (HAIR_COLOURS, SKIN_COLOURS, EYE_COLOURS, BACKGROUNDS):
        assert min(colour_gap(a, b) for a, b in itertools.combinations(palette, 2)) > 20
    for palette in (HAIR_COLOURS, SKIN_COLOURS):
        assert min(colour_gap(a, b) for a, b in itertools.combinations(palette, 2)) > 40


def test_eyes_can_be_seen_on_every_skin() -> None:
    assert min(colour_gap(a, b) for a, b in itertools.product(EYE_COLOURS, SKIN_COLOURS)) > 70


def test_names_are_odd_and_safe_on_every_file_system() -> None:
    cast, _ = make_cast(STYLES["lorelei"], MOST_CHARACTERS, 0.1, seed=7)
    names = [character.name for character in cast]
    assert len({file_system_key(name) for name in names}) == MOST_CHARACTERS
    for name in names:
        assert not re.search(r'[<>:"/\\|?*\x00-\x1f]', name)
        assert name == name.strip()
        assert not name.endswith(".")
        assert not WINDOWS_DEVICE.fullmatch(name)
        assert len(name.encode()) < 100
    together = "".join(names)
    assert any(name.startswith(".") for name in names)
    assert not together.isascii()
    assert set("()&' ") <= set(together)
    few = [character.name for character in make_cast(STYLES["lorelei"], 12, 0.5, seed=0)[0]]
    assert not all(re.fullmatch(r"[a-z_]+(\([a-z_]+\))?", name) for name in few)


def test_progress_ends_at_the_total(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    sample = draw_faces(
        tmp_path / "s",
        characters=3,
        images=(1, 3),
        size=16,
        progress=lambda done, total: seen.append((done, total)),
    )
    assert seen[-1] == (sample.images, sample.images)
    assert [done for done, _ in seen] == sorted({done for done, _ in seen})
    assert len(seen) == 3


def test_missing_packages_name_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for package in ("dicebear", "resvg_py", "dicebear_styles"):
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, package, None)
            with pytest.raises(SampleError, match=re.escape("pip install 'lookalikes[sample]'")):
                draw_faces(tmp_path / "s", characters=2)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"characters": 1}, "1 characters"),
        ({"characters": MOST_CHARACTERS + 1}, str(MOST_CHARACTERS)),
        ({"images": (0, 3)}, "images from 0 to 3"),
        ({"images": (4, 3)}, "images from 4 to 3"),
        ({"lookalikes": 1.5}, "share of 1.5"),
        ({"lookalikes": float("nan")}, "share of nan"),
        ({"size": 8}, "size of 8"),
        ({"style": "avataaars"}, "lorelei, adventurer"),
    ],
)
def test_refuses_what_cannot_be_drawn(
    tmp_path: Path, arguments: dict[str, object], complaint: str
) -> None:
    with pytest.raises(SampleError, match=re.escape(complaint)):
        draw_faces(tmp_path / "s", **arguments)  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())


def test_refuses_drawings_that_are_not_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    definition = drawn.definition_of("lorelei")
    definition["meta"]["license"]["name"] = "All rights reserved"
    monkeypatch.setattr(drawn, "definition_of", lambda style: definition)
    with pytest.raises(SampleError, match="All rights reserved"):
        draw_faces(tmp_path / "s", characters=2)


def test_takes_an_empty_folder(tmp_path: Path) -> None:
    (tmp_path / "s").mkdir()
    assert draw_faces(tmp_path / "s", characters=2, size=16).faces.is_dir()
    assert [p.name for p in tmp_path.iterdir()] == ["s"]


def test_replaces_a_sample_only_when_asked_and_keeps_other_files(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    draw_faces(folder, characters=3, size=16, seed=1)
    (folder / "notes.txt").write_text("mine")
    before = contents(folder)
    with pytest.raises(SampleError, match="not empty"):
        draw_faces(folder, characters=3, size=16, seed=2)
    assert contents(folder) == before
    draw_faces(folder, characters=4, size=16, seed=2, overwrite=True)
    fresh = draw_faces(tmp_path / "fresh", characters=4, size=16, seed=2)
    assert (folder / "notes.txt").read_text() == "mine"
    (folder / "notes.txt").unlink()
    assert contents(folder) == contents(fresh.folder)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["fresh", "s"]


def test_never_overwrites_somebody_elses_folder(tmp_path: Path) -> None:
    (tmp_path / "s" / "faces" / "hanae").mkdir(parents=True)
    (tmp_path / "s" / "faces" / "hanae" / "1.png").write_bytes(b"a real face")
    (tmp_path / "s" / "CREDITS.txt").write_text("Photographs by me")
    before = contents(tmp_path)
    with pytest.raises(SampleError, match="not overwritten"):
        draw_faces(tmp_path / "s", characters=2, size=16, overwrite=True)
    (tmp_path / "file").write_text("a file")
    with pytest.raises(SampleError, match="is a file"):
        draw_faces(tmp_path / "file", characters=2, size=16, overwrite=True)
    (tmp_path / "file").unlink()
    assert contents(tmp_path) == before


@pytest.mark.parametrize("there", [False, True])
def test_an_interruption_leaves_what_was_there(tmp_path: Path, there: bool) -> None:
    folder = tmp_path / "s"
    if there:
        draw_faces(folder, characters=3, size=16, seed=1)
    before = contents(tmp_path)

    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        draw_faces(folder, characters=3, size=16, seed=2, overwrite=there, progress=interrupt)
    assert contents(tmp_path) == before
    assert folder.exists() is there
    assert len(list(tmp_path.iterdir())) == there


@pytest.mark.parametrize("refused", ["faces", "lookalikes.csv", "CREDITS.txt"])
def test_a_disk_too_full_for_the_last_move_leaves_the_old_sample(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: str
) -> None:
    draw_faces(tmp_path / "s", characters=2, images=(2, 2), size=24)
    before = {
        path.relative_to(tmp_path): path.read_bytes()
        for path in sorted(tmp_path.rglob("*"))
        if path.is_file()
    }
    replace, once = Path.replace, [True]

    def full(part: Path, target: Path) -> Path:
        if part.name == refused and once:
            once.clear()
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(target))
        return replace(part, target)

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        draw_faces(tmp_path / "s", characters=3, images=(2, 2), size=24, seed=5, overwrite=True)
    assert {
        path.relative_to(tmp_path): path.read_bytes()
        for path in sorted(tmp_path.rglob("*"))
        if path.is_file()
    } == before
    assert [file.name for file in tmp_path.iterdir()] == ["s"]
