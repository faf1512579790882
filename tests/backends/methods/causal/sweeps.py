"""Inputs, families and the watched number of the tests of causal methods."""

from __future__ import annotations

from typing import Any

import pytest

import backends
from backends import registry
from backends.methods.causal import base
from backends.models import input_pair
from tests import families

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


def watched(model: Any, raw: Any, **more: Any) -> base.WatchedMetric:
    """The logit of the first answer to `raw`, ready for sweeps."""
    batch = input_pair.encode(model, raw)
    return base.WatchedMetric(model, batch, model.target(None, batch), **more)
