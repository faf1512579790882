"""HiResCAM: in closed form, by captum on convolutions, ours over tokens, and not Grad-CAM."""

import numpy as np
import pytest
import torch
from captum import attr
from torch.nn.functional import interpolate

import backends
from tests.backends.methods import cases
from tests.conftest import TEXT


def test_it_is_activation_times_gradient_over_the_channels():
    model = cases.pooled()
    stage, weight = model.module.stage(model.features(model.encode(cases.image())))[0], model.module.weight[0]
    coarse = (stage * weight).sum(0)
    direct = cases.scoring(model, cases.image(), "a")
    assert float(coarse.sum()) + 0.5 == pytest.approx(direct.output, abs=1e-5)  # each place has what it adds to a logit
    expected = interpolate(coarse[None, None], (8, 8), mode="bilinear")[0, 0]
    np.testing.assert_allclose(cases.attribution(model, "hires_cam", cases.image(), "a"), expected, atol=1e-6)


def test_it_equals_captum_on_convolutions(opened, picture):
    model = opened("tiny_resnet")
    direct, stage = cases.scoring(model, picture), model.module.resnet.encoder.stages[1]
    cam = attr.LayerGradientXActivation(direct, stage).attribute(direct.features).sum(1, keepdim=True)
    expected = interpolate(cam, (32, 32), mode="bilinear")
    ours = cases.attribution(model, "hires_cam", picture, layer=1)
    np.testing.assert_allclose(ours, direct.fold(expected), atol=1e-6)


def test_over_tokens_each_is_taken_against_the_mean_place(opened):
    model = opened("tiny_gpt2")
    direct, streams = cases.scoring(model, TEXT), []
    block = model.module.transformer.h[1]
    handle = block.register_forward_pre_hook(lambda _, args: streams.append(args[0]) or args[0].retain_grad())
    direct(direct.features).backward()
    handle.remove()
    stream, gradient = streams[0][0].detach(), streams[0].grad[0]
    expected = torch.einsum("td,td->t", stream - stream.mean(0), gradient)
    np.testing.assert_allclose(cases.attribution(model, "hires_cam", TEXT, layer=1), expected, atol=1e-6)


@pytest.mark.parametrize("make", [cases.pooled, None])
def test_it_is_not_grad_cam(opened, picture, make):
    model, raw = (make(), cases.image()) if make else (opened("tiny_vit"), picture)
    hires = cases.attribution(model, "hires_cam", raw, positive=True)
    grad = cases.attribution(model, "grad_cam", raw, positive=True)
    assert np.corrcoef(hires.ravel(), grad.ravel())[0, 1] < 0.99


def test_both_are_one_where_the_answer_is_a_mean_over_places(opened, picture):
    model = opened("tiny_resnet")  # global pooling behind its last stage: the gradient is the same at every place
    maps = [cases.attribution(model, name, picture, layer=1, positive=False) for name in ("hires_cam", "grad_cam")]
    scale = np.abs(maps[1]).max()
    np.testing.assert_allclose(maps[0] / scale, maps[1] / scale, atol=1e-4)


def test_positive_cuts_what_speaks_against_the_answer():
    both, positive = (
        backends.run(cases.pooled(), "hires_cam", cases.image(), positive=p, target="a") for p in (False, True)
    )
    assert (both.signed, positive.signed) == (True, False)
    assert both.arrays["attribution"].min() < 0 <= positive.arrays["attribution"].min()
