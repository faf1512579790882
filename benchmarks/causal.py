"""Interventions: do they find what is known, do they agree with TransformerLens, and how fast is the sweep?

`python -m benchmarks.causal [truth] [parity] [speed] [n=20] [repeats=3] [tokens=16]`: one JSON line a case.
`truth`: on held-back sentences of bundled/names, where patching restores the answer, the heads, and a circuit's three
criteria. `parity`: largest differences to TransformerLens' bridge on the same weights, biases and norms random.
`speed`: the exact sweep, TransformerLens' own loop and one whole forward a cell, in turn in one run, on a GPT-2 of the
small shape (random weights), on texts of so many `tokens` or of both lengths, in CPU seconds of the process; `ratio` is
the median of the turns' ratios, of as many cells as were timed, and `largest_difference` that of the sweep to the whole
forwards, relative. What needs TransformerLens is left out where it is not installed.
"""

from __future__ import annotations

import copy
import importlib.metadata
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.attention import peak

LENGTHS = (16, 64)
WORDS = 997
TIMED = 48
"""Cells of the slow loops that are timed; the whole loop costs as much more as it has more cells."""


def about(values: Any, digits: int = 4) -> dict[str, float]:
    """Median and range."""
    numbers = [float(v) for v in values]
    found = {"median": statistics.median(numbers), "least": min(numbers), "most": max(numbers)}
    return {name: round(value, digits) for name, value in found.items()}


def truth(n: int) -> Iterator[dict[str, Any]]:
    """What is known of bundled/names, found by intervening."""
    import backends
    from backends.bundled.data.names import sentences

    model = backends.open_model("bundled/names")
    made = sentences([77, 6], n, "test")
    found: dict[str, list[float]] = {name: [] for name in ("hit", "effect", "elsewhere", "last", "correlation")}
    heads, circuits = [], []
    for one in made:
        raw, pair = {"clean": {"text": one.clean}, "corrupted": {"text": one.corrupted}}, [one.answer, one.wrong]
        spans = model.encode(one.clean).spans
        second = next(i for i, (a, b) in enumerate(spans) if a <= one.roles["s2"][0] < b)
        effect = backends.run(model, "activation_patching", raw, pair).arrays["effect"]
        found["hit"].append(float(effect[0].argmax() == second))
        found["effect"].append(effect[0, second])
        found["elsewhere"].append(np.abs(np.delete(effect, [second, effect.shape[1] - 1], 1)).max())
        found["last"].append(effect[-1, -1])
        preview = backends.run(model, "attribution_patching", raw, pair, compare=True)
        found["correlation"].append(preview.facts["correlation"])
        heads.append(backends.run(model, "activation_patching", raw, pair, site="heads").arrays["effect"])
        circuits.append(backends.run(model, "circuit", raw, pair, ablation="resample"))
    yield {"case": "second subject", "n": n, **{name: about(values) for name, values in found.items()}}
    mean = np.mean(heads, 0)
    top = np.dstack(np.unravel_index(np.argsort(-mean, axis=None)[:3], mean.shape))[0].tolist()
    yield {"case": "heads", "n": n, "top": {f"{a}.{b}": about([h[a, b] for h in heads]) for a, b in top}}
    figures = ("faithfulness", "completeness_gap", "minimality_least")
    members = [", ".join(c.labels["member"]) for c in circuits]
    common = max(set(members), key=members.count)
    rows = {name: about([c.facts[name] for c in circuits]) for name in figures}
    yield {"case": "circuit", "n": n, "members": common, "share": members.count(common) / n, **rows}


def parity() -> Iterator[dict[str, Any]]:
    """Largest differences to TransformerLens on networks with random biases and norms."""
    from tests import families

    for name in ("GPT-2", "Llama"):
        with tempfile.TemporaryDirectory() as folder:
            yield {"case": f"parity, {name}", **differences(str(families.make(name, Path(folder))))}


def differences(folder: str) -> dict[str, float]:
    """The largest difference of patching at each site, and of the lens, to TransformerLens on one network."""
    import torch
    from transformer_lens import patching

    import backends
    from backends.hooks.recording import record
    from backends.hooks.sites import unembed

    model = backends.open_model(folder)
    bridge = bridged(model, folder)
    clean, wrong = "no fever but severe chest pain .", "no fever but severe chart pain ."
    batches = {"clean": model.encode(clean), "corrupted": model.encode(wrong)}
    ids = {side: batch.inputs["input_ids"] for side, batch in batches.items()}
    target = model.target(None, batches["clean"])
    raw = {"clean": {"text": clean}, "corrupted": {"text": wrong}}
    with torch.no_grad():
        logits, cache = bridge.run_with_cache(ids["clean"])
        with record(model.module, model.sites, residual=True) as recording:
            own = model.outputs(model.features(batches["clean"]), batches["clean"])
        found = {"logits": float((logits[:, -1] - own).abs().max())}
        states = torch.cat([cache["resid_pre", layer] for layer in range(len(model.sites.block))])
        found["states"] = float((states - torch.cat(recording.residual[:-1])).abs().max())
        lens = unembed(model.module, model.sites, torch.cat(recording.residual[:-1]))
        found["lens"] = float((bridge.unembed(bridge.ln_final(states)) - lens).abs().max())

    def metric(out: Any) -> Any:
        return out[0, -1, target.ids[0]]

    sites = {
        "residual": patching.get_act_patch_resid_pre,
        "attention": patching.get_act_patch_attn_out,
        "mlp": patching.get_act_patch_mlp_out,
        "heads": patching.get_act_patch_attn_head_out_all_pos,
    }
    for site, theirs in sites.items():
        with torch.no_grad():
            numbers = theirs(bridge, ids["corrupted"], cache, metric).numpy()
        result = backends.run(model, "activation_patching", raw, target.ids[0], site=site)
        low, high = result.facts["corrupted"], result.facts["clean"]
        found[site] = float(np.abs(result.arrays["effect"] * (high - low) + low - numbers).max())
    gap = backends.run(model, "logit_attribution", {"text": clean}).facts["sum_gap"]
    return {**{name: round(value, 9) for name, value in found.items()}, "sum_gap": round(gap, 9)}


def bridged(model: Any, name: str) -> Any:
    """TransformerLens' bridge over a copy of a network."""
    from transformer_lens.model_bridge import TransformerBridge
    from transformers import AutoModelForCausalLM

    network = AutoModelForCausalLM.from_pretrained(name).eval().requires_grad_(False)
    return TransformerBridge.boot_transformers(name, hf_model=network, tokenizer=copy.deepcopy(model.processor))


def saved(folder: Path) -> Path:
    """A GPT-2 of the small shape with seeded random weights and a word tokenizer, as a folder."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

    torch.manual_seed(0)
    made = Tokenizer(models.WordLevel({f"w{i}": i for i in range(WORDS)}, unk_token="w0"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    GPT2LMHeadModel(GPT2Config(bos_token_id=0, eos_token_id=0)).save_pretrained(folder)
    PreTrainedTokenizerFast(tokenizer_object=made, unk_token="w0", model_max_length=1024).save_pretrained(folder)
    return folder


def texts(length: int, place: int) -> tuple[str, str]:
    """Seeded words, and the same with another one at one place."""
    words = [f"w{i}" for i in np.random.default_rng(length).integers(0, WORDS - 1, length)]
    other = [*words]
    other[place] = f"w{WORDS - 1}"
    return " ".join(words), " ".join(other)


def speed(repeats: int, lengths: tuple[int, ...] = LENGTHS) -> Iterator[dict[str, Any]]:
    """The exact sweep beside the slow loops."""
    import backends

    with tempfile.TemporaryDirectory() as folder:
        model = backends.open_model(str(saved(Path(folder))))
        bridge = bridged(model, folder) if there() else None
        for length in lengths:
            for site in ("residual", "heads"):
                for place in (1, length // 2):
                    yield case(model, bridge, site, length, place, repeats)


def case(model: Any, bridge: Any, site: str, length: int, place: int, repeats: int) -> dict[str, Any]:
    """One length and site; the inputs differ in one word at `place`."""
    import backends
    from backends.methods.causal import base
    from backends.methods.causal.activation_patching import changes
    from backends.models import input_pair

    clean, wrong = texts(length, place)
    raw = {"clean": {"text": clean}, "corrupted": {"text": wrong}}
    batch = input_pair.encode(model, raw)
    target = model.target(None, batch)
    watch = base.WatchedMetric(model, batch, target)
    sides = base.Contrast(watch, base.choose_recording(site))
    layers = base.find_layers(watch.sites, site)
    rows, _ = changes(sides, site, layers)
    cells = len(layers) * (watch.sites.heads if site == "heads" else length)
    chance = np.random.default_rng(0)
    some = [rows[i] for i in chance.choice(len(rows), min(TIMED, len(rows)), replace=False)]

    def ours() -> Any:
        return backends.run(model, "activation_patching", raw, target.ids[0], site=site)

    def naive() -> None:
        one_by_one(watch, sides, some)

    whole = np.array(one_by_one(watch, sides, some))
    apart = np.abs(whole - watch.sweep(some, sides.corrupted, sides.corrupted_batch)).max()
    loops: dict[str, tuple[Callable[[], Any], float]] = {"ours": (ours, 1.0), "whole": (naive, cells / len(some))}
    if bridge is not None:
        loops["transformer_lens"] = lens_loop(bridge, batch, target, site, cells, chance, len(layers))
    seconds: dict[str, list[float]] = {name: [] for name in loops}
    memory = {name: round(peak(run)[1], 1) for name, (run, _) in loops.items()}  # warms up, too
    for turn in range(repeats):
        order = list(loops.items())
        for name, (run, scale) in order if turn % 2 else reversed(order):
            start = time.process_time()
            run()
            seconds[name].append((time.process_time() - start) * scale)
    ratios = {
        f"ratio_{name}": about([s / o for s, o in zip(own, seconds["ours"], strict=True)], 2)
        for name, own in seconds.items()
        if name != "ours"
    }
    return {"case": "speed", "site": site, "tokens": length, "differ_at": place, "cells": cells, "computed": len(rows),
            "largest_difference": round(float(apart / np.abs(whole).max()), 9),
            "timed": {"whole": len(some)}, "seconds": {name: about(own) for name, own in seconds.items()}, **ratios,
            "peak_mb": memory}  # fmt: skip


def one_by_one(watch: Any, sides: Any, rows: Any) -> list[float]:
    """The number of each row by a whole forward."""
    import torch

    from backends.hooks.recording import record

    batch = sides.corrupted_batch
    features, numbers = watch.features(batch), []
    for row in rows:
        edits = {at: (lambda x, own=edit: own(x[0])[None]) for at, edit in row.edits.items()}
        with torch.no_grad(), record(watch.model.module, watch.sites, edits=edits):
            numbers.append(float(watch.compute_metric(watch.model.outputs(features, batch))))
    return numbers


def lens_loop(
    bridge: Any, batch: Any, target: Any, site: str, cells: int, chance: Any, depth: int
) -> tuple[Callable[[], Any], float]:
    """TransformerLens' own patching over some of the cells, and by how much the whole grid has more."""
    import pandas
    import torch
    from transformer_lens import patching

    across = cells // depth
    name, setter, column = (
        ("z", patching.layer_head_vector_patch_setter, "head")
        if site == "heads"
        else ("resid_pre", patching.layer_pos_patch_setter, "pos")
    )
    chosen = chance.choice(cells, min(TIMED, cells), replace=False)
    frame = pandas.DataFrame({"layer": chosen // across, column: chosen % across})
    ids, wrong = batch.inputs["input_ids"], batch.corrupted.inputs["input_ids"]
    with torch.no_grad():
        _, cache = bridge.run_with_cache(ids)

    def run() -> None:
        with torch.no_grad():
            patching.generic_activation_patch(
                bridge, wrong, cache, lambda out: out[0, -1, target.ids[0]], setter, name, index_df=frame
            )

    return run, cells / len(chosen)


def there() -> bool:
    """Whether TransformerLens can be imported."""
    try:
        import transformer_lens  # noqa: F401
    except ImportError:
        return False
    return True


def main(*asked: str) -> None:
    """Print the cases."""
    import torch

    given = dict(word.split("=") for word in asked if "=" in word)
    cases = [word for word in asked if "=" not in word] or ["truth", "parity", "speed"]
    libraries = ("torch", "transformers", *(["transformer_lens"] if there() else []))
    versions = {name: importlib.metadata.version(name) for name in libraries}
    stamp = {"benchmark": "causal", "threads": torch.get_num_threads(), "versions": versions}
    made: dict[str, Callable[[], Iterator[dict[str, Any]]]] = {
        "truth": lambda: truth(int(given.get("n", 20))),
        "parity": lambda: parity() if there() else iter([{"case": "parity", "left_out": "no transformer_lens"}]),
        "speed": lambda: speed(int(given.get("repeats", 3)), (int(given["tokens"]),) if "tokens" in given else LENGTHS),
    }
    for case_ in cases:
        for line in made[case_]():
            print(json.dumps({**stamp, **line}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
