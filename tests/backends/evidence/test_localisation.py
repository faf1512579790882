"""Where a map lies: a perfect map, a blind one, and regions that do not fit."""

from __future__ import annotations

import numpy as np
import pytest

from backends.errors import Refused
from backends.evidence.localisation import localise


def test_localisation_of_a_perfect_and_of_a_blind_map() -> None:
    region = np.zeros((16, 16), bool)
    region[2:6, 9:13] = True
    found = localise(region * 2.0, region)
    assert {name: about["value"] for name, about in found.items()} == dict.fromkeys(
        ("pointing", "mass inside", "intersection over union", "rank accuracy"), 1.0
    )
    assert all(about["p"] <= 4 / 512 for name, about in found.items() if name != "pointing")
    half = np.zeros((16, 16))
    half[2:6, 7:11] = 1.0
    about = localise(half, region)
    assert about["mass inside"]["value"] == pytest.approx(0.5)
    assert about["rank accuracy"]["value"] == pytest.approx(0.5)
    assert about["intersection over union"]["value"] == pytest.approx(1 / 3)


def test_regions_that_do_not_fit() -> None:
    with pytest.raises(Refused, match=r"the region is \(2, 2\) but the map is \(4, 4\)"):
        localise(np.ones((4, 4)), np.ones((2, 2), bool))
    with pytest.raises(Refused, match="empty or everything"):
        localise(np.ones((4, 4)), np.zeros((4, 4), bool))
