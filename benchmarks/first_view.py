"""What a page costs that was computed before, beside an empty Dash app: `python -m benchmarks.first_view`.

Each page is opened in a browser that was never there, the servers in turn: seconds until its picture stands and
nothing moves, requests, bytes, layout shift, long tasks, and the server's seconds of CPU. Then thirty clients ask for
each page at once. With `--before`, a checkout of another commit is served as well. Needs Chromium.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).parents[1]
PAGES = {
    "attribution": "/attribution?model=bundled/triage",
    "attribution of a picture": "/attribution?model=bundled/radiograph",
    "attention": "/attention?model=bundled/triage",
    "causal": "/causal?model=bundled/names",
    "trajectory": "/trajectory?model=bundled/names",
    "evidence": "/evidence?model=bundled/triage",
    "data": "/data",
    "model": "/model?model=bundled/triage",
    "diffusion": "/diffusion",
    "gallery": "/",
}
EMPTY = """
from dash import Dash, dcc, html
import dash_bootstrap_components
app = Dash("empty", serve_locally=True, compress=True)
app.layout = html.Div([html.H1("Empty"), dcc.Graph(figure={{}}) if {plotly} else html.Div("done", id="done")])
from waitress import serve
serve(app.server, port={port}, threads=4)
"""
WATCH = """
window.seen = {shift: 0, long: 0, changed: 0};
new PerformanceObserver((l) => l.getEntries().forEach((e) => e.hadRecentInput || (seen.shift += e.value)))
  .observe({type: "layout-shift", buffered: true});
new PerformanceObserver((l) => l.getEntries().forEach((e) => (seen.long += e.duration)))
  .observe({type: "longtask", buffered: true});
new MutationObserver(() => (seen.changed = performance.now())).observe(document, {subtree: true, childList: true,
  attributes: true, attributeFilter: ["class", "src", "style", "hidden"]});
"""


@contextmanager
def served(command: list[str], where: Path, **settings: str) -> Iterator[tuple[str, psutil.Process]]:
    """The address and the process of a server, once it answers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [part.replace("PORT", str(port)) for part in command],
        cwd=where,
        env=os.environ | settings | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(240):
            try:
                urllib.request.urlopen(address, timeout=5).close()
                break
            except OSError:
                time.sleep(0.25)
        yield address, psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(30)


def visit(browser: Any, address: str, quiet: float = 1.2) -> dict[str, float]:
    """Open a page in a new browser and wait until nothing changes for `quiet` seconds."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    sizes: list[int] = []
    asked: list[float] = []
    page.on("request", lambda _request: asked.append(time.perf_counter()))
    page.on("requestfinished", lambda request: sizes.append(request.sizes()["responseBodySize"]))
    page.add_init_script(WATCH)
    page.goto(address)
    last = time.perf_counter()
    while time.perf_counter() - max([last, *asked[-1:]]) < quiet:
        before = page.evaluate("seen.changed")
        page.wait_for_timeout(100)
        if page.evaluate("seen.changed") != before:
            last = time.perf_counter()
    seen = page.evaluate("seen")
    context.close()
    return {
        "seconds": seen["changed"] / 1000, "requests": len(asked), "kilobytes": sum(sizes) / 1000,
        "shift": seen["shift"], "long": seen["long"] / 1000,
    }  # fmt: skip


def cpu(process: psutil.Process) -> float:
    """Seconds that the server itself has computed; its workers are not counted."""
    times = process.cpu_times()
    return float(times.user + times.system)


def thirty(address: str, process: psutil.Process) -> float:
    """Milliseconds of the server for one of thirty views at once."""
    urllib.request.urlopen(address).read()
    before = cpu(process)
    with ThreadPoolExecutor(30) as clients:
        list(clients.map(lambda _: urllib.request.urlopen(address, timeout=60).read(), range(90)))
    return 1000 * (cpu(process) - before) / 90


def median(rows: list[dict[str, float]]) -> dict[str, float]:
    """Of each figure the median."""
    return {name: round(statistics.median(row[name] for row in rows), 3) for name in rows[0]}


def main() -> None:
    """Print a line for each page and server."""
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser()
    parser.add_argument("--before", type=Path, help="a checkout of another commit")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pages", nargs="*", default=list(PAGES))
    given = parser.parse_args()
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with ExitStack() as stack, tempfile.TemporaryDirectory() as folder:
        app = [sys.executable, "app.py", "serve", "--port", "PORT"]
        servers = {"now": stack.enter_context(served(app, ROOT, VITRINE_STORE=f"{folder}/now"))}
        if given.before:
            servers["before"] = stack.enter_context(served(app, given.before, VITRINE_STORE=f"{folder}/before"))
        for name, plotly in (("empty", False), ("empty with plotly", True)):
            empty = [sys.executable, "-c", EMPTY.format(plotly=plotly, port="PORT")]
            servers[name] = stack.enter_context(served(empty, Path(folder)))
        browser = stack.enter_context(sync_playwright()).chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-gpu"]
        )
        for name in given.pages:
            addresses = {who: at + ("" if who.startswith("empty") else PAGES[name]) for who, (at, _) in servers.items()}
            for who in servers:
                if not who.startswith("empty"):
                    visit(browser, addresses[who], quiet=6)  # computes it
            rows: dict[str, list[dict[str, float]]] = {who: [] for who in servers}
            for _ in range(given.rounds):
                for who, address in addresses.items():
                    rows[who].append(visit(browser, address))
            for who, (_, process) in servers.items():
                told = median(rows[who]) | {"cpu_ms_of_thirty": round(thirty(addresses[who], process), 2)}
                print(json.dumps({"page": name, "server": who, **told}), flush=True)


if __name__ == "__main__":
    main()
