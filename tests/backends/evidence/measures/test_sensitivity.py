"""Sensitivity: captum's number, which grows with the noise and leaves the random numbers as they were."""

from __future__ import annotations

import torch

import backends
from backends.evidence.measures import sensitivity


def test_it_grows_with_the_noise_and_leaves_the_generator_alone(fresh) -> None:
    model, raw = fresh("tiny_bert"), {"text": "no fever but severe chest pain"}
    result, batch = backends.run(model, "saliency", raw), model.encode(raw)
    before = torch.random.get_rng_state()
    small = sensitivity.compute_sensitivity(model, batch, result, None, radius=1e-6, samples=2)
    large = sensitivity.compute_sensitivity(model, batch, result, None, radius=0.05, samples=2)
    assert 0 <= small < large
    assert torch.equal(before, torch.random.get_rng_state())
