"""Opening and running: predictions in order, devices that are there, and broken weights that are said."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import backends
from backends import catalog, running
from backends.errors import Refused
from backends.requests import Run
from tests.conftest import TEXT


def test_predictions_come_best_first_as_plain_values(opened: Callable[[str], Any]) -> None:
    model = opened("tiny_bert")
    rows = running.prediction(model, model.encode(TEXT), most=2)
    assert len(rows) == 2
    assert rows[0]["probability"] >= rows[1]["probability"]
    assert json.loads(json.dumps(rows)) == rows
    assert {row["label"] for row in running.prediction(model, model.encode(TEXT))} == {"routine", "soon", "urgent"}


def test_a_request_runs_as_the_same_run_does_and_is_kept_with_the_result(opened: Callable[[str], Any]) -> None:
    model = opened("tiny_bert")
    request = Run(model=model.name, revision=model.revision, method="saliency", options={}, input="0" * 64, target=None)
    asked = running.run_request(model, request, TEXT)
    plain = backends.run(model, "saliency", TEXT)
    np.testing.assert_array_equal(asked.arrays["attribution"], plain.arrays["attribution"])
    assert asked.request == request.plain()
    assert plain.request["model"] == model.name
    assert plain.request["input"] is None


def test_a_card_is_plain_and_counts_what_is_there(opened: Callable[[str], Any]) -> None:
    model = opened("tiny_gpt2")
    card = running.card(model)
    assert json.loads(json.dumps(card)) == card
    assert card["parameters"] == sum(p.numel() for p in model.module.parameters())
    blocks = sum(p.numel() for p in model.module.transformer.h.parameters())
    assert card["numbers"]["block"] == blocks
    assert card["numbers"]["attention"] + card["numbers"]["mlp"] < blocks < card["parameters"]  # norms are left
    assert (card["layers"], card["heads"], card["dtype"]) == (3, 2, "float32")
    assert card["offers"] == sorted(model.offers)
    assert set(card["checks"]) <= set(card["tolerances"])


def test_a_device_that_is_not_there_is_refused_with_those_that_are() -> None:
    with pytest.raises(Refused, match=r"there is no device 'abacus' on this machine; there are: cpu"):
        running.device("abacus")
    assert running.device("cpu") == "cpu"


def test_weights_that_are_no_numbers_are_said(tiny_gpt2: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    for file in tiny_gpt2.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    weights = load_file(tmp_path / "model.safetensors")
    name = next(n for n in weights if n.endswith("h.1.mlp.c_fc.weight"))
    weights[name][0, 0] = torch.nan
    save_file(weights, tmp_path / "model.safetensors", {"format": "pt"})
    assert not [w for w in running.open_source(catalog.resolve(str(tiny_gpt2))).warnings if "h.1.mlp" in w]
    try:
        (said,) = [w for w in running.open_source(catalog.resolve(str(tmp_path))).warnings if "h.1.mlp" in w]
    except Refused as error:
        said = str(error)
    assert "h.1.mlp.c_fc.weight" in said
