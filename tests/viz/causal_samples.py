"""Results of interventions with made-up numbers, for pictures."""

from __future__ import annotations

import numpy as np

from backends.results import Result

WORDS = ("When", " Mary", " and", " John", " went", " to")


def grid(words: tuple[str, ...] = WORDS, layers: int = 3) -> Result:
    effect = np.random.default_rng(5).normal(0, 0.1, (layers, len(words))).astype(np.float32)
    effect[0, 3] = 1.0
    return Result(
        method="activation_patching",
        arrays={"effect": effect},
        axes={"effect": ("layer", "position")},
        labels={"position": words, "layer": tuple(map(str, range(layers)))},
        unit="share of the difference restored",
        signed=True,
        target=" Mary rather than  John",
        facts={"clean": 7.9, "corrupted": -6.2, "metric_unit": "logit", "site": "residual"},
        request={"model": "bundled/names"},
    )


def logit_attribution(words: tuple[str, ...] = WORDS) -> Result:
    names = ("embedding", "head 0.0", "head 0.1", "mlp 0", "biases")
    parts = np.random.default_rng(6).normal(size=(len(names), len(words))).astype(np.float32)
    return Result(
        method="logit_attribution",
        arrays={"contribution": parts, "logit": parts.sum(0), "residue": np.full(len(words), 1e-6, np.float32)},
        axes={"contribution": ("component", "position"), "logit": ("position",), "residue": ("position",)},
        labels={"component": names, "position": words},
        unit="logit",
        signed=True,
        target=" Mary",
        facts={"sum_gap": 1e-6, "position": len(words) - 1},
        request={"model": "bundled/names"},
    )


def competition(words: tuple[str, ...] = WORDS) -> Result:
    logit = np.array([[0.1, 0.2, 1.0, 3.0], [0.3, 0.4, 0.5, 0.6]], np.float32)
    return Result(
        method="competition",
        arrays={"logit": logit, "difference": logit[0] - logit[1], "contribution": logit[:, :3]},
        axes={"logit": ("answer", "depth"), "difference": ("depth",), "contribution": ("answer", "component")},
        labels={
            "answer": (words[1], words[3]),
            "depth": ("input", "0 attention", "0 mlp", "1 attention"),
            "component": ("embedding", "attention 0", "mlp 0"),
        },
        unit="logit",
        signed=True,
        facts={"crossing": ["0 mlp"]},
        request={"model": "bundled/names"},
    )


def circuit(words: tuple[str, ...] = WORDS) -> Result:
    return Result(
        method="circuit",
        arrays={
            "effect": np.array([[-3.0, 0.5], [0.1, -1.0]], np.float32),
            "edge": np.array([[0, 0.6, 0.3, 0.1], [0, 0, 0, 0.02], [0, 0, 0, -0.4]], np.float32),
        },
        axes={"effect": ("layer", "head"), "edge": ("member", "receiver")},
        labels={
            "layer": ("0", "1"),
            "head": ("0", "1"),
            "member": ("0.0", "1.0", "1.1"),
            "receiver": ("0.0", "1.0", "1.1", "answer"),
        },
        unit="logit",
        signed=True,
        facts={"clean": 3.0, "unit": "logit"},
        request={"model": "bundled/names"},
    )


def statistics(words: tuple[str, ...] = WORDS) -> Result:
    rng = np.random.default_rng(7)
    return Result(
        method="head_statistics",
        arrays={"deviation": rng.random((2, 3), np.float32), "salience": rng.random((2, 3), np.float32)},
        axes={"deviation": ("layer", "head"), "salience": ("layer", "head")},
        unit="logit",
        facts={"specialization": 0.2, "focus": 0.5, "agreement": -0.1},
        request={"model": "bundled/names"},
    )


def changes(words: tuple[str, ...] = WORDS) -> Result:
    return Result(
        method="knockout",
        arrays={"effect": np.array([-1.0, 0.2, -0.9], np.float32)},
        axes={"effect": ("change",)},
        labels={"change": ("0.1.5.3", "head 0.0", "together")},
        unit="logit",
        signed=True,
        facts={"after": [{"label": words[3], "probability": 0.6}]},
        request={"model": "bundled/names"},
    )


ALL = {
    "causal_grid": grid,
    "logit_attribution": logit_attribution,
    "competition": competition,
    "circuit": circuit,
    "head_statistics": statistics,
    "changes": changes,
}
