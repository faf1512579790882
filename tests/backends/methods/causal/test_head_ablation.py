"""A head set to zero is a head that writes nothing."""

from __future__ import annotations

from typing import Any

import pytest

import backends
from tests.conftest import TEXT


def test_a_head_set_to_zero_is_its_columns_of_the_projection_set_to_zero(fresh: Any) -> None:
    import torch

    model = fresh("tiny_gpt2")
    target = model.target(None, model.encode(TEXT))
    effect = backends.run(model, "head_ablation", TEXT, ablation="zero").arrays["effect"]
    weight = model.module.transformer.h[1].attn.c_proj.weight  # (in, out)
    with torch.no_grad():
        weight[8:] = 0
    batch = model.encode(TEXT)
    score = float(model.score(model.features(batch), batch, target)[0].detach())
    clean = backends.run(model, "head_ablation", TEXT, ablation="zero")
    assert clean.facts["clean"] == pytest.approx(score)
    before = backends.run(fresh("tiny_gpt2"), "head_ablation", TEXT, target=target.ids[0]).facts["clean"]
    assert effect[1, 1] == pytest.approx(score - before, abs=1e-5)
