"""A made-up drawing as `daam` gives it: a picture of a bundled scene, and maps that lie where they should."""

from __future__ import annotations

from typing import Any

import numpy as np

from backends.bundled.data import scenes
from backends.results import Result

WORDS = ("a", "red", "circle", "above", "a", "blue", "square")
CARD: dict[str, Any] = {
    "name": "bundled/scenes", "task": "text-to-image", "title": "Scenes", "revision": "r1", "family": "Diffusion",
    "offers": ["cross_attention", "denoising"], "labels": [], "limit": 24, "parameters": 900_000, "device": "cpu",
    "layers": 0, "heads": 4, "withdrawn": {}, "warnings": [], "summary": "Draws scenes.", "limits": [], "parts": {},
    "painting": {
        "size": [64, 64], "multiple": 8, "steps": 50, "guidance": 3.0,
        "layers": [{"name": "down 0", "heads": 4}, {"name": "up 0", "heads": 4}],
    },
    "examples": [{"name": "One above", "input": "a red circle above a blue square", "seed": 7, "note": "Look."}],
}  # fmt: skip


def drawing(seed: int = 0, model: str = "bundled/scenes", steps: int = 4, **facts: Any) -> Result:
    """The upper words' maps lie on the upper half, the lower ones' on the lower half; `by_step` sums to `map`."""
    made = scenes.draw([scenes.caption([("red", "circle"), ("blue", "square")], "above")], seed)
    rng = np.random.default_rng(seed)
    maps = rng.uniform(0, 0.1, (7, 8, 8)).astype(np.float32)
    maps[1:3, 1:4, 2:6] += 2.0
    maps[5:7, 4:7, 2:6] += 1.0
    by_step = np.stack([maps * share for share in np.full(steps, 1 / steps, np.float32)], 1)
    by_layer = np.stack([maps * 1.5, maps * 0.5], 1)
    frames = np.stack([np.full((16, 16, 3), 40 * n, np.uint8) for n in range(steps)])
    arrays = {
        "heat": np.repeat(np.repeat(maps, 8, 1), 8, 2), "image": made.images[0], "map": maps,
        "span": np.zeros((7, 2), np.int32), "by_layer": by_layer, "by_step": by_step, "frames": frames,
    }  # fmt: skip
    small = ("small_row", "small_column")
    axes = {
        "heat": ("word", "height", "width"), "image": ("height", "width", "channel"), "map": ("word", "row", "column"),
        "span": ("word", "edge"), "by_layer": ("word", "layer", *small), "by_step": ("word", "step", *small),
        "frames": ("frame", "frame_row", "frame_column", "channel"),
    }  # fmt: skip
    numbers = tuple(str(n + 1) for n in range(steps))
    labels = {"word": WORDS, "layer": ("down 0", "up 0"), "step": numbers, "frame": numbers}
    said = {"text": "a red circle above a blue square", "steps": steps, "seed": seed, "guidance": 3.0, "mode": "fast"}
    said |= {"counted": [1, steps], "cut": [], "notes": []} | facts
    request = {"model": model, "method": "daam", "revision": "r1"}
    return Result("daam", arrays, axes, labels, unit="attention", facts=said, request=request)
