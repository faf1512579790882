"""What attribution methods share: facts of a map, its unit, and memory that runs out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from backends.errors import Unsettled
from backends.methods.attribution import base
from backends.methods.base import Size
from tests.backends.methods import cases


@dataclass(frozen=True)
class Greedy(base.Attribution):
    """A map of ones that needs more memory than there is for more than `fits` inputs at once."""

    title = "Greedy"
    per = "per step"
    fits: int = 64

    def attribute(self, scoring: Any) -> tuple[np.ndarray, dict[str, Any]]:
        scoring.value(scoring.features)
        if scoring.most > self.fits:
            raise MemoryError
        return np.ones((cases.SIDE, cases.SIDE)), {"most": scoring.most}


def run(fits: int) -> Any:
    """The map of the linear network's first output."""
    model = cases.linear()
    batch = model.encode(cases.image())
    return Greedy(fits=fits)(model, batch, model.target(0, batch))


def test_a_map_carries_its_unit_its_counts_and_the_explained_number() -> None:
    result = run(64)
    assert result.method == "test_base"
    assert result.axes["attribution"] == ("height", "width")
    assert result.arrays["attribution"].dtype == np.float32
    assert result.unit == "logit per step"
    assert result.signed
    assert result.facts["most"] == 64
    assert (result.facts["gradients"], result.facts["forwards"]) == (0, 2)  # its own, and the explained number


def test_memory_that_runs_out_begins_again_with_fewer_inputs_and_counts_afresh() -> None:
    found = run(3).facts
    assert found["most"] == 2
    assert found["forwards"] == 2
    with pytest.raises(Unsettled, match="Greedy does not fit in memory, even one input at a time"):
        run(0)


def test_a_gap_is_relative_to_the_change() -> None:
    assert base.measure_gap(1.5, 2.0) == pytest.approx(0.25)
    assert base.measure_gap(-1.5, -2.0) == pytest.approx(0.25)
    assert base.measure_gap(0.0, 0.0) == 0


def test_the_default_baseline_is_called_by_its_name() -> None:
    model = cases.linear()
    assert base.name_baseline(model, "default") == model.stand_ins[0]
    assert base.name_baseline(model, "zero") == "zero"


def test_methods_over_parts_cost_answers_only() -> None:
    size = Size(tokens=8, parts=20, numbers=10, batch=4)
    cost = base.OverParts().cost(size)
    assert (cost.forwards, cost.gradients, cost.at_once) == (8 * 20 + 2, 0, 4)
    assert base.OverParts().evaluations(Size(tokens=1, parts=1)) == 128
