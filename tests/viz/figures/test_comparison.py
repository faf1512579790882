"""One scale for several results, and what it cannot compare."""

from __future__ import annotations

import dataclasses

import numpy as np

from tests.viz import samples
from viz.figures import comparison


def test_shared_scale_covers_all_and_says_what_differs() -> None:
    signed, unsigned = samples.text_attribution(), samples.text_attribution(signed=False)
    low, high = comparison.shared_scale([signed, unsigned])
    assert low == -high == -float(np.abs(signed.arrays["attribution"]).max())
    assert comparison.differences([signed, signed]) == []
    other = dataclasses.replace(unsigned, unit="probability", target="routine")
    said = " ".join(comparison.differences([signed, other]))
    assert "units differ" in said
    assert "signs differ" in said
    assert "targets differ" in said
    assert "integrated gradients in logit" in said
