"""All that reads files of anybody's: sample files that it reads whole, and how it is called.

A new reader gets a line in `_all`; the suite and `make fuzz` then damage its files.
"""

from __future__ import annotations

import gzip
import io
import json
import lzma
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from fuzz import mutators
from fuzz.mutators import Mutator
from support.format_examples import ASKED, EXAMPLES, FILES

_TESTS = Path(__file__).parents[1]

# Files of the same kinds as others wrote them, beside the real faces, where the machine has them.
_DATA = Path(os.environ.get("LOOKALIKES_DATA", _TESTS.parents[1] / "shared" / "data"))
CASES = Path(os.environ.get("LOOKALIKES_CASES", _DATA.parent / "cases"))

Read = Callable[[Path], object]
_KINDS: Mapping[str, tuple[Mutator, ...]] = {
    ".csv": mutators.TABLE,
    ".tsv": mutators.TABLE,
    ".txt": mutators.TABLE,
    ".json": mutators.JSON,
    ".jsonl": mutators.JSON,
    ".parquet": mutators.PARQUET,
    ".npz": mutators.ZIP,
    ".zip": mutators.ZIP,
    ".npy": mutators.NPY,
    ".pth": mutators.ZIP,
    ".xml": mutators.TEXT,
}


@dataclass(frozen=True)
class Reader:
    """One way to read files.

    Attributes:
        name: as counts have it.
        make: writes sample files into an empty folder.
        read: reads them; what it raises of damaged ones is judged.
        files: those that are damaged, relative to the folder; all of them unless named.
        writes: it may change the folder.
        whole: undamaged, its files are read.
        slow: it takes so long that the suite gives it a share of the inputs alone.
        kinds: ways to damage a file that its ending does not tell.
    """

    name: str
    make: Callable[[Path], object]
    read: Read
    files: tuple[str, ...] = ()
    writes: bool = False
    slow: bool = False
    whole: bool = True
    kinds: Mapping[str, tuple[Mutator, ...]] = field(default_factory=dict)

    def mutators_of(self, file: str) -> tuple[Mutator, ...]:
        """Ways to damage a file of that name."""
        suffix = Path(file).suffix.lower()
        return self.kinds.get(file) or _KINDS.get(suffix, mutators.BINARY)


def several(*calls: Callable[[], object]) -> None:
    """Make each of the calls, though one before it raised; the first error is raised at the end."""
    errors: list[Exception] = []
    for call in calls:
        try:
            call()
        except Exception as error:
            errors.append(error)
    if errors:
        # One that is none of ours goes before those that are.
        raise min(errors, key=lambda error: isinstance(error, own_errors()))


def own_errors() -> tuple[type[Exception], ...]:
    """What a reader may raise of a damaged file."""
    from mining.cli.user_errors import mendable

    return tuple(one for one in mendable() if one not in (OSError, MemoryError))


# --- pair files ------------------------------------------------------------------------------


@cache
def _pairs() -> Any:
    return EXAMPLES["csv"]().pairs


def _format_file(example: str, file: str, style: dict[str, Any], folder: Path) -> None:
    from pairsets.sources.formats import write_pairs

    name = {"triplets": "n-tuples"}.get(example, example)
    write_pairs(EXAMPLES[example](), folder / file, name, **style)


def _read_format(name: str, file: str, folder: Path) -> None:
    from pairsets.sources.formats import read_pairs, sniff

    calls: list[Callable[[], object]] = [lambda: read_pairs(folder / file, name)]
    if name not in ASKED:
        calls.append(lambda: sniff(folder / file))
    several(*calls)


def _formats() -> Iterator[Reader]:
    endings = {"csv": ".csv", "jsonl": ".jsonl", "parquet": ".parquet", "pml": ".npz"}
    for example in EXAMPLES:
        tabular = example in ("n-tuples", "triplets", "table")
        for ending in (".jsonl", ".csv", ".parquet") if tabular else (None,):
            file = FILES.get(example, f"fuzzed{ending or endings.get(example, '.txt')}")
            style: dict[str, Any] = (
                {"style": "n-tuple", "negatives": 2} if example == "n-tuples" else {}
            )
            label = f"{example} {ending[1:]}" if ending else example
            name = "n-tuples" if example == "triplets" else example
            yield Reader(
                f"format {label}",
                partial(_format_file, example, file, style),
                partial(_read_format, name, file),
            )


def _make_ijb(folder: Path) -> None:
    _format_file("ijb", "pairs.txt", {}, folder)
    numbers = (1, 11, 111, 2, 22, 5, 50)
    (folder / "face_tid_mid.txt").write_text("".join(f"{n}.jpg {n} {n % 3}\n" for n in numbers))


def _make_nist(folder: Path) -> None:
    (folder / "matches.csv").write_text("1,11\n11,111\n1,2\n22,5\n")
    rows = "".join(f"{n},{str(n)[0]},img/{n}.jpg,{n},9,9,5,5\n" for n in (1, 11, 111, 2, 22, 5))
    columns = "TEMPLATE_ID,SUBJECT_ID,FILENAME,SIGHTING_ID,FACE_X,FACE_Y,FACE_WIDTH,FACE_HEIGHT"
    (folder / "gallery.csv").write_text(f"{columns}\n{rows}")


def _read_nist(folder: Path) -> None:
    from pairsets.sources.formats import read_pairs

    read_pairs(folder / "matches.csv", "ijb", templates=[folder / "gallery.csv"])


def _read_ijb(folder: Path) -> None:
    from pairsets.sources.formats import read_pairs

    read_pairs(folder / "pairs.txt", "ijb", templates=folder / "face_tid_mid.txt")


def _make_pairs(folder: Path) -> None:
    from pairsets import PairSet
    from pairsets.evaluation.annotator_files import read_annotators  # noqa: F401  (loaded before it is timed)
    from pairsets.files.side_files import folds_of
    from pairsets.pairset import identities_of

    content = EXAMPLES["csv"]()
    pairs = content.pairs
    named = {path: f"who {at % 7}" for at, path in enumerate(pairs.paths)}
    whose = [named[a] == named[b] for a, b in zip(pairs.path_a, pairs.path_b, strict=True)]
    several_named = PairSet.of(pairs.path_a, pairs.path_b, whose, identities=named)
    several_named.write(folder / "named.csv")
    pairs.write(folder / "pairs.csv")
    assert content.folds is not None
    content.folds.write(folds_of(folder / "pairs.csv"), pairs)
    assert identities_of(folder / "named.csv").exists()


def _read_pairset(folder: Path) -> None:
    from pairsets import PairSet
    from pairsets.files.exclusions import Exclusions

    several(
        lambda: PairSet.read(folder / "pairs.csv"),
        lambda: PairSet.read(folder / "named.csv"),
        lambda: Exclusions.read(folder / "pairs.csv"),
    )


def _read_beside_pairs(folder: Path) -> None:
    from pairsets.evaluation.annotator_files import read_annotators
    from pairsets.files.folds import Folds

    pairs = _pairs()
    several(
        lambda: Folds.read(folder / "pairs.folds.csv", pairs),
        lambda: read_annotators(pairs, {"who": folder / "pairs.csv"}),
    )


def _make_scores(folder: Path) -> None:
    from pairsets.files.score_files import write_scores

    pairs = _pairs()
    scores = {name: np.linspace(-1, 1, len(pairs)) for name in ("one", "two")}
    ranks = np.arange(1, len(pairs) + 1)
    write_scores(folder / "set.scores.csv", pairs, scores, ranks, {"one": scores["one"] ** 2})


def _read_scores(folder: Path) -> None:
    from mining.scores.pair_files import mined_beside
    from pairsets.files.score_files import read_quantiles, read_ranks, read_scores, why_none

    pairs, file = _pairs(), folder / "set.scores.csv"
    several(
        lambda: read_scores(file, pairs),
        lambda: read_ranks(file, pairs),
        lambda: read_quantiles(file, pairs),
        lambda: mined_beside(folder / "set.csv", pairs),
        lambda: read_scores(file, pairs) and why_none(file, pairs.paths),
    )


def _make_suspects(folder: Path) -> None:
    from pairsets.files.suspect_kinds import KINDS
    from pairsets.files.suspects import Doubt, Suspects

    pairs = _pairs()
    score = np.linspace(0, 1, len(pairs))
    reasons = tuple("" if one <= 0.5 else f'why, "{one}"' for one in score)
    doubts = [Doubt(kind, score, score > 0.5, reasons) for kind in list(KINDS)[:2]]
    Suspects.of(pairs, doubts).write(folder / "suspects.csv")


def _read_suspects(folder: Path) -> None:
    from pairsets.files.suspects import Suspects

    Suspects.read(folder / "suspects.csv")


def _make_submission(folder: Path) -> None:
    from pairsets.files.submissions import write_submission

    pairs = _pairs()
    write_submission(
        folder / "sent.csv",
        pairs,
        np.linspace(0, 1, len(pairs)),
        model="mine",
        description="what it is",
        authors=["A", "B"],
        url="https://example.org/x",
    )


def _read_submission(folder: Path) -> None:
    from pairsets.files.submissions import read_submission

    pairs = _pairs()
    several(
        lambda: read_submission(folder / "sent.csv", pairs),
        lambda: read_submission(folder / "sent.json", pairs),
    )


# --- lists beside faces ----------------------------------------------------------------------


def _make_lists(folder: Path) -> None:
    from PIL import Image

    for at in range(6):
        file = folder / "faces" / f"who{at // 2}" / f"{at}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 4), (at, 0, 0)).save(file)
    (folder / "list.txt").write_text("".join(f"{at}.png {at // 2}\n" for at in range(6)))
    (folder / "list.csv").write_text(
        "image_id,identity\n" + "".join(f"{at}.png,n{at // 2}\n" for at in range(6))
    )
    (folder / "aliases.csv").write_text("identity,alias\nrei,ayanami rei\na,b\nb,c\n")
    (folder / "ignored.txt").write_text("0.png\n1.png\n\n2.png\n")
    (folder / "names.txt").write_text("rei\nasuka\n橘_雪\n")
    (folder / "table.csv").write_text("identity,images\nrei,2\nasuka,3\n")
    (folder / "folders.csv").write_text('folder,identity\na__b,a/b\n%,""\nc,"""d\\n"""\n')


def _read_lists(folder: Path) -> None:
    from pairsets import Faces
    from pairsets.files.aliases import Aliases
    from pairsets.identities.lists import ByList
    from pairsets.paths import read_ignore_list
    from pairsets.sources.folders.safe_names import SafeNames
    from pairsets.sources.overlap import Collection

    faces = folder / "faces"
    several(
        lambda: Faces.scan(faces, ByList(folder / "list.txt")),
        lambda: Faces.scan(faces, ByList(folder / "list.csv")),
        lambda: Faces.scan(faces, ByList(folder / "list.csv", "identity")),
        lambda: Aliases.read(folder / "aliases.csv"),
        lambda: read_ignore_list(folder / "ignored.txt"),
        lambda: Collection.read(folder / "names.txt"),
        lambda: Collection.read(folder / "table.csv"),
        lambda: SafeNames.read(folder / "folders.csv"),
    )


_LISTS = (
    "list.txt",
    "list.csv",
    "aliases.csv",
    "ignored.txt",
    "names.txt",
    "table.csv",
    "folders.csv",
)


def _make_dataset(folder: Path) -> None:
    from pairsets.sources.dataset import Dataset

    faces = {"rei": [(7, (0, 0, 9, 9))], "as/uka": [("a/3.jpg", (1, 2, 3, 4)), (4, (1, 2, 3, 9))]}
    Dataset.of(faces).write(folder / "set.json")


def _read_dataset(folder: Path) -> None:
    from pairsets.sources.dataset import Dataset
    from pairsets.sources.overlap import Collection

    several(
        lambda: Dataset.read(folder / "set.json"),
        lambda: Collection.read(folder / "set.json").posts,
    )


def _make_templates(folder: Path) -> None:
    (folder / "tid.txt").write_text("".join(f"{n}.jpg {n // 3 + 1} {n % 4}\n" for n in range(30)))


def _read_templates(folder: Path) -> None:
    from pairsets.sources.templates import Templates

    Templates.read(folder / "tid.txt")


# --- boxes and posts -------------------------------------------------------------------------

_BOXES = {
    "1123": [{"bbox": [1, 2, 30, 40], "score": 0.9}, {"bbox": [3, 4, 50.5, 60], "score": 0.5}],
    "a/2.jpg": [{"bbox": [1, 2, 30, 40], "score": 0.9, "label": "rei"}],
}
_COCO = {
    "images": [{"id": at, "file_name": f"{at}.jpg", "width": 90, "height": 80} for at in (1, 2)],
    "categories": [{"id": 1, "name": "face"}, {"id": 2, "name": "text"}],
    "annotations": [
        {"id": at, "image_id": 1 + at % 2, "category_id": 1 + at % 2, "bbox": [1, 2, 30, 40]}
        for at in range(4)
    ],
}
_CVAT = """<?xml version="1.0"?><annotations><version>1.1</version><image id="0" name="a/1.jpg"
width="90" height="80"><box label="face" xtl="1.5" ytl="2" xbr="30" ybr="40"><attribute name="who">
rei</attribute></box></image></annotations>"""
_VOC = """<annotation><folder>a</folder><filename>1.jpg</filename><size><width>90</width>
<height>80</height></size><object><name>face</name><bndbox><xmin>1</xmin><ymin>2</ymin>
<xmax>30</xmax><ymax>40</ymax></bndbox></object></annotation>"""
_MANGA = """<book title="T"><identities><identity id="c1" name="Rei"/></identities><pages>
<page index="0" width="90" height="80"><face id="f1" xmin="1" ymin="2" xmax="30" ymax="40"
identity="c1"/></page></pages></book>"""


def _make_boxes(folder: Path) -> None:
    (folder / "pictures.json").write_text(json.dumps(_BOXES))
    (folder / "identities.json").write_text(
        json.dumps(
            {"rei": [{"id": 5, "bbox": [1, 2, 3, 4]}], "a": [{"id": 6, "bbox": [1, 2, 3, 4]}]}
        )
    )
    records = [{"image": path, "faces": boxes} for path, boxes in _BOXES.items()]
    (folder / "records.jsonl").write_text("\n".join(map(json.dumps, records)))
    (folder / "coco.json").write_text(json.dumps(_COCO))
    (folder / "wider.txt").write_text(
        "0--A/1.jpg\n2\n1 2 30 40 0 0 0 0 0 0\n3 4 9 9\n0--A/2.jpg\n0\n"
    )
    (folder / "faces.tsv").write_text(
        r"0446\332446.jpg" "\t1\t1,2,30,40,0.9\n" r"0447\332447.jpg" "\t7\t1,2,30,40,0.8\n"
    )
    (folder / "book.xml").write_text(_MANGA)
    (folder / "voc.xml").write_text(_VOC)
    (folder / "cvat.xml").write_text(_CVAT)
    (folder / "labels").mkdir()
    (folder / "labels" / "1001.txt").write_text("0 0.5 0.5 0.2 0.3\n1 0.1 0.1 0.1 0.1 0.9\n")
    (folder / "labels" / "classes.txt").write_text("face\nrei\n")
    plain = json.dumps(_BOXES, indent=2).encode()
    (folder / "packed.json.gz").write_bytes(gzip.compress(plain, mtime=0))
    (folder / "packed.json.xz").write_bytes(lzma.compress(plain))
    with_zstd(folder / "packed.json.zst", plain)


def with_zstd(file: Path, data: bytes) -> None:
    """Write packed data."""
    import zstandard

    file.write_bytes(zstandard.ZstdCompressor().compress(data))


_BOX_FILES = (
    *("pictures.json", "identities.json", "records.jsonl", "coco.json", "wider.txt", "faces.tsv"),
    *("book.xml", "voc.xml", "cvat.xml", "labels/1001.txt", "labels/classes.txt"),
    *("packed.json.gz", "packed.json.xz", "packed.json.zst"),
)


def _read_boxes_file(file: str, folder: Path) -> None:
    from pairsets.sources.danbooru.selection import named_boxes, named_pictures
    from pairsets.sources.danbooru.single_faces import Boxed
    from pairsets.sources.face_boxes import read_annotations

    found = read_annotations(folder / file.partition("/")[0], sized=file.startswith("labels"))
    boxed, rows = Boxed.each(found, min_size=1)
    several(
        lambda: _of_posts(Boxed.of(found, min_size=3), folder / file),
        lambda: named_boxes(found, boxed, rows),
        lambda: named_pictures(found, Boxed.of(found)),
    )


def _of_posts(boxed: Any, file: Path) -> None:
    from pairsets.errors import SourceError

    try:
        boxed.by_post()
    except SourceError as error:  # as who selects says it, who knows the file
        raise SourceError(f"{file}: {error}") from None


def _boxes() -> Iterator[Reader]:
    for file in _BOX_FILES:
        name = file.replace("/", " ")
        yield Reader(f"boxes {name}", _make_boxes, partial(_read_boxes_file, file), (file,))


def _make_posts(folder: Path) -> None:
    from support.danbooru import post

    posts = [post(1_000 + at, f"girl_{at // 2}") for at in range(6)]
    posts.append({"id": 7, "rating": "general", "tags_character": ["rei"], "extension": "png"})
    posts.append(
        {
            "id": 8,
            "rating": "s",
            "tags": {"identity": ["a"], "general": []},
            "file": {"ext": "png"},
        }
    )
    text = "".join(json.dumps(one) + "\n" for one in posts).encode()
    (folder / "posts.jsonl").write_bytes(text)
    (folder / "posts.json.gz").write_bytes(gzip.compress(text, mtime=0))
    with_zstd(folder / "posts.json.zst", text)
    (folder / "side").mkdir()
    for one in posts[:3]:
        (folder / "side" / f"{one['id']}.jpg.json").write_text(json.dumps(one, indent=1))


def _read_posts(folder: Path) -> None:
    from pairsets.sources.danbooru.metadata import Metadata
    from pairsets.sources.danbooru.posts import Rule
    from pairsets.sources.danbooru.streams import metadata_files
    from pairsets.storage.resume import Resume

    def read(source: Path) -> None:
        metadata = Metadata.of(metadata_files([source])[0], Rule(), 4096)
        with Resume(folder / "journal" / source.name, metadata.facts) as journal:
            for block in metadata.blocks(journal, workers=1, step=lambda done, total: None):
                len(block.ids)

    several(
        *(
            partial(read, folder / name)
            for name in ("posts.jsonl", "posts.json.gz", "posts.json.zst", "side")
        )
    )


# --- folders of pictures ---------------------------------------------------------------------


def _picture(at: int, kind: str = "PNG") -> bytes:
    from support.drawn import draw_face

    stream = io.BytesIO()
    draw_face(at, 16).save(stream, kind)
    return stream.getvalue()


_PICTURES = {"a.png": "PNG", "b.jpg": "JPEG", "c.webp": "WEBP", "d.gif": "GIF", "e.bmp": "BMP"}


def _make_pictures(folder: Path) -> None:
    for at, (name, kind) in enumerate(_PICTURES.items()):
        (folder / name).write_bytes(_picture(at, kind))


def _read_picture(name: str, folder: Path) -> None:
    from pairsets import images

    file = folder / name
    several(
        lambda: images.decode(images.read(file), path=file),
        lambda: images.thumbnail(file, 8),
    )


def _pictures() -> Iterator[Reader]:
    for name in _PICTURES:
        yield Reader(f"picture {name}", _make_pictures, partial(_read_picture, name), (name,))


def _make_parquet_images(folder: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    features = {
        "image": {"_type": "Image"},
        "label": {"_type": "ClassLabel", "names": ["rei", "asuka"]},
        "id": {"_type": "Value", "dtype": "string"},
    }
    told = json.dumps({"info": {"features": features}})
    rows = {
        "image": [{"bytes": _picture(at), "path": f"{at}.png"} for at in range(4)],
        "label": [0, 1, 0, -1],
        "id": [f"n{at}" for at in range(4)],
    }
    table = pa.table(rows).replace_schema_metadata({"huggingface": told})
    pq.write_table(table, folder / "train-0.parquet")
    pq.write_table(table, folder / "train-1.parquet")


def _read_image_table(table: Any, where: Path) -> None:
    from pairsets.picture_sources.image_table import choose

    columns = choose(table.columns, where)
    for _ in table.entries(columns):
        pass
    for _ in table.pictures(columns):
        pass


def _read_parquet_images(folder: Path) -> None:
    from pairsets.picture_sources.image_table import choose
    from pairsets.sources.folders.parquet_images import ParquetImages

    def named() -> None:
        table = ParquetImages.open(folder)
        columns = choose(table.columns, folder, image="image", identity="label", id="id")
        for _ in zip(table.entries(columns), table.pictures(columns), strict=False):
            pass

    several(lambda: _read_image_table(ParquetImages.open(folder), folder), named)


def _make_saved_set(folder: Path) -> None:
    import datasets

    rows = {"image": [{"bytes": _picture(at), "path": None} for at in range(3)], "label": [0, 1, 0]}
    features = datasets.Features(
        {"image": datasets.Image(), "label": datasets.ClassLabel(names=["rei", "asuka"])}
    )
    datasets.disable_progress_bars()
    datasets.Dataset.from_dict(rows, features=features).save_to_disk(folder / "saved")


def _read_hugging(name: str, folder: Path) -> None:
    from pairsets.sources.folders.huggingface import HuggingFaceImages

    _read_image_table(HuggingFaceImages.open(folder / name), folder / name)


def _make_image_folder(folder: Path) -> None:
    home = folder / "pictures" / "train"
    home.mkdir(parents=True)
    for at in range(3):
        (home / f"{at}.png").write_bytes(_picture(at))
    (home / "metadata.csv").write_text("file_name,identity\n0.png,rei\n1.png,asuka\n2.png,rei\n")


def _make_face_folder(folder: Path) -> None:
    from pairsets.sources.folders.face_folder import FaceFolder

    home = FaceFolder(folder / "faces", "crops", ("path", "picture"), {"a": 1, "b": [2]})
    with_rows(home)


def with_rows(home: Any) -> None:
    """Fill a folder of faces as a command does."""
    from pairsets.sources.folders.safe_names import safe_names

    rows = [(f"who{at}/{at}.png", str(at)) for at in range(3)]
    with home.filled(overwrite=True, fits=lambda row: True) as journal:
        for at, row in enumerate(rows):
            home.put(row[0], _picture(at))
            journal.note([row])
        home.finish(rows, safe_names(["who0", "a/b"]), [("rei", "7", "gone")], {"made": True})


def _read_face_folder(folder: Path) -> None:
    from pairsets.sources.folders.face_folder import FaceFolder
    from pairsets.sources.overlap import Collection

    home = FaceFolder(folder / "faces", "crops", ("path", "picture"), {"a": 1, "b": [2]})
    several(lambda: Collection.read(folder / "faces"), lambda: with_rows(home))


# --- embeddings and what mining keeps --------------------------------------------------------


class Means:
    """A model whose vectors are the mean colours of a picture."""

    name, fingerprint, similarity = "test:means", "f" * 64, "cosine"
    provenance: Mapping[str, object] = {"made": "here"}

    def preprocess(self, image: Any) -> Any:
        """Bytes of one pixel."""
        return np.asarray(image.resize((1, 1)))

    def encode(self, batch: Any) -> Any:
        """`[B, 3]`."""
        return batch.reshape(len(batch), 3).astype(np.float32) + 1


def _make_embeddings(folder: Path) -> None:
    from mining.embeddings.producer import embed
    from pairsets import Faces

    _make_lists(folder)
    for name in _LISTS[2:]:
        (folder / name).unlink()
    from pairsets.identities.lists import ByList

    faces = Faces.scan(folder / "faces", ByList(folder / "list.txt"))
    embed(faces, Means(), folder / "vectors")  # type: ignore[arg-type]


_VECTORS = tuple(
    f"vectors/{name}"
    for name in ("manifest.json", "images.csv", "vectors.npy", "identities.csv", "status.csv")
)


def _read_embeddings(folder: Path) -> None:
    from mining.embeddings.store import Embeddings

    found = Embeddings.load(folder / "vectors", folder / "faces")
    several(lambda: str(found.model), lambda: found.similarity, lambda: len(found.skipped))


def _resume_embeddings(folder: Path) -> None:
    """What lies in the folder is used again, or made again."""
    from mining.embeddings.producer import embed
    from pairsets import Faces

    embed(Faces.scan(folder / "faces"), Means(), folder / "vectors")  # type: ignore[arg-type]


def _make_half_embedded(folder: Path) -> None:
    from mining.embeddings.journal import Source, VectorJournal
    from pairsets import Faces
    from pairsets.picture_sources.base import facts_of

    _make_lists(folder)
    faces = Faces.scan(folder / "faces")
    with closing(VectorJournal(folder / "vectors" / "partial", Means.fingerprint)) as journal:
        for path in faces.paths[:4]:
            facts = facts_of(faces.locate(path).stat())
            journal.append([Source.of(path, "0" * 64, facts)], np.ones((1, 3), np.float32))


def _make_kept(folder: Path) -> None:
    from mining.miners.fold_results import Part
    from pairsets.funnel import FunnelRow
    from pairsets.storage.resume import Parts

    pairs = _pairs()
    row = FunnelRow("mine", "pairs", 3, kept=True)
    part = Part(pairs, np.ones((len(pairs), 2)), [row], ["look"], {"exact": True}, {"by": "mean"})
    Parts(folder / "set.folds.partial.sqlite", 1).write(part.content(), "1")
    models = [{"model": "a", "fingerprint": "b"}, {"model": "c", "fingerprint": "d"}]
    (folder / "mined.json").write_text(json.dumps({"references": models, "fusion": {"by": "mean"}}))
    (folder / "compare.json").write_text(json.dumps({"sets": {"random": {"sha256": "0"}}}))


_KEPT = (
    "set.folds.partial.sqlite",
    "mined.json",
    "compare.json",
)


def _read_kept(folder: Path) -> None:
    from mining.commands.compare import _Older
    from mining.commands.run_folder import RunFolder
    from mining.miners.fold_results import Part
    from mining.miners.provenance import mined_by
    from mining.scores.collection import miners
    from pairsets.storage.resume import Parts

    def kept() -> None:
        found = Parts(folder / "set.folds.partial.sqlite", 1).read("1")
        if found is not None:
            Part.read(found)

    several(
        kept,
        lambda: miners(folder / "mined.csv"),
        lambda: json.dumps(mined_by(folder / "mined.csv"), indent=1),
        lambda: _Older.of(RunFolder(folder)),
    )


# --- indexes ---------------------------------------------------------------------------------

_WORLD = np.random.default_rng(1).standard_normal((60, 16)).astype(np.float32)


def _make_indexes(folder: Path) -> None:
    from indexes import ApproximateIndex, FlatIndex

    FlatIndex(_WORLD).save(folder / "flat.faiss")
    ApproximateIndex(_WORLD, factory="IVF2,Flat", parameters={"nprobe": 2}).save(
        folder / "near.faiss"
    )


def _read_indexes(folder: Path) -> None:
    from indexes import ApproximateIndex, FlatIndex

    several(
        lambda: FlatIndex.load(folder / "flat.faiss"),
        lambda: ApproximateIndex.load(folder / "near.faiss", _WORLD),
    )


def _make_checkpoint(folder: Path) -> None:
    from indexes import join
    from indexes.join import checkpoint

    def stop(done: int, total: int) -> None:
        if done:
            raise KeyboardInterrupt

    before = checkpoint.FIRST, checkpoint.PERIOD
    checkpoint.FIRST = checkpoint.PERIOD = 0.0
    try:
        join.top_pairs(
            _WORLD, np.arange(60) // 2, 40, how=join.SearchOptions(tile=16), progress=stop,
            checkpoint=folder / "found.npz",
        )  # fmt: skip
    except KeyboardInterrupt:
        pass
    finally:
        checkpoint.FIRST, checkpoint.PERIOD = before


def _read_checkpoint(folder: Path) -> None:
    """A checkpoint that is believed gives what the whole search gives."""
    from indexes import join

    def ask(path: Path | None) -> Any:
        return join.top_pairs(
            _WORLD, np.arange(60) // 2, 40, how=join.SearchOptions(tile=16), checkpoint=path
        )

    found = ask(folder / "found.npz")
    truth = ask(None)
    assert (found.i == truth.i).all()
    assert (found.j == truth.j).all()
    assert (found.scores == truth.scores).all()


# --- models ----------------------------------------------------------------------------------


def _make_weights(folder: Path) -> None:
    import torch
    from safetensors.torch import save_file

    state = {"a.weight": torch.ones(3, 4), "a.bias": torch.zeros(3), "b": torch.tensor(5)}
    torch.save({"state_dict": state, "epoch": 3}, folder / "weights.pth")
    torch.save(state, folder / "old.bin", _use_new_zipfile_serialization=False)
    save_file(state, folder / "weights.safetensors")


def _read_weights(name: str, folder: Path) -> None:
    from mining.models.weights import read_checkpoint

    read_checkpoint(folder / name, str(folder / name))


def _weights() -> Iterator[Reader]:
    for name in ("weights.pth", "old.bin", "weights.safetensors"):
        yield Reader(f"weights {name}", _make_weights, partial(_read_weights, name), (name,))


def _load(text: str, folder: Path) -> None:
    from PIL import Image

    from mining.models import load_model

    model = load_model(text.replace("HERE", str(folder)))
    picture = Image.new("RGB", (20, 10), (1, 2, 3))
    model.encode(np.stack([model.preprocess(picture)]))


def _make_timm(folder: Path) -> None:
    from support.small_models import timm_folder

    timm_folder(folder, 1)


def _make_animecv(folder: Path) -> None:
    from support.small_models import animecv_zip

    animecv_zip(folder, 1)


def _make_animesion(folder: Path) -> None:
    from support.small_models import animesion_file

    animesion_file(folder, 1)


_ONNX_OPTIONS = {
    "mean": [0.5, 0.5, 0.5],
    "std": [0.2, 0.2, 0.2],
    "size": [8, 8],
    "resize": 9,
    "interpolation": "bicubic",
    "similarity": "cosine",
    "output": "vectors",
    "channels": "BGR",
    "layout": "NCHW",
}


def _make_onnx(folder: Path) -> None:
    from support.small_models import onnx_graph

    onnx_graph(folder, 1, metadata=json.dumps({"size": 8}))
    (folder / "model.onnx.json").write_text(json.dumps(_ONNX_OPTIONS))


def _make_detector(folder: Path) -> None:
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    places = np.full((1, 6, 40), 0.5, np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("ReduceMean", ["images"], ["mean"], axes=[0, 1, 2, 3], keepdims=0),
            helper.make_node("Mul", ["mean", "places"], ["output0"]),
        ],
        "detector",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, 32, 32])],
        [helper.make_tensor_value_info("output0", TensorProto.FLOAT, [1, 6, 40])],
        [numpy_helper.from_array(places, "places")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    helper.set_model_props(model, {"task": "detect", "names": "{0: 'face', 1: 'x'}"})
    onnx.save(model, folder / "face.onnx")
    (folder / "face.onnx.json").write_text('{"kind": "yolov8"}')


def _read_detector(folder: Path) -> None:
    from PIL import Image

    from mining.models.face_detector import OnnxFaceDetector

    OnnxFaceDetector(folder / "face.onnx")(Image.new("RGB", (40, 30)))


# --- reviews ---------------------------------------------------------------------------------


def _make_review(folder: Path) -> None:
    from pairsets.review.exchange.export import export
    from pairsets.review.exchange.label_studio import write_tasks
    from pairsets.review.store.store import Store

    pairs = _pairs()
    with Store.begin(folder / "review.db", pairs) as store:
        for who, step in (("Ann", 2), ("橘", 3)):
            _judge(store, who, range(0, len(pairs), step))
        export(store, folder / "out.csv")
        write_tasks(store, folder / "tasks.json")
    (folder / "review.db").unlink()
    tasks = json.loads((folder / "tasks.json").read_text())
    (folder / "tasks.json").write_text(json.dumps([one for one in tasks if "annotations" in one]))
    small = [
        {"pair": at, "left": a, "right": b, "verdict": "same", "annotator": 1, "lead_time": 2.5,
         "updated_at": "2026-05-01T09:30:00.5+02:00"}
        for at, (a, b) in enumerate(zip(pairs.path_a[:9], pairs.path_b[:9], strict=True))
    ]  # fmt: skip
    (folder / "min.json").write_text(json.dumps(small))


def _judge(store: Any, who: str, rows: Sequence[int]) -> None:
    from pairsets.review.store.verdicts import Verdict

    person, valid = store.annotator(who), store.pairs.valid
    for row in rows:
        if valid[row]:
            word = ("same", "different", "invalid")[row % 3]
            store.judge(person, row, Verdict.of(word), key=f"{who} {row}", seconds=1.5)


_REVIEW = ("out.csv", "out.judgements.csv", "tasks.json", "min.json")


def _read_review(name: str, folder: Path) -> None:
    from pairsets.review.exchange.imports import import_judged
    from pairsets.review.store.store import Store

    with Store.begin(folder / "review.db", _pairs()) as store:
        import_judged(store, folder / name)


def _reviews() -> Iterator[Reader]:
    for name in _REVIEW:
        yield Reader(
            f"review {name}", _make_review, partial(_read_review, name), (name,), writes=True
        )


def _damaged_databases() -> Iterator[Reader]:
    """Those of reviews."""
    from support import database_damage

    for name, read in database_damage.readers().items():
        # To import one that is just begun is refused, healthy as it is: there is no verdict in it.
        stems = ("full", "small") if name == "review import of it" else ("full", "new", "small")
        files = tuple(f"{stem}.sqlite" for stem in stems)

        def read_all(
            folder: Path, read: Callable[[Path, Path], None] = read, files: tuple[str, ...] = files
        ) -> None:
            several(*(partial(read, folder / file, folder / "scratch") for file in files))

        yield Reader(f"database {name}", database_damage.databases, read_all, files, writes=True)


# --- files of others -------------------------------------------------------------------------


def _copy_cases(names: Sequence[str], folder: Path) -> None:
    for name in names:
        source = CASES / name
        target = folder / name.replace("/", "-")
        shutil.copy(source, target)


def _case_files(*patterns: str) -> tuple[str, ...]:
    if not CASES.is_dir():
        return ()
    found = [file for pattern in patterns for file in sorted(CASES.glob(pattern))]
    return tuple(file.relative_to(CASES).as_posix() for file in found if file.is_file())


def _read_each(read: Callable[[Path], object], folder: Path) -> None:
    files = sorted(file for file in folder.iterdir() if file.is_file())
    several(*(partial(read, file) for file in files))


def _read_any_pairs(file: Path) -> object:
    from pairsets.sources.formats import read_pairs

    return read_pairs(file)


def _read_any_boxes(file: Path) -> object:
    from pairsets.sources.face_boxes import read_annotations

    return read_annotations(file)


def _cases() -> Iterator[Reader]:
    groups: tuple[tuple[str, tuple[str, ...], Callable[[Path], object]], ...] = (
        (
            "pairs",
            _case_files("*/*pairs*.txt", "*/*pair*.csv", "*/mined.jsonl", "*/df.csv"),
            _read_any_pairs,
        ),
        (
            "boxes",
            _case_files("*/faces.json", "*/coco.json", "*/*.xml", "wider-boxes/*.txt"),
            _read_any_boxes,
        ),
    )
    for name, files, read in groups:
        for file in files:
            flat = file.replace("/", "-")
            yield Reader(
                f"case {name} {flat}",
                partial(_copy_cases, [file]),
                partial(_read_each, read),
                whole=False,
            )
    for file in _case_files("onnx-inputs/*.onnx"):
        flat = file.replace("/", "-")
        yield Reader(
            f"case onnx {flat}",
            partial(_copy_cases, [file]),
            partial(_load, f"onnx:HERE/{flat}"),
            whole=False,
        )


def _all() -> Iterator[Reader]:
    yield from _formats()
    yield Reader("format ijb with templates", _make_ijb, _read_ijb)
    yield Reader("format ijb of NIST", _make_nist, _read_nist)
    yield Reader(
        "pair set", _make_pairs, _read_pairset, ("pairs.csv", "named.csv", "named.identities.csv")
    )
    yield Reader("beside pairs", _make_pairs, _read_beside_pairs, ("pairs.csv", "pairs.folds.csv"))
    yield Reader("scores", _make_scores, _read_scores)
    yield Reader("suspects", _make_suspects, _read_suspects)
    yield Reader("submission", _make_submission, _read_submission)
    yield Reader("lists", _make_lists, _read_lists, _LISTS)
    yield Reader("dataset", _make_dataset, _read_dataset)
    yield Reader("templates", _make_templates, _read_templates)
    yield from _boxes()
    yield Reader("posts", _make_posts, _read_posts, writes=True)
    yield from _pictures()
    yield Reader("parquet pictures", _make_parquet_images, _read_parquet_images)
    yield Reader("saved data set", _make_saved_set, partial(_read_hugging, "saved"), slow=True)
    yield Reader(
        "image folder", _make_image_folder, partial(_read_hugging, "pictures"),
        ("pictures/train/metadata.csv",), slow=True,
    )  # fmt: skip
    yield Reader("face folder", _make_face_folder, _read_face_folder, writes=True)
    yield Reader("embeddings", _make_embeddings, _read_embeddings, _VECTORS)
    yield Reader("embeddings again", _make_embeddings, _resume_embeddings, _VECTORS, writes=True)
    yield Reader(
        "half embedded", _make_half_embedded, _resume_embeddings,
        ("vectors/partial/journal.jsonl", "vectors/partial/vectors.f32"), writes=True,
    )  # fmt: skip
    yield Reader("kept while mining", _make_kept, _read_kept, _KEPT, writes=True)
    yield Reader("indexes", _make_indexes, _read_indexes)
    yield Reader("checkpoint", _make_checkpoint, _read_checkpoint, writes=True)
    yield from _weights()
    yield Reader("timm folder", _make_timm, partial(_load, "timm:test_resnet@HERE"), slow=True)
    yield Reader(
        "animecv",
        _make_animecv,
        partial(_load, "animecv:HERE/model.zip"),
        ("model.zip",),
        slow=True,
    )
    yield Reader("animecv folder", _make_animecv, partial(_load, "animecv:HERE"),
                 ("conf.json", "trunk.pth", "embedder.pth"), slow=True)  # fmt: skip
    yield Reader("animesion", _make_animesion, partial(_load, "animesion:HERE/vit.pth"), slow=True)
    yield Reader("onnx", _make_onnx, partial(_load, "onnx:HERE/model.onnx"))
    yield Reader("detector", _make_detector, _read_detector)
    yield from _reviews()
    yield from _damaged_databases()


def readers(cases: bool = True) -> dict[str, Reader]:
    """All readers by name; those of other people's files where this machine has them."""
    found = [*_all(), *(_cases() if cases else ())]
    return {one.name: one for one in found}
