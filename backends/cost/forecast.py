"""Forecast the memory and time that a model and a run on it will need, from shapes and one short timing.

Memory and operations come from `fake_forward`: the network runs at the very length on tensors without contents.
Seconds are these operations at the speed that a forward of the open model had, or, for a model that is not open, at
the speed of a matrix product on this machine.
"""

from __future__ import annotations

import dataclasses
import math
import threading
import time
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from backends import catalog, registry
from backends.cost import memory
from backends.cost.fake_forward import Imagined, Taken
from backends.errors import Refused, Unsettled
from backends.load_options import BYTES
from backends.methods.base import Method, Size
from backends.models import batching
from backends.models.base import Batch, Model, Target

if TYPE_CHECKING:
    from torch import Tensor

LENGTHS = (16, 64, 128, 256, 512, 1024, 2048, 4096, 8192)
"""Tokens for which a model's page says what a forward takes."""
TRACED = (128, 512, 2048)
"""Lengths that are traced; operations and bytes are a square of the length, so others follow."""
SHORT = 5e10
"""Operations from which a run on a CPU may take seconds: below, it is not forecast."""
LONG = 3.0
"""Seconds from which a run is announced."""
ENOUGH = 1.2
"""Seconds that the longer timed forward may take."""
clock = time.perf_counter


# Before a model is opened


def forecast_source(source: catalog.Source, device: str) -> dict[str, Any]:
    """Forecast what the model of `source` takes, from its config.json alone, as plain JSON.

    `parameters`; `weights`: bytes by dtype; `fits`: which of them `device` has room for; `lengths` with the `bytes` and
    `seconds` of one forward beside the weights; `free` bytes of the device. Raises `Refused` on a config of no known
    kind.
    """
    shape = _Shape.read(source, device)
    parameters, buffers = shape.imagined.sizes
    needs = {dtype: parameters * width + 4 * buffers for dtype, width in BYTES.items()} | {"8bit": parameters}
    lengths, taken = shape.trace_lengths()
    speed = time_matrix_product(device, source.settings.dtype)
    own = needs["8bit" if source.settings.load else source.settings.dtype]
    seconds = [max(one.flops / speed, own / (8 * memory.GIB) if device == "cpu" else 0.0) for one in taken]
    room = memory.measure_free_bytes(device)
    return {
        "name": source.name,
        "task": shape.family.task,
        "parameters": parameters,
        "weights": needs,
        "fits": {dtype: need + memory.SPARE <= room for dtype, need in needs.items()},
        "device": device,
        "dtype": source.settings.dtype,
        "free": room,
        "lengths": lengths,
        "bytes": [one.bytes for one in taken],
        "flops": [one.flops for one in taken],
        "seconds": seconds,
        "measured": False,
    }


@dataclass(frozen=True)
class _Shape:
    """A model known by its config alone."""

    family: type[Model]
    imagined: Imagined
    limit: int | None

    @classmethod
    def read(cls, source: catalog.Source, device: str) -> _Shape:
        import transformers

        from backends.models import load

        named = load.read_architectures(source)
        families = sorted(registry.entries("models.families").values(), key=lambda family: -family.claim)
        found = ((family, family.auto_class(named, source.path)) for family in families)
        family, auto = next(((f, a) for f, a in found if a), (None, ""))
        if family is None:
            raise Refused(f"{source.bare!r} is a {', '.join(named)}, which no family of Vitrine opens")
        try:
            config = transformers.AutoConfig.from_pretrained(str(source.path), **load.SAFE)
            imagined = Imagined(getattr(transformers, auto), config, source.settings.dtype, device)
        except Exception as error:  # a stranger's config raises many kinds
            load.log.warning("the shape of %s is not known", source.name, exc_info=True)
            raise Refused(f"{source.bare!r}: no network can be made of its config: {load.first_line(error)}") from None
        text = config.get_text_config() if hasattr(config, "get_text_config") else config
        return cls(family, imagined, getattr(text, "max_position_embeddings", None))

    def trace_lengths(self) -> tuple[list[int], list[Taken]]:
        """Return lengths in tokens and what a forward takes at each; one entry, 0, where inputs have one size only."""
        if not issubclass(self.family, _find_text_model()):
            return [0], [self.trace(0)]
        some = [n for n in TRACED if n <= (self.limit or 10**9)]
        if len(some) < 3:
            some = sorted({max((self.limit or 12) // part, 2) for part in (4, 2, 1)})
        found = [self.trace(n) for n in some]
        lengths = [n for n in LENGTHS if n <= (self.limit or LENGTHS[-1])] or some
        columns = [_fit_square(some, [getattr(one, name) for one in found]) for name in ("flops", "attention", "bytes")]
        return lengths, [Taken(columns[0](n), columns[1](n), int(columns[2](n))) for n in lengths]

    def trace(self, length: int) -> Taken:
        """Trace one forward of `length` tokens, or of one image."""
        return self.imagined.take(lambda: self.imagined.module(**self._arguments(length)))

    def _arguments(self, length: int) -> dict[str, Any]:
        import inspect

        import torch

        module: Any = self.imagined.module
        takes, config = inspect.signature(module.forward).parameters, module.config
        more: dict[str, Any] = {"use_cache": False} if "use_cache" in takes else {}
        more |= {"logits_to_keep": 1} if "logits_to_keep" in takes else {}
        ids = torch.zeros((1, max(length, 8)), dtype=torch.long)
        if "pixel_values" in takes:
            vision = getattr(config, "vision_config", config)
            size = getattr(vision, "image_size", None) or 224
            high, wide = (size, size) if isinstance(size, int) else tuple(size)
            channels = getattr(vision, "num_channels", 3)
            more["pixel_values"] = torch.zeros(1, channels, high, wide, dtype=next(module.parameters()).dtype)
            return more | ({"input_ids": ids} if "input_ids" in takes else {})
        return more | {"input_ids": ids} | ({"decoder_input_ids": ids[:, :8]} if "decoder_input_ids" in takes else {})


def _find_text_model() -> type[Model]:
    from backends.models.text import TextModel

    return TextModel


def _fit_square(at: list[int], values: list[float]) -> Callable[[float], float]:
    """Fit a + b n + c n² to three values (a line or a constant to fewer), and return it as a function of n."""
    import numpy as np

    found = np.polynomial.Polynomial.fit(at, np.array(values, float), len(at) - 1)
    return lambda n: max(float(found(n)), 0.0)


def time_matrix_product(device: str, dtype: str = "float32") -> float:
    """Time a matrix product on `device` and return its floating-point operations a second."""
    import torch

    device = device if device != "auto" else "cuda"
    side = 512 if device == "cpu" else 4096
    a = torch.ones(side, side, dtype=getattr(torch, dtype), device=device)
    return 2 * side**3 / _time_best(lambda: a @ a, device, 3)


def _time_best(run: Callable[[], Any], device: str, times: int) -> float:
    """Time some runs and return the least seconds: others use the machine too."""
    found = []
    for _ in range(times):
        start = clock()
        run()
        _synchronise(device)
        found.append(clock() - start)
    return min(found)


def _synchronise(device: str) -> None:
    import torch

    if device.startswith("cuda"):
        torch.cuda.synchronize()


# On an open model


@dataclass(frozen=True)
class Speed:
    """How fast an open model runs: seconds of a forward whatever its length, per operation, per number of other code;
    and how many times as long as a forward a gradient of the same input takes."""

    start: float
    flop: float
    number: float
    gradient: float


class Forecaster:
    """Forecasts for one open model; what was traced and timed is kept."""

    def __init__(self, model: Model) -> None:
        self.model = weakref.proxy(model)
        config, dtype = model.module.config, str(model.dtype).removeprefix("torch.")
        self.imagined = Imagined(type(model.module), config, dtype, model.device)
        about: dict[str, Any] = {"module": self.imagined.module, "device": self.imagined.device}
        self.twin: Any = dataclasses.replace(model, **about, lock=threading.RLock(), batch_sizes={})
        self._taken: dict[Any, Taken] = {}
        self._speed: Speed | None = None

    def trace(self, batch: Batch, rows: int = 1, gradient: bool = False) -> Taken:
        """Trace one forward of `rows` inputs like `batch`, or one forward and back."""
        import torch

        shape = tuple(self.model.features(batch).shape[1:])
        key = (shape, tuple(tuple(t.shape) for t in batch.inputs.values()), rows, gradient)
        if key not in self._taken:
            inputs = {n: t for n, t in batch.inputs.items() if n != "attention_mask"}
            imagined = dataclasses.replace(batch, inputs=self.imagined.like(inputs))

            def run() -> None:
                leaf = torch.zeros((rows, *shape)).requires_grad_(gradient)
                score = self._score(leaf * 1, imagined)
                if gradient:
                    torch.autograd.grad(score.sum(), leaf)

            self._taken[key] = self.imagined.take(run, gradient)
        return self._taken[key]

    def _score(self, features: Tensor, batch: Batch) -> Tensor:
        """The model's own score of imagined features; of the whole output where the score looks at token numbers."""
        from torch._subclasses.fake_tensor import DataDependentOutputException, DynamicOutputShapeException

        from backends.hooks.main_tensor import main_tensor

        try:
            return self.twin.score(features, batch, Target("index", (0,), ""))
        except (DataDependentOutputException, DynamicOutputShapeException):
            return main_tensor(self.twin.module(**self.twin._arguments(features, batch)))

    @property
    def speed(self) -> Speed:
        """The model's speed, timed once with forwards of at most about a second and one gradient."""
        if self._speed is None:
            with self.model.lock:
                self._speed = self._time()
        return self._speed

    def _time(self) -> Speed:
        import torch

        model = self.model
        batch = model.encode(model.sample)
        first, rest = (batch, ()) if "input_ids" not in batch.inputs else (_lengthen(batch, 16, model), (256, 128, 64))
        seconds = self._time_forward(first)
        flops = self.trace(first).flops
        start, flop, last, took = 0.0, seconds / max(flops, 1.0), first, seconds
        for length in rest:
            longer = _lengthen(batch, length, model)
            more = self.trace(longer).flops
            if more > 1.5 * flops and seconds * more / flops <= ENOUGH:
                took, last = self._time_forward(longer), longer
                flop = max(took - seconds, 0.1 * took) / (more - flops)
                start = max(seconds - flop * flops, 0.0)
                break
        numbers = torch.ones(2**8, 2**12, device=model.device)
        number = _time_best(lambda: numbers.softmax(-1), model.device, 3) / numbers.numel()
        return Speed(start, flop, number, self._time_gradient(last) / took if took < 2 * ENOUGH else 2.5)

    def _time_forward(self, batch: Batch) -> float:
        import torch

        features = self.model.features(batch)

        def run() -> None:
            with torch.no_grad():
                self.model.score(features, batch, Target("index", (0,), ""))

        run()
        return _time_best(run, self.model.device, 2)

    def _time_gradient(self, batch: Batch) -> float:
        import torch

        def run() -> None:
            features = self.model.features(batch).detach().requires_grad_()
            with torch.enable_grad():
                score = self.model.score(features, batch, Target("index", (0,), ""))
                if score.requires_grad:
                    torch.autograd.grad(score.sum(), features)

        run()
        return _time_best(run, self.model.device, 2)

    def estimate_forward(self, batch: Batch, rows: int = 1) -> float:
        """Estimate the seconds of one forward of `rows` inputs."""
        return self.speed.start + self.speed.flop * rows * self.trace(batch).flops

    def estimate(self, batch: Batch, method: Method, target: Any = None) -> dict[str, Any]:
        """Estimate `seconds`, peak `bytes` and, for a method that decides on the way, `most_seconds` of `method`."""
        rows, trying, tried = self._estimate_rows(batch) if hasattr(method, "attribute") else (1, 0.0, 1)
        cost = method.cost(measure_size(self.model, batch, method, rows))
        at_once = max(int(min(cost.at_once, rows if cost.gradients == 0 else cost.at_once)), 1)
        own = 1 + (method.needs_target and target in (None, ""))  # the prediction, and whose target nobody named
        seconds = own * self.estimate_forward(batch) + self._estimate_many(
            batch, cost.forwards, 1 if cost.gradients else at_once
        )
        seconds += self._estimate_many(batch, cost.gradients, at_once) * self.speed.gradient
        seconds += cost.flops * self.speed.flop + cost.numbers * self.speed.number
        peaks = [self.trace(batch).bytes]
        peaks += [self.trace(batch, max(tried, 1)).bytes] if trying else []
        peaks.append(self.trace(batch, at_once, gradient=cost.gradients > 0).bytes + int(cost.bytes))
        return {
            "seconds": seconds + trying,
            "most_seconds": seconds * cost.most + trying,
            "bytes": max(peaks),
            "least_bytes": self.trace(batch, 1, gradient=cost.gradients > 0).bytes,
            "forwards": round(cost.forwards + own),
            "gradients": round(cost.gradients),
        }

    def _estimate_many(self, batch: Batch, count: float, at_once: int) -> float:
        """Estimate the seconds of `count` forwards, `at_once` together."""
        return math.ceil(count / at_once) * self.speed.start + count * (self.estimate_forward(batch) - self.speed.start)

    def _estimate_rows(self, batch: Batch) -> tuple[int, float, int]:
        """Return how many inputs go through at once, the seconds that finding it takes, and the most that are tried."""
        shape = tuple(self.model.features(batch).shape[1:])
        if shape in self.model.batch_sizes:
            return self.model.batch_sizes[shape], 0.0, 1
        total, size = self.estimate_forward(batch), 1  # the first is repeated
        for size in batching.SIZES:
            took = self.estimate_forward(batch, size)
            total += took
            if took > 0.5:
                break
        return size, total, size


def _lengthen(batch: Batch, length: int, model: Any) -> Batch:
    """Return the same kind of input with `length` tokens, or as many as the model reads; captions as they are."""
    if "pixel_values" in batch.inputs:
        return batch
    ids = batch.inputs["input_ids"]
    length = min(length, model.limit or length)
    repeated = ids.repeat(1, -(-length // ids.shape[1]))[:, :length]
    rest = {n: t for n, t in batch.inputs.items() if n not in ("input_ids", "attention_mask", "token_type_ids")}
    return dataclasses.replace(batch, inputs={"input_ids": repeated, **rest})


def measure_size(model: Any, batch: Batch, method: Method, rows: int) -> Size:
    """Measure what the cost of a method depends on, for this input of this model."""
    features = model.features(batch)
    config = getattr(model.module.config, "vision_config", model.module.config)
    text = config.get_text_config() if hasattr(config, "get_text_config") else config
    side = int(batch.image.shape[0]) if batch.image is not None else 0
    square = getattr(method, "square", 0) or max(side // 8, 1)
    parts = math.ceil(side / square) ** 2 if side else int(model.units(batch).max()) + 1
    part = getattr(method, "part", "")
    sites = model.stack(part) if part in model.stacks or not part else model.sites
    return Size(
        tokens=len(batch.tokens) if not side else max(model.tokens_seen, 1),
        parts=max(parts, 1),
        numbers=int(features[0].numel()),
        side=side,
        batch=rows,
        layers=len(sites.block),
        heads=sites.heads,
        width=int(getattr(text, "hidden_size", None) or features.shape[-1]),
        outputs=int(getattr(text, "vocab_size", 0) if "next_token" in model.offers else len(model.labels)),
    )


_forecasters: weakref.WeakKeyDictionary[Model, Forecaster] = weakref.WeakKeyDictionary()
_lock = threading.Lock()


def find_forecaster(model: Model) -> Forecaster:
    """Return the forecaster of an open model. Raises `Refused` for a diffusion pipeline."""
    if "denoising" in model.offers:
        raise Refused(f"what drawing with {model.name} takes is seen when it draws: it is not forecast")
    with _lock:
        if model not in _forecasters:
            _forecasters[model] = Forecaster(model)
        return _forecasters[model]


def forecast_run(
    model: Model, batch: Batch, method: str, options: Mapping[str, Any], target: Any = None
) -> dict[str, Any]:
    """Forecast what `method` with `options` takes on `batch`, beside the device's `free` bytes. Raises `Refused`."""
    found = find_forecaster(model).estimate(batch, registry.method(method).build(options), target)
    return found | {"free": memory.measure_free_bytes(model.device), "device": model.device, "name": model.name}


def announce(model: Model, batch: Batch, method: str, options: Mapping[str, Any], target: Any = None) -> str:
    """Say in words what a long or large run takes; return an empty text for others, which are not even forecast.

    Raises `Unsettled` where one input at a time would need more memory than the computer has: it would end the process.
    """
    if "denoising" in model.offers:
        return ""
    built = registry.method(method).build(options)
    size = measure_size(model, batch, built, 1)
    cost = built.cost(size)
    passes = cost.forwards + 1 + 3 * cost.gradients
    rough = (
        2 * sum(p.numel() for p in model.module.parameters()) * size.tokens * passes + cost.flops + 50 * cost.numbers
    )
    if rough < (SHORT if model.device == "cpu" else 200 * SHORT):
        return ""
    found = forecast_run(model, batch, method, options, target)
    if model.device == "cpu" and found["least_bytes"] > found["free"]:
        raise Unsettled(
            f"{registry.method(method).title} of this input needs about {memory.format_bytes(found['least_bytes'])}, "
            f"and {memory.format_bytes(found['free'])} are free; {batching.WOULD_FIT}"
        )
    return format_run(found)


def format_run(run: Mapping[str, Any]) -> str:
    """Write `about 12 s and 1.4 GB` of a run that is long or takes a notable share of the memory, else nothing."""
    if run["seconds"] < LONG and run["bytes"] < run["free"] / 10:
        return ""
    most = f" (at most {format_duration(run['most_seconds'])})" if run["most_seconds"] > 1.5 * run["seconds"] else ""
    return f"about {format_duration(run['seconds'])}{most} and {memory.format_bytes(run['bytes'])}"


def format_duration(seconds: float) -> str:
    """Write a time as a person reads it."""
    if seconds < 90:
        return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def forecast_model(model: Model) -> dict[str, Any]:
    """Forecast as `forecast_source` does, for an open model and at the speed that its own forwards had."""
    found = find_forecaster(model)
    device = model.device
    shape = _Shape(type(model), found.imagined, model.limit)
    parameters, buffers = found.imagined.sizes
    needs = {dtype: parameters * width + 4 * buffers for dtype, width in BYTES.items()} | {"8bit": parameters}
    lengths, taken = shape.trace_lengths()
    speed = found.speed
    held, room = memory.count_held_bytes(model), memory.measure_free_bytes(device)
    return {
        "name": model.name,
        "task": model.task,
        "parameters": parameters,
        "weights": needs,
        "held": held,
        "fits": {dtype: need + memory.SPARE <= room + held for dtype, need in needs.items()},
        "device": device,
        "dtype": str(model.dtype).removeprefix("torch."),
        "free": room,
        "lengths": lengths,
        "bytes": [one.bytes for one in taken],
        "flops": [one.flops for one in taken],
        "seconds": [speed.start + speed.flop * one.flops for one in taken],
        "gradient": speed.gradient,
        "measured": True,
    }
