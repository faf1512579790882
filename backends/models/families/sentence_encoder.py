"""Sentence encoders: how similar a text is to another one is explained."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from backends.errors import Refused
from backends.models.base import Batch, Choice, Model, Target
from backends.models.text import TextModel

if TYPE_CHECKING:
    from torch import Tensor

    from backends.catalog import Source

POOLINGS = {"pooling_mode_mean_tokens": "mean", "pooling_mode_cls_token": "first", "mean": "mean", "cls": "first"}


@dataclass(eq=False)
class SentenceEncoder(TextModel):
    """An encoder whose states are pooled to one vector a text, as sentence-transformers saves them.

    An input is `{"text": text, "pair": another}`; the cosine of the two vectors is explained by the words of the first.
    Without a `pair` only its inside is shown.
    """

    pooling: str = "mean"
    longest: int | None = None

    mappings: ClassVar = {"AutoModel": "MODEL_MAPPING_NAMES"}
    task: ClassVar = "sentence-similarity"
    claim: ClassVar = 2

    @classmethod
    def auto_class(cls, architectures: Sequence[str], folder: Path | None = None) -> str | None:
        """AutoModel, for folders whose modules.json says how tokens become one vector."""
        known = folder is not None and _pooling(folder) is not None
        return super().auto_class(architectures, folder) if known else None

    @classmethod
    def load(cls, source: Source, auto: str, device: str = "cpu") -> Model:
        model: Any = super().load(source, auto, device)
        folder = Path(str(source.path))
        model.pooling = _pooling(folder)
        model.longest = _read(folder / "sentence_bert_config.json", {}).get("max_seq_length")
        return model

    @property
    def sample(self) -> Mapping[str, Any]:
        return {**super().sample, "pair": "A physician examined her."}

    @property
    def own_offers(self) -> frozenset[str]:
        mean = {"mean_of_tokens"} if self.pooling == "mean" else set()
        return frozenset({"answer", "gradient", "tokens", "pair"} | mean)

    @property
    def limit(self) -> int | None:
        return min(filter(None, (super().limit, self.longest)), default=None)

    def encode(self, raw: Any) -> Batch:
        batch = super().encode(raw)
        pair = raw.get("pair") if isinstance(raw, Mapping) else None
        if not pair:
            return batch
        other = super().encode({"text": pair})
        with self.lock:
            vector = self._embed(self.features(other), other)
        return dataclasses.replace(
            batch, raw={"text": batch.text, "pair": pair}, inputs={**batch.inputs, "pair_vector": vector.detach()}
        )

    def _embed(self, features: Tensor, batch: Batch) -> Tensor:
        """The vectors (B, d) of length 1."""
        states = self.module(**self._arguments(features, batch)).last_hidden_state  # (B, T, d)
        pooled = states[:, 0] if self.pooling == "first" else states.mean(1)  # one text at a time: nothing is padding
        return pooled / pooled.norm(dim=-1, keepdim=True).clamp(min=1e-12)

    def outputs(self, features: Tensor, batch: Batch) -> Tensor:
        """The cosine with the other text (B, 1), or without one the vectors (B, d)."""
        vectors = self._embed(features, batch)
        other = batch.inputs.get("pair_vector")
        return vectors if other is None else vectors @ other.T

    def predict(self, batch: Batch, most: int = 10) -> list[Choice]:
        return []

    def target(self, spec: Any, batch: Batch) -> Target:
        if "pair" not in batch.raw:
            raise Refused(f"{self.name} compares two texts: give a second one, and its similarity is explained")
        if spec not in (None, "", 0, "similarity"):
            raise Refused(f"{self.name} has one answer, the similarity of two texts, so it takes no target")
        return Target("index", (0,), f"similarity to {batch.raw['pair'][:80]!r}", "cosine")


def _pooling(folder: Path) -> str | None:
    """How the folder's tokens become one vector: "mean" or "first"; None where they do not, or by other modules."""
    modules = _read(folder / "modules.json", [])
    kinds = {str(module.get("type", "")).rpartition(".")[2]: module.get("path", "") for module in modules}
    if "Pooling" not in kinds or set(kinds) - {"Transformer", "Pooling", "Normalize"}:
        return None
    config = _read(folder / str(kinds["Pooling"]) / "config.json", {})
    modes = config.get("pooling_mode") or [n for n, on in config.items() if n.startswith("pooling_mode_") and on]
    modes = [modes] if isinstance(modes, str) else modes
    return POOLINGS.get(modes[0]) if len(modes) == 1 else None


def _read(path: Path, default: Any) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return default


ENTRY = SentenceEncoder
