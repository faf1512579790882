"""Bad input gets a sentence that helps, and nothing that was typed is lost."""

from __future__ import annotations

import re
import struct
import zlib
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import FIRST


def png(width: int, height: int) -> bytes:
    """A PNG that claims to be this large and holds next to nothing."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        whole = kind + content
        return struct.pack(">I", len(content)) + whole + struct.pack(">I", zlib.crc32(whole))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 64)) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("letter.txt", b"Dear reader", "is not an image Vitrine reads"),
        ("letter.png", b"Dear reader", "image"),
        ("bomb.png", png(40_000, 40_000), "pixels"),
        ("empty.png", b"", "is empty"),
    ],
    ids=("another kind", "a wrong name", "a pixel bomb", "nothing in it"),
)
def test_an_upload_that_is_no_image(window: Any, name: str, content: bytes, words: str) -> None:
    page = window.open("/attribution", model="bundled/radiograph")
    expect(page.locator("#attribution-picture img")).to_be_visible(timeout=FIRST)
    before = page.locator("#attribution-picture img").get_attribute("src")
    page.locator("#attribution-upload input[type=file]").set_input_files(
        {"name": name, "mimeType": "image/png", "buffer": content}
    )
    expect(page.locator("#attribution-problem")).to_contain_text(words)
    assert page.locator("#attribution-picture img").get_attribute("src") == before


def test_an_empty_text_and_one_that_is_too_long(window: Any) -> None:
    page = window.open("/trajectory", model="bundled/names")
    expect(page.locator("#trajectory-grid td").first).to_be_visible(timeout=FIRST)
    page.locator("#trajectory-text").fill("   ")
    page.locator("#trajectory-apply").click()
    expect(page.locator("#trajectory-problem")).to_contain_text("the text is empty")
    expect(page.locator("#trajectory-grid td").first).to_be_visible()
    page.locator("#trajectory-text").fill("Mary " * 200)
    page.locator("#trajectory-apply").click()
    expect(page.get_by_text(re.compile("the text has 200 tokens.*reads at most 128")).first).to_be_visible()
    assert page.locator("#trajectory-text").input_value() == "Mary " * 200


def test_models_that_cannot_be_opened(window: Any, tmp_path: Path) -> None:
    (tmp_path / "pickled").mkdir()
    (tmp_path / "pickled" / "config.json").write_text("{}")
    (tmp_path / "pickled" / "pytorch_model.bin").write_bytes(b"")
    page = window.open("/")
    name, button = page.locator("#gallery-name"), page.locator("#gallery-go")
    said = page.locator("section:has(#gallery-name)")
    for asked, words in (
        ("nobody/has-this-model", "the hub cannot be reached|no public model"),
        ("/no/such/folder", "does not exist; give the folder that holds config.json"),
        (str(tmp_path / "pickled"), "a format that can run code when opened"),
        ("bundled/nothing", "no bundled model 'bundled/nothing'; there are: bundled/"),
        ("not a name!", "is neither a folder here nor a hub id"),
    ):
        name.fill(asked)
        button.click()
        expect(said).to_contain_text(re.compile(words), timeout=FIRST)
        expect(name).to_have_value(asked)


@pytest.mark.parametrize("path", ["/attention", "/attribution", "/trajectory"])
def test_a_link_with_nonsense(window: Any, path: str) -> None:
    nonsense = {"model": "bundled/nothing", "input": "zz", "target": "|", "tab": "9", "position": "-4", "tokens": "{"}
    page = window.open(path, **nonsense, methods="none,of,these", options="[", layer="x", head="y", token="z")
    expect(page.get_by_text("no bundled model 'bundled/nothing'").first).to_be_visible(timeout=FIRST)
    expect(page.locator("h1")).to_be_visible()


def test_a_link_whose_input_or_target_is_gone(window: Any) -> None:
    page = window.open("/trajectory", model="bundled/names", input="0" * 64)
    expect(page.locator("#trajectory-problem")).to_contain_text("is not kept on this machine", timeout=FIRST)
    page = window.open("/attribution", model="bundled/triage", target="purple")
    expect(page.get_by_text("has no class 'purple'; its classes are").first).to_be_visible()
    page = window.open("/trajectory", model="bundled/names", target="xylophone")
    expect(page.locator("#trajectory-lens-alert")).to_contain_text("has no token for 'xylophone'")


def test_addresses_that_lead_nowhere(window: Any) -> None:
    page = window.open("/no/such/page")
    expect(page.locator("h1")).to_have_text("There is no such page")
    for address, words in (
        ("/results/nonsense/csv", "there is no such result"),
        (f"/results/{'0' * 64}/csv", "no longer kept here"),
        (f"/maps/{'0' * 64}/pattern", "no longer kept here"),
        ("/examples/names/99", "no example 99"),
    ):
        answer = window.context.request.get(window.site + address)
        assert 400 <= answer.status < 500, address
        assert words in answer.text()
        assert "Traceback" not in answer.text()
