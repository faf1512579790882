"""Image classifiers, convolutional or transformers: one of a few classes is explained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from backends.errors import Refused
from backends.inputs.images import open_image
from backends.models.base import Batch, Model

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(eq=False)
class ImageClassifier(Model):
    """A network that reads one picture. Its features are pixel values (1, channel, height, width), normalised."""

    mappings: ClassVar = {"AutoModelForImageClassification": "MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES"}
    task: ClassVar = "image-classification"
    baselines: ClassVar = ("blur", "mean", "zero")

    processor_auto: ClassVar[str] = "AutoImageProcessor"

    _undone: Any = field(default=None, init=False, repr=False)
    """What `_colours` found, once it was asked."""

    @property
    def sample(self) -> Mapping[str, Any]:
        """A fixed picture of a bright disc on grey noise."""
        noise = np.random.default_rng(0).integers(60, 120, (96, 96, 3), np.uint8)
        y, x = np.mgrid[:96, :96]
        noise[(y - 40) ** 2 + (x - 60) ** 2 < 150] += 100
        return {"image": noise}

    @property
    def _config(self) -> Any:
        """The config of what reads the picture; CLIP and SigLIP have one within."""
        return getattr(self.module.config, "vision_config", self.module.config)

    @property
    def own_offers(self) -> frozenset[str]:
        return frozenset({"answer", "gradient", "pixels", "classes"})

    @property
    def labels(self) -> tuple[str, ...]:
        names = self.module.config.id2label
        return tuple(str(names[i]).split(",")[0] for i in range(len(names)))

    def encode(self, raw: Any) -> Batch:
        source = raw.get("image") if isinstance(raw, Mapping) else raw
        if source is None:
            raise Refused(f"{self.name} reads an image, and none was given")
        image = open_image(source)
        channels = getattr(self._config, "num_channels", 3)
        image = image.convert("L" if channels == 1 else "RGB")
        data = np.asarray(image)[..., None] if channels == 1 else np.asarray(image)  # (h, w, channel)
        pixels = self.processor(data, return_tensors="pt", input_data_format="channels_last")["pixel_values"]
        pixels = pixels.to(self.device)
        grid, first = self._grid(pixels)
        seen = self._seen(pixels)
        return Batch({"image": source}, {"pixel_values": pixels}, image=seen, grid=grid, first_patch=first)

    def _seen(self, pixels: Tensor) -> np.ndarray:
        """What the network saw, undone to (height, width, 3) uint8."""
        inverse, black = self._colours()
        array = pixels[0].float().cpu().numpy()  # (C, H, W)
        colours = np.einsum("rc,chw->hwr", inverse, array - black[:, None, None])
        colours = np.broadcast_to(colours, (*colours.shape[:2], 3))
        return colours.round().clip(0, 255).astype(np.uint8)

    def _colours(self) -> tuple[np.ndarray, np.ndarray]:
        """How the preprocessor's numbers become colours again: a matrix (colour, channel), and what black becomes.

        Found by giving it images of one colour, whatever it does to them: rescale, normalise twice, swap channels.
        """
        if self._undone is None:
            channels = getattr(self._config, "num_channels", 3)
            plain = np.zeros((channels + 1, 64, 64, channels), np.uint8)
            for channel in range(channels):
                plain[channel + 1, ..., channel] = 255
            made = [self.processor(one, return_tensors="pt", input_data_format="channels_last") for one in plain]
            found = np.stack([m["pixel_values"][0].float().numpy() for m in made])  # (1 + colour, channel, H, W)
            found = found[:, :, found.shape[2] // 2, found.shape[3] // 2]
            self._undone = np.linalg.pinv(((found[1:] - found[0]) / 255).T), found[0]
        return self._undone

    def _grid(self, pixels: Tensor) -> tuple[tuple[int, int] | None, int]:
        """Rows and columns of patch tokens, and how many tokens stand before them."""
        patch = getattr(self._config, "patch_size", None)
        if not patch or not self.sites or not self.sites.attention:
            return None, 0
        high, wide = (patch, patch) if isinstance(patch, int) else patch
        rows, columns = pixels.shape[-2] // high, pixels.shape[-1] // wide
        return (rows, columns), max(self.tokens_seen - rows * columns, 0)

    @property
    def offers(self) -> frozenset[str]:
        places = self.sites.attention if self.sites else ()
        return super().offers | ({"patches"} if places and getattr(self._config, "patch_size", None) else set())

    def features(self, batch: Batch) -> Tensor:
        return batch.inputs["pixel_values"]

    def outputs(self, features: Tensor, batch: Batch) -> Tensor:
        return self.module(pixel_values=features.to(self.dtype)).logits  # (B, class)

    def baseline(self, features: Tensor, batch: Batch, kind: str | None = None) -> Tensor:
        """The picture blurred (sigma an eighth of its height), its mean colour, or zero (the training data's mean)."""
        import torch

        kind = kind or self.baselines[0]
        if kind == "zero":
            return torch.zeros_like(features)
        if kind == "mean":
            return features.mean((2, 3), keepdim=True).expand_as(features).contiguous()
        if kind == "blur":
            return _blur(features, features.shape[-2] / 8)
        raise Refused(f"a hidden region cannot be replaced by {kind!r}; it can by: {', '.join(self.baselines)}")

    def units(self, batch: Batch, size: int = 0) -> Tensor:
        import torch

        high, wide = batch.image.shape[:2]
        size = size or max(high // 16, 1)
        columns = -(-wide // size)
        row, column = torch.arange(high) // size, torch.arange(wide) // size
        return (row[:, None] * columns + column)[None, None].to(self.device)  # (1, 1, H, W)

    def fold(self, attribution: Tensor, batch: Batch) -> np.ndarray:
        return attribution.detach()[0].sum(0).float().cpu().numpy()  # (C, H, W) -> (H, W)

    def context(self, batch: Batch) -> dict[str, dict[str, Any]]:
        facts = {"grid": list(batch.grid), "first_patch": batch.first_patch} if batch.grid else {}
        return {
            "arrays": {"image": batch.image},
            "axes": {"image": ("height", "width", "channel")},
            "labels": {},
            "facts": facts,
        }


def _blur(pixels: Tensor, sigma: float) -> Tensor:
    """Gaussian blur with edges replicated; sigma in pixels."""
    import torch
    from torch.nn import functional as F

    radius = max(int(2.5 * sigma), 1)
    line = torch.arange(-radius, radius + 1, dtype=pixels.dtype, device=pixels.device)
    kernel = torch.exp(-(line**2) / (2 * sigma**2))
    kernel = (kernel / kernel.sum()).repeat(pixels.shape[1], 1, 1)  # (C, 1, k)
    groups = pixels.shape[1]
    wide = F.pad(pixels, (radius, radius, radius, radius), mode="replicate")
    wide = F.conv2d(wide, kernel[:, :, None, :], groups=groups)
    return F.conv2d(wide, kernel[:, :, :, None], groups=groups)


ENTRY = ImageClassifier
