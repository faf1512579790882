"""Guided Grad-CAM against captum."""

import warnings

import numpy as np
import pytest
from captum import attr

import backends
from tests.backends.methods import cases


def test_it_equals_captum(opened, picture):
    model = opened("tiny_resnet")
    direct = cases.scoring(model, picture)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        method = attr.GuidedGradCam(direct, model.module.resnet.encoder.stages[0])
        expected = method.attribute(direct.features, interpolate_mode="bilinear")
    result = backends.run(model, "guided_grad_cam", picture)
    np.testing.assert_allclose(result.arrays["attribution"], direct.fold(expected), atol=1e-7)
    assert result.unit == "relative"


def test_it_is_not_offered_without_relu_modules(opened, picture):
    with pytest.raises(backends.Refused, match="Guided Grad-CAM needs channels, relu"):
        backends.run(opened("tiny_vit"), "guided_grad_cam", picture)
