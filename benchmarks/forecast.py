"""What the forecast says against what is measured, on random networks of real shapes.

`python -m benchmarks.forecast [repeats]`: one JSON line a case. In each repeat the speed is timed anew, the forecast
made, and the run measured right after it, since others use the machine too; `ratio` is measured ÷ forecast. Seconds are
the process's own (CPU), of one thread. Memory is the process's peak above what it held before the run (Linux), in
another process whose freed blocks go back at once. The last lines forecast 7B-shapes from their config alone.
"""

from __future__ import annotations

import gc
import importlib.metadata
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

WORDS = 997
LENGTHS = {"gpt2-small": (128, 512, 1024), "bert-base": (128, 384), "vit-base": (0,)}
METHODS: dict[str, dict[str, Any]] = {
    "forward": {},
    "attention": {},
    "logit_lens": {},
    "integrated_gradients": {"steps": 4},
    "feature_ablation": {},
}
TOO_LONG = {("feature_ablation", n) for n in (128, 256, 384, 512, 1024)} | {("logit_lens", n) for n in (256, 512, 1024)}
"""Cases that would take minutes."""
HONEST = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "0"}
"""Freed memory goes back to the system at once, so that the process's size is what it holds."""


def saved(shape: str, folder: Path) -> Path:
    """A network of the shape with random weights, and what prepares its input, as a folder."""
    import torch
    import transformers as t
    from tokenizers import Tokenizer, models, pre_tokenizers

    torch.manual_seed(0)
    made = Tokenizer(models.WordLevel({f"w{i}": i for i in range(WORDS)}, unk_token="w0"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    make: dict[str, Callable[[], Any]] = {
        "gpt2-small": lambda: t.GPT2LMHeadModel(t.GPT2Config()),
        "bert-base": lambda: t.BertForSequenceClassification(t.BertConfig()),
        "vit-base": lambda: t.ViTForImageClassification(t.ViTConfig()),
    }
    make[shape]().save_pretrained(folder)
    if shape == "vit-base":
        t.ViTImageProcessorPil().save_pretrained(folder)
    else:
        mask = {"unk_token": "w0", "pad_token": "w1", "mask_token": "w2"}
        t.PreTrainedTokenizerFast(tokenizer_object=made, model_max_length=1024, **mask).save_pretrained(folder)
    return folder


def raw(length: int) -> dict[str, Any]:
    """A seeded text of as many tokens, or a picture."""
    import numpy as np

    chance = np.random.default_rng(length)
    if not length:
        return {"image": chance.integers(0, 255, (224, 224, 3), np.uint8)}
    return {"text": " ".join(f"w{i}" for i in chance.integers(3, WORDS, length))}


def held(name: str) -> float:
    """A figure of this process in MB: VmRSS, or its peak VmHWM."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(x for x in lines if x.startswith(name)).split()[1]) / 1024


def measured(run: Callable[[], Any]) -> tuple[float, float]:
    """Seconds of `run`, and the MB by which the process grew at most meanwhile."""
    gc.collect()
    before = held("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
    start = time.process_time()
    run()
    seconds = time.process_time() - start
    return seconds, held("VmHWM") - before


def case(
    model: Any, method: str, options: Mapping[str, Any], given: dict[str, Any], repeats: int, memory: bool
) -> dict[str, Any]:
    """Forecast and measurement in turn."""
    import torch

    import backends
    from backends.cost import forecast
    from backends.methods.attention.qk_cache import cache

    batch = model.encode(given)
    forecaster = forecast.find_forecaster(model)

    def run() -> None:
        if method == "forward":
            with torch.no_grad():
                model.outputs(model.features(batch), batch)
        else:
            backends.run(model, method, given, **options)

    if memory:
        run()  # what is loaded once
    said: list[dict[str, Any]] = []
    found: list[tuple[float, float]] = []
    for _ in range(repeats):
        forecaster._speed = forecaster._speed if memory else None
        model.batch_sizes.clear()
        if method == "forward":
            said.append({"seconds": forecaster.estimate_forward(batch), "bytes": forecaster.trace(batch).bytes})
        else:
            said.append(forecast.forecast_run(model, batch, method, options))
        cache.clear()
        found.append(measured(run))
    if memory:
        expected, grown = said[0]["bytes"] / 2**20, statistics.median(grown for _, grown in found)
        return {"forecast_mb": round(expected, 1), "measured_mb": round(grown, 1), "ratio": round(grown / expected, 3)}
    ratios = sorted(seconds / one["seconds"] for one, (seconds, _) in zip(said, found, strict=True))
    return {
        "forecast_s": round(statistics.median(one["seconds"] for one in said), 3),
        "measured_s": round(statistics.median(seconds for seconds, _ in found), 3),
        "ratio": round(statistics.median(ratios), 3),
        "range": [round(ratio, 3) for ratio in (ratios[0], ratios[-1])],
    }


def child(shape: str, repeats: int, memory: bool) -> None:
    """All cases of one shape, in a process of its own."""
    import torch

    import backends
    from backends.cost import forecast
    from backends.jobs import worker

    worker.preload()
    forecast.clock = time.process_time
    versions = {n: importlib.metadata.version(n) for n in ("torch", "transformers")}
    about = {"benchmark": "forecast", "shape": shape, "repeats": repeats, "threads": torch.get_num_threads()}
    with tempfile.TemporaryDirectory() as folder:
        model = backends.open_model(str(saved(shape, Path(folder))))
        case(model, "saliency", {}, model.sample, 1, memory)  # what is imported and traced once
        for length in LENGTHS[shape]:
            for method, options in METHODS.items():
                offered = method == "forward" or backends.registry.method(method).needs <= model.offers
                if offered and (method, length) not in TOO_LONG:
                    times = 1 if memory or length == 1024 else repeats
                    figures = case(model, method, options, raw(length), times, memory)
                    line = {
                        **about,
                        "tokens": length,
                        "of": "memory" if memory else "time",
                        "method": method,
                        **options,
                        **figures,
                        "versions": versions,
                    }
                    print(json.dumps(line), flush=True)


def configs() -> None:
    """7B-shapes from their config alone: no weights are made or read."""
    import transformers as t

    from backends import catalog
    from backends.cost import forecast

    llama = {"hidden_size": 4096, "num_hidden_layers": 32, "num_attention_heads": 32, "intermediate_size": 11008}
    grouped = {**llama, "num_key_value_heads": 8, "intermediate_size": 14336, "max_position_embeddings": 32768}
    llama["max_position_embeddings"] = 4096
    shapes = {"llama-7b": t.LlamaConfig(**llama), "mistral-7b": t.MistralConfig(**grouped)}
    for name, config in shapes.items():
        with tempfile.TemporaryDirectory() as folder:
            config.save_pretrained(folder)
            start = time.perf_counter()
            found = forecast.forecast_source(catalog.configured(f"{folder}?dtype=bfloat16"), "cpu")
            took = time.perf_counter() - start
        kept = {key: found[key] for key in ("parameters", "weights", "fits", "lengths", "bytes", "flops")}
        print(json.dumps({"benchmark": "forecast", "shape": name, "took_s": round(took, 2), **kept}), flush=True)


def main(repeats: int = 3) -> None:
    """Print the cases."""
    for shape in LENGTHS:
        for of, more in (("time", {}), ("memory", HONEST)):
            command = [sys.executable, "-m", "benchmarks.forecast", "child", shape, str(repeats), of]
            subprocess.run(command, env={**os.environ, **more}, check=True)
    configs()


if __name__ == "__main__":
    if sys.argv[1:2] == ["child"]:
        child(sys.argv[2], int(sys.argv[3]), sys.argv[4] == "memory")
    else:
        main(*(int(n) for n in sys.argv[1:2]))
