"""What all attribution methods share: options, the facts beside every map, and how a map becomes a Result."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from backends.errors import Refused, Unsettled
from backends.methods.base import Cost, Method, Size, Step, no_step, option
from backends.results import Result

if TYPE_CHECKING:
    from torch import Tensor

    from backends.methods.attribution.scoring import Parts, Scoring
    from backends.models.base import Batch, Model, Target

BASELINES = ("default", "mask", "pad", "mean", "zero", "blur")
MOST_GAP = 0.05
"""The largest completeness gap of a map that claims completeness."""


def baseline_option() -> Any:
    """What stands in for a removed part of the input."""
    return option(
        "default",
        "what the input is compared with: words replaced by the mask or padding token, a picture blurred, …; "
        "the map says what speaks for the answer compared with that",
        choices=BASELINES,
    )


def seed_option() -> Any:
    """The seed of a method that draws at random."""
    return option(0, "the random draws; the same seed gives the same map", low=0, high=2**31 - 1)


def smooth_option() -> Any:
    """SmoothGrad: the number of noisy copies."""
    return option(0, "average over this many noisy copies of the input (SmoothGrad); 0 is off", low=0, high=64)


def noise_option() -> Any:
    """SmoothGrad: the size of the noise."""
    return option(0.1, "the noise of these copies, as a share of the input's range", low=0.0, high=1.0)


def square_option() -> Any:
    """The side of the squares that pictures are cut into."""
    return option(0, "side of the squares a picture is cut into, in pixels; 0 is an eighth of its height", low=0)


@dataclass(frozen=True)
class Attribution(Method):
    """A method that says how much each token or pixel speaks for the target.

    Subclasses give `attribute`; `cheap` are the options of a quick validity check, `claims` the
    largest completeness gap of a valid map (None: the method does not claim completeness).
    """

    needs: ClassVar[frozenset[str]] = frozenset({"gradient"})
    question: ClassVar[str] = "attribution"
    view: ClassVar[str] = "map"
    cheap: ClassVar[Mapping[str, Any]] = {}
    claims: ClassVar[float | None] = None
    guided: ClassVar[bool] = False
    per: ClassVar[str] = ""

    @property
    def signed(self) -> bool:
        """Whether values below zero speak against the target."""
        return True

    def attribute(self, scoring: Scoring) -> tuple[np.ndarray, dict[str, Any]]:
        """The map (token,) or (height, width), and facts about it."""
        raise NotImplementedError(f"{type(self).__name__} does not say how it is computed")

    def cost(self, size: Size) -> Cost:
        """One gradient, or one for each noisy copy where there are, and the number that is explained."""
        return Cost(forwards=1, gradients=max(getattr(self, "smooth", 1), 1))

    def unit(self, target: Target, batch: Batch) -> str:
        """The unit of the map's values."""
        return f"{target.unit} {self.per}".strip()

    def __call__(self, model: Model, batch: Batch, target: Target, step: Step = no_step) -> Result:
        from backends.methods.attribution.scoring import Scoring

        start = time.perf_counter()
        with model.lock:
            scoring = Scoring(model, batch, target, step)
            attribution, facts = self._attribute_in_memory(scoring)
            output = scoring.output
        context = model.context(batch)
        axes = ("token",) if attribution.ndim == 1 else ("height", "width")
        counts = {"gradients": scoring.gradients, "forwards": scoring.forwards}
        step(1.0)
        return Result(
            method=type(self).__module__.rpartition(".")[2],
            arrays={"attribution": attribution.astype(np.float32), **context["arrays"]},
            axes={"attribution": axes, **context["axes"]},
            labels=context["labels"],
            unit=self.unit(target, batch),
            signed=self.signed,
            target=target.words,
            facts={**context["facts"], "output": output, **facts, **counts, "seconds": time.perf_counter() - start},
        )

    def _attribute_in_memory(self, scoring: Scoring) -> tuple[np.ndarray, dict[str, Any]]:
        """`attribute`, begun again with half as many inputs at once where memory ran out."""
        from backends.models.batching import WOULD_FIT, is_out_of_memory, release

        while True:
            try:
                return self.attribute(scoring)
            except Exception as error:
                if isinstance(error, Refused) or not is_out_of_memory(error):
                    raise
            release()  # here, where the error no longer holds the tensors of the failed run
            if scoring.most == 1:
                raise Unsettled(
                    f"{self.title} does not fit in memory, even one input at a time; {WOULD_FIT}, "
                    "or take fewer steps or samples"
                )
            scoring.most = max(min(scoring.most, 16) // 2, 1)
            scoring.gradients = scoring.forwards = 0


@dataclass(frozen=True)
class OverParts(Attribution):
    """An attribution over removable parts: words, or squares of a picture. It needs answers, no gradients."""

    needs: ClassVar[frozenset[str]] = frozenset({"answer"})

    def evaluations(self, size: Size) -> int:
        """How many changed inputs are answered."""
        return getattr(self, "samples", 0) or max(8 * size.parts, 128)

    def cost(self, size: Size) -> Cost:
        """Forwards alone, several at a time; the changed inputs of one batch are held."""
        return Cost(forwards=self.evaluations(size) + 2, at_once=size.batch, bytes=12 * size.batch * size.numbers)

    def unit(self, target: Target, batch: Batch) -> str:
        return f"{target.unit} per square" if batch.image is not None else target.unit


def average_noisy(method: Any, scoring: Scoring, smooth: int, noise: float, seed: int, **arguments: Any) -> Tensor:
    """A captum method's attribution, averaged over `smooth` noisy inputs where that is not 0 (captum's NoiseTunnel)."""
    from captum.attr import NoiseTunnel

    from backends.methods.attribution.scoring import seeded

    features = scoring.features
    if not smooth:
        return method.attribute(features, **arguments)
    spread = noise * scoring.range
    with seeded(seed, scoring.model.device):  # one copy at a time: draws must not depend on the batch size
        return NoiseTunnel(method).attribute(
            features, nt_samples=smooth, nt_samples_batch_size=1, stdevs=spread, **arguments
        )


def measure_gap(total: float, change: float) -> float:
    """|Σa − Δf| / |Δf|: how far a map is from adding up to the change that it explains."""
    return abs(total - change) / max(abs(change), 1e-9)


def describe_baseline(
    scoring: Scoring, baseline: Tensor, kind: str, total: float, start: float | None = None
) -> dict[str, Any]:
    """The facts of a map that should add up to f(x) − f(baseline); `start` is the latter where it is known."""
    if start is None:
        start = float(scoring.value(baseline).mean())
    return {
        "baseline": name_baseline(scoring.model, kind),
        "baseline_output": start,
        "completeness_gap": measure_gap(total, scoring.output - start),
    }


def describe_parts(parts: Parts, kind: str, values: Tensor | None = None) -> dict[str, Any]:
    """The facts of a map over parts; with `values` (1, part), how far they are from adding up to the change."""
    start = parts.baseline_output
    facts = {"baseline": name_baseline(parts.scoring.model, kind), "baseline_output": start, "parts": parts.count}
    if values is not None:
        facts["completeness_gap"] = measure_gap(float(values.sum()), parts.scoring.output - start)
    return facts


def name_baseline(model: Model, kind: str) -> str:
    """The baseline's name; "default" is the model's own first choice."""
    return model.stand_ins[0] if kind == "default" else kind
