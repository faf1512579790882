"""The main job: from the gallery to an attention map, an attribution and a logit lens, by mouse and by keyboard."""

from __future__ import annotations

import re
from typing import Any

from playwright.sync_api import expect

from tests.browser.conftest import FIRST

CARD = ".gallery-card:has-text('bundled/names')"


def test_from_the_gallery_to_three_kinds_of_picture(window: Any) -> None:
    page = window.open("/")
    expect(page.locator("h1")).to_have_text("What did the network look at?")
    assert page.locator(".gallery-card").count() == 7
    page.locator(CARD).get_by_role("link", name="Attention").click()
    expect(page.locator("#attention-map .main-svg").first).to_be_visible(timeout=FIRST)
    expect(page.locator("#attention-sentence")).not_to_be_empty()
    assert re.search(r"[?&]model=bundled%2Fnames", page.url)

    page.locator("#shell-nav-attribution").click()
    expect(page.locator("#attribution-text-0 .tok").first).to_be_visible()
    expect(page.locator("#attribution-headline")).to_contain_text("Mary")

    page.locator("#shell-nav-trajectory").click()
    expect(page.locator("#trajectory-grid td").first).to_be_visible()
    expect(page.locator("#trajectory-summary")).to_contain_text(re.compile(r"The answer “·?Mary” is first"))


def test_the_same_by_keyboard_alone(window: Any) -> None:
    page = window.open("/")
    expect(page.locator(CARD)).to_be_visible()
    window.tab_to("a.door[href^='/attention'][href*='names']").press("Enter")
    expect(page.locator("#attention-map .main-svg").first).to_be_visible(timeout=FIRST)
    before = page.locator("#attention-name").inner_text()
    head = window.tab_to("#attention-grid")
    for key in ("ArrowRight", "ArrowDown", "ArrowRight", "Enter"):
        head.press(key)
    expect(page.locator("#attention-name")).not_to_have_text(before)

    window.tab_to("#shell-nav-trajectory", back=True).press("Enter")
    expect(page.locator("#trajectory-grid td").first).to_be_visible()
    window.tab_to("#trajectory-tab-lens").press("ArrowRight")
    expect(page.locator("#trajectory-curves .main-svg").first).to_be_visible()
    expect(page.locator("#trajectory-tab-curves")).to_be_focused()
    page.keyboard.press("Home")
    expect(page.locator("#trajectory-panel-lens")).to_be_visible()
    cell = window.tab_to("#trajectory-grid td")
    said = page.locator("#trajectory-cell").inner_text()
    cell.press("ArrowLeft")
    expect(page.locator("#trajectory-cell")).not_to_have_text(said)
    page.keyboard.press("Enter")
    expect(page.locator("#trajectory-position")).to_have_value("12")

    window.tab_to("#shell-nav-attribution", back=True).press("Enter")
    expect(page.locator("#attribution-text-0 .tok").first).to_be_visible()


def test_a_link_restores_the_whole_view(window: Any) -> None:
    view = {"model": "bundled/names", "text": "When Alice and Tom went to the park, Tom gave a ring to"}
    view |= {"target": "Alice|Tom", "tab": "curves", "position": "8", "colour": "kl", "tokens": ["Emma"]}
    page = window.open("/trajectory", **view)
    expect(page.locator("#trajectory-curves .main-svg").first).to_be_visible(timeout=FIRST)
    for _ in range(2):  # as given, and as the page itself writes it
        expect(page.locator("#trajectory-curves .legend")).to_have_count(2)
        expect(page.locator("#trajectory-curves .legend").first).to_have_text("AliceTomEmma")
        expect(page.locator("#trajectory-text")).to_have_value(view["text"])
        expect(page.locator("#trajectory-target")).to_have_value("Alice")
        expect(page.locator("#trajectory-versus")).to_have_value("Tom")
        expect(page.locator("#trajectory-position")).to_have_value("8")
        expect(page.locator("#trajectory-colour input[value=kl]")).to_be_checked()
        expect(page.locator("#trajectory-followed")).to_contain_text("Emma")
        expect(page).to_have_url(re.compile(r"tokens="))
        page.reload()


def test_clicking_a_cell_follows_its_word_from_its_place(window: Any) -> None:
    page = window.open("/trajectory", model="bundled/names")
    cell = page.locator("#trajectory-grid td[data-row='0'][data-column='9']")
    expect(cell).to_be_visible(timeout=FIRST)
    word = cell.inner_text()
    cell.click()
    expect(page.locator("#trajectory-position")).to_have_value("9")
    page.locator("#trajectory-tab-curves").click()
    expect(page.locator("#trajectory-followed")).to_contain_text(word)
    expect(page.locator("#trajectory-curves .legend").first).to_contain_text(word)
    page.get_by_role("button", name="Stop following").click()
    expect(page.locator("#trajectory-followed")).to_be_empty()


def test_models_without_words_or_states_say_why(window: Any) -> None:
    page = window.open("/trajectory", model="bundled/triage")
    expect(page.locator("#trajectory-path .main-svg").first).to_be_visible(timeout=FIRST)
    page.locator("#trajectory-tab-lens").click()
    expect(page.locator("#trajectory-why-lens")).to_contain_text("earlier layers cannot be read as answers")
    page = window.open("/trajectory", model="bundled/radiograph")
    expect(page.locator("#trajectory-summary")).to_contain_text("no residual stream")
    expect(page.locator("#trajectory-views")).to_be_hidden()


def test_a_long_job_shows_progress_and_is_cancelled(window: Any) -> None:
    long = {"shapley_sampling": {"orders": 1000}}
    page = window.open("/attribution", model="bundled/triage", methods="shapley_sampling", options=long)
    expect(page.locator("#attribution-run-cancel")).to_be_visible(timeout=FIRST)
    page.locator("#attribution-run-cancel").click()
    expect(page.locator("#attribution-run-box")).to_be_hidden()
    expect(page.get_by_text("Cancelled").first).to_be_visible()
    page = window.open("/trajectory", model="bundled/names")  # the worker is free for others
    expect(page.locator("#trajectory-grid td").first).to_be_visible()


def test_dark_is_kept_and_pictures_follow(window: Any) -> None:
    page = window.open("/trajectory", model="bundled/names", tab="curves")
    graph = page.locator("#trajectory-curves .js-plotly-plot").first
    expect(graph.locator(".main-svg").first).to_be_visible(timeout=FIRST)
    paper = "g => g._fullLayout.paper_bgcolor"
    was = page.locator("html").get_attribute("data-bs-theme")
    light = graph.evaluate(paper)
    page.locator("#shell-theme-button").click()
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark" if was == "light" else "light")
    page.wait_for_function(
        "was => { const g = document.querySelector('#trajectory-curves .js-plotly-plot');"
        " return g && g._fullLayout && g._fullLayout.paper_bgcolor !== was; }",
        arg=light,
    )
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark" if was == "light" else "light")
    page.locator("#shell-theme-button").click()
    expect(page.locator("html")).to_have_attribute("data-bs-theme", was)
