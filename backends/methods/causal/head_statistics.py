"""Head statistics: does attention that looks important matter?"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from backends.methods import token_rows
from backends.methods.base import Cost, Method, Size, Step, no_step, option
from backends.methods.causal import base
from backends.methods.causal.head_ablation import ablations
from backends.results import Result

if TYPE_CHECKING:
    from backends.models.base import Batch, Model, Target


@dataclass(frozen=True)
class HeadStatistics(Method):
    """Does attention that looks important matter?

    `deviation` (layer, head) is how far the watched number moves when the head is replaced, without its sign, in its
    unit. `salience` (layer, head) is how sharply the head looks from the answer's token: 1 minus the entropy of that
    row over its largest possible, 1 for one token only. `weight` (layer, head, position) is that row.
    `specialization` is the deviation's spread (standard deviation) over heads, `focus` the mean overlap (Jaccard) of
    the tokens that the `top` heads of largest deviation look at most, `agreement` the rank correlation of salience
    and deviation.
    """

    needs: ClassVar = frozenset({"answer", "residual", "heads", "attention", "gradient"})
    question: ClassVar = "causal"
    view: ClassVar = "heads"
    order: ClassVar = 10
    uses_pair: ClassVar = True
    title: ClassVar = "Head statistics"
    source: ClassVar = "Chakraborty & Minary 2025, DARTS-GT (arXiv 2510.14336): head deviation, specialization, focus"

    ablation: str = option("mean", base.ABLATION, choices=base.ABLATIONS)
    top: int = option(3, "heads and tokens that focus compares", low=1, high=50)
    metric: str = base.metric_option()

    def cost(self, size: Size) -> Cost:
        """One forward a head, from its layer on."""
        return base.estimate_sweep(size, size.heads)

    def __call__(self, model: Model, batch: Batch, target: Target, step: Step = no_step) -> Result:
        base.require_other(self.ablation, batch)
        watch = base.WatchedMetric(model, batch, target, self.metric, "", step)
        watch.require("heads")
        known = watch.run_base(batch, heads=True, patterns=watch.sites.layers)
        other = watch.run_base(batch.corrupted, heads=True) if batch.corrupted and self.ablation != "zero" else None
        clean = watch.measure_base(known)
        rows, places, effect = ablations(watch, known, other, self.ablation)
        watch.sweep(rows, known, batch, on_rows=base.announce(step, 0, 1, effect, places, lambda m: m - clean))
        deviation, weight = np.abs(effect), self._rows(watch, known)
        salience = measure_sharpness(weight)
        length = weight.shape[-1]
        axes = ("layer", "head")
        return base.make_result(
            watch, "head_statistics",
            {"deviation": deviation, "salience": salience, "effect": effect, "weight": weight},
            {"deviation": axes, "salience": axes, "effect": axes, "weight": (*axes, "position")},
            {"layer": watch.sites.layers, "head": range(watch.sites.heads),
             "position": base.name_positions(watch, length)},
            watch.unit,
            {"clean": clean, "unit": watch.unit, "metric": self.metric, "ablation": self.ablation,
             "specialization": float(deviation.std()), "focus": measure_focus(deviation, weight, self.top),
             "agreement": correlate_ranks(salience, deviation)},
            signed=False,
        )  # fmt: skip

    def _rows(self, watch: base.WatchedMetric, known: base.Base) -> np.ndarray:
        """The answer's row of every head's pattern (layer, head, position), the mean where there are several."""
        import torch

        patterns = known.recording.patterns  # type: ignore[union-attr] # this method asks for them
        stacked = torch.stack([patterns[layer][0] for layer in watch.sites.layers])  # (L, H, T, T)
        weights = token_rows.weigh_start(watch.model, watch.batch, stacked.shape[2], "next_token" in watch.model.offers)
        weights = (weights / weights.sum()).to(stacked)
        return torch.einsum("lhqk,q->lhk", stacked, weights).float().cpu().numpy()


def measure_sharpness(weight: np.ndarray) -> np.ndarray:
    """1 minus entropy over its largest value, of rows (…, position)."""
    rows = weight / np.clip(weight.sum(-1, keepdims=True), 1e-12, None)
    entropy = -(rows * np.log(np.clip(rows, 1e-12, None))).sum(-1)
    return (1 - entropy / np.log(max(weight.shape[-1], 2))).astype(np.float32)


def measure_focus(deviation: np.ndarray, weight: np.ndarray, top: int) -> float | None:
    """Mean Jaccard overlap of the most looked at tokens of the heads that matter most; None with a single head."""
    heads = np.argsort(-deviation.ravel(), kind="stable")[:top]
    flat = weight.reshape(-1, weight.shape[-1])
    seen = [set(np.argsort(-flat[head], kind="stable")[:top].tolist()) for head in heads]
    pairs = [len(a & b) / len(a | b) for a, b in combinations(seen, 2)]
    return float(np.mean(pairs)) if pairs else None


def correlate_ranks(a: np.ndarray, b: np.ndarray) -> float | None:
    """Spearman's rank correlation; None where one of them is flat."""
    from scipy.stats import rankdata

    if min(np.ptp(a), np.ptp(b)) == 0:
        return None
    return float(np.corrcoef(rankdata(a), rankdata(b))[0, 1])


ENTRY = HeadStatistics
