"""Text classifiers: one of a few classes is explained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from backends.models.base import Batch
from backends.models.text import TextModel

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(eq=False)
class TextClassifier(TextModel):
    """An encoder (or decoder) with a classification head over a text."""

    mappings: ClassVar = {"AutoModelForSequenceClassification": "MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES"}
    task: ClassVar = "text-classification"

    @property
    def own_offers(self) -> frozenset[str]:
        return frozenset({"answer", "gradient", "tokens", "classes"})

    @property
    def labels(self) -> tuple[str, ...]:
        names = self.module.config.id2label
        return tuple(str(names[i]) for i in range(len(names)))

    def outputs(self, features: Tensor, batch: Batch) -> Tensor:
        return self.module(**self._arguments(features, batch)).logits  # (B, class)


ENTRY = TextClassifier
