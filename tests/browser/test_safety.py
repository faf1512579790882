"""Nothing leaves the machine, and what a person types is never obeyed. Every other test here watches both, too."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import expect

from tests.browser.conftest import FIRST

MARKUP = '<img src="x" onerror="window.obeyed = 1"><script>window.obeyed = 1</script><b>bold</b> $x$ [a](http://b)'


def test_a_prompt_with_markup_stays_text(window: Any) -> None:
    page = window.open("/attention", model="bundled/triage", text=MARKUP)
    expect(page.locator("#attention-map .main-svg").first).to_be_visible(timeout=FIRST)
    expect(page.locator("#attention-text")).to_have_value(MARKUP)
    _unharmed(page)
    page.locator("#shell-nav-attribution").click()
    expect(page.locator("#attribution-text-0 .tok").first).to_be_visible()
    assert "onerror" in page.locator("#attribution-text-0").inner_text()
    _unharmed(page)
    page.locator("#shell-nav-trajectory").click()
    expect(page.locator("#trajectory-path .main-svg").first).to_be_visible()
    _unharmed(page)


def _unharmed(page: Any) -> None:
    assert page.evaluate("window.obeyed") is None
    assert page.locator("img[src='x'], #shell-content b:text-is('bold'), a[href='http://b']").count() == 0


def test_a_link_with_markup_in_every_parameter_is_text_too(window: Any) -> None:
    names = (
        "model",
        "target",
        "sequence",
        "tab",
        "position",
        "colour",
        "tokens",
        "methods",
        "options",
        "mask",
        "by",
        "layer",
    )
    for path in ("/", "/attention", "/attribution", "/trajectory"):
        page = window.open(path, **dict.fromkeys(names, MARKUP))
        expect(page.locator("h1")).to_be_visible()
        page.wait_for_timeout(300)
        _unharmed(page)


def test_plotly_offers_to_send_nothing(window: Any) -> None:
    page = window.open("/trajectory", model="bundled/names", tab="curves")
    expect(page.locator("#trajectory-curves .modebar-btn").first).to_be_attached(timeout=FIRST)
    titles = [str(b.get_attribute("data-title")) for b in page.locator(".modebar-btn").all()]
    assert any("png" in title.lower() for title in titles)
    assert not [title for title in titles if "share" in title.lower() or "cloud" in title.lower()]
    html = page.content().lower()
    assert "share chart" not in html
    assert "chart-studio" not in html
    assert "plot.ly" not in html


def test_pages_come_with_a_strict_policy(window: Any) -> None:
    answer = window.context.request.get(window.site + "/trajectory")
    policy = {part.split()[0]: part.split()[1:] for part in answer.headers["content-security-policy"].split("; ")}
    assert policy["default-src"] == ["'self'"]
    assert "'unsafe-inline'" not in policy["script-src"]
    assert "'unsafe-eval'" not in policy["script-src"]
    assert policy["frame-ancestors"] == ["'none'"]
    assert answer.headers["x-content-type-options"] == "nosniff"
