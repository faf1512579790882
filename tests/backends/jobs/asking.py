"""Requests about a bundled model's example, and the worker that carries them out."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

from backends import catalog, registry
from backends.errors import Cancelled
from backends.jobs import worker
from backends.methods.base import no_step
from backends.requests import Request
from backends.store import Store

RECEIPT = {"replacement": "", "effort": 1, "seed": 0}
R = TypeVar("R", bound=Request)


class Stop:
    """A step that cancels once `after` is reached, and keeps what it heard."""

    def __init__(self, after: float) -> None:
        self.after, self.heard = after, [0.0]

    def __call__(self, fraction: float) -> None:
        self.heard.append(fraction)
        if fraction > self.after:
            raise Cancelled


class Asking:
    """One input of one model, asked about in a store of its own."""

    def __init__(self, folder: Path, model: str, example: int = 0, target: Any = None, raw: Any = None) -> None:
        self.store, self.folder = Store(folder), folder
        source = catalog.resolve(model)
        self.named = {"model": source.name, "revision": source.revision}
        self.example = catalog.card(model)["examples"][example] if raw is None else {}
        self.input = {"input": self.store.put_input(raw or self._raw(model, self.example["input"])), "target": target}

    @staticmethod
    def _raw(model: str, given: str) -> dict[str, Any]:
        path = catalog.shipped(model) / given
        return {"image": path} if path.is_file() else {"text": given}

    def request(self, kind: type[R], **more: Any) -> R:
        """A request about the model."""
        return kind(**{**self.named, **more})

    def tested(self, kind: type[R], method: str, **more: Any) -> R:
        """A request about the map of `method`, with its usual options and those of a receipt."""
        options = registry.method(method).build({}).options()
        return self.request(kind, **{**self.input, "method": method, "options": options, "receipt": RECEIPT, **more})

    def do(self, request: Request, step: Any = no_step) -> Any:
        """What the worker answers, kept under its key as the engine keeps it."""
        made = worker.perform(request.plain(), str(self.folder), step)
        put = self.store.put_document if isinstance(made, dict) else self.store.put_result
        put(request.key(), made)  # type: ignore[arg-type]
        return made
