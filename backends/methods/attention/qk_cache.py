"""Queries and keys of the layers that were looked at, so that another head, row or tile of an input costs no forward.

One store for the process, bounded in bytes: what was not looked at for longest goes first.
"""

from __future__ import annotations

import hashlib
import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from backends import settings
from backends.hooks.attention_call import StoredAttention
from backends.hooks.recording import StopForward, record

if TYPE_CHECKING:
    from backends.models.base import Batch, Model

OnLayer = Callable[[int, StoredAttention], None]
Key = tuple[str, str, int, str, str, int]
"""Model, revision, the network in memory, input, part, layer."""


def digest_input(batch: Batch) -> str:
    """Return the SHA-256 of the network's inputs, as 64 hex characters."""
    import torch

    made = hashlib.sha256()
    for name, value in sorted(batch.inputs.items()):
        flat = value.detach().cpu().contiguous().reshape(-1)
        made.update(f"{name} {tuple(value.shape)} {value.dtype} ".encode())
        made.update(flat.view(torch.uint8).numpy().tobytes())
    return made.hexdigest()


class QkCache:
    """Calls of the attention kernel by model, revision, input, part and layer, at most `most_bytes` of them.

    Safe for threads: a forward holds its model's lock, and two threads that want one layer compute it once.
    """

    def __init__(self, most_bytes: int) -> None:
        self.most_bytes = most_bytes
        self.forwards = 0
        self._calls: OrderedDict[Key, StoredAttention] = OrderedDict()
        self._known: set[int] = set()
        self._lock = threading.RLock()  # a network may be collected, and `_forget` called, while it is held

    def visit(self, model: Model, batch: Batch, part: str, layers: Iterable[int], on_layer: OnLayer) -> None:
        """Call `on_layer` with each of `layers`: the cached ones first, the others in one forward that stops there."""
        with model.lock:
            missing = self._visit_cached(model, batch, part, layers, on_layer)
            if missing:
                self.forwards += 1
                self._run_forward(
                    model, batch, part, missing, on_layer, lambda: model.outputs(model.features(batch), batch)
                )

    def visit_and_predict(
        self, model: Model, batch: Batch, part: str, layers: Iterable[int], on_layer: OnLayer
    ) -> list[Any]:
        """Call `on_layer` with each of `layers` and return the model's prediction, of the same forward."""
        choices: list[Any] = []
        with model.lock:
            missing = self._visit_cached(model, batch, part, layers, on_layer)

            def predict() -> None:
                choices.extend(model.predict(batch))

            self.forwards += 1
            heard = self._run_forward(model, batch, part, missing, on_layer, predict, whole=True)
        self.visit(model, batch, part, missing - heard, on_layer)  # a model that predicts without its network
        return choices

    def read_call(self, model: Model, batch: Batch, part: str, layer: int) -> StoredAttention:
        """Return one layer's queries and keys."""
        found: list[StoredAttention] = []
        self.visit(model, batch, part, [layer], lambda _, kept: found.append(kept))
        return found[-1]

    def count_bytes(self) -> int:
        """Return the bytes that are held; what calls share counts once."""
        with self._lock:
            return self._count_bytes()

    def layers(self) -> list[int]:
        """Return the cached layers, the one used last at the end."""
        with self._lock:
            return [key[-1] for key in self._calls]

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._calls.clear()

    def _visit_cached(
        self, model: Model, batch: Batch, part: str, layers: Iterable[int], on_layer: OnLayer
    ) -> set[int]:
        """Call `on_layer` with the cached layers, and return those that are not cached."""
        missing = set()
        of = self._make_key(model, batch, part)
        for layer in layers:
            with self._lock:
                kept = self._calls.get((*of, layer))
                if kept is not None:
                    self._calls.move_to_end((*of, layer))
            if kept is None:
                missing.add(layer)
            else:
                on_layer(layer, kept)
        return missing

    def _run_forward(
        self, model: Model, batch: Batch, part: str, layers: set[int], on_layer: OnLayer, run: Callable[[], Any],
        whole: bool = False,
    ) -> set[int]:  # fmt: skip
        """Run the model, call `on_layer` with each of `layers`, cache them where all fit; return those that came by."""
        import torch

        of, heard, sites = self._make_key(model, batch, part), set[int](), model.stack(part)
        self._forget_with(model.module)

        def take(layer: int, call: StoredAttention) -> None:
            heard.add(layer)
            on_layer(layer, call)
            if sum(call.storage_bytes().values()) * len(layers) <= self.most_bytes:
                self._store((*of, layer), call)
            if heard >= layers and not whole:
                raise StopForward

        with torch.no_grad(), record(model.module, sites, qk=layers, on_layer=take):
            run()
        return heard

    def _store(self, key: Key, call: StoredAttention) -> None:
        with self._lock:
            self._calls[key] = call
            self._calls.move_to_end(key)
            while self._count_bytes() > self.most_bytes:
                self._calls.popitem(last=False)

    def _count_bytes(self) -> int:
        stores: dict[int, int] = {}
        for call in list(self._calls.values()):
            stores |= call.storage_bytes()
        return sum(stores.values())

    def _make_key(self, model: Model, batch: Batch, part: str) -> tuple[str, str, int, str, str]:
        return model.name, model.revision, id(model.module), digest_input(batch), part

    def _forget_with(self, module: Any) -> None:
        """Forget a network's calls when it goes, before another one can have its place in memory."""
        if id(module) not in self._known:
            self._known.add(id(module))
            weakref.finalize(module, self._forget, id(module))

    def _forget(self, number: int) -> None:
        with self._lock:
            self._known.discard(number)
            for key in [key for key in self._calls if key[2] == number]:
                self._calls.pop(key, None)


def read_limit() -> int:
    """Return VITRINE_QK_GB in bytes. Raises `Refused` when it is no number."""
    return int(settings.number("VITRINE_QK_GB") * 2**30)


cache = QkCache(read_limit())
