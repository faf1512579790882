"""How a model does on a whole table: its answer to every row, what that says of it, and one method over all rows."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from backends import registry
from backends.errors import Refused
from backends.inputs import datasets
from backends.methods.base import Step, no_step
from backends.requests import key_of
from backends.results import VERSION, Result, regroup
from backends.store import Store

if TYPE_CHECKING:
    from torch import Tensor

    from backends.models.base import Batch, Model

ENCODED = 64
"""Rows that are encoded, and at most computed, at a time."""
MOST_CLASSES = 40
"""Classes that a confusion matrix shows."""
MOST_SWEPT = 500
"""Rows that one job puts through a method."""
MOST_WORDS = 2000
Z = 1.959964
"""The normal quantile of a 95 % interval."""


# The table


def table(model: Model, rows: Iterable[Mapping[str, Any]], step: Step = no_step) -> dict[str, Any]:
    """The answer of `model` to each of `rows`, `{"raw", "label"}`, and what follows from all: `rows` and `summary`.

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


def part_of(step: Step, done: int, of: int) -> Step:
    """The `step` of one of `of` parts, `done` of which are done."""
    return lambda fraction: step((done + fraction) / of)


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
                return model.outputs(features, batches[0]).float().softmax(-1).cpu()

        with model.lock:
            features = torch.cat([model.features(b) for b in batches])
            parts, _ = batching.halving(run, features, ENCODED)
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


def known(label: str, classes: Sequence[str]) -> str | None:
    """The class that `label` means, whatever its case, its spaces, `_` and `-`; else by its number; else None."""
    plain = {_plain(c): c for c in reversed(classes)}
    if _plain(label) in plain:
        return plain[_plain(label)]
    numbered = label.strip().isdecimal() and int(label) < len(classes)
    return classes[int(label)] if numbered else None


def _plain(label: str) -> str:
    return " ".join(label.replace("_", " ").replace("-", " ").split()).casefold()


# What follows from it


def wilson(right: int, n: int) -> tuple[float, float]:
    """The 95 % interval of a share, by Wilson (1927): it stays within 0 and 1 and is honest for few rows."""
    if n == 0:
        return 0.0, 1.0
    share, z = right / n, Z
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return 0.0 if right == 0 else max(middle - half, 0.0), 1.0 if right == n else min(middle + half, 1.0)


def summary(rows: Sequence[Mapping[str, Any]], classes: Sequence[str] = ()) -> dict[str, Any]:
    """Accuracy with its interval, balanced accuracy, confusion (truth, predicted), and figures by class.

    `balanced` is the mean recall over the classes that occur as a label; `uneven` says that one of them occurs more
    than half again as often as another. Rows that failed, and labels the model has not, count in none of these.
    """
    judged = [r for r in rows if r["right"] is not None]
    failed = sum(r["predicted"] is None for r in rows)
    unknown = Counter(r["label"] for r in rows if r["predicted"] is not None and r["right"] is None and r["label"])
    found: dict[str, Any] = {
        "rows": len(rows), "failed": failed, "labelled": len(judged), "unknown": dict(unknown.most_common(20)),
        "unknown_rows": sum(unknown.values()), "answers": dict(Counter(r["predicted"] for r in rows).most_common(50)),
    }  # fmt: skip
    found["answers"].pop(None, None)
    if not judged:
        return found
    right = sum(r["right"] for r in judged)
    truth, said = Counter(r["label"] for r in judged), Counter(r["predicted"] for r in judged)
    hit = Counter(r["label"] for r in judged if r["right"])
    shown = _shown(classes, truth, said)
    cells = Counter((r["label"], r["predicted"]) for r in judged)
    return found | {
        "right": right,
        "accuracy": right / len(judged),
        "interval": list(wilson(right, len(judged))),
        "balanced": float(np.mean([hit[c] / n for c, n in truth.items()])),
        "uneven": len(truth) > 1 and max(truth.values()) > 1.5 * min(truth.values()),
        "classes": shown,
        "hidden": len(set(truth) | set(said)) - len(set(shown) & (set(truth) | set(said))),
        "confusion": [[cells[a, b] for b in shown] for a in shown],
        "by_class": [
            {
                "label": c, "rows": truth[c], "predicted": said[c], "right": hit[c],
                "recall": hit[c] / truth[c] if truth[c] else None, "precision": hit[c] / said[c] if said[c] else None,
            }
            for c in shown
        ],
    }  # fmt: skip


def _shown(classes: Sequence[str], truth: Counter, said: Counter) -> list[str]:
    """The classes to show: the model's own, in its order, or of very many those that occur most."""
    both = truth + said
    if classes and len(classes) <= 12:
        return list(classes)
    often = [c for c, _ in both.most_common(MOST_CLASSES)]
    return [c for c in classes if c in often] if classes else often


# As jobs


def perform_table(model: Model, request: Mapping[str, Any], store: Store, step: Step = no_step) -> dict[str, Any]:
    """The job `table`: the answers to the kept table `request["data"]`."""
    document = datasets.fetch(store, request["data"])
    reads = "image" if "pixels" in model.offers else "text"
    if document["kind"] != reads:
        raise Refused(f"this table holds {document['kind']}s and {model.name} reads {reads}s; choose another model")
    answers = table(model, [_raw(store, row) for row in document["rows"]], step)
    return {"model": model.name, "data": request["data"], **answers}


def _raw(store: Store, row: Mapping[str, Any]) -> dict[str, Any]:
    try:
        raw = store.get_input(row["digest"]) if row["digest"] else None
    except Refused as refused:
        return {"raw": None, "label": row["label"], "problem": str(refused)}
    return {"raw": raw, "label": row["label"], "problem": row["problem"]}


def run_request(request: Mapping[str, Any], digest: str, target: Any) -> dict[str, Any]:
    """The job that computes one row, as the attribution page asks for it: so each finds what the other computed."""
    kept = {name: request[name] for name in ("model", "revision", "method", "options")}
    needs = registry.method(request["method"]).needs_target
    return {"job": "run", **kept, "input": digest, "target": target if needs else None, "version": VERSION}


def perform_sweep(model: Model, request: Mapping[str, Any], store: Store, step: Step = no_step) -> Result:
    """The job `sweep`: one method over `request["rows"]` (numbers) of a kept table, then their mean.

    `request["aim"]` is "own" (each row's own answer), "label", or "class:" and its name. Each row is kept under the key
    of `run_request`, so a job that was stopped goes on where it was.
    """
    from backends import running

    rows, wanted = datasets.fetch(store, request["data"])["rows"], request["rows"]
    if not wanted or len(wanted) > MOST_SWEPT or not all(i in range(len(rows)) for i in wanted):
        raise Refused(f"a method goes over 1 to {MOST_SWEPT} rows of the table at a time, not {len(wanted)}")
    keys: dict[str, str] = {}
    problems: dict[str, str] = {}
    mean = _Mean()
    for done, i in enumerate(wanted):
        try:
            asked = run_request(request, digest_of(rows[i]), target_of(model, rows[i], request["aim"]))
            key = key_of(asked)
            result = _kept(store, key)
            if result is None:
                result = running.run(
                    model, asked["method"], store.get_input(asked["input"]), target=asked["target"], request=asked,
                    step=part_of(step, done, len(wanted)), **asked["options"],
                )  # fmt: skip
                store.put_result(key, result)
            mean.add(i, result)
            keys[str(i)] = key
        except Refused as refused:
            problems[str(i)] = str(refused)
        step((done + 1) / len(wanted))
    if not keys:
        raise Refused(f"not one row could be computed: {next(iter(problems.values()))}")
    return mean.result(request, keys, problems)


def digest_of(row: Mapping[str, Any]) -> str:
    """Under which digest the input of a kept row is. Raises `Refused` where it has none."""
    if not row["digest"]:
        raise Refused(row["problem"] or "this row holds no input")
    return row["digest"]


def target_of(model: Model, row: Mapping[str, Any], aim: str) -> str | None:
    """What is explained of a row, see `perform_sweep`; None is its own answer. Raises `Refused`."""
    if aim == "own":
        return None
    wanted = row["label"] if aim == "label" else aim.removeprefix("class:")
    if not wanted:
        raise Refused("this row has no label that could be explained")
    found = known(str(wanted), model.labels) if model.labels else str(wanted)
    if found is None:
        raise Refused(f"the model has no class {str(wanted)[:60]!r}")
    return found


def _kept(store: Store, key: str) -> Result | None:
    try:
        return store.get_result(key) if store.has(key) else None
    except Refused:
        return None


class _Mean:
    """The mean of many rows' attributions: pixel by pixel, or word by word."""

    def __init__(self) -> None:
        self.first: Result | None = None
        self.maps: Any = 0.0
        self.images: Any = 0.0
        self.counted = 0
        self.words: dict[str, list[float]] = {}
        self.within: Counter[str] = Counter()
        self.tops: dict[str, list[list[Any]]] = {}

    def add(self, i: int, result: Result) -> None:
        """Count in the result of row `i`. Raises `Refused` on a picture of another size than the first."""
        values = result.arrays["attribution"]
        if self.first is None:
            self.first = result
        elif values.ndim == 2 and values.shape != self.first.arrays["attribution"].shape:
            raise Refused("this picture has another size than the first, so it is not in the mean")
        if values.ndim == 2:
            self.maps = self.maps + values.astype(np.float64)
            self.images = self.images + result.arrays["image"].astype(np.float64)
        else:
            self._add_words(i, result)
        self.counted += 1

    def _add_words(self, i: int, result: Result) -> None:
        grouped = regroup(result, "word")
        span, values = grouped.arrays["span"], grouped.arrays["attribution"]
        there = [
            (label.strip().casefold(), float(value))
            for label, (a, b), value in zip(grouped.labels["token"], span, values, strict=True)
            if b > a and any(c.isalnum() for c in label)
        ]
        for word, value in there:
            self.words.setdefault(word, []).append(value)
        self.within.update({word for word, _ in there})
        best = sorted(there, key=lambda pair: -abs(pair[1]))[:3]
        self.tops[str(i)] = [[word, round(value, 4)] for word, value in best]

    def result(self, request: Mapping[str, Any], keys: Mapping[str, str], problems: Mapping[str, str]) -> Result:
        """The mean: `attribution` (height, width) over the mean `image`; or `mean`, `count`, `rows` (word)."""
        assert self.first is not None
        aim = {"own": "each row's own answer", "label": "each row's label"}.get(request["aim"], "")
        target = aim or request["aim"].removeprefix("class:")
        facts = {"mean_of": self.counted, "keys": dict(keys), "problems": dict(problems), "tops": self.tops}
        arrays, axes, labels = self._image() if not self.words and not self.tops else self._words()
        about: dict[str, Any] = {
            "unit": self.first.unit,
            "signed": self.first.signed,
            "target": target,
            "request": dict(request),
        }
        return Result(self.first.method, arrays, axes, labels, facts=facts, **about)

    def _image(self) -> tuple[dict[str, np.ndarray], dict[str, tuple[str, ...]], dict[str, tuple[str, ...]]]:
        mean = np.asarray(self.maps / self.counted, np.float32)
        image = np.asarray(np.rint(self.images / self.counted), np.uint8)
        axes = {"attribution": ("height", "width"), "image": ("height", "width", "channel")}
        return {"attribution": mean, "image": image}, axes, {}

    def _words(self) -> tuple[dict[str, np.ndarray], dict[str, tuple[str, ...]], dict[str, tuple[str, ...]]]:
        means = {word: float(np.mean(values)) for word, values in self.words.items()}
        words = tuple(sorted(means, key=lambda w: -abs(means[w])))[:MOST_WORDS]
        if not words:
            raise Refused("no row has a word to which the method gave a value")
        arrays = {
            "mean": np.array([means[w] for w in words], np.float32),
            "count": np.array([len(self.words[w]) for w in words], np.int32),
            "rows": np.array([self.within[w] for w in words], np.int32),
        }
        return arrays, dict.fromkeys(arrays, ("word",)), {"word": words}
