"""Interventions, on every family: what changes nothing, what restores everything, what sums, and second derivations."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import backends
from backends import registry
from backends.errors import Cancelled, Refused
from backends.hooks import partial_forward
from backends.hooks.partial_forward import Row
from backends.methods.base import no_step
from backends.methods.causal import base
from tests import families
from tests.conftest import TEXT

CAUSAL = [name for name, entry in registry.entries("methods").items() if entry.question == "causal"]
QUICK = ("GPT-2", "Llama", "Gemma 2", "BERT", "T5", "ViT", "CLIP")
NAMES = [n if n in QUICK else pytest.param(n, marks=pytest.mark.slow) for n in families.MAKERS]
IOI = "When Mary and John went to the store, John gave a drink to"
PAIR = ["Mary", "John"]
CLOSE = 2e-5
"""What another order of sums does to a share."""


def both(name: str, model: Any) -> dict[str, Any]:
    """A clean and a corrupted input of a family; the masked word of a masked model stays."""
    raw = families.raw(name)
    if "image" in raw:
        return {"clean": raw, "corrupted": backends.corrupt(model, raw, "noise", seed=1)}
    if name == "Qwen2":  # its tokenizer class splits the words of these tests otherwise
        return {"clean": raw, "corrupted": backends.corrupt(model, raw, "resample", seed=1)}
    return {"clean": raw, "corrupted": {"text": raw["text"].replace("fever", "chart")}}


@pytest.fixture(scope="module")
def family(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Opens a family's tiny network, once."""
    there: dict[str, Any] = {}

    def get(name: str) -> Any:
        if name not in there:
            there[name] = backends.open_model(str(families.make(name, tmp_path_factory.mktemp("family"))))
        return there[name]

    return get


@pytest.fixture(scope="module")
def names() -> Any:
    return backends.open_model("bundled/names")


@pytest.fixture(scope="module")
def ioi(names: Any) -> dict[str, Any]:
    return {"clean": {"text": IOI}, "corrupted": backends.corrupt(names, {"text": IOI}, "swap")}


def watched(model: Any, raw: Any, **more: Any) -> base.WatchedMetric:
    from backends.models import input_pair as contrast

    batch = contrast.encode(model, raw)
    return base.WatchedMetric(model, batch, model.target(None, batch), **more)


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
def test_attention_times_one_changes_nothing_and_times_zero_something(name: str, family: Any) -> None:
    from backends.methods.causal.knockout import make_edits

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


def test_bert_withdraws_logit_attribution_with_its_sentence_and_offers_patching(opened: Any) -> None:
    model = opened("tiny_bert")
    with pytest.raises(Refused, match=r"Logit attribution needs components.*does not simply add attention and MLP"):
        backends.run(model, "logit_attribution", TEXT)
    assert {"activation_patching", "head_ablation", "causal_tracing"} <= set(backends.methods(model))
    with pytest.raises(Refused, match=r"mlp of .* cannot be changed: a block of .*there are: residual, heads"):
        backends.run(model, "activation_patching", {"clean": TEXT, "corrupted": TEXT.replace("no", "and")}, site="mlp")


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
        from backends.methods.causal.activation_patching import changes

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


def test_a_network_that_cannot_be_replayed_is_swept_by_whole_forwards(fresh: Any) -> None:
    import dataclasses

    model = fresh("tiny_gpt2")
    raw = {"clean": TEXT, "corrupted": TEXT.replace("fever", "chart")}
    fast = backends.run(model, "activation_patching", raw)
    model.sites = dataclasses.replace(model.sites, checks={**model.sites.checks, "replay_gap": 1.0})
    slow = backends.run(model, "activation_patching", raw)
    assert fast.facts["exact_replay"]
    assert not slow.facts["exact_replay"]
    np.testing.assert_allclose(fast.arrays["effect"], slow.arrays["effect"], atol=1e-5)


def test_cells_that_are_the_same_in_both_runs_are_zero_without_a_forward(opened: Any) -> None:
    model = opened("tiny_gpt2")
    result = backends.run(model, "activation_patching", {"clean": TEXT, "corrupted": TEXT.replace("pain", "chart")})
    at = model.encode(TEXT).tokens.index("pain")
    assert result.facts["skipped"] >= at * 3
    assert not result.arrays["effect"][:, :at].any()
    assert result.arrays["effect"][0, at] == pytest.approx(1, abs=CLOSE)


def test_rows_arrive_from_the_last_layer_and_a_sweep_can_be_cancelled(opened: Any) -> None:
    model = opened("tiny_gpt2")
    watch = watched(model, {"clean": TEXT, "corrupted": TEXT.replace("no", "and")}, tokens=16)
    contrast = base.Contrast(watch)
    from backends.methods.causal.activation_patching import changes

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


def test_what_there_is_so_far_can_be_seen(opened: Any) -> None:
    previews: list[Any] = []

    class Watching:
        def __call__(self, fraction: float) -> None:
            pass

        def tell(self, fraction: float, preview: Any) -> None:
            previews.append((fraction, preview()))

    raw = {"clean": TEXT, "corrupted": TEXT.replace("no", "and")}
    result = backends.run(opened("tiny_gpt2"), "activation_patching", raw, step=Watching())
    fraction, last = previews[-1]
    assert fraction == 1.0
    np.testing.assert_allclose(np.array(last["effect"], float), result.arrays["effect"], atol=1e-5)


def test_a_head_patched_with_its_own_value_changes_nothing(opened: Any) -> None:
    model = opened("tiny_gpt2")
    watch = watched(model, TEXT)
    known = watch.run_base(watch.batch, heads=True)
    rows = [Row({("z", at): base.make_replacement("heads", head, base.read_values(known, "heads", at))})
            for at in watch.sites.layers for head in range(watch.sites.heads)]  # fmt: skip
    np.testing.assert_allclose(watch.sweep(rows, known, watch.batch), watch.measure_base(known), rtol=1e-6)


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


def test_attribution_patching_is_exact_on_a_straight_line(opened: Any) -> None:
    model = opened("tiny_gpt2")
    raw = {"clean": TEXT, "corrupted": TEXT.replace("severe", "chart")}
    result = backends.run(model, "attribution_patching", raw, site="residual", compare=True)
    exact = backends.run(model, "activation_patching", raw, site="residual")
    expected = np.corrcoef(result.arrays["effect"].ravel(), exact.arrays["effect"].ravel())[0, 1]
    assert result.facts["correlation"] == pytest.approx(expected, abs=1e-5)
    assert result.facts["approximate"]
    watch = watched(model, raw)
    from backends.methods.causal.attribution_patching import compute_gradients

    slope = compute_gradients(watch, watch.batch.corrupted, "residual", (2,))[0]  # type: ignore[arg-type]
    contrast = base.Contrast(watch)
    small = 1e-2 * (contrast.clean.states[2][0] - contrast.corrupted.states[2][0])
    pushed = watch.sweep([Row({("residual", 2): lambda x: x + small}), Row({("residual", 2): lambda x: x - small})],
                         contrast.corrupted, contrast.corrupted_batch)  # fmt: skip
    assert float((slope * small).sum()) == pytest.approx((pushed[0] - pushed[1]) / 2, rel=0.05, abs=1e-5)


def test_alpha_one_changes_nothing_and_zero_cuts(opened: Any) -> None:
    model = opened("tiny_gpt2")
    same = backends.run(model, "knockout", TEXT, alpha=1.0)
    assert np.abs(same.arrays["effect"]).max() <= 1e-5
    chosen = backends.run(model, "knockout", TEXT, edges="*.*.6.4", alpha=1.0)
    assert np.abs(chosen.arrays["effect"]).max() <= 1e-5
    watch = watched(model, TEXT)
    known = watch.run_base(watch.batch)
    from backends.methods.causal.knockout import make_edits

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


def test_steering_by_each_tokens_difference_gives_the_clean_number(opened: Any) -> None:
    raw = {"clean": TEXT, "corrupted": TEXT.replace("no", "and")}
    result = backends.run(opened("tiny_gpt2"), "steering", raw, at="each", strengths="0,1")
    gap = result.facts["clean"] - result.facts["corrupted"]
    np.testing.assert_allclose(result.arrays["effect"][:, 0], 0, atol=CLOSE * abs(gap))
    np.testing.assert_allclose(result.arrays["effect"][:, 1], gap, rtol=1e-3)


def test_patching_the_bundled_names_finds_the_second_subject(names: Any, ioi: dict[str, Any]) -> None:
    effect = backends.run(names, "activation_patching", ioi, PAIR).arrays["effect"]
    tokens = names.encode(IOI).tokens
    second = len(tokens) - 1 - tokens[::-1].index("John")
    assert effect[0, second] == pytest.approx(1, abs=1e-4)
    assert effect[-1, -1] > 0.9
    rest = np.delete(effect, [second, len(tokens) - 1], 1)
    assert np.abs(rest).max() < 0.1


def test_a_circuit_of_all_heads_is_faithful_and_complete(names: Any, ioi: dict[str, Any]) -> None:
    every = [f"{layer}.{head}" for layer in range(3) for head in range(4)]
    whole = backends.run(names, "circuit", ioi, PAIR, heads=every, subsets=3)
    assert whole.facts["faithfulness"] == pytest.approx(1, abs=1e-5)
    assert whole.facts["completeness_gap"] <= 1e-5
    few = backends.run(names, "circuit", ioi, PAIR, ablation="resample")
    assert set(few.labels["member"]) < set(every)
    assert few.arrays["edge"].shape == (len(few.labels["member"]), len(few.labels["member"]) + 1)
    from backends.methods.causal import circuit

    again = backends.run(names, "circuit", ioi, PAIR, **circuit.options(few.facts["circuit"]))
    assert again.facts["faithfulness"] == pytest.approx(few.facts["faithfulness"], abs=1e-5)
    with pytest.raises(Refused, match="this is no circuit"):
        circuit.options({"heads": []})


def test_a_path_from_every_head_at_once_is_the_head_itself_in_the_last_layer(names: Any, ioi: dict[str, Any]) -> None:
    direct = backends.run(names, "path_patching", ioi, PAIR)
    heads = backends.run(names, "activation_patching", ioi, PAIR, site="heads")
    np.testing.assert_allclose(
        direct.arrays["effect"][-1], heads.arrays["effect"][-1], atol=1e-4
    )  # nothing comes after
    for through in ("all", "query", "key", "value"):
        received = backends.run(names, "path_patching", ioi, PAIR, receivers="2.3", through=through, mlps="held")
        assert not received.arrays["effect"][2].any()
    with pytest.raises(Refused, match="heads of the first layer receive nothing"):
        backends.run(names, "path_patching", ioi, PAIR, receivers="0.1")


def test_competition_marks_where_the_winner_takes_the_lead(names: Any) -> None:
    result = backends.run(names, "competition", IOI, PAIR)
    logit = result.arrays["logit"]
    own = {c.label: c.logit for c in names.predict(names.encode(IOI), most=400)}
    assert logit[:, -1] == pytest.approx([own["Mary"], own["John"]], abs=1e-3)
    np.testing.assert_allclose(result.arrays["contribution"].sum(1), logit[:, -1], atol=1e-3)
    np.testing.assert_allclose(result.arrays["difference"], logit[0] - logit[1], atol=1e-4)
    assert set(result.facts["crossing"]) <= set(result.labels["depth"])
    assert backends.run(names, "competition", IOI).labels["answer"][0] == "Mary"


def test_head_statistics_by_hand() -> None:
    from backends.methods.causal import head_statistics as h

    assert h.measure_sharpness(np.array([[1.0, 0, 0, 0], [0.25] * 4])) == pytest.approx([1, 0], abs=1e-6)
    weight = np.array([[[0.9, 0.1, 0.0], [0.8, 0.2, 0.0], [0.0, 0.1, 0.9]]])
    assert h.measure_focus(np.array([[3.0, 2.0, 1.0]]), weight, 2) == 1.0
    assert h.measure_focus(np.array([[3.0, 1.0, 2.0]]), weight, 2) == pytest.approx(1 / 3)
    assert h.measure_focus(np.array([[3.0]]), weight[:, :1], 2) is None
    assert h.correlate_ranks(np.array([1.0, 2, 3]), np.array([2.0, 4, 9])) == pytest.approx(1)
    assert h.correlate_ranks(np.ones(3), np.array([2.0, 4, 9])) is None


def test_noise_is_drawn_once_and_restoring_all_states_restores(names: Any) -> None:
    tokens = names.encode(IOI).tokens
    at = len(tokens) - 1 - tokens[::-1].index("John")
    result = backends.run(names, "causal_tracing", IOI, PAIR, subject=(at,), samples=3, metric="logit")
    effect = result.arrays["effect"]
    assert effect[0, at] == pytest.approx(1, abs=1e-4)
    assert np.abs(effect[:, :at]).max() <= 1e-4
    window = backends.run(names, "causal_tracing", IOI, PAIR, subject=(at,), samples=2, site="attention", window=3)
    assert window.facts["window"] == 3


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
    from backends.methods.causal.activation_patching import changes

    rows, _ = changes(contrast, "residual", (0, 1, 2))
    whole = watch.sweep(rows, contrast.corrupted, contrast.corrupted_batch)
    plain = partial_forward.replay

    def small(module: Any, sites: Any, known: Any, some: Any, *rest: Any) -> Any:
        if len(some) > 5:
            raise MemoryError
        return plain(module, sites, known, some, *rest)

    monkeypatch.setattr(partial_forward, "replay", small)
    np.testing.assert_allclose(watch.sweep(rows, contrast.corrupted, contrast.corrupted_batch), whole, rtol=1e-5)


def test_nothing_is_left_on_the_blocks(fresh: Any) -> None:
    model = fresh("tiny_gpt2")
    before = {path: sorted(vars(sub)) for path, sub in model.module.named_modules()}
    raw = {"clean": TEXT, "corrupted": TEXT.replace("no", "and")}

    def step(fraction: float) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        backends.run(model, "activation_patching", raw, step=step)
    backends.run(model, "activation_patching", raw, step=no_step)
    assert {path: sorted(vars(sub)) for path, sub in model.module.named_modules()} == before


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


def test_folders_and_parts(family: Any, tmp_path: Path) -> None:
    model = family("T5")
    raw = {"clean": families.raw("T5"), "corrupted": {"text": families.raw("T5")["text"].replace("fever", "chart")}}
    decoder = backends.run(model, "activation_patching", raw, part="decoder", site="heads")
    assert decoder.arrays["effect"].shape == (3, 4)
    with pytest.raises(Refused, match="has inputs of its own"):
        backends.run(family("CLIP"), "steering", both("CLIP", family("CLIP")), part="text")


@pytest.mark.parametrize("name", QUICK)
def test_the_prediction_of_a_sweep_is_the_models_own(name: str, family: Any) -> None:
    model = family(name)
    if not {"answer", "residual"} <= model.offers:
        return
    raw = both(name, model)
    told = backends.run(model, "steering", raw, strengths="0,1").facts["prediction"]
    own = backends.prediction(model, model.encode(raw["clean"]))
    assert [choice["label"] for choice in told] == [choice["label"] for choice in own]
    assert [choice["logit"] for choice in told] == pytest.approx([choice["logit"] for choice in own], abs=1e-4)


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
