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

Tell = Callable[[int, StoredAttention], None]
Key = tuple[str, str, int, str, str, int]
"""Model, revision, the network in memory, input, part, layer."""


def digest(batch: Batch) -> str:
    """What the network is given, as 64 hex characters."""
    import torch

    made = hashlib.sha256()
    for name, value in sorted(batch.inputs.items()):
        flat = value.detach().cpu().contiguous().reshape(-1)
        made.update(f"{name} {tuple(value.shape)} {value.dtype} ".encode())
        made.update(flat.view(torch.uint8).numpy().tobytes())
    return made.hexdigest()


class Recorded:
    """Calls of the attention kernel by model, revision, input, part and layer, at most `most_bytes` of them.

    Safe for threads: a forward holds its model's lock, and two threads that want one layer compute it once.
    """

    def __init__(self, most_bytes: int) -> None:
        self.most_bytes = most_bytes
        self.forwards = 0
        self._kept: OrderedDict[Key, StoredAttention] = OrderedDict()
        self._known: set[int] = set()
        self._lock = threading.RLock()  # a network may be collected, and `_gone` called, while it is held

    def each(self, model: Model, batch: Batch, part: str, layers: Iterable[int], tell: Tell) -> None:
        """`tell` each of `layers`: those that are kept at once, the others during one forward, which ends with them."""
        with model.lock:
            missing = self._told(model, batch, part, layers, tell)
            if missing:
                self.forwards += 1
                self._forward(model, batch, part, missing, tell, lambda: model.outputs(model.features(batch), batch))

    def every(self, model: Model, batch: Batch, part: str, layers: Iterable[int], tell: Tell) -> list[Any]:
        """`tell` each of `layers` and return the model's prediction, of the same forward where it takes one."""
        choices: list[Any] = []
        with model.lock:
            missing = self._told(model, batch, part, layers, tell)

            def predict() -> None:
                choices.extend(model.predict(batch))

            self.forwards += 1
            heard = self._forward(model, batch, part, missing, tell, predict, whole=True)
        self.each(model, batch, part, missing - heard, tell)  # a model that predicts without its network
        return choices

    def call(self, model: Model, batch: Batch, part: str, layer: int) -> StoredAttention:
        """One layer's queries and keys."""
        found: list[StoredAttention] = []
        self.each(model, batch, part, [layer], lambda _, kept: found.append(kept))
        return found[-1]

    def size(self) -> int:
        """The bytes that are held; what calls share counts once."""
        with self._lock:
            return self._size()

    def layers(self) -> list[int]:
        """The layers that are kept, what was looked at last at the end."""
        with self._lock:
            return [key[-1] for key in self._kept]

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._kept.clear()

    def _told(self, model: Model, batch: Batch, part: str, layers: Iterable[int], tell: Tell) -> set[int]:
        """Tell what is kept; returns what is not."""
        missing = set()
        of = self._key(model, batch, part)
        for layer in layers:
            with self._lock:
                kept = self._kept.get((*of, layer))
                if kept is not None:
                    self._kept.move_to_end((*of, layer))
            if kept is None:
                missing.add(layer)
            else:
                tell(layer, kept)
        return missing

    def _forward(
        self, model: Model, batch: Batch, part: str, layers: set[int], tell: Tell, run: Callable[[], Any],
        whole: bool = False,
    ) -> set[int]:  # fmt: skip
        """Run the model and tell `layers`, keeping them where all fit; returns those it passed through."""
        import torch

        of, heard, sites = self._key(model, batch, part), set[int](), model.stack(part)
        self._watch(model.module)

        def hear(layer: int, call: StoredAttention) -> None:
            heard.add(layer)
            tell(layer, call)
            if sum(call.storage_bytes().values()) * len(layers) <= self.most_bytes:
                self._keep((*of, layer), call)
            if heard >= layers and not whole:
                raise StopForward

        with torch.no_grad(), record(model.module, sites, qk=layers, on_layer=hear):
            run()
        return heard

    def _keep(self, key: Key, call: StoredAttention) -> None:
        with self._lock:
            self._kept[key] = call
            self._kept.move_to_end(key)
            while self._size() > self.most_bytes:
                self._kept.popitem(last=False)

    def _size(self) -> int:
        stores: dict[int, int] = {}
        for call in list(self._kept.values()):
            stores |= call.storage_bytes()
        return sum(stores.values())

    def _key(self, model: Model, batch: Batch, part: str) -> tuple[str, str, int, str, str]:
        return model.name, model.revision, id(model.module), digest(batch), part

    def _watch(self, module: Any) -> None:
        """Forget a network's calls when it goes, before another one can have its place in memory."""
        if id(module) not in self._known:
            self._known.add(id(module))
            weakref.finalize(module, self._gone, id(module))

    def _gone(self, number: int) -> None:
        with self._lock:
            self._known.discard(number)
            for key in [key for key in self._kept if key[2] == number]:
                self._kept.pop(key, None)


def limit() -> int:
    """Return VITRINE_QK_GB in bytes. Raises `Refused` when it is no number."""
    return int(settings.number("VITRINE_QK_GB") * 2**30)


recorded = Recorded(limit())
