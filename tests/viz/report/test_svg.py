"""Text stays in its place in any font, hostile words are words, and a document is well-formed."""

from __future__ import annotations

from xml.etree import ElementTree

import numpy as np
import pytest

from tests.viz import samples
from viz.report import svg


def tree(drawing: svg.Drawing) -> ElementTree.Element:
    return ElementTree.fromstring(svg.document(drawing, "a title", "#ffffff", "what it says"))


@pytest.mark.parametrize(
    "text", ["plain words that go on for a while", "日本語の文章は空白がありません", "a" * 200, "x\ny"]
)
def test_lines_are_no_wider_than_their_room(text: str) -> None:
    lines = svg.wrapped(text, 14, 120)
    assert all(svg.width_of(line, 14) <= 121 for line in lines)
    assert "".join("".join(lines).split()) == "".join(text.split())


def test_what_is_too_long_ends_in_an_ellipsis() -> None:
    lines = svg.wrapped("word " * 100, 14, 120, most=3)
    assert len(lines) == 3
    assert lines[-1].endswith("…")
    assert svg.cut("a very long title", 14, 60).endswith("…")
    assert svg.cut("short", 14, 200) == "short"


def test_widths_are_generous() -> None:
    from PIL import ImageFont

    font = ImageFont.load_default(40)  # Aileron, close to Helvetica
    for text in ("Integrated gradients", "WWWW mmmm iiii", "0123456789 (logit)"):
        assert svg.width_of(text, 40) >= 0.95 * font.getlength(text)


@pytest.mark.parametrize("text", [*samples.NASTY, "\x00\x08bell", "]]>", '" onload="alert(1)'])
def test_hostile_words_are_words(text: str) -> None:
    root = tree(svg.Drawing(100, 40, svg.words(text, 0, 20, 12, "#000000")))
    assert {e.tag.rpartition("}")[2] for e in root.iter()} <= {"svg", "title", "desc", "rect", "text"}
    assert not [name for e in root.iter() for name in e.attrib if name.startswith("on")]


def test_a_line_that_is_broken_by_nan_begins_anew() -> None:
    assert svg.path([(0, 0), (1, 1), (float("nan"), 0), (2, 2)], "#000000").count("M") == 2


def test_an_image_asks_for_nothing() -> None:
    root = tree(svg.Drawing(10, 10, svg.image(np.zeros((2, 2, 4), np.uint8), 0, 0, 10, 10)))
    (image,) = [e for e in root.iter() if e.tag.endswith("image")]
    assert image.attrib["href"].startswith("data:image/png;base64,")
