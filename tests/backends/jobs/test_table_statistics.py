"""What follows from a table of answers: intervals, accuracy, confusion, labels as the model calls them."""

from __future__ import annotations

from typing import Any

import pytest

from backends.jobs import table_statistics
from backends.jobs.table_statistics import known, summary, wilson


def test_wilson_intervals_as_published() -> None:
    # Brown, Cai and DasGupta 2001; and the closed form at 0 and n
    assert wilson(10, 20) == pytest.approx((0.2993, 0.7007), abs=1e-4)
    assert wilson(0, 10) == pytest.approx((0.0, 0.2775), abs=1e-4)
    assert wilson(10, 10) == pytest.approx((0.7225, 1.0), abs=1e-4)
    assert wilson(0, 0) == (0.0, 1.0)
    assert wilson(200, 200)[1] == 1.0  # not a hair below: a share of 1 lies within


def rows(*pairs: tuple[str | None, str | None]) -> list[dict[str, Any]]:
    return [{"label": a, "predicted": b, "right": None if a is None or b is None else a == b} for a, b in pairs]


def test_a_summary_by_hand() -> None:
    found = summary(rows(("a", "a"), ("a", "a"), ("a", "b"), ("b", "b"), (None, "a"), ("a", None)), ("a", "b", "c"))
    assert (found["labelled"], found["right"], found["failed"], found["rows"]) == (4, 3, 1, 6)
    assert found["accuracy"] == 0.75
    assert found["balanced"] == pytest.approx((2 / 3 + 1) / 2)
    assert found["uneven"] is True
    assert found["confusion"] == [[2, 1, 0], [0, 1, 0], [0, 0, 0]]
    by = {c["label"]: c for c in found["by_class"]}
    assert (by["a"]["recall"], by["a"]["precision"]) == (2 / 3, 1.0)
    assert (by["b"]["recall"], by["b"]["precision"]) == (1.0, 0.5)
    assert (by["c"]["recall"], by["c"]["precision"]) == (None, None)


def test_without_labels_there_is_no_accuracy() -> None:
    found = summary(rows((None, "a"), (None, "b")), ("a", "b"))
    assert "accuracy" not in found
    assert found["answers"] == {"a": 1, "b": 1}


def test_very_many_classes_are_cut_and_it_is_said() -> None:
    names = tuple(f"c{i}" for i in range(60))
    found = summary(rows(*((n, n) for n in names)), names)
    assert len(found["classes"]) == table_statistics.MOST_CLASSES
    assert found["hidden"] == 20


@pytest.mark.parametrize(("label", "means"), [("Urgent", "urgent"), (" no_finding", "no finding"), ("1", "no finding")])
def test_labels_are_the_models_classes_whatever_their_spelling(label: str, means: str) -> None:
    assert known(label, ("urgent", "no finding")) == means
    assert known("maybe", ("urgent", "no finding")) is None
