"""Occlusion: what changes when a window slides over the input and hides it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from backends.errors import Refused
from backends.methods.attribution.base import Attribution, baseline_option, name_baseline
from backends.methods.base import Cost, Size, option

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from backends.methods.attribution.scoring import Scoring


@dataclass(frozen=True)
class Occlusion(Attribution):
    """How much does the answer lose when a window of the input is hidden?

    A window slides over the picture or the text, what is under it is replaced by something neutral, and
    the network answers again. Positive places speak for the answer: hiding them costs it. Needs no
    gradients and means what it says, but hides one window at a time: things that are there twice can stand in for
    each other. Each place has the average over the windows that covered it.
    """

    title: ClassVar = "Occlusion"
    source: ClassVar = "Zeiler & Fergus 2014, Visualizing and Understanding Convolutional Networks, section 4.2"
    order: ClassVar = 20
    order_on_images: ClassVar = 1
    needs: ClassVar = frozenset({"answer"})
    per: ClassVar = "per window"

    size: int = option(0, "side of the window: pixels, or words; 0 is 3/16 of the height, or one word", low=0)
    stride: int = option(0, "how far the window moves: pixels, or words; 0 is a third of its side, at least 1", low=0)
    baseline: str = baseline_option()

    def cost(self, size: Size) -> Cost:
        """A forward a window."""
        high, wide = (size.side, size.side) if size.side else (size.tokens, 1)
        window, stride = self._window(high, high, bool(size.side))
        count = len(_find_starts(high, window, stride)) * len(_find_starts(wide, min(window, wide), stride))
        return Cost(forwards=count + 2, at_once=size.batch, bytes=12 * size.batch * size.numbers)

    def attribute(self, scoring: Scoring) -> tuple[np.ndarray, dict[str, Any]]:
        import torch

        features, units = scoring.features.detach(), scoring.model.units(scoring.batch)
        baseline = scoring.baseline(self.baseline)
        high, wide = units.shape[2:] if features.ndim == 4 else (units.shape[1], 1)
        size, stride = self._window(high, wide if features.ndim == 4 else high, features.ndim == 4)
        rows, columns = _find_starts(high, size, stride), _find_starts(wide, min(size, wide), stride)
        scoring.expected = len(rows) * len(columns) + 2
        total, count = torch.zeros(2, high, wide, device=features.device)
        for hidden in _make_windows(
            rows, columns, (high, wide), size, scoring.size, features.device
        ):  # (B, high, wide)
            shown = torch.where(hidden.view(-1, *units.shape[1:]), baseline, features)
            lost = scoring.output - scoring.value(shown)  # (B,)
            total += torch.einsum("b,bhw->hw", lost, hidden.float())
            count += hidden.sum(0)
        mean = (total / count.clamp(min=1)).view(units.shape)
        facts = {"window": size, "stride": stride, "baseline": name_baseline(scoring.model, self.baseline)}
        facts["baseline_output"] = float(scoring.value(baseline))
        return scoring.fold(torch.where(units < 0, 0.0, mean)), facts

    def _window(self, high: int, wide: int, image: bool) -> tuple[int, int]:
        size = self.size or (max(3 * min(high, wide) // 16, 1) if image else 1)
        stride = self.stride or max(size // 3, 1)
        if size > min(high, wide):
            raise Refused(
                f"the window of {size} does not fit: the input is {min(high, wide)} long; make `size` smaller"
            )
        if stride > size:
            raise Refused(f"a stride of {stride} with a window of {size} leaves gaps; make `stride` at most {size}")
        return size, stride


def _find_starts(length: int, size: int, stride: int) -> list[int]:
    """Where windows begin; the last may stick out, so that the end is covered (as in captum)."""
    return [i * stride for i in range(-(-(length - size) // stride) + 1)]


def _make_windows(
    rows: list[int], columns: list[int], shape: tuple[int, int], size: int, batch: int, device: Any
) -> Iterator[Tensor]:
    """Masks of what is hidden, (B, high, wide) bool, `batch` at a time."""
    import torch

    starts = torch.tensor([(r, c) for r in rows for c in columns], device=device)
    row, column = (torch.arange(n, device=device) for n in shape)
    for some in starts.split(batch):
        inside = [
            (line >= at[:, None]) & (line < at[:, None] + size) for line, at in zip((row, column), some.T, strict=True)
        ]
        yield inside[0][:, :, None] & inside[1][:, None, :]


ENTRY = Occlusion
