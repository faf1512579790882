"""What all models that read text share: tokens with their character spans, embeddings as features."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from backends.errors import Refused
from backends.models.base import Batch, Model, to_device

if TYPE_CHECKING:
    from torch import Tensor


class TextModel(Model):
    """A network that reads tokens. Its features are token embeddings (1, token, dimension), without positions."""

    baselines: ClassVar[tuple[str, ...]] = ("mask", "pad", "mean", "zero")

    processor_auto: ClassVar[str] = "AutoTokenizer"

    @property
    def sample(self) -> Mapping[str, Any]:
        return {"text": "The doctor saw the patient and the doctor saw the chart."}

    @property
    def limit(self) -> int | None:
        places = getattr(self.module.config.get_text_config(), "max_position_embeddings", None) or 10**9
        longest = min(self.processor.model_max_length or 10**9, places)
        return longest if longest < 10**8 else None

    def encode(self, raw: Any) -> Batch:
        """Tokens of a text, or of `{"text": …, "ids": [int, …]}` exactly these, however the text would be split."""
        text = raw.get("text") if isinstance(raw, Mapping) else raw
        exact = raw.get("ids") if isinstance(raw, Mapping) else None
        coded, text = self._of_text(text) if exact is None else self._of_ids(exact, text)
        ids, count = coded["input_ids"][0], coded["input_ids"].shape[1]
        if self.limit and count > self.limit:
            raise Refused(
                f"the text has {count} tokens; {self.name} reads at most {self.limit}: "
                f"shorten it by {count - self.limit}"
            )
        spans = self._spans(coded, text)
        unknown_word = (ids.numpy() == self._unknown) & (
            spans[:, 0] < spans[:, 1]
        )  # some models spell both with one id
        special = np.isin(ids.numpy(), self.processor.all_special_ids) & ~unknown_word
        names = self.names_of(ids.tolist())
        shown = [text[a:b] if b > a else name for (a, b), name in zip(spans, names, strict=True)]
        inputs = {k: v for k, v in coded.items() if k in ("input_ids", "attention_mask", "token_type_ids")}
        given = {"text": text} if exact is None else {"text": text, "ids": ids.tolist()}
        return Batch(given, to_device(inputs, self.device), tuple(shown), spans=spans, special=special, text=text)

    def _of_text(self, text: Any) -> tuple[dict[str, Any], str]:
        """A typed text as the tokenizer codes it, and the text."""
        if not isinstance(text, str):
            raise Refused(f"{self.name} reads text, and no text was given")
        if not text.strip():
            raise Refused("the text is empty; type a sentence, or pick an example")
        if self.limit and len(text) > 200 * self.limit:
            raise Refused(f"the text has {len(text)} characters; {self.name} reads at most {self.limit} tokens")
        coded = self._tokenize(text)
        if coded["input_ids"].shape[1] == 0:
            raise Refused(f"the tokenizer of {self.name} finds no token in this text")
        return coded, text

    def _of_ids(self, ids: Any, text: Any) -> tuple[dict[str, Any], str]:
        """Exact tokens coded as the tokenizer would, and their text: `text` where it is split just so, else spelled."""
        import torch

        ids = self.checked_ids(ids, "ids")
        if not ids:
            raise Refused("the list of token ids is empty; give at least one")
        if isinstance(text, str) and len(text) <= 200 * len(ids):
            coded = self._tokenize(text)
            if coded["input_ids"][0].tolist() == ids:
                return coded, text
        text, spans = self.spelled(ids)
        given = torch.tensor([ids])
        more = {"token_type_ids": torch.zeros_like(given)} if self._typed else {}
        offsets = {"offset_mapping": torch.tensor(spans)[None]}
        return {"input_ids": given, "attention_mask": torch.ones_like(given), **more, **offsets}, text

    def checked_ids(self, ids: Any, noun: str) -> list[int]:
        """`ids` where they are a list of whole numbers in the vocabulary. Raises `Refused`."""
        size = self.module.get_input_embeddings().weight.shape[0]
        if not isinstance(ids, (list, tuple)) or any(type(i) is not int for i in ids):
            raise Refused(f"{noun} must be a list of whole numbers, the tokens' numbers in the vocabulary")
        wrong = next((i for i in ids if not 0 <= i < size), None)
        if wrong is not None:
            raise Refused(f"{self.name} has no token {wrong}; its tokens are 0 to {size - 1}")
        return list(ids)

    def names_of(self, ids: Sequence[int]) -> list[str]:
        """The tokens' names in the vocabulary; an embedding may have more rows than the tokenizer has words."""
        found = self.processor.convert_ids_to_tokens(list(ids))
        return [name or f"[{i}]" for i, name in zip(ids, found, strict=True)]

    def spelled(self, ids: Sequence[int], start: int = 0) -> tuple[str, list[tuple[int, int]]]:
        """The text that the tokens from `start` add to those before, and the span of each in it; (0, 0) at specials.

        Tokens that only together make a character share its span; one that the end cuts off is spelled "\ufffd".
        """
        text, spans, waiting = "", [], 0
        anchor, read = max(start - 8, 0), start  # whether a space comes first depends on what stands before
        for end in range(start + 1, len(ids) + 1):
            piece = self._added(ids[anchor:read], ids[anchor:end])
            waiting += 1
            if piece.endswith("\ufffd") and end < len(ids) and waiting < 4:  # within a character of UTF-8
                continue
            first = len(text) + (self._joined and piece.startswith(" ") and len(piece) > 1)
            spans += [(first, len(text) + len(piece)) if piece else (0, 0)] * waiting
            text, waiting = text + piece, 0
            anchor, read = (read, end) if piece else (anchor, read)
        return text, spans

    def _added(self, before: Sequence[int], after: Sequence[int]) -> str:
        """What the longer list's text has more."""
        for tidy in (None, False):  # tidying spaces may change what stood there
            old, new = (self._decoded(ids, tidy) for ids in (before, after))
            if new.startswith(old):
                return new[len(old) :]
        return new[len(old) :]

    def _decoded(self, ids: Sequence[int], tidy: bool | None) -> str:
        special = set(self.processor.all_special_ids) - {self._unknown}
        kept = [i for i in ids if i not in special]
        return self.processor.decode(kept, clean_up_tokenization_spaces=tidy) if kept else ""

    @cached_property
    def _joined(self) -> bool:
        """Whether the tokenizer puts spaces between words, so that they are no part of them."""
        return getattr(getattr(self.processor, "backend_tokenizer", None), "decoder", self) is None

    @cached_property
    def _typed(self) -> bool:
        """Whether the tokenizer also numbers the texts that tokens belong to."""
        return "token_type_ids" in self._tokenize("a")

    def _tokenize(self, text: str) -> dict[str, Any]:
        fast = getattr(self.processor, "is_fast", False)
        try:
            coded = self.processor(text, return_tensors="pt", return_offsets_mapping=fast)
        except BaseException as error:  # a panic of the tokenizer's library is no Exception
            if type(error).__name__ != "PanicException":
                raise
            raise Refused(f"the tokenizer of {self.name} fails on this text ({str(error)[:80]})") from None
        return {**coded}

    @property
    def _unknown(self) -> int:
        """The id of the token for words outside the vocabulary, -1 where there is none."""
        unknown = getattr(self.processor, "unk_token_id", None)
        return -1 if unknown is None else unknown

    def _spans(self, coded: dict[str, Any], text: str) -> np.ndarray:
        """Character offsets (token, 2); tokenizers without offsets are followed by the text that each token adds."""
        if "offset_mapping" in coded:
            return coded["offset_mapping"][0].numpy().astype(np.int32)
        ids, spans, at = coded["input_ids"][0].tolist(), [], 0
        for token in ids:
            piece = self.processor.decode([token]).strip()
            found = text.find(piece, at) if piece and token not in self.processor.all_special_ids else -1
            spans.append((found, found + len(piece)) if found >= 0 else (at, at))
            at = spans[-1][1]
        return np.array(spans, np.int32)

    @property
    def takes_embeddings(self) -> bool:
        """Whether the network can be given embeddings in place of tokens; if not, nothing explains its answers."""
        return "inputs_embeds" in self.accepted

    @property
    def offers(self) -> frozenset[str]:
        return super().offers - (frozenset() if self.takes_embeddings else {"gradient", "answer"})

    def features(self, batch: Batch) -> Tensor:
        import torch

        with torch.no_grad():
            return self.module.get_input_embeddings()(batch.inputs["input_ids"]).float()  # (1, T, d)

    def _arguments(self, features: Tensor, batch: Batch) -> dict[str, Any]:
        """Keyword arguments of the network for embeddings of any batch size."""
        rest = {k: v for k, v in batch.inputs.items() if k != "input_ids" and k in self.accepted}
        if self.takes_embeddings:
            rest["inputs_embeds"] = features.to(self.dtype)
        else:
            rest["input_ids"] = batch.inputs["input_ids"]
        rest = {k: v.expand(len(features), *v.shape[1:]) for k, v in rest.items()}
        return {**rest, "use_cache": False} if "use_cache" in self.accepted else rest

    @cached_property
    def accepted(self) -> frozenset[str]:
        """The arguments that the network's forward takes."""
        return frozenset(inspect.signature(self.module.forward).parameters)

    def baseline(self, features: Tensor, batch: Batch, kind: str | None = None) -> Tensor:
        """Every token that is not special replaced: by the mask or padding token, the mean embedding, or zero."""
        import torch

        kind = kind or self.stand_ins[0]
        if kind not in self.stand_ins:
            raise Refused(f"{self.name} cannot replace words by {kind!r}; it can by: {', '.join(self.stand_ins)}")
        weight = self.module.get_input_embeddings().weight
        token = {"mask": self.processor.mask_token_id, "pad": self.processor.pad_token_id}.get(kind)
        with torch.no_grad():
            if token is not None:
                row = self.module.get_input_embeddings()(torch.tensor([token], device=weight.device))[0]
            else:
                row = weight.mean(0) if kind == "mean" else torch.zeros_like(weight[0])
                if kind == "mean" and features.shape[-1] == row.shape[-1]:
                    scale = features.norm() / weight[batch.inputs["input_ids"][0]].norm()  # Gemma scales its embeddings
                    row = row * scale
        kept = torch.as_tensor(batch.special, device=features.device)[None, :, None]
        return torch.where(kept, features, row.to(features).expand_as(features))

    @property
    def stand_ins(self) -> tuple[str, ...]:
        """The baselines that this tokenizer has, the default first."""
        lacks = {"mask": self.processor.mask_token_id is None, "pad": self.processor.pad_token_id is None}
        return tuple(kind for kind in self.baselines if not lacks.get(kind, False))

    def units(self, batch: Batch, size: int = 0) -> Tensor:
        import torch

        free = torch.as_tensor(~batch.special)
        number = torch.where(free, free.cumsum(0) - 1, torch.tensor(-1))
        return number[None, :, None].to(self.device)  # (1, T, 1)

    def fold(self, attribution: Tensor, batch: Batch) -> np.ndarray:
        return attribution.detach()[0].sum(-1).float().cpu().numpy()  # (T, d) -> (T,)

    def context(self, batch: Batch) -> dict[str, dict[str, Any]]:
        return {
            "arrays": {"span": batch.spans},
            "axes": {"span": ("token", "edge")},
            "labels": {"token": batch.tokens},
            "facts": {"text": batch.text, "special": [int(i) for i in np.flatnonzero(batch.special)]},
        }
