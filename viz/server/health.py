"""Whether the server can work, and figures of its work: `/ready` and `/metrics`. Dash's `/health` says it lives."""

from __future__ import annotations

import os
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flask import Blueprint, Response

    from backends.jobs.engine import Engine
    from backends.store import Store

LOOK_EVERY = 60.0
"""Seconds between two looks at the size of the whole store: it may hold a hundred thousand files."""
FIGURES = "FIGURES"
"""The app's setting that holds what the web server counts of its connections: a function without arguments."""
HELP = {
    "jobs": ("gauge", "Jobs that are known now, by how they stand."),
    "jobs_ended_total": ("counter", "Jobs that ended since the start, by how they ended."),
    "workers": ("gauge", "Worker processes that are there."),
    "connections": ("gauge", "Connections held by the web server."),
    "connections_refused_total": ("counter", "Connections turned away because there was no room."),
    "connections_dropped_total": ("counter", "Connections closed because they were idle, slow or unread."),
    "requests_waiting": ("gauge", "Requests that wait for a thread."),
    "threads": ("gauge", "Requests that are answered at a time."),
    "store_bytes": ("gauge", "Bytes kept in the store, as of the last minute."),
    "store_limit_bytes": ("gauge", "Bytes that the store keeps at most."),
    "uptime_seconds": ("gauge", "Seconds since the start."),
}


def blueprint(engine: Engine) -> Blueprint:
    """Return the routes `/ready` and `/metrics` over `engine` and its store."""
    from flask import Blueprint, Response, current_app, jsonify

    routes = Blueprint("operations", __name__)
    began, size = time.monotonic(), Sometimes(engine.store.size)

    @routes.get("/ready")
    def ready() -> Response:
        why = {"worker": engine.lack(), "store": unwritable(engine.store)}
        answer = jsonify({"ready": not any(why.values()), **{part: said or "ok" for part, said in why.items()}})
        answer.status_code = 503 if any(why.values()) else 200
        answer.headers["Cache-Control"] = "no-store"
        return answer

    @routes.get("/metrics")
    def metrics() -> Response:
        figures = engine.figures()
        counted: Callable[[], Mapping[str, int]] = current_app.config.get(FIGURES, dict)
        found: dict[str, Any] = {
            "jobs": figures["jobs"], "jobs_ended_total": figures["ended"], "workers": figures["workers"],
            **counted(), "store_bytes": size(), "store_limit_bytes": engine.store.limit,
            "uptime_seconds": round(time.monotonic() - began, 1),
        }  # fmt: skip
        return Response("".join(lines(found)), mimetype="text/plain", content_type="text/plain; version=0.0.4")

    return routes


def lines(found: Mapping[str, Any]) -> Iterator[str]:
    """Return the figures in Prometheus' text format; a mapping is one figure by how a job stands."""
    for name, value in found.items():
        kind, told = HELP[name]
        yield f"# HELP vitrine_{name} {told}\n# TYPE vitrine_{name} {kind}\n"
        for state, number in value.items() if isinstance(value, Mapping) else [("", value)]:
            label = f'{{state="{state}"}}' if state else ""
            yield f"vitrine_{name}{label} {number}\n"


class Sometimes:
    """The last answer of `look`, which is asked anew once in a while, by one thread."""

    def __init__(self, look: Callable[[], int], every: float = LOOK_EVERY) -> None:
        self._look, self._every = look, every
        self._lock, self._when, self._last = threading.Lock(), -every, 0

    def __call__(self) -> int:
        """Return the figure."""
        if time.monotonic() - self._when >= self._every and self._lock.acquire(blocking=False):
            try:
                self._last, self._when = self._look(), time.monotonic()
            finally:
                self._lock.release()
        return self._last


def unwritable(store: Store) -> str:
    """Return why the store's folder cannot be written to, or nothing."""
    file = store.root / "tmp" / f"ready-{uuid.uuid4().hex}"
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            file.write_bytes(b"ready")
        finally:
            file.unlink(missing_ok=True)
    except OSError as error:
        return f"the store cannot be written ({os.strerror(error.errno or 0).lower()})"
    return ""
