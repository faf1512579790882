"""Record how strongly each place of a picture attends to each word while a diffusion network draws it.

The companion of `recording.py`: the only file that touches diffusers' attention processors. A layer's own
processor is wrapped for the time of one recording: it computes what it always does, so the picture stays bit
for bit the same, and queries and keys are computed beside it. Sums are kept at each layer's own resolution, so
memory does not grow with the number of steps. Wrapping outlives torch.compile, where hooks are silently lost.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from backends.errors import Refused

if TYPE_CHECKING:
    from torch import Tensor, nn

PIECE = 2**19
"""At most about so many probabilities are in memory at once."""

Kind = Literal["cross", "joint image first", "joint text first", "single text first"]


@dataclass(frozen=True)
class Layer:
    """An attention layer through which words reach the picture.

    `kind` says where the words are: keys of their own (`cross`), or in one sequence with the picture (SD3's puts
    the picture first, FLUX's the text; its `single` blocks no longer tell the two apart). `middle` marks the
    UNet's middle block, which DAAM leaves out.
    """

    path: str
    kind: Kind
    heads: int
    middle: bool = False

    @property
    def short(self) -> str:
        """A name for a label: `down 1.0`, `up 0.2`, `block 3`."""
        parts = self.path.replace("transformer_blocks", "block").replace("_blocks", "").replace("_block", "").split(".")
        words = [p for p in parts if p.isdigit() or p in ("down", "mid", "up", "block", "single", "single_block")]
        first, numbers = words[0] if words else "layer", [w for w in words if w.isdigit()]
        twin = " (1)" if parts[-1] == "attn1" else ""
        return f"{first.replace('_', ' ')} {'.'.join(numbers)}{twin}".strip()


def find_layers(network: nn.Module) -> tuple[Layer, ...]:
    """The layers of a UNet or a diffusion transformer through which words reach the picture, in order of use."""
    found = [
        Layer(_strip_compiled(path), kind, _count_heads(module), "mid_block" in path)
        for path, module in network.named_modules()
        if hasattr(module, "processor") and (kind := _find_kind(path, module))
    ]
    order = {"down": 0, "mid": 1, "up": 2}
    return tuple(sorted(found, key=lambda layer: order.get(layer.path.split("_")[0], 0)))


def _strip_compiled(path: str) -> str:
    """A module's path without what torch.compile puts before it."""
    return path.removeprefix("_orig_mod.")


def _count_heads(attention: Any) -> int:
    return int(attention.heads)


def _find_kind(path: str, attention: Any) -> Kind | None:
    added = getattr(attention, "added_kv_proj_dim", None) is not None
    if getattr(attention, "is_cross_attention", False):
        return None if added else "cross"  # with added keys the words share them with the picture (DeepFloyd)
    if hasattr(attention, "inner_dim") and hasattr(attention, "pre_only") and not hasattr(attention, "scale_qk"):
        return "joint text first" if added else "single text first" if "single" in path else None
    return "joint image first" if added else None


@dataclass(eq=False)
class Maps:
    """Sums of attention over denoising steps, filled while a recording is on.

    `pictures` are drawn at once; `columns` are the text tokens that are kept (None: all of them); with `apart`
    the heads stay apart, and only `heads` count (None: all). `wanted(layer, step)` says which calls count.
    `each_step` is called with (step, layer, probabilities (picture, head, place, token), one head unless they are
    apart) for whoever wants more than the sums; `tick` before each layer, to be able to stop. `forwards` is how often
    the network runs in a step: once, or twice where guidance runs the negative prompt by itself, which is left out.

    `sums[layer]` is (picture, token, place), or (picture, head, token, place) with `apart`, float32.
    """

    pictures: int = 1
    columns: Sequence[int] | None = None
    apart: bool = False
    heads: Sequence[int] | None = None
    forwards: int = 1
    wanted: Callable[[int, int], bool] = lambda layer, step: True
    each_step: Callable[[int, int, Tensor], None] | None = None
    tick: Callable[[], None] = lambda: None
    sums: dict[int, Tensor] = field(default_factory=dict)
    calls: dict[int, int] = field(default_factory=dict)
    text: int = 0

    def step_of(self, layer: int) -> tuple[int, bool]:
        """Which step this call of a layer belongs to, and whether it is the prompt's own forward."""
        step, forward = divmod(self.calls.get(layer, 0), self.forwards)
        self.calls[layer] = self.calls.get(layer, 0) + 1
        return step, forward == 0

    def add(self, layer: int, found: Tensor) -> None:
        """Add probabilities (picture, head, place, token) to the layer's sum."""
        total = found.transpose(-1, -2) if self.apart else found.mean(1).transpose(-1, -2)
        if layer in self.sums:
            self.sums[layer] += total
        else:
            self.sums[layer] = total.contiguous()

    def check(self, layers: Sequence[int], steps: int) -> None:
        """Raise `Refused` unless every layer was heard in every step: a map with gaps would look like a map."""
        heard = sorted({self.calls.get(layer, 0) for layer in layers})
        if heard != [steps * self.forwards]:
            raise Refused(
                f"word maps need {steps * self.forwards} calls of each layer, but {heard} were heard: something "
                "replaces attention while it runs (a cache or an accelerator); load the pipeline without it"
            )


class _WatchedProcessor:
    """A layer's processor, and beside it what it attends to."""

    def __init__(self, inner: Any, take: Callable[..., None]) -> None:
        self._inner, self._take = inner, take
        # diffusers looks at the signature of processor.__call__ to decide which arguments it passes on
        self.__dict__["__call__"] = inner.__call__

    def __call__(
        self,
        attention: Any,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        *args: Any,
        **kwargs: Any,
    ) -> Any:
        out = self._inner(attention, hidden_states, encoder_hidden_states, attention_mask, *args, **kwargs)
        rotary = kwargs.get("image_rotary_emb", args[0] if args else None)
        self._take(attention, hidden_states, encoder_hidden_states, attention_mask, rotary)
        return out


def _listen(
    maps: Maps, layer: Layer, number: int, attention: Any, hidden: Tensor, text: Any, mask: Tensor | None, rotary: Any
) -> None:
    """Add one call of a layer to the maps."""
    import torch

    maps.tick()
    step, own = maps.step_of(number)
    text = text[0] if isinstance(text, tuple) else text  # an IP-Adapter brings pictures of its own
    if layer.kind.startswith("joint"):
        maps.text = text.shape[1]
    if not own or not maps.wanted(number, step):
        return
    with torch.no_grad():
        call = _QUERIES[layer.kind](attention, hidden, text, mask, rotary, maps)
        heads = [h for h in range(layer.heads) if maps.heads is None or h in maps.heads]
        if heads:
            found = call.probabilities(maps.columns, heads, maps.apart)
            maps.add(number, found)
            if maps.each_step:
                maps.each_step(step, number, found)


@dataclass(frozen=True)
class _AttentionCall:
    """Queries of places (picture, head, place, d) and all keys (picture, head, key, d); words are keys `first` on."""

    query: Tensor
    key: Tensor
    scale: float
    mask: Tensor | None
    first: int
    words: int

    def probabilities(self, columns: Sequence[int] | None, which: Sequence[int], apart: bool) -> Tensor:
        """(picture, head, place, token), float32: softmax over all keys, of which the words' columns are kept.

        `which` heads count; unless they are kept `apart`, their mean is the only one.
        """
        import torch

        at = torch.arange(self.words) if columns is None else torch.as_tensor(list(columns), dtype=torch.long)
        at = (at + self.first).to(self.key.device)
        pictures, heads, places, _ = self.query.shape
        out = torch.empty((pictures, len(which) if apart else 1, places, len(at)), device=self.query.device)
        size = max(PIECE // (pictures * heads * self.key.shape[2]), 1)
        key = self.key.float().transpose(-1, -2)
        for start in range(0, places, size):
            rows = slice(start, start + size)
            scores = (self.query[:, :, rows].float() @ key) * self.scale
            found = self._masked(scores, rows).softmax(-1)[:, list(which)][..., at]
            out[:, :, rows] = found if apart else found.mean(1, keepdim=True)
        return out

    def _masked(self, scores: Tensor, rows: slice) -> Tensor:
        if self.mask is None:
            return scores
        mask = self.mask[:, :, rows] if self.mask.shape[2] > 1 else self.mask
        return scores.masked_fill(~mask, float("-inf")) if mask.dtype.is_floating_point is False else scores + mask


def _take_prompt(tensor: Tensor, pictures: int) -> Tensor:
    """The part of a batch that follows the prompt: all of it, or its second half where the negative prompt leads."""
    if len(tensor) not in (pictures, 2 * pictures):
        raise Refused(
            f"word maps of {pictures} pictures need a batch of {pictures} or {2 * pictures}, but the network gets "
            f"{len(tensor)}: this pipeline guides in a way that Vitrine does not know"
        )
    return tensor[-pictures:]


def _split_heads(tensor: Tensor, heads: int) -> Tensor:
    """(picture, token, heads · d) to (picture, head, token, d)."""
    return tensor.unflatten(-1, (heads, -1)).transpose(1, 2)


def _query_cross(attention: Any, hidden: Tensor, text: Tensor, mask: Any, rotary: Any, maps: Maps) -> _AttentionCall:
    whole = len(hidden)
    hidden, text = _take_prompt(hidden, maps.pictures), _take_prompt(text, maps.pictures)
    if attention.spatial_norm is not None:
        raise Refused("word maps of a layer with a spatial norm are not known")
    if hidden.ndim == 4:
        hidden = hidden.flatten(2).transpose(1, 2)
    if attention.group_norm is not None:
        hidden = attention.group_norm(hidden.transpose(1, 2)).transpose(1, 2)
    if attention.norm_cross:
        text = attention.norm_encoder_hidden_states(text)
    query, key = (
        _split_heads(attention.to_q(hidden), attention.heads),
        _split_heads(attention.to_k(text), attention.heads),
    )
    query = query if attention.norm_q is None else attention.norm_q(query)
    key = key if attention.norm_k is None else attention.norm_k(key)
    if mask is not None:
        mask = attention.prepare_attention_mask(mask, text.shape[1], whole)
        mask = _take_prompt(mask.view(whole, attention.heads, -1, mask.shape[-1]), maps.pictures)
    return _AttentionCall(query, key, attention.scale, mask, 0, text.shape[1])


def _query_image_first(
    attention: Any, hidden: Tensor, text: Tensor, mask: Any, rotary: Any, maps: Maps
) -> _AttentionCall:
    hidden, text, heads = _take_prompt(hidden, maps.pictures), _take_prompt(text, maps.pictures), attention.heads
    query, key = _split_heads(attention.to_q(hidden), heads), _split_heads(attention.to_k(hidden), heads)
    words = _split_heads(attention.add_k_proj(text), heads)
    query = query if attention.norm_q is None else attention.norm_q(query)
    key = key if attention.norm_k is None else attention.norm_k(key)
    words = words if attention.norm_added_k is None else attention.norm_added_k(words)
    import torch

    both = torch.cat([key, words], 2)
    return _AttentionCall(query, both, query.shape[-1] ** -0.5, None, key.shape[2], words.shape[2])


def _query_text_first(
    attention: Any, hidden: Tensor, text: Tensor | None, mask: Any, rotary: Any, maps: Maps
) -> _AttentionCall:
    """FLUX: norms before the rotary positions, which count over text and picture together."""
    import torch
    from diffusers.models.embeddings import apply_rotary_emb

    def laid(tensor: Tensor) -> Tensor:  # (picture, token, head, d)
        return tensor.unflatten(-1, (-1, attention.head_dim))

    hidden = _take_prompt(hidden, maps.pictures)
    query, key = (
        attention.norm_q(laid(_project(attention, "q", hidden))),
        attention.norm_k(laid(_project(attention, "k", hidden))),
    )
    if text is not None:
        text = _take_prompt(text, maps.pictures)
        query = torch.cat([attention.norm_added_q(laid(_project(attention, "add_q", text))), query], 1)
        key = torch.cat([attention.norm_added_k(laid(_project(attention, "add_k", text))), key], 1)
    if rotary is not None:
        query = apply_rotary_emb(query, rotary, sequence_dim=1)
        key = apply_rotary_emb(key, rotary, sequence_dim=1)
    query, key = query.transpose(1, 2)[:, :, maps.text :], key.transpose(1, 2)
    return _AttentionCall(query, key, attention.head_dim**-0.5, mask, 0, maps.text)


def _project(attention: Any, name: str, states: Tensor) -> Tensor:
    """A projection of FLUX, which fusing puts into one linear layer with its neighbours."""
    place = {"q": 0, "k": 1, "add_q": 0, "add_k": 1}[name]
    if getattr(attention, "fused_projections", False):
        fused = attention.to_added_qkv if name.startswith("add") else attention.to_qkv
        return fused(states).chunk(3, -1)[place]
    own = {"q": "to_q", "k": "to_k", "add_q": "add_q_proj", "add_k": "add_k_proj"}[name]
    return getattr(attention, own)(states)


_QUERIES: dict[str, Callable[..., _AttentionCall]] = {
    "cross": _query_cross,
    "joint image first": _query_image_first,
    "joint text first": _query_text_first,
    "single text first": _query_text_first,
}


@contextmanager
def watch_layers(network: nn.Module, which: Sequence[Layer], maps: Maps) -> Iterator[Maps]:
    """Fill `maps` from the layers `which` of `network` inside the `with`; their processors come back whatever happens.

    A processor is put before the layer's own in the module's dictionary rather than through `set_processor`, which
    would throw the weights of a processor with weights away. Hold the pipeline's lock around this.
    """
    places = {layer.path: (number, layer) for number, layer in enumerate(which)}
    modules = {
        _strip_compiled(path): module for path, module in network.named_modules() if _strip_compiled(path) in places
    }
    compiled = any(getattr(module, "_compiled_call_impl", None) or _is_compiled(module) for module in network.modules())
    before: list[tuple[dict[str, Any], Any]] = []
    try:
        for path, (number, layer) in places.items():
            module: Any = modules[path]
            own = module.__dict__
            take = partial(_listen, maps, layer, number)
            before.append((own, own.get("processor")))
            own["processor"] = _WatchedProcessor(module.processor, _disable_compile(take) if compiled else take)
        yield maps
    finally:
        for own, processor in before:
            own.pop("processor", None)
            if processor is not None:
                own["processor"] = processor


def _is_compiled(module: nn.Module) -> bool:
    return type(module).__name__ == "OptimizedModule"


def _disable_compile(function: Callable[..., None]) -> Callable[..., None]:
    """The function as torch.compile leaves it alone; asked for only where something is compiled, for it loads much."""
    import torch

    return torch.compiler.disable(lambda *args: function(*args))


def measure_gap(network: nn.Module, which: Sequence[Layer], run: Callable[[], object]) -> float:
    """The largest difference between the probabilities recorded in `run` and those of the kernel's own arguments.

    Infinite where a layer does not call torch's attention kernel: then nothing vouches for its map.
    """
    import torch
    from torch.overrides import TorchFunctionMode

    kernel = torch.nn.functional.scaled_dot_product_attention
    seen: list[tuple[Tensor, Tensor]] = []

    class Kernel(TorchFunctionMode):
        def __torch_function__(self, function: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
            if function is kernel:
                named = dict(zip(("query", "key"), args, strict=False)) | (kwargs or {})
                seen.append((named["query"], named["key"]))
            return function(*args, **(kwargs or {}))

    gaps: list[float] = []

    def compare(step: int, layer: int, found: Tensor) -> None:
        query, key = seen[-1]
        scores = query.float() @ key.float().transpose(-1, -2) * query.shape[-1] ** -0.5
        whole = scores.softmax(-1)[-len(found) :]
        rows, keys = found.shape[2], found.shape[3]
        corner = {
            "cross": whole,
            "joint image first": whole[:, :, :rows, -keys:],
        }.get(which[layer].kind, whole[:, :, -rows:, :keys])
        gaps.append(float((corner - found).abs().max()) if corner.shape == found.shape else float("inf"))

    with Kernel(), watch_layers(network, which, Maps(each_step=compare, apart=True)):
        run()
    return max(gaps, default=float("inf"))


def find_grid(latent: tuple[int, int], places: int) -> tuple[int, int]:
    """Rows and columns of a layer with so many places, in a network that halves `latent` (rows, columns) repeatedly."""
    rows, columns = latent
    while rows * columns > places and rows * columns > 1:
        rows, columns = (rows + 1) // 2, (columns + 1) // 2
    if rows * columns != places:
        raise Refused(f"a layer has {places} places, which no halving of {latent[0]} × {latent[1]} gives")
    return rows, columns
