"""Do maps point at what is known to matter? One JSON line for each model and method.

`python -m benchmarks.truth [n] [case …]`: cases are radiograph, radiograph-vit, radiograph-shortcut and triage.
Pictures: the share of films with a lesion whose largest value lies on it (`pointing`), beside chance (the lesion's mean
area); on the shortcut twin also how often it lies on the tag. Text: how often the top word is one that decides
(`top_1`), and the share of such words among as many top words as there are (`precision`), beside chance.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from typing import Any

import numpy as np

import backends
from backends import registry


def offered(model: Any) -> list[str]:
    """The attribution methods that this model can be asked for."""
    entries = registry.entries("methods").items()
    return [name for name, e in entries if e.question == "attribution" and e.needs <= model.offers]


def maps(model: Any, method: str, raws: list[Any], targets: list[Any], **options: Any) -> Iterator[np.ndarray | None]:
    """The map of each input; None where the method refuses it."""
    for raw, target in zip(raws, targets, strict=True):
        try:
            yield backends.run(model, method, raw, target=target, **options).arrays["attribution"]
        except backends.Refused:
            yield None


def hit(found: np.ndarray, mask: np.ndarray) -> bool:
    """Whether the map points into the mask: at its largest value, or the middle of the square that shares it."""
    row, column = np.argwhere(found == found.max()).mean(0).round().astype(int)
    return bool(mask[row, column])


def films(name: str, model: Any, method: str, n: int, **options: Any) -> dict[str, Any]:
    """Pointing at lesion (and tag) on `n` films that have one."""
    from backends.bundled.data.radiograph import FAINT, LABELS, PLAIN, phantoms

    shortcut = name == "radiograph-shortcut"
    tag, strength = ("agree", FAINT) if shortcut else ("random", PLAIN)
    made = phantoms(991, n, tag=tag, strength=strength, labels=np.ones(n))
    raws = [{"image": image} for image in made.rgb]
    found = list(maps(model, method, raws, [LABELS[1]] * n, **options))
    kept = [(f, lesion, tag) for f, lesion, tag in zip(found, made.lesions, made.tags, strict=True) if f is not None]
    line = {"refused": (n - len(kept)) / n}
    if not kept:
        return line
    line |= {"pointing": np.mean([hit(f, m) for f, m, _ in kept]), "chance": np.mean([m.mean() for _, m, _ in kept])}
    if shortcut:
        line |= {"tag": np.mean([hit(f, t) for f, _, t in kept]), "tag_chance": np.mean([t.mean() for *_, t in kept])}
    return line


def rationales(model: Any, method: str, n: int, **options: Any) -> dict[str, Any]:
    """Top words against the words that decide, on `n` notes never trained on."""
    from backends.bundled.data.triage import notes

    made = notes(991, n, "test")
    scores: list[tuple[float, float, float]] = []
    raws, labels = [{"text": note.text} for note in made], [note.label for note in made]
    for note, found in zip(made, maps(model, method, raws, labels, **options), strict=True):
        if found is None:
            continue
        batch = model.encode(note.text)
        free = ~batch.special
        decides = np.array([any(a < end and start < b for a, b in note.rationale) for start, end in batch.spans]) & free
        order = np.argsort(-np.where(free, found, -np.inf))
        k = int(decides.sum())
        scores.append((float(decides[order[0]]), float(decides[order[:k]].mean()), k / free.sum()))
    line = {"refused": (n - len(scores)) / n}
    return line | dict(zip(("top_1", "precision", "chance"), np.mean(scores, 0), strict=True)) if scores else line


def case(name: str, model: Any, method: str, n: int, **options: Any) -> dict[str, Any]:
    """One line."""
    start = time.perf_counter()
    found = rationales(model, method, n, **options) if name == "triage" else films(name, model, method, n, **options)
    seconds = (time.perf_counter() - start) / n
    numbers = {key: round(float(value), 4) for key, value in found.items()}
    return {"case": name, "method": method, **options, "n": n, **numbers, "seconds_per_map": round(seconds, 4)}


def main() -> None:
    """Print one line for each model and method."""
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    there = {card["name"].removeprefix("bundled/") for card in backends.catalog.bundled()}
    for name in sys.argv[2:] or ("radiograph", "radiograph-vit", "radiograph-shortcut", "triage"):
        if name not in there:
            print(json.dumps({"case": name, "missing": "train the bundled models first"}))
            continue
        model = backends.open_model(f"bundled/{name}")
        for method in offered(model):
            print(json.dumps(case(name, model, method, n)), flush=True)


if __name__ == "__main__":
    main()
