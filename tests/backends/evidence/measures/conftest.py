"""A map of a linear network, ready to be measured."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from backends.evidence.map_under_test import MapUnderTest
from tests.backends.evidence import linear

EFFECTS = {"b": 3.0, "e": 2.0, "h": -1.0, "k": 0.5}


@pytest.fixture
def tested() -> Callable[[float], MapUnderTest]:
    """Makes the exact map of a text of twelve words, times a factor; hidden words are replaced by zero."""
    model, weight = linear.text(EFFECTS)

    def make(factor: float = 1.0) -> MapUnderTest:
        return MapUnderTest(model, linear.result_of(factor * weight), replacement="zero")

    return make


@pytest.fixture
def image_tested() -> MapUnderTest:
    """The exact map of a picture with a spot that counts."""
    model, image, exact = linear.picture()
    return MapUnderTest(model, linear.result_of(exact.astype(np.float32), image), replacement="zero")
