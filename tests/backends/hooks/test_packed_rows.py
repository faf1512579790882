"""Rows of later tokens one behind another, beside whole forwards with the same changes."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import torch

from backends.hooks import packed_rows, partial_forward
from backends.hooks.packed_rows import Pack
from backends.hooks.partial_forward import Row
from backends.hooks.recording import record
from backends.hooks.sites import Sites
from tests.backends.networks import forward, ready

CAUSAL = ("gpt2", "llama", "gemma2", "gpt_neox", "opt", "gpt_oss")
IDS = torch.tensor([[3, 7, 9, 3, 7, 12, 5], [3, 7, 9, 8, 7, 2, 6]])


def put(place: int, value: torch.Tensor, tensor: torch.Tensor) -> torch.Tensor:
    tensor[place] = value
    return tensor


def silence(head: int, first: int, tensor: torch.Tensor) -> torch.Tensor:
    tensor[first:, head] = 0
    return tensor


def changes(sites: Sites) -> list[Row]:
    """Rows of both samples that begin at every block and at every site, from different tokens on."""
    depth, width = len(sites.block), 16
    ones = torch.linspace(-1, 1, width)
    rows = [Row({("residual", layer): partial(put, place, ones)}, place % 2, place)
            for layer in range(depth + 1) for place in (0, 3, 6)]  # fmt: skip
    rows += [Row({("z", layer): partial(silence, 1, first)}, 1, first) for layer in range(depth) for first in (0, 4)]
    parts = {"attention": sites.branch, "mlp": sites.mlp}
    rows += [Row({(site, layer): partial(put, 5, ones)}, 0, 5)
             for site, paths in parts.items() for layer, path in enumerate(paths) if path]  # fmt: skip
    rows.append(Row({("residual", 1): partial(put, 2, ones), ("z", 2): partial(silence, 0, 2)}, 1, 2))
    return sorted(rows, key=lambda row: row.start)


def whole(module: Any, sites: Sites, row: Row) -> torch.Tensor:
    edits = {at: (lambda x, own=edit: own(x[0])[None]) for at, edit in row.edits.items()}
    with record(module, sites, edits=edits):
        return forward(module, {"input_ids": IDS[[row.sample]]})[0]


@pytest.mark.parametrize("name", CAUSAL)
def test_packed_rows_equal_whole_forwards(name: str) -> None:
    module, _, sites = ready(name)
    known = partial_forward.run_base(module, sites, lambda: forward(module, {"input_ids": IDS}), keys=True)
    rows = changes(sites)
    assert packed_rows.can_pack(known, rows)
    ids = IDS[[row.sample for row in rows]]
    run = partial(forward, module, {"input_ids": ids})
    slow = torch.stack([whole(module, sites, row) for row in rows])
    fast = partial_forward.replay(module, sites, known, rows, run)
    torch.testing.assert_close(fast, slow, rtol=1e-4, atol=2e-5)
    moved = (slow - known.output[[row.sample for row in rows]]).abs()
    assert float(moved.amax((1, 2)).min()) > 1e-3  # every row changes something, and few only what nobody reads
    assert int((moved[:, -1].amax(1) > 1e-3).sum()) > 0.6 * len(rows)
    last = partial_forward.replay(module, sites, known, rows, run, last=True)
    torch.testing.assert_close(last[:, -1], slow[:, -1], rtol=1e-4, atol=2e-5)
    some = partial_forward.replay(module, sites, known, rows, run, last=True, columns=(5, 2))
    torch.testing.assert_close(some[:, -1], slow[:, -1, [5, 2]], rtol=1e-4, atol=2e-5)


def test_no_token_before_the_first_change_is_computed() -> None:
    module, _, sites = ready("gpt2")
    known = partial_forward.run_base(module, sites, lambda: forward(module, {"input_ids": IDS[:1]}), keys=True)
    rows = [Row({("residual", 1): partial(put, 4, torch.ones(16))}, 0, 4),
            Row({("z", 2): partial(silence, 2, 6)}, 0, 6)]  # fmt: skip
    seen: list[tuple[int, ...]] = []
    hooks = [module.get_submodule(path).register_forward_pre_hook(lambda _, args: seen.append(tuple(args[0].shape)))
             for path in sites.mlp]  # fmt: skip
    run = partial(forward, module, {"input_ids": IDS[:1].expand(2, -1)})
    fast = partial_forward.replay(module, sites, known, rows, run, last=True)
    for hook in hooks:
        hook.remove()
    slow = torch.stack([whole(module, sites, row) for row in rows])
    torch.testing.assert_close(fast[:, -1], slow[:, -1], rtol=1e-4, atol=2e-5)
    assert seen == [(1, 3, 16), (1, 4, 16)]  # the last MLP is given all four; the next line says what it computes
    pack = Pack(rows, known)
    pack.enter(2)
    assert pack.take_last(torch.arange(4)[None, :, None])[0].flatten().tolist() == [2, 3]


def test_what_needs_all_tokens_is_not_packed() -> None:
    module, _, sites = ready("gpt2")
    known = partial_forward.run_base(module, sites, lambda: forward(module, {"input_ids": IDS}), keys=True)
    assert not packed_rows.can_pack(known, [Row({("scores", 1): torch.abs})])
    assert not packed_rows.can_pack(
        partial_forward.run_base(module, sites, lambda: forward(module, {"input_ids": IDS})), [Row({})]
    )


def test_a_batch_as_large_as_the_text_is_long_is_told_from_it() -> None:
    module, _, sites = ready("llama")
    known = partial_forward.run_base(module, sites, lambda: forward(module, {"input_ids": IDS[:1]}), keys=True)
    rows = [Row({("residual", 1): partial(put, place, torch.ones(16))}, 0, place) for place in range(6)]
    fast = partial_forward.replay(
        module, sites, known, rows, partial(forward, module, {"input_ids": IDS[:1].expand(len(rows), -1)})
    )
    torch.testing.assert_close(fast, torch.stack([whole(module, sites, row) for row in rows]), rtol=1e-4, atol=2e-5)


def test_only_a_plain_linear_unembedding_gives_single_columns() -> None:
    module, _, sites = ready("gpt2")
    assert partial_forward.can_narrow(module, sites)
    import dataclasses

    assert not partial_forward.can_narrow(module, dataclasses.replace(sites, unembedding=None))
    assert not partial_forward.can_narrow(module, dataclasses.replace(sites, unembedding=sites.mlp[0]))
