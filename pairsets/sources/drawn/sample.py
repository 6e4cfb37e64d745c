"""A sample of faces drawn by artists, for trying the tools without a data set.

The parts come from a DiceBear style under CC0 or CC BY. A character keeps its traits; expression,
accessories, pose and framing change from picture to picture.
"""

from __future__ import annotations

import itertools
import json
import random
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from pairsets.errors import SampleError
from pairsets.sources.drawn.cast import Character, LookAlikes, make_cast
from pairsets.sources.drawn.styles import BACKGROUNDS, LICENCES, STYLES, DrawnStyle, colour_gap
from pairsets.storage.artefacts import write_text
from pairsets.storage.csv_tables import write_csv
from pairsets.storage.publication import staging, sweep

FACES, CREDITS, LOOKALIKES = "faces", "CREDITS.txt", "lookalikes.csv"
_CREDITS_START = "Drawn sample of lookalikes"
_SHUT = 0.12  # share of the pictures with shut eyes
_GROUNDS = 9  # how many backgrounds a character is seen before


@dataclass(frozen=True)
class DrawnSample:
    """Drawn sample on disk.

    Attributes:
        folder: holds `faces/<character>/<image>.png`, `CREDITS.txt` and `lookalikes.csv`.
        characters: how many characters it has.
        images: how many pictures of them.
        lookalikes: the groups planted to be confused.
        credit: whom to credit, and the licence.
    """

    folder: Path
    characters: int
    images: int
    lookalikes: tuple[LookAlikes, ...]
    credit: str

    @property
    def faces(self) -> Path:
        """Path of the folder that holds a folder per character."""
        return self.folder / FACES


def draw_faces(
    folder: Path,
    *,
    characters: int = 300,
    images: tuple[int, int] = (2, 6),
    lookalikes: float = 0.2,
    size: int = 224,
    seed: int = 0,
    style: str = "lorelei",
    overwrite: bool = False,
    progress: Callable[[int, int], None] | None = None,
    further: Callable[[Path], object] | None = None,
) -> DrawnSample:
    """Draw a sample of faces into `folder`; the same arguments give the same bytes.

    Args:
        folder: to be made. It appears whole or not at all.
        characters: how many characters.
        images: least and most pictures of a character.
        lookalikes: share of the characters that have a planted look-alike, 0 to 1.
        size: side of the square pictures, in pixels.
        seed: of everything that is left to chance.
        style: one of `STYLES`.
        overwrite: replace the sample that an earlier call wrote to `folder`; other files in it
            stay.
        progress: called with the pictures done and their total, after each character.
        further: called with the folder before it appears: writes what else is to lie in it.

    Raises:
        SampleError: an argument out of range, an unknown style, a folder with other content, or
            the packages of the extra `sample` are missing.
    """
    if style not in STYLES:
        raise SampleError(f"no style {style!r} to draw in; there are {', '.join(STYLES)}")
    least, most = images
    if not 1 <= least <= most:
        raise SampleError(f"images from {least} to {most} a character; expected 1 <= least <= most")
    if not 16 <= size <= 4096:
        raise SampleError(f"a size of {size} pixels; expected 16 to 4096")
    _refuse_other_content(folder, overwrite)
    draw, credit = _artist(style, size)
    cast, groups = make_cast(STYLES[style], characters, lookalikes, seed)
    counts = random.Random(f"counts/{seed}")
    plan = [(character, counts.randint(least, most)) for character in cast]
    total = sum(count for _, count in plan)

    folder = Path(folder)
    place = folder.absolute()  # one called `.` is of its own name too
    place.parent.mkdir(parents=True, exist_ok=True)
    sweep([place])
    with staging(place) as sample:
        done = 0
        for character, count in plan:
            home = sample / FACES / character.name
            home.mkdir(parents=True)
            for _ in range(count):
                rng = random.Random(f"picture/{style}/{seed}/{done}")
                done += 1
                options = picture_options(STYLES[style], character, rng)
                (home / f"{done:06d}.png").write_bytes(draw(options))
            if progress is not None:
                progress(done, total)
        write_csv(
            sample / LOOKALIKES, ["characterA", "characterB", "difference"], _pairs_of(groups)
        )
        write_text(sample / CREDITS, credit)
        if further is not None:
            further(sample)
        _move_into_place(sample, place)
    return DrawnSample(folder, len(cast), total, tuple(groups), credit)


def picture_options(
    style: DrawnStyle, character: Character, rng: random.Random
) -> dict[str, object]:
    """Drawing options of one picture: the character's traits, and a look that `rng` makes up."""
    options: dict[str, object] = {}
    for trait in style.constant:
        options |= trait.options(character.traits[trait.word])
    for trait in style.varied:
        options |= trait.options(rng.choice(trait.choices))
    # Some look-alikes are told apart by their eyes alone: those stay open.
    if character.told_by not in ("eyes", "eye colour") and rng.random() < _SHUT:
        options["eyesVariant"] = rng.choice(style.shut_eyes)
    near = [str(options[key]) for key in ("hairColor", "skinColor")]
    standing_out = sorted(BACKGROUNDS, key=lambda ground: -min(colour_gap(ground, c) for c in near))
    options |= {
        "backgroundColor": rng.sample(standing_out[:_GROUNDS], 2),
        "backgroundColorFill": rng.choice(("solid", "linear", "radial")),
        "backgroundColorFillStops": 2,
        "backgroundColorAngle": rng.randrange(0, 360, 15),
        "backgroundColorOrder": "fixed",
        "flip": rng.choice(("none", "horizontal")),
        "rotate": round(rng.uniform(-14, 14), 1),
        "scale": round(rng.uniform(*style.scale), 3),
        "translateX": round(rng.uniform(-6, 6), 1),
        "translateY": round(rng.uniform(-6, 6) - style.lift, 1),
    }
    return options


def definition_of(style: str) -> dict[str, Any]:
    """Definition of a style in `dicebear_styles`: its parts, colours, authors and licence.

    Raises:
        ImportError: the package is missing.
    """
    import dicebear_styles

    definition: dict[str, Any] = json.loads(
        files(dicebear_styles).joinpath(f"{style}.json").read_text("utf-8")
    )
    return definition


def _artist(style: str, size: int) -> tuple[Callable[[dict[str, object]], bytes], str]:
    """Function that turns drawing options into PNG bytes, and the credit of the drawings."""
    try:
        from dicebear import Avatar, Style
        from resvg_py import svg_to_bytes

        definition = definition_of(style)
    except ImportError as error:
        raise SampleError(
            f"drawing a sample needs the package {error.name}: pip install 'lookalikes[sample]'"
        ) from None
    meta = definition["meta"]
    licence = meta["license"]
    if licence["name"] not in LICENCES:
        raise SampleError(
            f"the style {style} is under {licence['name']!r} in the installed dicebear-styles; "
            f"expected one of {', '.join(sorted(LICENCES))}"
        )
    drawings = Style(definition)

    def draw(options: dict[str, object]) -> bytes:
        svg = Avatar(drawings, {"seed": style, **options}).to_string()
        return bytes(svg_to_bytes(svg_string=svg, width=size, height=size, skip_system_fonts=True))

    credit = (
        f"{_CREDITS_START}: the faces in {FACES}/ are composed of parts of the avatar style "
        f"below, recoloured, magnified, turned and mirrored.\n\n"
        f"{meta['source']['name']} by {meta['creator']['name']} ({meta['creator']['url']})\n"
        f"Source: {meta['source']['url']}\n"
        f"Licence: {licence['name']} ({licence['url']})\n"
        "Composed with DiceBear (https://www.dicebear.com), MIT.\n"
    )
    return draw, credit


def _pairs_of(groups: Sequence[LookAlikes]) -> list[tuple[str, str, str]]:
    """Each pair of look-alikes of a group once, names in order, with the trait they differ in."""
    return sorted(
        (one, other, group.difference)
        for group in groups
        for one, other in itertools.combinations(sorted(group.names), 2)
    )


def _refuse_other_content(folder: Path, overwrite: bool) -> None:
    """Raise `SampleError` unless `folder` is missing, empty, or a sample to be replaced."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise SampleError(f"{folder} is a file; expected a folder to be made")
    if not any(folder.iterdir()):
        return
    if not overwrite:
        raise SampleError(f"{folder} exists and is not empty; name another or ask to overwrite it")
    credits_file = folder / CREDITS
    if not (
        credits_file.is_file() and credits_file.read_bytes().startswith(_CREDITS_START.encode())
    ):
        raise SampleError(
            f"{folder} holds something else than a drawn sample (its {CREDITS} is not ours); "
            "it is not overwritten: name another folder"
        )


def _move_into_place(sample: Path, folder: Path) -> None:
    """Rename `sample` to `folder`; of a sample that is there, replace its parts."""
    if not folder.exists() or not any(folder.iterdir()):
        if folder.exists():
            folder.rmdir()
        sample.rename(folder)
        return
    replaced = sample / "replaced"
    replaced.mkdir()
    # By the credits it is known for a sample: they come last.
    parts = sorted(sample.iterdir(), key=lambda part: (part.name == CREDITS, part.name))
    moved: list[Path] = []
    try:
        for part in parts:
            if part == replaced:
                continue
            old = folder / part.name
            if old.is_dir():
                old.rename(replaced / part.name)
            elif old.exists():
                # A file is there all the time, the old one or the new one.
                shutil.copy2(old, replaced / part.name)
            moved.append(part)
            part.replace(old)
    except BaseException:
        for part in reversed(moved):
            old, kept = folder / part.name, replaced / part.name
            if old.exists():
                old.replace(part)
            if kept.exists():
                kept.replace(old)
        raise
