"""XML of boxes: Manga109, Pascal VOC, CVAT; nothing expands, and what is wrong has its line."""

from __future__ import annotations

import gzip

import pytest

from pairsets.errors import SourceError
from pairsets.sources.face_boxes import read_annotations

FACE = '<face id="f" xmin="{0}" ymin="10" xmax="{1}" ymax="60" character="{2}"/>'
BOOK = (
    '<book title="{title}"><characters>{people}</characters><pages><page index="2" width="400" '
    'height="300">{faces}</page></pages></book>'
)


def book(faces, people="", title="A"):
    return BOOK.format(title=title, people=people, faces=faces)


def person(key, name):
    return f'<character id="{key}" name="{name}"/>'


def written(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.fixture
def read(tmp_path):
    """The annotations of a text."""
    return lambda text: read_annotations(written(tmp_path / "a & b.xml", text))


def test_a_book(read):
    faces = FACE.format(10, 60, "0a") + FACE.format(70, 120, "0b") + FACE.format(130, 180, "0c")
    faces += '<face id="n" xmin="9" ymin="70" xmax="90" ymax="99"/><text id="t">x</text>'
    found = read(book(faces, person("0a", "Ada &amp; Bo") + person("0b", "その他"), "A b"))
    assert found.ids.tolist() == ["A b/002.jpg"]
    assert found.sizes.tolist() == [[400, 300]]
    # `0c` is not among the names of the book, and still one person; nobody is called "other".
    assert found.names.tolist() == ["A b/Ada & Bo", None, "A b/0c", None]
    assert not found.relative


def test_two_of_one_name_in_a_book_are_two(read):
    faces = FACE.format(10, 60, "0a") + FACE.format(70, 120, "0b")
    found = read(book(faces, person("0a", "Ada") + person("0b", "Ada")))
    assert found.names.tolist() == ["A/Ada (0a)", "A/Ada (0b)"]


def test_one_name_in_two_books_is_two(tmp_path):
    for title in ("A", "B"):
        text = book(FACE.format(10, 60, "0a"), person("0a", "Ada"), title)
        written(tmp_path / "books" / f"{title}.xml", text)
    found = read_annotations(tmp_path / "books")
    assert found.names.tolist() == ["A/Ada", "B/Ada"]
    written(tmp_path / "books" / "C.xml", book("", title="B"))
    with pytest.raises(SourceError, match=r"C\.xml, line 1: the book 'B' was in another file"):
        read_annotations(tmp_path / "books")


def test_boxes_of_noughts_and_ones_are_pixels(read):
    found = read(book(FACE.format(0, 1.5, "0a").replace('"10"', '"0"').replace('"60"', '"1.5"')))
    assert found.boxes.tolist() == [[0, 0, 1.5, 1.5]]
    assert not found.relative


def test_packed_and_in_another_encoding(read):
    text = '<?xml version="1.0" encoding="ISO-8859-1"?>' + book(
        FACE.format(10, 60, "0a"), person("0a", "Zoé")
    )
    assert read(gzip.compress(text.encode("latin-1"))).names.tolist() == ["A/Zoé"]


def test_files_of_voc_lie_as_their_pictures(tmp_path):
    text = (
        "<annotation><filename>C:\\x\\{file}</filename><size><width>40</width><height>30</height>"
        "</size><object><name>person</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>9</xmax>"
        "<ymax>9</ymax></bndbox></object><object><name>face</name><part><name>rei</name><bndbox>"
        "<xmin>1</xmin><ymin>1</ymin><xmax>2</xmax><ymax>2</ymax></bndbox></part><bndbox><xmin>2"
        "</xmin><ymin>3</ymin><xmax>20</xmax><ymax>25</ymax></bndbox></object></annotation>"
    )
    for folder in ("rei", "asuka"):
        written(tmp_path / "voc" / folder / "1.xml", text.format(file="01.png"))
    written(tmp_path / "voc" / "notes.md", "of another kind")
    found = read_annotations(tmp_path / "voc")
    assert found.ids.tolist() == ["asuka/01.png", "rei/01.png"]
    assert found.boxes.tolist() == [[1, 2, 20, 25]] * 2
    assert found.names is None
    assert found.skipped == {
        "box of the class 'person', no face": 2,
        "file in the folder that is of another kind": 1,
    }


def test_cvat_says_whose_a_face_is_by_label_or_attribute(read):
    box = '<box label="{}" xtl="{}" ytl="1" xbr="30" ybr="30">{}</box>'
    said = '<attribute name="Character">{}</attribute><attribute name="blur">1</attribute>'
    found = read(
        '<annotations><image id="0" name="x/1.png" width="40" height="30">'
        + box.format("rei", 1, "")
        + box.format("face", 2, said.format(" asuka "))
        + box.format("face", 3, said.format("unknown"))
        + box.format("body", 4, said.format("rei"))
        + '<polygon label="rei" points="1,2;3,4;5,6"/></image></annotations>'
    )
    assert found.names.tolist() == ["rei", "asuka", None]
    assert found.sizes.tolist() == [[40, 30]]
    assert found.skipped == {"box of the class 'body', no face": 1, "polygon, no box": 1}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param(
            '<!DOCTYPE book [<!ENTITY who "Ada">]>' + book("", person("0a", "&who;")),
            r"line 1: a document type \(<!DOCTYPE",
            id="a harmless entity",
        ),
        pytest.param(
            '<!DOCTYPE book SYSTEM "book.dtd">' + book(""), "a document type", id="a type elsewhere"
        ),
        pytest.param(book("")[:-9], "line 1: not XML: .*is the file whole", id="cut off"),
        pytest.param(book("\n<text>"), "line 2: not XML: mismatched tag", id="a tag left open"),
        pytest.param("<html></html>", "XML of <html>; expected Manga109's <book>", id="no boxes"),
        pytest.param(
            '<?xml version="1.0" encoding="x-nothing"?><book/>', "not XML", id="no encoding"
        ),
        pytest.param(book("", title=""), "a book called ''", id="no title"),
        pytest.param(
            "<book><pages/></book>", "<book> without 'title'; it has none", id="no attribute"
        ),
        pytest.param(
            book("\n" + FACE.format("x", 60, "0a")),
            "line 2: face .*'x'; expected a number",
            id="no number",
        ),
        pytest.param(
            book("", person("0a", "Ada") + person("0a", "Bo")),
            "character 0a is 'Ada' already, now 'Bo'",
            id="one id of two names",
        ),
        pytest.param(
            book("").replace('index="2"', 'index="two"'),
            "page with index 'two'; expected a whole number",
            id="no page",
        ),
        pytest.param(
            "<annotation><object><name>a</name></object></annotation>",
            "no <filename>: whose boxes are they",
            id="VOC without a picture",
        ),
        pytest.param(
            "<annotation><filename>a.png</filename><object><name>a</name></object></annotation>",
            "bndbox .*expected a number",
            id="VOC without a box",
        ),
        pytest.param(
            "<annotations><track id='0'/></annotations>",
            'export it as "CVAT for images"',
            id="a film",
        ),
        pytest.param(
            "<book title='A'>" + "<a>" * 80,
            "more than 64 elements within each other",
            id="too deep",
        ),
    ],
)
def test_what_is_refused(read, text, told):
    with pytest.raises(SourceError, match=told) as caught:
        read(text)
    assert "a & b.xml" in str(caught.value)
