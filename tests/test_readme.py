"""The pages for users: their code runs, block by block, and their links lead somewhere."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.forked import command_in
from support.pages import Block, PageError, Reader, blocks_of, check_block, dead_links
from support.reader_data import make_all

from pairsets import Faces

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
LINKING = [*PAGES, ROOT / "CHANGELOG.md"]


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.fixture
def reader(
    demo_folder: Path, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Reader]:
    """A reader whose folder has faces and models under the names that the pages use.

    `0206_resnet152.zip` has the form of the published file, but a small trunk and random weights.
    """
    from support.small_models import animecv_folder

    shutil.copytree(demo_folder / "sample" / "faces", tmp_path / "faces")
    shutil.copytree(
        demo_folder / "sample" / "tf_efficientnet_lite0", tmp_path / "tf_efficientnet_lite0"
    )
    model = tmp_path / "packing" / "0206_resnet152"
    model.mkdir(parents=True)
    animecv_folder(model, 0, "ResNet-18")
    shutil.make_archive(str(tmp_path / "0206_resnet152"), "zip", model.parent)
    shutil.rmtree(model.parent)
    make_all(tmp_path, Faces.scan(tmp_path / "faces"))
    ignored = sorted(path.name for path in (tmp_path / "faces").rglob("*.png"))[:2]
    (tmp_path / "ignore_images.csv").write_text("".join(f"{name}\n" for name in ignored))
    with command_in(tmp_path_factory.mktemp("command")) as programs:
        yield Reader(tmp_path, programs=programs)


def test_pages_run(reader: Reader, subtests: pytest.Subtests) -> None:
    """README first, then the pages beside it, in the folder that README leaves."""
    for page in PAGES:
        with subtests.test(page=name_of(page)):
            reader.names = {"__name__": "__main__"}
            reader.run(blocks_of(name_of(page), page.read_text("utf-8")))
    assert {"sh", "python"} <= {b.language for b in reader.ran if b.page == "README.md"}


@pytest.mark.parametrize("page", LINKING, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    assert dead_links(page, ROOT) == []


# The tests below are of the tests: a page that fails must fail.

PAGE = """\
# A page

```sh
echo "a,b" > made.csv
export LEFT=1
```

Text with `code`.

<!-- not run: it installs something -->
```bash
pip install nothing-of-this-name && exit 1
```

1. In a list:

   ```python
   from pathlib import Path
   text = Path("made.csv").read_text()
   ```

````markdown
```sh
exit 1
```
````

~~~python
assert text == "a,b\\n"
Path("seen.txt").write_text(text)
~~~
"""


def run(text: str, folder: Path) -> Reader:
    reader = Reader(folder, timeout=1800)
    reader.run(blocks_of("page.md", text))
    return reader


def test_blocks_are_found_with_their_lines() -> None:
    found = blocks_of("page.md", PAGE)
    assert [(block.line, block.language) for block in found] == [
        (4, "sh"),
        (12, "bash"),
        (18, "python"),
        (23, "markdown"),
        (29, "python"),
    ]
    assert [block.reason for block in found] == [None, "it installs something", None, None, None]
    assert found[2].code.startswith("from pathlib")
    assert found[3].code == "```sh\nexit 1\n```\n"


def test_a_page_runs_in_its_folder_in_order(tmp_path: Path) -> None:
    before = Path.cwd(), list(sys.path)
    reader = run(PAGE, tmp_path)
    assert (tmp_path / "seen.txt").read_text() == "a,b\n"
    assert [block.line for block in reader.ran] == [4, 18, 29]
    assert (Path.cwd(), sys.path) == before


def test_code_beside_the_page_is_found_and_forgotten(tmp_path: Path) -> None:
    (tmp_path / "mine_of_the_page.py").write_text("value = 3\n")
    run("```python\nimport mine_of_the_page\nassert mine_of_the_page.value == 3\n```\n", tmp_path)
    assert "mine_of_the_page" not in sys.modules


@pytest.mark.parametrize(
    ("language", "code", "told"),
    [
        ("sh", "echo before\nfalse\necho after", "before\n\nexit status 1"),
        ("sh", "false | cat", "exit status 1"),
        ("bash", "echo $NOT_SET_ANYWHERE", "NOT_SET_ANYWHERE"),
        ("sh", "lookalikes mine nowhere --out x.csv", "nowhere: not a finished folder"),
        ("sh", "exit 3", "exit status 3"),
        ("python", "print('before')\n1 / 0", r'before\n\n(.|\n)*page.md", line 4(.|\n)*ZeroDiv'),
        ("python", "import sys\nsys.exit(0)", "SystemExit"),
        ("python", "if True", "SyntaxError"),
        ("python", "import warnings\nwarnings.warn('late')", "UserWarning: late"),
    ],
)
def test_a_block_that_fails_is_reported(
    tmp_path: Path, language: str, code: str, told: str
) -> None:
    with pytest.raises(PageError, match=told) as caught:
        run(f"Text.\n```{language}\n{code}\n```\n", tmp_path)
    assert str(caught.value).startswith(f"page.md:3: this {language} block fails")


def test_a_block_that_hangs_is_reported(tmp_path: Path) -> None:
    reader = Reader(tmp_path, timeout=0.2)
    with pytest.raises(PageError, match=r"no end after 0\.2 s"):
        reader.run(blocks_of("page.md", "```sh\nsleep 20\n```\n"))


@pytest.mark.parametrize(
    ("block", "told"),
    [
        (Block("p.md", 2, "sh", "pip install x\n"), "'pip install' cannot run"),
        (Block("p.md", 2, "sh", "lookalikes --help\n", "slow"), "nothing in it cannot run"),
        (Block("p.md", 2, "sh", "pip install x\n", ""), "nothing in it cannot run"),
        (Block("p.md", 2, "shell", "true\n"), "a block in 'shell'"),
        (Block("p.md", 2, "", "lookalikes build\n"), "a block in ''"),
        (Block("p.md", 2, "json", "{}\n", "data"), "json never is"),
    ],
)
def test_blocks_that_would_slip_past_are_refused(block: Block, told: str) -> None:
    with pytest.raises(PageError, match=told):
        check_block(block)


def test_an_open_fence_is_refused() -> None:
    with pytest.raises(PageError, match=r"page\.md:2: a fence that is never closed"):
        blocks_of("page.md", "Text\n```sh\ntrue\n")


def test_dead_links_are_found(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "other.md").write_text("# Two words, `code`\n")
    (tmp_path / "pic ture.png").touch()
    page = tmp_path / "page.md"
    page.write_text(
        "# Here\n[a](docs/other.md) [b](docs/other.md#two-words-code) [c](#here) [d](https://x.y)\n"
        '![e](pic%20ture.png "title") <img src="gone.png"> `[f](not-a-link)` [g][ref]\n'
        "[h](docs/other.md#three-words) [i](#there) [j](docs/gone.md) [k](../outside.md)\n"
        "<!-- [l](commented.md) -->\n```text\n[m](in-code.md)\n```\n\n[ref]: gone-too.md\n"
    )
    (tmp_path.parent / "outside.md").touch()
    assert sorted(dead_links(page, tmp_path)) == [
        "#there",
        "../outside.md",
        "docs/gone.md",
        "docs/other.md#three-words",
        "gone-too.md",
        "gone.png",
    ]
