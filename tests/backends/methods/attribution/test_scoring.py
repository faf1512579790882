"""The explained number as a function of features and of kept parts, least squares by hand, and seeds put back."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
import torch

from backends.errors import Cancelled, Refused
from backends.methods.attribution.scoring import LeastSquares, Parts, Scoring, seeded
from backends.methods.base import no_step
from tests.backends.methods import cases
from tests.conftest import TEXT


def scoring_of(model: Any, raw: Any, step: Any = no_step) -> Scoring:
    """The score of the predicted answer."""
    batch = model.encode(raw)
    return Scoring(model, batch, model.target(None, batch), step)


def test_evaluations_are_counted_and_progress_told() -> None:
    told: list[float] = []
    scoring = scoring_of(cases.linear(), cases.image(), told.append)
    scoring.expected = 4
    x = scoring.features
    assert x.requires_grad
    scoring(x).sum().backward()
    scoring.value(x.repeat(3, 1, 1, 1))
    assert (scoring.gradients, scoring.forwards) == (1, 3)
    scoring.value(x)
    assert told == [0, 0.25, 0.99]  # never done before it is
    assert scoring.range == pytest.approx(float((x.max() - x.min()).detach()))


def test_the_gradient_of_a_linear_network_is_its_weight() -> None:
    model = cases.linear()
    scoring = scoring_of(model, cases.image())
    x = scoring.features
    (gradient,) = torch.autograd.grad(scoring(x).sum(), x)
    torch.testing.assert_close(gradient[0], model.module.weight[scoring.target.ids[0]])


def test_a_cancelled_step_ends_the_next_evaluation() -> None:
    def step(fraction: float) -> None:
        raise Cancelled

    scoring = scoring_of(cases.linear(), cases.image(), step)
    with pytest.raises(Cancelled):
        scoring.value(scoring.features)


def test_parts_lie_between_the_input_and_its_baseline(opened: Any) -> None:
    scoring = scoring_of(opened("tiny_bert"), TEXT)
    parts = Parts(scoring, "default")
    assert parts.count == len(TEXT.split())
    assert float(parts(parts.all)) == pytest.approx(scoring.output, abs=1e-5)
    assert float(parts(parts.none)) == pytest.approx(parts.baseline_output, abs=1e-5)
    values = torch.arange(1.0, parts.count + 1)[None]
    spread = parts.spread(values)
    assert spread.tolist() == [0.0, *values[0].tolist(), 0.0]  # [CLS] and [SEP] belong to no part


def test_squares_of_an_image_are_replaced_one_by_one() -> None:
    model = cases.linear()
    scoring = scoring_of(model, cases.image())
    parts = Parts(scoring, "zero", square=4)
    assert parts.count == 4
    effects = [parts(parts.all - torch.eye(4)[[i]]) - scoring.output for i in range(4)]
    assert float(sum(effects)) == pytest.approx(parts.baseline_output - scoring.output, abs=1e-3)


def test_an_input_without_words_has_no_part(opened: Any) -> None:
    model = opened("tiny_bert")
    batch = model.encode(TEXT)
    scoring = Scoring(model, batch, model.target(None, batch), no_step)
    scoring.model = type("Wordless", (), {"units": lambda *_: torch.full((1, 9, 1), -1)})()
    with pytest.raises(Refused, match="there is no word to remove: the input has special tokens only"):
        Parts(scoring, "default")


def test_least_squares_find_the_line_that_made_the_data() -> None:
    draw = torch.Generator().manual_seed(0)
    inputs = torch.randn(40, 3, generator=draw)
    slope = torch.tensor([2.0, -1.0, 0.5])
    weights = torch.rand(40, generator=draw) + 0.1
    rows = [(inputs[:25], inputs[:25] @ slope + 3, weights[:25]), (inputs[25:], inputs[25:] @ slope + 3, weights[25:])]
    fitted = LeastSquares()
    fitted.fit(rows)  # type: ignore[arg-type]
    torch.testing.assert_close(fitted.representation(), slope[None], rtol=1e-5, atol=1e-5)
    assert fitted.fit_share == pytest.approx(1)
    shrunk = LeastSquares(ridge=100.0)
    shrunk.fit(rows)  # type: ignore[arg-type]
    assert float(shrunk.coefficients.norm()) < float(slope.norm())
    assert shrunk.fit_share < 1


def test_seeds_hold_inside_and_the_generators_are_put_back() -> None:
    def draw() -> tuple[float, float, float]:
        return float(torch.rand(())), float(np.random.rand()), random.random()

    with seeded(5):
        first, then = draw(), draw()
    with seeded(5):
        assert draw() == first
        with seeded(6):
            assert draw() != first
        assert draw() == then  # what was drawn in between left no trace


def test_generators_are_put_back_after_an_error_too() -> None:
    kept = np.random.get_state()[1].tolist(), random.getstate(), torch.random.get_rng_state()

    def fail() -> None:
        with seeded(6):
            random.random()
            np.random.rand(700)
            torch.rand(3)
            raise ValueError("inside")

    with pytest.raises(ValueError, match="inside"):
        fail()
    assert np.random.get_state()[1].tolist() == kept[0]
    assert random.getstate() == kept[1]
    assert torch.random.get_rng_state().equal(kept[2])
