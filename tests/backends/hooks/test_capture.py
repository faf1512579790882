"""Capture: patterns equal eager ones, threads never mix, and an idle network is the network it was."""

from __future__ import annotations

import copy
import threading

import pytest
import torch

from backends.errors import Refused
from backends.hooks import capture, probe
from tests.backends.networks import FAMILIES, IDS, NOT_ADDING, OWN_ATTENTION, eager_patterns, forward, network, ready


@pytest.mark.parametrize("name", FAMILIES)
def test_patterns_equal_the_eager_model(name: str) -> None:
    module, inputs, sites = ready(name)
    before = forward(network(name)[0], inputs)
    with capture.record(module, sites, patterns=sites.layers) as recording:
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
def test_rows_equal_the_rows_of_the_whole(name: str) -> None:
    module, inputs, sites = ready(name)
    with capture.record(module, sites, patterns=sites.layers) as whole:
        forward(module, inputs)
    rows = [1, 4]
    with capture.record(module, sites, patterns=sites.layers, queries=rows) as some:
        forward(module, inputs)
    with capture.record(module, sites, qk=sites.layers) as later:
        forward(module, inputs)
    for layer in sites.layers:
        wanted = whole.patterns[layer][:, :, rows]
        torch.testing.assert_close(some.patterns[layer], wanted, rtol=0, atol=1e-6)
        torch.testing.assert_close(later.rows(layer, rows), wanted, rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", FAMILIES)
def test_blocks_are_the_residual_stream(name: str) -> None:
    module, inputs, sites = ready(name)
    with capture.record(module, sites, residual=True, components=True) as recording:
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


@pytest.mark.parametrize("name", ["gpt2", "llama", "gpt_neox", "opt", "gemma", "gpt_oss", "bloom"])
def test_the_lens_of_the_last_state_is_the_logits(name: str) -> None:
    module, inputs, sites = ready(name)
    with capture.record(module, sites, residual=True) as recording:
        logits = forward(module, inputs)
    with torch.no_grad():
        assert torch.equal(capture.read(module, sites, recording.residual[-1]), logits)
    assert sites.checks["lens_gap"] == 0.0
    assert "unembedding" in sites.offers


@pytest.mark.parametrize("name", ["gpt2", "llama", "bert"])
@pytest.mark.parametrize("side", ["left", "right"])
def test_padding_is_masked_as_in_eager(name: str, side: str) -> None:
    module, _, sites = ready(name)
    eager = network(name, "eager")[0]
    ids = torch.cat([IDS, IDS.flip(1)])
    mask = torch.ones_like(ids)
    mask[1, slice(0, 2) if side == "left" else slice(-2, None)] = 0
    with torch.no_grad():
        own = eager(ids, attention_mask=mask, output_attentions=True).attentions
        with capture.record(module, sites, patterns=sites.layers) as recording:
            module(ids, attention_mask=mask)
    real = mask.bool()  # rows of padding mean nothing
    for layer, pattern in enumerate(own):
        mine = recording.patterns[layer]
        assert torch.equal(pattern.transpose(1, 2)[real], mine.transpose(1, 2)[real])
        assert float(mine[1].transpose(0, 1)[real[1]][..., ~real[1]].max()) == 0.0


def test_attention_stays_causal() -> None:
    module, inputs, sites = ready("gpt2")
    with capture.record(module, sites, patterns=[1]) as recording:
        forward(module, inputs)
    assert set(recording.patterns) == {1}
    assert float(recording.patterns[1].triu(1).abs().max()) == 0.0
    torch.testing.assert_close(recording.patterns[1].sum(-1), torch.ones(1, 4, 7))


def test_sinks_leave_rows_below_one() -> None:
    module, inputs, sites = ready("gpt_oss")
    with capture.record(module, sites, patterns=[0]) as recording:
        forward(module, inputs)
    assert float(recording.patterns[0].sum(-1).max()) < 0.999


def test_threads_on_one_network_never_mix() -> None:
    module, _, sites = ready("gpt2")
    inputs = [{"input_ids": torch.full((1, 4 + i), 2 + i)} for i in range(8)]
    wanted = []
    for one in inputs:
        with capture.record(module, sites, patterns=sites.layers, residual=True) as recording:
            forward(module, one)
        wanted.append((recording.patterns[2], recording.residual[3]))
    wrong, start = [], threading.Barrier(8)

    def work(i: int) -> None:
        start.wait()
        for again in range(12):
            if (i + again) % 3 == 0:  # some threads only run the network
                forward(module, inputs[i])
                continue
            with capture.record(module, sites, patterns=sites.layers, residual=True) as recording:
                forward(module, inputs[i])
            same = torch.equal(recording.patterns[2], wanted[i][0]) and torch.equal(recording.residual[3], wanted[i][1])
            wrong.extend([] if same else [i])

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_nothing_is_left_after_an_error() -> None:
    module, inputs, sites = ready("gpt2")
    before = forward(module, inputs)
    hooks = [(len(sub._forward_hooks), len(sub._forward_pre_hooks)) for sub in module.modules()]

    def stop(z: torch.Tensor) -> torch.Tensor:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), capture.record(module, sites, patterns=[0, 1], edits={("z", 1): stop}):
        forward(module, inputs)
    with pytest.raises(IndexError), capture.record(module, sites, patterns=[0]):
        forward(module, {"input_ids": torch.tensor([[1000]])})
    assert capture._listeners.get() == {}
    assert hooks == [(len(sub._forward_hooks), len(sub._forward_pre_hooks)) for sub in module.modules()]
    assert torch.equal(forward(module, inputs), before)


def test_installing_twice_changes_nothing() -> None:
    module, inputs, sites = ready("llama")
    hooks = [len(sub._forward_hooks) for sub in module.modules()]
    capture.install(module)
    assert probe.locate(module, lambda: forward(module, inputs)) == sites
    assert hooks == [len(sub._forward_hooks) for sub in module.modules()]
    assert max(hooks) == 1
    assert module.config._attn_implementation == "vitrine_sdpa"


def test_a_copy_records_itself() -> None:
    module, inputs, sites = ready("gpt2")
    twin = copy.deepcopy(module)
    twin.transformer.h[0].attn.c_attn.weight += 0.5
    with capture.record(twin, sites, patterns=[0]) as recording:
        forward(module, inputs)
        assert recording.patterns == {}
        forward(twin, inputs)
    assert 0 in recording.patterns


def test_nested_recordings_of_two_networks() -> None:
    one, inputs, sites = ready("gpt2")
    two, _, other = ready("bert")
    with capture.record(one, sites, patterns=[0]) as outer, capture.record(two, other, patterns=[1]) as inner:
        forward(one, inputs)
        forward(two, inputs)
    assert set(outer.patterns) == {0}
    assert set(inner.patterns) == {1}


def test_eager_networks_are_recorded_too() -> None:
    module, inputs = network("llama", "eager")
    before = forward(module, inputs)
    sites = probe.locate(module, lambda: forward(module, inputs))
    assert torch.equal(forward(module, inputs), before)
    with capture.record(module, sites, patterns=sites.layers) as recording:
        forward(module, inputs)
    assert torch.equal(recording.patterns[2], eager_patterns("llama")[2])


def test_gradients_reach_the_patterns() -> None:
    module, _, sites = ready("bert")
    features = module.get_input_embeddings()(IDS).requires_grad_(True)
    with capture.record(module, sites, patterns=sites.layers, keep_grad=True) as recording:
        logits = module(inputs_embeds=features).logits
    grads = torch.autograd.grad(logits[0, 1], list(recording.patterns.values()))
    assert [g.shape for g in grads] == [(1, 4, 7, 7)] * 3
    assert all(float(g.abs().max()) > 0 for g in grads)


def test_a_head_set_to_zero_is_its_projection_set_to_zero() -> None:
    module, inputs, sites = ready("gpt2")

    def silence(z: torch.Tensor) -> torch.Tensor:
        z[:, :, 2] = 0
        return z

    with capture.record(module, sites, edits={("z", 1): silence}, heads=True) as recording:
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
    with capture.record(module, sites, residual=True) as recording:
        wanted = forward(module, other)
    donor = recording.residual[layer]
    with capture.record(module, sites, edits={("residual", layer): lambda stream: donor}):
        assert torch.equal(forward(module, inputs), wanted)
    kept = forward(module, inputs)
    with capture.record(module, sites, edits={("residual", layer): lambda stream: stream}):
        assert torch.equal(forward(module, inputs), kept)


def test_rows_of_a_layer_that_was_not_recorded() -> None:
    module, inputs, sites = ready("gpt2")
    with capture.record(module, sites, qk=[1]) as recording:
        forward(module, inputs)
    with pytest.raises(Refused, match=r"layer 0 was not recorded; recorded: \[1\]"):
        recording.rows(0, [1])


@pytest.mark.parametrize("name", ["gpt2", "llama", "bert", "gemma2"])
def test_scores_queries_keys_and_values_can_be_changed(name):
    module, inputs, sites = ready(name)
    plain = forward(module, inputs)
    with capture.record(module, sites, edits={("scores", 1): lambda zeros: zeros}):
        assert torch.allclose(forward(module, inputs), plain, atol=1e-5)
    for part in ("query", "key", "value"):
        with capture.record(module, sites, edits={(part, 1): lambda x: x}):
            assert forward(module, inputs).equal(plain)
        with capture.record(module, sites, edits={(part, 1): lambda x: x * 0}):
            assert not torch.allclose(forward(module, inputs), plain, atol=1e-4)

    def cut(scores):
        scores[:, 1, -1, 0] = torch.finfo(scores.dtype).min
        return scores

    with capture.record(module, sites, patterns=[1]) as before:
        forward(module, inputs)
    with capture.record(module, sites, patterns=[1], edits={("scores", 1): cut}) as after:
        forward(module, inputs)
    row, wanted = after.patterns[1][0, 1, -1], before.patterns[1][0, 1, -1].clone()
    wanted[0] = 0
    assert torch.allclose(row, wanted / wanted.sum(), atol=1e-5)
    assert torch.allclose(after.patterns[1][0, 0], before.patterns[1][0, 0], atol=1e-6)


def test_gradients_reach_what_is_recorded_with_the_graph():
    module, inputs, sites = ready("gpt2")
    embeddings = module.get_input_embeddings()(inputs["input_ids"]).detach().requires_grad_()
    with capture.record(module, sites, residual=True, components=True, keep_grad=True) as recording:
        out = module(inputs_embeds=embeddings, use_cache=False).logits[0, -1].sum()
    found = torch.autograd.grad(out, [*recording.residual, recording.mlp_out[1]])
    assert all(float(grad.abs().sum()) > 0 for grad in found)
