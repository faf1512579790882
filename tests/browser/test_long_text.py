"""A text of more than a thousand tokens on the attention page: tiles, zoom and pan, a row, and a link that restores."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from playwright.sync_api import expect

from tests import conftest
from tests.browser.conftest import FIRST

TOKENS = 1200
CANVAS = "#attention-large canvas.heat-canvas"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Llama of two layers that reads 1280 tokens."""
    import transformers as t

    words = conftest.tokenizer(framed=False)
    words.model_max_length = 1280
    config = t.LlamaConfig(
        vocab_size=len(words), hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=1280, initializer_range=0.3,
    )  # fmt: skip
    return conftest.save(tmp_path_factory.mktemp("models") / "long", t.LlamaForCausalLM, config, words)


def text() -> str:
    draw = np.random.default_rng(0)
    return " ".join(draw.choice(conftest.WORDS[:20], TOKENS))


def looked(page: Any) -> str:
    """The window as the map says it."""
    return page.locator("#attention-large").get_attribute("data-window") or ""


def settled(page: Any) -> None:
    """Every tile in view has come."""
    page.wait_for_function(
        "() => { const heat = document.getElementById('attention-large')._heat;"
        " return heat && heat.base && heat.wanted().every((t) => (heat.tiles.get(t.name) || {}).map); }"
    )


def test_zoom_pan_a_row_and_a_link(window: Any, folder: Path) -> None:
    page = window.open("/attention", model=str(folder))
    page.locator("#attention-text").fill(text(), timeout=FIRST)
    page.locator("#attention-apply").click()
    expect(page.locator("#attention-help")).to_contain_text(f"from 256 of {TOKENS} rows", timeout=FIRST)
    canvas = page.locator(CANVAS)
    expect(canvas).to_be_visible(timeout=FIRST)
    expect(page.locator("#attention-large")).to_have_attribute("data-window", f"all {TOKENS} × {TOKENS} tokens")
    expect(page.locator("#attention-row-words")).to_contain_text(re.compile(r"“\S+” \(1199\) looks at: "))

    canvas.focus()
    for _ in range(9):
        page.keyboard.press("+")
    expect(page.locator("#attention-large")).to_have_attribute("data-window", re.compile(r"rows \d+–\d+ of 1200"))
    for key in ("Shift+ArrowUp", "Shift+ArrowLeft", "Shift+ArrowLeft", "Shift+ArrowLeft", "Shift+ArrowLeft"):
        page.keyboard.press(key)
    settled(page)
    assert page.evaluate("document.getElementById('attention-large')._heat.tiles.size") > 0
    before = looked(page)
    box = canvas.bounding_box()
    page.mouse.move(box["x"] + 300, box["y"] + 200)
    page.mouse.down()
    page.mouse.move(box["x"] + 380, box["y"] + 260, steps=4)
    page.mouse.up()
    assert looked(page) != before
    page.mouse.wheel(0, -240)
    settled(page)
    page.mouse.move(box["x"] + 260, box["y"] + 230)
    expect(page.locator("#attention-large .heat-tip")).to_contain_text(re.compile(r"query .*\d\) ?.*probability"))
    expect(page.locator("#attention-large .heat-tip")).not_to_contain_text("≈")  # exact, once it was asked for

    page.mouse.click(box["x"] + 260, box["y"] + 230)
    expect(page.locator("#attention-row-token")).not_to_have_value("1199")
    page.locator("#attention-row-token").fill("7")
    page.keyboard.press("Enter")
    expect(page.locator("#attention-row-words")).to_contain_text(re.compile(r"“\S+” \(7\) looks at: "))

    expect(page).to_have_url(re.compile(r"rows=\d+-\d+"))
    page.wait_for_timeout(600)
    link = parse_qs(urlsplit(page.url).query)
    first, end = map(int, link["rows"][0].split("-"))
    page.reload()
    expect(page.locator("#attention-large")).to_have_attribute(
        "data-window", re.compile(rf"rows {first}–({end - 1}|{end}) of"), timeout=FIRST
    )
    expect(page.locator("#attention-row-token")).to_have_value("7")
    page.locator(CANVAS).dblclick(position={"x": 300, "y": 200})
    expect(page.locator("#attention-large")).to_have_attribute("data-window", f"all {TOKENS} × {TOKENS} tokens")
    page.locator("#attention-mean").click()
    expect(page.locator("#attention-name")).to_contain_text("mean over its heads")
