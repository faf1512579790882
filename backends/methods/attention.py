"""Attention patterns: which token looks at which."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from backends import capture
from backends.errors import Refused
from backends.methods import _inside
from backends.methods._base import Method, Step, no_step, option
from backends.results import Result

if TYPE_CHECKING:
    from torch import Tensor

    from backends.models._base import Batch, Model, Target

WHOLE = 256
"""Up to this many tokens all patterns are given; beyond, the rows that are asked for."""
SIDE = 24
STATISTICS = ("entropy", "distance", "to_first", "previous", "induction")


@dataclass(frozen=True)
class AttentionPattern(Method):
    """Shows how much each token (query) looks at each other token (key), in every layer and head.

    Each row is what one token gathers from the others: it sums to 1, or to less where the network has sinks.
    Attention shows where information may flow, not what decides the answer. Many heads rest on the first token when
    they have nothing to do. Special and padding tokens are included.

    Beyond 256 tokens only the last token's rows are given, unless rows, or one layer and one head, are asked for.
    The statistics are means over the rows of every head for which they say something: `entropy` (nat), `distance`
    between query and key (tokens; between patches, in patches), attention `to_first` token and to the `previous`
    one (rows after the first), and `induction`, to the token after an earlier occurrence of the current one (0 where
    nothing repeats). `overview` is each pattern at most 24 × 24, the largest value of each cell. A network with several
    stacks of layers shows the one that `part` names; `cross` is a decoder's attention to its encoder, where neighbours
    and repetitions mean nothing and only entropy and attention to the first token are given.
    """

    needs: ClassVar = frozenset({"attention"})
    question: ClassVar = "attention"
    title: ClassVar = "Attention"
    source: ClassVar = "Vaswani et al. 2017, eq. 1; induction: Olsson et al. 2022"
    needs_target: ClassVar = False

    part: str = option(
        "", "which stack of a network that has several: encoder, decoder, cross, image, text; none means its main one"
    )
    layers: tuple[int, ...] = option((), "layers to show, counted from 0; none means all", low=0)
    heads: tuple[int, ...] = option((), "heads to show, counted from 0; none means all", low=0)
    queries: tuple[int, ...] = option((), "query tokens to show, counted from 0; none means all that fit", low=0)

    def __call__(self, model: Model, batch: Batch, target: Target | None = None, step: Step = no_step) -> Result:
        import torch

        sites: Any = model.stack(self.part)
        there = sites.layers
        if "attention" not in sites.offers:
            raise Refused(
                f"{self.part or 'attention'} of {model.name}: {sites.withdrawn.get('attention', 'not found')}"
            )
        layers = _chosen("layer", self.layers, there)
        heads = _chosen("head", self.heads, range(sites.heads))
        laid = _Laid.out(model, batch, self.part)
        queries, keys = laid.queries, laid.keys
        longest = max(len(queries), len(keys))
        rows = _chosen("query token", self.queries, range(len(queries)))
        if longest > WHOLE and not self.queries and (len(layers), len(heads)) != (1, 1):
            rows = (len(queries) - 1,)
        whole, parts = (there, ()) if longest <= WHOLE else ((), there)
        with model.lock, torch.no_grad(), capture.record(model.module, sites, patterns=whole, qk=parts) as recording:
            model.outputs(model.features(batch), batch)
        pattern = np.zeros((len(layers), len(heads), len(rows), len(keys)), np.float32)
        statistics: list[dict[str, Any]] = []
        for index, layer in enumerate(there):
            if layer in layers:
                some = recording.rows(layer, rows)[0, list(heads)]
                pattern[layers.index(layer)] = some.float().cpu().numpy()
            statistics.append(_statistics(recording.parts(layer), laid))
            step((index + 1) / len(there))
        found = {n: torch.stack([s[n] for s in statistics]).float().cpu().numpy() for n in statistics[0]}
        context = _inside.context(model, batch, self.part)
        every = ("all_layer", "all_head")
        return Result(
            method="attention",
            arrays={"pattern": pattern} | found | context["arrays"],
            axes={"pattern": ("layer", "head", "query", "key"), "overview": (*every, "row", "column")}
            | {name: every for name in STATISTICS if name in found}
            | context["axes"],
            labels={
                "layer": tuple(map(str, layers)),
                "head": tuple(map(str, heads)),
                "query": tuple(queries[row] for row in rows),
                "key": keys,
                "all_layer": tuple(map(str, there)),
                "all_head": tuple(map(str, range(sites.heads))),
                **context["labels"],
            },
            unit="probability",
            facts={
                **context["facts"],
                "tokens": len(keys),
                "rows": [int(row) for row in rows],
                "distance_unit": "token" if laid.grid is None else "patch",
            }
            | ({"part": self.part, "query_tokens": len(queries)} if self.part else {}),
        )


@dataclass(frozen=True)
class _Laid:
    """The tokens of one stack and of the one it attends to: names, numbers by kind (`same`), the grid they lie on."""

    queries: tuple[str, ...]
    keys: tuple[str, ...]
    same: Any
    grid: tuple[int, int] | None
    first_patch: int
    crossing: bool

    @classmethod
    def out(cls, model: Model, batch: Batch, part: str) -> _Laid:
        """The tokens of `part`; the main stack's have ids or lie on the batch's grid."""
        import torch

        queries, keys = _inside.tokens(model, batch, part)
        main = model.stack(part) is model.sites
        if main and "input_ids" in batch.inputs and batch.grid is None:
            same = batch.inputs["input_ids"][0]
        else:
            kinds = {name: number for number, name in enumerate(dict.fromkeys(queries))}
            same = torch.tensor([kinds[name] for name in queries], device=model.device)
        grid = batch.grid if main else None
        return cls(queries, keys, same, grid, batch.first_patch if main else 0, part in model.attends_to)


def _chosen(noun: str, asked: Sequence[int], there: Sequence[int]) -> tuple[int, ...]:
    """What was asked for, all of it when nothing was; refused when it is not there."""
    missing = next((number for number in asked if number not in there), None)
    if missing is not None:
        raise Refused(f"there is no {noun} {missing}; the {noun}s with attention go from {there[0]} to {there[-1]}")
    return tuple(dict.fromkeys(asked)) or tuple(there)


def _statistics(parts: Iterator[tuple[int, Tensor]], laid: _Laid) -> dict[str, Tensor]:
    """Each head's statistics (head,) and overview (head, row, column), from a pattern that comes in parts."""
    import torch

    sums: dict[str, Any] = {}
    counts: dict[str, int] = {}
    length, width = len(laid.queries), len(laid.keys)
    high, wide = min(length, SIDE), min(width, SIDE)
    overview = None
    for first, part in parts:
        part = part[0].float()  # (H, rows, Tk)
        rows = torch.arange(first, first + part.shape[1], device=part.device)
        cells = torch.arange(width, device=part.device) * wide // width
        narrow = part.new_zeros(*part.shape[:2], wide).scatter_reduce(2, cells.expand(part.shape), part, "amax")
        overview = part.new_zeros(len(part), high, wide) if overview is None else overview
        overview.scatter_reduce_(1, (rows * high // length)[None, :, None].expand_as(narrow), narrow, "amax")
        for name, (values, said) in _by_row(part, rows, laid).items():
            sums[name] = sums.get(name, 0.0) + torch.where(said, values, 0.0).sum(1)
            counts[name] = counts.get(name, 0) + int(said.sum())
    return {name: sums[name] / max(counts[name], 1) for name in sums} | {"overview": overview}


def _by_row(part: Tensor, rows: Tensor, laid: _Laid) -> dict[str, tuple[Tensor, Tensor]]:
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
