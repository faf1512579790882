"""Probe: parts are found by what tensors do, and what fails its check is withdrawn with a sentence."""

from __future__ import annotations

import pytest
import torch
import transformers as t

from backends.hooks import probe
from backends.hooks.attention_call import AttentionCall
from backends.hooks.recording import record
from tests.backends.networks import FAMILIES, IMAGE, TEXT, forward, network, ready


def test_scaled_logits_withdraw_the_lens() -> None:
    sites = ready("granite")[2]
    assert "miss this network's logits" in sites.withdrawn["unembedding"]
    assert "unembedding" not in sites.offers


def test_roles_name_modules() -> None:
    module, _, sites = ready("gemma2")
    roles = sites.roles()
    assert roles["block"][0] == "model.layers.0"
    assert roles["attention"][0] == "model.layers.0.self_attn"
    assert roles["branch"][0] == "model.layers.0.post_attention_layernorm"
    assert roles["projection"][2] == "model.layers.2.self_attn.o_proj"
    assert roles["final_norm"] == ["model.norm"]
    assert roles["unembedding"] == ["lm_head"]
    assert all(module.get_submodule(path) is not None for paths in roles.values() for path in paths)


def test_shared_blocks_are_layers_of_their_own() -> None:
    module, inputs, sites = ready("albert")
    assert len(set(sites.block)) == 1
    assert len(sites.block) == 3
    with record(module, sites, residual=True) as recording:
        forward(module, inputs)
    assert not torch.equal(recording.residual[1], recording.residual[2])


def test_a_convolutional_network_has_channels() -> None:
    torch.manual_seed(0)
    config = t.ResNetConfig(embedding_size=8, hidden_sizes=[8, 16, 24], depths=[1, 1, 1], layer_type="basic")
    module = t.ResNetForImageClassification(config).eval()
    pixels = {"pixel_values": torch.randn(1, 3, 64, 64)}
    sites = probe.locate(module, lambda: forward(module, pixels))
    assert sites.channels == tuple(f"resnet.encoder.stages.{i}" for i in range(3))
    assert sites.offers == {"channels"}
    assert sites.roles() == {"channels": list(sites.channels)}


def test_windows_are_withdrawn() -> None:
    torch.manual_seed(0)
    config = t.SwinConfig(embed_dim=16, depths=[2, 2], num_heads=[2, 4], image_size=32, patch_size=4, window_size=4)
    module = t.SwinForImageClassification(config).eval()
    sites = probe.locate(module, lambda: forward(module, IMAGE))
    assert "within windows" in sites.withdrawn["attention"]
    assert not sites.offers


def test_a_network_without_attention_still_has_a_stream() -> None:
    torch.manual_seed(0)
    module = t.MambaForCausalLM(t.MambaConfig(hidden_size=16, num_hidden_layers=3, vocab_size=40, state_size=4)).eval()
    sites = probe.locate(module, lambda: forward(module, TEXT))
    assert sites.offers == {"residual", "unembedding"}
    assert sites.layers == ()


def test_an_error_while_locating_leaves_no_hook() -> None:
    module, _ = network("gpt2")
    with pytest.raises(IndexError):
        probe.locate(module, lambda: forward(module, {"input_ids": torch.tensor([[1000]])}))
    assert not any(sub._forward_hooks or sub._forward_pre_hooks for sub in module.modules())


def test_a_change_of_the_answer_withdraws_attention(monkeypatch: pytest.MonkeyPatch) -> None:
    """What forgetting the mask function would do: the network would see the future."""
    monkeypatch.setattr(AttentionCall, "run_kernel", lambda self: self.run_eager())
    monkeypatch.setattr(AttentionCall, "additive_mask", lambda self, rows: None)
    module, inputs = network("gpt2")
    before = forward(module, inputs)
    sites = probe.locate(module, lambda: forward(module, inputs))
    assert "changes this network's answer" in sites.withdrawn["attention"]
    assert "attention" not in sites.offers
    assert sites.checks["install_gap"] > 1e-3
    assert torch.equal(forward(module, inputs), before)


@pytest.mark.parametrize("name", FAMILIES)
def test_probing_leaves_hooks_on_the_parts_alone(name: str) -> None:
    module, _, sites = ready(name)
    hooked = {path for path, sub in module.named_modules() if sub._forward_hooks or sub._forward_pre_hooks}
    assert hooked == {*sites.block, *sites.attention, *sites.branch, *sites.mlp}


@pytest.mark.parametrize("name", ["gpt2", "llama", "bert", "vit", "opt", "gemma2"])
def test_the_projection_mixes_the_heads(name: str) -> None:
    module, inputs, sites = ready(name)
    with record(module, sites, heads=True) as recording:
        forward(module, inputs)
    given = []
    handle = module.get_submodule(sites.projection[1]).register_forward_pre_hook(lambda _, args: given.append(args[0]))
    forward(module, inputs)
    handle.remove()
    torch.testing.assert_close(recording.z[1].flatten(2), given[0])


def test_a_network_whose_own_eager_attention_differs_is_withdrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "_measure_eager_gap", lambda *_: 0.25)
    sites = ready("gpt2")[2]
    assert "differs from its own in eager mode by 2.5e-01" in sites.withdrawn["attention"]
    assert "attention" not in sites.offers
