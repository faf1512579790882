from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

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


@pytest.mark.parametrize(("top", "shown"), [(255, 255), (4095, 255), (65535, 255)])
def test_sixteen_bit_greys_keep_their_brightness(top, shown) -> None:
    grey = np.array([[0, top]], np.uint16)
    opened = open_image(png(Image.fromarray(grey)))
    assert opened.mode == "L"
    assert np.asarray(opened).max() == shown


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
