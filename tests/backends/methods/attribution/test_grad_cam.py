"""Grad-CAM: captum's on convolutions, ours over tokens against an independent derivation."""

import numpy as np
import pytest
import torch
from captum import attr

import backends
from backends.methods.attribution.grad_cam import stage
from tests.backends.methods import cases
from tests.conftest import TEXT


@pytest.mark.parametrize("weights", ["channel", "place"])
def test_it_equals_captum_on_convolutions(opened, picture, weights):
    model = opened("tiny_resnet")
    direct, stage = cases.scoring(model, picture), model.module.resnet.encoder.stages[1]
    if weights == "channel":
        cam = attr.LayerGradCam(direct, stage).attribute(direct.features)
    else:
        cam = attr.LayerGradientXActivation(direct, stage).attribute(direct.features).sum(1, keepdim=True)
    expected = torch.nn.functional.interpolate(cam, (32, 32), mode="bilinear")
    ours = cases.attribution(model, "grad_cam", picture, layer=1, weights=weights)
    np.testing.assert_allclose(ours, direct.fold(expected), atol=1e-6)


def test_it_takes_the_finest_stage_where_none_is_fine_enough(opened, picture):
    facts = backends.run(opened("tiny_resnet"), "grad_cam", picture).facts
    assert (facts["layer"], facts["places"]) == (0, [8, 8])  # stage 1 is 4 × 4


def test_it_takes_the_last_stage_that_is_fine_enough(opened, picture):
    direct = cases.scoring(opened("tiny_resnet"), picture)
    assert stage(direct, -1, least=4) == (1, "resnet.encoder.stages.1")
    assert stage(direct, -1, least=5) == (0, "resnet.encoder.stages.0")


def test_positive_cuts_what_speaks_against_the_answer(opened, picture):
    both, positive = (backends.run(opened("tiny_vit"), "grad_cam", picture, positive=p) for p in (False, True))
    assert both.signed
    assert not positive.signed
    assert both.arrays["attribution"].min() < 0 <= positive.arrays["attribution"].min()
    inside = positive.arrays["attribution"] > 0
    np.testing.assert_array_equal(positive.arrays["attribution"][inside], both.arrays["attribution"][inside])


@pytest.mark.parametrize("weights", ["channel", "place"])
def test_over_tokens_it_is_the_gradient_times_the_stream(opened, weights):
    model = opened("tiny_gpt2")
    direct = cases.scoring(model, TEXT)
    streams = []
    block = model.module.transformer.h[1]
    handle = block.register_forward_pre_hook(lambda _, args: streams.append(args[0]) or args[0].retain_grad())
    direct(direct.features).backward()
    handle.remove()
    stream, gradient = streams[0][0].detach(), streams[0].grad[0]
    if weights == "channel":
        expected = stream @ gradient.mean(0)
    else:
        expected = torch.einsum("td,td->t", stream - stream.mean(0), gradient)
    ours = cases.attribution(model, "grad_cam", TEXT, layer=1, weights=weights)
    np.testing.assert_allclose(ours, expected, atol=1e-6)


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
