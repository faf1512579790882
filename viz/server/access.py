"""Who is let in: names of this machine, requests of our own pages, and browsers that know the token.

Below stands all that decides it. Another way to sign in, such as a password or a proxy that names its users, is
another `Access` with its own `admits`.
"""

from __future__ import annotations

import hashlib
import hmac
import html
import ipaddress
import secrets
import socket
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

from backends import settings
from backends.errors import Refused

if TYPE_CHECKING:
    from flask import Flask, Request, Response

LOOPBACK = ("127.0.0.1", "localhost", "::1")
EVERYWHERE = ("0.0.0.0", "::", "")
"""Hosts that stand for all addresses of a machine."""
OPEN = ("/health", "/ready")
"""What is answered without a token: that the server lives, and whether it can work."""
SIGN_IN = "/sign-in"
SHORTEST = 8
"""Characters of a token, at least."""
TRIES, WITHIN = 20, 60.0
"""Wrong tokens that one address may send within so many seconds."""
NOT_OURS = "requests from other sites are refused"
ASK_TO_SIGN_IN = "sign in first: open the link with the token that Vitrine printed when it was started"


@dataclass(frozen=True)
class Access:
    """The rules at the door. `hosts` are the names that the server answers to (empty: any), `token` what a browser
    must know ("": nothing). With `numbers` any address written in numbers is a name of the server, too: pages of
    others cannot rebind those, as they can a name of their own.
    """

    hosts: tuple[str, ...] = ()
    token: str = ""
    numbers: bool = False
    _wrong: dict[str, list[float]] = field(default_factory=dict, repr=False, compare=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    @classmethod
    def of_settings(cls, host: str) -> Access:
        """Return the rules for serving on `host`: beyond this machine a token is asked for, unless a setting says
        otherwise. Raises `Refused` on a token that is too short to be one.
        """
        said = settings.value("VITRINE_TOKEN")
        named = tuple(name.strip().lower() for name in settings.value("VITRINE_HOSTS").split(",") if name.strip())
        local = not beyond(host)
        if said.lower() != "none" and said and len(said) < SHORTEST:
            raise Refused(
                f"VITRINE_TOKEN has {len(said)} characters and needs {SHORTEST}: leave it out, and a new one is made "
                "at each start, or set it to none to let in everybody who reaches this machine"
            )
        token = "" if said.lower() == "none" or (local and not said) else said or secrets.token_urlsafe(18)
        own = () if local else (host, socket.gethostname(), f"{socket.gethostname()}.local")
        return cls(tuple(dict.fromkeys((*LOOPBACK, *own, *named))), token, numbers=not local)

    def link(self, host: str, port: int) -> str:
        """Return the link to the server on `host` and `port`, which signs in where that is needed."""
        shown = socket.gethostname() if host in EVERYWHERE else f"[{host}]" if ":" in host else host
        token = f"/?{urlencode({'token': self.token})}" if self.token else ""
        return f"http://{shown}:{port}{token}"

    def knows(self, host: str) -> bool:
        """Whether a request may name the server `host`, which may end with a port."""
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        if not self.hosts or name in self.hosts:
            return True
        try:
            return self.numbers and bool(ipaddress.ip_address(name))
        except ValueError:
            return False

    def right(self, said: str) -> bool:
        """Whether `said` is the token; it takes as long for a wrong one."""
        return hmac.compare_digest(said.encode("utf-8", "replace"), self.token.encode())

    @property
    def cookie(self) -> tuple[str, str]:
        """Name and value of the session's cookie. Servers on one machine share cookies, so the name is the token's."""
        key = self.token.encode()
        return f"vitrine-{hashlib.sha256(key).hexdigest()[:8]}", hmac.digest(key, b"vitrine session", "sha256").hex()

    def admits(self, request: Request) -> bool:
        """Whether this request comes from somebody who signed in, or need not."""
        if not self.token or request.path in OPEN:
            return True
        name, value = self.cookie
        if hmac.compare_digest(request.cookies.get(name, "").encode("utf-8", "replace"), value.encode()):
            return True
        kind, _, said = request.headers.get("Authorization", "").partition(" ")
        return kind.lower() == "bearer" and self.tried(request, said.strip())

    def tried(self, request: Request, said: str) -> bool:
        """Whether `said` is the token; a wrong one counts against its sender's address, which then has to wait."""
        if self.waits(request):
            return False
        if self.right(said):
            return True
        with self._lock:
            if len(self._wrong) > 10_000:
                self._wrong.clear()
            self._wrong.setdefault(request.remote_addr or "", []).append(time.monotonic())
        return False

    def waits(self, request: Request) -> bool:
        """Whether this address sent too many wrong tokens lately."""
        with self._lock:
            there = self._wrong.get(request.remote_addr or "", [])
            there[:] = [when for when in there if time.monotonic() - when < WITHIN]
            return len(there) >= TRIES


def beyond(host: str) -> bool:
    """Whether the pages served on `host` reach beyond this machine: on its network, or through a proxy."""
    return host not in LOOPBACK or bool(settings.value("VITRINE_HOSTS") or settings.value("VITRINE_PROXY"))


def ours(request: Request) -> bool:
    """Whether no other site makes the browser send this: what the browser says of it names this server.

    What is no browser says nothing, and has no session that another site could use.
    """
    if request.headers.get("Sec-Fetch-Site", "none") not in ("same-origin", "none"):
        return False
    origin = request.headers.get("Origin")
    if origin is None:
        return True
    try:
        parts = urlsplit(origin)
        return parts.scheme in ("http", "https") and _bare(parts.netloc) == _bare(request.host)
    except ValueError:
        return False


def _bare(host: str) -> str:
    """A host without the port that goes without saying."""
    return host.lower().removesuffix(":80").removesuffix(":443")


def guard(server: Flask, access: Access) -> None:
    """Have `server` ask `access` before it answers anything, and serve the page on which one signs in."""
    from flask import request

    @server.before_request
    def check() -> Response | None:
        if not access.knows(request.host):
            return sentence(
                f"this server answers to {', '.join(access.hosts)} only; VITRINE_HOSTS adds further names", 403
            )
        if request.method not in ("GET", "HEAD", "OPTIONS") and not ours(request):
            return sentence(NOT_OURS, 403)
        if request.path == SIGN_IN and access.token:
            return None
        if access.token and "token" in request.args and request.method == "GET":
            return _by_link(access)
        if not access.admits(request):
            return _turned_away(access)
        return None

    if access.token:

        @server.route(SIGN_IN, methods=["GET", "POST"])
        def sign_in() -> Response:
            if request.method == "GET":
                return _page(local(request.args.get("next", "/")), "")
            there = local(request.form.get("next", "/"))
            if access.tried(request, request.form.get("token", "").strip()):
                return _let_in(access, there)
            return _wrong(access, there, "That is not the token of this server.")


def _by_link(access: Access) -> Response:
    """The answer to a link that carries a token: the same link without it, so that it is not passed on unseen."""
    from flask import request

    query = request.query_string.decode("latin-1").split("&")
    rest = "&".join(part for part in query if not part.startswith("token="))
    there = local(request.path + (f"?{rest}" if rest else ""))
    if access.admits(request):
        return _go(there)
    if access.tried(request, request.args["token"]):
        return _let_in(access, there)
    return _wrong(access, there, "The token in this link is not that of this server: it may have been started anew.")


def _wrong(access: Access, there: str, why: str) -> Response:
    """The answer to a wrong token."""
    from flask import request

    if access.waits(request):
        return _page(there, f"{TRIES} wrong tokens came from your address: wait a minute before the next.", 429)
    return _page(there, why, 403)


def _turned_away(access: Access) -> Response:
    from flask import request

    if request.method == "GET" and "text/html" in request.headers.get("Accept", ""):
        query = request.query_string.decode("latin-1")
        return _page(local(request.path + (f"?{query}" if query else "")), "", 401)
    return sentence(ASK_TO_SIGN_IN, 401)


def _let_in(access: Access, there: str) -> Response:
    from flask import request

    answer = _go(there)
    name, value = access.cookie
    answer.set_cookie(name, value, httponly=True, samesite="Lax", secure=request.is_secure, path="/")
    return answer


def _go(there: str) -> Response:
    from flask import Response

    answer = Response(status=303)
    answer.headers["Location"] = there
    answer.headers["Cache-Control"] = "no-store"
    return answer


def local(there: str) -> str:
    """Return `there` where it is an address on this server, else that of the gallery."""
    plain = there.startswith("/") and not there.startswith(("//", "/\\")) and len(there) < 2**14
    return there if plain and there.isascii() and there.isprintable() else "/"


def _page(there: str, why: str, status: int = 200) -> Response:
    """The page on which one signs in; it needs no script and nothing from elsewhere."""
    from flask import Response

    from viz.components import shell

    told = f'<p role="alert">{html.escape(why)}</p>' if why else ""
    body = f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Sign in · Vitrine</title><style>{shell.colours()}
:root{{color-scheme:light dark}}
body{{font:16px/1.5 system-ui,sans-serif;max-width:28rem;margin:12vh auto;padding:0 1rem}}
label,input,button{{display:block;width:100%;box-sizing:border-box;font:inherit}}
input,button{{padding:.5rem;margin:.4rem 0}}
</style></head><body><main><h1>Vitrine</h1>{told}
<p>This server asks for its token. It stands at the end of the link that Vitrine printed when it was started.</p>
<form method="post" action="{SIGN_IN}"><label for="token">Token</label>
<input id="token" name="token" type="password" autocomplete="current-password" required autofocus>
<input type="hidden" name="next" value="{html.escape(there, quote=True)}"><button>Sign in</button></form>
</main></body></html>
"""
    answer = Response(body, status=status, mimetype="text/html")
    answer.headers["Cache-Control"] = "no-store"
    answer.headers["Content-Security-Policy"] = (
        "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
    return answer


def sentence(text: str, status: int) -> Response:
    """Return one sentence as an answer in plain text."""
    from flask import Response

    return Response(text + "\n", status=status, mimetype="text/plain")
