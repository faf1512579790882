"""Touching the input in a real browser: hide, swap, undo, Back, and a link that restores it; a region of a film."""

from __future__ import annotations

import re
from typing import Any

from playwright.sync_api import expect

from tests.browser.conftest import FIRST


def test_a_word_is_hidden_and_back_restores_it(window: Any) -> None:
    page = window.open("/attribution", model="bundled/triage", methods="saliency")
    said, pairs = page.locator("#attribution-touch-said"), page.locator(".touch-pair")
    page.locator(".coloured-text .tok", has_text="chest").first.click(timeout=FIRST)
    expect(said).to_contain_text("“chest” hidden: the answer flips from urgent")
    expect(pairs).to_have_count(3)
    assert "touch=%5B%5B20%2C25%5D%5D" in page.url
    page.locator("#attribution-touch-swap").click()
    page.locator(".touch-word", has_text="chest").click()
    page.locator(".touch-write").fill("mild")
    page.keyboard.press("Enter")
    expect(said).to_contain_text("“chest” swapped for “mild”")
    link = page.url
    page.go_back()
    expect(said).to_contain_text("“chest” hidden")
    page.keyboard.press("Control+Shift+Z")
    expect(said).to_contain_text("swapped")
    page.locator("#attribution-touch-clear").click()
    expect(said).to_contain_text("Click a word to hide it")
    assert "touch=" not in page.url
    page.goto(link)
    expect(said).to_contain_text("“chest” swapped for “mild”")
    expect(page.locator(".coloured-text .tok.touched")).to_have_text(["chest"])
    page.locator("#attribution-text").fill("itchy skin")  # another text, and nothing of it was touched
    page.locator("#attribution-apply").click()
    expect(page.locator(".touch-word")).to_have_count(2)
    expect(page.locator(".touch-word.swapped")).to_have_count(0)
    expect(page).not_to_have_url(re.compile("touch="))
    page.locator("#attribution-text").fill("😀 כאב, severe chest pain")  # letters of two units, and from right to left
    page.locator("#attribution-apply").click()
    expect(page.locator(".touch-word")).to_have_text(["😀", "כאב", ",", "severe", "chest", "pain"])
    page.locator("#attribution-touch-hide").click()
    page.locator(".touch-word", has_text="chest").click()
    expect(said).to_contain_text("With “chest” hidden")
    expect(page.locator(".touch-wait")).to_have_count(0)


def test_a_region_of_a_film_is_hidden_by_pointer_and_by_keys(window: Any) -> None:
    page = window.open("/attribution", model="bundled/radiograph-shortcut", methods="saliency")
    page.locator("#attribution-touch-open:not([disabled])").click(timeout=FIRST)
    canvas = page.locator(".touch-picture canvas")
    box = canvas.bounding_box()
    page.mouse.move(box["x"] + 2, box["y"] + 2)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.3 * box["width"], box["y"] + 0.26 * box["height"], steps=3)
    page.mouse.up()
    said = page.locator("#attribution-touch-said")
    expect(said).to_contain_text("a region hidden: the answer flips from lesion")  # the tag is gone
    page.keyboard.press("Control+Z")
    expect(said).to_contain_text("Click a word to hide it")
    canvas.focus()
    for key in ("ArrowDown", "ArrowDown", "ArrowRight", "Enter"):
        page.keyboard.press(key)
    expect(said).to_contain_text("a region hidden: the answer stays lesion")
    page.keyboard.press("Enter")
    expect(said).to_contain_text("Click a word to hide it")
