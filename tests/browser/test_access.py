"""Everybody can use every page: axe-core finds nothing serious or critical, in light and in dark."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import FIRST

AXE = Path(__file__).parent / "vendor" / "axe.min.js"
PAGES = {
    "gallery": ("/", {}, ".gallery-card"),
    "attention": ("/attention", {"model": "bundled/names"}, "#attention-map .main-svg"),
    "attention of a picture": ("/attention", {"model": "bundled/radiograph-vit"}, "#attention-grid"),
    "attribution of a text": ("/attribution", {"model": "bundled/triage"}, "#attribution-text-0 .tok"),
    "attribution of a picture": ("/attribution", {"model": "bundled/radiograph"}, "#attribution-area-0 canvas"),
    "words by layer": ("/trajectory", {"model": "bundled/names"}, "#trajectory-grid td"),
    "curves": ("/trajectory", {"model": "bundled/names", "tab": "curves"}, "#trajectory-curves .main-svg"),
    "path": ("/trajectory", {"model": "bundled/triage", "tab": "path"}, "#trajectory-path .main-svg"),
    "interventions on a text": ("/causal", {"model": "bundled/names"}, "#causal-grid-scale[data-drawn=whole]"),
    "interventions on a picture": (
        "/causal",
        {"model": "bundled/radiograph-vit", "tab": "try"},
        "#causal-switch .effect",
    ),
    "a circuit": ("/causal", {"model": "bundled/names", "tab": "circuit"}, "#causal-graph .main-svg"),
    "evidence of a text": ("/evidence", {"model": "bundled/triage"}, "#evidence-agreement-shown .main-svg"),
    "evidence of a picture": ("/evidence", {"model": "bundled/radiograph"}, "#evidence-agreement-shown .main-svg"),
    "parts of a picture": (
        "/evidence",
        {"model": "bundled/radiograph-shortcut", "tab": "parts"},
        "#evidence-effects-area .main-svg",
    ),
    "a network that knows nothing": (
        "/evidence",
        {"model": "bundled/triage", "tab": "blind"},
        "#evidence-random-receipt .receipt",
    ),
    "data of texts": ("/data", {"model": "bundled/triage"}, "#data-confusion .main-svg"),
    "data of pictures": ("/data", {"model": "bundled/radiograph"}, "#data-grid .ag-row"),
    "no such page": ("/nowhere", {}, "h1"),
}


def findings(page: Any, *rules: str) -> list[str]:
    """What axe-core calls serious or critical, by `rules` (none named: all): the rule, how often, the first place."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE.read_text() + ";0")
    asked = {"resultTypes": ["violations"]} | ({"runOnly": list(rules)} if rules else {})
    found = page.evaluate("asked => axe.run(document, asked)", asked)["violations"]
    return [_told(v, v["nodes"][0]) for v in found if v["impact"] in ("serious", "critical")]


def _told(finding: Any, first: Any) -> str:
    where = f"{first['html'][:300]} ({first['failureSummary'][:200]})"
    return f"{finding['impact']}: {finding['id']} × {len(finding['nodes'])}: {where}"


LONG = {"evidence of a picture", "parts of a picture"}
"""Pages that compute for a minute before they are whole."""


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow) if n in LONG else n for n in PAGES])
def test_axe_finds_nothing_serious(window: Any, name: str) -> None:
    path, query, ready = PAGES[name]
    page = window.open(path, **query)
    expect(page.locator(ready).first).to_be_visible(timeout=FIRST)
    page.wait_for_timeout(400)
    assert findings(page) == []
    page.locator("#shell-theme-button").click()
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")
    page.wait_for_timeout(400)
    assert findings(page, "color-contrast") == []  # nothing else depends on the theme
    page.locator("#shell-theme-button").click()
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "light")


def test_axe_would_find_something(window: Any) -> None:
    page = window.open("/nowhere")
    expect(page.locator("h1")).to_be_visible()
    page.evaluate("document.querySelector('main').insertAdjacentHTML('beforeend', '<img src=\"/assets/none.png\">')")
    assert any("image-alt" in finding for finding in findings(page))
    window.trouble.clear()  # the picture is not there


def test_zoomed_in_nothing_is_cut_off(window: Any) -> None:
    window.page.set_viewport_size({"width": 480, "height": 800})
    for path in ("/", "/attention", "/attribution", "/trajectory", "/causal", "/evidence", "/data"):
        page = window.open(path)
        expect(page.locator("h1")).to_be_visible()
        page.wait_for_timeout(500)
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= 480, f"{path} is {wide} pixels wide in a window of 480"
