"""Causal language models: the next token, or a sequence of tokens, is explained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from backends.errors import Refused
from backends.models.base import Batch, Target
from backends.models.text import TextModel

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Written:
    """What a model continues: the names of its text and exact tokens in a raw input, and the network's argument.

    The first `skipped` tokens of the argument begin every text and are not among the raw input's.
    """

    text: str = "text"
    ids: str = "ids"
    argument: str = "input_ids"
    skipped: int = 0


@dataclass(eq=False)
class CausalLanguageModel(TextModel):
    """A decoder that predicts the next token of a text."""

    mappings: ClassVar = {"AutoModelForCausalLM": "MODEL_FOR_CAUSAL_LM_MAPPING_NAMES"}
    task: ClassVar = "causal-lm"
    baselines: ClassVar[tuple[str, ...]] = ("mean", "pad", "zero")
    written: ClassVar[Written] = Written()

    @property
    def own_offers(self) -> frozenset[str]:
        return frozenset({"answer", "gradient", "tokens", "next_token", "generation"})

    def outputs(self, features: Tensor, batch: Batch) -> Tensor:
        last = {"logits_to_keep": 1} if "logits_to_keep" in self.accepted else {}
        return self.module(**self._arguments(features, batch), **last).logits[:, -1]  # (B, vocabulary)

    def score(self, features: Tensor, batch: Batch, target: Target) -> Tensor:
        if target.kind != "sequence":
            return super().score(features, batch, target)
        import torch

        ids = torch.tensor(target.ids, device=features.device)
        more = self.module.get_input_embeddings()(ids[:-1])  # the last token is only predicted
        whole = torch.cat([features, more.expand(len(features), -1, -1)], 1)  # (B, T + n - 1, d)
        names = {k: v for k, v in batch.inputs.items() if k != "attention_mask"}
        longer = Batch(batch.raw, {k: v for k, v in names.items() if k == "input_ids"})
        logits = self.module(**self._arguments(whole, longer)).logits[:, -len(ids) :]  # (B, n, vocabulary)
        return logits.float().log_softmax(-1).gather(-1, ids.expand(len(features), -1)[..., None]).sum((1, 2))

    def name_of(self, index: int) -> str:
        return self.processor.decode([index])

    def index_of(self, spec: Any) -> int:
        """The token that `spec` means: its id, or a text that is one token, with or without a leading space."""
        size = self.module.config.get_text_config().vocab_size
        if isinstance(spec, int) and not isinstance(spec, bool):
            if 0 <= spec < size:
                return spec
            raise Refused(f"{self.name} has no token {spec}; its tokens are 0 to {size - 1}")
        pieces = [self._ids(text) for text in (str(spec), f" {str(spec).strip()}")]
        for ids in pieces:
            if len(ids) == 1 and ids[0] != self._unknown:
                return ids[0]
        if str(spec).isdecimal() and int(spec) < size:
            return int(spec)
        if not pieces[0] or self._unknown in pieces[0]:
            raise Refused(f"the vocabulary of {self.name} has no token for {str(spec)[:60]!r}; pick one it predicts")
        raise Refused(
            f"{str(spec)[:60]!r} is {len(pieces[0])} tokens for {self.name}; give one token, or a sequence target"
        )

    def _ids(self, text: str) -> list[int]:
        return self.processor(text, add_special_tokens=False)["input_ids"]

    def target(self, spec: Any, batch: Batch) -> Target:
        if not isinstance(spec, Mapping):
            return super().target(spec, batch)
        text = str(spec.get("sequence", ""))
        ids = self._ids(text)
        if not ids:
            raise Refused('a sequence target needs text, for example {"sequence": " to the store"}')
        if self.limit and len(ids) + len(batch.tokens) > self.limit:
            raise Refused(f"text and sequence are {len(ids) + len(batch.tokens)} tokens; the model reads {self.limit}")
        return Target("sequence", tuple(ids), f"the sequence {text!r}", "nat")

    @property
    def ends(self) -> tuple[int, ...]:
        """The tokens that end a text."""
        found = self.module.generation_config.eos_token_id
        found = self.processor.eos_token_id if found is None else found
        return tuple(found) if isinstance(found, list) else () if found is None else (int(found),)

    @property
    def longest(self) -> int | None:
        """How many tokens the text that it continues may have; None where that is not bounded."""
        return self.limit

    def begin(self, raw: Any) -> Batch:
        """What a continuation of `raw` starts from."""
        return self.encode(raw)

    def constant(self, batch: Batch) -> dict[str, Any]:
        """The network's arguments that are the same at every step of a continuation."""
        return {}


ENTRY = CausalLanguageModel
