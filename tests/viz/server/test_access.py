"""Who is let in: names, tokens, cookies, and requests that other sites make a browser send."""

from __future__ import annotations

import socket
from typing import Any

import pytest
from flask.testing import FlaskClient

import app
from backends.errors import Refused
from tests.viz.fakes import FakeEngine
from viz.server import access
from viz.server.access import LOOPBACK, Access

TOKEN = "a-token-of-a-class"
PAGE = {"Accept": "text/html"}


def client_of(engine: FakeEngine, rules: Access) -> FlaskClient:
    return app.create_app(engine, rules).server.test_client()  # type: ignore[arg-type]


@pytest.fixture
def client(engine: FakeEngine, shipped: Any) -> FlaskClient:
    return client_of(engine, Access(LOOPBACK, TOKEN))


def test_on_this_machine_nobody_is_asked() -> None:
    rules = Access.of_settings("127.0.0.1")
    assert rules == Access(LOOPBACK, "")
    assert rules.link("127.0.0.1", 8050) == "http://127.0.0.1:8050"
    assert Access().link("::1", 80) == "http://[::1]:80"


def test_beyond_this_machine_a_new_token_is_made_at_each_start() -> None:
    first, second = Access.of_settings("0.0.0.0"), Access.of_settings("0.0.0.0")
    assert len(first.token) >= 24
    assert first.token != second.token
    assert first.link("0.0.0.0", 8050) == f"http://{socket.gethostname()}:8050/?token={first.token}"


def test_a_token_is_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VITRINE_TOKEN", "a token & more")
    assert Access.of_settings("127.0.0.1").token == "a token & more"
    assert Access.of_settings("h").link("h", 1) == "http://h:1/?token=a+token+%26+more"
    monkeypatch.setenv("VITRINE_TOKEN", "short")
    with pytest.raises(Refused, match="VITRINE_TOKEN has 5 characters and needs 8: leave it out"):
        Access.of_settings("127.0.0.1")
    monkeypatch.setenv("VITRINE_TOKEN", "none")
    assert Access.of_settings("0.0.0.0").token == ""


@pytest.mark.parametrize(
    ("host", "there"),
    [
        ("127.0.0.1:8050", True), ("localhost", True), ("[::1]:8050", True), ("10.1.2.3:8050", True),
        ("[2001:db8::1]", True), ("evil.example", False), ("127.0.0.1.evil.example", False), ("[::1", False),
        ("vitrine.example.org", True), (socket.gethostname(), True), ("", False), ("10.1.2.3.4", False),
    ],
)  # fmt: skip
def test_names_of_the_server_beyond_this_machine(host: str, there: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VITRINE_HOSTS", "Vitrine.example.org, other.example")
    assert Access.of_settings("0.0.0.0").knows(host) is there


def test_behind_a_proxy_a_token_is_asked_for_too(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not access.beyond("127.0.0.1")
    monkeypatch.setenv("VITRINE_HOSTS", "vitrine.example.org")
    assert access.beyond("127.0.0.1")
    rules = Access.of_settings("127.0.0.1")
    assert rules.token
    assert rules.knows("vitrine.example.org")


def test_on_this_machine_only_its_own_names_are_answered() -> None:
    rules = Access.of_settings("127.0.0.1")
    assert rules.knows("localhost:8050")
    assert not rules.knows("10.1.2.3:8050")


@pytest.mark.parametrize("path", ["/", "/attention?model=x", "/results/0/csv", "/_dash-layout", "/metrics", "/nothing"])
def test_without_the_token_nothing_is_told(client: FlaskClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 401
    assert answer.text == "sign in first: open the link with the token that Vitrine printed when it was started\n"
    page = client.get(path, headers=PAGE)
    assert page.status_code == 401
    assert "This server asks for its token" in page.text
    assert page.headers["Cache-Control"] == "no-store"
    assert "script" not in page.text
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]


@pytest.mark.parametrize("path", ["/_dash-update-component", "/", "/results/x/y"])
def test_without_the_token_nothing_is_done(client: FlaskClient, path: str) -> None:
    assert client.post(path, json={}).status_code == 401


@pytest.mark.parametrize("path", ["/health", "/ready"])
def test_health_is_told_to_everybody(client: FlaskClient, path: str) -> None:
    assert client.get(path).status_code == 200


def test_a_link_with_the_token_signs_in_and_loses_it(client: FlaskClient) -> None:
    answer = client.get(f"/attention?model=bundled%2Ftriage&token={TOKEN}&text=a%20b", headers=PAGE)
    assert answer.status_code == 303
    assert answer.headers["Location"] == "/attention?model=bundled%2Ftriage&text=a%20b"
    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Secure" not in cookie
    assert "Max-Age" not in cookie
    assert TOKEN not in cookie
    assert client.get("/attention").status_code == 200
    assert client.get("/?token=of-yesterday", headers=PAGE).headers["Location"] == "/", "an old link of one signed in"


def test_over_tls_the_cookie_stays_there(client: FlaskClient) -> None:
    answer = client.get(f"/?token={TOKEN}", base_url="https://localhost")
    assert "Secure" in answer.headers["Set-Cookie"]


def test_a_wrong_token_is_told(client: FlaskClient) -> None:
    answer = client.get("/?token=wrong", headers=PAGE)
    assert answer.status_code == 403
    assert "The token in this link is not that of this server" in answer.text
    assert "Set-Cookie" not in answer.headers


def test_the_form_signs_in(client: FlaskClient) -> None:
    page = client.get("/data?model=%22x%22", headers=PAGE)
    assert 'value="/data?model=%22x%22"' in page.text
    wrong = client.post("/sign-in", data={"token": "wrong", "next": "/data"})
    assert wrong.status_code == 403
    assert "That is not the token of this server" in wrong.text
    right = client.post("/sign-in", data={"token": f" {TOKEN} ", "next": "/data?model=%22x%22"})
    assert (right.status_code, right.headers["Location"]) == (303, "/data?model=%22x%22")
    assert client.get("/data").status_code == 200
    assert client.get("/sign-in").status_code == 200


@pytest.mark.parametrize(
    "there", ["//evil.example", "/\\evil.example", "https://evil.example", "", "/a\nb", "/" + "a" * 20_000, "/\u202e"]
)
def test_the_form_leads_nowhere_else(client: FlaskClient, there: str) -> None:
    assert client.post("/sign-in", data={"token": TOKEN, "next": there}).headers["Location"] == "/"


def test_a_script_sends_the_token_in_a_header(client: FlaskClient) -> None:
    assert client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200
    assert client.get("/metrics", headers={"Authorization": "Bearer wrong"}).status_code == 401
    assert client.get("/metrics", headers={"Authorization": f"Basic {TOKEN}"}).status_code == 401


@pytest.mark.parametrize("value", ["", "x", "é", "a" * 4000])
def test_a_made_up_cookie_lets_nobody_in(client: FlaskClient, value: str) -> None:
    client.set_cookie(Access(token=TOKEN).cookie[0], value)
    assert client.get("/").status_code == 401


def test_servers_of_one_machine_do_not_share_a_session() -> None:
    assert Access(token=TOKEN).cookie[0] != Access(token="another-token").cookie[0]


def test_who_guesses_has_to_wait(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(access.TRIES):
        client.post("/sign-in", data={"token": "wrong"})
    answer = client.post("/sign-in", data={"token": TOKEN})
    assert answer.status_code == 429
    assert "20 wrong tokens came from your address: wait a minute" in answer.text
    assert client.get(f"/?token={TOKEN}").status_code == 429
    other = client.get(f"/?token={TOKEN}", environ_overrides={"REMOTE_ADDR": "10.0.0.9"})
    assert other.status_code == 303, "another address does not wait"
    client.delete_cookie(Access(token=TOKEN).cookie[0])
    monkeypatch.setattr(access, "WITHIN", 0.0)
    assert client.get(f"/?token={TOKEN}").status_code == 303


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Origin": "http://evil.example"},
        {"Origin": "null"}, {"Origin": "http://localhost:9999"}, {"Origin": "http://localhost.evil.example"},
        {"Origin": "file://localhost"}, {"Origin": "http://[::1"},
        {"Origin": "http://localhost", "Sec-Fetch-Site": "cross-site"},
    ],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/_dash-update-component", "/sign-in"])
def test_other_sites_can_do_nothing(client: FlaskClient, path: str, headers: dict[str, str]) -> None:
    answer = client.post(path, data={"token": TOKEN}, headers=headers)
    assert answer.status_code == 403
    assert "requests from other sites are refused" in answer.text


@pytest.mark.parametrize(
    "headers",
    [
        {}, {"Sec-Fetch-Site": "same-origin", "Origin": "http://localhost"}, {"Sec-Fetch-Site": "none"},
        {"Origin": "https://localhost"}, {"Origin": "http://localhost:80"},
    ],
)  # fmt: skip
def test_our_own_pages_can(client: FlaskClient, headers: dict[str, str]) -> None:
    assert client.post("/sign-in", data={"token": TOKEN}, headers=headers).status_code == 303


def test_without_a_token_there_is_no_page_to_sign_in(engine: FakeEngine, shipped: Any) -> None:
    client = client_of(engine, Access())
    assert client.get("/").status_code == 200
    assert client.get("/?token=anything").status_code == 200
    assert client.post("/sign-in").status_code in (404, 405)
