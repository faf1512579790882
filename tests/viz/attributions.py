"""Attributions of one text and one picture, small and made by hand."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from backends.results import Result


def text_result(**changes: Any) -> Result:
    text = "no fever but severe chest pain"
    spans = [[0, 0], [0, 2], [3, 8], [9, 12], [13, 19], [20, 25], [26, 30], [0, 0]]
    tokens = ("[CLS]", "no", "fever", "but", "severe", "chest", "pain", "[SEP]")
    values = np.array([0, -0.2, 0.1, 0.5, 0.3, 1.0, 0.6, 0], np.float32)
    made = Result(
        "integrated_gradients", {"attribution": values, "span": np.array(spans, np.int32)},
        {"attribution": ("token",), "span": ("token", "edge")}, {"token": tokens}, "logit", True, "urgent",
        {"text": text, "output": 5.25, "baseline": "mask", "baseline_output": -1.5, "completeness_gap": 0.0123,
         "gradients": 34, "forwards": 1, "seconds": 0.5},
    )  # fmt: skip
    return dataclasses.replace(made, **changes)


def film_result(unit: str = "logit per window", method: str = "occlusion") -> Result:
    values = np.zeros((64, 64), np.float32)
    values[25, 45] = 1
    arrays = {"attribution": values, "image": np.zeros((64, 64, 3), np.uint8)}
    axes = {"attribution": ("height", "width"), "image": ("height", "width", "channel")}
    return Result(method, arrays, axes, unit=unit, signed=True, target="lesion", facts={"output": 2.0})
