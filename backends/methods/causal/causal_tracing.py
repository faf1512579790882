"""Causal tracing: where is what the answer needs of a word, once that word is blurred?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from backends.errors import Refused
from backends.hooks.partial_forward import Base, Row
from backends.methods.base import Cost, Method, Size, Step, no_step, option
from backends.methods.causal import base
from backends.models import input_pair
from backends.results import Result

if TYPE_CHECKING:
    from torch import Tensor

    from backends.models.base import Batch, Model, Target

SITES = ("residual", "attention", "mlp")
SHARE = 10 / 48
"""The paper's window of ten layers in a network of 48."""


@dataclass(frozen=True)
class CausalTracing(Method):
    """Where is what the answer needs of a word, once that word is blurred?

    Noise on the embeddings of `subject` spoils the answer; then one place gets its clean value back: a state, or what
    attention or the MLPs of a window of layers add at one token. `effect` (layer, position) is the share of the drop
    that comes back, (m - m_noised) / (m_clean - m_noised), of means over `samples`; the layer is the window's middle.
    """

    needs: ClassVar = frozenset({"answer", "residual", "gradient"})
    question: ClassVar = "causal"
    view: ClassVar = "grid"
    order: ClassVar = 20
    uses_pair: ClassVar = True
    title: ClassVar = "Causal tracing"
    source: ClassVar = "Meng et al. 2022, Locating and editing factual associations in GPT, section 2.1"
    cheap: ClassVar = {"samples": 2}

    subject: tuple[int, ...] = option(
        (), "tokens (or patches) that get noise, from 0; none: those that differ between the two inputs, or all", low=0
    )
    site: str = option("residual", "what gets its clean value back", choices=SITES)
    noise: float = option(3.0, "size of the noise, in standard deviations of the embeddings", low=0.01, high=100)
    samples: int = option(10, "how often noise is drawn", low=1, high=100)
    window: int = option(0, "layers restored together; 0: one for states, else ten of 48", low=0, high=100)
    seed: int = option(0, "seed of the noise", low=0)
    metric: str = option("probability", base.METRIC, choices=base.METRICS)

    def cost(self, size: Size) -> Cost:
        """One forward a cell and sample, from its layer and token on."""
        return base.estimate_sweep(size, size.tokens * self.samples, places=True, inputs=1 + self.samples)

    def __call__(self, model: Model, batch: Batch, target: Target, step: Step = no_step) -> Result:
        watch = base.WatchedMetric(model, batch, target, self.metric, "", step)
        watch.require(self.site)
        clean = watch.run_base(batch, **base.choose_recording(self.site))
        subject = self._subject(batch)
        noised = self._noised(watch, subject)
        spoiled = watch.run_base(batch, noised)
        high, low = watch.measure_base(clean), watch.measure_base(spoiled)
        if high == low:
            raise Refused("the noise changes nothing about the answer: choose other tokens, or more noise")
        layers = base.find_layers(watch.sites, self.site)
        width = self.window or (1 if self.site == "residual" else max(round(SHARE * len(layers)), 1))
        length = clean.states[0].shape[1]
        cells = [(index, position) for index in range(len(layers)) for position in range(length)]
        rows = [row for cell in cells for row in self._rows(clean, layers, width, *cell)]
        effect = np.full((len(layers), length), np.nan, np.float32)
        on_rows = self._fill(watch, effect, cells, high, low)
        watch.sweep(rows, spoiled, batch, noised, on_rows)
        return base.make_result(
            watch, "causal_tracing", {"effect": effect}, {"effect": ("layer", "position")},
            {"layer": layers, "position": base.name_positions(watch, length)}, "share of the drop restored",
            {"clean": high, "corrupted": low, "metric": self.metric, "metric_unit": watch.unit, "site": self.site,
             "subject": list(subject), "window": width, "samples": self.samples},
        )  # fmt: skip

    def _subject(self, batch: Batch) -> tuple[int, ...]:
        """The tokens that get noise."""
        count = len(batch.tokens) if batch.grid is None else batch.first_patch + batch.grid[0] * batch.grid[1]
        wrong = next((token for token in self.subject if token >= count), None)
        if wrong is not None:
            raise Refused(f"there is no token {wrong} to add noise to; the tokens are 0 to {count - 1}")
        if self.subject or batch.corrupted is None or "input_ids" not in batch.inputs:
            return self.subject
        differs = batch.inputs["input_ids"][0] != batch.corrupted.inputs["input_ids"][0]
        return tuple(int(i) for i in differs.nonzero()[:, 0].tolist())

    def _noised(self, watch: base.WatchedMetric, subject: Sequence[int]) -> Tensor:
        """The features (sample, …) with noise on the subject, of texts all but the special tokens where it is empty."""
        import torch

        model, batch, features = watch.model, watch.batch, watch.features(watch.batch)
        drawn = torch.Generator().manual_seed(self.seed)
        shape = (self.samples, *features.shape[1:])
        if batch.image is not None:
            where: Any = torch.as_tensor(input_pair.region(batch, subject))[None, None]
            size = float(features.std())
        else:
            chosen = np.isin(np.arange(len(batch.tokens)), list(subject)) if subject else ~np.asarray(batch.special)
            where = torch.as_tensor(chosen)[None, :, None]
            size = float(model.module.get_input_embeddings().weight.float().std())
        noise = torch.randn(shape, generator=drawn) * size * self.noise * where
        return features + noise.to(features)

    def _rows(self, clean: Base, layers: Sequence[int], width: int, index: int, position: int) -> list[Row]:
        """One row a sample: the clean values of a window around a layer, at one position."""
        first = max(index - (width - 1) // 2, 0)
        window = layers[first : index + width // 2 + 1]
        edits = {
            (self.site, layer): partial(
                base.replace_position, position, base.read_values(clean, self.site, layer)[position]
            )
            for layer in window
        }
        return [Row(edits, sample, position) for sample in range(self.samples)]

    def _fill(
        self, watch: base.WatchedMetric, effect: np.ndarray, cells: Sequence[tuple[int, int]], high: float, low: float
    ) -> Any:
        """Fills a cell once all its samples are known."""
        sums = base.announce(watch.step, 0, 1, effect, cells)

        def on_rows(fraction: float, found: Mapping[int, float]) -> None:
            whole: dict[int, float] = {}
            for cell in range(len(cells)):
                numbers = [found.get(cell * self.samples + sample) for sample in range(self.samples)]
                known = [number for number in numbers if number is not None]
                if len(known) == self.samples:
                    whole[cell] = (float(np.mean(known)) - low) / (high - low)
            sums(fraction, whole)

        return on_rows


ENTRY = CausalTracing
