"""One call of the attention kernel, from which rows of the pattern are computed when they are looked at."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True)
class AttentionCall:
    """One call of the attention kernel: query (B, H, Tq, dh), key and value (B, Hkv, Tk, dh), mask."""

    kernel: str
    module: nn.Module
    query: Tensor
    key: Tensor
    value: Tensor
    mask: Tensor | None
    options: Mapping[str, Any]

    def run_kernel(self) -> tuple[Tensor, Tensor | None]:
        """Compute heads and weights as the network does when nobody records."""
        forward = _find_eager(self.module) if self.kernel == "eager" else _find_interface(self.module)[self.kernel]
        return forward(self.module, self.query, self.key, self.value, self.mask, **self.options)

    def run_eager(self) -> tuple[Tensor, Tensor]:
        """Compute heads (B, Tq, H, dh) and the pattern (B, H, Tq, Tk) by this architecture's own formula."""
        return _find_eager(self.module)(
            self.module, self.query, self.key, self.value, self.additive_mask(slice(None)), **self.options
        )

    def compute_rows(self, rows: Tensor) -> Tensor:
        """Compute these rows of the pattern, (B, H, len(rows), Tk), and no others."""
        options = {name: self._select_rows(value, rows) for name, value in self.options.items()}
        query, value = self.query[:, :, rows], self.key[..., :1]  # the values do not matter here, their size does
        return _find_eager(self.module)(self.module, query, self.key, value, self.additive_mask(rows), **options)[1]

    @property
    def shape(self) -> tuple[int, int, int]:
        """How many heads, queries and keys it has."""
        return self.query.shape[1], self.query.shape[2], self.key.shape[2]

    def storage_bytes(self) -> dict[int, int]:
        """Return the bytes of each storage that the call keeps, by address: calls share their mask."""
        tensors = (self.query, self.key, self.mask, *self.options.values())
        stores = [t.untyped_storage() for t in tensors if hasattr(t, "untyped_storage")]
        return {store.data_ptr(): store.nbytes() for store in stores}

    def detach(self) -> AttentionCall:
        """Return the call with only what its rows need, in memory of its own and without a gradient."""
        query, key = _copy_view(self.query.detach()), _copy_view(self.key.detach())
        return replace(self, query=query, key=key, value=key[..., :1])

    def select_head(self, head: int) -> tuple[StoredAttention, int]:
        """Return the call with the heads that share a key head with `head`, and the index of `head` in it.

        Returns the whole call where a part of it would give other numbers: sinks belong to the module, not to the call.
        """
        import torch

        each = self.query.shape[1] // self.key.shape[1]
        first = head // each * each
        some, own = slice(first, first + each), slice(head // each, head // each + 1)
        options = {name: self._select_heads(value, some) for name, value in self.options.items()}
        query, key, value = self.query[:, some], self.key[:, own], self.value[:, own]
        narrow = replace(
            self, query=query, key=key, value=value, mask=self._select_heads(self.mask, some), options=options
        )
        ends = torch.tensor([0, self.query.shape[2] - 1], device=self.query.device)
        try:
            gap = float((narrow.compute_rows(ends) - self.compute_rows(ends)[:, some]).abs().max())
        except (RuntimeError, IndexError, ValueError):
            return self, head
        return (narrow, head - first) if gap <= 1e-6 else (self, head)

    def _select_heads(self, value: Any, some: slice) -> Any:
        """Select heads of a mask or a position bias (B, H, …); return anything else as it is."""
        by_head = getattr(value, "ndim", 0) == 4 and value.shape[1] == self.query.shape[1] > 1
        return value[:, some] if by_head else value

    def additive_mask(self, rows: Tensor | slice) -> Tensor | None:
        """Return these rows of the mask as numbers to add to the scores; sdpa's silent causal mask is spelled out."""
        import torch

        mask, (length, keys) = self.mask, (self.query.shape[2], self.key.shape[2])
        if mask is None:
            causal = self.options.get("is_causal")
            causal = getattr(self.module, "is_causal", True) if causal is None else causal
            if self.kernel == "eager" or not causal or length == 1:
                return None
            at = torch.arange(max(length, keys), device=self.query.device)
            mask = at[:keys] <= at[:length][rows][:, None]  # (Tq, Tk), aligned at the upper left as in sdpa
        else:
            mask = self._select_rows(mask, rows)
        if mask.dtype == torch.bool:
            lowest = torch.finfo(self.query.dtype).min
            mask = torch.where(mask, torch.zeros((), dtype=self.query.dtype, device=mask.device), lowest)
        return mask

    def _select_rows(self, value: Any, rows: Tensor | slice) -> Any:
        """Select rows of a mask or a position bias (…, Tq, Tk); return anything else as it is."""
        by_row = getattr(value, "ndim", 0) == 4 and value.shape[-2] == self.query.shape[2]
        return value[:, :, rows] if by_row else value


@dataclass(frozen=True)
class AttentionPattern:
    """The attention of a module that computes its own softmax: the whole pattern (B, H, Tq, Tk) is all there is."""

    weights: Tensor

    @property
    def shape(self) -> tuple[int, int, int]:
        """How many heads, queries and keys it has."""
        return self.weights.shape[1], self.weights.shape[2], self.weights.shape[3]

    def storage_bytes(self) -> dict[int, int]:
        """Return the bytes of its storage, by address."""
        return {self.weights.data_ptr(): self.weights.untyped_storage().nbytes()}

    def compute_rows(self, rows: Tensor) -> Tensor:
        """Return these rows, (B, H, len(rows), Tk)."""
        return self.weights[:, :, rows]

    def select_head(self, head: int) -> tuple[StoredAttention, int]:
        """Return the pattern of one head, and that head's index in it: 0."""
        return AttentionPattern(self.weights[:, head : head + 1]), 0


StoredAttention = AttentionCall | AttentionPattern
"""What a layer's rows are computed from whenever they are looked at."""


def iterate_rows(call: StoredAttention, rows: Sequence[int], most: int = 2**23) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield the pattern's `rows` as (rows, (B, H, rows, Tk)), with at most about `most` numbers in memory at once."""
    import torch

    heads, _, keys = call.shape
    size = max(most // (heads * keys), 1)
    device = call.query.device if isinstance(call, AttentionCall) else call.weights.device
    for some in torch.as_tensor(rows, device=device).split(size):
        yield some, call.compute_rows(some)


def _copy_view(tensor: Tensor) -> Tensor:
    """Copy a view of a larger tensor, so that it alone stays in memory; GPT-2's queries are such a view."""
    return tensor.clone() if tensor.untyped_storage().nbytes() > tensor.nbytes else tensor


def _find_in_modeling_file(module: nn.Module, name: str) -> Any:
    """Return `name` from the modeling file of this module's class, or of the class it inherits from."""
    for kind in type(module).__mro__:
        if hasattr(sys.modules.get(kind.__module__), name):
            return getattr(sys.modules[kind.__module__], name)
    raise LookupError(f"the file of {type(module).__name__} has no {name}")


_find_eager = partial(_find_in_modeling_file, name="eager_attention_forward")
_find_interface = partial(_find_in_modeling_file, name="ALL_ATTENTION_FUNCTIONS")
