"""What does a receipt cost, beside its map, naive loops and Quantus? One JSON line a case.

`python -m benchmarks.receipts [cost] [large] [parity] [repeats=3]`. `cost`: on the bundled networks, forwards and
seconds of a receipt over those of its map (a gradient counts as three forwards), alone and with the bank of the input
there already; and the same five numbers (the brightest part hidden, random parts, the order of hiding, another
stand-in, completeness) by ours, by loops over single inputs that share nothing, and by Quantus 0.6 where it is there
and runs, in turn in one run. `large`: the cost on random networks of ResNet-50's, ViT-base's and BERT-base's shape.
`parity`: the largest difference to Quantus' numbers on a linear network.
"""

from __future__ import annotations

import dataclasses
import importlib.metadata
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import backends
from backends import registry
from backends.evidence import deletion_curves, masked_forwards, receipt
from backends.evidence.cells import Cells, select_brightest
from backends.evidence.map_under_test import MapUnderTest
from backends.evidence.measures import hiding, mask_correlation, replacement, srg
from backends.evidence.replacement_values import MaskedInput, list_replacements
from benchmarks.evidence import inputs

METHODS = "integrated_gradients", "occlusion", "hires_cam"
SMALL = "radiograph", "radiograph-vit", "triage"


def nothing(fraction: float) -> None:
    """No progress."""


def timed(run: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds, and what came of it."""
    start = time.perf_counter()
    found = run()
    return time.perf_counter() - start, found


def passes(result: backends.Result) -> float:
    """What a map took, in forwards."""
    return 3 * result.facts.get("gradients", 0) + result.facts.get("forwards", 0)


def cost(repeats: int) -> Iterator[dict[str, Any]]:
    """The bundled networks."""
    for name in SMALL:
        model = backends.open_model(f"bundled/{name}")
        given = [(raw, target) for raw, target, _ in inputs(name, repeats + 1, 77)]
        for method in METHODS:
            if registry.method(method).needs <= model.offers:
                yield {"case": "cost", "network": name, "map": method, **over(model, method, given)}
        yield {"case": "five numbers", "network": name, **beside(model, given)}


def over(model: Any, method: str, given: list[tuple[Any, Any]]) -> dict[str, Any]:
    """A receipt over its map, with a bank of its own and with one that is there."""
    rows = []
    for raw, target in given:
        backends.run(model, method, raw, target=target)  # the batch size is found here, once
        spent, result = timed(partial(backends.run, model, method, raw, target=target))
        masked_forwards.get_cache(model).clear()
        first, alone = timed(partial(receipt, model, result, raw, target=target))
        turned = np.ascontiguousarray(result.arrays["attribution"][::-1])
        other = dataclasses.replace(result, arrays={**result.arrays, "attribution": turned})
        again, shared = timed(partial(receipt, model, other, raw, target=target))
        rows.append((passes(result), alone.facts["forwards"], shared.facts["forwards"], spent, first, again))
    middle = [statistics.median(column) for column in zip(*rows[1:], strict=True)]
    return {
        "n": len(rows) - 1, "map_passes": middle[0], "receipt_forwards": middle[1], "with_bank": middle[2],
        "ratio": round(middle[1] / max(middle[0], 1), 2), "ratio_with_bank": round(middle[2] / max(middle[0], 1), 2),
        "time_ratio": round(statistics.median(r[4] / r[3] for r in rows[1:]), 2),
        "time_ratio_with_bank": round(statistics.median(r[5] / r[3] for r in rows[1:]), 2),
        "map_seconds": round(middle[3], 4),
    }  # fmt: skip


# The same five numbers, three ways


def five(model: Any, result: backends.Result, raw: Any, target: Any) -> int:
    """Ours: one set of masked forwards; returns the forwards."""
    masked_forwards.get_cache(model).clear()
    tested = MapUnderTest(model, result, raw, target=target, step=nothing)
    for measure in (hiding, mask_correlation, srg, replacement):
        measure.ENTRY.line(tested)
    _completeness(tested.masked, result.arrays["attribution"])
    return tested.forwards


def _completeness(masked: Any, attribution: np.ndarray) -> float:
    left = masked.ask(np.ones((1, masked.cells.count), bool))[0, 0]
    return abs(float(attribution.sum()) - float(masked.whole[0] - left))


def naive(model: Any, result: backends.Result, raw: Any, target: Any) -> int:
    """Loops over single inputs, each number with its own: as one would write them; returns the forwards."""
    batch, attribution = model.encode(raw), result.arrays["attribution"]
    cells, explained = Cells(batch), model.target(target, batch)
    values, kinds = cells.read(attribution), list_replacements(model, batch)
    count = 0

    def ask(kind: str, masks: np.ndarray) -> np.ndarray:
        nonlocal count
        hides, found = MaskedInput(model, batch, explained, kind, nothing), []
        for mask in masks:
            found.append(model.score(hides.replace(cells.spread(mask[None])), batch, explained).item())
        count += len(masks)
        return np.array(found)

    sizes = masked_forwards.list_mask_sizes(cells.shape)
    shares = [size / cells.count for size in sizes] if cells.is_image else [hiding.WORDS]
    chance = np.random.default_rng(0)
    for share in shares:  # hiding: each size, and as many other places
        chosen = select_brightest(values, share)
        ask(kinds[0], np.stack([chosen, *(chance.permutation(chosen) for _ in range(28 if cells.is_image else 8))]))
    ask(
        kinds[0], masked_forwards.draw_masks(cells.shape, 96 if cells.is_image else 96 + cells.count, 0)
    )  # random parts
    order = np.argsort(-values)
    for ranked in (
        order,
        *(chance.permutation(order) for _ in range(deletion_curves.ORDERS)),
    ):  # order, and random ones
        for way in (ranked, ranked[::-1]):
            place = np.argsort(way)
            ask(kinds[0], np.stack([place < share * len(place) for share in (0, *deletion_curves.FRACTIONS, 1)]))
    chosen = select_brightest(values, shares[-1])
    for kind in kinds[:2]:  # the stand-ins
        ask(kind, np.stack([chosen, *(chance.permutation(chosen) for _ in range(replacement.OTHERS))]))
    ask(kinds[0], np.stack([np.zeros(cells.count, bool), np.ones(cells.count, bool)]))  # completeness
    return count


def by_quantus(model: Any, result: backends.Result, raw: Any, target: Any) -> int:
    """Quantus: hiding as RegionPerturbation, random parts as FaithfulnessCorrelation, order as PixelFlipping, another
    stand-in as RegionPerturbation again, and Completeness; returns the forwards."""
    import quantus

    batch, attribution = model.encode(raw), result.arrays["attribution"]
    x = model.features(batch).detach()
    network, count = as_module(model), [0]
    network.register_forward_hook(lambda module, given, out: count.__setitem__(0, count[0] + len(out)))
    y, a, pixels = np.array([model.index_of(target)]), attribution[None, None], x.numpy()
    plain = {"disable_warnings": True, "display_progressbar": False, "normalise": False, "abs": False}
    size = attribution.size
    made = [
        quantus.RegionPerturbation(patch_size=8, regions_evaluation=3, perturb_baseline="mean", **plain),
        quantus.FaithfulnessCorrelation(nr_runs=96, subset_size=size // 20, perturb_baseline="mean", **plain),
        quantus.PixelFlipping(features_in_step=size // 4, perturb_baseline="mean", **plain),
        quantus.RegionPerturbation(patch_size=8, regions_evaluation=3, perturb_baseline="black", **plain),
        quantus.Completeness(perturb_baseline="mean", **plain),
    ]
    for metric in made:
        metric(model=network, x_batch=pixels, y_batch=y, a_batch=a, device="cpu", softmax=False)
    return count[0]


def as_module(model: Any) -> Any:
    """The network as Quantus wants it: pixels to logits."""
    from torch import nn

    class Logits(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = model.module

        def forward(self, pixels: Any) -> Any:
            return self.inner(pixel_values=pixels).logits

    return Logits().eval()


def beside(model: Any, given: list[tuple[Any, Any]], ways: tuple[str, ...] = ("ours", "naive", "quantus")) -> dict:
    """Seconds and forwards of each way, in turn; `ratio` is a way's seconds over ours in the same turn."""
    if "pixels" not in model.offers or not installed("quantus"):
        ways = tuple(way for way in ways if way != "quantus")
    runs = {"ours": five, "naive": naive, "quantus": by_quantus}
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    counts: dict[str, list[int]] = {way: [] for way in ways}
    for turn, (raw, target) in enumerate(given):
        found = backends.run(model, "input_x_gradient", raw, target=target)
        for way in ways if turn % 2 else reversed(ways):
            spent, count = timed(partial(runs[way], model, found, raw, target))
            if turn or len(given) == 1:  # the first warms up
                seconds[way].append(spent)
                counts[way].append(count)
    ratios = {
        f"ratio_{way}": round(statistics.median(s / o for s, o in zip(seconds[way], seconds["ours"], strict=True)), 2)
        for way in ways
        if way != "ours"
    }
    return {
        "n": len(seconds["ours"]), "forwards": {way: statistics.median(c) for way, c in counts.items()},
        "seconds": {way: round(statistics.median(s), 3) for way, s in seconds.items()}, **ratios,
    }  # fmt: skip


def installed(name: str) -> bool:
    """Whether a library can be imported."""
    try:
        __import__(name)
    except ImportError:
        return False
    return True


def large() -> Iterator[dict[str, Any]]:
    """Random networks of the usual shapes."""
    chance = np.random.default_rng(0)
    image = chance.integers(0, 255, (224, 224, 3), np.uint8)
    text = " ".join(f"w{i}" for i in chance.integers(0, 900, 30))
    with tempfile.TemporaryDirectory() as folder:
        for name, make, raw in (
            ("BERT-base, 32 tokens", _bert, {"text": text}),
            ("ResNet-50, 224", _resnet, {"image": image}),
            ("ViT-base, 224", _vit, {"image": image}),
        ):
            path = Path(folder) / name.split("-")[0]
            make(path)
            model = backends.open_model(str(path))
            given = [(raw, 1)] * 2
            for method in METHODS:
                if registry.method(method).needs <= model.offers:
                    yield {"case": "cost", "network": name, "map": method, **over(model, method, given)}


def _resnet(path: Path) -> None:
    from transformers import ResNetConfig, ResNetForImageClassification, ViTImageProcessor

    ResNetForImageClassification(ResNetConfig(num_labels=10)).save_pretrained(path)
    ViTImageProcessor().save_pretrained(path)


def _vit(path: Path) -> None:
    from transformers import ViTConfig, ViTForImageClassification, ViTImageProcessor

    ViTForImageClassification(ViTConfig(num_labels=10)).save_pretrained(path)
    ViTImageProcessor().save_pretrained(path)


def _bert(path: Path) -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast

    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    vocabulary = {word: i for i, word in enumerate([*special, *(f"w{i}" for i in range(900))])}
    made = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    BertForSequenceClassification(BertConfig(vocab_size=len(vocabulary), num_labels=3)).save_pretrained(path)
    roles = dict(zip(("pad_token", "unk_token", "cls_token", "sep_token", "mask_token"), special, strict=True))
    PreTrainedTokenizerFast(tokenizer_object=made, model_max_length=512, **roles).save_pretrained(path)


# Parity


def parity() -> Iterator[dict[str, Any]]:
    """Largest differences to Quantus over 20 maps of a linear network on 16 × 16 pixels."""
    if not installed("quantus"):
        yield {"case": "parity", "left_out": "quantus is not installed"}
        return
    import quantus

    from backends.evidence.localisation import localise
    from tests.backends.evidence import linear

    model, image, exact = linear.picture(spot=False)
    network = as_linear(model)
    batch = model.encode({"image": image})
    masked = masked_forwards.get_masked_forwards(
        MaskedInput(model, batch, model.target("yes", batch), "zero", nothing), Cells(batch), 0, 1
    )
    region = np.zeros((16, 16), bool)
    region[4:9, 6:12] = True
    x = model.features(batch).numpy()
    plain = {"disable_warnings": True, "display_progressbar": False, "normalise": False, "abs": False}
    found: dict[str, float] = {}

    def theirs(metric: Any, values: np.ndarray, **more: Any) -> Any:
        given = {"x_batch": x, "y_batch": np.array([0]), "a_batch": values[None, None], "device": "cpu", **more}
        return metric(model=network, softmax=False, **given)[0]

    def note(name: str, ours: Any, other: Any) -> None:
        found[name] = max(found.get(name, 0.0), float(np.abs(np.asarray(ours, float) - np.asarray(other, float)).max()))

    for seed in range(20):
        chance = np.random.default_rng(seed)
        values = exact * chance.uniform(0.5, 1.5, exact.shape)
        located = {"s_batch": region[None, None]}
        ours = localise(values.clip(min=0), region)
        note("pointing", ours["pointing"]["value"], theirs(quantus.PointingGame(**plain), values, **located))
        mass = theirs(quantus.RelevanceMassAccuracy(**plain), values.clip(min=0), **located)
        note("mass inside", ours["mass inside"]["value"], mass)
        ranked = theirs(quantus.RelevanceRankAccuracy(**plain), values.clip(min=0), **located)
        note("rank accuracy", ours["rank accuracy"]["value"], ranked)
        flips = theirs(quantus.PixelFlipping(features_in_step=32, perturb_baseline=0.0, **plain), values)
        order = np.argsort(-values.ravel(), kind="stable")
        masks = np.stack([np.argsort(order) < 32 * (i + 1) for i in range(8)])
        note("deletion curve", masked.ask(masks)[:, 0], flips)
        hidden = np.zeros((0, 256), bool)

        def remove(arr: np.ndarray, indices: np.ndarray, **more: Any) -> np.ndarray:
            """What Quantus hides becomes 0, and is noted."""
            nonlocal hidden
            hidden = np.concatenate([hidden, np.isin(np.arange(256), indices)[None]])
            return np.where(hidden[-1], 0.0, arr)

        metric = quantus.FaithfulnessCorrelation(nr_runs=40, subset_size=24, perturb_func=remove, **plain)
        correlated = theirs(metric, values)
        drops = masked.whole[0] - masked.ask(hidden)[:, 0]
        note(
            "faithfulness correlation", mask_correlation.correlation(hidden, drops, values.ravel()[None])[0], correlated
        )
    yield {"case": "parity", "maps": 20, "largest difference": {name: float(f"{v:.2g}") for name, v in found.items()}}


def as_linear(model: Any) -> Any:
    """The linear test network as a module."""
    from torch import nn

    class Net(nn.Module):
        def forward(self, pixels: Any) -> Any:
            return model.outputs(pixels.float(), None)

    return Net().eval()


def main(*asked: str) -> None:
    """Print the cases."""
    import torch

    given = dict(word.split("=") for word in asked if "=" in word)
    cases = [word for word in asked if "=" not in word] or ["cost", "parity"]
    libraries = ("torch", "transformers", *(["quantus"] if installed("quantus") else []))
    stamp = {
        "benchmark": "receipts", "threads": torch.get_num_threads(),
        "versions": {name: importlib.metadata.version(name) for name in libraries},
    }  # fmt: skip
    made: dict[str, Callable[[], Iterator[dict[str, Any]]]] = {
        "cost": lambda: cost(int(given.get("repeats", 3))), "large": large, "parity": parity,
    }  # fmt: skip
    for case in cases:
        for line in made[case]():
            print(json.dumps({**stamp, **line}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
