"""Interventions in the browser: a grid fills, a sweep is cancelled, a head is switched off, a reload restores it."""

from __future__ import annotations

import re
from typing import Any

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
    expect(page.locator("#causal-grid .effect:not(.unknown)").first).to_be_attached()
