"""The page as HTML: one small file without scripts, verdict first, hostile words as words."""

from __future__ import annotations

import dataclasses
import re

import pytest

from tests.viz import paintings, samples
from tests.viz.report.test_case import receipt, with_receipt
from viz.report import case, page


@pytest.mark.parametrize("name", samples.ALL)
def test_a_page_is_small_and_asks_for_nothing(name: str) -> None:
    made = page.html(case.make(samples.ALL[name]()))
    assert len(made.encode()) < 500_000
    assert "<script" not in made
    assert not re.search(r'(?:src|href)="(?!data:image/|#v)|@import|url\(', made)
    assert "default-src 'none'" in made
    assert "Target None" not in made
    assert ">None<" not in made
    assert "Nothing was normalised" in made


def test_the_verdict_stands_before_the_map_and_the_answer() -> None:
    made = page.html(case.make(with_receipt(samples.text_attribution(), receipt())))
    fails, answer, text = (
        made.index('class="badge fails"'),
        made.index("Answer of the model"),
        made.index('class="text"'),
    )
    assert fails < answer < text
    assert "Fails. It &lt;b&gt;falls." in made


def test_both_orientations_of_paper_are_laid_out() -> None:
    made = page.style()
    assert "@media print" in made
    assert "orientation:landscape" in made
    assert "print-color-adjust:exact" in made  # else a browser prints no background


def test_hostile_words_are_words() -> None:
    evil = "</script><script>alert(1)</script>"
    result = dataclasses.replace(
        samples.text_attribution(samples.NASTY), target=evil, request={"model": evil, "options": {evil: evil}}
    )
    odd = dataclasses.replace(result, facts={**result.facts, evil: [{evil: evil}]})
    made = page.html(case.make(odd, root="http://here"))
    assert "<script" not in made
    assert "<img src=x" not in made
    assert "<b>bold" not in made


def test_a_drawing_has_its_words() -> None:
    made = page.html(case.make(paintings.drawing()))
    assert ">circle<" in made
    assert "One scale for all" in made
