"""A table of texts, its answers, and what a method over it gave, small and made by hand."""

from __future__ import annotations

from typing import Any

import numpy as np

from backends.inputs import datasets
from backends.jobs.table_statistics import summary
from backends.results import Result
from tests.viz.fakes import TRIAGE, FakeEngine
from viz.pages.data import page as data
from viz.pages.data import table_view

CSV = b"text,label,note\nno fever,routine,x\nsevere pain,urgent,y\n=1+1,soon,z\nwhat,maybe,\n"
ANSWERS = [("routine", 0.9, "routine"), ("soon", 0.6, "urgent"), ("soon", 0.8, "soon"), ("soon", 0.5, None)]


def kept_table(engine: FakeEngine) -> dict[str, Any]:
    """A table of texts in the store, as the page keeps it."""
    return data.described(engine, datasets.keep(engine.store, datasets.open_files([("x.csv", CSV)])))


def kept_answers(engine: FakeEngine, table: dict[str, Any]) -> str:
    """The key of its answers."""
    given = datasets.fetch(engine.store, table["id"])["rows"]
    rows = [
        {
            "predicted": said, "probability": p, "label": label or g["label"], "of_label": None,
            "right": None if label is None else label == said, "problem": "" if label else "no class 'maybe'",
        }
        for g, (said, p, label) in zip(given, ANSWERS, strict=True)
    ]  # fmt: skip
    answers = {"rows": rows, "summary": summary(rows, TRIAGE["labels"])}
    engine.store.put_document("a" * 64, {"model": "bundled/triage", "data": table["id"], **answers})
    return "a" * 64


def grid(engine: FakeEngine, key: str) -> list[dict[str, Any]]:
    given, answers = data.both(engine, key)
    return table_view.grid_rows(given["rows"], answers["rows"])


def words(engine: FakeEngine, table: dict[str, Any]) -> Result:
    """What a method over the table gave, with one row kept."""
    one = Result(
        "occlusion", {"attribution": np.array([0.0, 1.0, -0.5], np.float32)}, {"attribution": ("token",)},
        {"token": ("[CLS]", "no", "fever")}, "logit", True, "routine", {}, {"input": None, "model": "m"},
    )  # fmt: skip
    engine.store.put_result("c" * 64, one)
    facts = {
        "mean_of": 1,
        "keys": {"0": "c" * 64},
        "problems": {"3": "too long"},
        "tops": {"0": [["no", 1.0], ["fever", -0.5]]},
    }
    arrays = {"mean": np.array([1.0, -0.5], np.float32), "count": np.array([1, 1]), "rows": np.array([1, 1])}
    return Result(
        "occlusion", arrays, dict.fromkeys(arrays, ("word",)), {"word": ("no", "=fever")}, "logit", True,
        "each row's own answer", facts, {"data": table["id"], "model": "m"},
    )  # fmt: skip
