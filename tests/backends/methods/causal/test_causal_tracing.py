"""Noise on a subject, and what restores the answer."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import backends
from tests.backends.methods.causal.sweeps import IOI, PAIR


def test_noise_is_drawn_once_and_restoring_all_states_restores(names: Any) -> None:
    tokens = names.encode(IOI).tokens
    at = len(tokens) - 1 - tokens[::-1].index("John")
    result = backends.run(names, "causal_tracing", IOI, PAIR, subject=(at,), samples=3, metric="logit")
    effect = result.arrays["effect"]
    assert effect[0, at] == pytest.approx(1, abs=1e-4)
    assert np.abs(effect[:, :at]).max() <= 1e-4
    window = backends.run(names, "causal_tracing", IOI, PAIR, subject=(at,), samples=2, site="attention", window=3)
    assert window.facts["window"] == 3
