"""Circuits: faithful, complete, and written down."""

from __future__ import annotations

from typing import Any

import pytest

import backends
from backends.errors import Refused
from backends.methods.causal import circuit
from tests.backends.methods.causal.sweeps import PAIR


def test_a_circuit_of_all_heads_is_faithful_and_complete(names: Any, ioi: dict[str, Any]) -> None:
    every = [f"{layer}.{head}" for layer in range(3) for head in range(4)]
    whole = backends.run(names, "circuit", ioi, PAIR, heads=every, subsets=3)
    assert whole.facts["faithfulness"] == pytest.approx(1, abs=1e-5)
    assert whole.facts["completeness_gap"] <= 1e-5
    few = backends.run(names, "circuit", ioi, PAIR, ablation="resample")
    assert set(few.labels["member"]) < set(every)
    assert few.arrays["edge"].shape == (len(few.labels["member"]), len(few.labels["member"]) + 1)
    again = backends.run(names, "circuit", ioi, PAIR, **circuit.options(few.facts["circuit"]))
    assert again.facts["faithfulness"] == pytest.approx(few.facts["faithfulness"], abs=1e-5)
    with pytest.raises(Refused, match="this is no circuit"):
        circuit.options({"heads": []})
