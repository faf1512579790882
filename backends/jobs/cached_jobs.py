"""Checks, maps and receipts, each computed once: kept where the other pages' jobs keep and find them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from backends import evidence, running
from backends.errors import Refused
from backends.evidence import method_check
from backends.methods.base import Step
from backends.models.base import Model
from backends.requests import Check, Receipt, Run, receipt_key
from backends.results import Result
from backends.store import Store


def keep(store: Store, key: str, make: Callable[[], Mapping[str, Any]]) -> dict[str, Any]:
    """Return the document of `key`, made and put there where it is not."""
    try:
        return store.get_document(key)
    except Refused:
        made = dict(make())
        store.put_document(key, made)
        return made


def check(model: Model, request: Check, store: Store, step: Step) -> dict[str, Any]:
    """Return whether the method is valid on the model, as the job `check` gives it."""
    return keep(store, request.key(), lambda: method_check.check(model, request.method, step))


def find_map(store: Store, request: Run) -> Result | None:
    """Return the map of `request` where it is kept, and whole."""
    try:
        return store.get_result(request.key())
    except Refused:
        return None


def compute_map(model: Model, request: Run, store: Store, step: Step, keep_map: bool = True) -> Result:
    """Return the map of `request`; `keep_map` puts a new one into the store. Raises `Refused`."""
    found = find_map(store, request)
    if found is not None:
        return found
    made = running.run_request(model, request, store.get_input(str(request.input)), step)
    if keep_map:
        store.put_result(request.key(), made)
    return made


def compute_receipt(model: Model, request: Receipt, store: Store, step: Step, keep_map: bool = True) -> dict[str, Any]:
    """Return the receipt of a map, which is computed where it is not kept. Raises `Refused`.

    The receipt is kept beside its map, too, unless it is about another target than the map was asked for.
    """
    made = keep(store, request.key(), lambda: _test(model, request, store, step, keep_map))
    if "target" not in request.receipt:
        _put_beside(store, receipt_key(request.run().key()), made)
    return made


def _test(model: Model, request: Receipt, store: Store, step: Step, keep_map: bool) -> dict[str, Any]:
    run = request.run()
    result = find_map(store, run)
    done = 0.0 if result is not None else 0.5  # how far the job is when the map is there
    if result is None:
        result = compute_map(model, run, store, lambda fraction: step(fraction / 2), keep_map)
    raw = store.get_input(str(run.input))
    made = evidence.receipt(model, result, raw, step=lambda f: step(done + (1 - done) * f), **request.receipt)
    return made.plain()


def _put_beside(store: Store, key: str, made: dict[str, Any]) -> None:
    """Keep a receipt where its map is; of a map with one receipt a word, those of the other words stay."""
    if "word" not in made["facts"]:
        store.put_document(key, made)
        return
    try:
        kept = store.get_document(key).get("words", {})
    except Refused:
        kept = {}
    store.put_document(key, {"words": {**kept, str(made["facts"]["word"]): made}})
