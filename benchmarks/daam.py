"""Drawing with word maps beside plain drawing, and beside castorini/daam: one JSON line a case.

`python -m benchmarks.daam [repeats]`. A random UNet of Stable Diffusion's shape draws 256 and 512 pixels with 10 and
50 steps; plain drawing, drawing with maps (fast, exact) and the published code take turns in random order, and plain
drawing is measured twice, as a control. `seconds` are ratios to plain drawing of the same turn (CPU seconds of the
process, one thread), with the range of the turns; `peak` is the most memory that living tensors hold, as a ratio too,
`again` the time (ms) for another word's map.
`parity` is the largest difference from the published code's maps. The published code takes part where it is there:
`pip install --no-deps daam` (0.2.0); it imports spaCy and matplotlib, which stay out of its way here.
"""

from __future__ import annotations

import importlib.util
import json
import random
import statistics
import sys
import time
import types
import weakref
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import numpy as np

PROMPT = "a zebra beside a red car, and a zebra"
SIZES, STEPS = (256, 512), (10, 50)


def pipeline(side: int, channels: tuple[int, ...] = (32, 64, 64), seed: int = 0) -> Any:
    """A random Stable Diffusion whose latents are `side` wide; words are letters."""
    import torch

    from tests.backends import pipelines

    torch.manual_seed(seed)
    made: Any = pipelines.sd(longest=77)
    import diffusers

    cross = ("CrossAttnDownBlock2D",) * len(channels), ("CrossAttnUpBlock2D",) * len(channels)
    network = diffusers.UNet2DConditionModel(
        sample_size=side, block_out_channels=channels, layers_per_block=1, norm_num_groups=8, cross_attention_dim=16,
        attention_head_dim=4, down_block_types=cross[0], up_block_types=cross[1],
    )  # fmt: skip
    made.register_modules(unet=network)
    return made


def published() -> Any:
    """castorini/daam's trace, None where it is not installed."""
    if importlib.util.find_spec("daam") is None:
        return None
    for library in ("spacy", "matplotlib"):
        if library not in sys.modules and importlib.util.find_spec(library) is None:
            inner = {"spacy": "tokens", "matplotlib": "pyplot"}[library]
            sys.modules[library], sys.modules[f"{library}.{inner}"] = _Stub(library), _Stub(f"{library}.{inner}")
    import daam

    return daam.trace


class _Stub(types.ModuleType):
    """A module in which every name can be imported and nothing is done."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.__path__ = []

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _Stub(name)

    def __call__(self, *_: Any, **__: Any) -> Any:
        return None


class Living:
    """While entered, how many bytes living tensors hold, and the most they held."""

    def __init__(self) -> None:
        from torch.utils._python_dispatch import TorchDispatchMode

        self.now = self.most = 0
        seen: dict[int, int] = {}
        living = self

        class Mode(TorchDispatchMode):
            def __torch_dispatch__(self, function: Any, kinds: Any, args: tuple = (), kwargs: Any = None) -> Any:
                out = function(*args, **(kwargs or {}))
                living.count(out, seen)
                return out

        self.mode = Mode()

    def count(self, out: Any, seen: dict[int, int]) -> None:
        """Add the storages of an operation's outputs, and take them off when they die."""
        import torch

        for tensor in out if isinstance(out, (tuple, list)) else (out,):
            if not isinstance(tensor, torch.Tensor):
                continue
            storage = tensor.untyped_storage()
            key = storage._cdata
            if key not in seen:
                seen[key] = storage.nbytes()
                self.now += seen[key]
                weakref.finalize(storage, self.gone, key, seen)
        self.most = max(self.most, self.now)

    def gone(self, key: int, seen: dict[int, int]) -> None:
        """A storage died."""
        self.now -= seen.pop(key, 0)


def ways(model: Any, steps: int, side: int) -> dict[str, Callable[[], Any]]:
    """The sides that are compared, each drawing the same picture."""
    import torch

    import backends

    trace = published()
    draw = {"num_inference_steps": steps, "height": side, "width": side, "output_type": "np"}

    def plain() -> Any:
        return model.pipeline(PROMPT, generator=torch.Generator().manual_seed(1), **draw).images[0]

    def with_maps(mode: str) -> Any:
        given: dict[str, Any] = {"steps": steps, "seed": 1, "height": side, "width": side}
        given |= {"by_step": False, "by_layer": False}
        return backends.run(model, "daam", PROMPT, mode=mode, **given)

    def as_published() -> Any:
        with trace(model.pipeline) as traced:
            plain()
            return traced.compute_global_heat_map(PROMPT)

    found = {"plain": plain, "control": plain, "fast": lambda: with_maps("fast"), "exact": lambda: with_maps("exact")}
    return found | ({"published": as_published} if trace else {})


def measure(side: int, steps: int, repeats: int) -> dict[str, Any]:
    """Seconds and peak memory of each way as ratios to plain drawing."""
    from backends.models.families.diffusion import Diffusion

    model = Diffusion.of(pipeline(64), "bench")  # the published code finds nothing where 32 is configured
    model.prepare()
    sides = ways(model, steps, side)
    taken: dict[str, list[float]] = {name: [] for name in sides}
    for turn in range(repeats + 1):
        order = random.Random(turn).sample(list(sides), len(sides))
        for name in order:
            start = time.process_time()
            sides[name]()
            if turn:  # the first warms up
                taken[name].append(time.process_time() - start)
    ratios = {name: [s / p for s, p in zip(seconds, taken["plain"], strict=True)] for name, seconds in taken.items()}
    peak = {}
    for name in sides:
        living = Living()
        with living.mode:
            sides[name]()
        peak[name] = living.most
    return {
        "seconds": {n: [round(f(r), 3) for f in (statistics.median, min, max)] for n, r in ratios.items()},
        "peak": {n: round(bytes_ / peak["plain"], 3) for n, bytes_ in peak.items()},
        "plain_seconds": round(statistics.median(taken["plain"]), 3),
        "again": again(sides),
    }


def again(sides: dict[str, Callable[[], Any]]) -> dict[str, float]:
    """Milliseconds to another word's map once the picture is there: ours lie in the result."""
    result = sides["fast"]()
    start = time.process_time()
    np.ascontiguousarray(result.arrays["heat"][1])
    return {"fast": round(1e3 * (time.process_time() - start), 3)}


def parity(steps: int = 4) -> dict[str, Any]:
    """The largest difference between our exact maps and the published code's, token by token and word by word."""
    import torch

    from backends.hooks import diffusion
    from backends.methods.diffusion import word_fold
    from backends.models.families.diffusion import Diffusion

    trace = published()
    if trace is None:
        return {"published": "not installed: pip install --no-deps daam"}
    model = Diffusion.of(pipeline(64, (8, 16)), "parity")
    model.prepare()
    with trace(model.pipeline) as traced:
        chance = torch.Generator().manual_seed(1)
        model.pipeline(PROMPT, num_inference_steps=steps, generator=chance)
        theirs = traced.compute_global_heat_map(PROMPT).heat_maps
    maps = diffusion.Maps(apart=True)
    with diffusion.watch_layers(model.network, model.heard, maps):
        model.draw(model.encode(PROMPT), steps=steps, guidance=7.5, seed=1)
    heads = [layer.heads for layer in model.heard]
    ours = word_fold.fold(maps.sums, model.heard, heads, (64, 64)).total[0, : len(theirs)]
    return {"largest_difference": float((ours - theirs).abs().max()), "largest_value": float(theirs.max())}


def main() -> None:
    """Print one JSON line a case."""
    import torch

    torch.set_num_threads(1)
    repeats = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    about = {"benchmark": "daam", "torch": version("torch"), "diffusers": version("diffusers"), "repeats": repeats}
    print(json.dumps(about | {"case": "parity"} | parity()), flush=True)
    for side in SIZES:
        for steps in STEPS:
            print(json.dumps(about | {"case": f"{side} px, {steps} steps"} | measure(side, steps, repeats)), flush=True)


if __name__ == "__main__":
    main()
