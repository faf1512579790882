"""Image–text networks: how well a caption fits a picture is explained."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from backends.errors import Refused
from backends.models import load as _load
from backends.models.base import Batch, Choice, Model, Target, to_device
from backends.models.families.image_classifier import ImageClassifier

if TYPE_CHECKING:
    from torch import Tensor

    from backends.catalog import Source


@dataclass(eq=False)
class ImageText(ImageClassifier):
    """Two towers that lay pictures and captions into one space, as CLIP and SigLIP.

    An input is `{"image": picture, "text": captions}`, one caption a line; they are the classes. Its features are pixel
    values. Its stacks are `image`, the main one, and `text`, which is shown for the first caption.
    """

    tokenizer: Any = None

    mappings: ClassVar = {
        "AutoModelForZeroShotImageClassification": "MODEL_FOR_ZERO_SHOT_IMAGE_CLASSIFICATION_MAPPING_NAMES"
    }
    task: ClassVar = "image-text"
    claim: ClassVar = 2

    @classmethod
    def load(cls, source: Source, auto: str, device: str = "cpu") -> Model:
        model = super().load(source, auto, device)
        model.tokenizer = _load.load_processor(source, "AutoTokenizer")  # type: ignore[attr-defined] # it is this class
        return model

    @property
    def sample(self) -> Mapping[str, Any]:
        return {**super().sample, "text": "the chart\nthe doctor saw the patient"}

    @property
    def own_offers(self) -> frozenset[str]:
        return frozenset({"answer", "gradient", "pixels", "captions"})

    @property
    def labels(self) -> tuple[str, ...]:
        return ()

    def places(self) -> dict[str, dict[str, Any]]:
        return {"image": {"within": "vision_model."}, "text": {"within": "text_model."}}

    def encode(self, raw: Any) -> Batch:
        text = raw.get("text") if isinstance(raw, Mapping) else None
        captions = [line.strip() for line in str(text or "").splitlines() if line.strip()]
        if not captions:
            raise Refused(f"{self.name} compares a picture with captions: give one caption a line beside the picture")
        batch = super().encode(raw)
        most = self.module.config.text_config.max_position_embeddings
        inputs = self._text(captions, most if self._padding_counts else 0)
        length = inputs["input_ids"].shape[1]
        if length > most:
            raise Refused(f"a caption has {length} tokens; {self.name} reads at most {most}")
        names = tuple(self.tokenizer.convert_ids_to_tokens(inputs["input_ids"][0].tolist()))
        return dataclasses.replace(
            batch,
            raw={"image": raw["image"], "text": "\n".join(captions)},
            inputs={**batch.inputs, **inputs},
            streams={"text": names},
        )

    def _text(self, captions: list[str], length: int = 0) -> dict[str, Tensor]:
        """The captions as tokens, padded to `length`, or to the longest with a mask."""
        names = {"input_ids"} if length else {"input_ids", "attention_mask"}
        padding = {"padding": "max_length", "max_length": length} if length else {"padding": True}
        coded = self.tokenizer(captions, return_tensors="pt", **padding)
        return to_device({name: coded[name] for name in names & set(coded)}, self.device)

    @cached_property
    def _padding_counts(self) -> bool:
        """Whether padding changes a caption in spite of a mask: then it was trained on full length (SigLIP)."""
        import torch

        with self.lock, torch.no_grad():
            short, longer = (self.module.get_text_features(**self._text(c)) for c in (["a"], ["a", "a a a"]))
            one, same = (getattr(out, "pooler_output", out)[0] for out in (short, longer))
        return not torch.allclose(one, same, rtol=1e-3, atol=1e-4)

    def outputs(self, features: Tensor, batch: Batch) -> Tensor:
        text = {name: batch.inputs[name] for name in ("input_ids", "attention_mask") if name in batch.inputs}
        return self.module(pixel_values=features.to(self.dtype), **text).logits_per_image  # (B, caption)

    def predict(self, batch: Batch, most: int = 10) -> list[Choice]:
        import torch

        with self.lock, torch.no_grad():
            logits = self.outputs(self.features(batch), batch)[0].float()
        shares, captions = logits.softmax(-1).tolist(), _captions(batch)
        choices = [Choice(i, captions[i], shares[i], float(logits[i])) for i in range(len(captions))]
        return sorted(choices, key=lambda choice: -choice.logit)[:most]

    def target(self, spec: Any, batch: Batch) -> Target:
        captions = _captions(batch)
        if spec is None or spec == "":
            best = self.predict(batch, most=1)[0]
            return Target("index", (best.index,), best.label)
        if isinstance(spec, Sequence) and not isinstance(spec, str):
            if len(spec) != 2 or len({self._caption(s, captions) for s in spec}) != 2:
                raise Refused("a contrastive target is a pair [a, b] of two different captions")
            a, b = (self._caption(s, captions) for s in spec)
            return Target("pair", (a, b), f"{captions[a]} rather than {captions[b]}")
        index = self._caption(spec, captions)
        return Target("index", (index,), captions[index])

    def _caption(self, spec: Any, captions: Sequence[str]) -> int:
        """Which caption `spec`, its text or its number, means."""
        if str(spec).strip() in captions:
            return captions.index(str(spec).strip())
        if str(spec).isdecimal() and int(spec) < len(captions):
            return int(spec)
        raise Refused(f"no caption {str(spec)[:60]!r}; the captions are: {', '.join(captions)[:300]}")


def _captions(batch: Batch) -> list[str]:
    return batch.raw["text"].split("\n")


ENTRY = ImageText
