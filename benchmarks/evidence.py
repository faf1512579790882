"""Does a receipt tell true maps from useless ones? One JSON line a case.

`python -m benchmarks.evidence truth [n] [network …]`: a verdict for each input, map and network whose truth is known
(radiograph, radiograph-vit, radiograph-shortcut, triage), beside whether the map found it; then the shares.
`… discoveries [n]`: the share of false ones among the parts that a trial calls important, on networks that ignore
known parts, on bundled/triage, whose rule ignores known words, and on films, whose lesion is known. `… words [n]`:
verdicts on the maps of colours and nouns of `n` captions drawn by bundled/scenes, on the other thing's map in the
word's place, and on a smooth random one. `… grids [n]`: verdicts on patching grids of bundled/names, and with other
cells.

What a map *covers* is the share of the truth within the brightest twentieth of a picture, or the share of as many
brightest words as decide that do decide: from a half on it has found the truth, below a tenth it has missed it, between
it is neither. The pointing game (Zhang et al. 2018; on a picture within two pixels) stands beside it. Only inputs that
the network answers rightly count, since of others nobody knows what decided. `VITRINE_BENCH_LOG` is a file of JSON
lines to go on from.
"""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

import backends
from backends.evidence import receipt
from backends.evidence.cells import blur_map, select_brightest
from backends.jobs.table_statistics import wilson
from benchmarks.truth import hit, offered

NETWORKS = "radiograph", "radiograph-vit", "radiograph-shortcut", "triage"
BLIND = "integrated_gradients", "saliency", "hires_cam"
USELESS = "randomised", "planted: noise", "planted: smooth"
FOUND, MISSED = 0.5, 0.1
"""What a map covers of the truth, from where it has found it, and below where it has missed it."""


def inputs(name: str, n: int, seed: int = 551) -> Iterator[tuple[dict[str, Any], str, Any]]:
    """Raw input, target and truth: a mask (height, width), or the character spans that decide."""
    if name == "triage":
        from backends.bundled.data.triage import notes

        yield from (({"text": note.text}, note.label, note.rationale) for note in notes(seed, n, "test"))
        return
    from backends.bundled.data.radiograph import FAINT, LABELS, PLAIN, phantoms

    cheat = name == "radiograph-shortcut"
    tag, strength = ("agree", FAINT) if cheat else ("random", PLAIN)
    made = phantoms(seed, n, tag=tag, strength=strength, labels=np.ones(n))
    for image, mask in zip(made.rgb, made.tags if cheat else made.lesions, strict=True):
        yield {"image": image}, LABELS[1], mask


def planted(result: backends.Result, truth: np.ndarray, free: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    """Maps whose truth is known: the truth itself, noise, and smooth noise."""
    from scipy.ndimage import gaussian_filter

    chance = np.random.default_rng(seed)
    shape = result.arrays["attribution"].shape
    noise = chance.standard_normal(shape)
    made = {"planted: truth": truth.astype(float), "planted: noise": noise * free}
    smooth = gaussian_filter(chance.standard_normal(shape), 4 if len(shape) == 2 else 1, mode="wrap")
    return made | {"planted: smooth noise": smooth * free}


def covered(attribution: np.ndarray, truth: np.ndarray, free: np.ndarray) -> tuple[bool, float]:
    """Whether the map points at the truth, and what it covers of it."""
    from scipy.ndimage import binary_dilation

    if truth.ndim == 1:
        order = np.argsort(-np.where(free, attribution, -np.inf), kind="stable")
        return bool(truth[order[0]]), float(truth[order[: int(truth.sum())]].mean())
    values = blur_map(attribution.astype(float))
    bright = select_brightest(values.ravel(), 0.05).reshape(truth.shape)
    points = hit(values, binary_dilation(truth, iterations=2))
    return points, float(truth[bright].sum() / truth.sum())


def verdicts(
    name: str, index: int, raw: dict[str, Any], target: str, truth: Any, nets: tuple[Any, Any]
) -> Iterator[dict]:
    """One line for each map of one input."""
    model, blind = nets
    batch = model.encode(raw)
    free = np.ones((), bool)
    if name == "triage":
        free = ~np.asarray(batch.special)
        truth = np.array([any(a < end and start < b for a, b in truth) for start, end in batch.spans]) & free
    maps, last = {}, None
    for method in offered(model):
        for network, label in ((model, method), (blind, f"randomised: {method}")):
            if network is blind and method not in BLIND:
                continue
            try:
                last = backends.run(network, method, raw, target=target)
            except backends.Refused:
                continue
            maps[label] = last
    assert last is not None
    for label, values in planted(last, truth, free, index).items():
        request = {**last.request, "options": {}}
        maps[label] = dataclasses.replace(
            last, arrays={**last.arrays, "attribution": values.astype(np.float32)}, request=request, facts=_bare(last)
        )
    right = model.predict(batch, 1)[0].label == target
    for label, result in maps.items():
        made = receipt(model, result, raw, target=target)
        points, covers = covered(result.arrays["attribution"], truth, free)
        numbers = {line.name: [line.value, line.verdict, line.about.get("p")] for line in made.lines}
        yield {
            "case": name, "index": index, "map": label, "verdict": made.verdict, "pointing": points, "covers": covers,
            "right": right, "forwards": made.facts["forwards"], "seconds": round(made.facts["seconds"], 4),
            "lines": numbers,
        }  # fmt: skip


def _bare(result: backends.Result) -> dict[str, Any]:
    """The facts of the input alone."""
    return {k: v for k, v in result.facts.items() if k in ("text", "special", "grid", "first_patch")}


def summary(lines: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The shares for each network and map, and over all maps of each network."""
    lines = [line for line in lines if line["right"]]
    for case in dict.fromkeys(line["case"] for line in lines):
        mine = [line for line in lines if line["case"] == case]
        for label in dict.fromkeys(line["map"] for line in mine):
            yield {"case": case, "map": label, **shares([line for line in mine if line["map"] == label])}
        real = [line for line in mine if not line["map"].startswith((*USELESS, "planted"))]
        yield {"case": case, "map": "all methods", **shares(real), **agreement(real)}
        yield {"case": case, "map": "all useless maps", **shares([li for li in mine if li["map"].startswith(USELESS)])}


def shares(some: list[dict[str, Any]]) -> dict[str, Any]:
    """How often a verdict falls on maps that found, missed, or did neither."""
    kinds, covers = [line["verdict"] for line in some], np.array([line["covers"] for line in some])
    groups = {"": covers >= 0, "found": covers >= FOUND, "missed": covers < MISSED}
    made: dict[str, Any] = {"n": len(some), "pointing": round(float(np.mean([line["pointing"] for line in some])), 3)}
    for name, there in groups.items():
        told = [kind for kind, counts in zip(kinds, there, strict=True) if counts]
        made[f"n_{name}" if name else "n"] = len(told)
        for kind in ("holds", "fails", "cannot tell"):
            made[f"{name}_{kind}".strip("_")] = round(told.count(kind) / len(told), 3) if told else None
    low, high = wilson(kinds.count("holds"), len(kinds))
    return {**made, "holds_95": [round(low, 3), round(high, 3)]}


def agreement(some: list[dict[str, Any]]) -> dict[str, float]:
    """How often the verdict is that of the truth; “cannot tell” counts as wrong."""

    def right(line: dict[str, Any], true: bool) -> bool:
        return line["verdict"] == ("holds" if true else "fails")

    clear = [line for line in some if line["covers"] >= FOUND or line["covers"] < MISSED]
    made = {
        "agree_clear": np.mean([right(line, line["covers"] >= FOUND) for line in clear]),
        "clear": len(clear) / len(some),
        "agree_half": np.mean([right(line, line["covers"] >= FOUND) for line in some]),
        "agree_pointing": np.mean([right(line, line["pointing"]) for line in some]),
    }
    return {name: round(float(value), 3) for name, value in made.items()}


def truth(n: int, names: tuple[str, ...]) -> None:
    """Verdicts against truth, input by input, then their shares."""
    log = Path(os.environ["VITRINE_BENCH_LOG"]) if os.environ.get("VITRINE_BENCH_LOG") else None
    lines = [json.loads(row) for row in log.read_text().splitlines()] if log and log.is_file() else []
    there = {(line["case"], line["index"]) for line in lines if "map" in line}
    for name in names:
        model = backends.open_model(f"bundled/{name}")
        nets = model, _randomised(model)
        for index, (raw, target, mask) in enumerate(inputs(name, n)):
            if (name, index) in there:
                continue
            fresh = list(verdicts(name, index, raw, target, mask, nets))
            lines += fresh
            if log:
                with log.open("a") as out:
                    out.writelines(json.dumps(line) + "\n" for line in fresh)
    for line in summary(lines):
        print(json.dumps(line), flush=True)


def _randomised(model: Any) -> Any:
    from backends.evidence.perturbed_runs import shuffle_weights

    return shuffle_weights(model)


def discoveries(n: int, parts: int = 24, used: int = 8) -> None:
    """False discoveries and power of a trial on `n` random networks of which `parts - used` parts are ignored."""
    import torch

    from backends.evidence import trial

    for strength in (0.3, 1.0):
        false, power, any_false = [], [], []
        for seed in range(n):
            chance = torch.Generator().manual_seed(seed)
            first = torch.randn(parts, 16, generator=chance, dtype=torch.double)
            first[used:] = 0  # known to be ignored
            second = torch.randn(16, generator=chance, dtype=torch.double)

            def network(kept: torch.Tensor, a: Any = first, b: Any = second, s: float = strength) -> torch.Tensor:
                return torch.tanh(s * kept @ a) @ b

            hidden = trial.draw_design(parts, trial.TRIALS * parts, seed)
            scores = network(torch.from_numpy(~hidden).double()).numpy()
            ends = network(torch.stack([torch.zeros(parts), torch.ones(parts)]).double()).numpy()
            made = trial.fit_trial(hidden, scores, change=float(abs(ends[1] - ends[0])))
            real = _single(network, parts)[:used] > made.least
            false.append(made.found[used:].sum() / max(made.found.sum(), 1))
            any_false.append(bool(made.found[used:].any()))
            power.append(made.found[:used][real].mean() if real.any() else np.nan)
        print(json.dumps({
            "case": "discoveries", "n": n, "parts": parts, "used": used, "curvature": strength, "rate": trial.RATE,
            "false_share": round(float(np.mean(false)), 4), "any_false": round(float(np.mean(any_false)), 4),
            "power": round(float(np.nanmean(power)), 4), "forwards": trial.TRIALS * parts,
        }), flush=True)  # fmt: skip


def notes_tried(n: int) -> None:
    """The same on bundled/triage: words that the maker's rule ignores are known, and those that decide."""
    from backends.bundled.data.triage import notes
    from backends.evidence import regions

    model = backends.open_model("bundled/triage")
    false, power, any_false, alone = [], [], [], []
    for note in notes(553, n, "test"):
        made = regions.find_regions(model, {"text": note.text}, note.label)
        found = regions.run_trial(made).found
        batch, cells = made.masked.cells.batch, made.masked.cells
        spans = [span for span, place in zip(batch.spans, cells.number, strict=True) if place >= 0]
        words = [[spans[i] for i in np.flatnonzero(group)] for group in made.groups]
        known = [s.span for s in note.symptoms] + [s.denial for s in note.symptoms if s.denial]
        ignored = np.array([not _touches(word, known) for word in words])
        decides = np.array([_touches(word, note.rationale) for word in words])
        false.append(float(found[ignored].sum() / max(found.sum(), 1)))
        any_false.append(bool(found[ignored].any()))
        if decides.any():
            power.append(float(found[decides].mean()))
        if decides.sum() == 1:
            alone.append(bool(found[decides][0]))
    print(json.dumps({
        "case": "discoveries", "network": "bundled/triage", "n": n, "false_share": round(float(np.mean(false)), 4),
        "any_false": round(float(np.mean(any_false)), 4), "power": round(float(np.mean(power)), 4),
        "power_single": round(float(np.mean(alone)), 4) if alone else None,
    }), flush=True)  # fmt: skip


def films_tried(n: int, name: str) -> None:
    """The same on films: how many of the squares said to speak for “lesion” lie on it, and how often one is found."""
    from backends.bundled.data import radiograph
    from backends.evidence import regions

    model = backends.open_model(name)
    made = radiograph.phantoms(77, 2 * n, tag="none")
    right, found_there, squares = 0, [], 0
    for image, label, lesion in zip(made.rgb, made.labels, made.lesions, strict=True):
        if radiograph.LABELS[label] != "lesion" or len(found_there) == n:
            continue
        parts = regions.find_regions(model, {"image": image}, "lesion")
        if parts.masked.whole[2] <= 0:
            continue
        tried = regions.run_trial(parts)
        where = np.argwhere(np.asarray(lesion) > 0) * np.array(parts.masked.cells.shape) // np.array(lesion.shape)
        place = where[:, 0] * parts.masked.cells.shape[1] + where[:, 1]
        on = parts.groups[:, np.unique(place)].any(1)
        speaking = tried.found & (tried.effect > 0)
        squares, right = squares + int(speaking.sum()), right + int((speaking & on).sum())
        found_there.append(bool((speaking & on).any()))
    print(json.dumps({
        "case": "discoveries", "network": name, "n": len(found_there), "squares": squares,
        "on_the_lesion": round(right / max(squares, 1), 4), "found": round(float(np.mean(found_there)), 4),
    }), flush=True)  # fmt: skip


def _touches(word: Any, spans: Any) -> bool:
    """Whether any token of a word overlaps any of the character spans."""
    return any(start < b and a < end for start, end in word for a, b in spans)


def _single(network: Any, parts: int, draws: int = 4096) -> np.ndarray:
    """The true mean effect of each part, all others being there or not at random, (part,)."""
    import torch

    kept = (torch.rand(draws, parts, generator=torch.Generator().manual_seed(1)) < 0.5).double()
    effects = []
    for part in range(parts):
        with_it, without = kept.clone(), kept.clone()
        with_it[:, part], without[:, part] = 1, 0
        effects.append(float((network(with_it) - network(without)).mean().abs()))
    return np.array(effects)


def words(n: int) -> None:
    """Receipts of words' maps, and of maps that are not theirs."""
    from scipy.ndimage import gaussian_filter

    from backends.bundled.data import scenes

    model, told = backends.open_model("bundled/scenes"), defaultdict[str, list[str]](list)
    for index, caption in enumerate(scenes.captions([552, 1], n, kinds={"relation": 0.7, "and": 0.3})):
        plain = {"by_step": False, "by_layer": False, "seed": 552 + index}
        result = backends.run(model, "daam", caption.text, **plain)
        spans = [(int(a), int(b)) for a, b in result.arrays["span"]]
        for k, thing in enumerate(caption.things):
            for kind, span in zip(("colour", "noun"), thing.words, strict=True):
                word, other = spans.index(span), spans.index(caption.things[1 - k].words[1])
                heat = result.arrays["heat"]
                noise = gaussian_filter(
                    np.random.default_rng([index, k]).standard_normal(heat[0].shape), 6, mode="wrap"
                )
                maps = {"own": heat[word], "other thing's": heat[other], "smooth noise": noise - noise.min()}
                for name, values in maps.items():
                    arrays = {**result.arrays, "heat": np.where(_one(heat, word), values, heat).astype(np.float32)}
                    made = receipt(model, dataclasses.replace(result, arrays=arrays), word=word)
                    told[f"{kind}: {name}"].append(made.verdict)
    _say_verdicts("words", told)


def _one(heat: np.ndarray, word: int) -> np.ndarray:
    """Where in maps (word, row, column) one word's is."""
    return (np.arange(len(heat)) == word)[:, None, None]


def grids(n: int) -> None:
    """Receipts of patching grids, of their columns shuffled, and of noise in their moving cells."""
    from backends.bundled.data.names import sentences

    model, told = backends.open_model("bundled/names"), defaultdict[str, list[str]](list)
    for index, one in enumerate(sentences([552, 6], n, "test")):
        raw = {"clean": {"text": one.clean}, "corrupted": {"text": one.corrupted}}
        chance = np.random.default_rng(index)
        for site in ("residual", "attention", "mlp", "heads"):
            result = backends.run(model, "activation_patching", raw, [one.answer, one.wrong], site=site)
            grid = result.arrays["effect"]
            live = np.flatnonzero((grid != 0).any(0))
            turned = grid.copy()
            turned[:, live] = grid[:, np.roll(live, 1 + int(chance.integers(max(len(live) - 1, 1))))]
            noise = np.where(grid != 0, chance.standard_normal(grid.shape), 0)
            for name, values in {"own": grid, "columns turned": turned, "noise": noise}.items():
                arrays = {**result.arrays, "effect": values.astype(np.float32)}
                try:
                    verdict = receipt(model, dataclasses.replace(result, arrays=arrays), raw).verdict
                except backends.Refused:
                    verdict = "refused"
                told[f"{site}: {name}"].append(verdict)
    _say_verdicts("grids", told)


def _say_verdicts(case: str, told: dict[str, list[str]]) -> None:
    for label, kinds in told.items():
        rates = {
            kind: round(kinds.count(kind) / len(kinds), 3) for kind in ("holds", "fails", "cannot tell", "refused")
        }
        print(json.dumps({"case": case, "map": label, "n": len(kinds), **rates}), flush=True)


def main() -> None:
    """Print the lines of one part, or of all."""
    what = sys.argv[1] if len(sys.argv) > 1 else "all"
    n = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    if what in ("discoveries", "all"):
        discoveries(n or 200)
        notes_tried(n or 200)
        for name in ("bundled/radiograph", "bundled/radiograph-vit"):
            films_tried(n or 200, name)
    if what in ("words", "all"):
        words(n or 50)
    if what in ("grids", "all"):
        grids(n or 20)
    if what in ("truth", "all"):
        truth(n or 200, tuple(sys.argv[3:]) or NETWORKS)


if __name__ == "__main__":
    main()
