"""Checks, maps and receipts, each computed once: kept where the other pages' jobs keep and find them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from backends.errors import Refused
from backends.methods.base import Step
from backends.requests import key_of, receipt_key
from backends.results import Result
from backends.store import Store

if TYPE_CHECKING:
    from backends.models.base import Model

RUN = ("model", "revision", "method", "options", "input", "target", "version")
"""What of a request names the run that makes its map."""


def run_of(request: Mapping[str, Any]) -> dict[str, Any]:
    """The job `run` that makes the map which `request` is about."""
    return {"job": "run", **{name: request[name] for name in RUN}}


def kept(store: Store, key: str, make: Callable[[], Mapping[str, Any]]) -> dict[str, Any]:
    """The document of `key`, made and put there where it is not."""
    try:
        return store.get_document(key)
    except Refused:
        made = dict(make())
        store.put_document(key, made)
        return made


def check(model: Model, request: Mapping[str, Any], store: Store, step: Step) -> dict[str, Any]:
    """Whether the method of `request` is valid on the model: see `methods._validity`."""
    from backends.evidence import method_check

    named = {name: request[name] for name in ("model", "revision", "method", "version")}
    return kept(store, key_of({"job": "check", **named}), lambda: method_check.check(model, request["method"], step))


def mapped(model: Model, run: Mapping[str, Any], store: Store, step: Step, keep: bool = True) -> Result:
    """The map of the job `run`; `keep` puts a new one into the store. Raises `Refused`."""
    from backends import running

    key = key_of(run)
    try:
        return store.get_result(key)
    except Refused:
        raw = store.get_input(run["input"])
    made = running.run(model, run["method"], raw, target=run["target"], step=step, request=run, **run["options"])
    if keep:
        store.put_result(key, made)
    return made


def receipt(
    model: Model, run: Mapping[str, Any], options: Mapping[str, Any], store: Store, step: Step, keep: bool = True
) -> dict[str, Any]:
    """The receipt of the map of the job `run` with `options`, as the job `receipt` gives it. Raises `Refused`.

    It is kept beside the map, too, unless it is about another `target` than the map was asked for.
    """
    from backends import evidence

    def make() -> dict[str, Any]:
        result = mapped(model, run, store, lambda fraction: step(fraction / 2), keep)
        raw = store.get_input(run["input"])
        return evidence.receipt(model, result, raw, step=lambda f: step((1 + f) / 2), **options).plain()

    made = kept(store, key_of({**run, "job": "receipt", "receipt": dict(options)}), make)
    if "target" not in options:
        store.put_document(receipt_key(key_of(run)), made)
    return made
