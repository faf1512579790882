"""What the parts write sums to the logit, or the method is withdrawn."""

from __future__ import annotations

import math
from typing import Any

import pytest

import backends
from backends import registry
from backends.errors import Refused
from tests import families
from tests.backends.methods.causal.sweeps import NAMES
from tests.conftest import TEXT


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("by", ["head", "part", "layer"])
def test_what_the_parts_write_sums_to_the_logit(name: str, by: str, family: Any) -> None:
    model = family(name)
    if not registry.method("logit_attribution").needs <= model.offers:
        return
    result = backends.run(model, "logit_attribution", families.raw(name), by=by)
    assert result.facts["sum_gap"] <= 2e-6
    batch = model.encode(families.raw(name))
    own = model.predict(batch)[0].logit
    at = result.facts["position"]
    total = result.arrays["contribution"][:, at].sum()
    cap = model.stack(model.answers).cap
    assert (cap * math.tanh(total / cap) if cap else total) == pytest.approx(own, rel=1e-4, abs=1e-4)


def test_bert_withdraws_logit_attribution_with_its_sentence_and_offers_patching(opened: Any) -> None:
    model = opened("tiny_bert")
    with pytest.raises(Refused, match=r"Logit attribution needs components.*does not simply add attention and MLP"):
        backends.run(model, "logit_attribution", TEXT)
    assert {"activation_patching", "head_ablation", "causal_tracing"} <= set(backends.methods(model))
    with pytest.raises(Refused, match=r"mlp of .* cannot be changed: a block of .*there are: residual, heads"):
        backends.run(model, "activation_patching", {"clean": TEXT, "corrupted": TEXT.replace("no", "and")}, site="mlp")
