"""The front page in a real browser: a visitor hides the tag, and every link of the cards opens a page."""

from __future__ import annotations

import re
from typing import Any

from playwright.sync_api import expect

from tests.browser.conftest import FIRST, Visit

SAID = "#gallery-film-said"
WINNER = ".exhibit-film .exhibit-answer.won"


def test_a_visitor_hides_the_tag_by_keyboard_and_the_answer_flips(window: Any) -> None:
    page = window.open("/")
    expect(page.locator(WINNER)).to_contain_text("lesion", timeout=FIRST)
    box = page.locator(".exhibit-film").bounding_box()
    assert box["y"] + box["height"] <= 900
    window.tab_to("#gallery-film-tag", most=15).press("Enter")
    expect(page.locator(WINNER)).to_contain_text("no finding")
    said = r"Without the tag, the network says no finding \(9\d\.\d %\), no longer lesion: it had read the tag\."
    expect(page.locator(SAID)).to_have_text(re.compile(said))
    expect(page.locator("#gallery-film-tag")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("Enter")
    expect(page.locator(WINNER)).to_contain_text("lesion")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator(SAID)).to_contain_text("it does not need the nodule")
    page.locator("#gallery-film-tag-spot").click()  # the same by a click on the film
    expect(page.locator(".film-part.hidden-part")).to_have_count(2)
    page.locator("#gallery-film-lesion").click()
    expect(page.locator(SAID)).to_contain_text("it had read the tag")

    page.locator("#gallery-sentence-s2").click()
    expect(page.locator(".sentence-end")).to_have_text("John", timeout=FIRST)
    expect(page.locator("#gallery-sentence-said")).to_contain_text("it had read who gives")
    page.locator(".drawing-word", has_text="circle").click()
    expect(page.locator("#gallery-drawing-said")).to_contain_text("“circle” went to the red circle", timeout=FIRST)

    page.locator("#gallery-film-further").click()  # what was hidden stays hidden on the next page
    expect(page.locator("#attribution-touch-said")).to_contain_text("a region hidden: the answer flips", timeout=FIRST)


def test_the_front_page_is_light_and_its_pictures_small(window: Any) -> None:
    sizes: dict[str, int] = {}

    def note(answer: Any) -> None:
        if answer.request.resource_type == "image":
            sizes[answer.url] = len(answer.body())

    window.page.on("response", note)
    page = window.open("/")
    expect(page.locator(".gallery-picture img")).to_have_count(5)
    page.wait_for_function("() => [...document.images].every(image => image.complete && image.naturalWidth)")
    assert sum(sizes.values()) <= 150_000
    for width in (390, 900):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.set_viewport_size({"width": 1280, "height": 900})


def test_every_link_of_the_front_page_opens_a_page(window: Any) -> None:
    page = window.open("/")
    expect(page.locator(".gallery-card")).to_have_count(7)
    where = "a => [...a].map(a => a.getAttribute('href'))"
    cards = page.locator(".gallery-card a.door").evaluate_all(where)
    doors = page.locator(".front-doors a").evaluate_all(where)
    assert len(cards) > 30
    assert len(doors) == 8
    seen = set()
    for link in [*doors, *cards]:  # each page once with each kind of model
        kind = (link.partition("?")[0], re.sub(r"-.*", "", link.partition("model=bundled%2F")[2]))
        if kind in seen:
            continue
        seen.add(kind)
        page.goto(window.site + link)
        expect(page.locator("main h1")).to_be_visible()
        expect(page.locator("#shell-alert")).to_be_empty()
        expect(page.locator(".page-lost")).to_have_count(0)


def test_what_was_looked_at_is_listed_in_this_browser_alone(browser: Any, site: str) -> None:
    own, other = (Visit(browser.new_context(), site) for _ in range(2))
    page = own.open("/attribution", model="bundled/triage", text="severe chest pain <b>")
    page.wait_for_selector("#attribution-answers .answer", timeout=FIRST)
    for _ in range(100):
        if "severe" in (page.evaluate("localStorage.getItem('vitrine-recent')") or ""):
            break
        page.wait_for_timeout(200)
    page = own.open("/")
    page.wait_for_selector("#gallery-recent a")
    assert page.inner_text("#gallery-recent a") == "Attribution: severe chest pain <b>"
    page.click("#gallery-recent a")
    page.wait_for_selector("#attribution-answers .answer")
    assert page.input_value("#attribution-text") == "severe chest pain <b>"
    assert "Nothing yet" in other.open("/").inner_text("#gallery-recent:has(p)")
    page = own.open("/")
    page.click("text=Forget these")
    assert "Nothing yet" in page.inner_text("#gallery-recent")
    for visit in (own, other):
        visit.context.close()
        assert (visit.left, visit.trouble) == ([], [])
