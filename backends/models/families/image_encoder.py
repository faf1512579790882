"""Image encoders without classes: only their inside is shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from backends.errors import Refused
from backends.models.base import Batch, Choice, Target
from backends.models.families.image_classifier import ImageClassifier

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(eq=False)
class ImageEncoder(ImageClassifier):
    """A network that represents a picture and names no classes, as DINOv2 or the picture's half of CLIP."""

    mappings: ClassVar = {"AutoModel": "MODEL_MAPPING_NAMES"}
    task: ClassVar = "image-encoding"

    @classmethod
    def auto_class(cls, architectures: Sequence[str], folder: Path | None = None) -> str | None:
        """AutoModel, for architectures whose main input is a picture."""
        import transformers

        reads = {getattr(getattr(transformers, name, None), "main_input_name", None) for name in architectures}
        return super().auto_class(architectures, folder) if "pixel_values" in reads else None

    @property
    def own_offers(self) -> frozenset[str]:
        return frozenset({"pixels"})

    @property
    def labels(self) -> tuple[str, ...]:
        return ()

    def outputs(self, features: Tensor, batch: Batch) -> Tensor:
        """The first token's last state, or the mean over a feature map (B, d)."""
        state = self.module(pixel_values=features.to(self.dtype)).last_hidden_state
        return state[:, 0] if state.ndim == 3 else state.flatten(2).mean(2)

    def predict(self, batch: Batch, most: int = 10) -> list[Choice]:
        return []

    def target(self, spec: Any, batch: Batch) -> Target:
        raise Refused(f"{self.name} names no classes: it represents pictures and answers nothing to be explained")


ENTRY = ImageEncoder
