"""Occlusion against its closed form and captum, on pictures and text."""

import numpy as np
import pytest
from captum import attr

import backends
from tests.backends.methods import cases
from tests.conftest import TEXT


def test_windows_that_do_not_overlap_show_their_effect_on_a_linear_network():
    model = cases.linear()
    ours = cases.attribution(model, "occlusion", cases.image(), "a", size=2, stride=2, baseline="mean")
    np.testing.assert_allclose(ours, cases.in_squares(cases.effect(model)[0], 2), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(("size", "stride"), [(8, 4), (5, 3), (7, 5)])
def test_it_equals_captum_on_pictures(opened, picture, size, stride):
    model = opened("tiny_vit")
    direct = cases.scoring(model, picture)
    expected = attr.Occlusion(direct).attribute(
        direct.features, (3, size, size), (3, stride, stride), direct.baseline("blur")
    )
    ours = cases.attribution(model, "occlusion", picture, size=size, stride=stride)
    np.testing.assert_allclose(ours, direct.fold(expected) / 3, atol=5e-6)  # captum repeats it over colours


@pytest.mark.parametrize(("size", "stride"), [(1, 1), (3, 2)])
def test_it_equals_captum_on_text(opened, size, stride):
    model = opened("tiny_gpt2")
    direct = cases.scoring(model, TEXT)
    width = direct.features.shape[-1]
    expected = attr.Occlusion(direct).attribute(
        direct.features, (size, width), (stride, width), direct.baseline("mean")
    )
    ours = cases.attribution(model, "occlusion", TEXT, size=size, stride=stride)
    np.testing.assert_allclose(ours, expected[0, :, 0].detach(), atol=5e-6)


def test_special_tokens_have_nothing_to_lose(opened):
    ours = cases.attribution(opened("tiny_bert"), "occlusion", TEXT, size=2)
    assert ours[0] == ours[-1] == 0
    assert np.all(ours[1:-1] != 0)


def test_windows_that_do_not_fit_are_sentences(opened):
    with pytest.raises(backends.Refused, match="the window of 40 does not fit: the input is 7 long"):
        backends.run(opened("tiny_gpt2"), "occlusion", TEXT, size=40)
    with pytest.raises(backends.Refused, match="a stride of 3 with a window of 2 leaves gaps"):
        backends.run(opened("tiny_gpt2"), "occlusion", TEXT, size=2, stride=3)


def test_progress_is_told_and_it_can_be_cancelled(opened, picture):
    told = []

    def step(fraction):
        told.append(fraction)
        if fraction > 0.3:
            raise backends.Cancelled

    model = opened("tiny_vit")
    model.batch_sizes.clear()
    model.batch_sizes[(3, 32, 32)] = 4
    with pytest.raises(backends.Cancelled):
        backends.run(model, "occlusion", picture, step=step)
    assert told == sorted(told)
    assert 0.3 < told[-1] < 0.5
    model.batch_sizes.clear()
