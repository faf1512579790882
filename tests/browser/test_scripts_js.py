"""The pages' scripts over lib.js, without a server: they load together, and draw what a page would hand them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from backends.store import Store
from tests.viz import causal_samples, paintings, samples
from tests.viz.pages.attention.cases import attention
from viz import theme
from viz.pages.attention import attention_view
from viz.pages.causal import effect_grid
from viz.pages.diffusion import word_map_view
from viz.pages.trajectory import lens_table
from viz.server import diffusion_files, maps

ASSETS = Path(__file__).parents[2] / "assets"
KEY = "ab" * 32
SEEN = attention()
PLACES = """<html data-bs-theme="light"><body>
<div id="page-grid"></div><div id="page-cell"></div>
<div class="effects" id="fx" data-words="Effects"></div><div id="fx-scale"></div>
<div id="fx-words"></div><div id="fx-said"></div>
<div style="width:600px"><canvas id="attention-grid" tabindex="0"></canvas></div>
<div id="attention-grid-scale"></div><div id="attention-grid-words"></div>
<div id="attention-lines-words"></div><div id="attention-lines" style="width:600px;height:300px"></div>
</body></html>"""
STUB = """window.got = []; window.dash_clientside = {
    set_props: (id, props) => window.got.push([id, props]), no_update: "same",
    callback_context: { inputs_list: [{ id: "page-table" }] } };"""


@pytest.fixture(scope="module")
def page(browser: Any) -> Iterator[Any]:
    """A page at an address of its own with all scripts, in the order in which they are served."""
    found = browser.new_page()
    trouble: list[str] = []
    found.on("pageerror", lambda error: trouble.append(str(error)))
    found.route("**/*", lambda route: route.fulfill(body=PLACES, content_type="text/html"))
    all_heads = maps.sprite(SEEN, "overview", sqrt=True)
    one_head = maps.pack(maps.cut(SEEN, "pattern", "1,2"), sqrt=True)
    found.route("**/maps/**", lambda route: route.fulfill(body=one_head if "at=" in route.request.url else all_heads))
    found.goto("http://vitrine.test/attention")
    found.add_script_tag(content=STUB)
    names = sorted(path.name for path in ASSETS.glob("*.js"))
    for name in ["lib.js", *(name for name in names if name != "lib.js")]:
        found.add_script_tag(content=(ASSETS / name).read_text())
    yield found
    found.close()
    assert not trouble


def test_every_script_gives_dash_its_functions(page: Any) -> None:
    there = set(page.evaluate("Object.keys(window.dash_clientside)"))
    assert {"attention", "causal", "data", "diffusion", "evidence", "generation", "lens_table"} <= there
    assert {"shell", "tabs", "trajectory", "vitrine"} <= there


def test_the_lens_table_is_drawn_and_a_cell_is_told(page: Any) -> None:
    data = lens_table.table(samples.lens(), "probability", 3)
    page.evaluate("(data) => window.dash_clientside.lens_table.draw(data)", data)
    assert page.locator("#page-grid tbody tr").count() == len(data["rows"])
    assert page.locator("#page-grid thead th").count() == len(data["columns"]) + 1
    cell = page.locator("#page-grid td[data-row='1'][data-column='2']")
    assert cell.text_content() == data["rows"][1]["cells"][2]["word"]
    cell.click()
    best = data["rows"][1]["cells"][2]["best"]
    assert page.locator("#page-cell li .lens-word").all_text_contents() == [word for word, _ in best]
    assert page.evaluate("window.got.at(-1)")[0] == "page-pick"


def test_a_grid_of_effects_is_drawn_with_its_scale(page: Any) -> None:
    data = effect_grid.of_result(causal_samples.grid(), "asked")
    assert page.evaluate("(data) => window.dash_clientside.causal.draw(data, [], 'fx-scale')", data) == "whole"
    assert page.locator("#fx .effect").count() == len(data["rows"]) * len(data["columns"])
    assert page.locator("#fx-scale .legend-unit").text_content() == data["unit"]
    assert page.locator("#fx thead th").count() == len(data["columns"])


def test_the_heads_and_the_lines_of_one_are_drawn_from_what_is_fetched(page: Any) -> None:
    data = attention_view.grid_data(KEY, SEEN)
    page.evaluate("(data) => window.dash_clientside.attention.grid(data, null, 'thumbnails', false)", data)
    page.wait_for_function("document.querySelectorAll('#attention-grid-scale canvas').length === 1")
    view = attention_view.Head.of(KEY, SEEN, 1, 2).view()
    page.evaluate("(view) => window.dash_clientside.attention.head(view, { token: 2 }, [])", view)
    page.wait_for_function("document.querySelectorAll('#attention-lines .lines-token').length > 0")
    assert page.locator("#attention-lines .lines-query .lines-token").count() == len(view["tokens"])
    page.wait_for_function("document.getElementById('attention-lines-words').textContent.includes('looks at: ')")


def test_a_drawing_has_its_words_over_it(page: Any, tmp_path: Path) -> None:
    store = Store(tmp_path)
    result = paintings.drawing()
    store.put_result(KEY, result)
    server = Flask("drawing")
    server.register_blueprint(maps.blueprint(store))
    server.register_blueprint(diffusion_files.blueprint(store))
    client = server.test_client()

    def answer(route: Any) -> None:
        address = route.request.url.removeprefix("http://vitrine.test")
        if address == "/theme.json":
            route.fulfill(json={"tables": theme.tables(), "templates": {}})
        else:
            found = client.get(address)
            route.fulfill(status=found.status_code, body=found.data, content_type=found.mimetype)

    page.route("**/maps/**", answer)
    page.route("**/theme.json", answer)
    page.evaluate("document.body.insertAdjacentHTML('beforeend', '<div id=\"diffusion-stage\"></div>')")
    spec = {"panels": [word_map_view.panel("one", KEY, result)], "palette": list(theme.PALETTE_LIGHT)}
    look = ["heat", 0.85, 0.4, "own", "viridis", "common", 0, 1, 1, "all", 1, 1, 1, 1]
    page.evaluate("([spec, look]) => window.dash_clientside.diffusion.draw(spec, ...look, 'words')", [spec, look])
    page.locator("#diffusion-stage .word-chip").nth(1).click()
    page.wait_for_function("document.querySelector('#diffusion-stage .stage-legend').textContent.includes('attention')")
    assert page.locator("#diffusion-stage .word-chip").count() == len(spec["panels"][0]["ids"])
