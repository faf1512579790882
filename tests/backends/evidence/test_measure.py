"""The contract of measures: every file says what it measures, and what it returns is a number beside a fair control."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from backends import registry
from backends.errors import Refused
from backends.evidence import receipt
from backends.evidence.map_under_test import MapUnderTest
from backends.evidence.measure import HIGHER, INPUTS, LOWER, Measure, Reading, get_line, list_measures
from tests.backends.evidence import linear

FOUND = registry.entries("evidence.measures")


@pytest.mark.parametrize("name", FOUND)
def test_every_measure_says_what_it_is(name: str) -> None:
    entry = FOUND[name]
    assert isinstance(entry, Measure)
    assert entry.title
    assert any(character.isdigit() for character in entry.source), f"{name} names no year"
    assert entry.unit
    assert entry.better in (HIGHER, LOWER)
    assert len(entry.meaning) > 20
    assert set(entry.inputs) <= set(INPUTS)


def test_numbers_stand_in_their_order() -> None:
    titles = [entry.title for entry in list_measures("number").values()]
    assert titles == [
        "deletion", "insertion", "SRG", "infidelity", "comprehensiveness", "sufficiency", "stability", "sensitivity",
    ]  # fmt: skip
    assert [entry.title for entry in list_measures("region").values()] == [
        "pointing", "mass inside", "intersection over union", "rank accuracy",
    ]  # fmt: skip


@pytest.mark.parametrize("name", [n for n in list_measures("number") if n not in ("stability", "sensitivity")])
def test_a_number_is_finite_and_the_same_each_time(name: str) -> None:
    model, weight = linear.text({"b": 3.0, "e": 2.0, "h": -1.0})
    made = MapUnderTest(model, linear.result_of(weight))
    found = FOUND[name].number(made)
    assert np.isfinite(found.value)
    assert found.p is None or 0 < found.p <= 1
    assert found.control is None or found.control[0] <= found.control[1]
    assert found == FOUND[name].number(made)


def test_each_line_of_a_receipt_is_a_measure_of_that_title() -> None:
    model, image, exact = linear.picture()
    titles = {entry.title for entry in list_measures("line").values()} | {"order"}
    for effort in (1, 2):
        lines = receipt(model, linear.result_of(exact, image), effort=effort).lines
        assert {line.name for line in lines} <= titles
    with pytest.raises(Refused, match="no measure 'beauty'; there are: completeness, "):
        get_line("beauty")


def test_a_smaller_value_is_better_where_the_measure_says_so() -> None:
    control = np.array([1.0, 2.0, 3.0, 4.0])
    assert Reading.against(5.0, control).p == pytest.approx(1 / 5)
    assert Reading.against(5.0, control, LOWER).p == pytest.approx(1.0)
    assert Reading.against(0.0, control, LOWER).p == pytest.approx(1 / 5)
    assert Reading.against(0.0, np.zeros(0)).control is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"better": "more"}, "better must be 'higher' or 'lower', not 'more'"),
        ({"inputs": ("sound",)}, "inputs must be among image, text, not sound"),
        ({"number": None}, "computes nothing: give it number, region or line"),
    ],
)
def test_what_a_measure_must_be(changes: dict, message: str) -> None:
    fields = {"title": "a", "source": "b", "unit": "c", "better": HIGHER, "meaning": "d", "number": len} | changes
    with pytest.raises(ValueError, match=message):
        Measure(**fields)


def test_nobody_needs_torch_to_list_measures() -> None:
    code = "import sys; from backends.evidence.measure import list_measures; list_measures('number'); "
    done = subprocess.run([sys.executable, "-c", code + "sys.exit('torch' in sys.modules)"], timeout=60)
    assert done.returncode == 0
