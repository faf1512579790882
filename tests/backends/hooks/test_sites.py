"""Sites: what they offer, and states unembedded to logits."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from backends.hooks.recording import record
from backends.hooks.sites import Sites, unembed
from tests.backends.networks import forward, ready


@pytest.mark.parametrize("name", ["gpt2", "llama", "gpt_neox", "opt", "gemma", "gpt_oss", "bloom"])
def test_the_lens_of_the_last_state_is_the_logits(name: str) -> None:
    module, inputs, sites = ready(name)
    with record(module, sites, residual=True) as recording:
        logits = forward(module, inputs)
    with torch.no_grad():
        assert torch.equal(unembed(module, sites, recording.residual[-1]), logits)
    assert sites.checks["lens_gap"] == 0.0
    assert "unembedding" in sites.offers


def test_what_was_withdrawn_is_not_offered() -> None:
    found = Sites(
        block=("b0",), attention=("a0",), branch=("a0",), mlp=("m0",), unembedding="head", checks={"head_gap": 0.0}
    )
    assert found.offers == {"attention", "residual", "components", "heads", "unembedding"}
    assert replace(found, withdrawn={"components": "they do not add up"}).offers == found.offers - {"components"}
    assert replace(found, checks={}).offers == found.offers - {"heads"}  # heads that nobody checked are not edited
    assert Sites(channels=("stage",)).offers == {"channels"}


def test_layers_are_those_with_attention() -> None:
    found = Sites(block=("b0", "b1", "b2"), attention=("", "a1", "a2"), final_norm="norm")
    assert found.layers == (1, 2)
    assert found.roles() == {"block": ["b0", "b1", "b2"], "attention": ["a1", "a2"], "final_norm": ["norm"]}


def test_logits_are_scaled_and_capped() -> None:
    module = torch.nn.ModuleDict({"head": torch.nn.Linear(3, 5, bias=False)})
    states, found = torch.tensor([[1.0, -2.0, 3.0]]), Sites(unembedding="head", scale=0.5, cap=2.0)
    with torch.no_grad():
        expected = 2 * (module["head"].weight @ states[0] / 4).tanh()
        torch.testing.assert_close(unembed(module, found, states)[0], expected)
