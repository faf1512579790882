"""Which pages there are: found by file name, in order, and checked when they are loaded."""

from __future__ import annotations

from pathlib import Path

import pytest

from backends import plugins
from viz.pages import page_modules

PAGE = """
PATH, TITLE, QUESTION, ORDER = "/mine", "Mine", "What is mine?", 1.5

def layout(**query):
    return None

def register(app, engine):
    pass
"""


def test_pages_are_found_by_file_name_in_their_order() -> None:
    pages = page_modules()
    assert [p.PATH for p in pages] == [
        "/",
        "/attention",
        "/attribution",
        "/trajectory",
        "/causal",
        "/evidence",
        "/diffusion",
        "/data",
        "/model",
    ]
    assert all(p.TITLE and p.QUESTION.endswith("?") for p in pages)


@pytest.fixture
def add(plugin_folder: Path):
    """Write a page of somebody's own, and say what was found wrong with it."""

    def write(text: str, name: str = "mine") -> list[str]:
        plugin_folder.joinpath("pages").mkdir(exist_ok=True)
        plugin_folder.joinpath("pages", f"{name}.py").write_text(text)
        page_modules()
        return plugins.problems()

    return write


def test_somebodys_own_page_stands_in_its_order(add) -> None:
    assert add(PAGE) == []
    titles = [page.TITLE for page in page_modules()]
    assert titles.index("Attention") < titles.index("Mine") < titles.index("Attribution")


def test_a_folder_is_a_page_too(plugin_folder: Path) -> None:
    folder = plugin_folder / "pages" / "mine"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("from vitrine_plugins.pages.mine.parts import *")
    (folder / "parts.py").write_text(PAGE)
    assert "Mine" in [page.TITLE for page in page_modules()]
    assert plugins.problems() == []


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("ORDER =", "PLACE =", "mine.py has no ORDER; a file of its kind has PATH, TITLE, QUESTION, ORDER, layout"),
        ("def register(", "def connect(", "mine.py has no register; a file of its kind has PATH"),
        ('"Mine"', "None", "mine.py: TITLE is no text"),
        ('"/mine"', '"mine"', "mine.py: PATH begins with /"),
        ('"/mine"', '"/attention"', "mine.py: Attention has the PATH '/attention' already"),
        ("1.5", "'last'", "mine.py: ORDER is a number, such as 90"),
        ("def layout", "NEEDS = ['answer']\n\ndef layout", "mine.py: NEEDS is a set, such as frozenset({'answer'})"),
        ("def layout(**query):\n    return None", "layout = 3", "mine.py: layout is a function"),
        ("def layout", "deff layout", "mine.py cannot be loaded (SyntaxError: invalid syntax"),
        ("PATH,", "import nowhere; PATH,", "mine.py cannot be loaded (ModuleNotFoundError: No module named 'nowhere')"),
    ],
)
def test_a_page_with_a_fault_is_left_out_with_a_sentence(add, old: str, new: str, sentence: str) -> None:
    assert old in PAGE
    (said,) = add(PAGE.replace(old, new, 1))
    assert sentence in said
    assert len(page_modules()) == 9


def test_a_page_that_is_called_like_another_is_left_out(add) -> None:
    (said,) = add(PAGE, name="attention")
    assert "attention.py is left out: there is another file called attention among the pages" in said
