"""Opening an image that came from a stranger, without torch.

Formats are a short list, pixels are bounded before anything is decoded, and every failure is a sentence.
"""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, UnidentifiedImageError

from backends.errors import Refused

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF")
MOST_PIXELS = 40_000_000
MOST_BYTES = 32 * 2**20


def open_image(source: Any) -> Image.Image:
    """The picture behind a path, bytes, an array (height, width[, 3]) or a PIL image, fully decoded, as L or RGB.

    16-bit greys are scaled to 8 bits; transparency is laid on white. Raises `Refused`.
    """
    if isinstance(source, Image.Image):
        return _eight_bit(source)
    if isinstance(source, np.ndarray):
        return _eight_bit(Image.fromarray(source))
    return _eight_bit(_decode(_read(source)))


def _read(source: Any) -> bytes:
    if isinstance(source, (bytes, bytearray)):
        data = bytes(source)
    else:
        path = Path(str(source)).expanduser()
        if not path.is_file():
            raise Refused(f"no image file {str(source)[:200]!r}; give the path of a {', '.join(FORMATS)} file")
        if path.stat().st_size > MOST_BYTES:
            size = path.stat().st_size / 2**20
            raise Refused(f"the image file has {size:.0f} MB; at most {MOST_BYTES >> 20} MB work")
        data = path.read_bytes()
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


def _eight_bit(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):
        grey = np.asarray(image).astype(np.float32)
        top = max(float(grey.max()), 1.0)
        scale = 255 / 65535 if top > 4095 else 255 / 4095 if top > 255 else 1.0  # 16, 12 or 8 bits of grey
        return Image.fromarray((grey * scale).clip(0, 255).astype(np.uint8))
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, image).convert("RGB")
    return image if image.mode in ("L", "RGB") else image.convert("RGB")
