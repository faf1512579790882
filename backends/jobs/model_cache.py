"""The models that a worker process keeps open, so that the next job does not wait for them."""

from __future__ import annotations

import threading
from collections import OrderedDict
from functools import cache

from backends import catalog, running
from backends.cost import memory
from backends.errors import Refused
from backends.models.base import Model
from backends.models.batching import release
from backends.requests import Request


class ModelCache:
    """Open models, least recently used first to go, bounded by the bytes of their weights and buffers.

    Room is made before a model is opened, by what its files say it needs. Models are opened outside the lock: who asks
    for one that is open does not wait, and of several who ask for the same new one, one opens it.
    """

    def __init__(self, most_bytes: int) -> None:
        self.most_bytes = most_bytes
        self._open: OrderedDict[tuple[str, str], Model] = OrderedDict()
        self._coming: dict[tuple[str, str], int] = {}
        self._turns: dict[tuple[str, str], threading.Lock] = {}
        self._lock = threading.Lock()

    def get(self, name: str) -> Model:
        """Return the model called `name`, opened if it is not open or its files have changed. Raises `Refused`."""
        source = catalog.resolve(name)
        key = (source.name, source.revision)
        found = self._find(key)
        if found is not None:
            return found
        with self._lock:
            turn = self._turns.setdefault(key, threading.Lock())
        with turn:
            return self._find(key) or self._open_new(key, source)

    def names(self) -> list[str]:
        """Name the models that are open, what was used last at the end."""
        with self._lock:
            return [name for name, _ in self._open]

    def peek(self, name: str) -> Model | None:
        """Return the model called `name` where it is open; a model that cannot be opened is not."""
        try:
            source = catalog.resolve(name)
        except Refused:  # a config without weights
            return None
        return self._find((source.name, source.revision))

    def _find(self, key: tuple[str, str]) -> Model | None:
        with self._lock:
            if key in self._open:
                self._open.move_to_end(key)
            return self._open.get(key)

    def _open_new(self, key: tuple[str, str], source: catalog.Source) -> Model:
        try:
            source = catalog.fetch(source)
            device = running.device(source.settings.device)
            self._make_room(key, source, device)
            model = running.open_source(source)
            with self._lock:
                self._open[key] = model
            return model
        finally:
            with self._lock:
                self._coming.pop(key, None)
                self._turns.pop(key, None)
            self._make_room()

    def _make_room(
        self, key: tuple[str, str] = ("", ""), source: catalog.Source | None = None, device: str = ""
    ) -> None:
        """Let the oldest models go until the next fits beside the others; without one, until all that are open fit.

        Raises `Refused` where it fits nowhere, and then nothing goes.
        """
        need, least = 0, 1
        if source is not None:
            with self._lock:
                held = sum(memory.count_held_bytes(m) for m in self._open.values() if m.device == device)
            need, least = memory.check_fits(source, device, held), 0
            with self._lock:
                self._coming[key] = need
        while True:
            with self._lock:
                if len(self._open) <= least or self._fits(need, device):
                    return
                self._open.popitem(last=False)
            release()

    def _fits(self, need: int, device: str) -> bool:
        """Whether what is open and what is coming keeps within the bounds, and `need` bytes are free."""
        held = sum(map(memory.count_held_bytes, self._open.values()))
        if held + sum(self._coming.values()) > self.most_bytes:
            return False
        return not need or need + memory.SPARE <= memory.measure_free_bytes(device)


@cache
def models() -> ModelCache:
    """Return the open models of this process."""
    return ModelCache(memory.read_budget())


def find_model(request: Request) -> Model:
    """Return the model of `request`. Raises `Refused` when its files have changed since the page opened it."""
    model = models().get(request.model)
    if request.revision != model.revision:
        raise Refused(f"the files of {model.name} have changed since this page opened it: reload the page")
    return model
