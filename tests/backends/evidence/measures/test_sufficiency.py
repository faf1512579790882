"""Sufficiency: the mean of what is lost with only the brightest words; less is better."""

from __future__ import annotations

import pytest

from backends.evidence.erasure import erase_words
from backends.evidence.measures import sufficiency


def test_it_is_the_mean_loss_and_small_for_the_exact_map(tested) -> None:
    made = tested()
    found = sufficiency.compute(made)
    assert found.value == pytest.approx(erase_words(made.masked, made.values)[1].mean())
    assert found.value < sufficiency.compute(tested(-1.0)).value
    assert found.control is not None
    assert found.value <= found.control[1]
    assert found.p < 1  # a smaller loss counts as better
