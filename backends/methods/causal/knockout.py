"""Attention knockout: what does the answer lose when tokens cannot look at one another?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from backends.errors import Refused
from backends.hooks import partial_forward
from backends.hooks.partial_forward import Base, Place, Row
from backends.methods import token_rows
from backends.methods.base import Cost, Method, Size, Step, no_step, option
from backends.methods.causal import base
from backends.results import Result

if TYPE_CHECKING:
    from torch import Tensor

    from backends.hooks.recording import Edit
    from backends.models.base import Batch, Model, Target

Edge = tuple[Any, Any, Any, Any]
"""Layer, head, query, key; None stands for all of them."""


@dataclass(frozen=True)
class Knockout(Method):
    """What does the answer lose when tokens cannot look at one another?

    The attention on some edges is multiplied by `alpha` before each row is normalised again (log alpha is added to the
    score; 0 is minus infinity: the edge is cut). Without `edges` the answer's token stops looking at one token after
    another in every head of a window of layers: `effect` (layer, position). With edges as layer.head.query.key, `*`
    for all, and `heads` to be set to zero, `effect` (change) is that of each alone and of all together, and
    `after` is what the network then answers; with `tokens`, `continued` is how it goes on without and with the changes.
    It is the watched number minus the number as it is, in its unit.
    """

    needs: ClassVar = frozenset({"answer", "residual", "heads", "attention", "gradient"})
    question: ClassVar = "causal"
    view: ClassVar = "grid"
    order: ClassVar = 60
    title: ClassVar = "Attention knockout"
    source: ClassVar = "Geva et al. 2023, Dissecting recall of factual associations, section 4"

    edges: tuple[str, ...] = option((), "edges as layer.head.query.key, * for all; none: each token in turn")
    heads: tuple[str, ...] = option((), "heads set to zero as well, as layer.head")
    alpha: float = option(0.0, "by what the attention on the edges is multiplied; 0 cuts them", low=0, high=1000)
    window: int = option(1, "layers in which a token is hidden together, around each layer", low=1, high=200)
    tokens: int = option(0, "tokens that a model which continues texts adds under the chosen changes", low=0, high=64)
    metric: str = base.metric_option()

    def cost(self, size: Size) -> Cost:
        """One forward a layer and token, from that layer on; of chosen changes one each, and one for each new token."""
        if not (self.edges or self.heads):
            return base.estimate_sweep(size, size.tokens + 1, inputs=1)
        return Cost(forwards=len(self.edges) + len(self.heads) + 5 + 2 * self.tokens)

    def __call__(self, model: Model, batch: Batch, target: Target, step: Step = no_step) -> Result:
        watch = base.WatchedMetric(model, batch, target, self.metric, "", step)
        watch.require("heads")
        known = watch.run_base(batch)
        return self._chosen(watch, known) if self.edges or self.heads else self._grid(watch, known)

    def _grid(self, watch: base.WatchedMetric, known: Base) -> Result:
        """Each token hidden from the answer's, by layer."""
        import torch

        layers, length = watch.sites.layers, known.states[0].shape[1]
        if length < 2:
            raise Refused("the input has one token, which can look at nothing else; give a longer one")
        weights = token_rows.weigh_start(watch.model, watch.batch, length, "next_token" in watch.model.offers)
        queries = torch.nonzero(weights)[:, 0].tolist()
        rows, places = [], []
        for index, _ in enumerate(layers):
            first = max(index - (self.window - 1) // 2, 0)
            window = layers[first : index + self.window // 2 + 1]
            for position in (None, *range(length)):  # None changes nothing: the same sums without the edge cut
                edges = [] if position is None else [(None, query, position) for query in queries]
                rows.append(Row({("scores", layer): partial(_add_bias, edges, self.alpha) for layer in window}))
                places.append((index, length if position is None else position))
        grid = np.full((len(layers), length + 1), np.nan, np.float32)
        on_rows = base.announce(watch.step, 0, 1, grid, places, unit="so far; in its unit when whole")
        watch.sweep(rows, known, watch.batch, on_rows=on_rows)
        effect = grid[:, :length] - grid[:, length:]
        names = base.name_positions(watch, length)
        return self._result(watch, known, {"effect": effect}, {"effect": ("layer", "position")},
                            {"layer": layers, "position": names}, {"queries": queries})  # fmt: skip

    def _chosen(self, watch: base.WatchedMetric, known: Base) -> Result:
        """The edges and heads that were asked for, each alone and all together."""
        length = known.states[0].shape[1]
        edges = [parse_edge(text, watch.sites, length) for text in self.edges]
        heads = base.parse_heads(self.heads, watch.sites)
        _check_something_left(edges, length, self.alpha)
        single = [make_edits(watch.sites, [edge], (), self.alpha) for edge in edges]
        single += [make_edits(watch.sites, (), [head], self.alpha) for head in heads]
        both = make_edits(watch.sites, edges, heads, self.alpha)
        same = make_edits(watch.sites, edges, (), 1.0)  # the same sums with nothing cut
        numbers = watch.sweep([Row(edits) for edits in (*single, both, same)], known, watch.batch)
        names = [*self.edges, *(f"head {layer}.{head}" for layer, head in heads), "together"]
        return self._result(
            watch, known, {"effect": numbers[:-1] - numbers[-1]}, {"effect": ("change",)}, {"change": names},
            {"after": base.predict_answers(watch, Row(both), known), "together": float(numbers[-2] - numbers[-1]),
             "compared": base.compare_answers(watch, Row(both), known),
             **self._continued(watch, both)},
        )  # fmt: skip

    def _continued(self, watch: base.WatchedMetric, edits: dict[Place, Edit]) -> dict[str, Any]:
        """The most probable continuation as the network is, and with the changes."""
        if not self.tokens or "generation" not in watch.model.offers:
            return {}
        return {"continued": [continue_text(watch, own, self.tokens) for own in ({}, edits)]}

    def _result(
        self, watch: base.WatchedMetric, known: Base, arrays: dict[str, np.ndarray], axes: dict[str, tuple[str, ...]],
        labels: dict[str, Sequence[Any]], facts: dict[str, Any],
    ) -> Result:  # fmt: skip
        about = {
            "clean": watch.measure_base(known),
            "metric": self.metric,
            "metric_unit": watch.unit,
            "alpha": self.alpha,
        }
        return base.make_result(watch, "knockout", arrays, axes, labels, watch.unit, {**about, **facts})


def continue_text(watch: base.WatchedMetric, edits: dict[Place, Edit], most: int) -> str:
    """What the network adds to the text, its most probable token each time, with the changes at every step."""
    import torch

    model: Any = watch.model
    written, batch = model.written, watch.batch
    ids = batch.inputs[written.argument][0].tolist()
    start = len(ids)
    for done in range(most):
        watch.step(done / most)
        if model.longest and len(ids) >= model.longest:
            break
        grown = model.encode({**batch.raw, written.ids: ids[written.skipped :]}) if done else batch
        with model.lock, torch.no_grad():
            run = partial(model.outputs, model.features(grown), grown)
            logits = partial_forward.replay(model.module, watch.sites, Base([]), [Row(edits)], run, exact=False)
        token = int(logits[0].argmax())
        if token in model.ends:
            break
        ids.append(token)
    return str(model.spelled(ids, start)[0])


def parse_edge(text: str, sites: Any, length: int) -> Edge:
    """ "layer.head.query.key" as numbers, None for `*`. Raises `Refused`."""
    parts = str(text).strip().split(".")
    if len(parts) != 4 or not all(part == "*" or part.isdigit() for part in parts):
        raise Refused(f"an edge is given as layer.head.query.key, * for all, such as 2.1.13.3, not {str(text)[:40]!r}")
    found = tuple(None if part == "*" else int(part) for part in parts)
    limits = (len(sites.block), sites.heads, length, length)
    for noun, number, limit in zip(("layer", "head", "query", "key"), found, limits, strict=True):
        if number is not None and (number >= limit or (noun == "layer" and number not in sites.layers)):
            raise Refused(f"edge {str(text)[:40]!r}: there is no {noun} {number}; there are {limit}, counted from 0")
    return found  # type: ignore[return-value] # four of them


def make_edits(sites: Any, edges: Sequence[Edge], heads: Sequence[tuple[int, int]], alpha: float) -> dict[Place, Edit]:
    """The edits that change some edges and set some heads to zero."""
    found: dict[Place, Edit] = {}
    for layer in sites.layers:
        own = [edge[1:] for edge in edges if edge[0] in (None, layer)]
        if own:
            found[("scores", layer)] = partial(_add_bias, own, alpha)
        off = [head for at, head in heads if at == layer]
        if off:
            found[("z", layer)] = partial(_off, off)
    return found


def _add_bias(edges: Sequence[tuple[Any, Any, Any]], alpha: float, scores: Tensor) -> Tensor:
    """log alpha on some edges (head, query, key) of zeros (H, Tq, Tk)."""
    import torch

    amount = math.log(alpha) if alpha > 0 else torch.finfo(scores.dtype).min
    for edge in edges:
        scores[tuple(slice(None) if i is None else i for i in edge)] = amount
    return scores


def _off(heads: Sequence[int], tensor: Tensor) -> Tensor:
    tensor[:, list(heads)] = 0
    return tensor


def _check_something_left(edges: Sequence[Edge], length: int, alpha: float) -> None:
    """Raises `Refused` where a query would have nothing left to look at."""
    if alpha > 0:
        return
    for layer, head, query, key in edges:
        cut = {k for a, b, c, k in edges if _meet(a, layer) and _meet(b, head) and _meet(c, query)}
        if None in cut or (query is not None and cut >= set(range(query + 1))) or cut >= set(range(length)):
            raise Refused(
                "these edges leave a token nothing to look at, and attention must go somewhere: keep one of its keys, "
                "or set the head to zero instead"
            )
        if query is None and key == 0:
            raise Refused("the first token may have only itself to look at: name the queries that shall not see it")


def _meet(a: Any, b: Any) -> bool:
    return a is None or b is None or a == b


ENTRY = Knockout
