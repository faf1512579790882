"""The Model contract: one loaded network made uniform.

Methods speak to networks only through this class. Differences between families are data here
(`auto`, `offers`, the module paths in `sites`), never an if on a class name.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from backends.errors import Refused
from backends.models import batching

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from backends.catalog import Source


@dataclass(frozen=True)
class Batch:
    """One encoded input, with the way back from tensors to what the person gave.

    `inputs` are the network's keyword arguments with a batch axis of one; `spans` (token, 2) are
    character offsets into `text`, empty for special tokens; `image` (height, width, 3) is what the
    network saw as uint8; `grid` (rows, columns) lays out the patch tokens that follow the first
    `first_patch` tokens of a vision transformer.
    """

    raw: Mapping[str, Any]
    inputs: Mapping[str, Tensor]
    tokens: tuple[str, ...] = ()
    spans: Any = None
    special: Any = None
    text: str = ""
    image: Any = None
    grid: tuple[int, int] | None = None
    first_patch: int = 0
    streams: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The tokens of the network's other stacks, by name: a decoder's, or the text beside a picture."""
    corrupted: Batch | None = None
    """The input that this clean one is compared with, of as many tokens."""


@dataclass(frozen=True)
class Target:
    """What is explained: one output, one rather than another, or a sequence of tokens.

    `kind` is `index`, `pair` (logit of ids[0] minus logit of ids[1]) or `sequence` (sum of log p of
    the ids after the input). `words` says it to a person; `unit` is `logit` or `nat`.
    """

    kind: str
    ids: tuple[int, ...]
    words: str
    unit: str = "logit"


@dataclass(frozen=True)
class Choice:
    """One entry of a prediction."""

    index: int
    label: str
    probability: float
    logit: float


@dataclass(eq=False)
class Model:
    """A loaded network with its pre-processing. Subclasses are families, one file each.

    Hold `lock` around anything that runs or hooks the module: captum's layer methods disturb
    other threads' forwards.
    """

    name: str
    revision: str
    module: Any
    """The transformers network, in evaluation mode, its weights frozen."""
    processor: Any
    device: str = "cpu"
    sites: Any = None
    """`Sites`: where its parts are; None until it was probed."""
    examples: tuple[Mapping[str, Any], ...] = ()
    """The inputs that ship with it."""
    lock: threading.RLock = field(default_factory=threading.RLock, repr=False)

    stacks: dict[str, Any] = field(default_factory=dict)
    """`Sites` by name, of a network with several stacks of blocks; `sites` is one of them."""
    warnings: list[str] = field(default_factory=list)
    tokens_seen: int = 0
    batch_sizes: dict[Any, int] = field(default_factory=dict, repr=False)

    mappings: ClassVar[Mapping[str, str]]
    """Auto class -> its table in transformers' `modeling_auto`, which names the architectures of this family."""
    processor_auto: ClassVar[str]
    """The Auto class of what prepares the input."""
    task: ClassVar[str]
    baselines: ClassVar[tuple[str, ...]]
    """What may stand in for a removed part, the default first."""
    claim: ClassVar[int] = 1
    """Of several families that could open a folder, the one with the largest claim does; a catch-all has 0."""
    answers: ClassVar[str] = ""
    """The name of the stack that the answer is read from, where that is not `sites`."""
    attends_to: ClassVar[Mapping[str, str]] = {}
    """Stack -> the stack that its attention goes to, where that is another one."""

    @classmethod
    def auto_class(cls, architectures: Sequence[str], folder: Path | None = None) -> str | None:
        """The Auto class that opens one of `architectures`, None when this family has none."""
        from transformers.models.auto import modeling_auto

        for auto, table in cls.mappings.items():
            known = getattr(modeling_auto, table).values()
            flat = {name for names in known for name in ([names] if isinstance(names, str) else names)}
            if flat & set(architectures):
                return auto
        return None

    @classmethod
    def load(cls, source: Source, auto: str, device: str = "cpu") -> Model:
        """Open the files of `source` with the Auto class `auto`. Raises `Refused` when they are not whole."""
        from backends.models import load as _load

        module, missing = _load.load_network(source, auto, device)
        device = _load.find_home(module, device)
        model = cls(source.name, source.revision, module, _load.load_processor(source, cls.processor_auto), device)
        if missing:
            model.warnings.append(f"the folder lacks {len(missing)} weights ({missing[0]} …): they are random")
        return model

    @property
    def dtype(self) -> torch.dtype:
        """What the network computes in; features, scores and results are float32 whatever it is."""
        import torch

        kinds = (p.dtype for p in self.module.parameters() if p.is_floating_point())
        return next(kinds, torch.float32)

    @property
    def sample(self) -> Mapping[str, Any]:
        """A small input of this family, for the probe and the validity checks."""
        raise NotImplementedError

    @property
    def own_offers(self) -> frozenset[str]:
        """What this family gives whatever is found inside the network."""
        raise NotImplementedError

    @property
    def offers(self) -> frozenset[str]:
        """What this network can give; a method is offered when its `needs` are among them."""
        relu = {"relu"} if any(type(m).__name__ == "ReLU" for m in self.module.modules()) else set()
        found = self.sites.offers if self.sites else frozenset()
        if self.answers in self.stacks:
            found = found - {"unembedding"} | self.stacks[self.answers].offers & {"unembedding"}
        return self.own_offers | relu | found | (frozenset() if self.answers else {"one_stack"})

    @property
    def stand_ins(self) -> tuple[str, ...]:
        """Those of `baselines` that this network has, the default first."""
        return self.baselines

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes' names; empty for language models."""
        return ()

    @property
    def limit(self) -> int | None:
        """The longest input in tokens; None where there is none."""
        return None

    def places(self) -> dict[str, dict[str, Any]]:
        """What `probe.locate` needs to find each of `stacks`, by name, the main one first; empty where there is one."""
        return {}

    def prepare(self) -> bool:
        """Find the network's parts where this family does so itself: then `sites` is set, and this returns True."""
        return False

    @property
    def extras(self) -> Mapping[str, Any]:
        """What a page needs to know of this family beyond what every card says, as plain JSON."""
        return {}

    def stack(self, name: str = "") -> Any:
        """The sites of the stack called `name`, the main one's for "". Raises `Refused`, naming what there is."""
        if not name:
            return self.sites
        if name not in self.stacks:
            there = (
                f"it has {', '.join(self.stacks)}" if self.stacks else "it is one stack of layers: leave the name out"
            )
            raise Refused(f"{self.name} has no part {name[:40]!r}; {there}")
        return self.stacks[name]

    def layers(self) -> dict[str, list[str]]:
        """Module paths by role: block, attention, mlp, final_norm, unembedding, embedding, channels."""
        return self.sites.roles() if self.sites else {}

    def encode(self, raw: Any) -> Batch:
        """Tensors for a text, an image (path, bytes or PIL) or both. Raises `Refused` on bad input."""
        raise NotImplementedError

    def features(self, batch: Batch) -> Tensor:
        """Where gradients are taken: token embeddings (1, T, d) or pixel values (1, C, H, W), float32."""
        raise NotImplementedError

    def outputs(self, features: Tensor, batch: Batch) -> Tensor:
        """Logits (B, class or token) of `features` with any batch size B."""
        raise NotImplementedError

    def baseline(self, features: Tensor, batch: Batch, kind: str | None = None) -> Tensor:
        """What stands in for the input, shaped like `features`; `kind` is one of `baselines`."""
        raise NotImplementedError

    def units(self, batch: Batch, size: int = 0) -> Tensor:
        """Removable parts as consecutive numbers from 0, int64, broadcastable to `features`; -1 is never removed.

        Text: each token that is not special. Images: squares of `size` pixels.
        """
        raise NotImplementedError

    def fold(self, attribution: Tensor, batch: Batch) -> np.ndarray:
        """Sum an attribution shaped like `features` to (token,) or (height, width), float32."""
        raise NotImplementedError

    def score(self, features: Tensor, batch: Batch, target: Target) -> Tensor:
        """The number that is explained, (B,), differentiable: see `Target`."""
        logits = self.outputs(features, batch).float()  # (B, C)
        if target.kind == "pair":
            return logits[:, target.ids[0]] - logits[:, target.ids[1]]
        return logits[:, target.ids[0]]

    def scores(self, features: Tensor, batch: Batch, target: Target, step: Any = None) -> Tensor:
        """`score` of many features (N, …) without gradients, in batches that fit: (N,) float32 on the CPU."""
        import torch

        total, done = len(features), 0

        def run(rows: Tensor) -> Tensor:
            nonlocal done
            with torch.no_grad():
                out = self.score(rows, batch, target).float().cpu()
            done += len(rows)
            if step:
                step(done / total)
            return out

        with self.lock:
            size = self.batch_size(batch, target)
            parts, fitted = batching.run_halving(run, features, size)
        self.batch_sizes[self._shape(features)] = min(size, fitted)
        return torch.cat(parts)

    def batch_size(self, batch: Batch, target: Target) -> int:
        """How many features go through at once, tried once per shape of the input."""
        import torch

        features = self.features(batch).detach()
        shape = self._shape(features)
        if shape not in self.batch_sizes:

            def run(size: int) -> None:
                with torch.no_grad():
                    self.score(features.expand(size, *features.shape[1:]).contiguous(), batch, target)

            with self.lock:
                self.batch_sizes[shape] = batching.find_fastest_size(run)
        return self.batch_sizes[shape]

    @staticmethod
    def _shape(features: Tensor) -> tuple[int, ...]:
        return tuple(features.shape[1:])

    def predict(self, batch: Batch, most: int = 10) -> list[Choice]:
        """The most probable outputs, best first."""
        import torch

        with self.lock, torch.no_grad():
            logits = self.outputs(self.features(batch), batch)[0].float()
        probability = self.probability(logits)
        best = probability.topk(min(most, len(probability))).indices.tolist()
        return [Choice(i, self.name_of(i), float(probability[i]), float(logits[i])) for i in best]

    @property
    def multi_label(self) -> bool:
        """Whether each class is a yes or no of its own, as the config's `problem_type` says."""
        config = getattr(self.module, "config", None)
        return getattr(config, "problem_type", None) == "multi_label_classification"

    def probability(self, logits: Tensor) -> Tensor:
        """The probability of each class, like `logits`: shares of one, or a yes or no each where several may hold."""
        return logits.sigmoid() if self.multi_label else logits.softmax(-1)

    def name_of(self, index: int) -> str:
        """The word for output `index`."""
        return self.labels[index]

    def index_of(self, spec: Any) -> int:
        """The output that `spec`, a name or an index, means. Raises `Refused`, naming what there is."""
        for index, label in enumerate(self.labels):
            if str(spec).strip().lower() == label.lower():
                return index
        if str(spec).lstrip("-").isdecimal() and 0 <= int(spec) < len(self.labels):
            return int(spec)
        there = ", ".join(self.labels[:20]) + (" …" if len(self.labels) > 20 else "")
        raise Refused(f"{self.name} has no class {str(spec)[:60]!r}; its classes are: {there}")

    def target(self, spec: Any, batch: Batch) -> Target:
        """The target `spec` asks for: None (the predicted one), a name, an index, or a pair [a, b]."""
        if spec is None or spec == "":
            best = self.predict(batch, most=1)[0]
            return Target("index", (best.index,), best.label)
        if isinstance(spec, Sequence) and not isinstance(spec, str):
            if len(spec) != 2:
                raise Refused(f"a contrastive target is a pair [a, b], not {len(spec)} entries")
            a, b = (self.index_of(s) for s in spec)
            if a == b:
                raise Refused(f"the two sides of the target are the same: {self.name_of(a)!r}")
            return Target("pair", (a, b), f"{self.name_of(a)} rather than {self.name_of(b)}")
        if isinstance(spec, Mapping):
            raise Refused(f"{self.name} does not generate text, so its target cannot be a sequence")
        index = self.index_of(spec)
        return Target("index", (index,), self.name_of(index))

    def context(self, batch: Batch) -> dict[str, dict[str, Any]]:
        """What every result of this input carries: `arrays`, `axes`, `labels` and `facts` of the input itself."""
        raise NotImplementedError

    def clone(self) -> nn.Module:
        """A deep copy of the network, for tests that change weights."""
        import copy

        return copy.deepcopy(self.module)


def to_device(inputs: Mapping[str, Any], device: str | torch.device) -> dict[str, Tensor]:
    """The tensors of `inputs` on `device`."""
    return {name: value.to(device) for name, value in inputs.items() if hasattr(value, "to")}
