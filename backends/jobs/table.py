"""How a model does on a whole table: its answer to every row, and what that says of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from backends.errors import Refused
from backends.inputs import datasets
from backends.jobs.base import Job
from backends.jobs.table_rows import part_of
from backends.jobs.table_statistics import known, summary
from backends.methods.base import Step, no_step
from backends.models.base import Batch, Model
from backends.requests import Table
from backends.store import Store

if TYPE_CHECKING:
    from torch import Tensor

ENCODED = 64
"""Rows that are encoded, and at most computed, at a time."""


def perform(model: Model, request: Table, store: Store, step: Step) -> dict[str, Any]:
    """Return the answers to the kept table `request.data`. Raises `Refused`."""
    document = datasets.fetch(store, request.data)
    reads = "image" if "pixels" in model.offers else "text"
    if document["kind"] != reads:
        raise Refused(f"this table holds {document['kind']}s and {model.name} reads {reads}s; choose another model")
    answers = answer_rows(model, [_raw(store, row) for row in document["rows"]], step)
    return {"model": model.name, "data": request.data, **answers}


def _raw(store: Store, row: Mapping[str, Any]) -> dict[str, Any]:
    try:
        raw = store.get_input(row["digest"]) if row["digest"] else None
    except Refused as refused:
        return {"raw": None, "label": row["label"], "problem": str(refused)}
    return {"raw": raw, "label": row["label"], "problem": row["problem"]}


def answer_rows(model: Model, rows: Iterable[Mapping[str, Any]], step: Step = no_step) -> dict[str, Any]:
    """Return the answers of `model` to `rows`, each `{"raw", "label"}`, and what follows from all: `rows`, `summary`.

    A row of the answer has `predicted`, `probability`, `label` (as the model calls it, where it knows it), `of_label`
    (the label's probability), `right` (None without a known label) and `problem`, the sentence of a row that failed.
    """
    given = list(rows)
    if "answer" not in model.offers:
        raise Refused(f"{model.name} only encodes: it gives no answer that a table could show; open one that answers")
    if {"captions", "pair"} & model.offers:
        raise Refused(
            f"{model.name} compares two inputs, and a row of a table holds one: give it both on the Attention, "
            "Attribution or Trajectory page"
        )
    if not given:
        raise Refused("the table has no row; give at least one")
    answers: list[dict[str, Any]] = []
    for start in range(0, len(given), ENCODED):
        answers += _answers(model, given[start : start + ENCODED], part_of(step, start, len(given)))
        step(min(len(answers) / len(given), 1.0))
    return {"rows": answers, "summary": summary(answers, model.labels)}


def _answers(model: Model, rows: Sequence[Mapping[str, Any]], step: Step) -> list[dict[str, Any]]:
    """The answers to a few rows: encoded one by one, computed together where their shapes allow it."""
    answers: list[dict[str, Any]] = [{} for _ in rows]
    batches: dict[int, Batch] = {}
    for i, row in enumerate(rows):
        try:
            if row.get("problem") or not row.get("raw"):
                raise Refused(row.get("problem") or "this row holds no input")
            with model.lock:
                batches[i] = model.encode(row["raw"])
        except Refused as refused:
            answers[i] = _answer(row, str(refused))
        step(0)
    for together in _groups(model, batches):
        for i, found in zip(together, _predict(model, [batches[i] for i in together]), strict=True):
            answers[i] = _answer(rows[i], found) if isinstance(found, str) else _compared(model, rows[i], *found)
        step(0)
    return answers


def _groups(model: Model, batches: Mapping[int, Batch]) -> Iterator[list[int]]:
    """Rows that can go through the network as one tensor: of one shape, and alike in all but what is read."""
    alike: dict[Any, list[int]] = {}
    for i, batch in batches.items():
        alike.setdefault(_shape(model, batch) or i, []).append(i)
    yield from alike.values()


def _shape(model: Model, batch: Batch) -> Any:
    """What batches must share to be computed together; None for families that are asked one input at a time."""
    if "classes" not in model.offers or set(batch.inputs) - {
        "input_ids", "pixel_values", "attention_mask", "token_type_ids"
    }:  # fmt: skip
        return None
    rest = [batch.inputs[n] for n in ("attention_mask", "token_type_ids") if n in batch.inputs]
    main = batch.inputs.get("pixel_values", batch.inputs.get("input_ids"))
    if main is None or ("pixel_values" in batch.inputs) == ("input_ids" in batch.inputs):
        return None
    return tuple(main.shape), *(tuple(t.flatten().tolist()) for t in rest)


def _predict(model: Model, batches: list[Batch]) -> list[Any]:
    """(names, probabilities) of each batch, best first, or the sentence of what cannot be computed."""
    from backends.models import batching

    try:
        if len(batches) == 1:
            return [_choices(model, batches[0])]
        import torch

        def run(features: Tensor) -> Tensor:
            with torch.no_grad():
                return model.probability(model.outputs(features, batches[0]).float()).cpu()

        with model.lock:
            features = torch.cat([model.features(b) for b in batches])
            parts, _ = batching.run_halving(run, features, ENCODED)
        return [_named(model, row.numpy()) for row in torch.cat(parts)]
    except Refused as refused:
        return [str(refused)] * len(batches)


def _choices(model: Model, batch: Batch) -> Any:
    found = model.predict(batch, most=max(len(model.labels), 10))
    return ([c.label for c in found], [c.probability for c in found]) if found else "the model gives no answer to this"


def _named(model: Model, probability: np.ndarray) -> tuple[list[str], list[float]]:
    order = np.argsort(-probability, kind="stable")
    return [model.name_of(int(i)) for i in order], [float(probability[i]) for i in order]


def _answer(row: Mapping[str, Any], problem: str = "") -> dict[str, Any]:
    label = row.get("label")
    return {
        "predicted": None, "probability": None, "label": label, "of_label": None, "right": None, "problem": problem,
    }  # fmt: skip


def _compared(model: Model, row: Mapping[str, Any], names: list[str], probability: list[float]) -> dict[str, Any]:
    """A row's answer beside its label."""
    found = {**_answer(row), "predicted": names[0], "probability": probability[0]}
    given = row.get("label")
    if given is None or not str(given).strip():
        return {**found, "label": None}
    label = known(str(given), model.labels or names)
    if label is None:
        told = "" if not model.labels else f"the model has no class {str(given)[:60]!r}"
        return {**found, "label": str(given), "right": None if model.labels else False, "problem": told}
    return {**found, "label": label, "right": names[0] == label, "of_label": probability[names.index(label)]}


ENTRY = Job(Table, perform)
