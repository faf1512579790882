"""Results as the methods make them, small and seeded, for the pictures' tests."""

from __future__ import annotations

import numpy as np

from backends.results import Result
from tests.viz import causal_samples

NASTY = ("<img src=x onerror=alert(1)>", "<b>bold</b>", '<a href="https://example.org">a</a>', "%{z}", "&lt;")
SENTENCE = "There is no fever but severe chest pain"


def _softmax(x: np.ndarray) -> np.ndarray:
    e = np.exp(x - x.max(-1, keepdims=True))
    return (e / e.sum(-1, keepdims=True)).astype(np.float32)


def attention(words: tuple[str, ...] = tuple(SENTENCE.split()), layers: int = 3, heads: int = 4) -> Result:
    size = len(words)
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(layers, heads, size, size)) * 2
    scores[..., 0] += 3
    scores += np.where(np.tril(np.ones((size, size))), 0, -np.inf)
    pattern = _softmax(scores)
    entropy = -(pattern * np.log(pattern + 1e-9)).sum(-1).mean(-1)
    span = np.zeros((size, 2), np.int32)
    axes = {
        "pattern": ("layer", "head", "query", "key"),
        "entropy": ("all_layer", "all_head"),
        "to_first": ("all_layer", "all_head"),
    }
    labels = {"query": words, "key": words, "token": words}
    labels |= dict.fromkeys(("layer", "all_layer"), tuple(map(str, range(layers))))
    labels |= dict.fromkeys(("head", "all_head"), tuple(map(str, range(heads))))
    return Result(
        method="attention",
        arrays={
            "pattern": pattern,
            "entropy": entropy.astype(np.float32),
            "to_first": pattern[..., 0].mean(-1),
            "span": span,
        },
        axes=axes | {"span": ("token", "edge")},
        labels=labels,
        unit="probability",
        request={"model": "bundled/names"},
    )


def text_attribution(words: tuple[str, ...] = tuple(SENTENCE.split()), signed: bool = True) -> Result:
    text = " ".join(words)
    tokens, spans, at = ["[CLS]"], [(0, 0)], 0
    for word in words:
        tokens.append(word)
        spans.append((at, at + len(word)))
        at += len(word) + 1
    values = np.random.default_rng(1).normal(size=len(tokens)).astype(np.float32)
    return Result(
        method="integrated_gradients",
        arrays={"attribution": values if signed else np.abs(values), "span": np.array(spans, np.int32)},
        axes={"attribution": ("token",), "span": ("token", "edge")},
        labels={"token": tuple(tokens)},
        unit="logit",
        signed=signed,
        target="urgent",
        facts={
            "text": text,
            "completeness_gap": 0.012,
            "prediction": [{"label": "urgent", "probability": 0.93}, {"label": "routine", "probability": 0.07}],
        },
        request={"model": "bundled/triage", "revision": "1", "options": {"steps": 32, "baseline": "mask"}},
    )


def image_attribution(size: int = 64, signed: bool = True) -> Result:
    y, x = np.mgrid[:size, :size] / size
    chest = 40 + 150 * np.exp(-(((x - 0.3) / 0.16) ** 2 + ((y - 0.5) / 0.33) ** 2))
    chest += 150 * np.exp(-(((x - 0.7) / 0.16) ** 2 + ((y - 0.5) / 0.33) ** 2))
    image = np.clip(255 - chest, 0, 255).astype(np.uint8)
    blob = np.exp(-(((x - 0.68) / 0.08) ** 2 + ((y - 0.4) / 0.08) ** 2))
    values = blob - 0.4 * np.exp(-(((x - 0.3) / 0.1) ** 2 + ((y - 0.65) / 0.1) ** 2))
    values = (values + np.random.default_rng(2).normal(size=values.shape) * 0.03).astype(np.float32)
    return Result(
        method="occlusion",
        arrays={
            "attribution": values if signed else np.abs(values),
            "image": np.repeat(image[..., None], 3, axis=2),
        },
        axes={"attribution": ("height", "width"), "image": ("height", "width", "channel")},
        unit="logit",
        signed=signed,
        target="nodule",
        facts={"prediction": [{"label": "nodule", "probability": 0.98}]},
        request={"model": "bundled/radiograph", "options": {"size": 8}},
    )


def truth(size: int = 64) -> np.ndarray:
    y, x = np.mgrid[:size, :size] / size
    return ((x - 0.68) ** 2 + (y - 0.4) ** 2) < 0.09**2


def lens(words: tuple[str, ...] = ("When", " Mary", " and", " John", " went", " to"), layers: int = 4) -> Result:
    k, vocabulary = 5, (" Mary", " John", " store", " the", "\n", " gave", " drink", " her")
    rng = np.random.default_rng(3)
    logits = rng.normal(size=(layers, len(words), len(vocabulary))) * np.linspace(0.5, 4, layers)[:, None, None]
    p = _softmax(logits)
    order = np.argsort(-p, axis=-1)[..., :k]
    entropy = -(p * np.log(p)).sum(-1)
    kl = (p[-1] * (np.log(p[-1]) - np.log(p))).sum(-1)
    lp = ("layer", "position")
    return Result(
        method="logit_lens",
        arrays={
            "probability": np.take_along_axis(p, order, -1),
            "rank": np.broadcast_to(np.arange(1, k + 1, dtype=np.int32), order.shape).copy(),
            "token": order.astype(np.int32),
            "entropy": entropy.astype(np.float32),
            "kl": kl.astype(np.float32),
            "target_rank": (np.argsort(np.argsort(-p, -1), -1)[..., 0] + 1).astype(np.int32),
            "target_probability": p[..., 0],
        },
        axes={"probability": (*lp, "k"), "rank": (*lp, "k"), "token": (*lp, "k"), "entropy": lp, "kl": lp}
        | {"target_rank": lp, "target_probability": lp},
        labels={"position": words, "layer": tuple(map(str, range(layers)))},
        unit="probability",
        target=" Mary",
        facts={"strings": {str(i): s for i, s in enumerate(vocabulary)}},
        request={"model": "bundled/names"},
    )


def trajectory(words: tuple[str, ...] = ("When", " Mary", " and", " John", " went", " to"), layers: int = 5) -> Result:
    rng = np.random.default_rng(4)
    states = rng.normal(size=(layers, len(words), 16)).cumsum(0).astype(np.float32)
    states[:, 0] *= 6
    flat = states.reshape(layers, -1)
    unit = flat / np.linalg.norm(flat, axis=1, keepdims=True)
    return Result(
        method="residual_trajectory",
        arrays={
            "path": states[..., :3],
            "similarity": unit @ unit.T,
            "norm": np.linalg.norm(states, axis=-1),
        },
        axes={
            "path": ("layer", "position", "component"),
            "similarity": ("layer", "layer"),
            "norm": ("layer", "position"),
        },
        labels={"position": words, "layer": tuple(map(str, range(layers)))},
        unit="activation",
        facts={"explained": [0.62, 0.2, 0.1]},
        request={"model": "bundled/names"},
    )


def parts(words: tuple[str, ...] = tuple(SENTENCE.split()), squares: bool = False) -> Result:
    size = 16 if squares else len(words)
    effect = np.linspace(-1, 3, size).astype(np.float32)
    arrays = {
        "effect": effect, "low": effect - 0.5, "high": effect + 0.5, "p": np.linspace(1, 0, size, dtype=np.float32),
        "found": (effect > 2).astype(np.uint8),
    }  # fmt: skip
    axes: dict[str, tuple[str, ...]] = dict.fromkeys(arrays, ("part",))
    text = " ".join(words)
    if squares:
        row, column = np.divmod(np.arange(16), 4)
        arrays["box"] = (np.stack([column, row, column + 1, row + 1], 1) / 4).astype(np.float32)
        arrays["image"] = np.full((8, 8, 3), 90, np.uint8)
        axes |= {"box": ("part", "edge"), "image": ("height", "width", "channel")}
        words = tuple(f"row {r + 1}, column {c + 1}" for r, c in zip(row, column, strict=True))
    else:
        ends = np.cumsum([len(w) + 1 for w in words]) - 1
        arrays["span"] = np.stack([ends - [len(w) for w in words], ends], 1).astype(np.int32)
        axes["span"] = ("part", "edge")
    facts = {"text": "" if squares else text, "least": 0.2, "trials": 96, "rate": 0.1, "replacement": "mask",
             "forwards": 90, "seconds": 0.4, "probability": 0.97, "score": 3.0}  # fmt: skip
    return Result("parts", arrays, axes, {"part": words}, "logit", True, "urgent", facts, {"model": "bundled/triage"})


ALL = {
    "parts": parts,
    "attention": attention,
    "text_attribution": text_attribution,
    "image_attribution": image_attribution,
    "lens": lens,
    "trajectory": trajectory,
    **causal_samples.ALL,
}
