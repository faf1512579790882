"""The page as one picture: the verdict within its first 300 pixels, and everything else that must leave with a map."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from tests.viz import paintings, samples
from tests.viz.report.test_case import receipt, with_receipt
from viz import theme
from viz.report import case, sheet


def words(page: str) -> dict[str, float]:
    """Every text of the picture with the y of its baseline, but for what stands in groups that were moved."""
    root = ElementTree.fromstring(page)
    return {e.text or "": float(e.attrib["y"]) for e in root.iter() if e.tag.endswith("}text")}


@pytest.mark.parametrize("name", ["text_attribution", "image_attribution"])
def test_a_failed_map_says_fails_at_its_top(name: str) -> None:
    made = case.make(with_receipt(getattr(samples, name)(), receipt()))
    assert words(sheet.draw(made))["✗ Fails"] < 300


@pytest.mark.parametrize("name", samples.ALL)
def test_everything_leaves(name: str) -> None:
    result = samples.ALL[name]()
    page = sheet.draw(case.make(result, root="http://here"))
    told = " ".join(words(page))
    assert "None" not in told
    assert "made with Vitrine" in told
    assert case.LIMITED in told
    assert len(page) < 500_000
    assert not re.search(r'(?:src|href)="(?!data:image/|#v)', page)


def test_a_drawing_with_its_words_leaves() -> None:
    told = words(sheet.draw(case.make(paintings.drawing())))
    assert "circle" in told


def test_the_browser_gets_a_place_of_its_picture_s_shape() -> None:
    page = sheet.draw(case.make(samples.attention()), (1592, 400))
    (scale,) = re.findall(rf'id="{sheet.PLACE}" transform="translate\([^)]*\) scale\(([\d.]+)\)"', page)
    assert float(scale) == 0.5


def test_verdicts_are_read_on_their_paper() -> None:
    for slug, paper in sheet.PAPER.items():
        assert theme.contrast(sheet.EDGES[slug], paper) >= 4.5
