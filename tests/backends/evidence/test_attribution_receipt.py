"""The receipt of an attribution map: which lines it has, its progress, and why nothing can be told."""

from __future__ import annotations

import dataclasses

import numpy as np

from backends.evidence import attribution_receipt
from backends.evidence.map_under_test import MapUnderTest
from tests.backends.evidence import linear


def names(effort: int, result) -> list[str]:
    model, image, _ = linear.picture()
    tested = MapUnderTest(model, result, {"image": image}, replacement="zero", effort=effort)
    return [line.name for line in attribution_receipt.make_lines(tested)]


def test_which_lines_a_receipt_has() -> None:
    _, image, exact = linear.picture()
    result = linear.result_of(exact, image)
    facts = {"completeness_gap": 0.0, "output": float(exact.sum()), "baseline_output": 0.0}
    assert names(1, result) == ["hiding", "random parts", "stand-in"]
    assert names(1, dataclasses.replace(result, facts=facts)) == ["hiding", "random parts", "stand-in", "sum"]
    assert names(2, result) == ["hiding", "random parts", "stand-in", "order"]
    assert names(2, dataclasses.replace(result, facts=facts))[-1] == "sum"  # a map from elsewhere is not made again


def test_progress_never_goes_back_and_ends_with_one() -> None:
    model, image, exact = linear.picture()
    seen: list[float] = []
    attribution_receipt.make(model, linear.result_of(exact, image), None, "yes", "zero", 1, 0, seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == 1.0


def test_answers_that_never_move_tell_nothing() -> None:
    model, weight = linear.text({"b": 3.0})
    assert attribution_receipt.explain_silence(MapUnderTest(model, linear.result_of(weight)).masked) == ""
    silent, _ = linear.text({}, bias=2.0)
    said = attribution_receipt.explain_silence(MapUnderTest(silent, linear.result_of(np.arange(14.0))).masked)
    assert said == "nothing that was hidden by “zero” changed the answer, so no map can be tested this way"
