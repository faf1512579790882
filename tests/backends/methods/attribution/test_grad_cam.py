"""Grad-CAM: the paper's equations in closed form, captum's on convolutions, ours over tokens, and its old option."""

import numpy as np
import pytest
import torch
from captum import attr
from torch.nn.functional import interpolate

import backends
from backends import registry
from tests.backends.methods import cases
from tests.conftest import TEXT


def test_it_is_equations_1_and_2_of_the_paper():
    model = cases.pooled()
    stage, weight = model.module.stage(model.features(model.encode(cases.image())))[0], model.module.weight[0]
    alpha = torch.tensor([float(weight[k].sum()) / 16 for k in range(3)])  # eq. 1: the mean gradient over 16 places
    coarse = sum(alpha[k] * stage[k] for k in range(3)).clamp(min=0)  # eq. 2
    assert float(coarse.max()) > 0
    expected = interpolate(coarse[None, None], (8, 8), mode="bilinear")[0, 0]
    np.testing.assert_allclose(cases.attribution(model, "grad_cam", cases.image(), "a"), expected, atol=1e-6)


@pytest.mark.parametrize("positive", [True, False])
def test_it_equals_captum_on_convolutions(opened, picture, positive):
    model = opened("tiny_resnet")
    direct, stage = cases.scoring(model, picture), model.module.resnet.encoder.stages[1]
    cam = attr.LayerGradCam(direct, stage).attribute(direct.features, relu_attributions=positive)
    expected = interpolate(cam, (32, 32), mode="bilinear")
    ours = cases.attribution(model, "grad_cam", picture, layer=1, positive=positive)
    np.testing.assert_allclose(ours, direct.fold(expected), atol=1e-6)


def test_over_tokens_a_dimension_has_one_weight(opened):
    model = opened("tiny_gpt2")
    direct, streams = cases.scoring(model, TEXT), []
    block = model.module.transformer.h[1]
    handle = block.register_forward_pre_hook(lambda _, args: streams.append(args[0]) or args[0].retain_grad())
    direct(direct.features).backward()
    handle.remove()
    expected = streams[0][0].detach() @ streams[0].grad[0].mean(0)
    ours = cases.attribution(model, "grad_cam", TEXT, layer=1, positive=False)
    np.testing.assert_allclose(ours, expected, atol=1e-6)


def test_only_what_speaks_for_the_answer_is_shown_unless_asked(opened, picture):
    positive, both = (backends.run(opened("tiny_vit"), "grad_cam", picture, positive=p) for p in (True, False))
    assert registry.method("grad_cam").build({}).options() == {"layer": -1, "positive": True}
    assert (positive.signed, both.signed) == (False, True)
    assert both.arrays["attribution"].min() < 0 <= positive.arrays["attribution"].min()


@pytest.mark.parametrize("weights", ["place", "channel"])
def test_the_option_of_before_names_the_method_that_has_it_now(opened, picture, weights):
    with pytest.raises(backends.Refused, match="weights for each place are the method hires_cam"):
        backends.run(opened("tiny_resnet"), "grad_cam", picture, weights=weights)
