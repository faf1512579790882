"""Grad-CAM beside HiResCAM on films whose lesion is known, one JSON line a network and method.

`python -m benchmarks.cams [n]`. `pointing` is the share of maps whose largest value lies on the lesion (Zhang et al.
2018), `mass inside` the mean share of what speaks for the lesion that lies on it (Wang et al. 2020); `chance` is the
lesion's mean share of the film. `alone` counts the films on which this method's map points at the lesion and the
other's does not. Only films that the network answers rightly count; the maps are those of the methods' own options.
"""

from __future__ import annotations

import json
import sys
from importlib.metadata import version

import numpy as np

import backends
from benchmarks.truth import hit

NETWORKS = "radiograph", "radiograph-vit"
METHODS = "hires_cam", "grad_cam"
SEED = 991


def mass_inside(attribution: np.ndarray, mask: np.ndarray) -> float:
    """Return the share of what speaks for the answer that lies in the mask; 0 where nothing does."""
    positive = attribution.astype(float).clip(min=0)
    return float(positive[mask].sum() / positive.sum()) if positive.any() else 0.0


def measure(name: str, n: int) -> None:
    """Print a line for each method on `n` films with a lesion."""
    from backends.bundled.data.radiograph import LABELS, phantoms

    model = backends.open_model(f"bundled/{name}")
    made = phantoms(SEED, n, tag="random", labels=np.ones(n))
    films = [
        (image, mask)
        for image, mask in zip(made.rgb, made.lesions, strict=True)
        if model.predict(model.encode({"image": image}), 1)[0].label == LABELS[1]
    ]
    points, mass = {}, {}
    for method in METHODS:
        maps = [
            backends.run(model, method, {"image": image}, target=LABELS[1]).arrays["attribution"] for image, _ in films
        ]
        points[method] = np.array([hit(found, mask) for found, (_, mask) in zip(maps, films, strict=True)])
        mass[method] = [mass_inside(found, mask) for found, (_, mask) in zip(maps, films, strict=True)]
    for method, other in zip(METHODS, reversed(METHODS), strict=True):
        alone = int((points[method] & ~points[other]).sum())
        line = {
            "case": name, "method": method, "n": len(films), "pointing": round(float(points[method].mean()), 3),
            "mass inside": round(float(np.mean(mass[method])), 3), "alone": alone,
            "chance": round(float(np.mean([mask.mean() for _, mask in films])), 3), "torch": version("torch"),
        }  # fmt: skip
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    for network in NETWORKS:
        measure(network, int(sys.argv[1]) if len(sys.argv) > 1 else 40)
