"""What every causal method does: it runs on each family that fits, refuses with a sentence, and is forecast."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import backends
from backends import registry
from backends.errors import Refused
from tests.backends.methods.causal.sweeps import CAUSAL, NAMES, both
from tests.conftest import TEXT


@pytest.mark.parametrize("method", CAUSAL)
@pytest.mark.parametrize("name", NAMES)
def test_every_offered_method_runs_on_every_family(name: str, method: str, family: Any) -> None:
    model, entry = family(name), registry.method(method)
    raw = both(name, model)
    if not entry.needs <= model.offers:
        with pytest.raises(Refused, match=r"needs .*, which .* does not give"):
            backends.run(model, method, raw)
        return
    result = backends.run(model, method, raw, **getattr(entry, "cheap", {}))
    for array in result.arrays.values():
        assert array.dtype.kind != "f" or np.isfinite(array).all()
    assert result.unit
    assert result.signed == (method != "head_statistics")


@pytest.mark.parametrize(
    ("method", "options", "message"),
    [
        ("activation_patching", {}, "compares two inputs"),
        ("head_ablation", {"ablation": "resample"}, "resampling takes the other input's values"),
        ("path_patching", {"pair": True, "receivers": "9.9"}, "no head 9.9; the layers are 0 to 2, the heads 0 to 1"),
        ("path_patching", {"pair": True, "receivers": "x"}, "a head is given as layer.head, such as 2.1, not 'x'"),
        ("knockout", {"edges": "1.2"}, "an edge is given as layer.head.query.key"),
        ("knockout", {"edges": "1.0.99.1"}, "there is no query 99"),
        ("knockout", {"edges": "1.0.0.0"}, "leave a token nothing to look at"),
        ("knockout", {"edges": "1.0.*.0"}, "the first token may have only itself to look at"),
        ("causal_tracing", {"subject": "99"}, "there is no token 99 to add noise to"),
        ("head_ablation", {"target": {"sequence": "and pain"}}, "watch one answer, not a sequence"),
        ("logit_attribution", {"target": {"sequence": "and pain"}}, "for one answer, not a sequence"),
        ("competition", {"target": {"sequence": "and pain"}}, "two answers are compared, not a sequence"),
        ("head_ablation", {"target": ["pain", "fever"], "metric": "loss"}, "a loss has one right answer"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_said(opened: Any, method: str, options: dict[str, Any], message: str) -> None:
    raw: Any = {"clean": TEXT, "corrupted": TEXT.replace("no", "and")} if options.pop("pair", False) else TEXT
    with pytest.raises(Refused, match=message):
        backends.run(opened("tiny_gpt2"), method, raw, **options)


@pytest.mark.parametrize(
    ("method", "options"),
    [
        ("activation_patching", {}),
        ("activation_patching", {"site": "heads"}),
        ("attribution_patching", {}),
        ("causal_tracing", {"samples": 3, "subject": (0,)}),
        ("head_ablation", {}),
        ("head_statistics", {}),
        ("path_patching", {}),
        ("path_patching", {"receivers": "2.0"}),
        ("steering", {}),
        ("knockout", {}),
        ("circuit", {"subsets": 4}),
    ],
)  # fmt: skip
def test_what_a_sweep_takes_is_forecast(opened: Any, method: str, options: dict[str, Any]) -> None:
    import torch

    from backends.cost import forecast
    from backends.models import input_pair as contrast

    model = opened("tiny_gpt2")
    raw = {"clean": TEXT, "corrupted": TEXT.replace("no", "and")}
    batch = contrast.encode(model, raw)
    entry = registry.method(method).build(options)
    cost = entry.cost(forecast.measure_size(model, batch, entry, 1))
    seen: list[int] = []

    def count(module: torch.nn.Module, given: Any) -> None:
        seen.append(given[0].shape[0] * given[0].shape[1])

    hooks = [model.module.get_submodule(path).register_forward_pre_hook(count) for path in model.sites.attention]
    try:
        backends.run(model, method, raw, **options)
    finally:
        for hook in hooks:
            hook.remove()
    taken = sum(seen) / len(model.sites.attention) / len(batch.tokens)
    assert 0.4 <= taken / (cost.forwards + cost.gradients) <= 1.6 * cost.most, (taken, cost.forwards)
