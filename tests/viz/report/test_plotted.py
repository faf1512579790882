"""Every figure of every sample is drawn without a browser, and says what it cannot draw."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import numpy as np
import pytest

from backends.errors import Refused
from tests.viz import samples
from viz import figures
from viz.report import plotted, svg


@pytest.mark.parametrize("name", samples.ALL)
def test_every_figure_is_drawn(name: str) -> None:
    result = samples.ALL[name]()
    drawn = plotted.of_result(result)
    assert len(drawn) == len(figures.available(result))
    for one in drawn:
        root = ElementTree.fromstring(svg.document(one, name))
        told = [e.text or "" for e in root.iter() if e.tag.endswith("text")]
        assert len(told) > 4
        assert not re.search(r"\bnan\b|\binf\b|None", svg.document(one, name))


def test_a_part_is_drawn_in_every_figure_that_has_it() -> None:
    first, second, *_ = plotted.of_result(samples.attention(), {"layer": "2", "head": "1"})
    assert "layer 2, head 1" in first.markup
    assert "layer 2, head 1" in second.markup
    with pytest.raises(Refused, match="no layer '9'"):
        plotted.of_result(samples.attention(), {"layer": "9"})


def test_cells_lie_where_their_axis_says() -> None:
    import plotly.graph_objects as go

    values = np.array([[0.0, 1.0], [2.0, 3.0]])
    for turned in (False, True):
        made = go.Figure(go.Heatmap(z=values, colorscale=[[0, "#000000"], [1, "#ffffff"]], showscale=False))
        if turned:
            made.update_yaxes(autorange="reversed")
        pixels = _pixels(plotted.draw(made).markup)
        first = pixels[0, 0, 0] if turned else pixels[-1, 0, 0]
        assert first == 0
        assert pixels.max() == 255


def _pixels(markup: str) -> np.ndarray:
    import base64
    import io

    from PIL import Image

    (source,) = re.findall(r'href="data:image/png;base64,([^"]+)"', markup)
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(source))))


def test_what_cannot_be_drawn_is_refused() -> None:
    import plotly.graph_objects as go

    with pytest.raises(Refused, match="a picture of pie cannot be drawn without a browser; there are: heatmap"):
        plotted.draw(go.Figure(go.Pie(values=[1, 2])))


def test_an_image_that_is_no_picture_is_left_out() -> None:
    import plotly.graph_objects as go

    made = go.Figure(go.Scatter(x=[0, 1], y=[0, 1]))
    made.add_layout_image(
        {"source": "https://example.org/x.png", "x": 0, "y": 1, "sizex": 1, "sizey": 1, "xref": "x", "yref": "y"}
    )
    assert "example.org" not in plotted.draw(made).markup
