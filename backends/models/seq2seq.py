"""Encoder–decoder networks: the next token of an answer to a text is explained, or a sequence of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from backends.errors import Refused
from backends.models._base import Batch, Model, Target
from backends.models._text import TextModel
from backends.models.causal_lm import CausalLanguageModel

if TYPE_CHECKING:
    from torch import Tensor

PREFIX = 8
"""Tokens of its own greedy answer that a decoder is given when none were said."""


@dataclass(eq=False)
class Seq2Seq(CausalLanguageModel):
    """An encoder that reads a text and a decoder that answers it, as T5 and BART.

    An input is `{"text": source, "output": answer so far}`; "" stands for an answer not yet begun, and without `output`
    the decoder has given up to eight tokens greedily. Its features are the source's embeddings. Its stacks are the
    `encoder`, the main one, the `decoder`, which the answer is read from, and its attention to the encoder, `cross`.
    """

    mappings: ClassVar = {"AutoModelForSeq2SeqLM": "MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES"}
    task: ClassVar = "text-to-text"
    baselines: ClassVar[tuple[str, ...]] = TextModel.baselines
    claim: ClassVar = 2
    answers: ClassVar = "decoder"
    attends_to: ClassVar = {"cross": "encoder"}

    @property
    def sample(self) -> Mapping[str, Any]:
        """A text and an answer of another length, by which the probe tells attention across from attention within."""
        return {**super().sample, "output": "the doctor saw"}

    @property
    def own_offers(self) -> frozenset[str]:
        return frozenset({"answer", "gradient", "tokens", "next_token", "output"})

    def places(self) -> dict[str, dict[str, Any]]:
        paths = {id(sub): path for path, sub in self.module.named_modules()}
        encoder, decoder = (f"{paths[id(part)]}." for part in (self.module.get_encoder(), self.module.get_decoder()))
        return {
            "encoder": {"within": encoder},
            "decoder": {"within": decoder},
            "cross": {"within": decoder, "cross": True},
        }

    def encode(self, raw: Any) -> Batch:
        import torch

        batch = super().encode(raw)
        said = raw.get("output") if isinstance(raw, Mapping) else None
        if said is not None and not isinstance(said, str):
            raise Refused("the output so far must be a text")
        ids = [self._first, *(self._answer(batch) if said is None else self._ids(said))]
        limit = getattr(self.module.config, "max_position_embeddings", None) or 10**9
        if len(ids) > limit:
            raise Refused(f"the output so far has {len(ids)} tokens; {self.name} gives at most {limit}")
        given = torch.tensor([ids], device=self.device)
        names = self.processor.convert_ids_to_tokens(ids)
        pieces = tuple(self.name_of(i).strip() or name for i, name in zip(ids, names, strict=True))
        return dataclasses.replace(
            batch,
            raw={"text": batch.text, "output": self.processor.decode(ids[1:])},
            inputs={**batch.inputs, "decoder_input_ids": given},
            streams={"decoder": pieces, "cross": pieces},
        )

    @property
    def _first(self) -> int:
        """The token that every answer begins with."""
        for config in (self.module.config, self.module.generation_config):
            for name in ("decoder_start_token_id", "bos_token_id"):
                if getattr(config, name, None) is not None:
                    return int(getattr(config, name))
        raise Refused(f"the config of {self.name} does not say which token its decoder starts with")

    def _answer(self, batch: Batch) -> list[int]:
        """The first tokens of its own greedy answer, without the one that ends it."""
        ends = self.module.generation_config.eos_token_id
        ends = ends if isinstance(ends, list) else [ends]
        return [i for i in self._continue(batch, PREFIX)[1:] if i not in ends]

    def _continue(self, batch: Batch, tokens: int) -> list[int]:
        """The ids of the answer, those given so far and `tokens` more."""
        import torch

        known = ("input_ids", "attention_mask", "decoder_input_ids")
        given = {name: batch.inputs[name] for name in known if name in batch.inputs}
        pad = self.processor.pad_token_id or 0
        with self.lock, torch.no_grad():
            out = self.module.generate(**given, max_new_tokens=tokens, do_sample=False, num_beams=1, pad_token_id=pad)
        return out[0].tolist()

    def generate(self, batch: Batch, tokens: int) -> str:
        return self.processor.decode(self._continue(batch, tokens)[batch.inputs["decoder_input_ids"].shape[1] :])

    def outputs(self, features: Tensor, batch: Batch) -> Tensor:
        return self.module(**self._arguments(features, batch)).logits[:, -1]  # (B, vocabulary)

    def score(self, features: Tensor, batch: Batch, target: Target) -> Tensor:
        if target.kind != "sequence":
            return Model.score(self, features, batch, target)
        import torch

        ids = torch.tensor([target.ids], device=features.device)
        given = torch.cat([batch.inputs["decoder_input_ids"], ids[:, :-1]], 1)  # the last token is only predicted
        longer = dataclasses.replace(batch, inputs={**batch.inputs, "decoder_input_ids": given})
        logits = self.module(**self._arguments(features, longer)).logits[:, -ids.shape[1] :]  # (B, n, vocabulary)
        return logits.log_softmax(-1).gather(-1, ids.expand(len(features), -1)[..., None]).sum((1, 2))


ENTRY = Seq2Seq
