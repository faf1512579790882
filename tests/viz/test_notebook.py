"""A notebook shows a result as its page, with no plotly.js and no server."""

from __future__ import annotations

from pathlib import Path

import pytest

from backends.errors import Refused
from tests.viz import samples
from viz import notebook


def test_a_result_shows_itself() -> None:
    told = samples.text_attribution()._repr_html_()
    assert "<svg" in told
    assert "What drove the answer “urgent”?" in told
    assert "<script" not in told


def test_a_page_and_a_figure_are_svg(tmp_path: Path) -> None:
    shown = notebook.show(samples.text_attribution(), by="token", scale=(-2.0, 2.0))
    assert ">−2<" in shown.text
    shown.save(tmp_path / "page.svg")
    assert (tmp_path / "page.svg").read_text(encoding="utf-8") == shown._repr_svg_()
    drawn = notebook.draw(samples.attention(), "token_heat", layer=1, head=2)
    assert "layer 1, head 2" in drawn.text
    assert drawn._repr_html_().count("<svg") == 1


def test_a_figure_that_does_not_fit_is_refused() -> None:
    with pytest.raises(Refused, match="no picture 'token_heat' of this result"):
        notebook.draw(samples.text_attribution(), "token_heat")
