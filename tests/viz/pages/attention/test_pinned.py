"""Heads that stay in sight: named so that a link means the same, on one scale, and never more than fit."""

from __future__ import annotations

import numpy as np
import pytest

from tests.viz import samples
from viz.pages.attention import pinned

DATA = {"layers": ["0", "1", "2"], "heads": ["0", "1", "2", "3"], "mean": True, "whole": True, "key": "k" * 64}


def test_a_link_pins_heads_by_name() -> None:
    assert pinned.linked({"pins": "0.1,2.mean,0.1"}) == ["0.1", "2.mean"]
    assert pinned.linked({"pins": "nonsense," + "9" * 40 + ".1"}) == []
    assert len(pinned.linked({"pins": ",".join(f"0.{i}" for i in range(20))})) <= pinned.MOST


def test_the_button_pins_and_lets_go() -> None:
    assert pinned.named(DATA, {"layer": 1, "head": 2}) == "1.2"
    assert pinned.named(DATA, {"layer": 1, "head": "mean"}) == "1.mean"
    assert pinned.named(DATA, {"layer": 9, "head": 2}) == ""
    assert pinned.toggled(["0.1"], "1.2") == ["0.1", "1.2"]
    assert pinned.toggled(["0.1", "1.2"], "0.1") == ["1.2"]
    assert pinned.toggled(["0.1"], "") == ["0.1"]
    assert pinned.toggled([f"0.{i}" for i in range(6)], "1.0") == ["0.1", "0.2", "0.3", "0.4", "0.5", "1.0"]


def test_a_head_that_this_model_has_not_is_said() -> None:
    there = pinned.shown_of(["0.1", "7.7"], DATA)
    assert there == ["0.1"]
    assert "This model has no head 7.7." in pinned.told(["0.1", "7.7"], there, 0.5)


@pytest.mark.parametrize("sink", [True, False])
def test_all_share_one_scale(sink: bool) -> None:
    result = samples.attention()
    made = pinned.slots(result, DATA, ["0.1", "2.mean"], sink)
    first, second = made[2], made[5]
    assert (made[0], made[1], made[4], made[6]) == ("pinned-head", "Head 0.1", "Layer 2, mean", "d-none")
    pattern = result.arrays["pattern"]
    shown = [pattern[0, 1], pattern[2].mean(0)]
    most = max(float(np.max(m[:, 1:] if sink else m)) for m in shown)
    assert first["scale"] == second["scale"] == [0.0, pytest.approx(most)]
    assert first["group"] == second["group"]
    assert "at=0,1" in first["map"]
    assert "at=2,mean" in second["map"]
    assert ("sink=0" in first["map"]) == sink
    assert "value" not in second  # the exact number of a mean is kept by none
