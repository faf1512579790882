"""What stands on a first screen: the answer, the picture and whether to believe it, before methods and options."""

from __future__ import annotations

from typing import Any

import pytest

from tests.browser.conftest import FIRST, Visit

BADGE = "#attribution-card-0 .receipt-badge"
PICTURES = {
    "/attribution?model=bundled/triage": ("#attribution-text-0 > *", BADGE),
    "/attribution?model=bundled/radiograph": ("#attribution-heat-0 canvas", BADGE),
    "/attention?model=bundled/triage": ("#attention-grid", "#attention-grid"),
    "/trajectory?model=bundled/names": ("#trajectory-grid table", "#trajectory-summary"),
}
TOP = """(selector) => Math.min(1e9, ...[...document.querySelectorAll(selector)]
  .map((element) => element.getBoundingClientRect()).filter((box) => box.height > 4).map((box) => box.top))"""


@pytest.fixture
def screens(browser: Any, site: str) -> Any:
    """Watched windows of two sizes."""
    made = []
    for width in (1440, 900):
        context = browser.new_context(viewport={"width": width, "height": 900})
        made.append(Visit(context, site))
    yield made
    for visit in made:
        visit.context.close()
        assert visit.trouble == []


@pytest.mark.parametrize("link", PICTURES)
def test_answer_picture_and_verdict_are_in_sight(screens: list[Visit], link: str) -> None:
    picture, verdict = PICTURES[link]
    for visit in screens:
        visit.open(link)
        for part in (picture, verdict):
            visit.page.wait_for_selector(part, timeout=FIRST)
        visit.page.wait_for_timeout(500)
        tops = {part: visit.page.evaluate(TOP, part) for part in (".answers", picture, verdict)}
        assert {part: top for part, top in tops.items() if top > 880} == {}, visit.page.viewport_size
        assert tops[picture] < 700
        assert visit.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_few_steps_of_tab_lead_to_the_picture(screens: list[Visit]) -> None:
    visit = screens[0]
    page = visit.open("/attribution", model="bundled/triage")
    page.wait_for_selector("#attribution-answers .answer", timeout=FIRST)
    visit.tab_to("[href='#attribution-main']", most=14)
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "attribution-main"
