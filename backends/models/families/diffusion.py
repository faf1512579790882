"""Text-to-image diffusion pipelines: a prompt becomes a picture, and it can be seen where each word landed."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from backends import catalog
from backends.errors import Refused
from backends.hooks import diffusion
from backends.hooks.sites import Sites
from backends.models import load as _load
from backends.models.base import Batch, Choice, Model
from backends.models.batching import is_out_of_memory
from backends.models.prompt_words import Words, words_of

if TYPE_CHECKING:
    from torch import Tensor

    from backends.catalog import Source

CLIP, T5 = ("tokenizer", "tokenizer_2"), "max_sequence_length"
TEXTS: Mapping[str, tuple[tuple[tuple[str, ...], str], ...]] = {
    "UNet2DConditionModel": ((CLIP, ""),),
    "SD3Transformer2DModel": ((CLIP, ""), (("tokenizer_3",), T5)),
    "FluxTransformer2DModel": ((("tokenizer_2",), T5),),
}
"""Network -> its text tokens, one encoder's after the other's: which tokenizers spell them, the first that is there,
and the pipeline's argument that bounds them (none: the tokenizer's own). SDXL's and SD3's two CLIP encoders lie side by
side in the channels, so that one column is one token of both."""
SMALLEST, LARGEST = 64, 2048
EXACT = 1e-3
"""Up to this difference from the kernel's own probabilities a map is trusted; half precision is given more."""


@dataclass(frozen=True)
class Prompt(Batch):
    """An encoded prompt: its words, and a picture to start from or the text encoders' states where these are given."""

    words: Words = field(default_factory=lambda: Words((), (), ()))
    start: Any = None
    mask: Any = None
    states: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Drawn:
    """Pictures (picture, height, width, channel), float32 in [0, 1], and how many denoising steps made them."""

    images: np.ndarray
    steps: int

    @property
    def pixels(self) -> np.ndarray:
        """The pictures as uint8."""
        return (self.images * 255).round().astype(np.uint8)


@dataclass(eq=False)
class Diffusion(Model):
    """A diffusers pipeline that draws from a prompt: Stable Diffusion 1, 2, XL and 3, FLUX, by folder or hub id.

    An input is a prompt, or `{"text": prompt, "image": picture}` to start from a picture, with a `mask` to repaint
    only where it is white. `{"prompt_embeds": states, …}` gives the text encoders' states in the pipeline's own names.
    """

    pipeline: Any = None
    words_layers: tuple[diffusion.Layer, ...] = ()

    mappings: ClassVar = {}
    processor_auto: ClassVar = ""
    task: ClassVar = "text-to-image"
    baselines: ClassVar = ()
    claim: ClassVar = 3

    @classmethod
    def auto_class(cls, architectures: Sequence[str], folder: Path | None = None) -> str | None:
        return architectures[0] if folder and (folder / _load.PIPELINE).is_file() else None

    @classmethod
    def load(cls, source: Source, auto: str, device: str = "cpu") -> Model:
        pipeline = _load.load_pipeline(source, auto, device)
        return cls.of(pipeline, source.name, source.revision, device)

    @classmethod
    def of(cls, pipeline: Any, name: str = "pipeline", revision: str = "", device: str = "cpu") -> Diffusion:
        """The model of an open pipeline. Raises `Refused` when its network is of no known kind."""
        import torch

        parts = {n: part for n, part in pipeline.components.items() if isinstance(part, torch.nn.Module)}
        model = cls(name, revision, torch.nn.ModuleDict(parts), None, device, pipeline=pipeline)
        if type(model.bare).__name__ not in TEXTS:
            raise Refused(
                f"{name} draws with a {type(model.bare).__name__}; Vitrine knows where the words are in: "
                + ", ".join(TEXTS)
            )
        model.module.eval().requires_grad_(False)  # T5 drops out at random otherwise
        pipeline.set_progress_bar_config(disable=True)
        return model

    @property
    def network(self) -> Any:
        """The network that removes noise, compiled or not."""
        unet = getattr(self.pipeline, "unet", None)
        return unet if unet is not None else getattr(self.pipeline, "transformer", None)

    @property
    def bare(self) -> Any:
        """The same, as it was before it was compiled."""
        return getattr(self.network, "_orig_mod", self.network)

    @property
    def sample(self) -> Mapping[str, Any]:
        return {"text": "a red circle above a blue square"}

    @property
    def own_offers(self) -> frozenset[str]:
        words = {"cross_attention"} if self.sites and "cross_attention" not in self.sites.withdrawn else set()
        return frozenset({"denoising"} | words)

    @property
    def offers(self) -> frozenset[str]:
        return self.own_offers

    @property
    def limit(self) -> int | None:
        return sum(length for _, length in self.encoders())

    @property
    def multiple(self) -> int:
        """What height and width must be divisible by."""
        own = int(self.pipeline.vae_scale_factor)
        return max(8, own) if hasattr(self.bare, "down_blocks") else 2 * own

    @property
    def size(self) -> tuple[int, int]:
        """The height and width that the pipeline draws unasked."""
        side = getattr(self.pipeline, "default_sample_size", None) or self.bare.config.sample_size
        rows, columns = side if isinstance(side, (tuple, list)) else (side, side)
        scale = int(self.pipeline.vae_scale_factor)
        return int(rows) * scale, int(columns) * scale

    @property
    def extras(self) -> dict[str, Any]:
        """What a page needs to know to draw: sizes, steps, guidance, layers with their heads."""
        return {
            "painting": {
                "size": list(self.size),
                "multiple": self.multiple,
                "steps": self.default("num_inference_steps", 50),
                "guidance": self.default("guidance_scale", 7.5),
                "layers": [{"name": layer.short, "heads": layer.heads} for layer in self.heard],
                **catalog.card(self.name).get("painting", {}),
            }
        }

    @property
    def heard(self) -> tuple[diffusion.Layer, ...]:
        """The layers whose maps count: not those of the UNet's middle block."""
        return tuple(layer for layer in self.words_layers if not layer.middle)

    def default(self, name: str, otherwise: Any) -> Any:
        """The pipeline's own value of an argument."""
        found = inspect.signature(type(self.pipeline).__call__).parameters.get(name)
        return otherwise if found is None or found.default in (None, inspect.Parameter.empty) else found.default

    def encoders(self) -> list[tuple[Any, int]]:
        """The tokenizers whose tokens the network hears, with how many of each."""
        found = []
        for names, bound in TEXTS[type(self.bare).__name__]:
            tokenizer = next((t for n in names if (t := getattr(self.pipeline, n, None)) is not None), None)
            if tokenizer is not None:
                longest = self.default(bound, 512) if bound else tokenizer.model_max_length
                found.append((tokenizer, int(longest)))
        return found

    def prepare(self) -> bool:
        """Find the layers that hear words, and see on one small step whether their maps are the kernel's own."""
        self.words_layers = diffusion.find_layers(self.bare)
        checks, withdrawn = {}, {}
        if not self.heard:
            withdrawn["cross_attention"] = f"{self.name} has no cross-attention: no layer of its network hears words"
        else:
            side = max(SMALLEST // self.multiple, 4) * self.multiple
            batch = self.encode(self.sample)
            with self.lock:
                gap = diffusion.measure_gap(
                    self.network, self.heard, lambda: self.draw(batch, steps=1, guidance=1.0, height=side, width=side)
                )
            checks["attention_gap"] = gap
            if gap > (EXACT if str(self.dtype) == "torch.float32" else 30 * EXACT):
                withdrawn["cross_attention"] = (
                    f"the attention of {self.name} cannot be recomputed (it differs by {gap:.2g} from its own)"
                )
        paths = tuple(layer.path for layer in self.heard)
        heads = max((layer.heads for layer in self.heard), default=0)
        self.sites = Sites(cross=paths, heads=heads, checks=checks, withdrawn=withdrawn)
        return True

    def encode(self, raw: Any) -> Prompt:
        given = dict(raw) if isinstance(raw, Mapping) else {"text": raw}
        states = {name: value for name, value in given.items() if name.endswith("embeds")}
        if states:
            return self._from_states(given, states)
        text = given.get("text")
        if not isinstance(text, str) or not text.strip():
            raise Refused(
                "an empty prompt: write what the picture should show, such as a red circle above a blue square"
            )
        words = words_of(text, self.encoders())
        if not words.words:
            raise Refused(f"{self.name} hears no word of the prompt {text[:60]!r}; write what the picture should show")
        spans = np.array(words.token_spans, np.int32).reshape(-1, 2)
        return Prompt(
            raw={"text": text}, inputs={}, tokens=words.tokens, spans=spans, special=spans[:, 0] == spans[:, 1],
            text=text, words=words, start=_picture(given.get("image")), mask=_picture(given.get("mask")),
        )  # fmt: skip

    def _from_states(self, given: Mapping[str, Any], states: Mapping[str, Any]) -> Prompt:
        """States of text encoders have no words: each token is one, called by its place."""
        count = states["prompt_embeds"].shape[1]
        names = tuple(str(i) for i in range(count))
        words = Words(names, tuple((0, 0) for _ in names), tuple((i,) for i in range(count)), tokens=names)
        return Prompt(raw={}, inputs={}, tokens=names, words=words, start=_picture(given.get("image")), states=states)

    def predict(self, batch: Batch, most: int = 10) -> list[Choice]:
        return []

    def context(self, batch: Batch) -> dict[str, dict[str, Any]]:
        return {"arrays": {}, "axes": {}, "labels": {}, "facts": {"text": batch.text}}

    def draw(
        self,
        batch: Prompt,
        *,
        steps: int,
        guidance: float,
        seed: int = 0,
        negative: str = "",
        height: int = 0,
        width: int = 0,
        pictures: int = 1,
        strength: float = 0.8,
        after: Callable[[int, int, Tensor], None] = lambda done, steps, latents: None,
    ) -> Drawn:
        """Draw the prompt: exactly what the pipeline does when called with these arguments.

        The first picture follows `seed`, the next one `seed + 1`. `after(done, steps, latents)` is called after each
        step and may raise. The scheduler is this call's own copy. Raises `Refused` on sizes that cannot be drawn and
        when memory runs out.
        """
        height, width = self.checked(height, width, batch.start)
        pipeline = self._pipeline(batch)
        taken = inspect.signature(type(pipeline).__call__).parameters
        call = self._call(batch, steps, guidance, negative, (height, width), pictures)
        made = 0

        def told(_: Any, index: int, time: Any, tensors: dict[str, Any]) -> dict[str, Any]:
            nonlocal made
            made = index + 1
            after(made, int(pipeline.num_timesteps), tensors["latents"])
            return tensors

        import torch

        chance = [torch.Generator().manual_seed(seed + n) for n in range(pictures)]
        call |= {"strength": strength, "generator": chance if pictures > 1 else chance[0], "callback_on_step_end": told}
        with self.lock, _own_scheduler(pipeline):
            try:
                out = pipeline(**{name: value for name, value in call.items() if name in taken})
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
                raise self._too_large(height, width) from None
        return Drawn(np.asarray(out.images, np.float32), made)

    def _call(
        self, batch: Prompt, steps: int, guidance: float, negative: str, size: tuple[int, int], pictures: int
    ) -> dict[str, Any]:
        """The pipeline's arguments; those that it does not take are left out later."""
        call: dict[str, Any] = {"num_inference_steps": steps, "num_images_per_prompt": pictures, "output_type": "np"}
        call |= {"height": size[0], "width": size[1], **batch.states}
        call |= {} if batch.states else {"prompt": batch.text}
        if self.separate:  # FLUX takes guidance as an input; a negative prompt makes it guide as others do
            own = self.default("guidance_scale", 3.5)
            call |= {"guidance_scale": own if negative else guidance, "true_cfg_scale": guidance if negative else 1.0}
        else:
            call["guidance_scale"] = guidance
        if negative and not batch.states:
            call["negative_prompt"] = negative
        if batch.start is not None:
            call["image"] = batch.start.resize((size[1], size[0]))
        if batch.mask is not None:
            call["mask_image"] = batch.mask.resize((size[1], size[0]))
        return call

    @property
    def separate(self) -> bool:
        """Whether guidance runs the negative prompt in a forward of its own."""
        return "true_cfg_scale" in inspect.signature(type(self.pipeline).__call__).parameters

    def _pipeline(self, batch: Prompt) -> Any:
        """The pipeline for this input: the same networks, starting from noise, a picture, or a picture with a mask."""
        if batch.start is None:
            return self.pipeline
        import diffusers

        auto = diffusers.AutoPipelineForImage2Image if batch.mask is None else diffusers.AutoPipelineForInpainting
        try:
            made = auto.from_pipe(self.pipeline)
        except (ValueError, KeyError, TypeError):
            raise Refused(
                f"{type(self.pipeline).__name__} cannot start from a picture; leave the picture out"
            ) from None
        made.set_progress_bar_config(disable=True)
        return made

    def checked(self, height: int, width: int, start: Any = None) -> tuple[int, int]:
        """The size to draw: the one asked for, else the starting picture's, else the pipeline's. Raises `Refused`."""
        own = self.size
        if start is not None and not (height and width):
            own = tuple(max(n // self.multiple, 1) * self.multiple for n in (start.height, start.width))
        size = (height or own[0], width or own[1])
        most = max(LARGEST, *self.size)
        for name, value in zip(("height", "width"), size, strict=True):
            if value % self.multiple or not self.multiple <= value <= most:
                low = min(max(value // self.multiple, 1) * self.multiple, most // self.multiple * self.multiple)
                raise Refused(
                    f"{self.name} draws a {name} that is a multiple of {self.multiple} up to {most}, not {value}; "
                    f"{low} would work"
                )
        return size

    def _too_large(self, height: int, width: int) -> Refused:
        less = [max(int(n * 0.7) // self.multiple, 1) * self.multiple for n in (height, width)]
        return Refused(f"memory ran out while drawing {height} × {width} pixels; try {less[0]} × {less[1]}")

    def latent(self, height: int, width: int) -> tuple[int, int]:
        """Rows and columns of the latents of a picture."""
        scale = int(self.pipeline.vae_scale_factor)
        return height // scale, width // scale

    def truth(self, words: Sequence[str], pixels: np.ndarray) -> np.ndarray | None:
        """The mask of what each word means in a picture, (word, row, column) bool; None where nobody can say."""
        if "things" not in catalog.card(self.name).get("truth", ""):
            return None
        from backends.bundled import scene_detector

        return scene_detector.outlines(words, pixels)

    def preview(self, latents: Tensor, height: int, width: int, most: int = 32) -> np.ndarray | None:
        """The first picture that latents stand for, (row, column, 3) uint8, small; None where it cannot be told."""
        import torch
        from torch.nn import functional as F

        vae, pipeline = self.pipeline.vae, self.pipeline
        with torch.no_grad():
            latents = latents[:1]
            if latents.ndim == 3:  # FLUX packs 2 × 2 latents into a token
                latents = pipeline._unpack_latents(latents, height, width, pipeline.vae_scale_factor)
            larger = max(latents.shape[-2:]) / most
            if larger > 1:
                latents = F.interpolate(latents, scale_factor=1 / larger, mode="area")
            scaled = latents / vae.config.scaling_factor + (getattr(vae.config, "shift_factor", None) or 0.0)
            image = vae.decode(scaled.to(vae.dtype), return_dict=False)[0][0].float()
        if not bool(image.isfinite().all()):  # SDXL's VAE overflows in half precision
            return None
        return ((image.clamp(-1, 1) + 1) * 127.5).round().byte().permute(1, 2, 0).cpu().numpy()


@contextmanager
def _own_scheduler(pipeline: Any) -> Iterator[None]:
    """Let a call step a copy of the pipeline's scheduler, which keeps state."""
    shared = pipeline.scheduler
    pipeline.scheduler = copy.deepcopy(shared)
    try:
        yield
    finally:
        pipeline.scheduler = shared


def _picture(given: Any) -> Any:
    """A picture in RGB, None for none. Raises `Refused` where it cannot be read."""
    if given is None:
        return None
    from backends.inputs import images

    return images.open_image(given).convert("RGB")


ENTRY = Diffusion
