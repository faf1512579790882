"""A circuit in words, as JSON, and as lines that replay it."""

from __future__ import annotations

import base64
import dataclasses
import json
from typing import Any

import numpy as np
import pytest

from backends.errors import Refused
from tests.viz import causal_samples
from tests.viz.pages.causal.cases import LM
from viz.pages.causal import circuits
from viz.pages.causal import results as views


def upload(given: Any) -> str:
    return "data:application/json;base64," + base64.b64encode(json.dumps(given).encode()).decode()


def test_a_circuit_goes_out_as_json_and_comes_back() -> None:
    written = {"format": "vitrine-circuit", "heads": ["0.0", "1.1"], "ablation": "mean", "metric": "logit"}
    result = dataclasses.replace(causal_samples.circuit(), facts={"circuit": written})
    heads, options = circuits.opened(upload(json.loads(circuits.written(result))), LM)
    assert heads == ["0.0", "1.1"]
    assert options == {"ablation": "mean", "metric": "logit"}
    assert circuits.opened(upload({"facts": {"circuit": written}}), LM)[0] == ["0.0", "1.1"]


@pytest.mark.parametrize(
    ("contents", "sentence"),
    [
        ("data:,!", "this file is no JSON"),
        (upload([1]), "this is no circuit"),
        (upload({"format": "vitrine-circuit", "heads": ["x"]}), "given as layer.head, such as 2.1, not 'x'"),
        (upload({"format": "vitrine-circuit", "heads": ["7.0"]}), "has head 7.0, and bundled/names has 3 layers of 4"),
        (upload("x" * 300_000), "has at most 195 KB, not 292"),
    ],
)
def test_what_is_no_circuit_of_this_model_is_refused(contents: str, sentence: str) -> None:
    with pytest.raises(Refused, match=sentence):
        circuits.opened(contents, LM)


def test_the_three_criteria_in_words() -> None:
    result = causal_samples.circuit()
    arrays = {**result.arrays, "minimality": np.array([0.5, 0.02, 0.3], np.float32)}
    facts = {"faithfulness": 0.97, "completeness_gap": 0.1, "minimality_least": 0.02, "ablation": "resample"}
    whole = dataclasses.replace(result, arrays=arrays, axes={**result.axes, "minimality": ("member",)}, facts=facts)
    said = str(circuits.criteria(whole))
    assert "3: 0.0, 1.0, 1.1" in said
    assert "0.97" in said
    assert "(1.0) changes: near 0" in said
    assert "values for the corrupted input" in said
    assert "Graph" in str(views.graph(result, 0.05, False))
    alone = dataclasses.replace(result, arrays={"effect": result.arrays["effect"]}, axes={"effect": ("layer", "head")})
    assert "With a corrupted input" in str(views.graph(alone, 0.05, False))


def test_a_circuit_is_replayed_by_lines_that_can_be_pasted() -> None:
    result = dataclasses.replace(
        causal_samples.circuit(),
        facts={"text": "It's Mary", "corrupted_text": "It's John", "corrupted_tokens": []},
        request={"model": "bundled/names", "target": ["Mary", "John"]},
    )
    said = str(circuits.command(result))
    assert "--input 'It'\"'\"'s Mary'" in said.replace("\\'", "'")
    assert "--target 'Mary|John'" in said.replace("\\'", "'")
    assert "circuit.options(json.load" in said
    assert "from backends.methods.causal import circuit" in said
    from backends.methods.causal import circuit

    assert callable(circuit.options)


def test_heads_of_a_link_are_put_in_the_networks_order() -> None:
    heads = circuits.asked({"heads": "10.1,2.10,2.9,nonsense,2.9"})
    assert heads == ["10.1", "2.10", "2.9"]
    assert circuits.chosen(heads) == ("2.9", "2.10", "10.1")
