"""Image–text networks: captions are the classes of a picture."""

import pytest
import torch
import transformers

import backends
from backends import open_model
from backends.errors import Refused
from tests import families

RAW = families.raw("CLIP")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return families.make("CLIP", tmp_path_factory.mktemp("clip"))


@pytest.fixture(scope="module")
def model(folder):
    return open_model(str(folder))


def test_captions_are_ranked_as_the_network_ranks_them(model, folder):
    batch = model.encode(RAW)
    plain = transformers.CLIPModel.from_pretrained(folder).eval()
    with torch.no_grad():
        logits = plain(**batch.inputs).logits_per_image[0]
    best = model.predict(batch)
    assert [c.index for c in best] == logits.argsort(descending=True).tolist()
    assert {c.label for c in best} == {"chest pain", "no fever and no severe pain"}
    assert sum(c.probability for c in best) == pytest.approx(1)


@pytest.mark.parametrize("name", ["CLIP", "SigLIP"])
def test_a_caption_does_not_depend_on_the_others(name, tmp_path):
    model = open_model(str(families.make(name, tmp_path)))
    both, one = model.encode(RAW), model.encode({**RAW, "text": "chest pain"})
    with torch.no_grad():
        logits = [model.outputs(model.features(batch), batch)[0, 0] for batch in (both, one)]
    torch.testing.assert_close(*logits)


def test_a_caption_and_a_pair_of_captions_are_explained(model):
    batch = model.encode(RAW)
    assert model.target("chest pain", batch).ids == (0,)
    assert model.target(1, batch).words == "no fever and no severe pain"
    assert model.target(None, batch).ids == (model.predict(batch)[0].index,)
    pair = backends.run(model, "integrated_gradients", RAW, target=[0, 1], steps=100)
    assert pair.target == "chest pain rather than no fever and no severe pain"
    assert pair.arrays["attribution"].shape == (32, 32)
    assert pair.facts["completeness_gap"] < 0.01


def test_both_towers_are_shown(model):
    image, text = (backends.run(model, "attention", RAW, part=part) for part in ("image", "text"))
    assert image.arrays["pattern"].shape == (3, 4, 17, 17)
    assert image.facts["grid"] == [4, 4]
    assert text.labels["key"][:4] == ("[CLS]", "chest", "pain", "[SEP]")
    assert "image" not in text.arrays
    assert "grid" not in text.facts
    states = backends.run(model, "residual_trajectory", RAW, part="text")
    assert states.arrays["path"].shape[1] == len(states.labels["position"])


@pytest.mark.parametrize(
    ("raw", "target", "message"),
    [
        ({"image": RAW["image"]}, None, "compares a picture with captions: give one caption a line beside the picture"),
        ({"text": "chest pain"}, None, "reads an image, and none was given"),
        ({**RAW, "text": "pain " * 20}, None, "a caption has 22 tokens; .* reads at most 16"),
        (RAW, "a cat", "no caption 'a cat'; the captions are: chest pain, no fever"),
        (RAW, [0, 0], r"a contrastive target is a pair \[a, b\] of two different captions"),
    ],
)
def test_what_cannot_be_done_is_a_sentence(model, raw, target, message):
    with pytest.raises(Refused, match=message):
        backends.run(model, "saliency", raw, target=target)
