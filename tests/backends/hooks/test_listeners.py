"""Listeners: threads never mix, and an idle network is the network it was."""

from __future__ import annotations

import copy
import threading

import pytest
import torch

from backends.hooks import probe
from backends.hooks.listeners import _listeners, install, keep_outputs, watch_softmax
from backends.hooks.recording import record
from tests.backends.networks import forward, ready


def test_threads_on_one_network_never_mix() -> None:
    module, _, sites = ready("gpt2")
    inputs = [{"input_ids": torch.full((1, 4 + i), 2 + i)} for i in range(8)]
    wanted = []
    for one in inputs:
        with record(module, sites, patterns=sites.layers, residual=True) as recording:
            forward(module, one)
        wanted.append((recording.patterns[2], recording.residual[3]))
    wrong, start = [], threading.Barrier(8)

    def work(i: int) -> None:
        start.wait()
        for again in range(12):
            if (i + again) % 3 == 0:  # some threads only run the network
                forward(module, inputs[i])
                continue
            with record(module, sites, patterns=sites.layers, residual=True) as recording:
                forward(module, inputs[i])
            same = torch.equal(recording.patterns[2], wanted[i][0]) and torch.equal(recording.residual[3], wanted[i][1])
            wrong.extend([] if same else [i])

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_nothing_is_left_after_an_error() -> None:
    module, inputs, sites = ready("gpt2")
    before = forward(module, inputs)
    hooks = [(len(sub._forward_hooks), len(sub._forward_pre_hooks)) for sub in module.modules()]

    def stop(z: torch.Tensor) -> torch.Tensor:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), record(module, sites, patterns=[0, 1], edits={("z", 1): stop}):
        forward(module, inputs)
    with pytest.raises(IndexError), record(module, sites, patterns=[0]):
        forward(module, {"input_ids": torch.tensor([[1000]])})
    assert _listeners.get() == {}
    assert hooks == [(len(sub._forward_hooks), len(sub._forward_pre_hooks)) for sub in module.modules()]
    assert torch.equal(forward(module, inputs), before)


def test_installing_twice_changes_nothing() -> None:
    module, inputs, sites = ready("llama")
    hooks = [len(sub._forward_hooks) for sub in module.modules()]
    install(module)
    assert probe.locate(module, lambda: forward(module, inputs)) == sites
    assert hooks == [len(sub._forward_hooks) for sub in module.modules()]
    assert max(hooks) == 1
    assert module.config._attn_implementation == "vitrine_sdpa"


def test_a_copy_records_itself() -> None:
    module, inputs, sites = ready("gpt2")
    twin = copy.deepcopy(module)
    twin.transformer.h[0].attn.c_attn.weight += 0.5
    with record(twin, sites, patterns=[0]) as recording:
        forward(module, inputs)
        assert recording.patterns == {}
        forward(twin, inputs)
    assert 0 in recording.patterns


def test_nested_recordings_of_two_networks() -> None:
    one, inputs, sites = ready("gpt2")
    two, _, other = ready("bert")
    with record(one, sites, patterns=[0]) as outer, record(two, other, patterns=[1]) as inner:
        forward(one, inputs)
        forward(two, inputs)
    assert set(outer.patterns) == {0}
    assert set(inner.patterns) == {1}


def test_outputs_are_kept_in_the_graph_and_safe_from_work_in_place() -> None:
    first, second = torch.nn.Linear(3, 4), torch.nn.ReLU(inplace=True)
    states = torch.randn(2, 3, requires_grad=True)
    with keep_outputs(first) as kept:
        score = second(first(states)).sum()
    first(states)
    assert len(kept) == 1
    torch.testing.assert_close(kept[0], first(states))  # not what ReLU made of it
    (gradient,) = torch.autograd.grad(score, kept[0])
    assert torch.equal(gradient, (kept[0] > 0).float())
    assert not first._forward_hooks


def test_a_softmax_is_heard_while_it_is_watched_and_not_after() -> None:
    heard: list[torch.Tensor] = []
    scores = torch.rand(2, 3)
    with watch_softmax(heard.append):
        found = [torch.softmax(scores, -1), scores.softmax(-1), torch.nn.functional.softmax(scores, -1)]
        torch.sigmoid(scores)
    torch.softmax(scores, -1)
    assert len(heard) == 3
    assert all(one is other for one, other in zip(heard, found, strict=True))
