"""Somebody's own files, named by one setting: each method, a figure and a page, seen where it belongs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.browser.conftest import FIRST, ROOT, Visit, serve

CASES = {
    "sink_share": ("/attention", "Attention sinks", {"model": "bundled/names"}),
    "state_step": ("/trajectory", "Step of each layer", {"model": "bundled/names"}),
    "layer_skip": ("/causal", "Skipping a layer", {"model": "bundled/names"}),
    "word_spread": (
        "/diffusion", "Spread of each word",
        {"model": "bundled/scenes", "prompt": "a red circle above a blue square", "steps": "4",
         "other_options": {"steps": 4}},
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def extended(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Vitrine that finds the examples of the docs beside its own files."""
    with serve(tmp_path_factory.mktemp("extended"), VITRINE_PLUGINS=str(ROOT / "docs" / "examples")) as address:
        yield address


@pytest.fixture
def visit(profile: Any, extended: str) -> Iterator[Visit]:
    made = Visit(profile, extended)
    yield made
    made.page.close()
    assert made.left == []
    assert made.trouble == []


@pytest.mark.parametrize(
    "method", ["sink_share", *(pytest.param(name, marks=pytest.mark.slow) for name in CASES if name != "sink_share")]
)
def test_a_fresh_method_is_run_drawn_and_linked(visit: Visit, method: str) -> None:
    from playwright.sync_api import expect

    path, title, view = CASES[method]
    page = visit.open(path, other=method, **view)
    panel = page.locator(f"#{path[1:]}-others")
    expect(panel.locator(".main-svg").first).to_be_visible(timeout=FIRST)
    expect(panel).to_contain_text(title)
    assert panel.locator("select").first.input_value() == method
    page.wait_for_function("name => location.search.includes(`other=${name}`)", arg=method)


def test_a_person_chooses_it_sets_it_and_runs_it(visit: Visit) -> None:
    from playwright.sync_api import expect

    page = visit.open("/causal", model="bundled/names")
    panel = page.locator("#causal-others")
    expect(panel).to_be_visible(timeout=FIRST)
    panel.get_by_label("metric").select_option("probability")
    page.locator("#causal-grid-scale[data-drawn=whole]").wait_for(timeout=FIRST)
    panel.get_by_role("button", name="Run").click()
    expect(panel.locator(".xtitle").first).to_have_text("effect (probability)", timeout=FIRST)  # the fresh figure's
    expect(panel).to_contain_text("matters most")
    page.wait_for_function("location.search.includes('other=layer_skip')")
    page.reload()
    expect(panel.locator(".xtitle").first).to_have_text("effect (probability)", timeout=FIRST)


def test_a_fresh_attribution_stands_among_the_others(visit: Visit) -> None:
    from playwright.sync_api import expect

    page = visit.open("/attribution", model="bundled/triage", methods="gradient_norm")
    expect(page.locator("#attribution-title-0")).to_have_text("Gradient norm", timeout=FIRST)
    expect(page.locator("#attribution-text-0 span").first).to_be_visible(timeout=FIRST)


def test_a_fresh_page_is_in_the_navigation(visit: Visit) -> None:
    from playwright.sync_api import expect

    page = visit.open("/")
    page.get_by_role("link", name="Figures").click()
    expect(page.locator("h1")).to_have_text("How good are the bundled models?")
    expect(page.locator("#figures-table tbody tr").first).to_be_visible()
