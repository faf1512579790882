"""Rows of later tokens only, one behind another in one sequence: no row computes a token that it does not change.

Where tokens see only what came before, those before a row's first change are the unchanged run's, and so are their keys
and values. The tokens from there on of all rows make one sequence (1, N, d), so that matrix products are as large as
if the rows were alike; only inside an attention does each row get a place of its own again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

    from backends.hooks.attention_call import AttentionCall
    from backends.hooks.partial_forward import Base, Place, Row
    from backends.hooks.recording import Edit

SITES = ("residual", "attention", "mlp", "z")
"""Where a packed row may be changed; what changes scores, queries, keys or values needs all its tokens."""


def can_pack(known: Base, rows: Sequence[Row]) -> bool:
    """Whether these rows can be packed: keys and values of every layer are known, and no edit needs more."""
    depth = len(known.states) - 1
    return len(known.keys) == 2 * depth and all(site in SITES for row in rows for site, _ in row.edits)


class Pack:
    """The tokens of some rows, which come in order of their start, on their way through the blocks."""

    def __init__(self, rows: Sequence[Row], known: Base) -> None:
        import torch

        self.rows, self.known = rows, known
        self.length = known.states[0].shape[1]
        self.depth = len(known.states) - 1
        where, sizes = known.states[0].device, torch.tensor([self.length - row.first for row in rows])
        self.ends = [0, *sizes.cumsum(0).tolist()]
        self.which = torch.arange(len(rows)).repeat_interleave(sizes).to(where)  # (N,), the row of each token
        self.place = torch.cat([torch.arange(row.first, self.length) for row in rows]).to(where)  # (N,)
        self.sample = torch.tensor([row.sample for row in rows], device=where)  # (row,)
        self.state = known.states[0].new_empty(0, known.states[0].shape[2])  # (N, d), of the rows that have begun

    def count_begun(self, layer: int) -> int:
        """How many rows have begun at the entrance of a block."""
        return sum(row.start <= layer for row in self.rows)

    def enter(self, layer: int) -> None:
        """Take in the rows that begin here, and make the changes of the state that goes into the block."""
        import torch

        new = slice(len(self.state), self.ends[self.count_begun(layer)])
        if new.stop > new.start:
            known = self.known.states[layer]
            self.state = torch.cat([self.state, known[self.sample[self.which[new]], self.place[new]]])
        if self._find_rows_with("residual", layer):
            self.state = self.apply_edits("residual", layer, self.state.clone())

    def _find_rows_with(self, site: str, layer: int) -> list[int]:
        return [index for index, row in enumerate(self.rows) if (site, layer) in row.edits]

    def apply_edits(self, site: str, layer: int, tensor: Tensor) -> Tensor:
        """(N, …) with the rows' changes at a site, in place; an edit sees zeros before its row's first token."""
        for index in self._find_rows_with(site, layer):
            row, own = self.rows[index], slice(self.ends[index], self.ends[index + 1])
            whole = tensor.new_zeros(self.length, *tensor.shape[1:])
            whole[row.first :] = tensor[own]
            tensor[own] = row.edits[(site, layer)](whole)[row.first :]
        return tensor

    def make_edits(self) -> dict[Place, Edit]:
        """The changes inside the blocks as edits of the packed sequence, for `record`."""
        places = {at for row in self.rows for at in row.edits if at[0] != "residual"}

        def edit(at: Place) -> Edit:
            return lambda tensor: self.apply_edits(*at, tensor.flatten(0, 1)).view(tensor.shape)

        return {at: edit(at) for at in places}

    def pick_arguments(self, value: Any) -> Any:
        """A block's argument for the packed tokens: what has one entry a token is picked by row and place."""
        if isinstance(value, (tuple, list)):
            return type(value)(self.pick_arguments(part) for part in value)
        if isinstance(value, Mapping):
            return {name: self.pick_arguments(part) for name, part in value.items()}
        shape, size = tuple(getattr(value, "shape", ())), len(self.state)
        if shape == (self.length,):
            return value[self.place[:size]]
        if len(shape) not in (2, 3) or shape[1] != self.length:
            return value
        return value[self.which[:size] if shape[0] == len(self.rows) else 0, self.place[:size]][None]

    def attend(self, layer: int, attention: AttentionCall) -> tuple[Tensor, None]:
        """Heads (1, N, H, dh) of packed queries: each row looks at its own keys, and at the base's before them."""
        size, count = len(self.state), self.count_begun(layer)
        low = min(row.first for row in self.rows[:count])
        which, place = self.which[:size], self.place[:size]
        query = attention.query.new_zeros(count, attention.query.shape[1], self.length - low, attention.query.shape[3])
        query.transpose(1, 2)[which, place - low] = attention.query[0].transpose(0, 1)
        whole = replace(
            attention,
            query=query,
            key=self._fill_all("key", layer, attention.key),
            value=self._fill_all("value", layer, attention.value),
            mask=self._cut_mask(attention, low, count),
            options={name: self._cut_rows(value, low, count) for name, value in attention.options.items()},
        )
        return whole.run_kernel()[0][which, place - low][None], None

    def _fill_all(self, name: str, layer: int, tensor: Tensor) -> Tensor:
        """Keys or values (row, H, T, dh) of every row: the base's with the packed ones (1, H, N, dh) put in."""
        size, count = len(self.state), self.count_begun(layer)
        found = self.known.keys[(name, layer)][self.sample[:count]].to(tensor)
        found.transpose(1, 2)[self.which[:size], self.place[:size]] = tensor[0].transpose(0, 1)
        return found

    def _cut_mask(self, attention: AttentionCall, low: int, count: int) -> Tensor | None:
        """The mask of the places from `low` on; the silent causal one is spelled out where places are left out."""
        import torch

        if attention.mask is not None:
            return self._cut_rows(attention.mask, low, count)
        if low == 0 or attention.kernel == "eager":
            return None
        at = torch.arange(self.length, device=attention.query.device)
        return (at <= at[low:, None])[None, None]

    def _cut_rows(self, value: Any, low: int, count: int) -> Any:
        """Rows from `low` on of a mask or bias (…, T, T) made for all rows; anything else as it is."""
        if getattr(value, "ndim", 0) != 4 or value.shape[2] != self.length:
            return value
        return (value[:count] if len(value) == len(self.rows) else value)[:, :, low:]

    def take_last(self, tensor: Tensor) -> tuple[Tensor, Tensor]:
        """Of a tensor (…, N, d) the last token of each row (…, row, d), and where these are."""
        import torch

        at = torch.tensor(self.ends[1:], device=tensor.device)
        at = at[at <= tensor.shape[-2]] - 1
        return tensor.index_select(-2, at), at

    def fill_states(self) -> Tensor:
        """The states (row, T, d) behind the last block: the base's, with the packed tokens put in."""
        found = self.known.states[-1][self.sample]
        found[self.which, self.place] = self.state
        return found
