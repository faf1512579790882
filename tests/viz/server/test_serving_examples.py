"""The examples of docs/serving.md at work: Debian's nginx in front of Vitrine, and the unit as systemd reads it."""

from __future__ import annotations

import http.client
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

import app
from backends import settings
from tests.viz.fakes import FakeEngine, bundle
from viz.server.access import Access
from viz.server.listening import MOST_BODY, MOST_HEADER, Limits, Server

ROOT = Path(__file__).parents[3]
EXAMPLES = ROOT / "docs" / "examples" / "serving"
NAME, TOKEN = "vitrine.example.org", "a-token-of-a-team"
NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/sbin")
needs_nginx = pytest.mark.skipif(
    not (NGINX and shutil.which("openssl")),
    reason="nginx or openssl is not installed (Debian: apt install nginx-light)",
)
needs_systemd = pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed")


class Proxied(NamedTuple):
    """A server behind nginx: the proxy's port for TLS, and what the server's own figures are."""

    port: int
    server: Server

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, dict[str, str], str]:
        """One request through the proxy, as a browser at the proxy's name sends it."""
        sent = {"Host": NAME, **{name.replace("_", "-"): value for name, value in headers.items()}}
        connection = http.client.HTTPSConnection(
            "127.0.0.1", self.port, timeout=20, context=ssl._create_unverified_context()
        )
        try:
            connection.request(method, path, body, sent)
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read().decode("utf-8", "replace")
        finally:
            connection.close()


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def configured(folder: Path, behind: int, port: int) -> Path:
    """nginx's configuration with the example in it: other ports, on loopback, and a certificate made here."""
    key, certificate = folder / "key.pem", folder / "cert.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", f"/CN={NAME}",
         "-keyout", key, "-out", certificate], check=True, capture_output=True,
    )  # fmt: skip
    text = (EXAMPLES / "nginx.conf").read_text()
    text = re.sub(r"\n    listen \[::\][^\n]*", "", text)
    text = text.replace("listen 443 ssl", f"listen 127.0.0.1:{port} ssl").replace(
        "listen 80;", f"listen 127.0.0.1:{free_port()};"
    )
    text = text.replace("/etc/ssl/vitrine/", f"{folder}/").replace("127.0.0.1:8050", f"127.0.0.1:{behind}")
    whole = folder / "nginx.conf"
    paths = "".join(f"{n}_temp_path {folder}/{n};" for n in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    user = "user root;\n" if os.getuid() == 0 else ""
    whole.write_text(
        f"{user}worker_processes 1;\npid {folder}/nginx.pid;\nerror_log {folder}/error.log;\nevents {{}}\n"
        f"http {{\naccess_log off;\n{paths}\n{text}\n}}\n"
    )
    return whole


@pytest.fixture(scope="module")
def proxied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxied]:
    folder = tmp_path_factory.mktemp("proxied")
    with pytest.MonkeyPatch.context() as patch:
        bundle(folder / "bundled", patch)
        access = Access(("127.0.0.1", NAME), TOKEN)
        made = app.create_app(FakeEngine(folder / "store"), access)  # type: ignore[arg-type]
        server = Server(made.server, "127.0.0.1", 0, Limits(threads=8, proxy="127.0.0.1"))
        thread = threading.Thread(target=server.run)
        thread.start()
        port = free_port()
        whole = configured(folder, server.port, port)
        assert NGINX
        process = subprocess.Popen([NGINX, "-p", folder, "-c", whole, "-g", "daemon off;"], stderr=subprocess.DEVNULL)
        try:
            until = time.monotonic() + 20
            while time.monotonic() < until:
                try:
                    socket.create_connection(("127.0.0.1", port), 1).close()
                    break
                except OSError:
                    time.sleep(0.05)
            yield Proxied(port, server)
        finally:
            process.terminate()
            process.wait(10)
            server.stop(0.0)
            thread.join(10)


@needs_nginx
def test_nginx_takes_the_example(tmp_path: Path) -> None:
    whole = configured(tmp_path, 8050, free_port())
    assert NGINX
    done = subprocess.run([NGINX, "-t", "-p", tmp_path, "-c", whole], capture_output=True, text=True)
    assert "test is successful" in done.stderr, done.stderr


@needs_nginx
def test_one_signs_in_through_nginx(proxied: Proxied) -> None:
    assert proxied.ask("GET", "/health")[0] == 200
    assert proxied.ask("GET", "/", Accept="text/html")[0] == 401
    status, headers, _ = proxied.ask("GET", f"/attention?model=x&token={TOKEN}", Accept="text/html")
    assert (status, headers["Location"]) == (303, "/attention?model=x")
    assert "Secure" in headers["Set-Cookie"], "the server knows that there is TLS in front"
    cookie = headers["Set-Cookie"].partition(";")[0]
    status, headers, text = proxied.ask("GET", "/attention", Accept="text/html", Cookie=cookie)
    assert status == 200
    assert "Vitrine" in text
    assert headers["Strict-Transport-Security"]
    assert proxied.ask("GET", "/attention", Host="evil.example", Cookie=cookie)[0] in (301, 403)


@needs_nginx
def test_posts_through_nginx_come_from_its_own_pages_only(proxied: Proxied) -> None:
    cookie = proxied.ask("GET", f"/?token={TOKEN}")[1]["Set-Cookie"].partition(";")[0]
    asked = {"body": b"{}", "Content_Type": "application/json", "Cookie": cookie}
    ours = proxied.ask("POST", "/_dash-update-component", Origin=f"https://{NAME}", **asked)
    assert ours[0] == 400, "it reached the app, which says that this is no callback"
    other = proxied.ask("POST", "/_dash-update-component", Origin="https://evil.example", **asked)
    assert (other[0], other[2]) == (403, "requests from other sites are refused\n")


@needs_nginx
def test_nginx_lets_through_what_vitrine_takes_and_no_more(proxied: Proxied) -> None:
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    assert proxied.ask("GET", "/attention?text=" + "a" * 40_000, **bearer)[0] == 200
    assert proxied.ask("GET", "/metrics", **bearer)[0] == 404, "figures stay on the machine"
    length = {"Content_Length": str(MOST_BODY + 2), "Content_Type": "application/json"}
    assert proxied.ask("POST", "/_dash-update-component", b"", **bearer, **length)[0] == 413


@needs_nginx
def test_wrong_tokens_count_against_the_client_and_not_the_proxy(proxied: Proxied) -> None:
    for _ in range(25):
        proxied.ask("GET", "/?token=wrong", X_Forwarded_For="10.9.9.9")
    assert proxied.ask("GET", f"/?token={TOKEN}")[0] == 429, "nginx puts the address that it sees"
    held = proxied.server.figures()
    assert held["connections"] <= 33
    assert held["connections_refused_total"] == 0


def test_the_examples_agree_with_the_limits() -> None:
    conf, unit = (EXAMPLES / "nginx.conf").read_text(), (EXAMPLES / "vitrine.service").read_text()
    assert f"client_max_body_size {MOST_BODY >> 20}m;" in conf
    assert f"large_client_header_buffers 4 {MOST_HEADER >> 10}k;" in conf
    assert int(re.findall(r"keepalive_timeout (\d+)s", conf)[0]) < Limits().idle
    assert int(re.findall(r"TimeoutStopSec=(\d+)", unit)[0]) > Limits().grace
    assert int(re.findall(r"LimitNOFILE=(\d+)", unit)[0]) >= 2 * Limits().connections + 512
    known = {setting.name for setting in settings.SETTINGS}
    named = set(re.findall(r"VITRINE_[A-Z_]+", conf + unit + (ROOT / "docs" / "serving.md").read_text()))
    assert named <= known


@needs_systemd
def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    text = (EXAMPLES / "vitrine.service").read_text()
    text = text.replace("/opt/vitrine/.venv/bin/python", sys.executable).replace("/opt/vitrine", str(ROOT))
    (tmp_path / "vitrine.service").write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", tmp_path / "vitrine.service"], capture_output=True, text=True
    )
    said = [line for line in (done.stdout + done.stderr).splitlines() if "vitrine.service" in line]
    assert not said
