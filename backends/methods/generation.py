"""Generation: a model continues a text, and every token that it adds is a step that a page can stand on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from backends.errors import Refused
from backends.methods.base import Method, Step, no_step, option

if TYPE_CHECKING:
    from torch import Generator, Tensor

    from backends.models.base import Batch
    from backends.models.families.causal_lm import CausalLanguageModel
    from backends.store import Store

MOST = 256
"""Tokens that one continuation adds at most."""
ALTERNATIVES = 5
STOPPED = {
    "tokens": "It has as many tokens as were asked for.",
    "end": "The model ended the text here.",
    "limit": "It stopped here: the model takes no longer text.",
}


@dataclass(frozen=True)
class Generation(Method):
    """A continuation, token by token: the most probable one each time, or one drawn at a temperature."""

    needs: ClassVar[frozenset[str]] = frozenset({"generation"})
    title: ClassVar[str] = "Continue"
    source: ClassVar[str] = "top-k: Fan et al. 2018, section 5.4; top-p: Holtzman et al. 2020, section 3.1"

    tokens: int = option(12, "how many tokens to add at most", low=1, high=MOST)
    temperature: float | None = option(None, "divides the logits before a token is drawn; empty: the most probable one")
    top_k: int = option(0, "draw among this many most probable tokens; 0: among all", low=0, high=10**6)
    top_p: float = option(1.0, "draw among the most probable tokens that together have this probability", low=0, high=1)
    seed: int = option(0, "the same seed draws the same tokens", low=0, high=2**53)

    def __post_init__(self) -> None:
        if self.temperature is not None and not 0 < self.temperature <= 100:
            raise Refused(
                f"{self.title}: temperature must be above 0 and at most 100, not {self.temperature:g}: it divides the "
                "logits; leave it out for the most probable token each time"
            )
        if self.top_p == 0:
            raise Refused(f"{self.title}: top_p must be above 0, not 0: no token would be left to draw")

    def choose(self, logits: Tensor, generator: Generator) -> int:
        """The next token of `logits` (vocabulary,)."""
        import torch

        if self.temperature is None:
            return int(logits.argmax())
        order = (logits.double() / self.temperature).sort(descending=True)
        kept = order.values[: self.top_k or None].softmax(-1)
        before = kept.cumsum(-1) - kept  # a token stays while those before it have not reached top_p
        kept = torch.where(before < self.top_p, kept, 0.0)
        return int(order.indices[torch.multinomial(kept, 1, generator=generator)])


class Stepwise:
    """The next token's logits of a text that grows; what the network keeps of earlier tokens is used again.

    With `cached` off, or for a network that keeps nothing, every call is a full forward.
    """

    def __init__(self, model: CausalLanguageModel, batch: Batch, cached: bool = True) -> None:
        self.model = model
        self.cached = cached and "past_key_values" in model.accepted
        with model.lock:
            self._constant = model.constant(batch)
        here = {*self._constant, "input_ids", model.written.argument}
        self._grown = {n: v for n, v in batch.inputs.items() if n in model.accepted and n not in here}
        self._kept: Any = None
        self._seen = 0

    def __call__(self, ids: Sequence[int]) -> Tensor:
        """Logits (vocabulary,) float32 on the CPU after `ids`, which begin with those of the last call."""
        import torch

        given = torch.tensor([ids[self._seen :]], device=self.model.device)
        grown = {n: _lengthen(v, len(ids)) for n, v in self._grown.items()}
        more: dict[str, Any] = {n: v if n == "attention_mask" else v[:, self._seen :] for n, v in grown.items()}
        if "use_cache" in self.model.accepted:
            more |= {"use_cache": self.cached}
        if self._kept is not None:
            more |= {"past_key_values": self._kept}
        if "logits_to_keep" in self.model.accepted:
            more |= {"logits_to_keep": 1}
        with self.model.lock, torch.no_grad():
            out = self.model.module(**self._constant, **{self.model.written.argument: given}, **more)
        if self.cached and out.get("past_key_values") is not None:
            self._kept, self._seen = out["past_key_values"], len(ids)
        return out.logits[0, -1].float().cpu()


def _lengthen(values: Tensor, length: int) -> Tensor:
    """(1, T) made (1, length) with its last entry."""
    import torch

    return torch.cat([values, values[:, -1:].expand(1, length - values.shape[1])], 1)


def generate(
    model: Any, raw: Any, step: Step = no_step, store: Store | None = None, cached: bool = True, **options: Any
) -> dict[str, Any]:
    """How `model` continues `raw`, as plain JSON values. Raises `Refused` on what cannot be done.

    `prompt` and the whole list tokens with their `ids`, strings (`tokens`) and character `spans` in `text`; `partial`
    says of each new token whether it is only part of a character. Of each new token: `probability`, `log_probability`
    (nat), `entropy` (nat) and `alternatives`, all as the network gives them, before temperature, top-k and top-p.
    `inputs` are the raw inputs of the steps: before the first new token, after it, … ; with a `store` they are kept
    there and `steps` are their digests instead. `stopped` is "tokens", "end" or "limit".
    """
    if "generation" not in model.offers:
        raise Refused(f"{model.name} does not continue texts: it is a {model.task} model")
    asked = Generation.build(options)
    batch = model.begin(raw)
    ids = batch.inputs[model.written.argument][0].tolist()
    start, longest = len(ids), model.longest
    if longest and start >= longest:
        what = "output so far" if model.written.text == "output" else "text"
        raise Refused(f"the {what} has {start} tokens and {model.name} takes at most {longest}: shorten it first")
    chosen, stopped, last = _continued(model, batch, asked, step, cached)  # type: ignore[arg-type] # what offers generation is one
    return {
        **_told(model, batch, ids, [token["id"] for token in chosen], store),
        **{name: [token[name] for token in chosen] for name in ("probability", "log_probability", "entropy")},
        "alternatives": [token["alternatives"] for token in chosen],
        "end": last,
        "stopped": stopped,
        "sentence": STOPPED[stopped],
        "options": asked.options(),
        "model": model.name,
    }


def _continued(
    model: CausalLanguageModel, batch: Batch, asked: Generation, step: Step, cached: bool
) -> tuple[list[dict[str, Any]], str, dict[str, Any] | None]:
    """The new tokens with what is told of each, why it stopped, and the token that ended it."""
    import torch

    generator = torch.Generator().manual_seed(asked.seed)
    ids = batch.inputs[model.written.argument][0].tolist()
    network, chosen = Stepwise(model, batch, cached), list[dict[str, Any]]()
    for done in range(asked.tokens):
        step(done / asked.tokens)
        if model.longest and len(ids) >= model.longest:
            return chosen, "limit", None
        logits = network(ids)
        token = _about(model, logits, asked.choose(logits, generator))
        if token["id"] in model.ends:
            return chosen, "end", token
        chosen.append(token)
        ids.append(token["id"])
    return chosen, "tokens", None


def _about(model: CausalLanguageModel, logits: Tensor, token: int) -> dict[str, Any]:
    """A chosen token, and what else could have been chosen, with the network's own probabilities."""
    import torch

    log = logits.log_softmax(-1)
    best = log.topk(min(ALTERNATIVES, len(log))).indices.tolist()
    return {
        "id": token,
        "token": model.name_of(token) or model.names_of([token])[0],
        "probability": float(log[token].exp()),
        "log_probability": float(log[token]),
        "entropy": float(-torch.xlogy(log.exp(), log.exp()).sum()),
        "alternatives": [
            {"id": i, "token": model.name_of(i) or model.names_of([i])[0], "probability": float(log[i].exp())}
            for i in best
        ],
    }


def _told(model: Any, batch: Batch, ids: list[int], new: list[int], store: Store | None) -> dict[str, Any]:
    """The tokens in words, their places in the text, and the raw input of each step."""
    written, skipped = model.written, model.written.skipped
    prompt = batch.raw[written.text]
    added, spans = model.spelled(ids + new, len(ids))
    names = model.names_of(new)
    before = batch.spans.tolist() if not skipped else []
    inputs: list[dict[str, Any]] = [dict(batch.raw)]
    for count in range(1, len(new) + 1):
        whole = count == len(new) or spans[count] != spans[count - 1] or spans[count] == (0, 0)
        text = added[: max(b for _, b in spans[:count])] if whole else model.spelled(ids + new[:count], len(ids))[0]
        exact = [*ids[skipped:], *new[:count]]
        inputs.append({**batch.raw, written.text: prompt + text, written.ids: exact})
    found = {
        "prompt": {"ids": ids[skipped:], "text": prompt, "tokens": [] if skipped else list(batch.tokens)},
        "prompt_spans": before,
        "text": prompt + added,
        "ids": new,
        "tokens": [added[a:b] or name for (a, b), name in zip(spans, names, strict=True)],
        "spans": [[a + len(prompt), b + len(prompt)] for a, b in spans],
        "partial": [b > a and (spans.count((a, b)) > 1 or added[a:b].endswith("\ufffd")) for a, b in spans],
    }
    kept = {"inputs": inputs} if store is None else {"steps": [store.put_input(raw) for raw in inputs]}
    return found | kept
