"""Integrated gradients that spends its gradients where the path bends, until every stretch adds up."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import torch
from captum.attr import IntegratedGradients
from captum.log import log_usage
from torch import Tensor

from backends.methods.attribution.scoring import Scoring
from backends.models import batching

NODE = 3**-0.5
"""The two nodes of Gauss–Legendre on [-1, 1]; both have weight 1."""


class Adaptive(IntegratedGradients):
    """Integrated gradients by local completeness, with the arguments of captum's.

    The integral over a stretch of the path from baseline to input is known from two forwards:
    f(end) − f(start). So the error ε of each stretch is known, and only stretches with a share of it are
    halved, until Σ|ε| is at most `tolerance` of |Δf|. Errors of different stretches cannot cancel. Afterwards
    `local_gap` is what is left (the worst of several calls), `ends` the two values f(baseline), f(input).
    """

    def __init__(self, scoring: Scoring, tolerance: float, most: int, start: int = 4) -> None:
        super().__init__(scoring)
        self.scoring, self.tolerance, self.most, self.start = scoring, tolerance, most, start
        self.local_gap = 0.0
        self.ends = (0.0, 0.0)

    @log_usage()
    def attribute(self, inputs: Tensor, baselines: Tensor | tuple[Tensor]) -> Tensor:
        """The attribution with channels or embedding dimensions summed: (1, T, 1) or (1, 1, H, W)."""
        baselines = baselines[0] if isinstance(baselines, tuple) else baselines  # as NoiseTunnel hands it on
        path = (inputs - baselines).detach()
        edges = torch.linspace(0, 1, self.start + 1, dtype=torch.double).tolist()
        f = dict(zip(edges, self._values(baselines, path, edges), strict=True))
        self.ends = f[0.0], f[1.0]
        change = max(abs(f[1.0] - f[0.0]), 1e-9)
        fresh, done, spent = list(pairwise(edges)), {}, 0
        while True:
            for stretch, part in zip(fresh, self._stretches(baselines, path, fresh), strict=True):
                done[stretch] = part, f[stretch[1]] - f[stretch[0]] - float(part.sum())
            spent += 2 * len(fresh)
            errors = {stretch: abs(error) for stretch, (_, error) in done.items()}
            gap = sum(errors.values()) / change
            room = (self.most - spent) // 4
            if gap <= self.tolerance or room < 1:
                self.local_gap = max(self.local_gap, gap)
                return torch.stack([part for part, _ in done.values()]).sum(0)
            bent = [s for s in errors if errors[s] > self.tolerance * change / len(errors)]
            bent = sorted(bent, key=errors.__getitem__, reverse=True)[:room]
            middles = [(a + b) / 2 for a, b in bent]
            f |= dict(zip(middles, self._values(baselines, path, middles), strict=True))
            fresh = [half for (a, b), m in zip(bent, middles, strict=True) for half in ((a, m), (m, b))]
            for stretch in bent:
                del done[stretch]

    def _points(self, baselines: Tensor, path: Tensor, alphas: list[float]) -> Tensor:
        shares = torch.tensor(alphas, dtype=path.dtype, device=path.device)
        return baselines + shares.view(-1, *[1] * (path.ndim - 1)) * path  # (N, …)

    def _values(self, baselines: Tensor, path: Tensor, alphas: list[float]) -> list[float]:
        return self.scoring.value(self._points(baselines, path, alphas)).double().tolist()

    def _stretches(self, baselines: Tensor, path: Tensor, stretches: list[tuple[float, float]]) -> list[Tensor]:
        """The attribution of each stretch by two-point Gauss–Legendre, channels summed."""
        nodes = [(a + b) / 2 + side * NODE * (b - a) / 2 for a, b in stretches for side in (-1, 1)]
        parts, _ = batching.run_halving(self._slopes(path), self._points(baselines, path, nodes), self.scoring.size)
        widths = path.new_tensor([b - a for a, b in stretches])
        slopes = torch.cat(parts).unflatten(0, (-1, 2)).sum(1)  # (stretch, …)
        return list((slopes * (widths / 2).view(-1, *[1] * (slopes.ndim - 1)))[:, None].unbind())

    def _slopes(self, path: Tensor) -> Callable[[Tensor], Tensor]:
        """Gradient times path of points (N, …), channels summed."""
        channels = 1 if path.ndim == 4 else -1

        def run(points: Tensor) -> Tensor:
            points = points.requires_grad_()
            with torch.enable_grad():
                gradient = torch.autograd.grad(self.scoring(points).sum(), points)[0]
            return (gradient * path).sum(channels, keepdim=True)

        return run
