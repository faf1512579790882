"""What a worker process does: keep models warm, and perform one request after another."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import backends
from backends import catalog, opening
from backends.errors import Refused
from backends.methods._base import Step, no_step
from backends.models._base import Model
from backends.results import Result
from backends.store import Store


class Warm:
    """Open models, least recently used first to go, bounded by the bytes of their weights."""

    def __init__(self, most_bytes: int) -> None:
        self.most_bytes = most_bytes
        self._open: OrderedDict[tuple[str, str], Model] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, name: str) -> Model:
        """The model called `name`, opened if it is not open or its files have changed."""
        source = catalog.resolve(name)
        key = (source.name, source.revision)
        with self._lock:
            model = self._open.get(key)
            if model is None:
                model = self._open[key] = opening.open_source(source)
                self._evict(key)
            self._open.move_to_end(key)
            return model

    def _evict(self, keep: tuple[str, str]) -> None:
        while len(self._open) > 1 and sum(map(_bytes, self._open.values())) > self.most_bytes:
            oldest = next(key for key in self._open if key != keep)
            del self._open[oldest]


def _bytes(model: Model) -> int:
    return sum(p.numel() * p.element_size() for p in model.module.parameters())


warm = Warm(int(float(os.environ.get("VITRINE_MODEL_GB", "8")) * 2**30))


def preload() -> None:
    """Import what every job needs, so that the first one does not wait for it."""
    import captum.attr  # noqa: F401
    import torch  # noqa: F401
    import transformers.models.auto.modeling_auto  # noqa: F401

    from backends import capture  # noqa: F401


def perform(request: Mapping[str, Any], store_root: str, step: Step = no_step) -> Result | dict[str, Any]:
    """Carry out one request: open a model, predict, check a method, or run a method. Raises `Refused`."""
    jobs = {"open": _open, "predict": _predict, "check": _check, "run": _run}
    if request.get("job") not in jobs:
        raise Refused(f"no job {str(request.get('job'))[:40]!r}; there are: {', '.join(jobs)}")
    job: Any = jobs[request["job"]]
    return job(request, Store(store_root), step)


def _open(request: Mapping[str, Any], store: Store, step: Step) -> dict[str, Any]:
    step(0.05)
    return opening.card(warm.get(request["model"]))


def _model(request: Mapping[str, Any]) -> Model:
    """The model that the request is about. Raises `Refused` when its files have changed since it was asked."""
    model = warm.get(request["model"])
    if request.get("revision") != model.revision:
        raise Refused(f"the files of {model.name} have changed since this page opened it: reload the page")
    return model


def _predict(request: Mapping[str, Any], store: Store, step: Step) -> dict[str, Any]:
    model = _model(request)
    batch = model.encode(store.get_input(request["input"]))
    return {
        "prediction": backends.prediction(model, batch),
        "tokens": list(batch.tokens),
        "spans": batch.spans.tolist() if batch.spans is not None else None,
    }


def _check(request: Mapping[str, Any], store: Store, step: Step) -> dict[str, Any]:
    from backends.methods import _validity

    return _validity.check(_model(request), request["method"], step)


def _run(request: Mapping[str, Any], store: Store, step: Step) -> Result:
    model = _model(request)
    raw = store.get_input(request["input"])
    return backends.run(
        model, request["method"], raw, target=request["target"], step=step, request=request, **request["options"]
    )
