"""What class activation maps share: the layer they look at, how a map is laid out, and what is left behind."""

import pytest

import backends
from backends.methods.attribution.cam import choose_stage
from tests.backends.methods import cases

METHODS = "grad_cam", "hires_cam"


@pytest.mark.parametrize("method", METHODS)
def test_it_takes_the_finest_stage_where_none_is_fine_enough(opened, picture, method):
    facts = backends.run(opened("tiny_resnet"), method, picture).facts
    assert (facts["layer"], facts["places"]) == (0, [8, 8])  # stage 1 is 4 × 4
    assert (facts["forwards"], facts["gradients"]) == (2, 1)  # the stages in one forward, and the answer


def test_it_takes_the_last_stage_that_is_fine_enough(opened, picture):
    direct = cases.scoring(opened("tiny_resnet"), picture)
    assert choose_stage(direct, -1, least=4) == (1, "resnet.encoder.stages.1")
    assert choose_stage(direct, -1, least=5) == (0, "resnet.encoder.stages.0")


@pytest.mark.parametrize("method", METHODS)
def test_patches_are_laid_out_over_the_picture(opened, picture, method):
    result = backends.run(opened("tiny_vit"), method, picture)
    assert result.facts["places"] == [4, 4]
    assert result.arrays["attribution"].shape == (32, 32)


@pytest.mark.parametrize(("name", "message"), [("tiny_resnet", "2 stages"), ("tiny_vit", "2 blocks")])
@pytest.mark.parametrize("method", METHODS)
def test_a_layer_that_is_not_there_is_a_sentence(opened, picture, method, name, message):
    with pytest.raises(backends.Refused, match=f"there is no layer 9: the model has {message}, numbered from 0"):
        backends.run(opened(name), method, picture, layer=9)


@pytest.mark.parametrize(("method", "title"), [("grad_cam", "Grad-CAM"), ("hires_cam", "HiResCAM")])
def test_a_network_without_layers_is_a_sentence(method, title):
    with pytest.raises(backends.Refused, match=f"no stages or blocks were found in linear: {title} has no layer"):
        backends.run(cases.linear(), method, cases.image())
