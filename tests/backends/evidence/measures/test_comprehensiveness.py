"""Comprehensiveness: the mean of what is lost without the brightest words."""

from __future__ import annotations

import pytest

from backends.evidence.erasure import erase_words
from backends.evidence.measures import comprehensiveness


def test_it_is_the_mean_loss_and_large_for_the_exact_map(tested) -> None:
    made = tested()
    found = comprehensiveness.compute(made)
    assert found.value == pytest.approx(erase_words(made.masked, made.values)[0].mean())
    assert found.value > comprehensiveness.compute(tested(-1.0)).value
    assert found.p == pytest.approx(1 / 9)  # better than each of eight copies
