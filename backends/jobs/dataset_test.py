"""How often each method's maps hold over the rows of a table, beside a map that is drawn at random.

Every receipt is kept by itself, so that a job which was stopped goes on where it was; what it has is shown meanwhile.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np

from backends import evidence
from backends.errors import Refused, Unsettled
from backends.evidence.controls import smooth_field
from backends.evidence.verdict import VERDICTS
from backends.inputs import datasets
from backends.jobs import cached_jobs
from backends.jobs.base import Job
from backends.jobs.table_rows import check_rows, digest_of, part_of, run_of_row, target_of
from backends.jobs.table_statistics import wilson
from backends.methods.base import Step, show
from backends.models.base import Model
from backends.requests import Check, DatasetTest, RandomMapReceipt, Receipt, Run
from backends.results import Result
from backends.store import Store

PLANTED = "random_map"
"""The name of the control: a smooth map, or a value for each word, that knows nothing of the input."""
SMOOTH = 0.07
"""How far a random map of a picture is blurred, as a share of its longer side."""
MOST_METHODS = 20


def perform(model: Model, request: DatasetTest, store: Store, step: Step) -> dict[str, Any]:
    """Return how often each method's maps hold: see `_Tally.plain`. Raises `Refused`."""
    rows = datasets.fetch(store, request.data)["rows"]
    wanted, methods = request.rows, request.methods
    check_rows(wanted, len(rows), "methods are tested")
    if not 1 <= len(methods) <= MOST_METHODS:
        raise Refused(f"1 to {MOST_METHODS} methods are tested at a time, not {len(methods)}; tick at least one")
    tally = _Tally(request, len(wanted))
    for method in methods:
        asked = Check(model=request.model, revision=request.revision, method=method, version=request.version)
        checked = cached_jobs.check(model, asked, store, lambda f: step(0.0))
        if not checked["holds"]:
            tally.withdrawn[method] = checked["sentence"]
    names = [method for method in methods if method not in tally.withdrawn] + [PLANTED]

    def shown(fraction: float) -> None:
        show(step, fraction, tally.plain)  # with every step, since not every step is sent

    pairs = [(i, name) for i in wanted for name in names]
    for done, (i, name) in enumerate(pairs):
        try:
            part = part_of(shown, done, len(pairs))
            tally.add(name, i, _receipt(model, request, rows[i], i, name, store, part))
        except Unsettled:  # to be asked again, which goes on from here
            raise
        except Refused as refused:
            tally.problems.setdefault(name, {})[str(i)] = str(refused)
        shown((done + 1) / len(pairs))
    return tally.plain()


def _receipt(
    model: Model, request: DatasetTest, row: Mapping[str, Any], i: int, name: str, store: Store, step: Step
) -> dict[str, Any]:
    digest, target = digest_of(row), target_of(model, row, request.aim)
    if name != PLANTED:
        run = run_of_row(model, request, row, name, request.methods[name])
        asked = Receipt.of_run(run, tested(run, request.receipt, target))
        return cached_jobs.compute_receipt(model, asked, store, step, keep_map=False)
    drawn = RandomMapReceipt(
        model=request.model, revision=request.revision, planted=i, receipt=request.receipt, input=digest, target=target
    )
    raw = store.get_input(digest)

    def make() -> dict[str, Any]:
        made = planted(model, raw, i, target)
        return evidence.receipt(model, made, raw, step=step, **request.receipt).plain()

    return cached_jobs.keep(store, drawn.key(), make)


def tested(run: Run, options: Mapping[str, Any], target: Any) -> dict[str, Any]:
    """The options of a receipt: of a map that is the same for every target, with the one that is asked about."""
    return {**options} if run.target == target else {**options, "target": target}


def planted(model: Model, raw: Any, seed: int, target: Any = None) -> Result:
    """A map of the input that is drawn at random: smooth over a picture, a value for each word of a text."""
    chance = np.random.default_rng([seed, 4])
    with model.lock:
        batch = model.encode(raw)
        context, words = model.context(batch), model.target(target, batch).words
    if batch.image is not None:
        shape = batch.image.shape[:2]
        drawn = smooth_field(shape, SMOOTH, chance).reshape(shape)
    else:
        drawn = chance.standard_normal(len(batch.tokens)) * ~np.asarray(batch.special)
    drawn = drawn / np.abs(drawn).max(initial=1e-12)
    axes = ("height", "width") if drawn.ndim == 2 else ("token",)
    return Result(
        PLANTED, {"attribution": drawn.astype(np.float32), **context["arrays"]},
        {"attribution": axes, **context["axes"]}, context["labels"], "", True, words, context["facts"],
        {"target": target},
    )  # fmt: skip


class _Tally:
    """The verdicts so far."""

    def __init__(self, request: DatasetTest, rows: int) -> None:
        self.request, self.rows = request, rows
        self.verdicts: dict[str, dict[str, str]] = {name: {} for name in [*request.methods, PLANTED]}
        self.problems: dict[str, dict[str, str]] = {}
        self.withdrawn: dict[str, str] = {}

    def add(self, name: str, i: int, receipt: Mapping[str, Any]) -> None:
        self.verdicts[name][str(i)] = receipt["verdict"]

    def plain(self) -> dict[str, Any]:
        """`table`, a row for each method with its counts, pass rate and 95 % interval (Wilson); and what could not be.

        Methods stand by pass rate, the control last.
        """
        there = [name for name in self.verdicts if name not in self.withdrawn]
        table = [self._row(name) for name in there]
        table.sort(key=lambda row: (row["method"] == PLANTED, -row["rate"]))
        problems = {name: {"rows": len(why), "first": next(iter(why.values()))} for name, why in self.problems.items()}
        return {
            "table": table, "problems": problems, "withdrawn": dict(self.withdrawn), "rows": self.rows,
            "model": self.request.model, "data": self.request.data,
        }  # fmt: skip

    def _row(self, name: str) -> dict[str, Any]:
        found = self.verdicts[name]
        counts, n = Counter(found.values()), len(found)
        low, high = wilson(counts[VERDICTS[0]], n)
        return {
            "method": name, "rows": n, **{v.replace(" ", "_"): counts[v] for v in VERDICTS},
            "rate": counts[VERDICTS[0]] / n if n else 0.0, "low": low, "high": high,
        }  # fmt: skip


ENTRY = Job(DatasetTest, perform)
