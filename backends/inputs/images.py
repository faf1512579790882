"""Opening an image that came from a stranger, without torch.

Formats are a short list, pixels are bounded before anything is decoded, and every failure is a sentence. Scale and
orientation are read from the file or the dtype, never guessed from the values: one hot pixel must not darken the rest.
"""

from __future__ import annotations

import io
import struct
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from backends.errors import Refused

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF")
MOST_PIXELS = 40_000_000
MOST_BYTES = 32 * 2**20
WOULD_WORK = "give (height, width), (height, width, 1), (height, width, 3) or channels first"
MAX_SAMPLE = 281
"""The TIFF tag MaxSampleValue: the largest value that the file's maker declares."""


def open_image(source: Any) -> Image.Image:
    """Return the image behind a path, bytes, an array, a tensor or a PIL image, decoded and upright, as L or RGB.

    Arrays are (height, width), with 1, 3 or 4 channels last or first: whole numbers of 8 or 16 bits by their dtype,
    other whole numbers from 0 to 255, floats from 0 to 1, booleans. 16-bit greys are scaled by the depth that the file
    declares (PNG sBIT, TIFF MaxSampleValue; else all 16 bits). Transparency is laid on white. Raises `Refused`.
    """
    if isinstance(source, Image.Image):
        return _flatten(turn_upright(source), 16)
    if isinstance(source, np.ndarray) or hasattr(source, "__array__"):
        return _flatten(Image.fromarray(_scale_array(np.asarray(source))), 8)
    data = _read(source)
    image = _decode(data)
    return _flatten(turn_upright(image), _declared_bits(data, image))


def turn_upright(image: Image.Image) -> Image.Image:
    """Return the image turned as its EXIF orientation says, as every viewer shows it."""
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # a damaged EXIF block turns nothing
        return image


def _scale_array(array: np.ndarray) -> np.ndarray:
    """Return (height, width) or (height, width, 3 or 4) uint8 of an array of any layout and dtype. Raises `Refused`."""
    shape = " × ".join(map(str, array.shape))
    if array.ndim == 3 and array.shape[2] not in (1, 3, 4) and array.shape[0] in (1, 3, 4):
        array = array.transpose(1, 2, 0)
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[..., 0]
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (3, 4)) or not array.size:
        raise Refused(f"an array of {shape} is no image; {WOULD_WORK}")
    if array.shape[0] * array.shape[1] > MOST_PIXELS:
        raise Refused(f"the array is {shape}; at most {MOST_PIXELS / 1e6:.0f} megapixels work: scale it down first")
    if array.dtype == np.bool_:
        return array.astype(np.uint8) * 255
    if array.dtype == np.uint8:
        return array
    if array.dtype == np.uint16:
        return np.rint(array.astype(np.float32) * (255 / 65535)).astype(np.uint8)
    if array.dtype.kind not in "iuf":
        raise Refused(f"an array of {array.dtype} is no image; give whole numbers or floats")
    whole = array.dtype.kind in "iu"
    low, high, top = float(array.min()), float(array.max()), 255.0 if whole else 1.0
    if not (low >= 0 and high <= top):  # NaN too
        kind = "whole numbers" if whole else "floats"
        raise Refused(
            f"the array of {array.dtype} goes from {low:.6g} to {high:.6g}; {kind} are read from 0 to {top:g}: scale "
            "it, since its values alone do not say what is black and what is white"
        )
    return np.rint(array.astype(np.float32) * (255 / top)).astype(np.uint8)


def _read(source: Any) -> bytes:
    if isinstance(source, (bytes, bytearray)):
        data = bytes(source)
    else:
        try:
            path = Path(str(source)).expanduser()
            there = path.is_file()
        except (OSError, RuntimeError, ValueError):  # a name that no system takes
            there = False
        if not there:
            raise Refused(f"no image file {str(source)[:200]!r}; give the path of a {', '.join(FORMATS)} file")
        if path.stat().st_size > MOST_BYTES:
            size = path.stat().st_size / 2**20
            raise Refused(f"the image file has {size:.0f} MB; at most {MOST_BYTES >> 20} MB work")
        try:
            data = path.read_bytes()
        except OSError as error:
            raise Refused(f"{path.name[:80]!r} cannot be read: {(error.strerror or 'damaged').lower()}") from None
    if len(data) > MOST_BYTES:
        raise Refused(f"the image has {len(data) / 2**20:.0f} MB; at most {MOST_BYTES >> 20} MB work")
    return data


def _decode(data: bytes) -> Image.Image:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # our own, lower bound stands below
            image = Image.open(io.BytesIO(data), formats=FORMATS)
    except Image.DecompressionBombError:
        raise Refused(f"the image is far too large; at most {MOST_PIXELS / 1e6:.0f} megapixels work") from None
    except UnidentifiedImageError:
        raise Refused(f"this is not an image Vitrine reads; it reads {', '.join(FORMATS)}") from None
    except Exception as error:  # Pillow's readers raise many kinds on a damaged header
        raise Refused(f"the image is damaged and cannot be read ({str(error)[:80]})") from None
    width, height = image.size
    if width * height > MOST_PIXELS:
        raise Refused(
            f"the image is {width} × {height} = {width * height / 1e6:.0f} megapixels; "
            f"at most {MOST_PIXELS / 1e6:.0f} megapixels work: scale it down first"
        )
    try:
        image.load()
    except Exception as error:
        raise Refused(f"the image is damaged and cannot be read to its end ({str(error)[:80]})") from None
    return image


def _declared_bits(data: bytes, image: Image.Image) -> int:
    """How many bits of a 16-bit grey the file says are used; 16 where it says nothing."""
    if image.format == "PNG":
        at = data.find(b"sBIT", 8, 4096)
        bits = data[at + 4] if at > 0 and struct.unpack(">I", data[at - 4 : at])[0] in (1, 2) else 16
        return bits if 1 <= bits <= 16 else 16
    top = getattr(image, "tag_v2", {}).get(MAX_SAMPLE)
    top = top[0] if isinstance(top, tuple) and top else top
    return int(top).bit_length() if isinstance(top, int) and 0 < top < 2**16 else 16


def _flatten(image: Image.Image, bits: int) -> Image.Image:
    """Return the image as L or RGB: 16-bit greys of `bits` used bits scaled, transparency laid on white."""
    if image.mode.startswith("I;16"):
        grey = np.asarray(image).astype(np.float32)
        return Image.fromarray((grey * (255 / (2**bits - 1))).round().clip(0, 255).astype(np.uint8))
    if image.mode in ("I", "F"):
        return Image.fromarray(_scale_array(np.asarray(image)))
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, image).convert("RGB")
    return image if image.mode in ("L", "RGB") else image.convert("RGB")
