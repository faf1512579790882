"""Two answers through depth, up to the model's own logits."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import backends
from backends import registry
from tests import families
from tests.backends.methods.causal.sweeps import IOI, NAMES, PAIR


@pytest.mark.parametrize("name", NAMES)
def test_a_competition_ends_with_the_models_own_logits(name: str, family: Any) -> None:
    model = family(name)
    if not registry.method("competition").needs <= model.offers:
        return
    raw = families.raw(name)
    own = model.predict(model.encode(raw), most=2)
    result = backends.run(model, "competition", raw, target=[own[1].index, own[0].index])
    cap = model.stack(model.answers).cap
    last = [cap * math.tanh(v / cap) if cap else v for v in result.arrays["logit"][:, -1].tolist()]
    assert last == pytest.approx([own[1].logit, own[0].logit], rel=1e-4, abs=1e-4)
    assert result.arrays["difference"][-1] < 0
    if "components" in model.stack(model.answers).offers:
        written = result.arrays["contribution"].sum(1)
        assert written == pytest.approx(result.arrays["logit"][:, -1], rel=1e-4, abs=1e-4)


def test_competition_marks_where_the_winner_takes_the_lead(names: Any) -> None:
    result = backends.run(names, "competition", IOI, PAIR)
    logit = result.arrays["logit"]
    own = {c.label: c.logit for c in names.predict(names.encode(IOI), most=400)}
    assert logit[:, -1] == pytest.approx([own["Mary"], own["John"]], abs=1e-3)
    np.testing.assert_allclose(result.arrays["contribution"].sum(1), logit[:, -1], atol=1e-3)
    np.testing.assert_allclose(result.arrays["difference"], logit[0] - logit[1], atol=1e-4)
    assert set(result.facts["crossing"]) <= set(result.labels["depth"])
    assert backends.run(names, "competition", IOI).labels["answer"][0] == "Mary"
