"""Lines and receipts as JSON, and numbers and targets as sentences say them."""

from __future__ import annotations

import pytest

from backends.errors import Refused
from backends.evidence import verdict
from backends.evidence.verdict import Line, Receipt
from tests.backends.evidence import linear


@pytest.mark.parametrize(
    ("value", "said"), [(1.234, "1.23"), (-0.5, "-0.50"), (0.0123, "0.012"), (0.00004, "0.00"), (0.0, "0.00")]
)
def test_numbers_have_two_decimals_or_two_figures(value: float, said: str) -> None:
    assert verdict.format_number(value) == said


def test_the_target_is_named_with_its_score_or_without() -> None:
    model, _ = linear.text({"b": 1.0})
    masked = linear.mask(model, {"text": linear.TEXT}, count=1)
    assert verdict.name_target(masked) == "the score of 'yes'"
    assert verdict.name_target(masked, score=False) == "'yes'"


def test_a_receipt_comes_back_from_json_and_nothing_else_does() -> None:
    made = Receipt((Line("hiding", 1.0, (0.0, 0.5), "holds", "It holds."),), "holds", "Holds.", {"seed": 0})
    assert made.plain()["lines"][0]["control"] == [0.0, 0.5]
    assert Receipt.of(made.plain()) == made
    with pytest.raises(Refused, match="this is no receipt: 'control' is missing or wrong"):
        Receipt.of({**made.plain(), "lines": [{"name": "hiding"}]})
