"""The canvas heat map in a real browser: pixels, keys, selection, sharing, saving, and a sentence on failure."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.viz import samples
from viz import theme
from viz.figures.image_heat import png
from viz.server import maps

ASSETS = Path(__file__).parents[2] / "assets"


def message(array: str, at: str = "", **packing: Any) -> dict[str, str]:
    content = maps.pack(maps.cut(samples.attention(), array, at), **packing)
    return {"base64": base64.b64encode(content).decode()}


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    found = browser.new_page(viewport={"width": 900, "height": 700})
    found.set_default_timeout(30_000)
    trouble: list[str] = []
    found.on("pageerror", lambda error: trouble.append(str(error)))
    found.on("console", lambda said: trouble.append(said.text) if said.type == "error" else None)
    found.set_content(
        '<html data-bs-theme="light"><body><div id="a" class="heat"></div><div id="b" class="heat"></div>'
    )
    found.add_style_tag(content=(ASSETS / "vitrine.css").read_text())
    for name in ("lib.js", "heat.js", "viewer.js", "vitrine.js"):
        found.add_script_tag(content=(ASSETS / name).read_text())
    found.evaluate(
        "() => { window.got = []; dash_clientside.set_props = (id, props) => window.got.push([id, props.data]); }"
    )
    yield found
    found.close()
    assert not trouble


def mount(page: Any, element: str, **spec: Any) -> None:
    spec = {"tables": theme.tables(), "label": "A map", "quantity": "weight", "emit": "cell", **spec}
    page.evaluate(
        "([id, spec]) => window.vitrine.heat.mount(document.getElementById(id), spec).then(() => 0)", [element, spec]
    )


def pixel(page: Any, element: str, cell: tuple[int, int]) -> list[int]:
    """The colour in the middle of a cell, red, green, blue and opacity."""
    return page.evaluate(
        """([id, cell]) => {
            const heat = document.getElementById(id)._heat, [x, y, w, h] = heat.box(...cell);
            return Array.from(heat.canvas.getContext("2d").getImageData(x + w / 2, y + h / 2, 1, 1).data);
        }""",
        [element, list(cell)],
    )


def expected(name: str, value: float, low: float, high: float) -> np.ndarray:
    return theme.table(name)[round(255 * (value - low) / (high - low))].astype(int)


def test_pixels_are_the_colours_of_the_values(page: Any) -> None:
    mount(page, "a", map=message("pattern", "1,2"))
    pattern = samples.attention().arrays["pattern"][1, 2]
    for cell in ((0, 0), (3, 1), (7, 0), (2, 6)):
        found = np.array(pixel(page, "a", cell))
        assert np.abs(found[:3] - expected("viridis", pattern[cell], 0, pattern.max())).max() <= 4
        assert found[3] == 255


def test_sqrt_bytes_show_the_same_colours(page: Any) -> None:
    mount(page, "a", map=message("pattern", "1,2", sqrt=True))
    pattern = samples.attention().arrays["pattern"][1, 2]
    found = np.array(pixel(page, "a", (4, 2)))
    assert np.abs(found[:3] - expected("viridis", pattern[4, 2], 0, pattern.max())).max() <= 4


def test_a_given_scale_is_kept(page: Any) -> None:
    mount(page, "a", map=message("pattern", "1,2"), scale=[0, 0.01])
    assert np.abs(np.array(pixel(page, "a", (7, 0)))[:3] - theme.table("viridis")[255]).max() <= 1


def test_hide_below_and_colours_need_no_round_trip_and_are_shared(page: Any) -> None:
    for element in ("a", "b"):
        mount(page, element, map=message("pattern", "1,2"), group="g", controls=["threshold", "colours"])
    page.locator("#a select[name=colours]").select_option("cividis")
    pattern = samples.attention().arrays["pattern"][1, 2]
    for element in ("a", "b"):
        found = np.array(pixel(page, element, (0, 0)))[:3]
        assert np.abs(found - expected("cividis", pattern[0, 0], 0, pattern.max())).max() <= 5
    page.locator("#b input[name=threshold]").fill("0.5")
    assert pixel(page, "a", (2, 6))[3] == 0


def test_keys_move_read_and_select(page: Any) -> None:
    mount(page, "a", map=message("pattern", "1,2"))
    page.locator("#a canvas.heat-canvas").focus()
    for key in ("ArrowDown", "ArrowDown", "ArrowRight", "End", "Home", "ArrowRight"):
        page.keyboard.press(key)
    said = page.locator("#a [aria-live]").text_content()
    assert "query is (1), key is (1)" in said
    assert "probability" in said
    page.keyboard.press("Enter")
    assert page.evaluate("window.got") == [
        ["cell", {"row": 1, "column": 1, "index": 9, "row_label": "is", "column_label": "is"}]
    ]
    label = page.locator("#a canvas.heat-canvas").get_attribute("aria-label")
    assert label.startswith("A map: 8 rows, 8 columns, 0 to ")
    assert "Arrow keys" in label


def test_pointer_reads_and_picks(page: Any) -> None:
    mount(page, "a", map=message("pattern", "1,2"))
    x, y, w, h = page.evaluate("document.getElementById('a')._heat.box(5, 2)")
    place = {"x": x + w / 2, "y": y + h / 2}
    page.hover("#a canvas.heat-canvas", position=place)
    assert "query severe (5), key no (2)" in page.locator("#a .heat-tip").text_content()
    page.click("#a canvas.heat-canvas", position=place)
    assert page.evaluate("window.got[0][1].row") == 5
    assert page.evaluate("window.got[0][1].column") == 2


def test_zoom_and_reset(page: Any) -> None:
    mount(page, "a", map=message("pattern", "1,2"))
    page.locator("#a canvas.heat-canvas").focus()
    page.keyboard.press("+")
    page.wait_for_function("document.getElementById('a')._heat.view.k === 1.5")
    page.keyboard.press("0")
    page.wait_for_function("document.getElementById('a')._heat.view.k === 1")


def test_sprite_cells_are_heads(page: Any) -> None:
    content = base64.b64encode(maps.sprite(samples.attention(), "pattern", 8)).decode()
    mount(page, "a", map={"base64": content}, selected=[2, 1])
    x, y, w, h = page.evaluate("document.getElementById('a')._heat.box(2, 3)")
    page.click("#a canvas.heat-canvas", position={"x": x + w / 2, "y": y + h / 2})
    assert page.evaluate("window.got[0][1]") == {
        "row": 2, "column": 3, "index": 11, "row_label": "2", "column_label": "3",
    }  # fmt: skip


def test_saved_pictures_hold_names_scale_and_unit(page: Any) -> None:
    mount(page, "a", map=message("pattern", "1,2"), title="<b>One head</b>")
    svg = page.evaluate("document.getElementById('a')._heat.svg()")
    assert "&#60;b&#62;One head" in svg
    assert "weight (probability)" in svg
    assert ">fever<" in svg
    assert "<b>" not in svg
    size = page.evaluate("document.getElementById('a')._heat.png().then((blob) => blob.size)")
    assert size > 5000


def test_hostile_labels_are_words(page: Any) -> None:
    content = maps.pack(maps.cut(samples.attention(samples.NASTY), "pattern", "0,0"))
    mount(page, "a", map={"base64": base64.b64encode(content).decode()})
    page.locator("#a canvas.heat-canvas").focus()
    page.keyboard.press("ArrowDown")
    assert "<img src=x" in page.locator("#a .heat-tip").text_content()
    assert page.locator("#a .heat-tip img, #a .heat-tip b").count() == 0


def test_a_map_that_cannot_be_read_says_so(page: Any) -> None:
    page.evaluate("() => { window.fetch = async () => new Response('this result is gone', { status: 404 }); }")
    mount(page, "a", map="/maps/x/pattern")
    assert page.locator("#a .heat-note").text_content() == "this result is gone"
    assert page.locator("#a canvas.heat-canvas").is_hidden()


def test_dark_pages_keep_the_colours_of_values(page: Any) -> None:
    mount(page, "a", map=message("pattern", "1,2"))
    before = pixel(page, "a", (3, 1))
    page.evaluate(
        "document.documentElement.setAttribute('data-bs-theme', 'dark'); dispatchEvent(new Event('vitrine-theme'))"
    )
    assert pixel(page, "a", (3, 1)) == before


PICTURE = samples.image_attribution(32)


def film(page: Any, element: str, **spec: Any) -> None:
    image = "data:image/png;base64," + base64.b64encode(png(PICTURE.arrays["image"])).decode()
    content = maps.pack(maps.cut(PICTURE, "attribution"))
    mount(page, element, map={"base64": base64.b64encode(content).decode()}, image=image, height=300, **spec)


def point(page: Any, element: str, cell: tuple[int, int]) -> None:
    place = page.evaluate(
        """([id, cell]) => {
            const heat = document.getElementById(id)._heat, [x, y, w, h] = heat.box(...cell);
            const frame = heat.canvas.getBoundingClientRect();
            return [frame.left + x + w / 2, frame.top + y + h / 2];
        }""",
        [element, list(cell)],
    )
    page.mouse.move(*place)


def test_pointing_at_one_map_points_at_all_of_its_shape(page: Any) -> None:
    for element in ("a", "b"):
        film(page, element)
    point(page, "a", (20, 9))
    assert page.evaluate("document.getElementById('b')._heat.echoed") == [20, 9]
    assert page.evaluate("document.getElementById('a')._heat.echoed") is None
    crossing = """() => {
        const heat = document.getElementById("b")._heat, { left, top, w } = heat.place;
        const [x, y, cw, ch] = heat.box(20, 9);
        const pen = heat.top.getContext("2d"), at = (u, v) => pen.getImageData(u, v, 1, 1).data[3];
        return [at(x + cw / 2, top + 40), at(left + w - 4, y + ch / 2), at(left + w - 4, top + 60)];
    }"""
    down, across, beside = page.evaluate(crossing)
    assert down > 0
    assert across > 0
    assert beside == 0
    page.mouse.move(5, 690)
    assert page.evaluate("document.getElementById('b')._heat.echoed") is None


def test_a_map_of_another_shape_is_not_pointed_at(page: Any) -> None:
    film(page, "a")
    mount(page, "b", map=message("pattern", "1,2"))
    point(page, "a", (20, 9))
    assert page.evaluate("document.getElementById('b')._heat.echoed") is None


def test_over_a_picture_zero_is_clear_and_beside_it_the_picture_is_whole(page: Any) -> None:
    film(page, "a", opacity=1.0, scale=[-100, 100])  # so that all is near zero
    values = PICTURE.arrays["image"]
    found = np.array(pixel(page, "a", (16, 16)))[:3]
    assert np.abs(found - values[16, 16]).max() <= 8
    page.evaluate("document.getElementById('a')._heat.set('mode', 'beside')")
    sizes = page.evaluate(
        "(({ left, second, w, h }) => [second - left - w, w, h])(document.getElementById('a')._heat.place)"
    )
    assert sizes[0] == 12
    assert sizes[1] == pytest.approx(sizes[2])
    point(page, "a", (3, 4))  # on the picture, and then at the same place on the map
    first = page.evaluate("document.getElementById('a')._heat.cursor")
    shift = page.evaluate("(({ left, second }) => second - left)(document.getElementById('a')._heat.place)")
    x, y = page.evaluate(
        """(() => {
            const heat = document.getElementById("a")._heat, [x, y, w, h] = heat.box(3, 4);
            const frame = heat.canvas.getBoundingClientRect();
            return [frame.left + x + w / 2, frame.top + y + h / 2];
        })()"""
    )
    page.mouse.move(x + shift, y)
    assert page.evaluate("document.getElementById('a')._heat.cursor") == first == [3, 4]


def test_a_logarithmic_scale_lifts_small_values_on_both_sides(page: Any) -> None:
    film(page, "a", opacity=1.0, controls=["stretch"], mode="map")
    values, most = PICTURE.arrays["attribution"], float(np.abs(PICTURE.arrays["attribution"]).max())
    page.locator("#a select[name=stretch]").select_option("log")
    for cell in ((2, 2), (21, 9), (12, 21)):
        share = np.sign(values[cell]) * np.log1p(99 * abs(values[cell]) / most) / np.log1p(99)
        wanted = theme.table("blue-white-red")[round(127.5 + 127.5 * share)].astype(int)
        assert np.abs(np.array(pixel(page, "a", cell))[:3] - wanted).max() <= 24  # values come in 256 steps
    assert "colours follow the logarithm" in page.locator("#a .heat-note").text_content()


def test_each_key_does_what_the_list_says(page: Any) -> None:
    controls = ["opacity", "mode", "threshold", "colours", "stretch", "full"]
    film(page, "a", opacity=0.5, controls=controls)
    settings = "document.getElementById('a')._heat.settings"
    page.locator("#a canvas.heat-canvas").focus()
    page.keyboard.press("b")
    assert page.evaluate(f"{settings}.mode") == "beside"
    page.keyboard.press("m")
    assert page.evaluate(f"{settings}.mode") == "map"
    page.keyboard.press("]")
    assert page.evaluate(f"{settings}.opacity") == 0.6
    page.keyboard.press(".")
    assert page.evaluate(f"{settings}.threshold") == 0.05
    page.keyboard.press("l")
    assert page.evaluate(f"{settings}.stretch") == "sqrt"
    page.keyboard.press("?")
    assert page.locator("#vitrine-shortcuts").is_visible()
    assert "side by side" in page.locator("#vitrine-shortcuts").text_content()
    page.keyboard.press("Escape")
    assert page.locator("#vitrine-shortcuts").is_hidden()


def test_the_wheel_scrolls_the_page_until_the_map_was_clicked(page: Any) -> None:
    film(page, "a")
    zoom = "document.getElementById('a')._heat.view.k"
    point(page, "a", (10, 10))
    page.mouse.wheel(0, -200)
    assert page.evaluate(zoom) == 1
    assert "heat-asked" in page.locator("#a").get_attribute("class")
    page.mouse.down()
    page.mouse.up()
    page.mouse.wheel(0, -200)
    page.wait_for_function(f"{zoom} > 1")
