"""The attention page on a random network of GPT-2-small's shape, of 128 to 8192 tokens: seconds, memory, bytes.

`python -m benchmarks.attention [lengths…]`: one JSON line a case. A plain forward, every head at a glance and one head
run in turn in one process, each from nothing kept; `ratio` is to the forward of the same round. Then what a head, a row
and a tile of a visited layer cost, and the bytes the browser receives. Where BERTVIZ names a folder with that package
(`pip install --no-deps --target FOLDER bertviz`), its HTML of the same text follows, within 4 minutes and 10 GB.
"""

from __future__ import annotations

import gc
import importlib.metadata
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from backends.methods.attention.qk_cache import cache

LENGTHS = (128, 1024, 4096, 8192)
LAST = 11
PATIENCE = 240
MEMORY = 10 * 2**30
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
    GPT2LMHeadModel(GPT2Config(vocab_size=WORDS, n_positions=8192, bos_token_id=0, eos_token_id=0)).save_pretrained(
        folder
    )
    PreTrainedTokenizerFast(tokenizer_object=made, unk_token="w0", model_max_length=8192).save_pretrained(folder)
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


def in_turn(cases: dict[str, Callable[[], Any]], repeats: int) -> dict[str, dict[str, Any]]:
    """Every case `repeats` times in turn: seconds, peak memory, ratio to the forward of its round, and its result."""
    seconds: dict[str, list[float]] = {name: [] for name in cases}
    memory: dict[str, list[float]] = {name: [] for name in cases}
    results: dict[str, Any] = {}
    for turn in range(repeats):
        for name in list(cases) if turn % 2 == 0 else reversed(list(cases)):
            cache.clear()
            start = time.perf_counter()
            results[name], most = peak(cases[name])
            seconds[name].append(time.perf_counter() - start)
            memory[name].append(most)
    plain = seconds["forward"]
    return {
        name: {
            "seconds": _about(times),
            "ratio": _about([t / p for t, p in zip(times, plain, strict=True)]),
            "peak_mb": round(max(memory[name]), 1),
            "result": results[name],
        }
        for name, times in seconds.items()
    }


def _about(values: list[float]) -> dict[str, float]:
    return {
        "median": round(statistics.median(values), 4),
        "least": round(min(values), 4),
        "most": round(max(values), 4),
    }


def timed(run: Callable[[], Any], repeats: int = 3) -> dict[str, float]:
    """Seconds of what needs no forward any more."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return _about(times)


class Kept:
    """A store that holds one result."""

    def __init__(self, result: Any) -> None:
        self.result = result

    def get_result(self, key: str) -> Any:
        return self.result


def fetched(result: Any, address: str) -> int:
    """The bytes of one address of `viz.server.maps`."""
    from flask import Flask

    from viz.server import maps

    app = Flask("benchmark")
    app.register_blueprint(maps.blueprint(Kept(result)))
    answer = app.test_client().get(address)
    assert answer.status_code == 200, answer.text
    return len(answer.data)


def payload(glance: Any, look: Callable[..., dict[str, Any]]) -> dict[str, int]:
    """Bytes of what the browser receives: the grid and one head; `look` computes a window of it."""
    from viz.pages.attention import attention_view as shown
    from viz.pages.attention.long_text import LongHead
    from viz.server import tiles

    data = shown.grid_data(KEY, glance)
    found = {"grid_numbers": len(json.dumps(data)), "grid_maps": fetched(glance, data["sprite"])}
    if data["whole"]:
        head = shown.Head.of(KEY, glance, 3, 2)
        drawn = head.map()[0].children[0].figure
        found |= {"head": len(json.dumps(head.view())), "head_map": len(drawn.to_json())}
        found["head_lines"] = fetched(glance, head.view()["address"])
    else:
        window = look()
        long = LongHead.over(KEY, glance, window, 3, 2)
        names = json.dumps({"keys": tiles.tokens(glance)[1]})
        found |= {"names": len(names), "head": len(json.dumps([long.view(), long.map()[1], long.sentence()]))}
        found["head_map"] = len(tiles.packed(window))
    found["page"] = sum(found.values())
    if not data["whole"]:
        length = int(glance.facts["tokens"])
        found["tile"] = len(tiles.packed(look(rows=[length // 2, length // 2 + 256], keys=[0, 256], size=[256, 256])))
        found["row"] = len(tiles.packed(look(rows=[length - 1, length], size=[1, length])))
    return found | {"whole_tensor_as_float32": 4 * 12 * 12 * int(glance.facts["tokens"]) ** 2}


def cases(model: Any, length: int, repeats: int) -> Iterator[dict[str, Any]]:
    """The lines of one length."""
    import torch

    import backends
    from backends.methods.attention import attention_window

    raw = {"text": text(length)}
    batch = model.encode(raw)
    assert len(batch.tokens) == length, len(batch.tokens)

    def forward() -> None:
        with torch.no_grad():
            model.outputs(model.features(batch), batch)

    def look(layer: int = LAST, head: int = 2, **options: Any) -> dict[str, Any]:
        return attention_window.read_window(model, model.encode(raw), {"layer": layer, "head": head, **options})

    def glance() -> Any:
        return backends.run(model, "attention", raw)

    several = {"forward": forward, "every head": glance}
    if length > 256:
        several["one head"] = look
    found = in_turn(several, repeats)
    results = {name: figures.pop("result") for name, figures in found.items()}
    for name, figures in found.items():
        yield {"case": name, "tokens": length, "repeats": repeats, **figures}
    if length > 256:
        look()
        ready = {"another head": lambda: look(head=5), "row": lambda: look(rows=[length - 1, length], size=[1, length])}
        ready["tile"] = lambda: look(rows=[length // 2, length // 2 + 256], keys=[0, 256], size=[256, 256])
        for name, run in ready.items():
            yield {"case": f"{name}, of a layer that is kept", "tokens": length, "seconds": timed(run)}
    yield {"case": "payload", "tokens": length, "bytes": payload(results["every head"], look)}


def bertviz(folder: Path, length: int) -> dict[str, Any]:
    """BertViz' two views of the same network and text in a process of its own, within a time and a memory."""
    command = [sys.executable, "-m", "benchmarks.attention", "bertviz", str(folder), str(length)]
    start = time.perf_counter()
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    except subprocess.TimeoutExpired:
        return {"failed": f"not done in {PATIENCE} s"}
    if done.returncode:
        why = (done.stderr.strip().splitlines() or ["killed"])[-1]
        return {"failed": why[:160], "seconds": round(time.perf_counter() - start, 1)}
    return json.loads(done.stdout.splitlines()[-1])


def peer(folder: str, length: int) -> None:
    """What `bertviz` measures, in its process; BERTVIZ names a folder with the package."""
    import resource
    import types

    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    sys.path.append(os.environ.get("BERTVIZ", ""))
    shown = types.ModuleType("IPython.display")
    shown.HTML = shown.Javascript = lambda data: types.SimpleNamespace(data=data)  # type: ignore[attr-defined]
    shown.display = lambda _: None  # type: ignore[attr-defined]
    sys.modules |= {"IPython": types.ModuleType("IPython"), "IPython.display": shown}
    from bertviz import head_view, model_view

    words = AutoTokenizer.from_pretrained(folder)
    start = time.perf_counter()
    module = AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager").eval()
    ids = words(text(length), return_tensors="pt")["input_ids"]
    with torch.no_grad():
        attention = module(ids, output_attentions=True).attentions
    forward = time.perf_counter() - start
    tokens = words.convert_ids_to_tokens(ids[0])
    sizes = {f.__name__: len(f(attention, tokens, html_action="return").data) for f in (head_view, model_view)}
    lines = Path("/proc/self/status").read_text().splitlines()
    most = int(next(x for x in lines if x.startswith("VmHWM")).split()[1]) / 1024
    seconds = {"load_and_forward_s": round(forward, 1), "seconds": round(time.perf_counter() - start, 1)}
    print(json.dumps({"bytes": sizes, "peak_mb": round(most), **seconds}))


def main(*lengths: int) -> None:
    """Print the cases."""
    import torch

    import backends

    versions = {n: importlib.metadata.version(n) for n in ("torch", "transformers", "plotly", "dash")}
    about = {"benchmark": "attention", "threads": torch.get_num_threads(), "versions": versions}
    with tempfile.TemporaryDirectory() as name:
        folder = saved(Path(name))
        model = backends.open_model(str(folder))
        for line in cases(model, 32, 1):  # loads what is loaded at first use
            assert line
        for length in lengths or LENGTHS:
            for line in cases(model, length, 3 if length <= 1024 else 2):
                print(json.dumps({**about, **line}), flush=True)
        failed = importlib.util.find_spec("bertviz") is None and not os.environ.get("BERTVIZ")
        for length in () if failed else lengths or LENGTHS:
            told = {"failed": "it failed on fewer tokens"} if failed else bertviz(folder, length)
            failed = "failed" in told
            print(json.dumps({**about, "case": "bertviz", "tokens": length, **told}), flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["bertviz"]:
        peer(sys.argv[2], int(sys.argv[3]))
    else:
        main(*(int(n) for n in sys.argv[1:]))
