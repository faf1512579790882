"""Agreement of maps is Spearman's rank correlation."""

from __future__ import annotations

import numpy as np
import pytest

from backends.errors import Refused
from backends.evidence import agreement


def test_agreement_is_spearman() -> None:
    from scipy.stats import spearmanr

    chance = np.random.default_rng(0)
    one, two = chance.standard_normal((2, 8, 8))
    found = agreement.compare_maps({"one": one, "two": two, "same": 3 * one + 1})
    assert found["similarity"][0][1] == pytest.approx(spearmanr(one.ravel(), two.ravel()).statistic)
    assert found["similarity"][0][2] == pytest.approx(1.0)
    assert found["p"][0][2] == pytest.approx(1 / 512)
    assert agreement.similarity(one, np.ones((8, 8))) == 0
    with pytest.raises(Refused, match="their shapes differ"):
        agreement.compare_maps({"one": one, "two": two[:4]})
