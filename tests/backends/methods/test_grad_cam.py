"""Grad-CAM: captum's on convolutions, ours over tokens against an independent derivation."""

import numpy as np
import pytest
import torch
from captum import attr

import backends
from tests.backends.methods import cases
from tests.conftest import TEXT


def test_it_equals_captum_on_convolutions(opened, picture):
    model = opened("tiny_resnet")
    direct = cases.scoring(model, picture)
    cam = attr.LayerGradCam(direct, model.module.resnet.encoder.stages[1]).attribute(direct.features)
    expected = torch.nn.functional.interpolate(cam, (32, 32), mode="bilinear")
    ours = cases.attribution(model, "grad_cam", picture, layer=1)
    np.testing.assert_allclose(ours, direct.fold(expected), atol=1e-6)


def test_it_takes_the_last_stage_with_8_by_8_places(opened, picture):
    facts = backends.run(opened("tiny_resnet"), "grad_cam", picture).facts
    assert (facts["layer"], facts["places"]) == (0, [8, 8])  # stage 1 is 4 × 4


def test_positive_cuts_what_speaks_against_the_answer(opened, picture):
    both, positive = (backends.run(opened("tiny_vit"), "grad_cam", picture, positive=p) for p in (False, True))
    assert both.signed
    assert not positive.signed
    assert both.arrays["attribution"].min() < 0 <= positive.arrays["attribution"].min()
    inside = positive.arrays["attribution"] > 0
    np.testing.assert_array_equal(positive.arrays["attribution"][inside], both.arrays["attribution"][inside])


def test_over_tokens_it_is_the_mean_gradient_times_the_stream(opened):
    model = opened("tiny_gpt2")
    direct = cases.scoring(model, TEXT)
    streams = []
    block = model.module.transformer.h[1]
    handle = block.register_forward_pre_hook(lambda _, args: streams.append(args[0]) or args[0].retain_grad())
    direct(direct.features).backward()
    handle.remove()
    weight = streams[0].grad[0].mean(0)
    ours = cases.attribution(model, "grad_cam", TEXT, layer=1)
    np.testing.assert_allclose(ours, (streams[0][0] @ weight).detach(), atol=1e-6)


def test_patches_are_laid_out_over_the_picture(opened, picture):
    result = backends.run(opened("tiny_vit"), "grad_cam", picture)
    assert result.facts["places"] == [4, 4]
    assert result.arrays["attribution"].shape == (32, 32)


@pytest.mark.parametrize(("name", "message"), [("tiny_resnet", "2 stages"), ("tiny_vit", "2 blocks")])
def test_a_layer_that_is_not_there_is_a_sentence(opened, picture, name, message):
    with pytest.raises(backends.Refused, match=f"there is no layer 9: the model has {message}, numbered from 0"):
        backends.run(opened(name), "grad_cam", picture, layer=9)


def test_a_network_without_layers_is_a_sentence():
    with pytest.raises(backends.Refused, match="no stages or blocks were found in linear"):
        backends.run(cases.linear(), "grad_cam", cases.image())
