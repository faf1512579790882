"""A page that comes whole: few requests, and the same page as Dash would make by asking for everything itself."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.browser.conftest import FIRST, Visit

LINKS = [
    "/attribution?model=bundled/triage",
    "/causal?model=bundled/names",
    "/trajectory?model=bundled/radiograph-vit&tab=norms",
    "/nowhere",
]
SHIFT = """window.shift = 0; new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shift += entry.value;
}).observe({ type: "layout-shift", buffered: true });"""


@pytest.fixture
def newcomer(browser: Any, site: str) -> Iterator[Visit]:
    """A watched window of a browser that was never here."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, color_scheme="light")
    made = Visit(context, site)
    yield made
    context.close()
    assert made.left == []
    assert made.trouble == []


def shown(visit: Visit, link: str) -> str:
    """What stands on the page once nothing more comes."""
    visit.open(link)
    visit.page.wait_for_selector("#shell-content :is(h1, h2)", timeout=FIRST)
    before, same = "", 0
    for _ in range(400):
        visit.page.wait_for_timeout(250)
        now = visit.page.inner_text("#shell-content")
        same = same + 1 if now == before and not visit.page.locator(".job:not(.d-none)").count() else 0
        before = now
        if same == 6:
            return re.sub(r"\d+ s\b", "", now)
    raise AssertionError(f"{link} does not come to rest")


def asked_by_dash(route: Any) -> None:
    """The page without what the server settled: Dash asks for layout and callbacks, and runs them all itself."""
    answer = route.fetch()
    route.fulfill(response=answer, body=answer.text().replace('id="first-view"', 'id="no-view"'))


@pytest.mark.parametrize("link", LINKS)
def test_it_is_the_page_that_dash_would_make(newcomer: Visit, link: str) -> None:
    shown(newcomer, link)  # computes what it shows
    settled = shown(newcomer, link)
    newcomer.page.route(
        "**/*", lambda route: asked_by_dash(route) if route.request.is_navigation_request() else route.continue_()
    )
    assert shown(newcomer, link) == settled
    assert len(settled) > 60


def test_a_cached_view_is_few_requests_and_moves_nothing(newcomer: Visit) -> None:
    link = "/attribution?model=bundled/triage"
    shown(newcomer, link)
    asked: list[str] = []
    newcomer.page.add_init_script(SHIFT)
    newcomer.page.on("request", lambda request: asked.append(request.url))
    newcomer.page.on("response", lambda response: asked.append(f"{response.status}"))
    shown(newcomer, link)
    assert [url for url in asked if "update-component" in url] == []
    assert len(asked) <= 20
    assert newcomer.page.evaluate("window.shift") <= 0.02


def test_a_text_that_was_never_given_is_answered(newcomer: Visit) -> None:
    page = newcomer.open("/attribution", model="bundled/triage", text="mild cough but no fever at all")
    page.wait_for_selector(".token-heat, [id$=-words-0], canvas", timeout=FIRST)
    assert page.input_value("#attribution-text") == "mild cough but no fever at all"
    assert page.locator("#attribution-answers .answer").count() == 3


def test_two_tabs_have_names_of_their_own(newcomer: Visit) -> None:
    names: set[str] = set()
    for _ in range(2):
        newcomer.page.goto("about:blank")  # the page before may be asking still
        with newcomer.page.expect_request(lambda request: '"shell-tab"' in (request.post_data or "")) as asked:
            newcomer.open("/attribution", model="bundled/triage", text=f"cough number {len(names)}")
        states = json.loads(asked.value.post_data or "{}")["state"]
        names |= {state["value"] for state in states if state["id"] == "shell-tab"}
    assert len(names) == 2
    assert all(re.fullmatch("[0-9a-f]{32}", name) for name in names)


def test_another_page_is_opened_whole(newcomer: Visit) -> None:
    page = newcomer.open("/attribution", model="bundled/triage")
    page.wait_for_selector("#attribution-answers .answer", timeout=FIRST)
    page.click("a.shell-link >> text=Attention")
    page.wait_for_selector("#attention-answers .answer", timeout=FIRST)
    assert "model=bundled%2Ftriage" in page.url
    assert page.title() == "Attention · Vitrine"
    page.go_back()
    page.wait_for_selector("#attribution-answers .answer")
    assert page.title() == "Attribution · Vitrine"


def test_pictures_are_drawn_for_a_dark_page(browser: Any, site: str) -> None:
    context = browser.new_context(color_scheme="dark")
    visit = Visit(context, site)
    for _ in range(2):  # the first time the server cannot know
        shown(visit, "/trajectory?model=bundled/triage&tab=norms")
        visit.page.wait_for_selector(".js-plotly-plot", timeout=FIRST)
        colour = visit.page.evaluate("document.querySelector('.js-plotly-plot')._fullLayout.font.color")
        assert sum(int(colour.lstrip("#")[i : i + 2], 16) for i in (0, 2, 4)) > 380, colour
    context.close()
    assert visit.trouble == []
