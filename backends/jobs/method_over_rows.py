"""One method over many rows of a table, and the mean of its maps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np

from backends.errors import Refused
from backends.inputs import datasets
from backends.jobs import cached_jobs
from backends.jobs.base import Job
from backends.jobs.table_rows import check_rows, part_of, run_of_row
from backends.methods.base import Step
from backends.models.base import Model
from backends.requests import MethodOverRows
from backends.results import Result, regroup
from backends.store import Store

MOST_WORDS = 2000


def perform(model: Model, request: MethodOverRows, store: Store, step: Step) -> Result:
    """Return the mean over the rows that could be computed; `facts` name the others and why.

    Each row is kept under the key of its own run, so a job that was stopped goes on where it was. Raises `Refused`.
    """
    rows, wanted = datasets.fetch(store, request.data)["rows"], request.rows
    check_rows(wanted, len(rows), "a method goes")
    keys: dict[str, str] = {}
    problems: dict[str, str] = {}
    mean = _Mean()
    for done, i in enumerate(wanted):
        try:
            run = run_of_row(model, request, rows[i], request.method, request.options)
            mean.add(i, cached_jobs.compute_map(model, run, store, part_of(step, done, len(wanted))))
            keys[str(i)] = run.key()
        except Refused as refused:
            problems[str(i)] = str(refused)
        step((done + 1) / len(wanted))
    if not keys:
        raise Refused(f"not one row could be computed: {next(iter(problems.values()))}")
    return mean.result(request, keys, problems)


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

    def result(self, request: MethodOverRows, keys: Mapping[str, str], problems: Mapping[str, str]) -> Result:
        """The mean: `attribution` (height, width) over the mean `image`; or `mean`, `count`, `rows` (word)."""
        assert self.first is not None
        aim = {"own": "each row's own answer", "label": "each row's label"}.get(request.aim, "")
        target = aim or request.aim.removeprefix("class:")
        facts = {"mean_of": self.counted, "keys": dict(keys), "problems": dict(problems), "tops": self.tops}
        arrays, axes, labels = self._image() if not self.words and not self.tops else self._words()
        about: dict[str, Any] = {
            "unit": self.first.unit,
            "signed": self.first.signed,
            "target": target,
            "request": request.plain(),
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


ENTRY = Job(MethodOverRows, perform)
