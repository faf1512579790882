from __future__ import annotations

import io
import re
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageOps

from backends.errors import Refused
from backends.inputs import images
from backends.inputs.images import open_image

NOISE = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)


def png(image: Image.Image, form: str = "PNG") -> bytes:
    out = io.BytesIO()
    image.save(out, form)
    return out.getvalue()


def bomb(width: int, height: int) -> bytes:
    """A PNG that claims to be enormous and is a few bytes long."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def test_paths_bytes_arrays_and_pictures_open_alike(tmp_path) -> None:
    picture = Image.fromarray(np.arange(48, dtype=np.uint8).reshape(4, 4, 3))
    (tmp_path / "a.png").write_bytes(png(picture))
    for source in (tmp_path / "a.png", str(tmp_path / "a.png"), png(picture), np.asarray(picture), picture):
        np.testing.assert_array_equal(np.asarray(open_image(source)), np.asarray(picture))


def declared(data: bytes, bits: int) -> bytes:
    """A grey PNG that declares how many of its 16 bits are used."""
    chunk = b"sBIT" + bytes([bits])
    return data[:33] + struct.pack(">I", 1) + chunk + struct.pack(">I", zlib.crc32(chunk)) + data[33:]


@pytest.mark.parametrize("form", ["PNG", "TIFF"])
def test_sixteen_bit_greys_are_scaled_by_their_depth_never_by_their_values(form) -> None:
    grey = np.array([[0, 257 * 10, 4095]], np.uint16)
    opened = open_image(png(Image.fromarray(grey), form))
    assert opened.mode == "L"
    np.testing.assert_array_equal(np.asarray(opened), [[0, 10, 16]])
    grey[0, 0] = 65535  # one hot pixel
    np.testing.assert_array_equal(np.asarray(open_image(png(Image.fromarray(grey), form)))[0, 1:], [10, 16])


def test_a_declared_depth_is_heeded() -> None:
    grey = np.array([[0, 4095]], np.uint16)
    assert np.asarray(open_image(declared(png(Image.fromarray(grey)), 12))).tolist() == [[0, 255]]
    file = io.BytesIO()
    Image.fromarray(grey).save(file, "TIFF", tiffinfo={images.MAX_SAMPLE: 4095})
    assert np.asarray(open_image(file.getvalue())).tolist() == [[0, 255]]


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_are_turned_as_their_exif_says(form, orientation) -> None:
    sideways = np.full((32, 48, 3), 40, np.uint8)
    sideways[:, :16] = (220, 20, 20)
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = io.BytesIO()
    Image.fromarray(sideways).save(file, form, exif=exif, **({"quality": 100} if form in ("JPEG", "WEBP") else {}))
    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(file.getvalue()))).convert("RGB")
    np.testing.assert_array_equal(np.asarray(open_image(file.getvalue())), np.asarray(upright))


def test_a_picture_kept_from_memory_is_upright(tmp_path) -> None:
    from backends.store import Store

    exif = Image.Exif()
    exif[0x0112] = 6
    file = io.BytesIO()
    Image.fromarray(np.zeros((20, 30, 3), np.uint8)).save(file, "JPEG", exif=exif)
    store = Store(tmp_path)
    digest = store.put_input({"image": Image.open(io.BytesIO(file.getvalue()))})
    assert open_image(store.get_input(digest)["image"]).size == (20, 30)


@pytest.mark.parametrize(
    "array",
    [
        NOISE,
        NOISE.transpose(2, 0, 1),
        NOISE[..., :1],
        NOISE[..., 0],
        NOISE.astype(np.int64),
        NOISE.astype(np.uint16) * 257,
        NOISE / 255,
        (NOISE / 255).astype(np.float32),
    ],
    ids=lambda a: f"{a.shape} {a.dtype}",
)
def test_arrays_of_every_layout_and_dtype(array) -> None:
    expected = NOISE if array.ndim == 3 and 3 in array.shape else NOISE[..., 0]
    np.testing.assert_array_equal(np.asarray(open_image(array)), expected)


def test_a_tensor_and_a_mask_are_images() -> None:
    import torch

    np.testing.assert_array_equal(np.asarray(open_image(torch.tensor(NOISE).permute(2, 0, 1) / 255)), NOISE)
    assert np.asarray(open_image(np.array([[True, False]]))).tolist() == [[255, 0]]


@pytest.mark.parametrize(
    ("array", "sentence"),
    [
        (NOISE.astype(np.float32), "goes from 0 to 254; floats are read from 0 to 1"),
        (np.array([[-1000, 3000]]), "goes from -1000 to 3000; whole numbers are read from 0 to 255"),
        (np.array([[np.nan, 0.5]]), "goes from nan to nan"),
        (np.zeros((2, 5, 7)), "an array of 2 × 5 × 7 is no image; give"),
        (np.zeros((0, 5)), "an array of 0 × 5 is no image"),
        (np.array([["a"]]), "no image; give whole numbers or floats"),
        (np.zeros(5), "an array of 5 is no image"),
    ],
)
def test_arrays_whose_values_do_not_say_what_is_white_are_refused(array, sentence) -> None:
    with pytest.raises(Refused, match=re.escape(sentence)):
        open_image(array)


def test_wide_whole_numbers_and_floats_in_files_are_refused_unless_in_range() -> None:
    for array in (np.full((4, 4), 70000, np.int32), np.full((4, 4), -1024.0, np.float32)):
        with pytest.raises(Refused, match="its values alone do not say"):
            open_image(png(Image.fromarray(array), "TIFF"))
    half = open_image(png(Image.fromarray(np.full((4, 4), 0.5, np.float32)), "TIFF"))
    assert np.asarray(half).max() == 128


def test_transparency_is_laid_on_white() -> None:
    opened = open_image(png(Image.new("RGBA", (2, 2), (0, 0, 0, 0))))
    assert opened.mode == "RGB"
    assert np.asarray(opened).min() == 255


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        (b"hello", "not an image Vitrine reads; it reads PNG, JPEG"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not an image"),
        (png(Image.fromarray(NOISE))[:2000], "damaged"),
        (bomb(30_000, 30_000), "far too large; at most 40 megapixels"),
        (bomb(8_000, 8_000), "64 megapixels; at most 40"),
        ("/no/such/file.png", "no image file '/no/such/file.png'"),
    ],
)
def test_bad_images_are_sentences(source, sentence) -> None:
    with pytest.raises(Refused, match=sentence):
        open_image(source)


def test_files_are_bounded_before_they_are_read(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(images, "MOST_BYTES", 10)
    (tmp_path / "a.png").write_bytes(b"0" * 11)
    with pytest.raises(Refused, match="the image file has"):
        open_image(tmp_path / "a.png")
    with pytest.raises(Refused, match="the image has"):
        open_image(b"0" * 11)
