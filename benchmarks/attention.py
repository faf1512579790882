"""The attention page on a random GPT-2-small shape: capture against a plain forward, and the bytes that travel.

`python -m benchmarks.attention [repeats]`: one JSON line a case, for T = 128, 512 and 1024 tokens. Forward and capture
run in turn in one process; `ratio` is the median of the pairs' ratios. `payload` is what the browser fetches for one
view: the grid's numbers and small maps, then one head's map, its lines, and one token's row and column.
"""

from __future__ import annotations

import gc
import importlib.metadata
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

LENGTHS = (128, 512, 1024)
WORDS = 997
KEY = "a" * 64


def saved(folder: Path) -> Path:
    """A GPT-2 of the small shape with seeded random weights and a word tokenizer, as a folder."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

    torch.manual_seed(0)
    made = Tokenizer(models.WordLevel({f"w{i}": i for i in range(WORDS)}, unk_token="w0"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    GPT2LMHeadModel(GPT2Config(vocab_size=WORDS, bos_token_id=0, eos_token_id=0)).save_pretrained(folder)
    PreTrainedTokenizerFast(tokenizer_object=made, unk_token="w0", model_max_length=1024).save_pretrained(folder)
    return folder


def text(length: int) -> str:
    """Seeded words, as many tokens as asked for; some repeat."""
    import numpy as np

    return " ".join(f"w{i}" for i in np.random.default_rng(length).integers(0, WORDS, length))


def peak(run: Callable[[], Any]) -> tuple[Any, float]:
    """What `run` returns, and the most memory of the process meanwhile, in MB (0 where Linux does not say)."""
    gc.collect()
    try:
        Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
        result = run()
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return run(), 0.0
    return result, int(next(x for x in lines if x.startswith("VmHWM")).split()[1]) / 1024


def pairs(forward: Callable[[], Any], capture: Callable[[], Any], repeats: int) -> dict[str, Any]:
    """Both in turn, after one run of each; seconds as median and range, and the ratio of each pair."""
    forward()
    result, most = peak(capture)
    plain, captured = [], []
    for turn in range(repeats):
        order = ((forward, plain), (capture, captured))
        for run, seconds in order if turn % 2 else reversed(order):
            start = time.perf_counter()
            run()
            seconds.append(time.perf_counter() - start)
    ratios = [c / p for c, p in zip(captured, plain, strict=True)]
    return {
        "result": result,
        "seconds": _about(captured),
        "forward_seconds": _about(plain),
        "ratio": _about(ratios),
        "peak_mb": round(most, 1),
        "forward_peak_mb": round(peak(forward)[1], 1),
    }


def _about(values: list[float]) -> dict[str, float]:
    return {
        "median": round(statistics.median(values), 4),
        "least": round(min(values), 4),
        "most": round(max(values), 4),
    }


class Kept:
    """A store that holds one result."""

    def __init__(self, result: Any) -> None:
        self.result = result

    def get_result(self, key: str) -> Any:
        return self.result


def payload(glance: Any, one: Any) -> dict[str, int]:
    """Bytes of each request the page makes, by what it is for; `glance` is every head's result, `one` one head's."""
    from flask import Flask

    from viz import maps
    from viz.components import attention_view as shown

    def fetch(result: Any, address: str) -> int:
        app = Flask("benchmark")
        app.register_blueprint(maps.blueprint(Kept(result)))
        answer = app.test_client().get(address)
        assert answer.status_code == 200, answer.text
        return len(answer.data)

    data = shown.grid_data(KEY, glance)
    head = shown.Head.of(KEY, one, 3, 2)
    view = head.view()
    children, spec = head.map()
    found = {"grid_numbers": len(json.dumps(data)), "grid_maps": fetch(glance, data["sprite"])}
    found["head_view"] = len(json.dumps(view))
    found["head_map"] = fetch(one, spec["map"]) if spec else len(children.children[0].figure.to_json())
    if view["address"]:
        found["head_lines"] = fetch(one, view["address"])
    found["token_row_and_column"] = fetch(one, view["row"] + "7") + fetch(one, view["column"] + "7")
    return found | {"whole_tensor_as_float32": 4 * 12 * 12 * int(glance.facts["tokens"]) ** 2}


def main(repeats: int = 3) -> None:
    """Print the cases."""
    import torch

    import backends
    from backends import registry

    method = registry.method("attention")
    versions = {n: importlib.metadata.version(n) for n in ("torch", "transformers", "plotly", "dash")}
    about = {"benchmark": "attention", "repeats": repeats, "threads": torch.get_num_threads(), "versions": versions}
    with tempfile.TemporaryDirectory() as folder:
        model = backends.open_model(str(saved(Path(folder))))
        for length in LENGTHS:
            batch = model.encode({"text": text(length)})
            assert len(batch.tokens) == length, len(batch.tokens)

            def forward(batch: Any = batch) -> None:
                with torch.no_grad():
                    model.outputs(model.features(batch), batch)

            cases = {"every head": method(), "one head": method(layers=(3,), heads=(2,))}
            found = {n: pairs(forward, lambda m=m, b=batch: m(model, b), repeats) for n, m in cases.items()}
            results = {n: f.pop("result") for n, f in found.items()}
            one = results["every head" if length <= 256 else "one head"]
            for name, figures in found.items():
                print(json.dumps({**about, "case": name, "tokens": length, **figures}), flush=True)
            sizes = payload(results["every head"], one)
            print(json.dumps({**about, "case": "payload", "tokens": length, "bytes": sizes}), flush=True)


if __name__ == "__main__":
    main(*(int(n) for n in sys.argv[1:2]))
