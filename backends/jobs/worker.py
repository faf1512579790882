"""What a worker process does: keep models warm, and perform one request after another."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from backends import catalog, running
from backends.cost import forecast, memory
from backends.errors import Crowded, Refused, Unsettled
from backends.methods import generation
from backends.methods.base import Step, no_step
from backends.models import input_pair
from backends.models.base import Batch, Model
from backends.models.batching import WOULD_FIT, out_of_memory, release
from backends.requests import key_of, receipt_key
from backends.results import Result
from backends.store import Store

log = logging.getLogger("vitrine")


class Warm:
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
        """The model called `name`, opened if it is not open or its files have changed. Raises `Refused`."""
        source = catalog.resolve(name)
        key = (source.name, source.revision)
        found = self._there(key)
        if found is not None:
            return found
        with self._lock:
            turn = self._turns.setdefault(key, threading.Lock())
        with turn:
            return self._there(key) or self._opened(key, source)

    def names(self) -> list[str]:
        """The models that are open, what was used last at the end."""
        with self._lock:
            return [name for name, _ in self._open]

    def peek(self, name: str) -> Model | None:
        """The model called `name` where it is open."""
        source = catalog.resolve(name)
        return self._there((source.name, source.revision))

    def _there(self, key: tuple[str, str]) -> Model | None:
        with self._lock:
            if key in self._open:
                self._open.move_to_end(key)
            return self._open.get(key)

    def _opened(self, key: tuple[str, str], source: catalog.Source) -> Model:
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


warm = Warm(memory.read_budget())


def preload() -> None:
    """Import what every job needs, so that the first one does not wait for it."""
    import captum.attr  # noqa: F401
    import torch  # noqa: F401
    import transformers.models.auto.modeling_auto  # noqa: F401

    from backends.hooks import recording  # noqa: F401


def perform(request: Mapping[str, Any], store_root: str, step: Step = no_step) -> Result | dict[str, Any]:
    """Carry out one request: open a model, predict, check or run a method, continue a text. Raises `Refused`."""
    jobs = {
        "open": _open,
        "forecast": _forecast,
        "predict": _predict,
        "corrupt": _corrupt,
        "check": _check,
        "run": _run,
        "generate": _generate,
        "window": _window,
        "table": _table,
        "sweep": _sweep,
        "receipt": _receipt,
        **dict.fromkeys(("audit", "together", "numbers", "parts", "survey", "blind"), _audit),
    }
    if request.get("job") not in jobs:
        raise Refused(f"no job {str(request.get('job'))[:40]!r}; there are: {', '.join(jobs)}")
    job: Any = jobs[request["job"]]
    try:
        return job(request, Store(store_root), step)
    except Exception as error:
        if isinstance(error, Refused) or not out_of_memory(error):
            raise
    release()  # here, where the error no longer holds the tensors of the failed job
    raise Crowded(f"memory ran out while computing this; {WOULD_FIT}")


def _open(request: Mapping[str, Any], store: Store, step: Step) -> dict[str, Any]:
    step(0.05)
    return running.card(warm.get(request["model"]))


def _model(request: Mapping[str, Any]) -> Model:
    """The model that the request is about. Raises `Refused` when its files have changed since it was asked."""
    model = warm.get(request["model"])
    if request.get("revision") != model.revision:
        raise Refused(f"the files of {model.name} have changed since this page opened it: reload the page")
    return model


def _predict(request: Mapping[str, Any], store: Store, step: Step) -> dict[str, Any]:
    model = _model(request)
    try:
        batch = input_pair.encode(model, store.get_input(request["input"]))
    except input_pair.Unequal as unequal:
        return {"unequal": str(unequal), "opposite": unequal.opposite}
    other = batch.corrupted
    beside = {"prediction": running.prediction(model, other), "tokens": list(other.tokens)} if other else None
    return {
        "prediction": running.prediction(model, batch),
        "corrupted": beside,
        "output": _number(model, batch),
        "tokens": list(batch.tokens),
        "spans": batch.spans.tolist() if batch.spans is not None else None,
        "patches": {"grid": list(batch.grid), "first": batch.first_patch} if batch.grid is not None else None,
    }


def _corrupt(request: Mapping[str, Any], store: Store, step: Step) -> dict[str, Any]:
    """Make a corrupted input of `input`, and keep both as a pair."""
    model, clean = _model(request), store.get_input(request["input"])
    options = {name: request[name] for name in ("how", "tokens", "word", "seed") if name in request}
    with model.lock:
        made = input_pair.corrupt(model, clean, **options)
        batch = input_pair.encode(model, {"clean": clean, "corrupted": made})
    sides = {"clean": request["input"], "corrupted": store.put_input(made)}
    pair = store.put_input({"clean": clean, "corrupted": made})
    tokens = [list(side.tokens) for side in (batch, batch.corrupted) if side is not None]
    return {**sides, "pair": pair, "text": made.get("text"), "tokens": tokens}


def _number(model: Model, batch: Batch) -> float | None:
    """The answer of a network whose answer is one number: how similar two texts are."""
    if "pair" not in model.offers or not batch.raw.get("pair"):
        return None
    with model.lock:
        return float(model.score(model.features(batch), batch, model.target(None, batch))[0])


def _check(request: Mapping[str, Any], store: Store, step: Step) -> dict[str, Any]:
    from backends.evidence import method_check

    return method_check.check(_model(request), request["method"], step)


def _run(request: Mapping[str, Any], store: Store, step: Step) -> Result:
    model = _model(request)
    raw = store.get_input(request["input"])
    _announce(model, request, raw, step)
    return running.run(
        model, request["method"], raw, target=request["target"], step=step, request=request, **request["options"]
    )


def _receipt(request: Mapping[str, Any], store: Store, step: Step) -> dict[str, Any]:
    """The receipt of a map: the request of its run with `receipt`, the options of `evidence.receipt`, beside it."""
    from backends import evidence

    model, run = _model(request), {**{k: v for k, v in request.items() if k != "receipt"}, "job": "run"}
    key = key_of(run)
    there = store.has(key)
    result = store.get_result(key) if there else _run(run, store, lambda fraction: step(fraction / 2))
    after = step if there else lambda fraction: step((1 + fraction) / 2)
    raw = store.get_input(request["input"])
    made = evidence.receipt(model, result, raw, step=after, **request.get("receipt", {})).plain()
    store.put_document(receipt_key(key), _with_words(store, receipt_key(key), made))
    return made


def _audit(request: Mapping[str, Any], store: Store, step: Step) -> Result | dict[str, Any]:
    """A job of the evidence page: see `backends.jobs.audit`."""
    from backends.jobs import audit

    model = _model(request)
    if "method" in request:
        _announce(model, request, store.get_input(request["input"]), step)
    return audit.perform(model, request, store, step)


def _with_words(store: Store, key: str, made: dict[str, Any]) -> dict[str, Any]:
    """What is kept beside a result: its receipt, or those of all its words that were tested."""
    if "word" not in made["facts"]:
        return made
    try:
        kept = store.get_document(key).get("words", {})
    except Refused:
        kept = {}
    return {"words": {**kept, str(made["facts"]["word"]): made}}


def _announce(model: Model, request: Mapping[str, Any], raw: Any, step: Step) -> None:
    """Say what a long run will take before it begins. Raises `Refused` where it cannot fit."""
    say = getattr(step, "say", None)
    if say is None:
        return
    try:
        batch = input_pair.encode(model, raw)
        words = forecast.announce(model, batch, request["method"], request["options"], request["target"])
    except Refused as refused:
        if isinstance(refused, Unsettled):
            raise
        return  # the run itself says why
    except Exception:  # a forecast stops no run
        log.warning("no forecast of %s on %s", request["method"], model.name, exc_info=True)
        return
    if words:
        say(words)


def _generate(request: Mapping[str, Any], store: Store, step: Step) -> dict[str, Any]:
    return generation.perform(_model(request), request, store, step)


def _table(request: Mapping[str, Any], store: Store, step: Step) -> dict[str, Any]:
    from backends.jobs import table

    return table.perform_table(_model(request), request, store, step)


def _sweep(request: Mapping[str, Any], store: Store, step: Step) -> Result:
    from backends.jobs import table

    return table.perform_sweep(_model(request), request, store, step)


def _window(request: Mapping[str, Any], store: Store, step: Step) -> dict[str, Any]:
    from backends.methods.attention import attention_window

    return attention_window.perform(_model(request), request, store, step)


def _forecast(request: Mapping[str, Any], store: Store, step: Step) -> dict[str, Any]:
    """What the model takes; with an `input`, what each of `methods` (name: options) takes for it."""
    if "input" not in request:
        model = warm.peek(request["model"])
        if model is not None:
            return forecast.forecast_model(model)
        source = catalog.configured(request["model"])
        return forecast.forecast_source(source, running.device(source.settings.device))
    model = _model(request)
    batch = model.encode(store.get_input(request["input"]))
    found = {}
    for method, options in request["methods"].items():
        found[method] = forecast.forecast_run(model, batch, method, options, request.get("target"))
        step(len(found) / len(request["methods"]))
    return {"runs": found}
