"""Image classifiers: pixels, patches, squares, bad pictures."""

import dataclasses
import io

import numpy as np
import pytest
import torch
from PIL import Image

from backends.errors import Refused
from tests.conftest import IMAGES


@pytest.mark.parametrize("name", IMAGES)
def test_what_the_network_saw_is_kept(opened, picture, name):
    batch = opened(name).encode(picture)
    np.testing.assert_array_equal(batch.image, picture)
    assert batch.inputs["pixel_values"].shape == (1, 3, 32, 32)
    with torch.no_grad():
        direct = opened(name).module(**batch.inputs).logits
        torch.testing.assert_close(opened(name).outputs(opened(name).features(batch), batch), direct)


def test_every_kind_of_picture_opens_alike(opened, picture, tmp_path):
    model = opened("tiny_vit")
    image, data = Image.fromarray(picture), io.BytesIO()
    image.save(data, "PNG")
    (tmp_path / "a.png").write_bytes(data.getvalue())
    for raw in (image, data.getvalue(), str(tmp_path / "a.png"), {"image": picture}):
        np.testing.assert_array_equal(model.encode(raw).image, picture)


def test_patches_are_counted_and_the_class_token_stands_before_them(opened, picture):
    batch = opened("tiny_vit").encode(picture)
    assert batch.grid == (4, 4)
    assert batch.first_patch == 1
    assert "patches" in opened("tiny_vit").offers
    facts = opened("tiny_vit").context(batch)["facts"]
    assert facts == {"grid": [4, 4], "first_patch": 1}


def test_a_convolutional_network_has_channels_and_relus_but_no_patches(opened, picture):
    model = opened("tiny_resnet")
    assert model.offers >= {"channels", "relu", "pixels", "gradient", "classes"}
    assert not model.offers & {"patches", "attention", "relu6"}
    assert model.layers()["channels"] == ["resnet.encoder.stages.0", "resnet.encoder.stages.1"]
    assert model.encode(picture).grid is None
    assert "relu" not in opened("tiny_vit").offers


def test_squares_number_the_picture_row_by_row(opened, picture):
    model = opened("tiny_vit")
    units = model.units(model.encode(picture), 16)
    assert units.shape == (1, 1, 32, 32)
    assert units[0, 0, ::16, ::16].tolist() == [[0, 1], [2, 3]]
    assert int(model.units(model.encode(picture)).max()) == 255


def test_stand_ins_of_a_picture(opened, picture):
    model = opened("tiny_vit")
    batch = model.encode(picture)
    x = model.features(batch)
    assert model.stand_ins == ("blur", "mean", "zero")
    assert float(model.baseline(x, batch, "zero").abs().sum()) == 0
    torch.testing.assert_close(model.baseline(x, batch, "mean")[0, :, 0, 0], x.mean((0, 2, 3)))
    blur = model.baseline(x, batch, "blur")
    assert blur.shape == x.shape
    assert float(blur.std()) < float(x.std())
    flat = torch.ones_like(x)
    torch.testing.assert_close(model.baseline(flat, batch, "blur"), flat)
    with pytest.raises(Refused, match="cannot be replaced by 'pad'; it can by: blur, mean, zero"):
        model.baseline(x, batch, "pad")


def test_fold_sums_over_colours(opened, picture):
    model = opened("tiny_vit")
    batch = model.encode(picture)
    x = model.features(batch)
    np.testing.assert_allclose(model.fold(x, batch), x[0].sum(0), rtol=1e-6)


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (None, "reads an image, and none was given"),
        ({"text": "pain"}, "reads an image, and none was given"),
        (b"no picture", "this is not an image Vitrine reads; it reads PNG"),
        ("/nowhere/at/all.png", "no image file '/nowhere/at/all.png'"),
    ],
)
def test_a_bad_picture_is_a_sentence(opened, raw, message):
    with pytest.raises(Refused, match=message):
        opened("tiny_vit").encode(raw)


def test_a_damaged_picture_is_a_sentence(opened, picture):
    data = io.BytesIO()
    Image.fromarray(picture).save(data, "PNG")
    with pytest.raises(Refused, match="the image is damaged and cannot be read"):
        opened("tiny_vit").encode(data.getvalue()[:-200])


def test_a_pixel_bomb_is_a_sentence(opened):
    data = io.BytesIO()
    Image.new("1", (8000, 8000)).save(data, "PNG")
    with pytest.raises(Refused, match="8000 × 8000 = 64 megapixels; at most 40 megapixels work"):
        opened("tiny_vit").encode(data.getvalue())


@pytest.mark.parametrize(
    "name", ["plain", "no rescale", "rescaled to 2", "offset", "swapped channels", "divided twice"]
)
def test_what_is_shown_is_what_was_given_whatever_the_preprocessor(opened, name) -> None:
    import transformers as t

    size = {"height": 32, "width": 32}
    mobile = getattr(t, "MobileViTImageProcessorPil", None) or t.MobileViTImageProcessor
    efficient = getattr(t, "EfficientNetImageProcessorPil", None) or t.EfficientNetImageProcessor
    processors = {
        "plain": lambda: t.ViTImageProcessorPil(size=size),
        "no rescale": lambda: t.ViTImageProcessorPil(size=size, do_rescale=False, do_normalize=False),
        "rescaled to 2": lambda: t.ViTImageProcessorPil(size=size, rescale_factor=1 / 127.5),
        "offset": lambda: efficient(
            size=size, rescale_offset=True, rescale_factor=1 / 127.5, do_normalize=False, include_top=False
        ),
        "swapped channels": lambda: mobile(size={"shortest_edge": 32}, crop_size=size),
        "divided twice": lambda: efficient(size=size, include_top=True),
    }
    model = dataclasses.replace(opened("tiny_vit"), processor=processors[name]())
    red = np.zeros((32, 32, 3), np.uint8)
    red[..., 0] = 220
    red[10:20, 10:20] = (30, 200, 40)
    seen = model.encode({"image": red}).image
    assert np.abs(seen.astype(int) - red).max() <= 1
