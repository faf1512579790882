"""What is true of every figure: titles with units, the theme, plain arrays, and that words are only words."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import numpy as np
import pytest

from backends.errors import Refused
from backends.results import Result
from tests.viz import samples
from tests.viz.figures.axis_titles import titles
from viz import figures, theme

CASES = [(name, picture) for name, make in samples.ALL.items() for picture in figures.available(make())]


def strings(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [s for k, v in value.items() if k != "template" for s in strings(v)]
    if isinstance(value, list):
        return [s for v in value for s in strings(v)]
    return [value] if isinstance(value, str) else []


@pytest.mark.parametrize(("name", "picture"), CASES)
def test_axes_have_titles_and_bars_units(name: str, picture: str) -> None:
    figure = figures.draw(samples.ALL[name](), picture)
    assert all(title and ("(" in title) for title in titles(figure)), titles(figure)
    if figure.layout.coloraxis.colorscale:
        bar = figure.layout.coloraxis
        assert "(" in bar.colorbar.title.text
        assert bar.cmin < bar.cmax
    assert figure.layout.title.text


@pytest.mark.parametrize(("name", "picture"), CASES)
@pytest.mark.parametrize("dark", [False, True])
def test_theme_and_binary_arrays(name: str, picture: str, dark: bool) -> None:
    figure = figures.draw(samples.ALL[name](), picture, dark=dark)
    assert figure.layout.template.layout.paper_bgcolor == theme.colours(dark)["surface"]
    for trace in json.loads(figure.to_json())["data"]:
        for part in ("z", "y"):
            if trace["type"] in ("heatmap", "bar") and part in trace and not isinstance(trace[part], list):
                assert trace[part]["dtype"] == "f4"
        assert trace["type"] in ("heatmap", "bar", "scatter")  # no WebGL: it needs eval
    assert not any(k in json.dumps(figure.to_plotly_json(), default=str) for k in ("scattergl", "xgap"))


@pytest.mark.parametrize(("name", "picture"), [c for c in CASES if c[0] != "image_attribution"])
def test_words_are_never_markup(name: str, picture: str) -> None:
    result = samples.ALL[name](samples.NASTY)
    facts = {**result.facts, "strings": dict.fromkeys(map(str, range(9)), "<b>x</b>"), "similarity": "<i>s</i>"}
    request = {**result.request, "model": "<a href='https://example.org'>m</a>"}
    result = dataclasses.replace(result, target="<script>alert(1)</script>", facts=facts, request=request)
    drawn = strings(json.loads(figures.draw(result, picture).to_json()))
    for text in drawn:
        assert "<img" not in text
        assert "<b>" not in text
        assert "<a " not in text
        assert "<script" not in text
        assert "<i>" not in text
        assert "&amp;lt;" not in text or "&lt;" in samples.NASTY
    assert any("&lt;" in text for text in drawn)


def test_every_kind_has_one_first_picture() -> None:
    for make in samples.ALL.values():
        first = [n for n in figures.available(make()) if figures.builders()[n].FIRST]
        assert len(first) == 1


def test_draw_refuses_with_what_there_is() -> None:
    odd = Result("daam", {"x": np.zeros((2, 2, 2, 2))}, {"x": ("a", "b", "c", "d")})
    with pytest.raises(Refused, match=r"no picture for a result of daam with x \(a, b, c, d\)"):
        figures.draw(odd)
    with pytest.raises(Refused, match="no picture 'pie' of this result; there are: token_heat, bipartite, head_grid"):
        figures.draw(samples.attention(), "pie")
    with pytest.raises(
        Refused, match="token_heat has no view 'colour'; there are: layer, head, hide_sink, scale, dark"
    ):
        figures.draw(samples.attention(), colour="red")
