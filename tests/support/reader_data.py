"""Data that the pages for users read: archives, pair files and datasets of drawn faces."""

from __future__ import annotations

import csv
import itertools
import shutil
from pathlib import Path
from random import Random

from PIL import Image

from pairsets import Faces
from support.danbooru import post, write_faces, write_lines


def make_danbooru(folder: Path, faces: Faces) -> None:
    """Make `metadata/`, `512px/`, `faces.json`: two posts of 50 identities, 5 of 4 others."""
    dice = Random(0)
    posts, boxes = [], {}
    for at in range(120):
        number = 1_000_000 + 37 * at
        identity = f"girl_{at // 2}_(show)" if at < 100 else f"boy_{at // 5}_(show)"
        left, top = dice.randrange(200), dice.randrange(200)
        picture = Image.new("RGB", (512, 512), "white")
        with Image.open(faces.locate(faces.paths[at % len(faces)])) as face:
            picture.paste(face.convert("RGB").resize((240, 240)), (left, top))
        home = folder / "512px" / f"{number % 1000:04d}"
        home.mkdir(parents=True, exist_ok=True)
        picture.save(home / f"{number}.jpg")
        posts.append(post(number, identity))
        boxes[number] = [(left, top, left + 240, top + 240)]
    (folder / "metadata").mkdir()
    write_lines(folder / "metadata" / "2020000000000000.json", posts[:70])
    write_lines(folder / "metadata" / "2020000000000001.json", posts[70:])
    write_faces(folder / "faces.json", boxes)


def make_lfw(folder: Path, faces: Faces) -> None:
    """Make `lfw/name/name_0001.png`, `pairs.txt` of 3 folds, and `calfw/`, flat, with a list."""
    names = [f"Person_{chr(ord('A') + at)}" for at in range(12)]
    flat = folder / "calfw" / "aligned_images"
    flat.mkdir(parents=True)
    for at, name in enumerate(names):
        (folder / "lfw" / name).mkdir(parents=True)
        for number in (1, 2):
            with Image.open(faces.locate(faces.paths[2 * at + number - 1])) as face:
                face.convert("RGB").save(folder / "lfw" / name / f"{name}_{number:04d}.jpg")
            shutil.copy(folder / "lfw" / name / f"{name}_{number:04d}.jpg", flat)
    lines = ["3\t4"]
    listed = []
    for fold in range(3):
        own = names[4 * fold : 4 * fold + 4]
        lines += [f"{name}\t1\t2" for name in own]
        listed += [(f"{name}_0001.jpg", f"{name}_0002.jpg", fold + 1) for name in own]
        others = [*itertools.combinations(own, 2)][:4]
        lines += [f"{a}\t1\t{b}\t2" for a, b in others]
        listed += [(f"{a}_0001.jpg", f"{b}_0002.jpg", 0) for a, b in others]
    (folder / "pairs.txt").write_text("\n".join(lines) + "\n")
    (folder / "calfw" / "pairs_CALFW.txt").write_text(
        "".join(f"{a} {flag}\n{b} {flag}\n" for a, b, flag in listed)
    )


def make_ijb(folder: Path, faces: Faces) -> None:
    """Make `loose_crop/` and `meta/`: 20 subjects of two templates, an image and a video each."""
    (folder / "loose_crop").mkdir(parents=True)
    (folder / "meta").mkdir()
    members, pairs, number = [], [], 0
    for template in range(40):
        for media in (0, 1, 1):
            number += 1
            with Image.open(faces.locate(faces.paths[number % len(faces)])) as face:
                face.convert("RGB").save(folder / "loose_crop" / f"{number}.jpg")
            members.append(f"{number}.jpg {template + 1} {media + 10 * template}")
    for one, other in itertools.combinations(range(40), 2):
        if one // 2 == other // 2 or other - one == 7:
            pairs.append(f"{one + 1} {other + 1} {int(one // 2 == other // 2)}")
    for name, lines in (("face_tid_mid", members), ("template_pair_label", pairs)):
        (folder / "meta" / f"ijbc_{name}.txt").write_text("\n".join(lines) + "\n")
    # The same as NIST ships it: the pairs have no labels, the lists of templates name subjects.
    rows = [line.split() for line in members]
    for name, odd in (("gallery_G1", 1), ("gallery_G2", 0)):
        listed = [
            f"{template},{(int(template) + 1) // 2},{image},{medium},5,5,40,40"
            for image, template, medium in rows
            if int(template) % 2 == odd
        ]
        header = "TEMPLATE_ID,SUBJECT_ID,FILENAME,SIGHTING_ID,FACE_X,FACE_Y,FACE_WIDTH,FACE_HEIGHT"
        (folder / "meta" / f"ijbc_1N_{name}.csv").write_text("\n".join([header, *listed]) + "\n")
    matches = "".join(",".join(line.split()[:2]) + "\n" for line in pairs)
    (folder / "meta" / "ijbc_11_G1_G2_matches.csv").write_text(matches)


def make_dataset(folder: Path, faces: Faces) -> None:
    """Make an image folder as `datasets` loads it: `train/` with a table beside the images."""
    home = folder / "train"
    home.mkdir(parents=True)
    with (home / "metadata.csv").open("w", encoding="utf-8", newline="") as stream:
        table = csv.writer(stream)
        table.writerow(["file_name", "identity"])
        for at, (path, identity) in enumerate(zip(faces.paths, faces.identities, strict=True)):
            shutil.copy(faces.locate(path), home / f"{at:04d}.png")
            table.writerow([f"{at:04d}.png", identity])


def make_identities(home: Path, faces: Faces) -> None:
    """Make faces in no folders of their own: `market/`, `videos/`, CelebA's with a list."""
    market = home / "market" / "bounding_box_test"
    celeba = home / "img_align_celeba"
    market.mkdir(parents=True)
    celeba.mkdir()
    listed = []
    for at, path in enumerate(faces.paths[:24]):
        person, number = divmod(at, 2)
        video = home / "videos" / f"person_{person}" / f"video{number}"
        video.mkdir(parents=True)
        name = f"{person or -1:04d}_c1s{number}_{at:06d}_00.jpg".replace("-001", "-1")
        with Image.open(faces.locate(path)) as face:
            for file in (video / "1.jpg", market / name, celeba / f"{at + 1:06d}.jpg"):
                face.convert("RGB").save(file)
        listed.append(f"{at + 1:06d}.jpg {person}\n")
    (home / "identity_CelebA.txt").write_text("".join(listed))


def make_all(home: Path, faces: Faces) -> None:
    """Make all data that the pages use, under the names that they use."""
    make_danbooru(home / "danbooru", faces)
    make_lfw(home, faces)
    make_ijb(home / "ijb", faces)
    make_dataset(home / "my_dataset", faces)
    make_identities(home, faces)
