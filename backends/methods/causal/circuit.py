"""A circuit: do these few heads do the whole work, and does each of them?"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from backends.errors import Refused
from backends.hooks.partial_forward import Base, Place, Row
from backends.methods.base import Cost, Method, Size, Step, no_step, option
from backends.methods.causal import base
from backends.methods.causal.head_ablation import ablations
from backends.methods.causal.path_patching import PathPatching, run_receivers
from backends.results import Result

if TYPE_CHECKING:
    from torch import Tensor

    from backends.hooks.recording import Edit
    from backends.models.base import Batch, Model, Target

Head = tuple[int, int]
Heads = frozenset[Head]
FORMAT = "vitrine-circuit"
"""What marks a circuit's JSON."""


@dataclass(frozen=True)
class Circuit(Method):
    """Do these few heads do the whole work, and does each of them?

    F(S) is the watched number with every head outside S replaced. `faithfulness` is the share of F(all) - F(none) that
    the circuit C gives by itself. `completeness` (subset, side) has F(C without K) and F(all without K): a complete
    circuit falls as the network does, whatever K is taken away. `minimality` (member) is the most that one member
    changes F(C without K), as a share. `effect` (layer, head) is each head replaced alone, in the number's unit.
    Without `heads` the circuit is every head whose own effect is at least `threshold`. With two inputs, `edge` (member,
    receiver) is the share of the difference that each restores through another's inputs, or in the answer directly.
    """

    needs: ClassVar = frozenset({"answer", "residual", "heads", "gradient"})
    question: ClassVar = "causal"
    view: ClassVar = "circuit"
    order: ClassVar = 10
    uses_pair: ClassVar = True
    pair_options: ClassVar = {"ablation": "resample"}
    title: ClassVar = "Circuit of heads"
    source: ClassVar = "Wang et al. 2022, Interpretability in the wild, section 4, eq. 1 to 3"
    cheap: ClassVar = {"subsets": 2}

    heads: tuple[str, ...] = option((), "the circuit's heads, as layer.head; none: those of large effect")
    ablation: str = option("mean", base.ABLATION, choices=base.ABLATIONS)
    threshold: float = option(0.1, "least effect of a chosen head, as a share of all heads' effect", low=0, high=1)
    subsets: int = option(10, "random subsets for completeness and minimality", low=0, high=200)
    seed: int = option(0, "seed of the subsets", low=0)
    metric: str = base.metric_option()

    def cost(self, size: Size) -> Cost:
        """One forward a head, and one for each subset with and without each member; how many those are shows later."""
        members = len(self.heads) or 4
        own = base.estimate_sweep(size, size.heads)
        return dataclasses.replace(own, forwards=own.forwards + (self.subsets + members) * (2 + members), most=4)

    def __call__(self, model: Model, batch: Batch, target: Target, step: Step = no_step) -> Result:
        base.require_other(self.ablation, batch)
        watch = base.WatchedMetric(model, batch, target, self.metric, "", step)
        watch.require("heads")
        asked = base.parse_heads(self.heads, watch.sites)
        known = watch.run_base(batch, heads=True)
        other = watch.run_base(batch.corrupted, heads=True) if batch.corrupted and self.ablation != "zero" else None
        clean = watch.measure_base(known)
        rows, places, effect = ablations(watch, known, other, self.ablation)
        watch.sweep(rows, known, batch, on_rows=base.announce(step, 0, 0.4, effect, places, lambda m: m - clean))
        worth = _Worth(watch, known, other, self.ablation)
        whole = worth.all
        (none,) = worth.of([whole])
        span = (clean - none) or 1.0
        chosen = asked or self._chosen(watch, effect, abs(span))
        figures = self._figures(worth, chosen, clean, none, span)
        edges = self._edges(model, batch, target, chosen) if batch.corrupted is not None else {}
        return self._result(watch, chosen, effect, {**figures, **edges}, clean, none)

    @staticmethod
    def replayed(written: Mapping[str, Any]) -> dict[str, Any]:
        """The options that replay a circuit from its JSON. Raises `Refused`."""
        return options(written)

    def _chosen(self, watch: base.WatchedMetric, effect: np.ndarray, span: float) -> tuple[Head, ...]:
        """The heads of large effect, at least one."""
        size = np.abs(effect)
        large = np.argwhere(size >= min(self.threshold * span, size.max()))
        return tuple((watch.sites.layers[index], int(head)) for index, head in large)

    def _figures(self, worth: _Worth, chosen: Sequence[Head], clean: float, none: float, span: float) -> dict[str, Any]:
        """The three criteria."""
        circuit, whole = frozenset(chosen), worth.all
        chance = np.random.default_rng(self.seed)
        drawn = [frozenset(h for h in chosen if chance.random() < 0.5) for _ in range(self.subsets)]
        subsets = list(dict.fromkeys([frozenset[Head](), *(frozenset({h}) for h in chosen), *drawn, circuit]))
        without = [whole - (circuit - k) for k in subsets]  # what is replaced in C without K
        pairs = np.array([worth.of(without), worth.of(subsets)], np.float32).T
        smaller = [[whole - (circuit - k - {h}) for k in subsets] for h in chosen]
        changes = [np.abs(np.array(worth.of(own)) - pairs[:, 0]) for own in smaller]
        return {
            "completeness": pairs,
            "minimality": np.array([change.max() / abs(span) for change in changes], np.float32),
            "faithfulness": float((pairs[0, 0] - none) / span),
            "completeness_gap": float(np.abs(pairs[:, 0] - pairs[:, 1]).max() / abs(span)),
            "subsets": [sorted(f"{a}.{b}" for a, b in k) for k in subsets],
        }

    def _edges(self, model: Model, batch: Batch, target: Target, chosen: Sequence[Head]) -> dict[str, Any]:
        """Direct effects (sender, receiver) among the members and on the answer, by path patching."""
        watch = base.WatchedMetric(model, batch, target, self.metric, "", no_step)
        contrast = base.Contrast(watch, {"heads": True})
        rows, places, heard = PathPatching().senders(watch, contrast, tuple(chosen), {}, set(chosen), True)
        sides = contrast.corrupted, contrast.corrupted_batch
        edge = np.zeros((len(chosen), len(chosen) + 1), np.float32)
        members = [chosen.index((watch.sites.layers[index], head)) for index, head in places]
        edge[members, -1] = contrast.share(watch.sweep(rows, *sides))
        ends = [(a, b, {chosen[b]: own[chosen[b]]}) for a, own in zip(members, heard, strict=True)
                for b in range(len(chosen)) if chosen[b] in own and chosen[b][0] > chosen[a][0]]  # fmt: skip
        shares = contrast.share(watch.sweep([run_receivers(own) for _, _, own in ends], *sides))
        for (a, b, _), share in zip(ends, shares, strict=True):
            edge[a, b] = share
        return {"edge": edge}

    def _result(
        self, watch: base.WatchedMetric, chosen: Sequence[Head], effect: np.ndarray, figures: Mapping[str, Any],
        clean: float, none: float,
    ) -> Result:  # fmt: skip
        names = [f"{layer}.{head}" for layer, head in chosen]
        arrays = {"effect": effect, "completeness": figures["completeness"], "minimality": figures["minimality"]}
        axes: dict[str, tuple[str, ...]] = {
            "effect": ("layer", "head"), "completeness": ("subset", "side"), "minimality": ("member",)
        }  # fmt: skip
        if "edge" in figures:
            arrays["edge"], axes["edge"] = figures["edge"], ("member", "receiver")
        asked = {"model": watch.model.name, "revision": watch.model.revision, "target": watch.target.words}
        written = {"format": FORMAT, **asked, "heads": names, "ablation": self.ablation, "metric": self.metric}
        facts = {name: figures[name] for name in ("faithfulness", "completeness_gap", "subsets")}
        return base.make_result(
            watch, "circuit", arrays, axes,
            {"layer": watch.sites.layers, "head": range(watch.sites.heads), "member": names,
             "receiver": [*names, "answer"], "side": ("circuit", "network"),
             "subset": [", ".join(own) or "nothing" for own in figures["subsets"]]},
            watch.unit,
            {"clean": clean, "none": none, "unit": watch.unit, "metric": self.metric, "ablation": self.ablation,
             **facts, "minimality_least": float(figures["minimality"].min()), "circuit": written},
        )  # fmt: skip


@dataclass
class _Worth:
    """F: the watched number with some heads replaced, each set computed once."""

    watch: base.WatchedMetric
    known: Base
    other: Base | None
    kind: str

    def __post_init__(self) -> None:
        self._found: dict[Heads, float] = {frozenset(): self.watch.measure_base(self.known)}

    @property
    def all(self) -> Heads:
        """Every head of the network."""
        return frozenset((layer, head) for layer in self.watch.sites.layers for head in range(self.watch.sites.heads))

    def of(self, replaced: Iterable[Heads]) -> list[float]:
        """The number for each set of replaced heads."""
        sets = list(replaced)
        new = [one for one in dict.fromkeys(sets) if one not in self._found]
        rows = [Row(self._edits(one)) for one in new]
        numbers = self.watch.sweep(
            rows, self.known, self.watch.batch, on_rows=lambda share, _: self.watch.step(0.4 + share / 2)
        )
        self._found |= dict(zip(new, map(float, numbers), strict=True))
        return [self._found[one] for one in sets]

    def _edits(self, replaced: Heads) -> dict[Place, Edit]:
        layers: dict[int, dict[int, Any]] = {}
        for layer, head in replaced:
            layers.setdefault(layer, {})[head] = base.compute_ablation(self.known, self.other, self.kind, layer, head)
        return {("z", layer): partial(_put, own) for layer, own in layers.items()}


def _put(own: Mapping[int, Any], tensor: Tensor) -> Tensor:
    for head, value in own.items():
        tensor[:, head] = value
    return tensor


def options(written: Mapping[str, Any]) -> dict[str, Any]:
    """The options that replay a circuit from its JSON, `facts["circuit"]` of a result. Raises `Refused`."""
    if not isinstance(written, Mapping) or written.get("format") != FORMAT or not written.get("heads"):
        raise Refused(f'this is no circuit: it must be {{"format": "{FORMAT}", "heads": ["0.1", …], …}}')
    return {name: written[name] for name in ("heads", "ablation", "metric") if name in written}


ENTRY = Circuit
