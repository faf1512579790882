"""Headers, limits, the pictures of examples, and sentences instead of traces."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

import app
from backends.inputs.turns import Turns
from tests.viz.fakes import FakeEngine, bundle
from viz.components import shell
from viz.server import security
from viz.server.access import LOOPBACK, Access


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlaskClient]:
    folder = tmp_path_factory.mktemp("web")
    with pytest.MonkeyPatch.context() as patch:
        bundle(folder / "bundled", patch)
        yield app.create_app(FakeEngine(folder / "store")).server.test_client()  # type: ignore[arg-type]


def test_pages_allow_no_script_but_their_own(client: FlaskClient) -> None:
    answer = client.get("/")
    policy = answer.headers["Content-Security-Policy"]
    scripts = next(p for p in policy.split("; ") if p.startswith("script-src"))
    early = base64.b64encode(hashlib.sha256(shell.EARLY.encode()).digest()).decode()
    assert f"'sha256-{early}'" in scripts
    assert "unsafe" not in scripts
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_the_page_names_nothing_elsewhere(client: FlaskClient) -> None:
    html = client.get("/").get_data(as_text=True)
    assert "http://" not in html.replace("http://www.w3.org", "")
    assert "https://" not in html


def test_other_names_for_this_machine_are_refused(engine: FakeEngine, shipped: Path) -> None:
    client = app.create_app(engine, Access(LOOPBACK)).server.test_client()  # type: ignore[arg-type]
    assert client.get("/health", headers={"Host": "127.0.0.1:8050"}).status_code == 200
    for name in ("evil.example", "127.0.0.1.evil.example:80", "[::1"):
        answer = client.get("/health", headers={"Host": name})
        assert answer.status_code in (400, 403)
    assert "answers to 127.0.0.1, localhost, ::1 only" in client.get("/", headers={"Host": "evil.example"}).text


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_requests_that_other_sites_send_are_refused(client: FlaskClient, site: str) -> None:
    answer = client.post("/_dash-update-component", json={}, headers={"Sec-Fetch-Site": site})
    assert answer.status_code == 403
    assert "requests from other sites are refused" in answer.text


BODIES: list[Any] = [
    b"", b"{", b"[]", b"null", b'"x"', b"{}", b'{"output":"nothing.data"}', b"\xff\xfe",
    json.dumps({"output": "attribution-card.data", "inputs": "no", "changedPropIds": 3}).encode(),
    json.dumps(
        {"output": "x", "outputs": {"id": "x", "property": "y"}, "inputs": [{"id": "a"}], "changedPropIds": ["a.b"]}
    ).encode(),
]  # fmt: skip


@pytest.mark.parametrize("body", BODIES)
def test_a_wrong_callback_body_is_a_sentence(client: FlaskClient, body: bytes) -> None:
    answer = client.post("/_dash-update-component", data=body, content_type="application/json")
    assert answer.status_code in (400, 415)
    assert answer.mimetype == "text/plain"
    assert "Traceback" not in answer.text
    assert "File " not in answer.text


@pytest.mark.parametrize(
    "path", ["/maps/../../etc/passwd", "/maps/a/b/c/d", "/examples/x/..%2f..", "/examples/a/b/c/d"]
)
def test_below_the_files_there_are_no_pages(client: FlaskClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    assert answer.text.startswith("there is nothing at /")
    assert client.get("/attention").status_code == 200


def test_a_body_that_is_too_large_is_refused(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    assert client.application.config["MAX_CONTENT_LENGTH"] == 48 * 2**20
    monkeypatch.setitem(client.application.config, "MAX_CONTENT_LENGTH", 10)
    answer = client.post("/_dash-update-component", data=b'{"a": "too long"}', content_type="application/json")
    assert answer.status_code == 413
    assert "that is more than 48 MB; send less at a time" in answer.text


def test_large_requests_wait_for_their_turn(engine: FakeEngine, shipped: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = app.create_app(engine)  # type: ignore[arg-type]
    bounded = made.server.wsgi_app
    bounded.turns = Turns(at_once=1, waiting=0, patience=0.1)
    monkeypatch.setattr(security, "LARGE", 100)
    client = made.server.test_client()
    ask = {"content_type": "application/json", "headers": {"Origin": "http://localhost"}}
    told: list[tuple[int, str]] = []

    def send(size: int) -> None:
        answer = client.post("/_dash-update-component", data=b"[" * size, **ask)
        told.append((answer.status_code, answer.text))

    with bounded.turns.turn():
        for size in (101, 100):
            thread = threading.Thread(target=send, args=[size])
            thread.start()
            thread.join(10)
    assert told[0] == (503, "other people's files are being read just now; give yours again in a few seconds\n")
    assert told[1][0] == 400, "small ones do not wait"
    send(101)
    assert told[2][0] == 400


def test_examples_and_masks_are_served_by_name(client: FlaskClient) -> None:
    for address in ("/examples/radiograph/0", "/examples/radiograph/0/lesion"):
        with client.get(address) as answer:
            assert answer.status_code == 200
            assert answer.mimetype == "image/png"
            assert answer.data.startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("/examples/radiograph/9", "no example 9 of bundled/radiograph; it has 1"),
        ("/examples/nothing/0", "no example 0 of bundled/nothing; it has 0"),
        ("/examples/radiograph/0/tag", "no mask 'tag' of this example; there are: lesion"),
        ("/examples/triage/0", "this example is a text, not a picture"),
        ("/examples/triage/0/spans", "no mask 'spans' of this example; there are: none"),
    ],
)
def test_examples_that_are_not_there(client: FlaskClient, address: str, sentence: str) -> None:
    answer = client.get(address)
    assert answer.status_code == 400
    assert sentence in answer.text


@pytest.mark.parametrize("address", ["/examples/..%2f..%2fetc/0", "/maps/nonsense/x", "/results/../x", "/inputs/xyz"])
def test_nonsense_addresses_show_no_trace(client: FlaskClient, address: str) -> None:
    answer = client.get(address)
    assert answer.status_code in (200, 400, 404)  # 200: Dash answers unknown pages with the frame
    assert "Traceback" not in answer.text


def test_an_unforeseen_failure_is_a_sentence_with_the_trace_in_the_log(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any) -> None:
        raise ZeroDivisionError("a secret detail")

    monkeypatch.setattr(security, "_example", broken)
    answer = client.get("/examples/radiograph/0")
    assert answer.status_code == 500
    assert answer.text == "Vitrine failed on this request; the server's log says more\n"
    assert "a secret detail" in caplog.text
