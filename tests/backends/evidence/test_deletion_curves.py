"""Deletion and insertion curves against sums of a linear network's weights."""

from __future__ import annotations

import numpy as np
import pytest

from backends.evidence import deletion_curves
from tests.backends.evidence import linear

EFFECTS = {"b": 3.0, "e": 2.0, "h": -1.0, "k": 0.5}


def test_curves_are_sums_of_what_is_left() -> None:
    model, weight = linear.text(EFFECTS)
    masked = linear.mask(model, {"text": linear.TEXT}, count=1)
    found = deletion_curves.compute_curves(masked, weight[1:-1])
    first, last = np.sort(weight[1:-1])[::-1], np.sort(weight[1:-1])
    count = np.rint(found.hidden * 12).astype(int)
    assert found.brightest_first == pytest.approx([4.5 - first[:n].sum() for n in count])
    assert found.darkest_first == pytest.approx([4.5 - last[:n].sum() for n in count])
    area = np.trapezoid(found.darkest_first, found.hidden) - np.trapezoid(found.brightest_first, found.hidden)
    assert found.srg == pytest.approx(area)
    assert found.srg > 0
    assert deletion_curves.compute_curves(masked, -weight[1:-1]).srg < 0


def test_insertion_is_the_darkest_first_curve_backwards() -> None:
    model, weight = linear.text(EFFECTS)
    masked = linear.mask(model, {"text": linear.TEXT}, count=1)
    found = deletion_curves.compute_curves(masked, weight[1:-1])
    order = np.argsort(-weight[1:-1], kind="stable")
    shown = [weight[1:-1][order[:n]].sum() for n in np.rint((1 - found.hidden) * 12).astype(int)]
    assert found.darkest_first == pytest.approx(shown)
