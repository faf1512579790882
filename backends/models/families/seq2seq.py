"""Encoder–decoder networks: the next token of an answer to a text is explained, or a sequence of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from backends.errors import Refused
from backends.models.base import Batch, Model, Target
from backends.models.families.causal_lm import CausalLanguageModel, Written
from backends.models.text import TextModel

if TYPE_CHECKING:
    from torch import Tensor

PREFIX = 8
"""Tokens of its own greedy answer that a decoder is given when none were said."""


@dataclass(eq=False)
class Seq2Seq(CausalLanguageModel):
    """An encoder that reads a text and a decoder that answers it, as T5 and BART.

    An input is `{"text": source, "output": answer so far}`; "" stands for an answer not yet begun, `output_ids` may
    list its exact tokens, and without either the decoder has given up to eight tokens greedily. Its features are the
    source's embeddings. Its stacks are the `encoder`, the main one, the `decoder`, which the answer is read from, and
    its attention to the encoder, `cross`.
    """

    mappings: ClassVar = {"AutoModelForSeq2SeqLM": "MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES"}
    task: ClassVar = "text-to-text"
    baselines: ClassVar[tuple[str, ...]] = TextModel.baselines
    claim: ClassVar = 2
    answers: ClassVar = "decoder"
    attends_to: ClassVar = {"cross": "encoder"}
    written: ClassVar[Written] = Written("output", "output_ids", "decoder_input_ids", skipped=1)

    @property
    def sample(self) -> Mapping[str, Any]:
        """A text and an answer of another length, by which the probe tells attention across from attention within."""
        return {**super().sample, "output": "the doctor saw"}

    @property
    def own_offers(self) -> frozenset[str]:
        return frozenset({"answer", "gradient", "tokens", "next_token", "output", "generation"})

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
        said, exact = (raw.get("output"), raw.get("output_ids")) if isinstance(raw, Mapping) else (None, None)
        if said is not None and not isinstance(said, str):
            raise Refused("the output so far must be a text")
        if exact is not None:
            answer = self.checked_ids(exact, "output_ids")
        else:
            answer = self._answer(batch) if said is None else self._ids(said)
        ids = [self._first, *answer]
        if self.longest and len(ids) > self.longest:
            raise Refused(f"the output so far has {len(ids)} tokens; {self.name} gives at most {self.longest}")
        given = torch.tensor([ids], device=self.device)
        names = self.names_of(ids)
        pieces = tuple(self.name_of(i).strip() or name for i, name in zip(ids, names, strict=True))
        output = self.processor.decode(answer) if exact is None else said or self.spelled(answer)[0]
        return dataclasses.replace(
            batch,
            raw={**batch.raw, "output": output} | ({} if exact is None else {"output_ids": answer}),
            inputs={**batch.inputs, "decoder_input_ids": given},
            streams={"decoder": pieces, "cross": pieces},
        )

    @property
    def longest(self) -> int | None:
        return getattr(self.module.config, "max_position_embeddings", None)

    def begin(self, raw: Any) -> Batch:
        """`raw`; an answer of which nothing was said begins at its beginning."""
        given = raw if isinstance(raw, Mapping) else {"text": raw}
        return self.encode(given if {"output", "output_ids"} & set(given) else {**given, "output": ""})

    def constant(self, batch: Batch) -> dict[str, Any]:
        import torch

        mask = batch.inputs.get("attention_mask")
        with torch.no_grad():
            states = self.module.get_encoder()(input_ids=batch.inputs["input_ids"], attention_mask=mask)
        return {"encoder_outputs": states, "attention_mask": mask}

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
        import torch

        given = {name: batch.inputs[name] for name in ("input_ids", "attention_mask") if name in batch.inputs}
        pad = self.processor.pad_token_id or 0
        with self.lock, torch.no_grad():
            out = self.module.generate(**given, max_new_tokens=PREFIX, do_sample=False, num_beams=1, pad_token_id=pad)
        return [i for i in out[0, 1:].tolist() if i not in self.ends]

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
        return logits.float().log_softmax(-1).gather(-1, ids.expand(len(features), -1)[..., None]).sum((1, 2))


ENTRY = Seq2Seq
