"""Forwards that begin at a later block, or with later tokens, beside whole ones."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import torch

from backends.hooks import partial_forward
from backends.hooks.partial_forward import Row
from backends.hooks.recording import record
from tests.backends.networks import FAMILIES, forward, ready

RUNS = (
    "gpt2",
    "llama",
    "bert",
    "vit",
    "distilbert",
    "albert",
    "gemma2",
    "opt",
    "gpt_neox",
    "t5_encoder",
    "deberta",
    "bloom",
)


def many(module: Any, inputs: dict[str, Any], count: int) -> torch.Tensor:
    """A forward of some copies of the input."""
    return forward(module, {name: value.expand(count, *value.shape[1:]) for name, value in inputs.items()})


@pytest.mark.parametrize("name", RUNS)
def test_rows_that_begin_later_equal_whole_forwards_or_are_told_apart(name: str) -> None:
    module, inputs, sites = ready(name)
    found = partial_forward.measure_gap(module, sites, partial(many, module, inputs))
    assert found <= 1e-5 or found == float("inf"), found
    assert name not in ("gpt2", "llama", "bert", "vit", "albert", "gemma2") or found <= 1e-5


@pytest.mark.parametrize("name", ["gpt2", "llama", "gemma2", "gpt_neox", "opt"])
def test_tokens_before_the_first_change_are_left_out_exactly(name: str) -> None:
    module, inputs, sites = ready(name)
    assert partial_forward.measure_gap(module, sites, partial(many, module, inputs), trim=True) <= 1e-5


@pytest.mark.parametrize("name", ["bert", "vit"])
def test_networks_that_look_ahead_are_found_out(name: str) -> None:
    module, inputs, sites = ready(name)
    assert partial_forward.measure_gap(module, sites, partial(many, module, inputs), trim=True) > 1e-3


def test_each_row_has_its_own_changes_and_sample() -> None:
    module, _, sites = ready("gpt2")
    two = torch.tensor([[3, 7, 9, 3, 7, 12, 5], [3, 7, 9, 3, 7, 12, 6]])
    known = partial_forward.run_base(module, sites, lambda: forward(module, {"input_ids": two}), heads=True)
    assert [tuple(state.shape) for state in known.states] == [(2, 7, 16)] * 4

    def zero(head: int, z: torch.Tensor) -> torch.Tensor:
        z[:, head] = 0
        return z

    rows = [Row({("z", 0): partial(zero, 1)}, 1), Row({("z", 0): partial(zero, 2), ("z", 2): partial(zero, 3)}),
            Row({("z", 2): partial(zero, 0)}, 1), Row({}, 0), Row({("residual", 3): lambda x: x * 0}, 1)]  # fmt: skip
    rows.sort(key=lambda row: row.start)
    ids = two[[row.sample for row in rows]]
    fast = partial_forward.replay(module, sites, known, rows, lambda: forward(module, {"input_ids": ids}))
    for index, row in enumerate(rows):
        edits = {at: (lambda x, own=edit: own(x[0])[None]) for at, edit in row.edits.items()}
        with record(module, sites, edits=edits):
            slow = forward(module, {"input_ids": two[[row.sample]]})
        torch.testing.assert_close(fast[index], slow[0], rtol=1e-5, atol=1e-5)


def test_rows_must_come_in_order() -> None:
    module, inputs, sites = ready("gpt2")
    known = partial_forward.run_base(module, sites, lambda: forward(module, inputs))
    rows = [Row({("residual", 2): lambda x: x}), Row({("residual", 0): lambda x: x})]
    with pytest.raises(AssertionError, match="in the order in which they start"):
        partial_forward.replay(module, sites, known, rows, lambda: many(module, inputs, 2))


def test_a_network_that_fails_in_part_has_no_replay() -> None:
    module, inputs, sites = ready("gpt2")

    def run(count: int) -> torch.Tensor:
        if count > 1:
            raise RuntimeError("one at a time")
        return forward(module, inputs)

    assert partial_forward.measure_gap(module, sites, run) == float("inf")


def test_blocks_get_their_own_forward_back() -> None:
    module, _, sites = ready("gpt2")
    block = module.get_submodule(sites.block[1])
    plain = block.forward
    block.forward = lambda *args, **kwargs: plain(*args, **kwargs)  # as accelerate puts one there
    own = block.forward
    with pytest.raises(ZeroDivisionError):
        partial_forward.run_base(module, sites, lambda: 1 / 0)
    assert block.forward is own
    assert "forward" not in vars(module.get_submodule(sites.block[0]))


def test_every_family_here_is_known() -> None:
    assert set(RUNS) <= set(FAMILIES)
