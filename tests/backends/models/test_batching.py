"""Batch sizes: tried once, halved when memory is short."""

import pytest
import torch

from backends.errors import Refused
from backends.models import batching


def test_halving_goes_on_with_smaller_batches_when_memory_is_short():
    def run(rows):
        if len(rows) > 2:
            raise torch.OutOfMemoryError("full")
        return rows * 2

    parts, size = batching.run_halving(run, torch.arange(7.0), 8)
    assert torch.cat(parts).tolist() == [0, 2, 4, 6, 8, 10, 12]
    assert size == 2


def test_memory_that_does_not_fit_one_is_a_sentence():
    def run(rows):
        raise torch.OutOfMemoryError("full")

    with pytest.raises(Refused, match="not even one input at a time fits in memory"):
        batching.run_halving(run, torch.arange(4.0), 4)


def test_other_errors_are_not_swallowed():
    def run(rows):
        raise RuntimeError("shape")

    with pytest.raises(RuntimeError, match="shape"):
        batching.run_halving(run, torch.arange(4.0), 4)


def test_the_fastest_size_stops_where_memory_ends():
    def run(size):
        if size > 4:
            raise torch.OutOfMemoryError("full")

    assert batching.find_fastest_size(run) in (1, 4)


def test_a_model_tries_a_shape_once(opened, monkeypatch):
    model = opened("tiny_gpt2")
    batch = model.encode("the doctor saw a chart")
    target = model.target(None, batch)
    first = model.batch_size(batch, target)
    monkeypatch.setattr(batching, "find_fastest_size", lambda run: pytest.fail("tried again"))
    assert model.batch_size(batch, target) == first
