"""Residual trajectory: identities of CKA, PCA and TwoNN, and the network's own hidden states."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import backends
from backends.methods.trajectory import residual_trajectory as trajectory
from tests.conftest import TEXT, WORDS, raw_for

SEED = torch.Generator().manual_seed(0)


def rotation(size: int) -> torch.Tensor:
    return torch.linalg.qr(torch.randn(size, size, generator=SEED))[0]


def test_cka_of_a_thing_with_itself_is_one_however_it_is_turned() -> None:
    states = torch.randn(30, 8, generator=SEED)
    other = torch.randn(30, 8, generator=SEED)
    turned = 3 * states @ rotation(8) + 5
    cka = trajectory._compute_cka(torch.stack([states, turned, other, other @ rotation(8)]))
    np.testing.assert_allclose(cka.diagonal(), 1, atol=1e-9)
    assert float(cka[0, 1]) == pytest.approx(1, abs=1e-6)
    assert float(cka[0, 2]) == pytest.approx(float(cka[1, 3]), abs=1e-6)
    assert float(cka[0, 2]) < 0.7


def test_cka_equals_the_formula_with_features() -> None:
    states = torch.randn(3, 12, 5, generator=SEED).double()
    centred = states - states.mean(1, keepdim=True)
    cka = trajectory._compute_cka(states)
    for a in range(3):
        for b in range(3):
            x, y = centred[a], centred[b]
            wanted = (x.T @ y).norm() ** 2 / ((x.T @ x).norm() * (y.T @ y).norm())
            assert float(cka[a, b]) == pytest.approx(float(wanted), abs=1e-9)


@pytest.mark.parametrize("shape", [(4, 10, 6), (2, 3, 16), (1, 2, 5)])
def test_principal_directions_equal_a_decomposition(shape: tuple[int, ...]) -> None:
    stream = torch.randn(*shape, generator=SEED)
    path, explained = trajectory._project(stream)
    states = stream.flatten(0, 1).double()
    u, s, _ = torch.linalg.svd(states - states.mean(0), full_matrices=False)
    count = min(3, len(s))
    wanted = (u * s)[:, :count]
    np.testing.assert_allclose(path.flatten(0, 1)[:, :count].abs(), wanted.abs(), atol=1e-6)
    np.testing.assert_allclose(explained[:count], (s**2 / (s**2).sum())[:3], atol=1e-9)
    assert path.shape == (*shape[:2], 3)


def test_large_streams_are_decomposed_at_random_but_repeatably(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = torch.randn(4, 20, 30, generator=SEED) * torch.linspace(8, 0.1, 30)
    exact, shares = trajectory._project(stream)
    monkeypatch.setattr(trajectory, "MOST", 10)
    state = torch.random.get_rng_state()
    path, approximate = trajectory._project(stream)
    assert torch.equal(path, trajectory._project(stream)[0])
    assert torch.equal(state, torch.random.get_rng_state())
    np.testing.assert_allclose(approximate, shares, rtol=1e-2)
    assert float((path - exact).abs().max() / exact.abs().max()) < 0.1


@pytest.mark.parametrize(("filled", "low", "high"), [(1, 0.8, 1.2), (2, 1.7, 2.3), (5, 4, 6)])
def test_the_dimension_is_how_many_directions_are_filled(filled: int, low: float, high: float) -> None:
    points = torch.zeros(1, 800, 12)
    points[..., :filled] = torch.rand(800, filled, generator=SEED)
    points = points @ rotation(12)
    assert low < float(trajectory._estimate_dimension(points)[0]) < high


def test_repeated_states_do_not_count() -> None:
    points = torch.rand(1, 15, 4, generator=SEED)
    assert trajectory._estimate_dimension(points.repeat(1, 3, 1)) is None
    points = torch.rand(1, 40, 4, generator=SEED)
    once, thrice = trajectory._estimate_dimension(points), trajectory._estimate_dimension(points.repeat(1, 3, 1))
    assert torch.equal(once, thrice)


@pytest.mark.parametrize("name", ["tiny_gpt2", "tiny_llama", "tiny_bert", "tiny_vit"])
def test_norms_and_cosines_are_those_of_the_hidden_states(opened: Any, picture: Any, name: str) -> None:
    model = opened(name)
    raw = raw_for(name, picture)
    result = backends.run(model, "residual_trajectory", raw)
    with torch.no_grad():
        states = model.module(**model.encode(raw).inputs, output_hidden_states=True).hidden_states
    states = torch.cat(states if name in ("tiny_bert", "tiny_vit") else states[:-1])  # the last is normed elsewhere
    norm = result.arrays["norm"][: len(states)]
    np.testing.assert_allclose(norm, states.norm(dim=-1), rtol=1e-5)
    cosine = torch.nn.functional.cosine_similarity(states[0], states[1], dim=-1).mean()
    assert result.arrays["cosine"][0, 1] == pytest.approx(float(cosine), abs=1e-5)
    similarity = result.arrays["similarity"]
    np.testing.assert_allclose(np.diag(similarity), 1, atol=1e-6)
    np.testing.assert_allclose(similarity, similarity.T, atol=1e-6)
    assert result.arrays["path"].shape == (len(model.sites.block) + 1, norm.shape[1], 3)
    assert sum(result.facts["explained_variance"]) <= 1 + 1e-9
    assert "dimension" not in result.arrays
    assert "fewer than 20 distinct tokens" in result.facts["dimension_omitted"]


def test_states_of_unit_length_stay_near_each_other(opened: Any) -> None:
    model = opened("tiny_gpt2")
    result = backends.run(model, "residual_trajectory", TEXT, unit_length=True)
    plain = backends.run(model, "residual_trajectory", TEXT)
    assert np.linalg.norm(result.arrays["path"], axis=-1).max() <= 2  # two states of length 1 are at most 2 apart
    assert np.linalg.norm(plain.arrays["path"], axis=-1).max() > 2
    np.testing.assert_array_equal(result.arrays["norm"], plain.arrays["norm"])


def test_one_token_is_compared_by_its_cosine(opened: Any) -> None:
    result = backends.run(opened("tiny_gpt2"), "residual_trajectory", "doctor")
    np.testing.assert_array_equal(result.arrays["similarity"], result.arrays["cosine"])
    assert "CKA needs two tokens" in result.facts["similarity_note"]
    assert all(np.isfinite(array).all() for array in result.arrays.values())


def test_many_distinct_tokens_have_a_dimension(opened: Any) -> None:
    result = backends.run(opened("tiny_bert"), "residual_trajectory", " ".join(dict.fromkeys(WORDS)))
    assert result.arrays["dimension"].shape == (3,)
    assert (result.arrays["dimension"] > 0).all()
