"""A heat map of 1024 × 1024 from numbers to pixels: the canvas (assets/heat.js) beside plotly, one JSON line a case.

`python -m benchmarks.heatmap [size] [repeats]`. Both sides take turns in one window of a real browser. `prepare` is
what the server does (quantise and pack, or figure to JSON), `show` runs from the first byte in the browser to the frame
after the one that paints it, `recolour` changes the colour map of what is shown; `to_pixels` is prepare and show.
"""

from __future__ import annotations

import base64
import json
import shutil
import statistics
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from backends.results import Result
from viz import theme
from viz.server import maps

ASSETS = Path(__file__).parents[1] / "assets"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
PAGE = '<!doctype html><html data-bs-theme="light"><body><div id="canvas" class="heat"></div><div id="plotly"></div>'
BENCH = """
window.painted = () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done())));
window.blob = (text) => URL.createObjectURL(new Blob([Uint8Array.from(atob(text), (c) => c.charCodeAt(0))]));
window.bench = {
  canvas: {
    keep: (text, spec) => { window.spec = { ...spec, map: window.blob(text) }; },
    show: async () => {
      const { canvas } = await window.vitrine.heat.mount(document.getElementById("canvas"), window.spec);
      if (canvas.width < 500) throw new Error("nothing was drawn");
    },
    recolour: async () => {
      const choice = document.querySelector("#canvas select[name=colours]");
      choice.value = choice.value === "cividis" ? "viridis" : "cividis";
      for (const kind of ["input", "change"]) choice.dispatchEvent(new Event(kind, { bubbles: true }));
    },
    clear: () => window.vitrine.heat.mount(document.getElementById("canvas"), null),
  },
  plotly: {
    keep: (text) => { window.figure = window.blob(text); },
    show: async () => {
      const { data, layout } = await (await fetch(window.figure)).json();
      await Plotly.newPlot("plotly", data, layout);
    },
    recolour: async () => {
      window.turn = !window.turn;
      await Plotly.restyle("plotly", { colorscale: window.turn ? "Cividis" : "Viridis" });
    },
    clear: () => Plotly.purge("plotly"),
  },
};
window.timed = async (side, what) => {
  await window.painted();
  const start = performance.now();
  await window.bench[side][what]();
  await window.painted();
  return (performance.now() - start) / 1000;
};
"""


def result(size: int) -> Result:
    """A smooth random map with many small values, as attention has them."""
    rng = np.random.default_rng(0)
    values = rng.gamma(0.3, 1.0, (size, size)).astype(np.float32)
    return Result("attention", {"pattern": values}, {"pattern": ("query", "key")}, unit="probability")


def packed(made: Result) -> bytes:
    """What the canvas fetches."""
    size = max(made.arrays["pattern"].shape)
    return maps.pack(maps.cut(made, "pattern"), size=size, sqrt=True)


def plotted(made: Result) -> bytes:
    """What a dcc.Graph receives: the figure with its array as base64 of float32."""
    import plotly.graph_objects as go

    figure = go.Figure(go.Heatmap(z=made.arrays["pattern"], colorscale=theme.scale("viridis")))
    figure.update_layout(width=820, height=820, yaxis_autorange="reversed")
    return figure.to_json().encode()


SIDES: dict[str, Callable[[Result], bytes]] = {"canvas": packed, "plotly": plotted}
SPEC = {"label": "A map", "quantity": "weight", "height": 820, "controls": ["colours"]}


def window(playwright: Any) -> Any:
    """A browser window with both ways to draw loaded."""
    from plotly.offline import get_plotlyjs

    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if path is None:
        sys.exit("this benchmark needs Chromium; on Debian: apt-get install chromium")
    page = playwright.chromium.launch(executable_path=path, args=FLAGS).new_page(viewport={"width": 900, "height": 900})
    page.set_default_timeout(120_000)
    page.set_content(PAGE)
    page.add_style_tag(content=(ASSETS / "vitrine.css").read_text())
    own = ((ASSETS / name).read_text() for name in ("lib.js", "heat.js", "vitrine.js"))
    for script in (get_plotlyjs(), *own, BENCH):
        page.add_script_tag(content=script)
    return page


def measure(page: Any, made: Result, repeats: int) -> dict[str, dict[str, Any]]:
    """Seconds of each part and bytes, both sides in turn; the first round warms up and is left out."""
    seconds: dict[str, dict[str, list[float]]] = {s: {"prepare": [], "show": [], "recolour": []} for s in SIDES}
    sizes: dict[str, int] = {}
    for turn in range(repeats + 1):
        for side, prepare in SIDES.items():
            start = time.perf_counter()
            content = prepare(made)
            spent = {"prepare": time.perf_counter() - start}
            sizes[side] = len(content)
            text = base64.b64encode(content).decode()
            spec = {**SPEC, "tables": theme.tables()}
            page.evaluate("([side, text, spec]) => window.bench[side].keep(text, spec)", [side, text, spec])
            for what in ("show", "recolour"):
                spent[what] = page.evaluate("([side, what]) => window.timed(side, what)", [side, what])
            page.evaluate("side => window.bench[side].clear()", side)
            if turn:
                for what, value in spent.items():
                    seconds[side][what].append(value)
    return {side: {"bytes": sizes[side], **_summary(found)} for side, found in seconds.items()}


def _summary(found: dict[str, list[float]]) -> dict[str, Any]:
    parts = {what: {"seconds": statistics.median(v), "range": [min(v), max(v)]} for what, v in found.items()}
    whole = [p + s for p, s in zip(found["prepare"], found["show"], strict=True)]
    return {"to_pixels": {"seconds": statistics.median(whole), "range": [min(whole), max(whole)]}, **parts}


def main() -> None:
    """Print one line a side, and one with their ratios."""
    from playwright.sync_api import sync_playwright

    size = int(sys.argv[1]) if len(sys.argv) > 1 else 1024
    repeats = int(sys.argv[2]) if len(sys.argv) > 2 else 7
    with sync_playwright() as playwright:
        page = window(playwright)
        found = measure(page, result(size), repeats)
        browser = page.context.browser
        versions = {"plotly": version("plotly"), "chromium": browser.version}
        browser.close()
    for side, about in found.items():
        print(
            json.dumps(
                {"case": f"heatmap {size}² {side}", "repeats": repeats, **about, "versions": versions},
                ensure_ascii=False,
            )
        )
    canvas, plotly = found["canvas"], found["plotly"]
    ratio = {what: plotly[what]["seconds"] / canvas[what]["seconds"] for what in ("to_pixels", "show", "recolour")}
    print(
        json.dumps(
            {"case": f"heatmap {size}² plotly / canvas", **ratio, "bytes": plotly["bytes"] / canvas["bytes"]},
            ensure_ascii=False,
        )
    )


if __name__ == "__main__":
    main()
