"""What causal methods share: the watched number, the two inputs, and a sweep that equals whole forwards."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import backends
from backends.errors import Cancelled, Refused
from backends.hooks import partial_forward
from backends.hooks.partial_forward import Row
from backends.methods.causal import base
from backends.methods.causal.activation_patching import changes
from tests.backends.methods.causal.sweeps import CAUSAL, CLOSE, NAMES, both, watched
from tests.conftest import TEXT


@pytest.mark.parametrize("name", NAMES)
def test_a_place_patched_with_itself_changes_nothing_and_all_clean_states_restore(name: str, family: Any) -> None:
    model = family(name)
    if not {"answer", "residual"} <= model.offers:
        assert not any(m in CAUSAL for m in backends.methods(model))
        return
    watch = watched(model, both(name, model))
    contrast = base.Contrast(watch, {"heads": "heads" in model.offers})
    scale = max(abs(contrast.high), abs(contrast.low))
    depth = len(watch.sites.block)
    itself = [Row({("residual", layer): lambda state: state}) for layer in range(depth + 1)]
    whole = [Row({("residual", at): lambda _, state=state[0]: state}) for at, state in enumerate(contrast.clean.states)]
    if "heads" in model.offers:
        itself += [Row({("z", layer): lambda z: z}) for layer in watch.sites.layers]
    numbers = watch.sweep([*itself, *whole], contrast.corrupted, contrast.corrupted_batch)
    assert np.abs(numbers[: len(itself)] - contrast.low).max() <= CLOSE * scale
    assert np.abs(numbers[len(itself) :] - contrast.high).max() <= CLOSE * scale


@pytest.mark.parametrize("name", NAMES)
def test_every_site_patched_with_its_own_values_changes_nothing(name: str, family: Any) -> None:
    model = family(name)
    if not {"answer", "residual"} <= model.offers:
        return
    watch = watched(model, both(name, model))
    for site in [s for s in base.SITES if base.NEEDED[s] in watch.sites.offers]:
        known = watch.run_base(watch.batch, **base.choose_recording(site))
        own = watch.measure_base(known)
        width = watch.sites.heads if site == "heads" else known.states[0].shape[1]
        cells = [(layer, i) for layer in base.find_layers(watch.sites, site) for i in range(width)]
        rows = [
            Row({base.find_place(site, at): base.make_replacement(site, i, base.read_values(known, site, at))},
                first=0 if site == "heads" else i)
            for at, i in cells
        ]  # fmt: skip
        numbers = watch.sweep(rows, known, watch.batch)
        assert np.abs(numbers - own).max() <= CLOSE * max(abs(own), 1), site


@pytest.mark.parametrize("name", NAMES)
def test_a_forward_may_begin_at_a_later_block(name: str, family: Any) -> None:
    model = family(name)
    if "residual" not in model.offers:
        assert "replay_gap" not in model.sites.checks
        return
    routed = name in ("Mixtral", "gpt-oss")
    if name == "Bloom":  # its blocks get one bias for each head of each input, so whole forwards serve
        assert model.sites.checks["replay_gap"] == float("inf")
        return
    assert model.sites.checks["replay_gap"] <= (1 if routed else 1e-5), name
    if "next_token" in model.offers and not model.answers and name != "GPT-J":  # it computes its attention itself
        assert model.sites.checks["trim_gap"] <= 1e-5, name
    elif "trim_gap" in model.sites.checks and name in ("BERT", "ViT", "RoBERTa", "DistilBERT"):
        assert model.sites.checks["trim_gap"] > 1e-3, name


@pytest.mark.parametrize("name", ["tiny_gpt2", "tiny_bert", "tiny_vit"])
def test_a_replayed_sweep_equals_one_whole_forward_a_cell(name: str, opened: Any, picture: Any) -> None:
    model = opened(name)
    raw: Any = {"clean": TEXT, "corrupted": TEXT.replace("fever", "chart")}
    if name == "tiny_vit":
        raw = {"clean": picture, "corrupted": backends.corrupt(model, {"image": picture}, "noise", seed=1)}
    watch = watched(model, raw, tokens=40)
    contrast = base.Contrast(watch, {"heads": True})
    rows, places = [], []
    for site in ("residual", "heads"):
        some, where = changes(contrast, site, base.find_layers(watch.sites, site))
        rows, places = rows + some, places + where
    fast = watch.sweep(rows, contrast.corrupted, contrast.corrupted_batch)
    import torch

    from backends.hooks.recording import record

    slow = []
    for row in rows:
        edits = {at: (lambda x, own=edit: own(x[0])[None]) for at, edit in row.edits.items()}
        with torch.no_grad(), record(model.module, model.sites, edits=edits):
            features = model.features(contrast.corrupted_batch)
            slow.append(float(watch.compute_metric(model.outputs(features, contrast.corrupted_batch))))
    np.testing.assert_allclose(fast, slow, rtol=1e-5, atol=1e-5)


def test_rows_arrive_from_the_last_layer_and_a_sweep_can_be_cancelled(opened: Any) -> None:
    model = opened("tiny_gpt2")
    watch = watched(model, {"clean": TEXT, "corrupted": TEXT.replace("no", "and")}, tokens=16)
    contrast = base.Contrast(watch)
    rows, places = changes(contrast, "residual", (0, 1, 2))
    seen: list[int] = []

    def on_rows(fraction: float, found: Any) -> None:
        seen.append(min(places[index][0] for index in found))
        if fraction > 0.5:
            raise Cancelled

    with pytest.raises(Cancelled):
        watch.sweep(rows, contrast.corrupted, contrast.corrupted_batch, on_rows=on_rows)
    assert seen[0] == 2
    assert seen == sorted(seen, reverse=True)


def test_a_head_patched_with_its_own_value_changes_nothing(opened: Any) -> None:
    model = opened("tiny_gpt2")
    watch = watched(model, TEXT)
    known = watch.run_base(watch.batch, heads=True)
    rows = [Row({("z", at): base.make_replacement("heads", head, base.read_values(known, "heads", at))})
            for at in watch.sites.layers for head in range(watch.sites.heads)]  # fmt: skip
    np.testing.assert_allclose(watch.sweep(rows, known, watch.batch), watch.measure_base(known), rtol=1e-6)


def test_metrics(opened: Any) -> None:
    model = opened("tiny_gpt2")
    best = model.predict(model.encode(TEXT), most=2)
    runs = {m: backends.run(model, "head_ablation", TEXT, metric=m) for m in base.METRICS}
    assert runs["logit"].facts["clean"] == pytest.approx(best[0].logit)
    assert runs["probability"].facts["clean"] == pytest.approx(best[0].probability)
    assert runs["loss"].facts["clean"] == pytest.approx(-math.log(best[0].probability), rel=1e-5)
    assert [r.unit for r in runs.values()] == ["logit", "probability", "nat"]
    apart = backends.run(model, "head_ablation", TEXT, target=[best[0].index, best[1].index], metric="probability")
    assert apart.facts["clean"] == pytest.approx(best[0].probability - best[1].probability)


def test_two_runs_with_one_number_have_nothing_to_restore(fresh: Any) -> None:
    import torch

    model = fresh("tiny_gpt2")
    with torch.no_grad():
        model.module.lm_head.weight[3] = 0
    with pytest.raises(Refused, match="both inputs have the same logit of"):
        backends.run(model, "activation_patching", {"clean": TEXT, "corrupted": TEXT.replace("no", "and")}, target=3)


def test_memory_that_runs_out_halves_the_batch(opened: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    model = opened("tiny_gpt2")
    watch = watched(model, {"clean": TEXT, "corrupted": TEXT.replace("no", "and")})
    contrast = base.Contrast(watch)
    rows, _ = changes(contrast, "residual", (0, 1, 2))
    whole = watch.sweep(rows, contrast.corrupted, contrast.corrupted_batch)
    plain = partial_forward.replay

    def small(module: Any, sites: Any, known: Any, some: Any, *rest: Any) -> Any:
        if len(some) > 5:
            raise MemoryError
        return plain(module, sites, known, some, *rest)

    monkeypatch.setattr(partial_forward, "replay", small)
    np.testing.assert_allclose(watch.sweep(rows, contrast.corrupted, contrast.corrupted_batch), whole, rtol=1e-5)


def test_another_thread_hears_nothing_of_a_replay(opened: Any) -> None:
    import threading

    import torch

    model = opened("tiny_gpt2")
    batch = model.encode(TEXT)
    wanted = model.outputs(model.features(batch), batch)
    watch = watched(model, TEXT)
    known = watch.run_base(batch)
    seen: list[Any] = []

    def elsewhere() -> None:
        with torch.no_grad():
            seen.append(model.outputs(model.features(batch), batch))

    def edit(state: Any) -> Any:
        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
        return state

    watch.sweep([Row({("residual", 2): edit})], known, batch)
    assert seen[0].equal(wanted)
