"""The adaptive path: exact at once where the network is straight, and halved where it bends."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from backends.methods.attribution.adaptive_path import Adaptive


class Curve(torch.nn.Module):
    """A function of features (B, 1, 2) that counts its evaluations, in place of a network's score."""

    size = 8

    def __init__(self, function: Any) -> None:
        super().__init__()
        self.function, self.points = function, 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.points += len(x)
        return self.function(x)

    def value(self, x: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            return self.function(x)


def integrate(function: Any, tolerance: float, most: int = 4000) -> SimpleNamespace:
    """From (0, 0) to (1, 2), in double precision."""
    curve = Curve(function)
    path = Adaptive(curve, tolerance, most)  # type: ignore[arg-type]
    end = torch.tensor([[[1.0, 2.0]]], dtype=torch.double)
    total = float(path.attribute(end, torch.zeros_like(end)).sum())
    return SimpleNamespace(total=total, gap=path.local_gap, ends=path.ends, points=curve.points)


def test_a_cubic_is_exact_without_halving() -> None:
    found = integrate(lambda x: (x**3).sum((1, 2)), 1e-9)
    assert found.points == 8  # four stretches of two nodes
    assert found.ends == (0, 9)
    assert found.total == pytest.approx(9)
    assert found.gap <= 1e-9


def test_a_bend_is_halved_until_every_stretch_adds_up() -> None:
    def bend(x: torch.Tensor) -> torch.Tensor:
        return torch.relu(x.sum((1, 2)) - 1.0)

    found = integrate(bend, 1e-3)
    assert found.ends == (0, 2)
    assert found.total == pytest.approx(2, abs=2e-3)
    assert found.gap <= 1e-3
    even = 2 * round(1 / (1e-3 * 4)) * 4
    assert 8 < found.points < even / 4  # only the stretch with the bend was halved


def test_it_stops_when_gradients_are_spent_and_says_the_gap() -> None:
    found = integrate(lambda x: torch.sin(40 * x.sum((1, 2))), 1e-9, most=24)
    assert found.points <= 24
    assert found.gap > 1e-9


def test_a_smoothed_call_hands_the_baseline_on_in_a_tuple() -> None:
    curve = Curve(lambda x: (x**2).sum((1, 2)))
    path = Adaptive(curve, 1e-6, 100)  # type: ignore[arg-type]
    end = torch.ones(1, 1, 2, dtype=torch.double)
    got = path.attribute(end, (torch.zeros_like(end),))  # type: ignore[arg-type]
    assert got.shape == (1, 1, 1)
    assert float(got) == pytest.approx(2)
