"""Saving in a real browser: PNG and SVG carry the verdict of the map in the picture, within its first 300 px."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.browser.test_heat_canvas import film
from tests.viz import samples
from tests.viz.report.test_case import receipt, with_receipt
from viz import theme
from viz.report import case, sheet
from viz.server.downloads import frame_of, view_of

ASSETS = Path(__file__).parents[2] / "assets"
KEY = "a" * 64


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """A page with one map over a picture, whose result failed its test."""
    found = browser.new_page(viewport={"width": 900, "height": 700})

    def answer(route: Any) -> None:
        from urllib.parse import parse_qsl, urlsplit

        asked = dict(parse_qsl(urlsplit(route.request.url).query, keep_blank_values=True))
        result = with_receipt(samples.image_attribution(32), receipt())
        drawn = sheet.draw(case.make(result, view=view_of(asked)), frame_of(asked))
        route.fulfill(body=drawn, content_type="image/svg+xml")

    html = '<html data-bs-theme="light"><body><div id="a" class="heat"></div><div id="b"></div></body></html>'
    found.route("**/*", lambda route: route.fulfill(body=html, content_type="text/html"))
    found.route("**/results/**", answer)
    found.goto("http://vitrine.test/")
    for name in ("lib.js", "heat.js", "export.js", "viewer.js", "vitrine.js"):
        found.add_script_tag(content=(ASSETS / name).read_text())
    film(found, "a")
    yield found
    found.close()


def saved(page: Any, kind: str, view: str) -> bytes:
    with page.expect_download() as coming:
        page.evaluate(f"window.vitrine.saveSheet('{KEY}', 'a', '{kind}', {view})")
    assert coming.value.suggested_filename == f"vitrine-a.{kind}"
    return Path(coming.value.path()).read_bytes()


def test_a_failed_map_says_so_in_its_png(page: Any) -> None:
    for view in ("{}", "null"):  # drawn by the server, and around what the browser shows
        picture = np.asarray(Image.open(io.BytesIO(saved(page, "png", view))).convert("RGB")).astype(int)
        assert picture.shape[1] == 2 * sheet.WIDTH
        first = picture[:600]  # the first 300 px at twice their size
        red = np.abs(first - theme.rgb(sheet.EDGES["fails"])).max(-1) < 12
        assert red.sum() > 2000
        paper = np.abs(first - theme.rgb(sheet.PAPER["fails"])).max(-1) < 4
        assert paper.sum() > 50_000


def test_what_the_browser_shows_lies_within_the_page(page: Any) -> None:
    text = saved(page, "svg", "null").decode()
    assert "✗ Fails" in text
    assert text.count("<svg") == 2
    assert text.index("✗ Fails") < text.index(sheet.PLACE)
    assert "Not for clinical use." in text


def test_how_the_map_is_shown_goes_with_it(page: Any) -> None:
    page.evaluate("document.getElementById('a')._heat.set('stretch', 'log')")
    assert "olours follow the logarithm" in saved(page, "svg", "{}").decode()


def test_where_nothing_is_drawn_nothing_is_saved(page: Any) -> None:
    assert page.evaluate(f"window.vitrine.saveSheet('{KEY}', 'b', 'png', null)") is False
