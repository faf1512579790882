"""Masked encoders: the word under the mask is explained; without a mask or a head, only the inside is shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from backends.errors import Refused
from backends.models.base import Batch, Choice, Target
from backends.models.families.causal_lm import CausalLanguageModel
from backends.models.text import TextModel

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(eq=False)
class MaskedEncoder(TextModel):
    """An encoder that guesses masked words, or a plain encoder that only represents text."""

    mappings: ClassVar = {
        "AutoModelForMaskedLM": "MODEL_FOR_MASKED_LM_MAPPING_NAMES",
        "AutoModel": "MODEL_MAPPING_NAMES",
    }
    task: ClassVar = "fill-mask"
    claim: ClassVar = 0

    @property
    def sample(self) -> Mapping[str, Any]:
        """A text with one masked word, where there is a mask."""
        text, mask = super().sample["text"], self.processor.mask_token
        return {"text": text.replace("patient", mask) if mask else text}

    name_of = CausalLanguageModel.name_of
    index_of = CausalLanguageModel.index_of
    _ids = CausalLanguageModel._ids

    @property
    def guesses(self) -> bool:
        """Whether the network has a head over the vocabulary."""
        return self.module.get_output_embeddings() is not None

    @property
    def own_offers(self) -> frozenset[str]:
        return frozenset({"answer", "gradient", "tokens", "masked_token"} if self.guesses else {"tokens"})

    def _mask_at(self, batch: Batch) -> int | None:
        places = (batch.inputs["input_ids"][0] == self.processor.mask_token_id).nonzero()
        return int(places[0]) if len(places) else None

    def outputs(self, features: Tensor, batch: Batch) -> Tensor:
        out = self.module(**self._arguments(features, batch))
        at = self._mask_at(batch) if self.guesses else None
        return out.logits[:, at if at is not None else -1] if self.guesses else out.last_hidden_state[:, 0]

    def predict(self, batch: Batch, most: int = 10) -> list[Choice]:
        if not self.guesses or self._mask_at(batch) is None:
            return []
        return super().predict(batch, most)

    def target(self, spec: Any, batch: Batch) -> Target:
        if not self.guesses:
            raise Refused(f"{self.name} has no head: it represents text and answers nothing that could be explained")
        if self._mask_at(batch) is None:
            raise Refused(f"put {self.processor.mask_token} into the text where {self.name} should guess a word")
        return super().target(spec, batch)


ENTRY = MaskedEncoder
