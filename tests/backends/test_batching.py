from __future__ import annotations

import time

import pytest
import torch

from backends.errors import Refused
from backends.models import batching


def short_of_memory(limit: int):
    def run(rows: torch.Tensor) -> torch.Tensor:
        if len(rows) > limit:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return rows * 2

    return run


def test_out_of_memory_halves_the_batch_and_loses_no_row() -> None:
    rows = torch.arange(37)
    parts, size = batching.run_halving(short_of_memory(5), rows, 64)
    assert torch.equal(torch.cat(parts), rows * 2)
    assert size == 4


def test_not_even_one_row_is_a_sentence() -> None:
    with pytest.raises(Refused, match="not even one input at a time fits in memory"):
        batching.run_halving(short_of_memory(0), torch.arange(3), 4)


def test_other_errors_are_not_taken_for_memory() -> None:
    def broken(rows: torch.Tensor) -> torch.Tensor:
        raise RuntimeError("shapes disagree")

    with pytest.raises(RuntimeError, match="shapes disagree"):
        batching.run_halving(broken, torch.arange(3), 4)


def test_the_fastest_size_is_the_one_that_costs_least_a_row() -> None:
    costs = {1: 0.02, 4: 0.03, 16: 0.2, 64: 0.9}
    assert batching.find_fastest_size(lambda size: time.sleep(costs[size])) == 4


def test_sizes_that_do_not_fit_are_not_chosen() -> None:
    def run(size: int) -> None:
        if size > 4:
            raise torch.OutOfMemoryError("CUDA out of memory")
        time.sleep(0.01)

    assert batching.find_fastest_size(run) == 4
