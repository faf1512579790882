"""Recordings: patterns equal eager ones, and edits change what they say."""

from __future__ import annotations

import pytest
import torch

from backends.errors import Refused
from backends.hooks import probe
from backends.hooks.recording import StopForward, record
from tests.backends.networks import FAMILIES, IDS, NOT_ADDING, OWN_ATTENTION, eager_patterns, forward, network, ready


@pytest.mark.parametrize("name", FAMILIES)
def test_patterns_equal_the_eager_model(name: str) -> None:
    module, inputs, sites = ready(name)
    before = forward(network(name)[0], inputs)
    with record(module, sites, patterns=sites.layers) as recording:
        forward(module, inputs)
    own = eager_patterns(name)
    assert len(own) == len(sites.layers) == len(recording.patterns) == 3
    for layer, pattern in enumerate(own):
        assert torch.equal(pattern, recording.patterns[layer])
    after = forward(module, inputs)
    gap = float((before - after).abs().max())
    assert gap <= (1e-5 if name == "falcon" else 0.0)  # Falcon runs in eager mode from now on
    assert sites.interface == (name not in OWN_ATTENTION)
    assert sites.heads == 4
    assert "attention" in sites.offers


@pytest.mark.parametrize("name", FAMILIES)
def test_blocks_are_the_residual_stream(name: str) -> None:
    module, inputs, sites = ready(name)
    with record(module, sites, residual=True, components=True) as recording:
        forward(module, inputs)
    stream = recording.residual
    assert len(stream) == len(sites.block) + 1 == 4
    if name in NOT_ADDING:
        assert "simply add attention and MLP" in sites.withdrawn["components"]
        assert "components" not in sites.offers
        assert not recording.mlp_out
        return
    assert sites.checks["residual_gap"] < 1e-5
    for layer in range(3):
        added = recording.attention_out[layer] + recording.mlp_out[layer]
        torch.testing.assert_close(stream[layer] + added, stream[layer + 1], rtol=1e-5, atol=1e-5)


def test_eager_networks_are_recorded_too() -> None:
    module, inputs = network("llama", "eager")
    before = forward(module, inputs)
    sites = probe.locate(module, lambda: forward(module, inputs))
    assert torch.equal(forward(module, inputs), before)
    with record(module, sites, patterns=sites.layers) as recording:
        forward(module, inputs)
    assert torch.equal(recording.patterns[2], eager_patterns("llama")[2])


def test_gradients_reach_the_patterns() -> None:
    module, _, sites = ready("bert")
    features = module.get_input_embeddings()(IDS).requires_grad_(True)
    with record(module, sites, patterns=sites.layers, keep_grad=True) as recording:
        logits = module(inputs_embeds=features).logits
    grads = torch.autograd.grad(logits[0, 1], list(recording.patterns.values()))
    assert [g.shape for g in grads] == [(1, 4, 7, 7)] * 3
    assert all(float(g.abs().max()) > 0 for g in grads)


def test_a_head_set_to_zero_is_its_projection_set_to_zero() -> None:
    module, inputs, sites = ready("gpt2")

    def silence(z: torch.Tensor) -> torch.Tensor:
        z[:, :, 2] = 0
        return z

    with record(module, sites, edits={("z", 1): silence}, heads=True) as recording:
        edited = forward(module, inputs)
    assert float(recording.z[1][:, :, 2].abs().max()) == 0.0
    assert recording.z[1].shape == (1, 7, 4, 4)
    plain = forward(module, inputs)
    module.transformer.h[1].attn.c_proj.weight[8:12] = 0
    torch.testing.assert_close(edited, forward(module, inputs))
    assert not torch.allclose(edited, plain)


@pytest.mark.parametrize("layer", range(4))
def test_a_stream_patched_whole_gives_the_other_answer(layer: int) -> None:
    module, inputs, sites = ready("llama")
    other = {"input_ids": IDS.flip(1)}
    with record(module, sites, residual=True) as recording:
        wanted = forward(module, other)
    donor = recording.residual[layer]
    with record(module, sites, edits={("residual", layer): lambda stream: donor}):
        assert torch.equal(forward(module, inputs), wanted)
    kept = forward(module, inputs)
    with record(module, sites, edits={("residual", layer): lambda stream: stream}):
        assert torch.equal(forward(module, inputs), kept)


def test_rows_of_a_layer_that_was_not_recorded() -> None:
    module, inputs, sites = ready("gpt2")
    with record(module, sites, qk=[1]) as recording:
        forward(module, inputs)
    with pytest.raises(Refused, match=r"layer 0 was not recorded; recorded: \[1\]"):
        recording.compute_rows(0, [1])


@pytest.mark.parametrize("name", ["gpt2", "llama", "bert", "gemma2"])
def test_scores_queries_keys_and_values_can_be_changed(name):
    module, inputs, sites = ready(name)
    plain = forward(module, inputs)
    with record(module, sites, edits={("scores", 1): lambda zeros: zeros}):
        assert torch.allclose(forward(module, inputs), plain, atol=1e-5)
    for part in ("query", "key", "value"):
        with record(module, sites, edits={(part, 1): lambda x: x}):
            assert forward(module, inputs).equal(plain)
        with record(module, sites, edits={(part, 1): lambda x: x * 0}):
            assert not torch.allclose(forward(module, inputs), plain, atol=1e-4)

    def cut(scores):
        scores[:, 1, -1, 0] = torch.finfo(scores.dtype).min
        return scores

    with record(module, sites, patterns=[1]) as before:
        forward(module, inputs)
    with record(module, sites, patterns=[1], edits={("scores", 1): cut}) as after:
        forward(module, inputs)
    row, wanted = after.patterns[1][0, 1, -1], before.patterns[1][0, 1, -1].clone()
    wanted[0] = 0
    assert torch.allclose(row, wanted / wanted.sum(), atol=1e-5)
    assert torch.allclose(after.patterns[1][0, 0], before.patterns[1][0, 0], atol=1e-6)


def test_gradients_reach_what_is_recorded_with_the_graph():
    module, inputs, sites = ready("gpt2")
    embeddings = module.get_input_embeddings()(inputs["input_ids"]).detach().requires_grad_()
    with record(module, sites, residual=True, components=True, keep_grad=True) as recording:
        out = module(inputs_embeds=embeddings, use_cache=False).logits[0, -1].sum()
    found = torch.autograd.grad(out, [*recording.residual, recording.mlp_out[1]])
    assert all(float(grad.abs().sum()) > 0 for grad in found)


def test_a_forward_stops_when_its_layer_was_heard() -> None:
    module, inputs, sites = ready("gpt2")
    heard, after = [], []

    def stop(layer: int, call: object) -> None:
        heard.append(layer)
        raise StopForward

    with record(module, sites, qk=[1, 2], on_layer=stop):
        forward(module, inputs)
        after.append("the forward went on")
    assert (heard, after) == ([1], [])
