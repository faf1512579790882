"""Token classifiers: the class of the first word is explained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from backends.models.base import Batch
from backends.models.families.text_classifier import TextClassifier

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(eq=False)
class TokenClassifier(TextClassifier):
    """An encoder that gives every word a class, such as the kind of name it is part of."""

    mappings: ClassVar = {"AutoModelForTokenClassification": "MODEL_FOR_TOKEN_CLASSIFICATION_MAPPING_NAMES"}
    task: ClassVar = "token-classification"

    def outputs(self, features: Tensor, batch: Batch) -> Tensor:
        first = int((~batch.special).argmax())
        return self.module(**self._arguments(features, batch)).logits[:, first]  # (B, token, class) -> (B, class)


ENTRY = TokenClassifier
