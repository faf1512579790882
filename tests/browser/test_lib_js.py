"""assets/lib.js, function by function, in the browser session that is open anyway; nothing is served."""

from __future__ import annotations

import base64
import json
import re
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from viz.server import maps

ASSETS = Path(__file__).parents[2] / "assets"


@pytest.fixture(scope="module")
def page(browser: Any) -> Iterator[Any]:
    """An empty page with lib.js alone, whose errors fail the test."""
    found = browser.new_page()
    trouble: list[str] = []
    found.on("pageerror", lambda error: trouble.append(str(error)))
    found.set_content('<html data-bs-theme="light"><body><p id="outer"><b id="inner"></b></p></body></html>')
    found.add_script_tag(content=(ASSETS / "lib.js").read_text())
    yield found
    found.close()
    assert not trouble


def call(page: Any, code: str, given: Any = None) -> Any:
    """What an expression over `lib` and `given` comes to."""
    return page.evaluate(f"(given) => {{ const lib = window.vitrine.lib; return {code}; }}", given)


def test_scripts_take_from_it_only_what_it_has(page: Any) -> None:
    there = set(call(page, "Object.keys(lib)"))
    for script in ASSETS.glob("*.js"):
        text = script.read_text()
        for names in re.findall(r"const \{([^}]*)\} = (?:window\.)?vitrine\.lib;", text):
            taken = {part.split(":")[0].strip() for part in names.split(",")}
            assert taken <= there, f"{script.name} takes {taken - there}"
        assert set(re.findall(r"vitrine\.lib\.(\w+)", text)) <= there, script.name


def test_what_it_does_is_written_nowhere_else() -> None:
    for script in ASSETS.glob("*.js"):
        if script.name != "lib.js":
            for again in ("atob(", "btoa(", "getUint32(", "revokeObjectURL(link", "event.target.closest &&"):
                assert again not in script.read_text(), f"{script.name} has {again} of its own"


def test_bytes_and_base64(page: Any) -> None:
    raw = bytes(range(256))
    assert call(page, "Array.from(lib.bytes(given))", base64.b64encode(raw).decode()) == list(raw)
    assert call(page, "lib.base64(given)", "é → 漢字") == base64.b64encode("é → 漢字".encode()).decode()


@pytest.mark.parametrize(("kind", "dtype"), [("Uint8Array", "u1"), ("Float32Array", "<f4")])
def test_a_message_is_unpacked(page: Any, kind: str, dtype: str) -> None:
    values = np.arange(6, dtype=dtype)
    header = json.dumps({"shape": [2, 3], "rows": ["é", "b"]}, ensure_ascii=False).encode()
    header += b" " * (-(4 + len(header)) % 4)
    text = base64.b64encode(struct.pack("<I", len(header)) + header + values.tobytes()).decode()
    found = call(
        page, f"(({{header, codes}}) => [header, Array.from(codes)])(lib.unpack(lib.bytes(given).buffer, {kind}))", text
    )
    assert found == [{"shape": [2, 3], "rows": ["é", "b"]}, [0, 1, 2, 3, 4, 5]]


@pytest.mark.parametrize(("signed", "sqrt"), [(True, False), (False, False), (False, True)])
def test_codes_mean_what_the_server_meant(page: Any, signed: bool, sqrt: bool) -> None:
    values = np.linspace(-1 if signed else 0, 2, 256, dtype=np.float32).reshape(16, 16)
    codes, how = maps.quantise(values, signed, sqrt)
    text = base64.b64encode(maps.message(how, codes)).decode()
    code = "(({header, codes}) => { const m = lib.dequantise(header); return Array.from(codes, (c) => m[c]); })"
    back = np.array(call(page, f"{code}(lib.unpack(lib.bytes(given).buffer))", text)).reshape(16, 16)
    assert np.abs(back - values).max() <= 2.01 / 255 * np.abs(values).max()


def test_the_root_of_a_share_is_undone(page: Any) -> None:
    meant = call(page, "Array.from(lib.dequantise(given))", {"quantisation": "sqrt", "vmin": 1.0, "vmax": 3.0})
    assert meant == pytest.approx([1 + 2 * (code / 255) ** 2 for code in range(256)], rel=1e-6)


def test_elements_and_their_texts(page: Any) -> None:
    html = call(
        page,
        """(() => { const box = lib.make("div", "a b", null, { role: "group", "data-n": 3 });
           lib.makeText("i", "", "<b>1</b>", box); lib.make("span", "", box); return box.outerHTML; })()""",
    )
    assert html == '<div class="a b" role="group" data-n="3"><i>&lt;b&gt;1&lt;/b&gt;</i><span></span></div>'


def test_what_is_around_an_event(page: Any) -> None:
    found = """(() => { let seen = []; const look = (e) => seen.push([lib.around(e, "p")?.id, lib.around(e, "ul")]);
        document.addEventListener("ping", look);
        document.getElementById("inner").dispatchEvent(new Event("ping", { bubbles: true }));
        document.dispatchEvent(new Event("ping")); return seen; })()"""
    assert call(page, found) == [["outer", None], [None, None]]


def test_bounds_and_theme(page: Any) -> None:
    assert call(page, "[lib.clamp(5, 0, 3), lib.clamp(-1, 0, 3), lib.clamp(2, 0, 3)]") == [3, 0, 2]
    assert call(page, "lib.isDark()") is False
    page.evaluate("document.documentElement.setAttribute('data-bs-theme', 'dark')")
    assert call(page, "lib.isDark()") is True


def test_a_file_is_saved_under_its_name(page: Any) -> None:
    with page.expect_download() as coming:
        call(page, "lib.download(new Blob([given]), 'a map.txt')", "what it says")
    assert coming.value.suggested_filename == "a map.txt"
    assert Path(coming.value.path()).read_text() == "what it says"


def test_a_refusal_of_the_server_is_its_sentence(page: Any) -> None:
    page.route("**/there", lambda route: route.fulfill(status=404, body="there is no such map\n"))
    page.route("**/gone", lambda route: route.abort())
    ask = "lib.fetched(given).then(() => '', (error) => error.message)"
    assert call(page, ask, "http://vitrine.test/there") == "there is no such map"
    assert call(page, ask, "http://vitrine.test/gone") == "the map could not be fetched; is Vitrine still running?"
