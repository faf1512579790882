"""What stands between the network and the app: headers, limits, and sentences instead of traces."""

from __future__ import annotations

import base64
import hashlib
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response, request, send_file
from werkzeug.exceptions import HTTPException

from backends import catalog
from backends.errors import Refused, Unsettled
from backends.inputs.turns import Turns
from viz.components import shell
from viz.server.access import Access, guard, sentence
from viz.server.listening import MOST_BODY

if TYPE_CHECKING:
    from dash import Dash

    from backends.jobs.engine import Engine

FILES = ("/maps/", "/examples/", "/inputs/", "/results/", "/tables/", "/audits/")
"""Below these there are files, never pages."""
LARGE = 2 * 2**20
"""Bytes of a request's body from which on it has to wait for its turn."""
log = logging.getLogger("vitrine")


def protect(app: Dash, engine: Engine, access: Access) -> None:
    """Add routes, rules, limits and headers to `app`; call it last, when all callbacks are registered."""
    from viz.server import downloads, evidence_downloads, health, maps, table_downloads

    server = app.server
    server.config["MAX_CONTENT_LENGTH"] = MOST_BODY
    server.config["MAX_FORM_MEMORY_SIZE"] = MOST_BODY
    server.register_blueprint(maps.blueprint(engine.store))
    server.register_blueprint(downloads.blueprint(engine.store))
    server.register_blueprint(table_downloads.blueprint(engine.store))
    server.register_blueprint(evidence_downloads.blueprint(engine.store))
    server.register_blueprint(examples())
    server.register_blueprint(health.blueprint(engine))
    guard(server, access)
    server.wsgi_app = Bounded(server.wsgi_app)

    @server.before_request
    def check() -> Response | None:
        if request.path.startswith(FILES) and request.url_rule is not None and request.url_rule.rule == "/<path:path>":
            return sentence(f"there is nothing at {request.path[:200]}", 404)  # Dash answers any path with its page
        return None

    @server.after_request
    def headers(response: Response) -> Response:
        if "Content-Security-Policy" not in response.headers:
            page = response.mimetype == "text/html"
            response.headers["Content-Security-Policy"] = (
                policy(app) if page else "default-src 'none'; frame-ancestors 'none'"
            )
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "same-origin"
        response.headers["Cross-Origin-Opener-Policy"] = "same-origin"
        response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
        return response

    @server.errorhandler(Exception)
    def failed(error: Exception) -> Response:
        if isinstance(error, Refused):
            return sentence(str(error), 400)
        if isinstance(error, HTTPException):
            if error.code == 413:
                return sentence(f"that is more than {MOST_BODY >> 20} MB; send less at a time", 413)
            return sentence(f"{error.name}: {request.path[:200]}", error.code or 500)
        if request.path.startswith("/_dash"):
            log.warning("a request to %s was not understood", request.path[:200], exc_info=error)
            return sentence("this is not a request that a page of Vitrine sends", 400)
        log.exception("a request to %s failed", request.path[:200])
        return sentence("Vitrine failed on this request; the server's log says more", 500)

    server.test_client().get("/health")  # Dash finishes its set-up at the first request; the policy needs it done


class Bounded:
    """The WSGI app, with large requests answered few at a time: reading one of 48 MB takes 150 MB of memory."""

    def __init__(self, application: Callable[..., Any]) -> None:
        self.application = application
        self.turns = Turns(at_once=3, waiting=9, patience=20.0)

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Any:
        """Answer one request, once its turn has come."""
        size = environ.get("CONTENT_LENGTH") or "0"
        if not size.isdecimal() or int(size) <= LARGE:
            return self.application(environ, start)
        try:
            with self.turns.turn():
                return self.application(environ, start)
        except Unsettled as refused:
            answer = sentence(str(refused), 503)
            answer.headers["Retry-After"] = "5"
            return answer(environ, start)


def policy(app: Dash) -> str:
    """The content-security policy of pages: nothing from elsewhere, and no script but the app's own."""
    early = base64.b64encode(hashlib.sha256(shell.EARLY.encode()).digest()).decode()
    return "; ".join(
        [
            "default-src 'self'",
            f"script-src 'self' 'sha256-{early}' {' '.join(app.csp_hashes())}",
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data: blob:",
            "font-src 'self' data:",
            "connect-src 'self'",
            "object-src 'none'",
            "base-uri 'none'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        ]
    )


def examples() -> Blueprint:
    """The pictures of the bundled examples, and the masks of what is true of them."""
    routes = Blueprint("examples", __name__)

    @routes.get("/examples/<model>/<int:index>")
    def picture(model: str, index: int) -> Response:
        found = _example(model, index)
        return _picture(model, found["input"])

    @routes.get("/examples/<model>/<int:index>/<name>")
    def mask(model: str, index: int, name: str) -> Response:
        truth = _example(model, index).get("truth", {})
        there = [n for n, file in truth.items() if isinstance(file, str)]
        if name not in there:
            raise Refused(f"no mask {name[:40]!r} of this example; there are: {', '.join(there) or 'none'}")
        return _picture(model, truth[name])

    return routes


def _example(model: str, index: int) -> Mapping[str, Any]:
    found = catalog.card(f"bundled/{model}").get("examples", [])
    if index >= len(found):
        raise Refused(f"no example {index} of bundled/{model[:80]}; it has {len(found)}")
    return found[index]


def _picture(model: str, file: str) -> Response:
    path: Path = catalog.BUNDLED / model / file
    if path.suffix != ".png" or not path.is_file():
        raise Refused("this example is a text, not a picture")
    return send_file(path, mimetype="image/png", max_age=3600)
