"""Requests of the evidence page on a bundled model's example, and the worker that carries them out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from backends import catalog, registry
from backends.jobs import worker
from backends.methods.base import no_step
from backends.requests import key_of
from backends.results import VERSION
from backends.store import Store

RECEIPT = {"replacement": "", "effort": 1, "seed": 0}


class Asking:
    """One input of one model, asked about in a store of its own."""

    def __init__(self, folder: Path, model: str, example: int = 0, target: Any = None, raw: Any = None) -> None:
        self.store, self.folder = Store(folder), folder
        source = catalog.resolve(model)
        self.named = {"model": model, "revision": source.revision, "version": VERSION}
        self.example = catalog.card(model)["examples"][example] if raw is None else {}
        given = raw or self._raw(model, self.example["input"])
        self.base = {**self.named, "input": self.store.put_input(given), "target": target}

    @staticmethod
    def _raw(model: str, given: str) -> dict[str, Any]:
        path = catalog.shipped(model) / given
        return {"image": path} if path.is_file() else {"text": given}

    def request(self, job: str, method: str = "", **more: Any) -> dict[str, Any]:
        """A request; that of a method carries its options and a receipt's."""
        about: dict[str, Any] = {"job": job, **self.base}
        if method:
            about |= {"method": method, "options": registry.method(method).build({}).options(), "receipt": RECEIPT}
        return about | more

    def do(self, request: Any, step: Any = no_step) -> Any:
        """What the worker answers, kept under its key as the engine keeps it."""
        made = worker.perform(request, str(self.folder), step)
        put = self.store.put_document if isinstance(made, dict) else self.store.put_result
        put(key_of(request), made)  # type: ignore[arg-type]
        return made
