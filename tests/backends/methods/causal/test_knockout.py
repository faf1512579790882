"""Attention between tokens scaled or cut, and what the network then answers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import backends
from backends import registry
from backends.hooks.partial_forward import Row
from backends.methods.causal.knockout import make_edits
from tests.backends.methods.causal.sweeps import CLOSE, IOI, NAMES, PAIR, both, watched
from tests.conftest import TEXT


@pytest.mark.parametrize("name", NAMES)
def test_attention_times_one_changes_nothing_and_times_zero_something(name: str, family: Any) -> None:
    model = family(name)
    if not registry.method("knockout").needs <= model.offers:
        assert "knockout" not in backends.methods(model)
        return
    watch = watched(model, both(name, model))
    known = watch.run_base(watch.batch)
    own = watch.measure_base(known)
    last = known.states[0].shape[1] - 1
    every = [(None, None, last, key) for key in range(last)] + [(None, None, 1, 0)]
    edits = {alpha: make_edits(watch.sites, every, (), alpha) for alpha in (1.0, 0.0)}
    same, cut = watch.sweep([Row(edits[1.0]), Row(edits[0.0])], known, watch.batch)
    assert abs(same - own) <= CLOSE * max(abs(own), 1)
    assert abs(cut - own) > 1e-4 * max(abs(own), 1)


def test_alpha_one_changes_nothing_and_zero_cuts(opened: Any) -> None:
    model = opened("tiny_gpt2")
    same = backends.run(model, "knockout", TEXT, alpha=1.0)
    assert np.abs(same.arrays["effect"]).max() <= 1e-5
    chosen = backends.run(model, "knockout", TEXT, edges="*.*.6.4", alpha=1.0)
    assert np.abs(chosen.arrays["effect"]).max() <= 1e-5
    watch = watched(model, TEXT)
    known = watch.run_base(watch.batch)
    patterns: dict[float, Any] = {}
    for alpha in (0.0, 1.0, 3.0):
        import torch

        from backends.hooks.recording import record

        edits = {at: (lambda x, own=edit: own(x[0])[None])
                 for at, edit in make_edits(watch.sites, [(1, 0, 6, 4)], (), alpha).items()}  # fmt: skip
        with torch.no_grad(), record(model.module, model.sites, patterns=[1], edits=edits) as recording:
            model.outputs(model.features(watch.batch), watch.batch)
        patterns[alpha] = recording.patterns[1][0]
    plain = patterns[1.0][0, 6]
    for alpha in (0.0, 3.0):
        wanted = plain.clone()
        wanted[4] *= alpha
        np.testing.assert_allclose(patterns[alpha][0, 6], wanted / wanted.sum(), atol=1e-6)
        np.testing.assert_allclose(patterns[alpha][1], patterns[1.0][1], atol=1e-6)
    assert known.states


def test_knockout_says_what_the_network_then_answers(names: Any) -> None:
    result = backends.run(names, "knockout", IOI, PAIR, heads="0.0", edges="0.1.13.3")
    assert result.labels["change"] == ("0.1.13.3", "head 0.0", "together")
    assert result.facts["prediction"][0]["label"] == "Mary"
    assert result.facts["after"][0]["label"] != "Mary"
    assert result.arrays["effect"][2] == pytest.approx(result.facts["together"])


def test_a_continuation_under_changes_is_that_of_the_changed_network(fresh: Any) -> None:
    import torch

    plain = fresh("tiny_gpt2")
    result = backends.run(plain, "knockout", TEXT, heads="1.1", tokens=5)
    changed = fresh("tiny_gpt2")
    with torch.no_grad():
        changed.module.transformer.h[1].attn.c_proj.weight[8:] = 0  # (in, out): what head 1.1 writes
    texts = [backends.generate(m, TEXT, tokens=5)["text"][len(TEXT) :] for m in (plain, changed)]
    assert result.facts["continued"] == texts
    assert texts[0] != texts[1]
    shares = [{c.label: c.probability for c in m.predict(m.encode(TEXT), most=400)} for m in (plain, changed)]
    for row in result.facts["compared"]:
        assert row["before"] == pytest.approx(shares[0][row["label"]], rel=1e-4, abs=1e-6)
        assert row["after"] == pytest.approx(shares[1][row["label"]], rel=1e-4, abs=1e-6)
    best = [max(side, key=side.__getitem__) for side in shares]
    assert set(best) <= {row["label"] for row in result.facts["compared"]}
    assert result.facts["after"][0]["label"] == best[1]
    assert "continued" not in backends.run(plain, "knockout", TEXT, heads="1.1").facts


def test_a_network_that_writes_nothing_compares_its_classes(opened: Any, picture: Any) -> None:
    model = opened("tiny_vit")
    result = backends.run(model, "knockout", picture, heads="0.0", tokens=5)
    assert "continued" not in result.facts
    labels = [row["label"] for row in result.facts["compared"]]
    assert set(labels) == set(model.labels)
    for side in ("before", "after"):
        assert sum(row[side] for row in result.facts["compared"]) == pytest.approx(1, abs=1e-5)
