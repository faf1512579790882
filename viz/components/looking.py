"""An engine that only looks while a first view is settled: a page that is opened must not start or keep anything.

Opening an address is no request of the person's own (another site's link does it, a preview, a robot); asking for
a job is. So while `looking`, what a page would ask for is looked up, and what is not there raises `Later`.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from backends import catalog
from backends.errors import Refused
from backends.requests import key_of

if TYPE_CHECKING:
    from backends.jobs.engine import Engine
    from backends.results import Result


class Later(Exception):
    """This cannot be looked up; the browser asks for it once the page is there."""


@dataclass
class Seen:
    """What a view was made of: the keys of answers, the inputs, and the models that were asked.

    `missed` says that an answer was not there, `passing` that one holds for a while only.
    """

    keys: set[str] = field(default_factory=set)
    inputs: set[str] = field(default_factory=set)
    models: set[str] = field(default_factory=set)
    missed: bool = False
    passing: bool = False


_SEEN: ContextVar[Seen | None] = ContextVar("seen", default=None)


@contextmanager
def looking() -> Iterator[Seen]:
    """Within this, engines of `only_looking` start and keep nothing; yields what is looked up."""
    seen = Seen()
    token = _SEEN.set(seen)
    try:
        yield seen
    finally:
        _SEEN.reset(token)


def _is_example(raw: Mapping[str, Any]) -> bool:
    """Whether this is an example that ships with a model: of those there are few, and no address adds one."""
    texts = tuple(str(raw[name]) for name in raw if name != "image")
    image = raw.get("image")
    return (not texts or texts in _texts()) and (image is None or _ships(image))


def _ships(image: Any) -> bool:
    return isinstance(image, Path) and image.is_relative_to(catalog.BUNDLED)


@functools.cache
def _texts() -> frozenset[tuple[str, ...]]:
    """The texts of the bundled examples."""
    return frozenset(
        tuple(str(e[name]) for name in ("input", "text", "pair", "output") if isinstance(e.get(name), str))
        for card in catalog.bundled()
        for e in card.get("examples", [])
    )


@contextmanager
def _noted(kind: str, name: str) -> Iterator[None]:
    """Note what is read while a view is settled; what cannot be read may come, so the view holds for now only."""
    seen = _SEEN.get() or Seen()
    try:
        yield
    except Refused:
        seen.passing = True
        raise
    getattr(seen, kind).add(name)


class _Store:
    """The store of an engine, for pages."""

    def __init__(self, store: Any) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def get_document(self, key: str) -> dict[str, Any]:
        with _noted("keys", key):
            return self._store.get_document(key)

    def get_result(self, key: str) -> Result:
        with _noted("keys", key):
            return self._store.get_result(key)

    def get_input(self, digest: str) -> dict[str, Any]:
        with _noted("inputs", digest):
            return self._store.get_input(digest)

    def put_input(self, raw: Mapping[str, Any]) -> str:
        seen = _SEEN.get()
        if seen is None:
            return self._store.put_input(raw)
        digest = self._store.kept_input(raw)
        if digest is None and _is_example(raw):
            digest = self._store.put_input(raw)
        if digest is None:
            raise Later("an input that is not kept yet")
        seen.inputs.add(digest)
        return digest


class _Engine:
    """An engine, for pages."""

    def __init__(self, engine: Any) -> None:
        self._engine = engine
        self.store = _Store(engine.store)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def submit(self, request: Mapping[str, Any], owner: str, priority: int = 0) -> str:
        seen = _SEEN.get()
        if seen is None:
            return self._engine.submit(request, owner, priority)
        key = key_of(request)
        if not self._engine.store.has(key):
            seen.missed = True
            raise Later("a job")
        seen.keys.add(key)
        seen.models.add(str(request.get("model")))
        seen.passing |= "when" in request  # a forecast counts for a stretch of time
        return key


def only_looking(engine: Engine) -> Engine:
    """Return `engine` for the callbacks of pages: itself, but for what is done while `looking`."""
    return cast("Engine", _Engine(engine))
