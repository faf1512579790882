"""The trial of all parts: exact effects, HC3 errors, and false discoveries at the rate that was asked for."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from backends.errors import Refused
from backends.evidence import trial
from tests.backends.evidence import linear

EFFECTS = {"b": 3.0, "e": 2.0, "h": -1.0, "k": 0.5}


def test_a_trial_recovers_every_effect() -> None:
    model, weight = linear.text(EFFECTS)
    masked = linear.mask(model, {"text": linear.TEXT}, count=1)
    hidden = trial.draw_design(12, 72)
    found = trial.fit_trial(hidden, masked.ask(hidden)[:, 0], change=4.5)
    assert found.effect == pytest.approx(weight[1:-1], abs=1e-5)
    assert np.flatnonzero(found.found).tolist() == [1, 4, 7, 10]
    assert found.plain()["found"][1] is True


def test_hc3_is_that_of_statsmodels_formula() -> None:
    chance = np.random.default_rng(2)
    hidden, scores = trial.draw_design(4, 40), chance.standard_normal(40)
    found = trial.fit_trial(hidden, scores, change=0.0)
    x, falls = 2.0 * hidden[::2] - 1, scores[1::2] - scores[::2]
    inverse = np.linalg.inv(x.T @ x)
    left = falls - x @ inverse @ x.T @ falls
    weight = (left / (1 - np.diag(x @ inverse @ x.T))) ** 2
    assert found.error == pytest.approx(np.sqrt(np.diag(inverse @ x.T @ np.diag(weight) @ x @ inverse)))
    assert found.freedom == 16


def test_discoveries_are_those_of_benjamini_and_hochberg() -> None:
    from scipy.stats import false_discovery_control

    p = np.random.default_rng(0).random(50) ** 3
    assert np.array_equal(trial.select_discoveries(p, 0.1), false_discovery_control(p) <= 0.1)
    assert not trial.select_discoveries(np.ones(5)).any()


def test_false_discoveries_stay_rare() -> None:
    """Networks that ignore half of their words, with interactions and noise: few of the found words are ignored."""
    share = []
    for seed in range(20):
        chance = np.random.default_rng(seed)
        weight = np.where(np.arange(20) < 10, chance.standard_normal(20), 0.0)
        hidden = trial.draw_design(20, 120, seed)
        kept = ~hidden
        scores = kept @ weight + 0.5 * kept[:, 0] * kept[:, 1] + 0.3 * chance.standard_normal(120)
        found = trial.fit_trial(hidden, scores, change=float(np.abs(weight).sum())).found
        share.append(found[10:].sum() / max(found.sum(), 1))
    assert np.mean(share) <= 0.1


@pytest.mark.parametrize("kind", ["noise", "three together"])
def test_any_effect_of_networks_that_ignore_all_is_seldom_found(kind: str) -> None:
    """The rate is kept with the least effect at 0, and where three parts act together and none by itself."""
    any_found = []
    for seed in range(200):
        chance = np.random.default_rng(seed)
        hidden = trial.draw_design(10, 60, seed)
        signs = np.where(hidden, -1.0, 1.0)
        scores = chance.standard_normal(60) if kind == "noise" else 3 * signs[:, :3].prod(1) + signs[:, 3:6].prod(1)
        any_found.append(bool(trial.fit_trial(hidden, scores, 1.0, least=0.0).found.any()))
    assert np.mean(any_found) <= 0.1 + 2 * np.sqrt(0.1 * 0.9 / 200)


def test_intervals_hold_what_they_say_and_pairs_that_act_together_widen_none() -> None:
    """Against the exact mean over all sets: with interactions of two, the error is that of noise alone."""
    covered, errors = [], []
    for seed in range(200):
        chance = np.random.default_rng(seed)
        hidden = trial.draw_design(8, 48, seed)
        kept = 1.0 * ~hidden
        scores = kept @ np.arange(8.0) + 5 * kept[:, 0] * kept[:, 1] + 0.5 * chance.standard_normal(48)
        found = trial.fit_trial(hidden, scores, 1.0)
        exact = np.arange(8.0) + np.array([2.5, 2.5, *[0.0] * 6])
        half = stats.t.ppf(0.975, found.freedom) * found.error
        covered.append(np.abs(found.effect - exact) <= half)
        errors.append(found.error)
    assert 0.92 <= np.mean(covered) <= 0.99
    assert np.median(errors) < 0.25  # 0.5 · √2 / √24 is 0.14; with the interaction left in it would be 0.5


def test_too_few_trials() -> None:
    with pytest.raises(Refused, match=r"12 trials are too few for 8 parts; take at least 26"):
        trial.fit_trial(trial.draw_design(8, 12), np.zeros(12), 1.0)
    with pytest.raises(ValueError, match="followed by the one that hides all else"):
        trial.fit_trial(np.zeros((40, 8), bool), np.zeros(40), 1.0)
