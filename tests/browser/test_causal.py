"""Interventions in the browser: a grid fills, a sweep is cancelled, a head is switched off, a reload restores it."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import FIRST


def test_a_grid_fills_a_head_goes_off_and_a_reload_restores_it(window: Any) -> None:
    page = window.open("/causal", model="bundled/names")
    expect(page.locator("#causal-grid-scale")).to_have_attribute("data-drawn", "whole", timeout=FIRST)
    expect(page.locator("#causal-pair-shown .differs")).to_have_count(1)
    second = page.locator("#causal-grid [data-row='0'][data-column='9']")
    expect(second).to_have_text(re.compile(r"(0\.9\d|1\.0\d)"))
    expect(page.locator("#causal-approximate")).to_contain_text("Correlation with the exact grid")
    page.locator("#causal-grid [tabindex='0']").focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#causal-grid-words")).to_contain_text("layer 0, token “Mary” (1)")

    page.locator("#causal-tab-try").click()
    expect(page.locator("#causal-tried")).to_contain_text("Nothing is changed")
    page.locator("#causal-switch [data-row='0'][data-column='0']").click()
    expect(page.locator("#causal-tried")).to_contain_text("rather than John moves by −1")
    expect(page.locator("#causal-tried .written")).to_contain_text("As it is")
    expect(page).to_have_url(re.compile(r"tab=try&off=0\.0"))

    page.reload()
    expect(page.locator("#causal-tried")).to_contain_text("rather than John moves by −1")
    expect(page.locator("#causal-switch [data-row='0'][data-column='0']")).to_have_attribute("aria-selected", "true")
    page.locator("#causal-undo").click()
    expect(page.locator("#causal-tried")).to_contain_text("Nothing is changed")


def test_a_long_sweep_is_cancelled_and_keeps_what_it_has(window: Any) -> None:
    page = window.open(
        "/causal", model="bundled/radiograph-vit", method="causal_tracing", options={"causal_tracing": {"samples": 100}}
    )
    expect(page.locator("#causal-grid-said")).to_contain_text(re.compile(r"Filling: \d+ of 260 cells"), timeout=FIRST)
    expect(page.locator("#causal-grid .effect:not(.unknown)").first).to_be_attached()
    page.locator("#causal-sweep-cancel").click()
    expect(page.locator("#causal-grid-said")).to_contain_text("Cancelled: what was computed stays")
    known = page.locator("#causal-grid .effect:not(.unknown)").count()
    assert 0 < known < 260
    said = page.locator("#causal-grid-said").inner_text()
    assert f"{known} of 260 cells" in said
    page.locator("#causal-method label", has_text="Head ablation").click()  # the worker is free for the next sweep
    expect(page.locator("#causal-grid-scale")).to_have_attribute("data-drawn", "whole")
    expect(page.locator("#causal-grid .effect")).to_have_count(16)


LUMINANCE = """colour => {
  const parts = colour.match(/[\\d.]+/g).slice(0, 3).map(Number).map(v => v / 255)
    .map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2];
}"""


def contrast(page: Any, one: str, other: str) -> float:
    a, b = sorted((page.evaluate(LUMINANCE, colour) for colour in (one, other)), reverse=True)
    return (a + 0.05) / (b + 0.05)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_graph_of_a_circuit_can_be_read_in_both_themes(window: Any, theme: str) -> None:
    page = window.open("/causal", model="bundled/names", tab="circuit", heads="0.0,0.1,0.3,1.0", threshold="1")
    expect(page.locator("#causal-graph .main-svg").first).to_be_visible(timeout=FIRST)
    if theme == "dark":
        page.locator("#shell-theme-button").click()
        expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")
    ground = page.evaluate("getComputedStyle(document.querySelector('.panel')).backgroundColor")
    words = "[...document.querySelectorAll('#causal-graph text')].map(t => [t.textContent, getComputedStyle(t).fill])"
    page.wait_for_function(  # the figure is drawn anew in the theme's colours
        "([ground, dark]) => { const t = document.querySelector('#causal-graph .xtick text');"
        " return t && (Number(getComputedStyle(t).fill.match(/\\d+/)[0]) > 128) === dark; }",
        arg=[ground, theme == "dark"],
    )
    texts = page.evaluate(words)
    assert {"0.0", "1.0", "answer"} <= {text for text, _ in texts}
    for text, fill in texts:
        assert contrast(page, fill, ground) >= 4.5, (text, fill, ground)
    lines = page.evaluate(
        "[...document.querySelectorAll('#causal-graph .js-line')].map(l => getComputedStyle(l).stroke)"
    )
    assert len(lines) >= 2
    for stroke in lines:
        assert contrast(page, stroke, ground) >= 3, (stroke, ground)
    if theme == "dark":
        page.locator("#shell-theme-button").click()


def test_texts_of_two_lengths_noise_on_a_token_and_an_edge(window: Any) -> None:
    page = window.open("/causal", model="bundled/names")
    expect(page.locator("#causal-grid-scale")).to_have_attribute("data-drawn", "whole", timeout=FIRST)
    page.locator("#causal-pair-text").fill("When Mary and John went to the big store, Mary gave a drink to")
    page.locator("#causal-pair-use").click()
    expect(page.locator("#causal-pair-shown")).to_contain_text("patching needs equally many")
    expect(page.locator("#causal-pair-shown .opposite-pair.differs").first).to_contain_text("–")
    page.locator("#causal-pair-swap").click()
    expect(page.locator("#causal-pair-shown [data-token='9']")).to_have_text("John")

    page.locator("#causal-pair-shown [data-token='3']").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#causal-span-words")).to_have_text("1")
    page.locator("#causal-tab-try").click()
    page.locator("#causal-noise").click()
    expect(page.locator("#causal-panel-places")).to_be_visible()
    expect(page.locator("#causal-grid-said")).to_contain_text("share of the drop restored")
    expect(page).to_have_url(re.compile(r"method=causal_tracing.*span=3"))

    page.locator("#causal-tab-try").click()
    page.locator("#causal-edge-head").select_option("0")
    page.locator("#causal-edge-query").select_option("13")
    page.locator("#causal-edge-key").select_option("9")
    page.locator("#causal-edge-add").click()
    expect(page.locator("#causal-changes")).to_contain_text("head 0 of all layers: “to” (13) looking at “John” (9)")
    expect(page.locator("#causal-tried")).to_contain_text("moves by −")
    page.reload()
    expect(page.locator("#causal-changes")).to_contain_text("“to” (13) looking at “John” (9)")
    expect(page.locator("#causal-tried")).to_contain_text("moves by −")


def test_a_clear_film_beside_a_nodule_shows_the_patch_that_carries_it(window: Any) -> None:
    page = window.open("/causal", model="bundled/radiograph-vit")
    expect(page.locator("#causal-grid-scale")).to_have_attribute("data-drawn", "whole", timeout=FIRST)
    expect(page.locator("#causal-pair-examples [aria-pressed=true]")).to_contain_text("A clear film")
    expect(page.locator("#causal-pair-shown")).to_contain_text("Corrupted: “no finding”")
    expect(page.locator("#causal-grid-said")).to_contain_text(re.compile(r"Largest: layer 0, “r3 c6” \(22\): 1\.0"))
    page.locator("#causal-pair-examples button", has_text="A tag only").click()
    expect(page).to_have_url(re.compile(r"against=2"))
    page.reload()
    expect(page.locator("#causal-pair-examples [aria-pressed=true]")).to_contain_text("A tag only")
