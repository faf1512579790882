"""Vitrine in a real browser: the app as `python app.py serve` starts it, and windows that are watched."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import psutil
import pytest

ROOT = Path(__file__).parents[2]
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
SIZE = {"width": 1280, "height": 900}
PATIENCE = 30_000
"""Milliseconds that anything on a page is waited for."""
FIRST = 4 * PATIENCE
"""The same where the worker may still be starting."""


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Chromium; without it these tests are skipped, saying what to install."""
    if CHROMIUM is None:
        pytest.skip("the browser tests need Chromium; on Debian: apt-get install chromium")
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield found
        found.close()


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a Vitrine with an empty store and no way to the hub."""
    with serve(tmp_path_factory.mktemp("store")) as address:
        yield address


@contextmanager
def serve(store: Path, **settings: str) -> Iterator[str]:
    """Serve a Vitrine over `store` under `settings`, and see that it ends whole; yields its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    wanted = settings | {
        "VITRINE_STORE": str(store),
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": "1",
        "PYTHONUNBUFFERED": "1",
    }
    said = store / "log.txt"
    with said.open("w") as log:
        server = subprocess.Popen(
            [sys.executable, "app.py", "serve", "--port", str(port)],
            cwd=ROOT,
            env=os.environ | wanted,
            stdout=log,
            stderr=log,
        )
        try:
            address = f"http://127.0.0.1:{port}"
            _wait_until_it_answers(address, server, said)
            yield address
            assert server.poll() is None, f"the app ended while it was used:\n{said.read_text()[-3000:]}"
            _ends_whole(server)
        finally:
            server.kill()
            server.wait()


def _ends_whole(server: subprocess.Popen[bytes]) -> None:
    """Ctrl-C ends the app within 20 seconds, and no process is left."""
    children = psutil.Process(server.pid).children(recursive=True)
    server.send_signal(signal.SIGINT)
    assert server.wait(20) == 0
    _, left = psutil.wait_procs(children, timeout=5)
    assert [process.cmdline() for process in left] == []


def _wait_until_it_answers(address: str, server: subprocess.Popen[bytes], said: Path) -> None:
    for _ in range(240):
        if server.poll() is not None:
            pytest.fail(f"the app ended as it started:\n{said.read_text()[-3000:]}")
        try:
            with urllib.request.urlopen(f"{address}/health", timeout=5):
                return
        except OSError:
            time.sleep(0.25)
    pytest.fail(f"the app did not answer in a minute:\n{said.read_text()[-3000:]}")


@pytest.fixture(scope="session")
def profile(browser: Any) -> Iterator[Any]:
    """One person's browser, which keeps what it fetched from test to test."""
    context = browser.new_context(viewport=SIZE, color_scheme="light")
    yield context
    context.close()


class Visit:
    """A browser window on the app; `left` are requests off the machine, `trouble` errors of console and page."""

    def __init__(self, context: Any, site: str) -> None:
        self.site, self.context = site, context
        self.page = context.new_page()
        self.page.set_default_timeout(PATIENCE)
        self.left: list[str] = []
        self.trouble: list[str] = []
        self.page.on("request", lambda request: self._asked(request.url))
        self.page.on("pageerror", lambda error: self.trouble.append(f"page error: {error}"))
        self.page.on("console", lambda said: self.trouble.append(said.text) if said.type == "error" else None)

    def _asked(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("data", "blob") and f"{parts.scheme}://{parts.netloc}" != self.site:
            self.left.append(url)

    def open(self, path: str, **query: Any) -> Any:
        """Go to a page of the app; what is not text is written as JSON, as the app writes its links."""
        plain = {k: v if isinstance(v, str) else json.dumps(v) for k, v in query.items()}
        self.page.goto(self.site + path + (f"?{urlencode(plain)}" if plain else ""))
        return self.page

    def tab_to(self, selector: str, most: int = 120, back: bool = False) -> Any:
        """Press Tab (or Shift+Tab) until the element is focused, as a person without a mouse does."""
        for _ in range(most):
            if self.page.evaluate("s => !!document.activeElement && document.activeElement.matches(s)", selector):
                return self.page.locator(":focus")
            self.page.keyboard.press("Shift+Tab" if back else "Tab")
        raise AssertionError(f"{selector} was not reached with {most} presses of Tab")


@pytest.fixture
def window(profile: Any, site: str) -> Iterator[Visit]:
    """A watched window. A request off the machine, or an error in the console, fails the test."""
    made = Visit(profile, site)
    yield made
    made.page.close()
    assert made.left == []
    assert made.trouble == []
