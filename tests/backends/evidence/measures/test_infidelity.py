"""Infidelity: zero for the exact map, and captum's for any other."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from backends.evidence.measures import infidelity
from tests.backends.evidence import linear


def test_infidelity_is_zero_for_the_exact_map_and_equals_captum() -> None:
    from captum.metrics import infidelity as theirs

    model, image, exact = linear.picture(spot=False)
    masked = linear.mask(model, {"image": image}, count=32)
    other = np.random.default_rng(1).standard_normal(256)
    maps = np.stack([exact.ravel(), other])
    plain = infidelity.infidelity(masked.hidden, masked.drops, maps, scaled=False)
    assert plain[0] == pytest.approx(0, abs=1e-6)

    def answer(kept: torch.Tensor) -> torch.Tensor:  # (N, place) of 0 and 1
        return torch.from_numpy(masked.ask(kept.numpy() < 0.5)[:, 0])

    def perturb(kept: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        hidden = torch.from_numpy(masked.hidden.astype(float))
        return hidden, kept - hidden

    all_kept, attribution = torch.ones(1, 256, dtype=torch.double), torch.from_numpy(other)[None]
    for scaled in (False, True):
        ours = infidelity.infidelity(masked.hidden, masked.drops, maps, scaled)[1]
        captum = theirs(answer, perturb, all_kept, attribution, n_perturb_samples=32, normalize=scaled)
        assert ours == pytest.approx(float(captum[0]), rel=1e-5)
    assert infidelity.compare_with_copies(masked, exact.ravel()).p == pytest.approx(1 / 512)
    assert infidelity.compare_with_copies(masked, -exact.ravel()).value == pytest.approx(1.0)  # captum's would be 0
