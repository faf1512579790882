"""Image encoders without classes show their inside only."""

import pytest
import torch
import transformers

import backends
from backends import open_model
from backends.errors import Refused
from tests import families


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return open_model(str(families.make("DINOv2", tmp_path_factory.mktemp("dinov2"))))


def test_attention_and_states_are_shown(model):
    raw = families.raw("DINOv2")
    assert backends.run(model, "attention", raw).arrays["pattern"].shape == (3, 4, 17, 17)
    assert backends.run(model, "residual_trajectory", raw).arrays["path"].shape == (4, 17, 3)
    assert model.encode(raw).grid == (4, 4)
    assert model.encode(raw).first_patch == 1


def test_nothing_can_be_explained_and_that_is_said(model):
    batch = model.encode(families.raw("DINOv2"))
    assert model.predict(batch) == []
    assert model.labels == ()
    assert not {"answer", "gradient"} & model.offers
    with pytest.raises(Refused, match="names no classes: it represents pictures and answers nothing to be explained"):
        model.target(None, batch)


def test_a_network_that_reads_something_else_is_a_sentence(tmp_path):
    config = transformers.VideoMAEConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, image_size=32, patch_size=8
    )
    transformers.VideoMAEModel(config).save_pretrained(tmp_path)
    transformers.ViTImageProcessorPil(size={"height": 32, "width": 32}).save_pretrained(tmp_path)
    with pytest.raises(Refused, match="opens as image-encoding, but a small forward fails: "):
        open_model(str(tmp_path))


@pytest.mark.parametrize(
    ("kind", "settings"),
    [("ResNet", {"embedding_size": 8, "layer_type": "basic"}), ("ConvNext", {"image_size": 32, "num_stages": 2})],
)
def test_convolutions_without_a_head_open_too(kind, settings, tmp_path):
    config = getattr(transformers, f"{kind}Config")(hidden_sizes=[8, 12], depths=[1, 1], **settings)
    getattr(transformers, f"{kind}Model")(config).save_pretrained(tmp_path)
    transformers.ViTImageProcessorPil(size={"height": 32, "width": 32}).save_pretrained(tmp_path)
    model = open_model(str(tmp_path))
    batch = model.encode(families.raw("ResNet"))
    with torch.no_grad():
        assert model.outputs(model.features(batch), batch).shape == (1, 12)
    assert "channels" in model.offers
