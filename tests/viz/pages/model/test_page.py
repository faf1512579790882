"""The model page: the card in words, its checks and parts, and the settings of a link."""

from __future__ import annotations

import json
from typing import Any

import pytest

from backends.errors import Refused
from tests.viz.reading import links_of, text_of
from viz.components.model_picker import OTHER
from viz.pages.model import page as model

CARD: dict[str, Any] = {
    "name": "bundled/triage?dtype=bfloat16", "title": "Note", "summary": "Reads notes", "task": "text-classification",
    "family": "TextClassifier", "revision": "r1?dtype=bfloat16", "parameters": 182_499, "layers": 2, "heads": 2,
    "parts": {}, "device": "cpu", "dtype": "bfloat16", "bytes": 365_000, "limit": 128, "labels": ["routine", "urgent"],
    "offers": ["answer", "attention", "residual"], "warnings": ["12 weights are random"],
    "figures": [{"name": "accuracy", "value": 0.97, "n": 600, "what": "on notes it never saw"}],
    "limits": ["Synthetic; not for clinical use."], "data": "Made by a grammar.",
    "checks": {"install_gap": 0.0, "attention_gap": 2.5e-3, "residual_gap": 0.9},
    "tolerances": {"install_gap": 0.0625, "attention_gap": 0.0625, "residual_gap": 0.0625},
    "withdrawn": {"components": "a block does not simply add"},
    "roles": {"block": ["encoder.0", "encoder.1"], "final_norm": ["norm"]},
    "numbers": {"block": 120_000, "final_norm": 64, "rest": 62_435},
}  # fmt: skip
FORECAST: dict[str, Any] = {
    "name": "org/big?dtype=bfloat16", "task": "causal-lm", "parameters": 6_738_415_616, "device": "cpu",
    "dtype": "bfloat16", "free": 20 * 2**30, "measured": False,
    "weights": {"float32": 27 * 10**9, "bfloat16": 13 * 10**9}, "fits": {"float32": False, "bfloat16": True},
    "lengths": [128, 4096], "bytes": [50 * 2**20, 3 * 2**30], "seconds": [0.25, 400.0],
}  # fmt: skip


def test_every_check_has_its_figure_tolerance_and_verdict_in_words() -> None:
    said = text_of(model.checks(CARD))
    assert "Watching changes nothing" in said
    assert "✓ exact" in said
    assert "2.5e−03" in said
    assert "✓ rounding only" in said
    assert "6.2e−02" in said
    assert "fails, withdrawn: Contributions of attention and MLP" in said
    assert "a block does not simply add" in said


def test_every_check_of_the_probe_has_words() -> None:
    from backends.hooks.sites import Sites

    known = {word.strip("`") for word in (Sites.__doc__ or "").split() if word.strip("`").endswith("_gap")}
    assert known | {"replay_gap", "trim_gap"} == set(model.CHECKS) == set(model.BASIS)
    assert set(model.BASIS.values()) <= set(model.VIEWS)


def test_a_network_that_looks_back_and_ahead_fails_no_check() -> None:
    said = text_of(model._checks_table({"checks": {"trim_gap": 0.4}, "withdrawn": {}}, {"trim_gap": 1e-4}))
    assert "Earlier tokens can be left out" in said
    assert "not so here, so all tokens are always read" in said
    assert "fails" not in said


def test_a_link_with_settings_that_mean_nothing_says_so() -> None:
    assert "no dtype 'float8'" in text_of(model.layout(model="bundled/triage?dtype=float8"))
    assert "cannot be used" not in text_of(model.layout(model="bundled/triage?dtype=bfloat16"))


def test_stacks_are_told_apart() -> None:
    stack = {"layers": 3, "heads": 4, "checks": {"patch_gap": 0.0}, "withdrawn": {}, "roles": {"block": ["e.0", "e.1"]}}
    lost = {**stack, "checks": {}, "withdrawn": {"attention": "runs within windows"}}
    card = {**CARD, "parts": {"encoder": stack, "decoder": lost}, "tolerances": {"patch_gap": 1e-4}, "withdrawn": {}}
    said = text_of(model.checks(card))
    assert "Encoder" in said
    assert "Nothing to check here: withdrawn before it could be checked." in said
    assert "runs within windows" in said
    assert "encoder: 3 layers, 4 heads; decoder: 3 layers, 4 heads" in text_of(model.about(card))
    assert "block (encoder)" in text_of(model.parts(card))


def test_the_card_tells_size_figures_limits_and_leads_to_the_pages() -> None:
    shown = model.about(CARD)
    said = text_of(shown)
    for part in ("0.970", "n = 600", "not for clinical use", "bfloat16 on cpu", "128 tokens", "12 weights are random"):
        assert part in said
    assert "/attention?model=bundled%2Ftriage%3Fdtype%3Dbfloat16" in links_of(shown)


def test_parts_name_their_modules_and_numbers() -> None:
    said = text_of(model.parts(CARD))
    for part in ("encoder.0 … encoder.1", "120 000", "everything else", "62 435", "final norm"):
        assert part in said
    assert model.count(6_738_415_616) == "6.74 billion"
    assert model.count(1_500_000) == "1.5 million"


def test_memory_and_time_are_told_before_anything_is_opened() -> None:
    said = text_of(model.takes(FORECAST))
    for part in ("6.74 billion parameters", "20.0 GB are free on cpu", "25.1 GB", "does not fit", "bfloat16 (as asked)",
                 "fits", "3.0 GB", "250 ms", "7 min", "4 096", "roughly"):  # fmt: skip
        assert part in said, part
    opened = {**FORECAST, "measured": True, "gradient": 2.0, "lengths": [0], "bytes": [10**7], "seconds": [2.0]}
    said = text_of(model.takes(opened))
    for part in ("open now", "one picture", "one gradient", "4 s", "measured here"):
        assert part in said, part


def test_settings_become_part_of_the_name_that_is_asked_for(tiny_bert) -> None:
    given = {"dtype": "bfloat16", "device": "cpu", "load": model.OWN}
    forecasts, openings, whole = model.asked("bundled/triage", given)
    assert whole == "bundled/triage?dtype=bfloat16&device=cpu"
    assert openings["model"]["model"] == whole
    assert openings["model"]["job"] == "open"
    assert forecasts["model"]["job"] == "forecast"
    assert model.asked("bundled/triage", {"dtype": "float32", "device": ""})[2] == "bundled/triage"
    assert model.asked("bundled/triage?dtype=float16", {})[2] == "bundled/triage?dtype=float16"
    with pytest.raises(Refused, match="no device 'tpu'"):
        model.asked("bundled/triage", {"device": "tpu"})


def test_a_config_without_weights_is_forecast_and_not_opened(tmp_path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"architectures": ["LlamaForCausalLM"], "model_type": "llama"}))
    forecasts, openings, whole = model.asked(str(tmp_path), {"dtype": "bfloat16"})
    assert openings == {}
    assert whole == f"{tmp_path}?dtype=bfloat16"
    assert forecasts["model"]["model"] == whole
    with pytest.raises(Refused, match="no bundled model"):
        model.asked("bundled/nothing", {})


def values(component: Any) -> dict[str, Any]:
    return {c.id: c.value for c in component._traverse() if hasattr(c, "value") and hasattr(c, "id")}


def test_the_link_restores_model_and_settings() -> None:
    found = values(model.layout(model="bundled/triage?dtype=bfloat16&device=cuda:7"))
    assert found["model-name"] == "bundled/triage"
    assert (found["model-dtype"], found["model-device"], found["model-load"]) == ("bfloat16", "cuda:7", model.OWN)
    found = values(model.layout(model="org/big?load=8bit"))
    assert (found["model-name"], found["model-other"], found["model-load"]) == (OTHER, "org/big", "8bit")
    found = values(model.layout(model="gpt2?dtype=<script>"))
    assert (found["model-other"], found["model-dtype"]) == ("gpt2", "float32")
    assert values(model.layout())["model-name"].startswith("bundled/")
