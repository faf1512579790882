"""Attention patterns: which token looks at which."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from backends.errors import Refused
from backends.hooks.attention_call import StoredAttention, iterate_rows
from backends.hooks.recording import record
from backends.methods import token_rows
from backends.methods.attention.qk_cache import cache
from backends.methods.base import Cost, Method, Size, Step, no_step, option
from backends.results import Result

if TYPE_CHECKING:
    from torch import Tensor

    from backends.models.base import Batch, Model, Target

WHOLE = 256
"""Up to this many tokens all patterns are given; beyond, the rows that are asked for."""
SQUARE = 2048
"""Up to this many tokens one head's whole pattern is given when it is asked for."""
SIDE = 24
STATISTICS = ("entropy", "distance", "to_first", "previous", "induction")


@dataclass(frozen=True)
class AttentionPattern(Method):
    """Shows how much each token (query) looks at each other token (key), in every layer and head.

    Each row is what one token gathers from the others: it sums to 1, or to less where the network has sinks.
    Attention shows where information may flow, not what decides the answer. Many heads rest on the first token when
    they have nothing to do. Special and padding tokens are included.

    Beyond 256 tokens only the last token's rows are given, unless rows, or one layer and one head (up to 2048 tokens),
    are asked for; then nothing else is computed. Statistics and overviews are of 256 rows there, one from each of as
    many equal stretches, so that their cost grows with the length, not its square (`facts["sampled_rows"]`).
    The statistics are means over the rows of every head for which they say something: `entropy` (nat), `distance`
    between query and key (tokens; between patches, in patches), attention `to_first` token and to the `previous`
    one (rows after the first), and `induction`, to the token after an earlier occurrence of the current one (0 where
    nothing repeats). `overview` is each pattern at most 24 × 24, the largest value of each cell. A network with several
    stacks of layers shows the one that `part` names; `cross` is a decoder's attention to its encoder, where neighbours
    and repetitions mean nothing and only entropy and attention to the first token are given.
    """

    needs: ClassVar = frozenset({"attention"})
    question: ClassVar = "attention"
    view: ClassVar = "patterns"
    order: ClassVar = 10
    title: ClassVar = "Attention"
    source: ClassVar = "Vaswani et al. 2017, eq. 1; induction: Olsson et al. 2022"
    needs_target: ClassVar = False

    part: str = option(
        "", "which stack of a network that has several: encoder, decoder, cross, image, text; none means its main one"
    )
    layers: tuple[int, ...] = option((), "layers to show, counted from 0; none means all", low=0)
    heads: tuple[int, ...] = option((), "heads to show, counted from 0; none means all", low=0)
    queries: tuple[int, ...] = option((), "query tokens to show, counted from 0; none means all that fit", low=0)

    def cost(self, size: Size) -> Cost:
        """One forward; patterns and statistics of all rows, of a sample, or of the layers and rows asked for."""
        whole = size.tokens <= WHOLE
        asked = bool(self.layers or self.heads or self.queries) and not whole
        layers = len(self.layers) or size.layers
        rows = min(size.tokens, len(self.queries) or WHOLE) if asked else min(size.tokens, WHOLE)
        cells = (layers if asked else size.layers) * size.heads * rows * size.tokens
        held = 8 * layers * size.tokens * size.width  # queries and keys
        return Cost(
            forwards=1 if asked else 0,  # else the prediction is of the same forward
            flops=2 * cells * size.width / max(size.heads, 1),
            numbers=(3 if asked else 14) * cells,
            bytes=(8 * cells if whole else held) + 24 * min(cells / max(layers, 1), 2**23),
        )

    def __call__(self, model: Model, batch: Batch, target: Target | None = None, step: Step = no_step) -> Result:
        sites: Any = model.stack(self.part)
        if "attention" not in sites.offers:
            raise Refused(
                f"{self.part or 'attention'} of {model.name}: {sites.withdrawn.get('attention', 'not found')}"
            )
        layers = _check_chosen("layer", self.layers, sites.layers)
        heads = _check_chosen("head", self.heads, range(sites.heads))
        laid = _TokenLayout.out(model, batch, self.part)
        rows = _check_chosen("query token", self.queries, range(len(laid.queries)))
        if laid.longest <= WHOLE:
            pattern, found, prediction = _record_whole(model, batch, self, layers, heads, rows, laid, step)
            return _make_result(model, batch, self.part, pattern, (layers, heads, rows), laid, found, prediction)
        if not self.queries and ((len(layers), len(heads)) != (1, 1) or laid.longest > SQUARE):
            rows = (len(laid.queries) - 1,)
        if self.layers or self.heads or self.queries:
            pattern = np.zeros((len(layers), len(heads), len(rows), len(laid.keys)), np.float32)

            def on_layer(layer: int, call: StoredAttention) -> None:
                pattern[layers.index(layer)] = _read_rows(call, rows, heads)

            cache.visit(model, batch, self.part, layers, on_layer)
            return _make_result(model, batch, self.part, pattern, (layers, heads, rows), laid, {})
        pattern, found, prediction = _record_sample(model, batch, self.part, rows, laid, step)
        return _make_result(model, batch, self.part, pattern, (layers, heads, rows), laid, found, prediction)


def _record_whole(
    model: Model, batch: Batch, asked: AttentionPattern, layers: Sequence[int], heads: Sequence[int],
    rows: Sequence[int], laid: _TokenLayout, step: Step,
) -> tuple[np.ndarray, dict[str, np.ndarray], list[dict[str, Any]]]:  # fmt: skip
    """The patterns asked for (layer, head, query, key), every head's statistics of all rows, and the prediction."""
    import torch

    sites: Any = model.stack(asked.part)
    with model.lock, torch.no_grad(), record(model.module, sites, patterns=sites.layers) as recording:
        choices = model.predict(batch)
        if set(sites.layers) - set(recording.patterns):  # a model that predicts without its network
            model.outputs(model.features(batch), batch)
    pattern = np.zeros((len(layers), len(heads), len(rows), len(laid.keys)), np.float32)
    statistics = []
    for index, layer in enumerate(sites.layers):
        if layer in layers:
            pattern[layers.index(layer)] = recording.compute_rows(layer, rows)[0, list(heads)].float().cpu().numpy()
        every = torch.arange(len(laid.queries), device=recording.patterns[layer].device)
        statistics.append(_compute_statistics([(every, recording.patterns[layer])], laid))
        step((index + 1) / len(sites.layers))
    return pattern, {n: np.stack([s[n] for s in statistics]) for n in statistics[0]}, _list_answers(choices)


def _record_sample(
    model: Model, batch: Batch, part: str, rows: Sequence[int], laid: _TokenLayout, step: Step
) -> tuple[np.ndarray, dict[str, np.ndarray], list[dict[str, Any]]]:
    """`rows` of every head, every head's statistics from `sample` of the rows, and the prediction, of one forward."""
    sites: Any = model.stack(part)
    some, there = sample_rows(len(laid.queries)), sites.layers
    pattern = np.zeros((len(there), sites.heads, len(rows), len(laid.keys)), np.float32)
    statistics: dict[int, dict[str, np.ndarray]] = {}

    def on_layer(layer: int, call: StoredAttention) -> None:
        pattern[there.index(layer)] = _read_rows(call, rows, range(sites.heads))
        statistics[layer] = _compute_statistics(iterate_rows(call, some), laid)
        step(len(statistics) / len(there))

    choices = cache.visit_and_predict(model, batch, part, there, on_layer)
    found = {n: np.stack([statistics[layer][n] for layer in there]) for n in statistics[there[0]]}
    return pattern, found, _list_answers(choices)


def _list_answers(choices: Sequence[Any]) -> list[dict[str, Any]]:
    """A prediction as results carry it."""
    return [dataclasses.asdict(choice) for choice in choices]


def _read_rows(call: StoredAttention, rows: Sequence[int], heads: Sequence[int]) -> np.ndarray:
    """Rows (head, row, key) of some heads."""
    found = [part[0, list(heads)].float().cpu().numpy() for _, part in iterate_rows(call, rows)]
    return np.concatenate(found, 1)


def sample_rows(length: int, most: int = WHOLE) -> tuple[int, ...]:
    """At most `most` rows: one from each of as many equal stretches, drawn with a fixed seed.

    Evenly spaced ones would see only some places of a text that repeats itself.
    """
    if length <= most:
        return tuple(range(length))
    edges = np.arange(most + 1) * length // most
    return tuple(int(i) for i in np.random.default_rng(0).integers(edges[:-1], edges[1:]))


def _make_result(
    model: Model, batch: Batch, part: str, pattern: np.ndarray, places: tuple[Sequence[int], ...], laid: _TokenLayout,
    found: dict[str, np.ndarray], prediction: list[dict[str, Any]] | None = None,
) -> Result:  # fmt: skip
    sites: Any = model.stack(part)
    layers, heads, rows = places
    context = token_rows.make_context(model, batch, part)
    every = ("all_layer", "all_head")
    return Result(
        method="attention",
        arrays={"pattern": pattern} | found | context["arrays"],
        axes={"pattern": ("layer", "head", "query", "key")}
        | {name: every for name in STATISTICS if name in found}
        | ({"overview": (*every, "row", "column")} if found else {})
        | context["axes"],
        labels={
            "layer": tuple(map(str, layers)),
            "head": tuple(map(str, heads)),
            "query": tuple(laid.queries[row] for row in rows),
            "key": laid.keys,
            "all_layer": tuple(map(str, sites.layers)),
            "all_head": tuple(map(str, range(sites.heads))),
            **({"all_query": laid.queries} if laid.queries != laid.keys else {}),
            **context["labels"],
        },
        unit="probability",
        facts={
            **context["facts"],
            "tokens": len(laid.keys),
            "rows": [int(row) for row in rows],
            "distance_unit": "token" if laid.grid is None else "patch",
        }
        | ({"part": part} if part else {})
        | ({"query_tokens": len(laid.queries)} if part or laid.longest > WHOLE else {})
        | ({"sampled_rows": min(len(laid.queries), WHOLE)} if found and laid.longest > WHOLE else {})
        | ({"prediction": prediction} if prediction is not None else {}),
    )


@dataclass(frozen=True)
class _TokenLayout:
    """The tokens of one stack and of the one it attends to: names, numbers by kind (`same`), the grid they lie on."""

    queries: tuple[str, ...]
    keys: tuple[str, ...]
    same: Any
    grid: tuple[int, int] | None
    first_patch: int
    crossing: bool

    @property
    def longest(self) -> int:
        """The larger side of its patterns."""
        return max(len(self.queries), len(self.keys))

    @classmethod
    def out(cls, model: Model, batch: Batch, part: str) -> _TokenLayout:
        """The tokens of `part`; the main stack's have ids or lie on the batch's grid."""
        import torch

        queries, keys = token_rows.list_tokens(model, batch, part)
        main = model.stack(part) is model.sites
        if main and "input_ids" in batch.inputs and batch.grid is None:
            same = batch.inputs["input_ids"][0]
        else:
            kinds = {name: number for number, name in enumerate(dict.fromkeys(queries))}
            same = torch.tensor([kinds[name] for name in queries], device=model.device)
        grid = batch.grid if main else None
        return cls(queries, keys, same, grid, batch.first_patch if main else 0, part in model.attends_to)


def _check_chosen(noun: str, asked: Sequence[int], there: Sequence[int]) -> tuple[int, ...]:
    """What was asked for, all of it when nothing was; refused when it is not there."""
    missing = next((number for number in asked if number not in there), None)
    if missing is not None:
        raise Refused(f"there is no {noun} {missing}; the {noun}s with attention go from {there[0]} to {there[-1]}")
    return tuple(dict.fromkeys(asked)) or tuple(there)


def _compute_statistics(parts: Iterable[tuple[Tensor, Tensor]], laid: _TokenLayout) -> dict[str, np.ndarray]:
    """Each head's statistics (head,) and overview (head, row, column), from (rows, pattern (1, H, rows, Tk))."""
    import torch

    sums: dict[str, Any] = {}
    counts: dict[str, int] = {}
    length, width = len(laid.queries), len(laid.keys)
    high, wide = min(length, SIDE), min(width, SIDE)
    edges = [-(-i * width // wide) for i in range(wide + 1)]
    overview = None
    for rows, part in parts:
        part = part[0].float()  # (H, rows, Tk)
        narrow = torch.stack([part[..., a:b].amax(-1) for a, b in pairwise(edges)], -1)
        overview = part.new_zeros(len(part), high, wide) if overview is None else overview
        overview.scatter_reduce_(1, (rows * high // length)[None, :, None].expand_as(narrow), narrow, "amax")
        for name, (values, said) in _compute_row_statistics(part, rows, laid).items():
            sums[name] = sums.get(name, 0.0) + torch.where(said, values, 0.0).sum(1)
            counts[name] = counts.get(name, 0) + int(said.sum())
    found = {name: sums[name] / max(counts[name], 1) for name in sums} | {"overview": overview}
    return {name: value.float().cpu().numpy() for name, value in found.items()}


def _compute_row_statistics(part: Tensor, rows: Tensor, laid: _TokenLayout) -> dict[str, tuple[Tensor, Tensor]]:
    """Each statistic of each row (H, rows), and for which rows (rows,) it says something."""
    import torch

    everywhere = torch.ones_like(rows, dtype=torch.bool)
    entropy = -torch.xlogy(part, part).sum(-1)
    if laid.crossing:
        return {"entropy": (entropy, everywhere), "to_first": (part[..., 0], everywhere)}
    at = torch.arange(part.shape[-1], device=part.device)
    if laid.grid is None:
        places, lies = at[:, None].float(), torch.ones_like(at, dtype=torch.bool)
    else:  # tokens before the patches lie nowhere
        patch = at - laid.first_patch
        places, lies = torch.stack([patch // laid.grid[1], patch % laid.grid[1]], 1).float(), patch >= 0
    apart = torch.cdist(places[rows], places, compute_mode="donot_use_mm_for_euclid_dist")  # (rows, T)
    mass = (part * lies).sum(-1)
    again = (laid.same[:-1] == laid.same[rows][:, None]) & (at[1:] < rows[:, None])  # key follows an earlier occurrence
    later = rows > 0
    return {
        "entropy": (entropy, everywhere),
        "distance": ((part * lies * apart).sum(-1) / mass.clamp(min=1e-9), lies[rows]),
        "to_first": (part[..., 0], later),
        "previous": (part.gather(-1, (rows - 1).clamp(min=0)[None, :, None].expand(*part.shape[:2], 1))[..., 0], later),
        "induction": ((part[..., 1:] * again).sum(-1), again.any(-1)),
    }


ENTRY = AttentionPattern
