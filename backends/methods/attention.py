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
    nothing repeats). `overview` is each pattern at most 24 × 24, the largest value of each cell.
    """

    needs: ClassVar = frozenset({"attention"})
    question: ClassVar = "attention"
    title: ClassVar = "Attention"
    source: ClassVar = "Vaswani et al. 2017, eq. 1; induction: Olsson et al. 2022"
    needs_target: ClassVar = False

    layers: tuple[int, ...] = option((), "layers to show, counted from 0; none means all", low=0)
    heads: tuple[int, ...] = option((), "heads to show, counted from 0; none means all", low=0)
    queries: tuple[int, ...] = option((), "query tokens to show, counted from 0; none means all that fit", low=0)

    def __call__(self, model: Model, batch: Batch, target: Target | None = None, step: Step = no_step) -> Result:
        import torch

        sites: Any = model.sites
        there = sites.layers
        layers = _chosen("layer", self.layers, there)
        heads = _chosen("head", self.heads, range(sites.heads))
        length = _length(batch)
        rows = _chosen("query token", self.queries, range(length))
        if length > WHOLE and not self.queries and (len(layers), len(heads)) != (1, 1):
            rows = (length - 1,)
        whole, parts = (there, ()) if length <= WHOLE else ((), there)
        with model.lock, torch.no_grad(), capture.record(model.module, sites, patterns=whole, qk=parts) as recording:
            model.outputs(model.features(batch), batch)
        pattern = np.zeros((len(layers), len(heads), len(rows), length), np.float32)
        found: dict[str, list[Any]] = {name: [] for name in (*STATISTICS, "overview")}
        for index, layer in enumerate(there):
            if layer in layers:
                some = recording.rows(layer, rows)[0, list(heads)]
                pattern[layers.index(layer)] = some.float().cpu().numpy()
            for name, values in _statistics(recording.parts(layer), batch, length).items():
                found[name].append(values.cpu().numpy().astype(np.float32))
            step((index + 1) / len(there))
        context = model.context(batch)
        tokens = _inside.names(batch, length)
        every = ("all_layer", "all_head")
        return Result(
            method="attention",
            arrays={"pattern": pattern}
            | {name: np.stack(values) for name, values in found.items()}
            | context["arrays"],
            axes={"pattern": ("layer", "head", "query", "key"), "overview": (*every, "row", "column")}
            | dict.fromkeys(STATISTICS, every)
            | context["axes"],
            labels={
                "layer": tuple(map(str, layers)),
                "head": tuple(map(str, heads)),
                "query": tuple(tokens[row] for row in rows),
                "key": tokens,
                "all_layer": tuple(map(str, there)),
                "all_head": tuple(map(str, range(sites.heads))),
                **context["labels"],
            },
            unit="probability",
            facts={
                **context["facts"],
                "tokens": length,
                "rows": [int(row) for row in rows],
                "distance_unit": "token" if batch.grid is None else "patch",
            },
        )


def _length(batch: Batch) -> int:
    """The number of tokens that attention runs over."""
    return len(batch.tokens) if batch.grid is None else batch.first_patch + batch.grid[0] * batch.grid[1]


def _chosen(noun: str, asked: Sequence[int], there: Sequence[int]) -> tuple[int, ...]:
    """What was asked for, all of it when nothing was; refused when it is not there."""
    missing = next((number for number in asked if number not in there), None)
    if missing is not None:
        raise Refused(f"there is no {noun} {missing}; the {noun}s with attention go from {there[0]} to {there[-1]}")
    return tuple(dict.fromkeys(asked)) or tuple(there)


def _statistics(parts: Iterator[tuple[int, Tensor]], batch: Batch, length: int) -> dict[str, Tensor]:
    """Each head's statistics (head,) and overview (head, row, column), from a pattern that comes in parts."""
    import torch

    sums: dict[str, Any] = dict.fromkeys(STATISTICS, 0.0)
    counts = dict.fromkeys(STATISTICS, 0)
    side = min(length, SIDE)
    overview = None
    for first, part in parts:
        part = part[0].float()  # (H, rows, T)
        at = torch.arange(length, device=part.device)
        rows = at[first : first + part.shape[1]]
        cells = at * side // length
        wide = part.new_zeros(*part.shape[:2], side).scatter_reduce(2, cells.expand(part.shape), part, "amax")
        overview = wide.new_zeros(len(part), side, side) if overview is None else overview
        overview.scatter_reduce_(1, cells[rows][None, :, None].expand_as(wide), wide, "amax")
        for name, (values, said) in _by_row(part, rows, batch).items():
            sums[name] = sums[name] + torch.where(said, values, 0.0).sum(1)
            counts[name] += int(said.sum())
    return {name: sums[name] / max(counts[name], 1) for name in STATISTICS} | {"overview": overview}


def _by_row(part: Tensor, rows: Tensor, batch: Batch) -> dict[str, tuple[Tensor, Tensor]]:
    """Each statistic of each row (H, rows), and for which rows (rows,) it says something."""
    import torch

    length = part.shape[-1]
    at = torch.arange(length, device=part.device)
    if batch.grid is None:
        places, lies = at[:, None].float(), torch.ones_like(at, dtype=torch.bool)
    else:  # tokens before the patches lie nowhere
        patch = at - batch.first_patch
        places, lies = torch.stack([patch // batch.grid[1], patch % batch.grid[1]], 1).float(), patch >= 0
    apart = torch.cdist(places[rows], places, compute_mode="donot_use_mm_for_euclid_dist")  # (rows, T)
    mass = (part * lies).sum(-1)
    ids = batch.inputs["input_ids"][0] if "input_ids" in batch.inputs else at
    again = (ids[:-1] == ids[rows][:, None]) & (at[1:] < rows[:, None])  # key follows an earlier occurrence
    later, everywhere = rows > 0, torch.ones_like(rows, dtype=torch.bool)
    return {
        "entropy": (-torch.xlogy(part, part).sum(-1), everywhere),
        "distance": ((part * lies * apart).sum(-1) / mass.clamp(min=1e-9), lies[rows]),
        "to_first": (part[..., 0], later),
        "previous": (part.gather(-1, (rows - 1).clamp(min=0)[None, :, None].expand(*part.shape[:2], 1))[..., 0], later),
        "induction": ((part[..., 1:] * again).sum(-1), again.any(-1)),
    }


ENTRY = AttentionPattern
