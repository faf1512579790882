"""Cards and a made-up lens that the tests of this page share."""

from __future__ import annotations

from typing import Any

import numpy as np

from backends.results import Result

LM = {
    "name": "bundled/names",
    "revision": "1",
    "task": "causal-lm",
    "offers": ["gradient", "next_token", "residual", "tokens", "unembedding"],
    "withdrawn": {},
}
ENCODER = {**LM, "name": "bundled/triage", "task": "text-classification", "offers": ["residual", "tokens"]}
CNN = {**LM, "name": "bundled/radiograph", "task": "image-classification", "offers": ["channels", "pixels"]}
T5 = {
    **LM, "name": "someone/t5", "offers": [*LM["offers"], "output"], "answers": "decoder",
    "parts": {"encoder": {"layers": 3}, "decoder": {"layers": 2}, "cross": {"layers": 2}},
}  # fmt: skip
CLIP = {
    **CNN, "name": "someone/clip", "offers": ["captions", "pixels", "residual"], "answers": "",
    "parts": {"image": {"layers": 3}, "text": {"layers": 2}},
}  # fmt: skip
GIVEN = {"digest": "a" * 64, "text": "When Mary"}


def lens(ranks: list[int], probability: list[float] | None = None, **facts: Any) -> Result:
    """A lens whose target has these ranks at the last of two positions."""
    layers = len(ranks)
    lp = ("layer", "position")
    rank = np.stack([np.full(layers, 7), ranks], 1).astype(np.int32)
    chance = np.array(probability or [1 / r for r in ranks], np.float32)
    top = np.tile(np.array([[[3, 4]]], np.int32), (layers, 2, 1))
    arrays = {
        "probability": np.tile(np.array([[[0.6, 0.3]]], np.float32), (layers, 2, 1)),
        "rank": np.tile(np.array([[[1, 2]]], np.int32), (layers, 2, 1)),
        "token": top,
        "entropy": np.ones((layers, 2), np.float32),
        "kl": np.ones((layers, 2), np.float32),
        "target_rank": rank,
        "target_probability": np.stack([np.zeros(layers, np.float32), chance], 1),
    }
    return Result(
        method="logit_lens",
        arrays=arrays,
        axes={name: (*lp, "k")[: a.ndim] for name, a in arrays.items()},
        labels={"layer": ("input", *map(str, range(1, layers))), "position": (" John", " to")},
        unit="probability",
        target=" Mary",
        facts={"strings": {"3": " Mary", "4": "<b>John</b>"}, "followed": {"target": 3}, **facts},
    )
