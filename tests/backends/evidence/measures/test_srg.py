"""SRG: insertion less deletion, beside random orders; and its line in a receipt."""

from __future__ import annotations

import pytest

from backends.evidence.deletion_curves import compute_random_srg
from backends.evidence.map_under_test import MapUnderTest
from backends.evidence.measures import deletion, insertion, srg
from tests.backends.evidence import linear


def test_it_is_insertion_less_deletion_beside_random_orders(tested) -> None:
    made = tested()
    found, control = srg.compute(made), compute_random_srg(made.masked)
    assert found.value == pytest.approx(insertion.compute(made).value - deletion.compute(made).value)
    assert found.control == (control.min(), control.max())
    assert found.p == pytest.approx(1 / 5)  # above all of four orders


def test_the_line_holds_for_the_exact_map_and_fails_for_its_opposite(tested) -> None:
    model, image, exact = linear.picture(spot=False)  # every pixel counts, so that random orders differ little
    line = srg.ENTRY.line(MapUnderTest(model, linear.result_of(exact, image), replacement="zero"))
    assert (line.name, line.verdict) == ("order", "holds")
    assert "for random orders the two differ by up to" in line.sentence
    opposite = srg.ENTRY.line(tested(-1.0))
    assert opposite.verdict == "fails"
    assert "the order of the map means nothing to the model" in opposite.sentence
