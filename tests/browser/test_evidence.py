"""Should you believe these pictures? Every method on a note and on a film, what decides, a table, a blind network."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import FIRST
from tests.browser.test_access import findings

ROWS = ".audit-wall .audit-tile"
RANKS = {"✓ Holds": 0, "? Cannot tell": 1, "✗ Fails": 2}


def all_there(page: Any, count: int) -> None:
    """Wait until all methods are tested and compared."""
    expect(page.locator(ROWS)).to_have_count(count, timeout=FIRST)
    expect(page.locator("#evidence-agreement-shown .main-svg").first).to_be_visible(timeout=FIRST)


SEEN = """() => {
  const drawn = (id) => document.querySelector(`#evidence-${id} .js-plotly-plot`);
  const [curves, alike] = [drawn("curves"), drawn("agreement-shown")];
  const bold = curves.data.filter((t) => t.visible && (t.opacity ?? 1) === 1 && t.legendgroup !== "random");
  return [[...new Set(bold.map((t) => t.legendgroup))], (alike.layout.shapes || []).map((s) => [s.y0, s.y1])];
}"""
"""The methods whose curves stand out, and the rows and columns that are framed."""


def the_tile_pointed_at_is_told_and_drawn(window: Any) -> None:
    """By keyboard: the last tile, whose curve was not chosen; by pointer: the first. Escape gives all back."""
    page, pane = window.page, window.page.locator("#evidence-pane")
    expect(page.locator("#evidence-curves .legend .traces").nth(4)).to_be_visible()
    chosen, framed = page.evaluate(SEEN)
    assert (len(chosen), framed) == (4, [])
    for tile, reach in ((page.locator(ROWS).last, "focus"), (page.locator(ROWS).first, "hover")):
        title = tile.locator(".row-link").inner_text()
        getattr(tile.locator(".row-link") if reach == "focus" else tile, reach)()
        expect(pane).to_contain_text(title)
        expect(pane).to_contain_text("Without its brightest part, ")
        expect(pane).to_contain_text("Most like ")
        place = int(tile.get_attribute("data-place"))
        for _ in range(40):  # the figures follow a little later
            if page.evaluate(SEEN)[0] == [title]:
                break
            page.wait_for_timeout(100)
        page.wait_for_timeout(100)
        assert page.evaluate(SEEN) == [[title], [[place - 0.5, place + 0.5], [-0.5, 12.5]]]
    page.keyboard.press("Escape")
    page.wait_for_timeout(600)
    assert page.evaluate(SEEN) == [chosen, []]


def test_all_methods_on_a_note(window: Any) -> None:
    page = window.open("/evidence", model="bundled/triage")
    all_there(page, 13)
    the_tile_pointed_at_is_told_and_drawn(window)
    verdicts = page.locator(f"{ROWS} .seal").all_inner_texts()
    assert [RANKS[v] for v in verdicts] == sorted(RANKS[v] for v in verdicts)
    expect(page.locator("#evidence-said")).to_contain_text(re.compile(r"\d+ of 13 maps hold"))
    expect(page.locator(f"{ROWS} .audit-places").first).to_contain_text("mass inside")
    expect(page.locator("#evidence-region")).to_have_value("spans")
    expect(page.locator("#evidence-curves .main-svg").first).to_be_visible()
    expect(page).to_have_url(re.compile(r"curves=\w+"))
    page.locator("#evidence-region").select_option("own")
    page.locator("#evidence-region-words").fill("fever")
    page.locator("#evidence-region-words").press("Tab")
    expect(page).to_have_url(re.compile(r"region=own&words=fever"))
    with page.expect_download() as download:
        page.get_by_role("link", name="Download all methods' receipts as CSV").click()
    assert download.value.path().read_text(encoding="utf-8-sig").startswith("rank,method,verdict,rule,test,value")
    page.locator("#evidence-numbered").select_option("saliency")
    expect(page.locator(".numbers-table tbody tr")).to_have_count(8, timeout=FIRST)
    expect(page).to_have_url(re.compile(r"numbers=saliency"))
    assert findings(page) == []
    page.locator("#shell-theme-button").click()
    page.wait_for_timeout(800)
    assert findings(page, "color-contrast") == []
    page.locator("#shell-theme-button").click()
    title = page.locator(f"{ROWS} .row-link").first.inner_text()
    page.locator(ROWS).first.click(position={"x": 20, "y": 12})  # anywhere on the tile
    expect(page.locator("#attribution-title-0")).to_have_text(title)
    expect(page.locator("#attribution-receipt-body-0")).to_contain_text("Should you believe this map?")
    page.get_by_role("link", name="All methods on this input").first.click()
    all_there(page, 13)


@pytest.mark.slow
def test_all_methods_on_a_film_against_a_region_drawn_by_hand(window: Any) -> None:
    page = window.open("/evidence", model="bundled/radiograph")
    all_there(page, 13)
    expect(page.locator(f"{ROWS} img").first).to_be_visible()
    assert page.locator(f"{ROWS} img").first.evaluate("image => image.naturalWidth") > 40
    page.locator("#evidence-region").select_option("own")
    picture = page.locator("#evidence-region-picture")
    expect(picture.locator("img")).to_be_visible()
    picture.scroll_into_view_if_needed()
    box = picture.bounding_box()
    page.mouse.move(box["x"] + 0.6 * box["width"], box["y"] + 0.25 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.9 * box["width"], box["y"] + 0.55 * box["height"], steps=4)
    page.mouse.up()
    expect(page.locator("#evidence-box-left")).to_have_value("60")
    expect(page.locator("#evidence-box-height")).to_have_value("30")
    expect(page).to_have_url(re.compile(r"box=60%2C25%2C30%2C30"))
    page.locator("#evidence-box-width").fill("20")  # and by keyboard
    page.locator("#evidence-box-width").press("Enter")
    expect(page).to_have_url(re.compile(r"box=60%2C25%2C20%2C30"))
    assert "width: 20%" in page.locator("#evidence-region-box").get_attribute("style")
    assert findings(page) == []
    page.locator("#shell-theme-button").click()
    page.wait_for_timeout(800)
    assert findings(page, "color-contrast") == []
    page.locator("#shell-theme-button").click()
    page.reload()
    all_there(page, 13)
    expect(page.locator("#evidence-box-width")).to_have_value("20")
    expect(page.locator("#evidence-region")).to_have_value("own")


def test_the_tag_that_decides_is_hidden_and_the_answer_turns(window: Any) -> None:
    page = window.open("/evidence", model="bundled/radiograph-shortcut", tab="parts")
    expect(page.locator("#evidence-parts-sets")).to_contain_text("the answer becomes “no finding”", timeout=FIRST)
    expect(page.locator("#evidence-parts-sets .square.outlined").first).to_be_visible()
    expect(page.locator("#evidence-parts-shown .square")).to_have_count(64)
    before = page.locator("#evidence-parts-said").inner_text()
    page.locator("#evidence-least").select_option("0.2")
    expect(page.locator("#evidence-parts-said")).not_to_have_text(before)
    expect(page).to_have_url(re.compile(r"tab=parts&least=0.2"))
    page.reload()
    expect(page.locator("#evidence-least")).to_have_value("0.2")
    expect(page.locator("#evidence-parts-said")).to_contain_text("of 64", timeout=FIRST)
    page.get_by_role("tab", name="When explanations lie").click()
    expect(page.locator("#evidence-shuffled-receipt")).to_contain_text("Fails", timeout=FIRST)
    expect(page.locator("#evidence-random-receipt")).to_contain_text("Fails")
    expect(page.locator("#evidence-trained-heat canvas").first).to_be_visible()


def test_a_table_is_tested_stopped_and_gone_on_with(window: Any) -> None:
    page = window.open("/evidence", model="bundled/triage", tab="survey", rows="12")
    expect(page.locator("#evidence-data-said")).to_contain_text("120 rows", timeout=FIRST)
    page.locator("#evidence-survey-run").click()
    expect(page.locator("#evidence-survey-said")).to_contain_text("So far", timeout=FIRST)
    page.locator("#evidence-survey-cancel").click()
    expect(page.locator("#evidence-survey-said")).to_contain_text("Press the button to go on")
    expect(page.locator("#evidence-survey-table tbody tr").first).to_be_visible()  # what there is stays
    page.locator("#evidence-survey-run").click()
    expect(page.locator("#evidence-survey-end .exports")).to_be_visible(timeout=FIRST)
    expect(page.locator("#evidence-verdicts .main-svg").first).to_be_visible()
    expect(page.locator("#evidence-survey-table .control-row")).to_contain_text("A map drawn at random")
    expect(page).to_have_url(re.compile(r"rows=12.*run=1"))
    assert findings(page) == []
    page.reload()
    expect(page.locator("#evidence-survey-end .exports")).to_be_visible(timeout=FIRST)
    page.locator("#evidence-rows").fill("13")
    page.locator("#evidence-rows").press("Tab")
    expect(page.locator("#evidence-survey-other")).to_contain_text("tested with other settings")
    expect(page).to_have_url(re.compile(r"rows=13(?!.*run=1)"))  # the link runs nothing that nobody ran
    page.locator("#evidence-rows").fill("12")
    page.locator("#evidence-rows").press("Tab")
    expect(page.locator("#evidence-survey-other")).to_be_empty()
    expect(page).to_have_url(re.compile(r"run=1"))


def test_a_link_says_what_it_lacks_and_runs_nothing_instead(window: Any) -> None:
    lost = {"data": "a" * 64, "run": "1", "q": "7", "tests": "foo,lime"}
    page = window.open("/evidence", model="bundled/triage", tab="survey", **lost)
    expect(page.locator("#evidence-data-problem")).to_contain_text("is not kept on this machine", timeout=FIRST)
    expect(page.locator("#evidence-unknown")).to_contain_text("The link asks for q '7'")
    expect(page.locator("#evidence-unknown")).to_contain_text("The link asks for tests 'foo'")
    page.wait_for_timeout(1500)
    expect(page.locator("#evidence-survey-box")).not_to_be_visible()
    expect(page.locator("#evidence-survey-said")).to_be_empty()
