"""DAAM: where in a generated picture each word of the prompt landed."""

from __future__ import annotations

import base64
import io
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from backends.errors import Refused
from backends.hooks import diffusion
from backends.methods.base import Method, Step, no_step, option, show
from backends.methods.diffusion import word_fold
from backends.results import Result

if TYPE_CHECKING:
    from torch import Tensor

    from backends.models.base import Batch, Target


@dataclass(frozen=True)
class Daam(Method):
    """Draws the prompt and shows, for each word, which places of the picture attended to it.

    `heat` is the attention of each place to the word (for several tokens their mean), summed over the denoising steps
    and averaged over the heads of all layers but the UNet's middle ones. Nothing is normalised: a word's values can be
    compared with another's. `exact` handles each head by itself, as the published code; `fast` averages the heads
    first, which differs where bicubic enlargement goes below zero, and needs less memory. The picture is the same,
    bit for bit, as without maps. Attention is correlation: a word may land where it did not decide anything.

    `map` is `heat` at the latents' own size; `by_step`, `by_layer` and `by_head` are its parts, at most 32 × 32, a
    step's attention not summed. `frames` are the forming picture after evenly spaced steps. Where a network reads text
    and picture as one sequence (SD3, FLUX), the part shown is what places attend to in the text. `truth` is the mask of
    what a word means, where the model ships with a program that finds it.
    """

    needs: ClassVar = frozenset({"denoising", "cross_attention"})
    question: ClassVar = "diffusion"
    view: ClassVar = "word_maps"
    order: ClassVar = 10
    title: ClassVar = "Where each word landed"
    source: ClassVar = "Tang et al. 2022, What the DAAM, section 3, eq. 3 to 5"
    needs_target: ClassVar = False
    cheap: ClassVar = {"steps": 2, "frames": 0}

    steps: int = option(20, "denoising steps: more are slower and mostly finer", low=1, high=500)
    guidance: float | None = option(
        None, "how closely to follow the prompt; none means the pipeline's own", low=0, high=50
    )
    seed: int = option(0, "another seed gives another picture", low=0, high=2**32 - 1)
    negative: str = option("", "what the picture should not show")
    height: int | None = option(None, "height in pixels; none means the pipeline's own", low=8, high=4096)
    width: int | None = option(None, "width in pixels; none means the pipeline's own", low=8, high=4096)
    mode: str = option("fast", "fast averages heads first; exact is DAAM as published", choices=("fast", "exact"))
    layers: tuple[int, ...] = option((), "layers that count, from 0; none means all", low=0)
    heads: tuple[int, ...] = option((), "heads that count, from 0; none means all", low=0)
    first: int = option(1, "first denoising step that counts, from 1", low=1)
    last: int | None = option(None, "last denoising step that counts; none means the last", low=1)
    normalise: bool = option(False, "divide by the sum over all words, so that they share each place")
    by_step: bool = option(True, "also give the maps of every step")
    by_layer: bool = option(True, "also give the maps of every layer")
    by_head: bool = option(False, "also give the maps of every head, which are then kept apart")
    frames: int = option(0, "how many stages of the forming picture to keep", low=0, high=100)
    pictures: int = option(1, "how many pictures to draw at once, from as many seeds", low=1, high=16)
    strength: float = option(0.8, "how far to leave a picture that is started from", low=0.05, high=1)

    def __call__(self, model: Any, batch: Batch, target: Target | None = None, step: Step = no_step) -> Result:
        drawing = _Drawing(self, model, batch, step)
        with model.lock:
            drawing.draw()
        return drawing.result()


@dataclass
class _Drawing:
    """One run of the method: the sums that grow while the picture forms, then the maps."""

    asked: Daam
    model: Any
    batch: Any
    step: Step
    frames: list[tuple[int, np.ndarray]] = field(default_factory=list)
    by_step: dict[int, Tensor] = field(default_factory=dict)
    latest: tuple[int, Tensor] | None = None
    shown: dict[str, Any] = field(default_factory=dict)
    rest: float = 0.0

    def __post_init__(self) -> None:
        asked, model = self.asked, self.model
        self.size = model.checked(asked.height or 0, asked.width or 0, self.batch.start)
        self.latent = model.latent(*self.size)
        self.layers = self._layers()
        self.counts = [len([h for h in asked.heads or range(n.heads) if h < n.heads]) for n in self.layers]
        if not sum(self.counts):
            most = max(layer.heads for layer in self.layers)
            raise Refused(f"no head {', '.join(map(str, asked.heads))} in these layers; they have up to {most}, from 0")
        self.matrix = self.batch.words.matrix()
        self.guidance = model.extras["painting"]["guidance"] if asked.guidance is None else asked.guidance
        twice = model.separate and bool(asked.negative) and self.guidance > 1
        self.maps = diffusion.Maps(
            pictures=asked.pictures,
            columns=self.batch.words.every,
            apart=asked.mode == "exact" or asked.by_head,
            heads=asked.heads or None,
            forwards=2 if twice else 1,
            wanted=self._wanted,
            each_step=self._each_step if asked.by_step else None,
            tick=self._tick,
        )

    def _layers(self) -> Sequence[diffusion.Layer]:
        """The layers that were asked for."""
        there = self.model.heard
        strange = [n for n in self.asked.layers if n >= len(there)]
        if strange:
            raise Refused(f"no layer {strange[0]}; {self.model.name} has {len(there)} that hear words, from 0")
        return [layer for n, layer in enumerate(there) if not self.asked.layers or n in self.asked.layers]

    def _wanted(self, layer: int, step: int) -> bool:
        return step + 1 >= self.asked.first and (self.asked.last is None or step + 1 <= self.asked.last)

    def _tick(self) -> None:
        """Tell how far it is before each layer, so that it can be cancelled in the middle of a step."""
        calls = sum(self.maps.calls.values())
        self._tell(calls / (len(self.layers) * self.maps.forwards * max(self._steps(), 1)))

    def _tell(self, fraction: float) -> None:
        """Progress, and with it the picture as it stands; raises when cancelled."""
        if self.latest is None:
            self.step(min(fraction, 0.99))
        else:
            show(self.step, min(fraction, 0.99), self._preview)

    def _preview(self) -> dict[str, Any]:
        """The forming picture as a PNG in a data URL; a slow one is not made again at once."""
        assert self.latest is not None
        done, latents = self.latest
        began = time.monotonic()
        if self.shown.get("done") != done and began >= self.rest:
            picture = self.model.preview(latents, *self.size)
            self.rest = time.monotonic() + 5 * (time.monotonic() - began)
            url = "" if picture is None else _data_url(picture)
            self.shown = {"picture": url, "done": done, "steps": self._steps()}
        return self.shown

    def _steps(self) -> int:
        return int(getattr(self.model.pipeline, "num_timesteps", 0) or self.asked.steps)

    def _each_step(self, step: int, layer: int, found: Tensor) -> None:
        """Add the first picture's probabilities (picture, head, place, token) of one layer to its step's map."""
        places = found[0].mean(0).T  # (token, place)
        maps = word_fold.shrink(word_fold.enlarge(places, self.latent)) * self.counts[layer]
        maps = word_fold.average_tokens(maps, self.matrix)
        self.by_step[step] = self.by_step[step] + maps if step in self.by_step else maps

    def draw(self) -> None:
        """Draw the picture and fill the maps."""
        asked = self.asked
        network = self.model.network
        with diffusion.watch_layers(network, self.layers, self.maps):
            self.drawn = self.model.draw(
                self.batch, steps=asked.steps, guidance=self.guidance, seed=asked.seed, negative=asked.negative,
                height=self.size[0], width=self.size[1], pictures=asked.pictures, strength=asked.strength,
                after=self._after,
            )  # fmt: skip
        self.maps.check(range(len(self.layers)), self.drawn.steps)
        if not self.maps.sums:
            raise Refused(f"no step from {asked.first} to {asked.last or 'the end'}: {self.drawn.steps} were drawn")

    def _after(self, done: int, steps: int, latents: Tensor) -> None:
        """After each step: keep a stage of the picture where asked for, and show it to whoever watches."""
        self.latest = (done, latents)
        if done in {round(steps * (n + 1) / self.asked.frames) for n in range(self.asked.frames)}:
            picture = self.model.preview(latents, *self.size)
            if picture is not None:
                self.frames.append((done, picture))
        self._tell(done / steps)

    def result(self) -> Result:
        """The maps of all words, and the picture."""
        asked, words = self.asked, self.batch.words
        folded = word_fold.fold(self.maps.sums, self.layers, self.counts, self.latent)
        maps = word_fold.average_tokens(folded.total, self.matrix)  # (picture, word, row, column)
        if asked.normalise:
            maps = maps / (folded.total.sum(1, keepdim=True) + 1e-6)
        pixels = self.drawn.pixels
        arrays = {"heat": word_fold.enlarge_to_image(maps[0], *pixels.shape[1:3]), "image": pixels[0]}
        axes: dict[str, tuple[str, ...]] = {
            "heat": ("word", "height", "width"),
            "image": ("height", "width", "channel"),
        }
        labels: dict[str, tuple[str, ...]] = {"word": words.words}

        def more(name: str, array: np.ndarray, *named: str) -> None:
            arrays[name], axes[name] = array, named

        more("map", _numbers(maps[0]), "word", "row", "column")
        more("span", np.array(words.spans, np.int32).reshape(-1, 2), "word", "edge")
        small = ("small_row", "small_column")
        truth = self.model.truth(words.words, pixels[0])
        if truth is not None:
            more("truth", truth, "word", "height", "width")
        if asked.by_layer:
            more("by_layer", self._words(folded.layers), "word", "layer", *small)
            labels["layer"] = tuple(self.layers[n].short for n in sorted(self.maps.sums))
        if asked.by_head:
            more("by_head", self._words(folded.heads), "word", "head", *small)
            labels["head"] = tuple(folded.names)
        if asked.by_step:
            order = sorted(self.by_step)
            stacked = [self.by_step[n] / sum(self.counts) for n in order]
            more("by_step", np.stack([_numbers(m) for m in stacked], 1), "word", "step", *small)
            labels["step"] = tuple(str(n + 1) for n in order)
        if self.frames:
            more("frames", np.stack([f for _, f in self.frames]), "frame", "frame_row", "frame_column", "channel")
            labels["frame"] = tuple(str(n) for n, _ in self.frames)
        if asked.pictures > 1:
            more("images", pixels, "picture", "height", "width", "channel")
            more("maps", _numbers(maps), "picture", "word", "row", "column")
            labels["picture"] = tuple(f"seed {asked.seed + n}" for n in range(asked.pictures))
        return Result("daam", arrays, axes, labels, unit="attention", facts=self._facts())

    def _words(self, parts: Sequence[Tensor]) -> np.ndarray:
        """Small maps (token, row, column) of parts as (word, part, row, column)."""
        return np.stack([_numbers(word_fold.average_tokens(part, self.matrix)) for part in parts], 1)

    def _facts(self) -> dict[str, Any]:
        asked, words = self.asked, self.batch.words
        notes = []
        if words.cut:
            limit = self.model.limit
            notes.append(
                f"the prompt has more tokens than the {limit} that {self.model.name} reads; "
                f"it does not hear: {', '.join(words.cut)}"
            )
        return {
            "text": self.batch.text,
            "steps": asked.steps,
            "forwards": self.drawn.steps,
            "seed": asked.seed,
            "guidance": self.guidance,
            "negative": asked.negative,
            "mode": "exact" if self.maps.apart else "fast",
            "counted": [asked.first, min(asked.last or self.drawn.steps, self.drawn.steps)],
            "heads": list(self.counts),
            "cut": list(words.cut),
            "notes": notes,
            "prediction": [],
        }


def _data_url(picture: np.ndarray) -> str:
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(picture).save(file, "PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def _numbers(maps: Tensor) -> np.ndarray:
    return maps.float().cpu().numpy().astype(np.float32)


ENTRY = Daam
