"""Each test of a map against its closed form on a linear network, and against captum where it has the same."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy import stats

from backends.errors import Refused
from backends.evidence import minimal_sets, trial
from backends.evidence.measures import (
    agreement,
    bank_correlation,
    completeness,
    curves,
    eraser,
    hiding,
    infidelity,
    localisation,
)
from tests.backends.evidence import linear
from tests.backends.evidence.test_masked_forwards import made

EFFECTS = {"b": 3.0, "e": 2.0, "h": -1.0, "k": 0.5}


def test_the_exact_map_correlates_with_every_drop() -> None:
    model, image, exact = linear.picture(spot=False)
    bank = made(model, {"image": image}, count=40)
    maps = np.stack([exact.ravel(), -2 * exact.ravel(), np.ones(256)])
    assert bank_correlation.correlation(bank.hidden, bank.drops, maps) == pytest.approx([1, -1, 0], abs=1e-4)


def test_partial_correlation_is_that_of_residuals() -> None:
    chance = np.random.default_rng(0)
    hidden, drops, values = chance.random((30, 9)) < 0.4, chance.standard_normal(30), chance.standard_normal(9)
    size = np.stack([np.ones(30), hidden.sum(1)], 1)
    left, right = (v - size @ np.linalg.lstsq(size, v, rcond=None)[0] for v in (hidden @ values, drops))
    wanted = np.corrcoef(left, right)[0, 1]
    assert bank_correlation.correlation(hidden, drops, values[None])[0] == pytest.approx(wanted)


def test_masks_of_one_size_give_the_plain_correlation() -> None:
    chance = np.random.default_rng(0)
    hidden = np.stack([chance.permutation(9) < 3 for _ in range(30)])
    drops, values = chance.standard_normal(30), chance.standard_normal(9)
    wanted = np.corrcoef(hidden @ values, drops)[0, 1]
    assert bank_correlation.correlation(hidden, drops, values[None])[0] == pytest.approx(wanted)


def test_curves_are_sums_of_what_is_left() -> None:
    model, weight = linear.text(EFFECTS)
    bank = made(model, {"text": linear.TEXT}, count=1)
    found = curves.curves(bank, weight[1:-1])
    first, last = np.sort(weight[1:-1])[::-1], np.sort(weight[1:-1])
    count = np.rint(found.hidden * 12).astype(int)
    assert found.brightest_first == pytest.approx([4.5 - first[:n].sum() for n in count])
    assert found.darkest_first == pytest.approx([4.5 - last[:n].sum() for n in count])
    area = np.trapezoid(found.darkest_first, found.hidden) - np.trapezoid(found.brightest_first, found.hidden)
    assert found.srg == pytest.approx(area)
    assert found.srg > 0
    assert curves.curves(bank, -weight[1:-1]).srg < 0


def test_insertion_is_the_darkest_first_curve_backwards() -> None:
    model, weight = linear.text(EFFECTS)
    bank = made(model, {"text": linear.TEXT}, count=1)
    found = curves.curves(bank, weight[1:-1])
    order = np.argsort(-weight[1:-1], kind="stable")
    shown = [weight[1:-1][order[:n]].sum() for n in np.rint((1 - found.hidden) * 12).astype(int)]
    assert found.darkest_first == pytest.approx(shown)


def test_comprehensiveness_and_sufficiency() -> None:
    model, weight = linear.text(EFFECTS)
    bank = made(model, {"text": linear.TEXT}, count=1)
    found = eraser.eraser(bank, weight[1:-1])
    order, sigmoid = np.sort(weight[1:-1])[::-1], lambda v: 1 / (1 + np.exp(-v))
    counts = [max(round(share * 12), 1) for share in eraser.SHARES]
    lost = [sigmoid(4.5) - sigmoid(4.5 - order[:n].sum()) for n in counts]
    missing = [sigmoid(4.5) - sigmoid(order[:n].sum()) for n in counts]
    assert found["comprehensiveness"]["by_share"] == pytest.approx(lost, abs=1e-6)
    assert found["sufficiency"]["value"] == pytest.approx(np.mean(missing), abs=1e-6)
    assert found["comprehensiveness"]["p"] <= 0.2


def test_infidelity_is_zero_for_the_exact_map_and_equals_captum() -> None:
    from captum.metrics import infidelity as theirs

    model, image, exact = linear.picture(spot=False)
    bank = made(model, {"image": image}, count=32)
    other = np.random.default_rng(1).standard_normal(256)
    maps = np.stack([exact.ravel(), other])
    plain = infidelity.infidelity(bank.hidden, bank.drops, maps, scaled=False)
    assert plain[0] == pytest.approx(0, abs=1e-6)

    def answer(kept: torch.Tensor) -> torch.Tensor:  # (N, place) of 0 and 1
        return torch.from_numpy(bank.ask(kept.numpy() < 0.5)[:, 0])

    def perturb(kept: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        hidden = torch.from_numpy(bank.hidden.astype(float))
        return hidden, kept - hidden

    all_kept, attribution = torch.ones(1, 256, dtype=torch.double), torch.from_numpy(other)[None]
    for scaled in (False, True):
        ours = infidelity.infidelity(bank.hidden, bank.drops, maps, scaled)[1]
        captum = theirs(answer, perturb, all_kept, attribution, n_perturb_samples=32, normalize=scaled)
        assert ours == pytest.approx(float(captum[0]), rel=1e-5)
    assert infidelity.against_copies(bank, exact.ravel())["p"] == pytest.approx(1 / 512)
    assert infidelity.against_copies(bank, -exact.ravel())["value"] == pytest.approx(1.0)  # captum's would be 0


def test_equally_bright_places_are_not_taken_from_the_top() -> None:
    maps, region = np.zeros((1, 256)), np.zeros(256, bool)
    maps[0, 204], region[:16] = 1.0, True
    assert localisation.numbers(maps, region)["rank accuracy"][0] == pytest.approx(15 * 16 / 255 / 16)


def test_copies_of_a_long_text_do_not_grow_with_its_square() -> None:
    from backends.evidence import controls

    made = controls.orders((3000,), 0)
    assert made.shape == (controls.MOST, 3000)
    assert (np.sort(made, 1) == np.arange(3000)).all()


def test_a_trial_recovers_every_effect() -> None:
    model, weight = linear.text(EFFECTS)
    bank = made(model, {"text": linear.TEXT}, count=1)
    hidden = trial.design(12, 72)
    found = trial.trial(hidden, bank.ask(hidden)[:, 0], change=4.5)
    assert found.effect == pytest.approx(weight[1:-1], abs=1e-5)
    assert np.flatnonzero(found.found).tolist() == [1, 4, 7, 10]
    assert found.plain()["found"][1] is True


def test_hc3_is_that_of_statsmodels_formula() -> None:
    chance = np.random.default_rng(2)
    hidden, scores = trial.design(4, 40), chance.standard_normal(40)
    found = trial.trial(hidden, scores, change=0.0)
    x, falls = 2.0 * hidden[::2] - 1, scores[1::2] - scores[::2]
    inverse = np.linalg.inv(x.T @ x)
    left = falls - x @ inverse @ x.T @ falls
    weight = (left / (1 - np.diag(x @ inverse @ x.T))) ** 2
    assert found.error == pytest.approx(np.sqrt(np.diag(inverse @ x.T @ np.diag(weight) @ x @ inverse)))
    assert found.freedom == 16


def test_discoveries_are_those_of_benjamini_and_hochberg() -> None:
    from scipy.stats import false_discovery_control

    p = np.random.default_rng(0).random(50) ** 3
    assert np.array_equal(trial.discoveries(p, 0.1), false_discovery_control(p) <= 0.1)
    assert not trial.discoveries(np.ones(5)).any()


def test_false_discoveries_stay_rare() -> None:
    """Networks that ignore half of their words, with interactions and noise: few of the found words are ignored."""
    share = []
    for seed in range(20):
        chance = np.random.default_rng(seed)
        weight = np.where(np.arange(20) < 10, chance.standard_normal(20), 0.0)
        hidden = trial.design(20, 120, seed)
        kept = ~hidden
        scores = kept @ weight + 0.5 * kept[:, 0] * kept[:, 1] + 0.3 * chance.standard_normal(120)
        found = trial.trial(hidden, scores, change=float(np.abs(weight).sum())).found
        share.append(found[10:].sum() / max(found.sum(), 1))
    assert np.mean(share) <= 0.1


@pytest.mark.parametrize("kind", ["noise", "three together"])
def test_any_effect_of_networks_that_ignore_all_is_seldom_found(kind: str) -> None:
    """The rate is kept with the least effect at 0, and where three parts act together and none by itself."""
    any_found = []
    for seed in range(200):
        chance = np.random.default_rng(seed)
        hidden = trial.design(10, 60, seed)
        signs = np.where(hidden, -1.0, 1.0)
        scores = chance.standard_normal(60) if kind == "noise" else 3 * signs[:, :3].prod(1) + signs[:, 3:6].prod(1)
        any_found.append(bool(trial.trial(hidden, scores, 1.0, least=0.0).found.any()))
    assert np.mean(any_found) <= 0.1 + 2 * np.sqrt(0.1 * 0.9 / 200)


def test_intervals_hold_what_they_say_and_pairs_that_act_together_widen_none() -> None:
    """Against the exact mean over all sets: with interactions of two, the error is that of noise alone."""
    covered, errors = [], []
    for seed in range(200):
        chance = np.random.default_rng(seed)
        hidden = trial.design(8, 48, seed)
        kept = 1.0 * ~hidden
        scores = kept @ np.arange(8.0) + 5 * kept[:, 0] * kept[:, 1] + 0.5 * chance.standard_normal(48)
        found = trial.trial(hidden, scores, 1.0)
        exact = np.arange(8.0) + np.array([2.5, 2.5, *[0.0] * 6])
        half = stats.t.ppf(0.975, found.freedom) * found.error
        covered.append(np.abs(found.effect - exact) <= half)
        errors.append(found.error)
    assert 0.92 <= np.mean(covered) <= 0.99
    assert np.median(errors) < 0.25  # 0.5 · √2 / √24 is 0.14; with the interaction left in it would be 0.5


def test_too_few_trials() -> None:
    with pytest.raises(Refused, match=r"12 trials are too few for 8 parts; take at least 26"):
        trial.trial(trial.design(8, 12), np.zeros(12), 1.0)
    with pytest.raises(ValueError, match="followed by the one that hides all else"):
        trial.trial(np.zeros((40, 8), bool), np.zeros(40), 1.0)


def test_the_smallest_set_that_flips() -> None:
    effect = np.array([0.4, 3.0, 2.0, 1.0, -1.0])

    def ahead(total: float) -> minimal_sets.Answers:
        return lambda hidden: total - hidden @ effect

    assert minimal_sets.flipping(effect, ahead(2.5)).parts == (1,)
    two = minimal_sets.flipping(effect, ahead(4.5))
    assert (two.parts, two.flips, two.margin) == ((1, 2), True, pytest.approx(-0.5))
    assert minimal_sets.flipping(effect, ahead(5.5)).parts == (1, 2, 3)
    never = minimal_sets.flipping(effect, ahead(50.0))
    assert not never.flips
    assert never.plain()["margin"] == pytest.approx(43.6)


def test_the_smallest_set_that_suffices() -> None:
    effect = np.array([0.4, 3.0, 2.0, 1.0])
    found = minimal_sets.sufficient(effect, lambda hidden: (~hidden) @ effect - 4.5)
    assert (found.parts, found.flips, found.margin) == ((1, 2), True, pytest.approx(0.5))


def test_localisation_of_a_perfect_and_of_a_blind_map() -> None:
    region = np.zeros((16, 16), bool)
    region[2:6, 9:13] = True
    found = localisation.localisation(region * 2.0, region)
    assert {name: about["value"] for name, about in found.items()} == dict.fromkeys(localisation.NUMBERS, 1.0)
    assert all(about["p"] <= 4 / 512 for name, about in found.items() if name != "pointing")
    half = np.zeros((16, 16))
    half[2:6, 7:11] = 1.0
    about = localisation.localisation(half, region)
    assert about["mass inside"]["value"] == pytest.approx(0.5)
    assert about["rank accuracy"]["value"] == pytest.approx(0.5)
    assert about["intersection over union"]["value"] == pytest.approx(1 / 3)


def test_regions_that_do_not_fit() -> None:
    with pytest.raises(Refused, match=r"the region is \(2, 2\) but the map is \(4, 4\)"):
        localisation.localisation(np.ones((4, 4)), np.ones((2, 2), bool))
    with pytest.raises(Refused, match="empty or everything"):
        localisation.localisation(np.ones((4, 4)), np.zeros((4, 4), bool))


def test_agreement_is_spearman() -> None:
    from scipy.stats import spearmanr

    chance = np.random.default_rng(0)
    one, two = chance.standard_normal((2, 8, 8))
    found = agreement.agreement({"one": one, "two": two, "same": 3 * one + 1})
    assert found["similarity"][0][1] == pytest.approx(spearmanr(one.ravel(), two.ravel()).statistic)
    assert found["similarity"][0][2] == pytest.approx(1.0)
    assert found["p"][0][2] == pytest.approx(1 / 512)
    assert agreement.similarity(one, np.ones((8, 8))) == 0
    with pytest.raises(Refused, match="their shapes differ"):
        agreement.agreement({"one": one, "two": two[:4]})


def test_completeness_says_whether_a_map_adds_up() -> None:
    facts = {"completeness_gap": 0.0, "output": 5.0, "baseline_output": 1.0}
    assert completeness.line(4.0, {}) is None
    good, bad = completeness.line(4.0, facts), completeness.line(8.0, facts)
    assert good is not None
    assert bad is not None
    assert (good.value, good.verdict) == (0.0, "holds")
    assert (bad.value, bad.verdict) == (1.0, "fails")


def test_a_parts_own_shape_elsewhere_does_not_touch_it() -> None:
    model, image, exact = linear.picture()
    bank = made(model, {"image": image}, count=1)
    chosen = exact.ravel() > 0
    others = hiding.own_copies(bank, chosen, 16)
    assert others.shape == (16, 256)
    assert set(others.sum(1)) == {16}
    assert not (others & chosen).any()
    assert not len(hiding.own_copies(bank, chosen, 0))


def judged(*parts: tuple[float, float], seen: float = 10.0) -> str:
    """The judgement of parts given as (drop, largest drop elsewhere); no hiding moved the score by more than `seen`."""
    bank = SimpleNamespace(whole=np.zeros(3), drops=np.array([0.0, seen]))
    none = np.zeros((12, 3))
    found = []
    for drop, other in parts:
        others = np.stack([np.full(3, -v) for v in np.linspace(-other, other, 12)])
        found.append(hiding.Part(np.ones(4, bool), np.full(3, -drop), none, others))
    return hiding.judge(bank, found)  # type: ignore[arg-type]


def test_judgement() -> None:
    assert judged((5.0, 0.1), (5.0, 0.1), (0.0, 0.1)) == "holds"  # two sizes of three
    assert judged((5.0, 0.1), (0.05, 0.1), (0.0, 0.1)) == "fails"  # one size, and not by much
    assert judged((9.0, 0.1), (0.05, 0.1), (0.0, 0.1)) == "cannot tell"
    assert judged((1.0, 0.1), (1.0, 0.1), (1.0, 0.1)) == "fails"  # a trifle
    assert judged((5.0, 6.0), (5.0, 6.0), (5.0, 0.1)) == "fails"  # elsewhere does as much
    assert judged((-5.0, 0.1), (-5.0, 0.1), (-5.0, 0.1)) == "fails"
    assert judged((5.0, 0.1)) == "holds"


def test_of_parts_that_do_the_same_the_smallest_is_spoken_of() -> None:
    bank = SimpleNamespace(whole=np.zeros(3))
    one = [hiding.Part(np.ones(n, bool), np.full(3, -drop), np.zeros((1, 3)), np.zeros((1, 3)))
           for n, drop in ((1, 2.0), (2, 5.9), (3, 6.0))]  # fmt: skip
    assert len(hiding.most(bank, one).chosen) == 2  # type: ignore[arg-type]
    assert len(hiding.most(bank, one, against=True).chosen) == 1  # type: ignore[arg-type]


def test_what_bright_words_are_worth() -> None:
    effects = np.array([4.0, 2.0, -1.0, 0.0, 0.0])
    maps = np.array([[1.0, 0, 0, 0, 0], [0, 1, 0, 0, 0], [0, 0, 1, 0, 0], [3, 3, 0, 0, 0], [1, 1, 1, 1, 1]])
    assert bank_correlation.worth(effects, maps) == pytest.approx([1.0, 0.5, 0.0, 0.75, 0.0])
    assert bank_correlation.worth(-np.abs(effects), maps) == pytest.approx(np.zeros(5))
