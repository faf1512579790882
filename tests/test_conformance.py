"""Every method on every tiny model that it fits, each on a fresh network: what all of them promise."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

import backends
from backends import registry
from tests.conftest import IMAGES, TEXTS, other_for, raw_for

METHODS = registry.entries("methods")


def state(module: Any) -> dict[str, Any]:
    """What a method must leave as it was, as plain values that can be compared."""
    import torch

    kinds = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    return {
        "weights": {name: value.clone() for name, value in module.state_dict().items()},
        "gradients": [name for name, p in module.named_parameters() if p.grad is not None or p.requires_grad],
        "hooks": {path: [len(getattr(m, kind)) for kind in kinds] for path, m in module.named_modules()},
        "attributes": {path: sorted(vars(m)) for path, m in module.named_modules()},
        "training": {path: m.training for path, m in module.named_modules()},
        "random": (torch.get_rng_state().tolist(), np.random.get_state()[1].tolist(), random.getstate()),
        "grad_enabled": torch.is_grad_enabled(),
    }


def assert_same(before: dict[str, Any], after: dict[str, Any]) -> None:
    """Nothing changed."""
    for name, value in before.pop("weights").items():
        assert value.equal(after["weights"][name]), f"weight {name} changed"
    after.pop("weights")
    for name, value in before.items():
        assert value == after[name], f"{name} changed"


def run(model: Any, method: str, raw: Any, **more: Any) -> backends.Result | str:
    """The result, or the sentence that says why there is none."""
    try:
        return backends.run(model, method, raw, **getattr(METHODS[method], "cheap", {}), **more)
    except backends.Refused as refused:
        return str(refused)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", [*TEXTS, *IMAGES])
def test_a_method_keeps_its_promises(fresh, picture, name, method):
    model, entry = fresh(name), METHODS[method]
    raw = raw_for(name, picture)
    if entry.needs_pair:
        raw = {"clean": raw, "corrupted": other_for(name, picture)}
    if not entry.needs <= model.offers:
        assert "needs" in run(model, method, raw)
        return
    before = state(model.module)
    first = run(model, method, raw)
    assert_same(before, state(model.module))
    again = run(model, method, raw)
    if isinstance(first, str):
        assert first == again
        assert method == "deep_lift", first  # the only one whose validity is decided by its own result
        return
    assert first.method == method
    assert first.unit
    sizes: dict[str, int] = {}
    for key, array in first.arrays.items():
        assert array.size, key
        assert array.ndim == len(first.axes[key])
        assert all(sizes.setdefault(axis, n) == n for axis, n in zip(first.axes[key], array.shape, strict=True))
        if array.dtype.kind == "f":
            assert np.isfinite(array).all(), key
        np.testing.assert_array_equal(array, again.arrays[key], err_msg=f"{key} does not repeat")
    if entry.question == "attribution":
        main = first.arrays["attribution"]
        assert first.main == "attribution"
        assert main.dtype == np.float32
        batch = model.encode(raw)
        assert main.shape == (batch.image.shape[:2] if name in IMAGES else (len(batch.tokens),))
        assert np.any(main)
        assert first.signed or main.min() >= 0


GRADIENT_OR_PERTURBATION = [name for name, entry in METHODS.items() if hasattr(entry, "claims") and name != "deep_lift"]


@pytest.mark.parametrize("method", GRADIENT_OR_PERTURBATION)
@pytest.mark.parametrize("target", [["pain", "fever"], {"sequence": "and severe pain"}])
def test_pairs_and_sequences_can_be_explained(opened, method, target):
    model = opened("tiny_gpt2")
    result = run(model, method, "the doctor saw the patient", target=target)
    if method == "guided_grad_cam":
        assert "needs channels, relu" in result
        return
    assert np.any(result.arrays["attribution"])
    assert result.unit.startswith("nat" if isinstance(target, dict) else "logit" if method != "guided" else "")
    assert result.target == ("pain rather than fever" if isinstance(target, list) else "the sequence 'and severe pain'")


@pytest.mark.parametrize("method", METHODS)
def test_a_method_says_what_a_page_needs(method):
    entry = METHODS[method]
    assert entry.__doc__
    assert not entry.__doc__.startswith(entry.__name__ + "(")  # a dataclass without its own words
    assert entry.title
    assert entry.question in ("attention", "attribution", "trajectory", "causal", "diffusion")
    assert any(c.isdigit() for c in entry.source), "paper and equation"
    assert entry.build(entry().options()) == entry()


@pytest.mark.parametrize("method", GRADIENT_OR_PERTURBATION)
def test_cancelling_stops_a_method(opened, picture, method):
    class Stop(backends.Cancelled):
        pass

    def step(fraction):
        raise Stop

    with pytest.raises(Stop):
        backends.run(opened("tiny_resnet"), method, picture, step=step)
