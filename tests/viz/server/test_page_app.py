"""Pages sent whole: what stands in the HTML, what is kept of it, and when it is made anew."""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from dash import Input, Output, dcc, html
from flask.testing import FlaskClient

import app
from backends.requests import key_of
from tests.viz.fakes import FakeEngine
from viz.components.looking import only_looking
from viz.components.shell import TAB_MARK
from viz.server import page_app
from viz.server.page_app import Page, PageApp


@pytest.fixture
def client(engine: FakeEngine, shipped: Any) -> FlaskClient:
    return app.create_app(engine).server.test_client()  # type: ignore[arg-type]


def held(html: str, id: str) -> Any:
    """What the HTML holds as JSON."""
    return json.loads(re.search(rf'id="{id}">(.*?)</script>', html, re.S)[1])  # type: ignore[index]


def test_the_layout_stands_in_the_html(client: FlaskClient) -> None:
    html = client.get("/attribution?model=bundled/triage").text
    layout = json.dumps(held(html, "first-layout"))
    assert "attribution-card" in layout
    assert TAB_MARK in layout  # a name of its own in each browser tab
    assert html.count(TAB_MARK) == 1
    assert held(html, "first-view")["page"] == "/attribution"
    assert "<title>Attribution · Vitrine</title>" in html


def test_markup_in_a_link_stays_text(client: FlaskClient) -> None:
    html = client.get(
        "/attribution", query_string={"text": "</script><img src=x onerror=alert(1)>", "model": "</title>"}
    ).text
    assert "</script><img" not in html
    assert "<img src=x" not in html
    assert "<title>Attribution · Vitrine</title>" in html


def test_no_address_is_a_page_that_says_so(client: FlaskClient) -> None:
    html = client.get("/nothing/here").text
    assert "There is no such page" in json.dumps(held(html, "first-layout"))
    assert held(html, "first-view")["page"] == ""


@pytest.mark.parametrize("query", ["model=a&model=b", "=", "self=1&__class__=2", "%ff=%00", "text=" + "x" * 5000])
def test_any_parameters_are_a_page(client: FlaskClient, query: str) -> None:
    for path in ("/attribution", "/", "/data", "/nowhere"):
        assert client.get(f"{path}?{query}").status_code == 200


def test_opening_a_page_starts_nothing(client: FlaskClient, engine: FakeEngine) -> None:
    for path in (
        "/",
        "/attribution",
        "/attention",
        "/causal",
        "/trajectory",
        "/evidence",
        "/data",
        "/diffusion",
        "/model",
    ):
        client.get(path)
    client.get("/attribution?model=somebody/else&text=hello")
    assert engine.asked == []


def test_a_browser_that_has_the_page_is_not_sent_it_again(client: FlaskClient) -> None:
    first = client.get("/attribution")
    again = client.get("/attribution", headers={"If-None-Match": first.headers["ETag"]})
    assert (first.status_code, again.status_code) == (200, 304)
    assert first.headers["Cache-Control"] == "no-cache"


def test_the_theme_is_that_of_the_cookie(client: FlaskClient) -> None:
    assert held(client.get("/attention").text, "first-view")["theme"] == "light"
    client.set_cookie("vitrine-theme", "dark")
    dark = client.get("/attention").text
    assert held(dark, "first-view")["theme"] == "dark"
    assert {"id": "attention-dark", "data": True} in stores(held(dark, "first-layout"))


def stores(tree: Any) -> list[dict[str, Any]]:
    """The properties of all stores below."""
    if isinstance(tree, list):
        return [found for one in tree for found in stores(one)]
    if not isinstance(tree, dict):
        return []
    own = [tree["props"]] if tree["type"] == "Store" else []
    return own + stores(tree["props"].get("children"))


class Small:
    """An app of one page, which shows the answer to one job."""

    def __init__(self, engine: FakeEngine, model: str) -> None:
        self.request = {"job": "open", "model": model}
        self.runs = 0
        page = only_looking(engine)  # type: ignore[arg-type]
        made = PageApp(__name__, suppress_callback_exceptions=True, assets_folder="none")
        made.layout = html.Div()
        made.frame = lambda content: html.Div(content)

        @made.callback(Output("shown", "children"), Input("asked", "data"))
        def show(_asked: Any) -> str:
            self.runs += 1
            return str(page.store.get_document(page.submit(self.request, "tab")))

        parts = [dcc.Store(id="asked", data=1), html.Div(id="shown")]
        whole = Page("Small", lambda **_query: html.Div(parts), made._callback_list)
        made.prepare({"/": whole}, Page("Lost", lambda **_query: html.Div(), []), engine.store)
        self.client = made.server.test_client()
        self.client.get("/_dash-dependencies")
        made.bundle("")


def test_a_page_is_kept_until_what_it_shows_is_gone(engine: FakeEngine) -> None:
    small = Small(engine, "bundled/triage")
    key = key_of(small.request)
    assert small.client.get("/").status_code == 200
    assert small.client.get("/").status_code == 200
    assert small.runs == 2  # its answer is not there, so the page may change at any time
    engine.store.put_document(key, {"answer": "first"})
    pages = [small.client.get("/").text for _ in range(3)]
    assert small.runs == 3
    assert all("{'answer': 'first'}" in page for page in pages)
    assert small.client.get("/?another=address").status_code == 200
    assert small.runs == 4
    engine.store.forget(key)
    assert "{'answer'" not in small.client.get("/").text
    assert small.runs == 5


def test_a_page_of_a_folder_is_made_anew_each_time(engine: FakeEngine) -> None:
    small = Small(engine, "/models/mine")
    engine.store.put_document(key_of(small.request), {"answer": "first"})
    assert [small.client.get("/").status_code for _ in range(3)] == [200] * 3
    assert small.runs == 3  # somebody may have changed the folder


def test_a_model_that_is_not_there_is_looked_for_again(client: FlaskClient, tmp_path: Path) -> None:
    folder = tmp_path / "later"
    link = {"model": str(folder)}
    before = client.get("/attribution", query_string=link).text
    assert "does not exist" in before
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    assert client.get("/attribution", query_string=link).text != before


def test_a_forecast_is_not_kept(engine: FakeEngine) -> None:
    small = Small(engine, "bundled/triage")
    small.request["when"] = 7
    engine.store.put_document(key_of(small.request), {"answer": "first"})
    assert [small.client.get("/").status_code for _ in range(3)] == [200] * 3
    assert small.runs == 3


def test_thirty_who_open_one_link_are_one_settling(engine: FakeEngine) -> None:
    small = Small(engine, "bundled/triage")
    engine.store.put_document(key_of(small.request), {"answer": "first"})
    with ThreadPoolExecutor(30) as clients:
        pages = set(clients.map(lambda _: small.client.application.test_client().get("/").text, range(30)))
    assert len(pages) == 1
    assert small.runs == 1


def test_few_bytes_are_kept(engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    small = Small(engine, "bundled/triage")
    engine.store.put_document(key_of(small.request), {"answer": "first"})
    size = len(small.client.get("/").data)
    monkeypatch.setattr(page_app, "MOST_KEPT", 4 * size)
    for i in range(8):
        small.client.get(f"/?n={i}")
    before = small.runs
    small.client.get("/?n=7")
    assert small.runs == before
    small.client.get("/?n=0")
    assert small.runs == before + 1


def test_a_page_that_cannot_be_settled_is_left_to_the_browser(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    small = Small(engine, "bundled/triage")

    def broken(*_given: Any) -> Any:
        raise RuntimeError("a fault")

    monkeypatch.setattr(page_app.first_view, "settle", broken)
    html = small.client.get("/").text
    assert held(html, "first-view") | {"theme": ""} == {"page": "/", "theme": "", "left": {}, "ran": []}
    assert "asked" in str(held(html, "first-layout"))
    assert "could not be settled" in caplog.text
