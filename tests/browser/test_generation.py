"""A text is continued, and its steps are stood on with the keyboard; the link restores them."""

from __future__ import annotations

import re
from typing import Any

from playwright.sync_api import expect

from tests.browser.conftest import FIRST

PROMPT = "When Mary and John went to the store, John gave a drink to"


def test_the_slider_moves_every_page_to_a_step_and_a_reload_restores_it(window: Any) -> None:
    page = window.open("/attention", model="bundled/names", text=PROMPT)
    expect(page.locator("#attention-map .main-svg").first).to_be_visible(timeout=FIRST)
    page.get_by_role("button", name="Continue").click()
    chips = page.locator(".continue-chip")
    expect(chips).to_have_text(["start", "Mary", "."])
    expect(page.locator("#attention-continue-chips")).to_contain_text("The model ended the text here (probability")
    expect(chips.nth(1)).to_have_attribute("title", re.compile(r"probability .* %\. Likeliest: “Mary” .*%, “"))
    expect(page.locator("#attention-length")).to_contain_text("14 ")

    slider = page.locator("#attention-continue-slider")
    slider.focus()
    for _ in range(2):
        page.keyboard.press("ArrowRight")
    expect(page.locator("#attention-continue-label")).to_have_text("Step 2 of 2")
    expect(page.locator("#attention-text")).to_have_value(f"{PROMPT} Mary.")
    expect(page.locator("#attention-length")).to_contain_text("16 ")
    expect(page.locator("#attention-lines")).to_be_attached()
    expect(page).to_have_url(re.compile(r"generated=[0-9a-f]{64}.*step=2|step=2.*generated="))

    page.reload()
    expect(page.locator("#attention-map .main-svg").first).to_be_visible()
    expect(chips.nth(2)).to_have_attribute("aria-current", "step")
    expect(slider).to_have_value("2")
    expect(page.locator("#attention-length")).to_contain_text("16 ")

    page.locator("#shell-nav-trajectory").click()
    expect(page.locator("#trajectory-grid td").first).to_be_visible()
    expect(chips.nth(2)).to_have_attribute("aria-current", "step")
    chips.nth(1).click()
    expect(page.locator("#trajectory-text")).to_have_value(f"{PROMPT} Mary")
    expect(page.locator("#trajectory-grid th").filter(has_text="Mary")).not_to_have_count(1)
    page.get_by_role("button", name="Use this text").click()
    expect(chips).to_have_count(0)
