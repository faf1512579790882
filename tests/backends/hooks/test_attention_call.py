"""A call of the attention kernel: rows equal those of the whole pattern, masks are those of eager mode."""

from __future__ import annotations

import pytest
import torch

from backends.hooks.attention_call import AttentionPattern, iterate_rows
from backends.hooks.recording import record
from tests.backends.networks import FAMILIES, IDS, forward, network, ready


@pytest.mark.parametrize("name", FAMILIES)
def test_rows_equal_the_rows_of_the_whole(name: str) -> None:
    module, inputs, sites = ready(name)
    with record(module, sites, patterns=sites.layers) as whole:
        forward(module, inputs)
    rows = [1, 4]
    with record(module, sites, patterns=sites.layers, queries=rows) as some:
        forward(module, inputs)
    with record(module, sites, qk=sites.layers) as later:
        forward(module, inputs)
    for layer in sites.layers:
        wanted = whole.patterns[layer][:, :, rows]
        torch.testing.assert_close(some.patterns[layer], wanted, rtol=0, atol=1e-6)
        torch.testing.assert_close(later.compute_rows(layer, rows), wanted, rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", ["gpt2", "llama", "bert"])
@pytest.mark.parametrize("side", ["left", "right"])
def test_padding_is_masked_as_in_eager(name: str, side: str) -> None:
    module, _, sites = ready(name)
    eager = network(name, "eager")[0]
    ids = torch.cat([IDS, IDS.flip(1)])
    mask = torch.ones_like(ids)
    mask[1, slice(0, 2) if side == "left" else slice(-2, None)] = 0
    with torch.no_grad():
        own = eager(ids, attention_mask=mask, output_attentions=True).attentions
        with record(module, sites, patterns=sites.layers) as recording:
            module(ids, attention_mask=mask)
    real = mask.bool()  # rows of padding mean nothing
    for layer, pattern in enumerate(own):
        mine = recording.patterns[layer]
        assert torch.equal(pattern.transpose(1, 2)[real], mine.transpose(1, 2)[real])
        assert float(mine[1].transpose(0, 1)[real[1]][..., ~real[1]].max()) == 0.0


def test_attention_stays_causal() -> None:
    module, inputs, sites = ready("gpt2")
    with record(module, sites, patterns=[1]) as recording:
        forward(module, inputs)
    assert set(recording.patterns) == {1}
    assert float(recording.patterns[1].triu(1).abs().max()) == 0.0
    torch.testing.assert_close(recording.patterns[1].sum(-1), torch.ones(1, 4, 7))


def test_sinks_leave_rows_below_one() -> None:
    module, inputs, sites = ready("gpt_oss")
    with record(module, sites, patterns=[0]) as recording:
        forward(module, inputs)
    assert float(recording.patterns[0].sum(-1).max()) < 0.999


def test_rows_come_in_pieces_of_bounded_size() -> None:
    pattern = AttentionPattern(torch.rand(1, 2, 10, 10))
    found = list(iterate_rows(pattern, range(1, 10), most=2 * 10 * 4))
    assert [rows.tolist() for rows, _ in found] == [[1, 2, 3, 4], [5, 6, 7, 8], [9]]
    assert torch.equal(torch.cat([part for _, part in found], 2), pattern.weights[:, :, 1:])


def test_one_head_of_a_pattern_is_its_own() -> None:
    pattern = AttentionPattern(torch.rand(1, 3, 4, 5))
    narrow, index = pattern.select_head(2)
    assert (narrow.shape, index) == ((1, 4, 5), 0)
    assert torch.equal(narrow.weights[:, 0], pattern.weights[:, 2])


@pytest.mark.parametrize("name", ["gpt2", "llama", "gemma2", "gpt_oss"])
def test_a_head_selected_from_a_call_has_the_rows_it_had(name: str) -> None:
    module, inputs, sites = ready(name)
    found = []
    with record(module, sites, qk=[1], on_layer=lambda layer, call: found.append(call)):
        forward(module, inputs)
    rows = torch.tensor([0, 3, 6])
    for head in range(4):
        narrow, index = found[0].select_head(head)
        torch.testing.assert_close(narrow.compute_rows(rows)[:, index], found[0].compute_rows(rows)[:, head])


def test_a_detached_call_keeps_no_larger_tensor() -> None:
    module, inputs, sites = ready("gpt2")  # its queries are a view of queries, keys and values
    found = []
    with record(module, sites, qk=[0], on_layer=lambda layer, call: found.append(call)):
        forward(module, inputs)
    query = found[0].query
    assert found[0].storage_bytes()[query.untyped_storage().data_ptr()] == query.nbytes
