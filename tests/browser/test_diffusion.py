"""A picture is drawn from words, and each word is laid over the place where it landed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from backends import catalog
from tests.browser.conftest import FIRST, SIZE, Visit
from tests.browser.test_access import findings

PROMPT = "a red circle above a blue square"
DRAWN = "#diffusion-stage[data-drawn]"


@pytest.fixture(scope="session")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A pipeline that draws: the shipped one where it is there, else a tiny one of chance."""
    if any(card["name"] == "bundled/scenes" for card in catalog.bundled()):
        return "bundled/scenes"
    from tests.backends import pipelines

    folder: Path = tmp_path_factory.mktemp("pipeline")
    pipelines.sd(longest=77).save_pretrained(folder)
    return str(folder)


def opened(window: Visit, pipeline: str, seed: int, steps: int) -> Any:
    """The page with the pipeline open, and a drawing asked for."""
    page = window.open("/diffusion", model=pipeline)
    expect(page.locator("#diffusion-examples button").first).to_be_visible(timeout=FIRST)
    expect(page.locator("#diffusion-text")).to_have_value(PROMPT)
    asked(page, seed, steps)
    return page


def asked(page: Any, seed: int, steps: int) -> None:
    page.locator("#diffusion-seed").fill(str(seed))
    page.locator("#diffusion-steps").fill(str(steps))
    page.locator("#diffusion-apply").click()


def pixels(page: Any) -> list[int]:
    """Some pixels of the picture on the stage."""
    return page.evaluate(
        """() => { const c = document.querySelector('#diffusion-stage canvas');
        return [...c.getContext('2d').getImageData(0, 0, c.width, c.height).data].filter((_, i) => i % 997 === 0); }"""
    )


def test_a_picture_forms_and_its_words_lie_over_it(window: Any, pipeline: str) -> None:
    page = opened(window, pipeline, 11, 200)  # long enough to be seen forming
    preview = page.locator(".forming img").first
    expect(preview).to_be_visible(timeout=FIRST)
    expect(page.locator(".forming figcaption").first).to_contain_text("of 200")
    expect(page.locator(DRAWN)).to_be_visible(timeout=FIRST)
    expect(preview).to_have_count(0)

    asks: list[str] = []
    page.on("request", lambda request: asks.append(request.url))
    plain = pixels(page)
    page.locator("[data-word=circle]").first.hover()
    expect(page.locator("#diffusion-stage[data-shown=circle]")).to_be_visible()
    over = pixels(page)
    assert over != plain
    page.locator("[data-word=circle]").first.click()
    page.locator("[data-word=square]").first.click()
    expect(page.locator("[data-word=square]").first).to_have_attribute("aria-pressed", "true")
    page.locator("#diffusion-show").select_option("mask")
    page.locator("#diffusion-opacity").fill("0.5")
    page.locator("h1").hover()
    expect(page.locator(".stage-legend")).to_contain_text("above 40 %")
    assert not [url for url in asks if "/maps/" in url]  # all of that needed nothing from the server but its tables
    masked = pixels(page)
    page.locator("#diffusion-threshold").fill("0.9")
    expect(page.locator(".stage-legend")).to_contain_text("above 90 %")
    assert pixels(page) != masked
    expect(page.locator("#diffusion-rule-words")).to_contain_text("above 90%")


def test_parts_of_the_drawing_and_the_link_that_restores_them(window: Any, pipeline: str) -> None:
    page = window.open("/diffusion", model=pipeline, prompt=PROMPT, seed="11", steps="12", words="circle", show="mask")
    expect(page.locator(DRAWN)).to_be_visible(timeout=FIRST)
    expect(page.locator("#diffusion-stage[data-shown=circle]")).to_be_visible()
    page.locator("[data-word=square]").first.click()
    page.locator("#diffusion-part").select_option("steps")
    page.locator("#diffusion-last").fill("3")
    expect(page.locator("#diffusion-stage .heat-note")).to_contain_text("as it was after step 3")
    page.wait_for_url("**words=circle%2Csquare**")
    page.wait_for_url("**last=3**")

    page.locator("#diffusion-tab-step").click()
    expect(page.locator("#diffusion-by-step-a canvas").first).to_be_visible()
    page.locator("#diffusion-tab-layer").click()
    page.locator("#diffusion-by-layer-a canvas").first.click(position={"x": 120, "y": 60})
    expect(page.locator("#diffusion-part")).to_have_value("layer")
    expect(page.locator("#diffusion-stage .stage-legend")).not_to_contain_text("square")
    page.locator("#diffusion-part").select_option("steps")
    page.locator("[data-word=square]").first.click()
    page.locator("#diffusion-tab-overlap").click()
    expect(page.locator("#diffusion-overlap-table td.pair").first).to_be_visible()
    expect(page.locator("#diffusion-pair-table")).to_contain_text("red → circle")
    assert findings(page) == []
    page.locator("#shell-theme-button").click()
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")
    page.wait_for_timeout(300)
    assert findings(page, "color-contrast") == []
    page.locator("#shell-theme-button").click()

    page.reload()
    expect(page.locator(DRAWN)).to_be_visible()
    expect(page.locator("[data-word=square]").first).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#diffusion-show")).to_have_value("mask")
    expect(page.locator("#diffusion-stage .heat-note")).to_contain_text("as it was after step 3")


def test_a_drawing_is_cancelled_in_the_middle(window: Any, pipeline: str) -> None:
    page = opened(window, pipeline, 12, 500)
    expect(page.locator(".forming img").first).to_be_visible(timeout=FIRST)
    page.locator("#diffusion-run-cancel").click()
    expect(page.locator("#diffusion-run-alert")).to_contain_text("Cancelled")
    expect(page.locator(".forming img")).to_have_count(0)


def test_what_cannot_be_drawn_is_said(window: Any, pipeline: str) -> None:
    page = opened(window, pipeline, 11, 12)
    expect(page.locator(DRAWN)).to_be_visible(timeout=FIRST)
    page.locator("#diffusion-text").fill("   ")
    page.locator("#diffusion-apply").click()
    expect(page.locator("#diffusion-problem")).to_contain_text("an empty prompt: write what the picture should show")
    page.locator("#diffusion-text").fill(PROMPT)
    page.locator("#diffusion-height").fill("65")
    page.locator("#diffusion-text").press("Control+Enter")
    expect(page.locator("#diffusion-run-alert")).to_contain_text("64 would work")
    page.set_viewport_size({"width": 480, "height": 800})
    page.wait_for_timeout(600)
    assert page.evaluate("document.documentElement.scrollWidth") <= 480
    page.locator("#diffusion-height").fill("")
    page.locator("#diffusion-text").fill(f"{PROMPT} " + "and a zebra " * 40)
    page.locator("#diffusion-steps").fill("2")
    page.locator("#diffusion-apply").click()
    expect(page.locator("#diffusion-notes")).to_contain_text("does not hear: ")
    expect(page.locator("#diffusion-problem")).to_have_text("")


def test_another_kind_of_model_is_told_what_this_page_takes(window: Any) -> None:
    page = window.open("/attention", model="bundled/names")
    page.locator("#shell-nav-diffusion").click()
    expect(page.locator("#diffusion-apply")).to_be_visible()
    expect(page.locator("#diffusion-about")).not_to_contain_text("draws no pictures")  # ours is passed over


@pytest.mark.slow
def test_two_browsers_get_their_own_pictures_and_cancel_their_own(browser: Any, site: str, pipeline: str) -> None:
    contexts = [browser.new_context(viewport=SIZE, color_scheme="light") for _ in range(2)]
    visits = [Visit(context, site) for context in contexts]
    pages = [opened(visit, pipeline, 21 + n, 20) for n, visit in enumerate(visits)]
    for n, page in enumerate(pages):
        expect(page.locator(DRAWN)).to_be_visible(timeout=FIRST)
        expect(page.locator("#diffusion-stage figcaption")).to_contain_text(f"seed {21 + n}")
    first, second = map(pixels, pages)
    assert first != second

    asked(pages[0], 31, 500)
    expect(pages[0].locator(".forming img").first).to_be_visible(timeout=FIRST)
    asked(pages[1], 32, 20)
    expect(pages[1].locator("#diffusion-run-words")).to_contain_text("before this one")
    pages[0].locator("#diffusion-run-cancel").click()
    expect(pages[0].locator("#diffusion-run-alert")).to_contain_text("Cancelled")
    expect(pages[1].locator("#diffusion-stage figcaption")).to_contain_text("seed 32", timeout=FIRST)
    expect(pages[0].locator("#diffusion-stage figcaption")).to_contain_text("seed 21")
    expect(pages[1].locator("#diffusion-run-alert")).to_have_text("")

    asked(pages[0], 41, 500)  # and the other way round: the one behind gives up, the one at work goes on
    expect(pages[0].locator(".forming img").first).to_be_visible(timeout=FIRST)
    asked(pages[1], 42, 20)
    expect(pages[1].locator("#diffusion-run-words")).to_contain_text("before this one")
    pages[1].locator("#diffusion-run-cancel").click()
    expect(pages[1].locator("#diffusion-run-alert")).to_contain_text("Cancelled")
    before = pages[0].locator(".forming figcaption").inner_text()
    expect(pages[0].locator(".forming figcaption")).not_to_have_text(before)
    pages[0].locator("#diffusion-run-cancel").click()
    expect(pages[0].locator("#diffusion-run-alert")).to_contain_text("Cancelled")
    for visit in visits:
        assert visit.trouble == []
        assert visit.left == []
        visit.context.close()
