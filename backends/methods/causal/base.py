"""What methods that intervene share: the number that is watched, the two inputs, and a sweep of many small changes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np

from backends.errors import Refused
from backends.hooks import packed_rows, partial_forward
from backends.hooks.partial_forward import Base, Place, Row
from backends.methods import token_rows
from backends.methods.base import Cost, Size, Step, no_step, option, show
from backends.models import batching
from backends.results import Result

if TYPE_CHECKING:
    from torch import Tensor

    from backends.models.base import Batch, Model, Target

METRICS = ("logit", "probability", "loss")
SITES = ("residual", "attention", "mlp", "heads")
NEEDED = {"residual": "residual", "attention": "components", "mlp": "components", "heads": "heads"}
"""What a model must offer for each site."""
TOKENS = {"cpu": 384}
"""Tokens in one batch of a sweep; on a GPU many more."""
SMALLEST = 1e-6
"""The least difference of the two inputs' numbers, relative, of which shares can be taken."""

METRIC = "the number that is watched: the target's logit (or difference of two), its probability, or its loss"
PART = "which stack of a network that has several; empty is the main one"


def metric_option() -> Any:
    """The option `metric`."""
    return option("logit", METRIC, choices=METRICS)


def part_option() -> Any:
    """The option `part`."""
    return option("", PART)


@dataclass
class WatchedMetric:
    """One network, its inputs and the number that is watched: `metric` of `target`."""

    model: Model
    batch: Batch
    target: Target
    metric: str = "logit"
    part: str = ""
    step: Step = no_step
    tokens: int = 0
    """Tokens in one batch; 0 takes what suits the device."""
    plain: Tensor | None = field(default=None, init=False)
    """The logits (C,) of the input as it is, once a base of it was run."""

    def __post_init__(self) -> None:
        if self.target.kind == "sequence":
            raise Refused("interventions watch one answer, not a sequence: name a token, a class, or a pair of them")
        if self.metric == "loss" and self.target.kind == "pair":
            raise Refused("a loss has one right answer: name one target, or watch the logit of the pair")

    @cached_property
    def sites(self) -> Any:
        """Where the parts of the stack are."""
        return self.model.stack(self.part)

    @property
    def unit(self) -> str:
        """The unit of the number."""
        return {"logit": "logit", "probability": "probability", "loss": "nat"}[self.metric]

    @property
    def exact(self) -> bool:
        """Whether forwards may begin at a later block."""
        return self.sites.checks.get("replay_gap", float("inf")) <= self.allowed

    @property
    def trims(self) -> bool:
        """Whether tokens before the first change need not be computed again."""
        return self.exact and not self.part and self.sites.checks.get("trim_gap", float("inf")) <= self.allowed

    @property
    def allowed(self) -> float:
        """The gap that counts as rounding in the network's precision."""
        import torch

        return max(partial_forward.LEAST, 8 * torch.finfo(self.model.dtype).eps)

    def require(self, site: str) -> None:
        """Raises `Refused` where this network does not give what changes at `site` need."""
        need = NEEDED[site]
        if need not in self.sites.offers:
            why = self.sites.withdrawn.get(need, f"it has no {need}")
            there = [name for name in SITES if NEEDED[name] in self.sites.offers]
            fits = ", ".join(there) or "none"
            raise Refused(f"{site} of {self.model.name} cannot be changed: {why}; there are: {fits}")

    def features(self, batch: Batch) -> Tensor:
        """The features of one input, detached."""
        return self.model.features(batch).detach()

    def compute_metric(self, output: Tensor, ids: Sequence[int] | None = None) -> Tensor:
        """The number that is watched (B,) of logits (B, C); `ids` are the target's columns where not all are there."""
        logits, ids = output.float(), self.target.ids if ids is None else ids
        if self.metric == "loss":
            return -logits.log_softmax(-1)[:, ids[0]]
        values = logits.softmax(-1) if self.metric == "probability" else logits
        return values[:, ids[0]] - values[:, ids[1]] if self.target.kind == "pair" else values[:, ids[0]]

    def run_base(self, batch: Batch, features: Tensor | None = None, **wanted: Any) -> Base:
        """The unchanged run of an input, every state kept, and what else `record` is asked for."""
        import torch

        given = self.features(batch) if features is None else features
        with self.model.lock, torch.no_grad():
            known = partial_forward.run_base(
                self.model.module, self.sites, lambda: self.model.outputs(given, batch), self.trims, **wanted
            )
        if known.states[0].shape[0] != len(given):
            raise Refused(f"part {self.part!r} of {self.model.name} has inputs of its own; change the main part")
        if batch is self.batch and features is None:
            self.plain = known.output[0].float()
        return known

    def measure_base(self, known: Base) -> float:
        """The number of an unchanged run; the mean of its samples."""
        return float(self.compute_metric(known.output).mean())

    def compute_logits(
        self, rows: Sequence[Row], known: Base, features: Tensor, batch: Batch, columns: Sequence[int] = ()
    ) -> Tensor:
        """Logits of some rows, which come in order of their start; with `columns` of these answers only."""
        import torch

        given = features[[row.sample for row in rows]]
        with torch.no_grad():
            return partial_forward.replay(
                self.model.module, self.sites, known, rows, lambda: self.model.outputs(given, batch), self.exact,
                self.trims, columns,
            )  # fmt: skip

    def compute_metrics(self, rows: Sequence[Row], known: Base, features: Tensor, batch: Batch) -> list[float]:
        """The number of some rows, which come in order of their start; no answer is computed that it does not need."""
        ids = self.target.ids if self.metric == "logit" and self.narrows else ()
        output = self.compute_logits(rows, known, features, batch, ids)
        return self.compute_metric(output, range(len(ids)) if ids else None).cpu().tolist()

    @cached_property
    def narrows(self) -> bool:
        """Whether single answers' logits can be computed, as was tested when the model was opened."""
        alone = "next_token" in self.model.offers and not self.part and not self.model.answers
        return alone and self.trims and partial_forward.can_narrow(self.model.module, self.sites)

    def sweep(
        self,
        rows: Sequence[Row],
        known: Base,
        batch: Batch,
        features: Tensor | None = None,
        on_rows: Callable[[float, Mapping[int, float]], None] | None = None,
    ) -> np.ndarray:
        """The number of every row, (len(rows),): those that begin at the last blocks first.

        `on_rows(fraction, numbers)` gets the numbers that are known so far, by row; it raises when cancelled.
        """
        given = self.features(batch) if features is None else features
        found: dict[int, float] = {}
        sizes = self._sizes(rows, known)
        costs = [size * (len(self.sites.block) + 1 - row.start if self.exact else 1)
                 for row, size in zip(rows, sizes, strict=True)]  # fmt: skip
        length = known.states[0].shape[1]
        order = sorted(range(len(rows)), key=lambda index: (-rows[index].start, sizes[index]))
        most = self.tokens or TOKENS.get(str(self.model.device).partition(":")[0], 2**15)
        with self.model.lock:
            while order:
                chunk = order[: count_rows_at_once([sizes[index] for index in order], length, most)]
                chunk.sort(key=lambda index: rows[index].start)
                try:
                    numbers = self.compute_metrics([rows[i] for i in chunk], known, given, batch)
                except Exception as error:
                    if not batching.is_out_of_memory(error) or len(chunk) == 1:
                        raise
                    most = sum(sizes[index] for index in chunk) // 2
                    continue
                order = order[len(chunk) :]
                found.update(zip(chunk, numbers, strict=True))
                fraction = sum(costs[i] for i in found) / sum(costs)
                (on_rows or (lambda share, _: self.step(share)))(fraction, found)
        return np.array([found[index] for index in range(len(rows))], np.float32)

    def _sizes(self, rows: Sequence[Row], known: Base) -> list[int]:
        """How many tokens are computed of each row."""
        length, trims = known.states[0].shape[1], self.trims and packed_rows.can_pack(known, rows)
        return [length - row.first if trims else length for row in rows]


def count_rows_at_once(sizes: Sequence[int], length: int, most: int) -> int:
    """How many of the next rows, of so many tokens each, go through at once: at most `most` tokens, at least one row.

    Never as many as there are tokens, else a row of the batch could be taken for a token.
    """
    count, tokens = 0, 0
    for size in sizes:
        tokens += size
        if count and tokens > most:
            break
        count += 1
    return count - 1 if count == length > 1 else count


def split_pair(batch: Batch) -> tuple[Batch, Batch]:
    """The clean and the corrupted input."""
    if batch.corrupted is None:
        raise Refused('this compares two inputs: give {"clean": …, "corrupted": …}')
    return batch, batch.corrupted


@dataclass
class Contrast:
    """The clean and the corrupted run of one network, and shares of the way from the one to the other."""

    watch: WatchedMetric
    wanted: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        sides = split_pair(self.watch.batch)
        self.clean_batch, self.corrupted_batch = sides
        self.clean, self.corrupted = (self.watch.run_base(batch, **self.wanted) for batch in sides)
        if self.clean.states[0].shape != self.corrupted.states[0].shape:
            raise Refused("the two inputs have different numbers of tokens in this part; give both as many")
        self.high, self.low = self.watch.measure_base(self.clean), self.watch.measure_base(self.corrupted)
        if abs(self.high - self.low) <= SMALLEST * max(abs(self.high), abs(self.low), SMALLEST):
            raise Refused(
                f"both inputs have the same {self.watch.unit} of {self.watch.target.words} ({self.high:.4g}), so there "
                "is nothing to restore: choose another target, or corrupt what matters to it"
            )

    def share(self, numbers: Any) -> Any:
        """(m - m_corrupted) / (m_clean - m_corrupted): 0 changes nothing, 1 restores the clean number."""
        return (numbers - self.low) / (self.high - self.low)

    @property
    def facts(self) -> dict[str, Any]:
        """The two numbers and what they are of."""
        return {"clean": self.high, "corrupted": self.low, "metric": self.watch.metric, "metric_unit": self.watch.unit}


def read_values(base: Base, site: str, layer: int) -> Tensor:
    """What a run has at a site, without the batch: (T, d), of heads (T, H, dh)."""
    recording: Any = base.recording
    if site == "residual":
        return base.states[layer][0]
    return {"attention": recording.attention_out, "mlp": recording.mlp_out, "heads": recording.z}[site][layer][0]


def choose_recording(site: str) -> dict[str, Any]:
    """What `record` must be asked for to have `values` of a site."""
    return {"components": site in ("attention", "mlp"), "heads": site == "heads"}


def find_layers(sites: Any, site: str) -> tuple[int, ...]:
    """The layers that have a site."""
    parts = {"residual": sites.block, "attention": sites.branch, "mlp": sites.mlp, "heads": sites.attention}
    return tuple(layer for layer, path in enumerate(parts[site]) if path)


def find_place(site: str, layer: int) -> Place:
    """The site of `record` where a change goes."""
    return ("z" if site == "heads" else site), layer


def replace_position(index: int, value: Tensor, tensor: Tensor) -> Tensor:
    """One position of (T, d) replaced."""
    tensor[index] = value
    return tensor


def replace_head(head: int, value: Tensor | float, tensor: Tensor) -> Tensor:
    """One head of (T, H, dh) replaced at every position."""
    tensor[:, head] = value
    return tensor


def make_replacement(site: str, index: int, value: Tensor) -> Callable[[Tensor], Tensor]:
    """An edit of one row that replaces position `index`, or head `index` where the site is heads."""
    return (
        partial(replace_head, index, value[:, index])
        if site == "heads"
        else partial(replace_position, index, value[index])
    )


def parse_heads(asked: Sequence[str], sites: Any) -> tuple[tuple[int, int], ...]:
    """ "layer.head" texts as numbers. Raises `Refused` on what is no head of this network."""
    found = []
    for text in asked:
        layer, _, head = str(text).strip().partition(".")
        if not (layer.isdigit() and head.isdigit()):
            raise Refused(f"a head is given as layer.head, such as 2.1, not {str(text)[:40]!r}")
        if int(layer) not in sites.layers or int(head) >= sites.heads:
            raise Refused(
                f"there is no head {str(text)[:20]}; the layers are {sites.layers[0]} to {sites.layers[-1]}, "
                f"the heads 0 to {sites.heads - 1}"
            )
        found.append((int(layer), int(head)))
    return tuple(dict.fromkeys(found))


def compute_ablation(base: Base, other: Base | None, kind: str, layer: int, head: int) -> Any:
    """What a head is replaced by: zero, its mean over the tokens of these inputs, or what the other input gives."""
    import torch

    if kind == "zero":
        return 0.0
    if kind == "resample":
        assert other is not None
        return read_values(other, "heads", layer)[:, head]
    both = [read_values(run, "heads", layer)[:, head] for run in (base, other) if run is not None]
    return torch.cat(both).mean(0)


ABLATIONS = ("zero", "mean", "resample")
ABLATION = "what stands in for a head: zero, its mean over the input's tokens, or the corrupted input's value"


def require_other(kind: str, batch: Batch) -> None:
    """Raises `Refused` where resampling has no other input to take values from."""
    if kind == "resample" and batch.corrupted is None:
        raise Refused('resampling takes the other input\'s values: give {"clean": …, "corrupted": …}, or take the mean')


def make_result(
    watch: WatchedMetric, method: str, arrays: Mapping[str, np.ndarray], axes: Mapping[str, tuple[str, ...]],
    labels: Mapping[str, Sequence[Any]], unit: str, facts: Mapping[str, Any], signed: bool = True,
) -> Result:  # fmt: skip
    """A result that also carries the input, and the corrupted one's tokens where there is one."""
    context = token_rows.make_context(watch.model, watch.batch, watch.part)
    other = watch.batch.corrupted
    more: dict[str, Any] = {} if watch.plain is None else {"prediction": rank_answers(watch, watch.plain, 10)}
    more |= {} if other is None else {"corrupted_tokens": list(other.tokens), "corrupted_text": other.text}
    return Result(
        method=method,
        arrays={**arrays, **context["arrays"]},
        axes={**axes, **context["axes"]},
        labels={**{name: tuple(map(str, own)) for name, own in labels.items()}, **context["labels"]},
        unit=unit,
        signed=signed,
        target=watch.target.words,
        facts={**context["facts"], **more, "exact_replay": watch.exact, **facts},
    )


def name_positions(watch: WatchedMetric, length: int) -> tuple[str, ...]:
    """The names of a stack's tokens or patches."""
    found = token_rows.list_tokens(watch.model, watch.batch, watch.part)[0]
    return tuple(found) if len(found) == length else tuple(str(i) for i in range(length))


def predict_answers(watch: WatchedMetric, row: Row, known: Base, most: int = 5) -> list[dict[str, Any]]:
    """What the network answers with a row's changes, best first."""
    with watch.model.lock:
        return rank_answers(
            watch, watch.compute_logits([row], known, watch.features(watch.batch), watch.batch)[0].float(), most
        )


def rank_answers(watch: WatchedMetric, logits: Tensor, most: int) -> list[dict[str, Any]]:
    """The likeliest answers of logits (C,), best first; none where the one output is no choice among several."""
    if len(logits) == 1:
        return []
    shares = logits.softmax(-1)
    best = shares.topk(min(most, len(shares))).indices.tolist()
    return [
        {"index": i, "label": _name_answer(watch, i), "probability": float(shares[i]), "logit": float(logits[i])}
        for i in best
    ]


def compare_answers(watch: WatchedMetric, row: Row, known: Base, most: int = 4) -> list[dict[str, Any]]:
    """The likeliest answers without and with a row's changes, and the target's, each with both probabilities."""
    with watch.model.lock:
        given = watch.features(watch.batch)
        sides = [
            watch.compute_logits([one], known, given, watch.batch)[0].float().softmax(-1) for one in (Row({}), row)
        ]
    likely = [i for side in sides for i in side.topk(min(most, len(side))).indices.tolist()]
    rows = [(i, *(float(side[i]) for side in sides)) for i in dict.fromkeys([*likely, *watch.target.ids])]
    best = sorted(rows, key=lambda one: -max(one[1:]))
    return [{"label": _name_answer(watch, i), "before": before, "after": after} for i, before, after in best]


def _name_answer(watch: WatchedMetric, index: int) -> str:
    """What answer `index` is called; captions are called by their text."""
    captions = str(watch.batch.raw.get("text", "")).split("\n") if "captions" in watch.model.offers else []
    return captions[index] if index < len(captions) else watch.model.name_of(index)


def estimate_sweep(size: Size, across: float, places: bool = False, inputs: int = 2) -> Cost:
    """What a sweep takes of `across` cells in each layer, every one from its layer on, beside the unchanged runs.

    Where cells are `places` of a network whose tokens see only what came before, half of the tokens are left out.
    """
    forwards = across * (size.layers + 1) / 2 * (0.5 if places else 1)
    held = 4 * inputs * (3 * size.layers + 1) * size.tokens * size.width
    rows = max(TOKENS["cpu"] // max(size.tokens, 1), 1)
    return Cost(forwards=inputs + forwards, at_once=rows, most=2.0 if places else 1.0, bytes=held)


def announce(
    step: Step, low: float, high: float, grid: np.ndarray, places: Sequence[tuple[int, int]],
    scale: Callable[[float], float] = float, across: str = "position", unit: str = "share restored",
) -> Callable[[float, Mapping[int, float]], None]:  # fmt: skip
    """Return the `on_rows` of a sweep: it fills `grid` and shows it while it fills; cells not yet known are None.

    `across` is the axis of its columns, `unit` that of its cells.
    """

    def on_rows(fraction: float, found: Mapping[int, float]) -> None:
        for row, number in found.items():
            grid[places[row]] = scale(number)

        def preview() -> dict[str, Any]:
            cells = [[None if v != v else round(float(v), 6) for v in line] for line in grid]
            return {"effect": cells, "across": across, "unit": unit}

        show(step, low + (high - low) * fraction, preview)

    return on_rows
