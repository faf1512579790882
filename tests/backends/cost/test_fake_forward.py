"""Forwards on tensors without contents: what they take is what the real ones take."""

from __future__ import annotations

import pytest
import torch

from backends.cost import fake_forward


def test_traced_memory_is_what_autograd_keeps(opened) -> None:
    """On a linear layer: input (rows, 8) float32 and output (rows, 4), and for a gradient the ones and the sum's."""
    from transformers import PretrainedConfig

    class Line(torch.nn.Module):
        @classmethod
        def _from_config(cls, config, dtype=None):
            made = cls()
            made.line = torch.nn.Linear(8, 4, bias=False)
            return made

    imagined = fake_forward.Imagined(Line, PretrainedConfig())
    taken = imagined.take(lambda: imagined.module.line(torch.zeros(16, 8)))
    assert taken.flops == 2 * 16 * 8 * 4
    assert taken.bytes == 4 * (16 * 8 + 16 * 4)
    assert imagined.sizes == (32, 0)


@pytest.mark.parametrize("name", ["tiny_gpt2", "tiny_bert", "tiny_vit"])
def test_a_fake_network_has_the_sizes_and_operations_of_the_real_one(opened, picture, name) -> None:
    from torch.utils.flop_counter import FlopCounterMode

    model = opened(name)
    batch = model.encode({"image": picture} if name == "tiny_vit" else "no fever but severe chest pain")
    fake = fake_forward.Imagined(type(model.module), model.module.config)
    assert fake.sizes[0] == sum(p.numel() for p in model.module.parameters())
    inputs = dict(batch.inputs)
    inputs.pop("attention_mask", None)
    with FlopCounterMode(display=False, custom_mapping=fake_forward._formulas()) as counter, torch.no_grad():
        model.module(**inputs)
    fakes = fake.like(inputs)
    assert fake.take(lambda: fake.module(**fakes)).flops == counter.get_total_flops() > 0
