"""Record and edit what happens inside a transformer: the only file that hooks.

Attention runs through functions of ours, registered in transformers' attention interface together
with the mask function they need. While nobody records they call the original kernel, and the
forward hooks on blocks return at once, so that both may stay for good. Who listens is kept in a
ContextVar by the id of each submodule: threads that share one network never see each other.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

from backends.errors import Refused

if TYPE_CHECKING:
    from torch import Tensor, nn

KERNELS = ("sdpa", "eager")
PREFIX = "vitrine_"
Edit = Callable[["Tensor"], "Tensor"]


class Listener(Protocol):
    """Who is told what the submodules it listens to do."""

    def enter(self, module: nn.Module, args: tuple, kwargs: dict) -> tuple[tuple, dict] | None:
        """Called before the module's forward; may return other arguments."""

    def leave(self, module: nn.Module, args: tuple, kwargs: dict, output: Any) -> Any:
        """Called after the module's forward; may return another output."""

    def attend(self, attention: Attention) -> tuple[Tensor, Tensor | None]:
        """Called in place of the attention kernel; returns heads (B, T, H, dh) and weights or None."""


_listeners: ContextVar[Mapping[int, Listener]] = ContextVar("listeners", default=MappingProxyType({}))


@dataclass(frozen=True)
class Sites:
    """Where things happen in one network, as module paths, and what was measured when they were found.

    `block`, `attention`, `branch`, `mlp` and `projection` have one entry a layer, empty where the
    layer has no such part. `attention` calls the attention kernel; `branch` is the module whose
    output joins the residual stream (mostly the same module, a norm after it in Gemma 2);
    `projection` is the linear layer that mixes the heads. `channels` are the stages of a
    convolutional network, whose output is (B, C, h, w). `tokens` is how many the probe's input had.
    A decoder beside an encoder also adds `cross`, what its attention to the encoder gives. States are unembedded
    as `cap` tanh(U · `scale` LN_f(R) / `cap`): T5 scales its last state, Gemma 2 caps its logits.

    `checks`: `install_gap` (logits after and before `install`), `attention_gap` (patterns against the
    same network in eager mode), `residual_gap` (largest |out - in - attention - MLP| of a block, relative),
    `lens_gap` (unembedding of the normed last state against the logits, relative), `head_gap` (a head set to zero
    against its columns of the output projection, relative), `patch_gap` (every state replaced by itself, relative).
    `withdrawn` says in a sentence why `attention`, `residual`, `components`, `unembedding` or `heads` is not offered.
    """

    block: tuple[str, ...] = ()
    attention: tuple[str, ...] = ()
    branch: tuple[str, ...] = ()
    mlp: tuple[str, ...] = ()
    cross: tuple[str, ...] = ()
    projection: tuple[str, ...] = ()
    final_norm: str | None = None
    unembedding: str | None = None
    embedding: str | None = None
    channels: tuple[str, ...] = ()
    heads: int = 0
    tokens: int = 0
    interface: bool = True
    scale: float = 1.0
    cap: float | None = None
    checks: Mapping[str, float] = field(default_factory=dict)
    withdrawn: Mapping[str, str] = field(default_factory=dict)

    @property
    def layers(self) -> tuple[int, ...]:
        """The layers that have attention."""
        return tuple(layer for layer, path in enumerate(self.attention) if path)

    @property
    def offers(self) -> frozenset[str]:
        """Which of attention, residual, components, heads, unembedding and channels these sites can give."""
        found = {
            "attention": bool(self.layers),
            "residual": bool(self.block),
            "components": bool(self.mlp) and bool(self.branch),
            "heads": bool(self.layers) and "head_gap" in self.checks,
            "unembedding": self.unembedding is not None,
            "channels": bool(self.channels),
        }
        return frozenset(name for name, there in found.items() if there and name not in self.withdrawn)

    def roles(self) -> dict[str, list[str]]:
        """Module paths by role, only the roles that were found."""
        one = {"final_norm": self.final_norm, "unembedding": self.unembedding, "embedding": self.embedding}
        many = ("block", "attention", "branch", "mlp", "cross", "projection", "channels")
        roles = {name: [path for path in getattr(self, name) if path] for name in many}
        return {name: paths for name, paths in (roles | {k: [v] for k, v in one.items() if v}).items() if paths}


@dataclass(frozen=True)
class Attention:
    """One call of the attention kernel: query (B, H, Tq, dh), key and value (B, Hkv, Tk, dh), mask."""

    kernel: str
    module: nn.Module
    query: Tensor
    key: Tensor
    value: Tensor
    mask: Tensor | None
    options: Mapping[str, Any]

    def plain(self) -> tuple[Tensor, Tensor | None]:
        """What the network computes when nobody records."""
        forward = _eager(self.module) if self.kernel == "eager" else _interface(self.module)[self.kernel]
        return forward(self.module, self.query, self.key, self.value, self.mask, **self.options)

    def eager(self) -> tuple[Tensor, Tensor]:
        """Heads (B, Tq, H, dh) and the pattern (B, H, Tq, Tk), by this architecture's own formula."""
        return _eager(self.module)(
            self.module, self.query, self.key, self.value, self.additive(slice(None)), **self.options
        )

    def rows(self, rows: Tensor) -> Tensor:
        """The pattern's rows (B, H, len(rows), Tk); the other rows are never computed."""
        options = {name: self._some(value, rows) for name, value in self.options.items()}
        query, value = self.query[:, :, rows], self.key[..., :1]  # the values do not matter here, their size does
        return _eager(self.module)(self.module, query, self.key, value, self.additive(rows), **options)[1]

    @property
    def shape(self) -> tuple[int, int, int]:
        """How many heads, queries and keys it has."""
        return self.query.shape[1], self.query.shape[2], self.key.shape[2]

    def held(self) -> dict[int, int]:
        """The memory that keeping this call costs: bytes by the address of each storage, for calls share their mask."""
        tensors = (self.query, self.key, self.mask, *self.options.values())
        stores = [t.untyped_storage() for t in tensors if hasattr(t, "untyped_storage")]
        return {store.data_ptr(): store.nbytes() for store in stores}

    def kept(self) -> Attention:
        """The same call with what its rows need, and nothing that a larger tensor would keep in memory with it."""
        query, key = _own(self.query.detach()), _own(self.key.detach())
        return replace(self, query=query, key=key, value=key[..., :1])

    def only(self, head: int) -> tuple[Kept, int]:
        """The call with the heads that share one key head, and the place of `head` in it; the whole call where
        that would give other numbers, as with sinks, which belong to the module and not to the call."""
        import torch

        each = self.query.shape[1] // self.key.shape[1]
        first = head // each * each
        some, own = slice(first, first + each), slice(head // each, head // each + 1)
        options = {name: self._heads(value, some) for name, value in self.options.items()}
        query, key, value = self.query[:, some], self.key[:, own], self.value[:, own]
        narrow = replace(self, query=query, key=key, value=value, mask=self._heads(self.mask, some), options=options)
        ends = torch.tensor([0, self.query.shape[2] - 1], device=self.query.device)
        try:
            gap = float((narrow.rows(ends) - self.rows(ends)[:, some]).abs().max())
        except (RuntimeError, IndexError, ValueError):
            return self, head
        return (narrow, head - first) if gap <= 1e-6 else (self, head)

    def _heads(self, value: Any, some: slice) -> Any:
        by_head = getattr(value, "ndim", 0) == 4 and value.shape[1] == self.query.shape[1] > 1
        return value[:, some] if by_head else value

    def additive(self, rows: Tensor | slice) -> Tensor | None:
        """The mask as numbers to add to the scores, of these rows; sdpa's silent causal mask is spelled out."""
        import torch

        mask, (length, keys) = self.mask, (self.query.shape[2], self.key.shape[2])
        if mask is None:
            causal = self.options.get("is_causal")
            causal = getattr(self.module, "is_causal", True) if causal is None else causal
            if self.kernel == "eager" or not causal or length == 1:
                return None
            at = torch.arange(max(length, keys), device=self.query.device)
            mask = at[:keys] <= at[:length][rows][:, None]  # (Tq, Tk), aligned at the upper left as in sdpa
        else:
            mask = self._some(mask, rows)
        if mask.dtype == torch.bool:
            lowest = torch.finfo(self.query.dtype).min
            mask = torch.where(mask, torch.zeros((), dtype=self.query.dtype, device=mask.device), lowest)
        return mask

    def _some(self, value: Any, rows: Tensor | slice) -> Any:
        """The rows of a mask or a position bias (…, Tq, Tk); anything else as it is."""
        by_row = getattr(value, "ndim", 0) == 4 and value.shape[-2] == self.query.shape[2]
        return value[:, :, rows] if by_row else value


@dataclass(frozen=True)
class Pattern:
    """The attention of a module that computes its own softmax: the whole pattern (B, H, Tq, Tk) is all there is."""

    weights: Tensor

    @property
    def shape(self) -> tuple[int, int, int]:
        """How many heads, queries and keys it has."""
        return self.weights.shape[1], self.weights.shape[2], self.weights.shape[3]

    def held(self) -> dict[int, int]:
        """The bytes that it holds, by address."""
        return {self.weights.data_ptr(): self.weights.untyped_storage().nbytes()}

    def rows(self, rows: Tensor) -> Tensor:
        """These rows (B, H, len(rows), Tk)."""
        return self.weights[:, :, rows]

    def only(self, head: int) -> tuple[Kept, int]:
        """One head of it, and its place there."""
        return Pattern(self.weights[:, head : head + 1]), 0


Kernel = Callable[[int, "Attention"], tuple["Tensor", "Tensor | None"]]
"""(layer, call) -> heads (B, T, H, dh), and weights or None."""
Kept = Attention | Pattern
"""What a layer's rows are computed from whenever they are looked at."""


class Enough(Exception):
    """Raised by who listens, to end a forward that has told all that was asked; `record` takes it for the end."""


def pieces(call: Kept, rows: Sequence[int], most: int = 2**23) -> Iterator[tuple[Tensor, Tensor]]:
    """The pattern's `rows` as (rows, (B, H, rows, Tk)), with at most about `most` numbers in memory at once."""
    import torch

    heads, _, keys = call.shape
    size = max(most // (heads * keys), 1)
    device = call.query.device if isinstance(call, Attention) else call.weights.device
    for some in torch.as_tensor(rows, device=device).split(size):
        yield some, call.rows(some)


def _own(tensor: Tensor) -> Tensor:
    """The tensor in memory of its own; GPT-2's queries are a view of queries, keys and values."""
    return tensor.clone() if tensor.untyped_storage().nbytes() > tensor.nbytes else tensor


def _file(module: nn.Module, name: str) -> Any:
    """`name` from the modeling file of this module's class, or of the class it inherits from."""
    for kind in type(module).__mro__:
        if hasattr(sys.modules.get(kind.__module__), name):
            return getattr(sys.modules[kind.__module__], name)
    raise LookupError(f"the file of {type(module).__name__} has no {name}")


_eager = partial(_file, name="eager_attention_forward")
_interface = partial(_file, name="ALL_ATTENTION_FUNCTIONS")


def _attend(
    kernel: str,
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None = None,
    **options: Any,
) -> tuple[Tensor, Tensor | None]:
    """The attention function that transformers calls."""
    attention = Attention(kernel, module, query, key, value, attention_mask, options)
    listener = _listeners.get().get(id(module))
    return attention.plain() if listener is None else listener.attend(attention)


def _enter(module: nn.Module, args: tuple, kwargs: dict) -> Any:
    listener = _listeners.get().get(id(module))
    return listener and listener.enter(module, args, kwargs)


def _leave(module: nn.Module, args: tuple, kwargs: dict, output: Any) -> Any:
    listener = _listeners.get().get(id(module))
    return listener and listener.leave(module, args, kwargs, output)


@contextmanager
def listening(modules: Iterable[nn.Module], listener: Listener) -> Iterator[None]:
    """Tell `listener` what these modules do in this thread; inside, whoever listened to them before hears nothing."""
    token = _listeners.set({**_listeners.get(), **{id(module): listener for module in modules}})
    try:
        yield
    finally:
        _listeners.reset(token)


def install(module: nn.Module) -> None:
    """Let the network's attention run through our functions; once more changes nothing."""
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS

    for kernel in KERNELS:
        AttentionInterface.register(PREFIX + kernel, partial(_attend, kernel))
        AttentionMaskInterface.register(PREFIX + kernel, ALL_MASK_ATTENTION_FUNCTIONS[kernel])
    rename(module, {kernel: PREFIX + kernel for kernel in KERNELS}, only=_uses_interface(module))


def watch(module: nn.Module, sites: Sites) -> None:
    """Put our inert hooks on the modules that recordings listen to."""
    for path in {*sites.block, *sites.attention, *sites.branch, *sites.mlp, *sites.cross} - {""}:
        hook(module.get_submodule(path))


def _uses_interface(module: nn.Module) -> set[int]:
    """The ids of the configs that belong to a modeling file which asks the attention interface.

    Other files (Falcon) take an unknown name for eager, and would lose the causal mask.
    """
    found = set()
    for sub in module.modules():
        names = {kind.__module__ for kind in type(sub).__mro__} - {"transformers.modeling_utils"}
        if hasattr(sub, "config") and any(hasattr(sys.modules.get(n), "ALL_ATTENTION_FUNCTIONS") for n in names):
            found.add(id(sub.config))
    return found


def rename(module: nn.Module, names: Mapping[str, str], only: set[int] | None = None) -> None:
    """Change the attention function's name in the configs of all submodules."""
    for sub in module.modules():
        config: Any = getattr(sub, "config", None)
        name = getattr(config, "_attn_implementation_internal", "")
        if name in names and (only is None or id(config) in only):
            config._attn_implementation_internal = names[name]


def hook(module: nn.Module) -> list[Any]:
    """Our two inert hooks on this module; none where they are already."""
    if _leave in module._forward_hooks.values():
        return []
    return [
        module.register_forward_pre_hook(_enter, with_kwargs=True),
        module.register_forward_hook(_leave, with_kwargs=True),
    ]


def tensor_of(output: Any) -> Any:
    """The main tensor of a module's output, which may be a tensor, a tuple or a ModelOutput; None when it has none."""
    import torch

    if isinstance(output, torch.Tensor):
        return output
    if isinstance(output, Mapping):
        output = [output["last_hidden_state"]] if "last_hidden_state" in output else list(output.values())
    if isinstance(output, (tuple, list)):
        return next((part for part in output if isinstance(part, torch.Tensor)), None)
    return None


def _with_tensor(output: Any, tensor: Tensor) -> Any:
    """The same output with another main tensor."""
    return (tensor, *output[1:]) if isinstance(output, tuple) else tensor


def entering(args: tuple, kwargs: Mapping[str, Any]) -> Any:
    """The main tensor among a module's arguments."""
    return tensor_of([*args, kwargs.get("hidden_states"), *kwargs.values()])


class Recording:
    """What one forward did at the sites that were asked for; the last forward where there were several.

    patterns      {layer: (B, H, Tq, Tk)}  attention after softmax; Tq is len(queries) where rows were asked for
    residual      [L + 1] of (B, T, d)     the stream into the first block, then out of each block
    attention_out {layer: (B, T, d)}       what attention adds to the stream
    mlp_out       {layer: (B, T, d)}       what the MLP adds to the stream
    cross_out     {layer: (B, T, d)}       what attention to an encoder adds to the stream
    z             {layer: (B, T, H, dh)}   each head's output before the output projection

    All are detached copies, unless the recording keeps the graph: then they are the network's own tensors.
    """

    def __init__(
        self,
        *,
        sites: Sites,
        patterns: Iterable[int] | None = None,
        queries: Sequence[int] | None = None,
        qk: Iterable[int] | None = None,
        residual: bool = False,
        components: bool = False,
        heads: bool = False,
        keep_grad: bool = False,
        edits: Mapping[tuple[str, int], Edit] = MappingProxyType({}),
        tell: Callable[[int, Kept], None] | None = None,
        kernel: Kernel | None = None,
    ) -> None:
        self._tell, self._kernel = tell, kernel
        self.patterns: dict[int, Tensor] = {}
        self.attention_out: dict[int, Tensor] = {}
        self.mlp_out: dict[int, Tensor] = {}
        self.cross_out: dict[int, Tensor] = {}
        self.z: dict[int, Tensor] = {}
        self._residual: dict[int, Tensor] = {}
        self._calls: dict[int, Attention] = {}
        self._sites, self._queries, self._heads, self._keep_grad = sites, queries, heads, keep_grad
        self._edits = edits
        self._wanted = set(patterns or ())
        self._qk = set(qk or ())
        self._seen: Counter[int] = Counter()
        self._inside: list[int] = []
        self._shape: tuple[int, ...] = ()
        self._stores = {"residual": self._residual} if residual else {}
        parts = {"attention": self.attention_out, "mlp": self.mlp_out, "cross": self.cross_out}
        self._stores |= parts if components else {}
        self._roles: dict[int, dict[str, list[int]]] = {}

    @property
    def residual(self) -> list[Tensor]:
        """The residual stream, [L + 1] of (B, T, d)."""
        states = [self._residual[layer] for layer in sorted(self._residual)]
        return [state.to(states[0].device) for state in states]  # a network may be spread over several devices

    def rows(self, layer: int, rows: Sequence[int]) -> Tensor:
        """The pattern's rows (B, H, len(rows), Tk) of a layer recorded with `qk`, computed now."""
        import torch

        index = torch.as_tensor(rows)
        if layer in self._calls:
            with torch.no_grad():
                return self._calls[layer].rows(index.to(self._calls[layer].query.device))
        if layer in self.patterns:
            return self.patterns[layer][:, :, index.to(self.patterns[layer].device)]
        raise Refused(f"layer {layer} was not recorded; recorded: {sorted({*self._calls, *self.patterns})}")

    def parts(self, layer: int, most: int = 2**23) -> Iterator[tuple[int, Tensor]]:
        """A layer's pattern as (first row, (B, H, rows, Tk)), with at most about `most` numbers in memory at once."""
        if layer in self.patterns:
            yield 0, self.patterns[layer]
            return
        call = self._calls[layer]
        for rows, part in pieces(call, range(call.shape[1]), most // call.query.shape[0]):
            yield int(rows[0]), part

    def listen(self, module: nn.Module) -> list[nn.Module]:
        """The submodules to listen to; remembers which layers and roles each of them has."""
        sites = self._sites
        parts = {"block": sites.block, "caller": sites.attention, "attention": sites.branch}
        parts |= {"mlp": sites.mlp, "cross": sites.cross}
        found = {}
        for role, paths in parts.items():
            for layer, path in enumerate(paths):
                if path:
                    found[path] = module.get_submodule(path)
                    self._roles.setdefault(id(found[path]), {}).setdefault(role, []).append(layer)
        return list(found.values())

    def sees(self, *shape: int) -> None:
        """Take `shape` (B, T, d) for that of the states from here on, whatever the first block was given."""
        self._shape = shape

    def _layer(self, module: nn.Module, role: str) -> int:
        """Which layer this call of a module is, -1 where it has not this role; shared weights are called many times."""
        layers = self._roles[id(module)].get(role)
        return layers[self._seen[id(module)] % len(layers)] if layers else -1

    def enter(self, module: nn.Module, args: tuple, kwargs: dict) -> tuple[tuple, dict] | None:
        """The stream into the first block."""
        caller = self._layer(module, "caller")
        if caller >= 0:
            self._inside.append(caller)
        if self._layer(module, "block") != 0:
            return None
        before = entering(args, kwargs)
        self._shape = before.shape
        after = self._pass("residual", 0, before)
        if after is before:
            return None
        args = tuple(after if value is before else value for value in args)
        return args, {name: after if value is before else value for name, value in kwargs.items()}

    def leave(self, module: nn.Module, args: tuple, kwargs: dict, output: Any) -> Any:
        """The stream out of each block, and what attention and MLP add to it."""
        before = after = tensor_of(output)
        for role in ("attention", "mlp", "cross", "block"):
            layer = self._layer(module, role)
            if layer >= 0:
                site, later = ("residual", 1) if role == "block" else (role, 0)
                after = self._pass(site, layer + later, after)
        if self._layer(module, "caller") >= 0:
            self._inside.pop()
        self._seen[id(module)] += 1
        return None if after is before else _with_tensor(output, after)

    def attend(self, attention: Attention) -> tuple[Tensor, Tensor | None]:
        """Attention of one layer: by its kernel, or by its own formula where the whole pattern is wanted."""
        import torch

        layer = self._layer(attention.module, "caller")
        attention, biased = self._edited(attention, layer)
        weights: Tensor | None
        whole = layer in self._wanted and self._queries is None
        if self._kernel:
            z, weights = self._kernel(layer, attention)
        elif biased or whole:
            z, weights = attention.eager()
            if whole:
                self._keep_pattern(layer, weights)
        else:
            z, weights = attention.plain()
            if layer in self._wanted:
                at = torch.as_tensor(self._queries, device=attention.query.device)
                self._keep_pattern(layer, attention.rows(at))
        if layer in self._qk and self._tell:
            self._tell(layer, attention.kept())
        elif layer in self._qk:
            self._calls[layer] = attention.kept()
        edit = self._edits.get(("z", layer))
        z = edit(z.clone()) if edit else z
        if self._heads:
            self.z[layer] = self._keep(z)
        return z, weights

    def _edited(self, attention: Attention, layer: int) -> tuple[Attention, bool]:
        """The call with other queries, keys or values, and with a bias on its scores where one is asked for."""
        import torch

        for name in ("query", "key", "value"):
            edit = self._edits.get((name, layer))
            changed: Any = {name: edit(getattr(attention, name).clone())} if edit else {}
            attention = replace(attention, **changed)
        edit = self._edits.get(("scores", layer))
        if edit is None:
            return attention, False
        heads, length, keys = attention.shape
        bias = edit(attention.query.new_zeros(len(attention.query), heads, length, keys))
        mask = attention.additive(slice(None))
        mask = bias if mask is None else (mask + bias).clamp(min=torch.finfo(bias.dtype).min)
        return replace(attention, mask=mask), True

    def soften(self, weights: Tensor) -> None:
        """A softmax inside an attention module that does not use the interface."""
        layer = self._inside[-1] if self._inside else -1
        if weights.ndim == 4 and layer in self._qk and self._tell:
            self._tell(layer, Pattern(weights.detach()))
        elif weights.ndim == 4 and layer in self._wanted | self._qk:
            self._keep_pattern(layer, weights if self._queries is None else weights[:, :, list(self._queries)])

    def _keep_pattern(self, layer: int, weights: Tensor) -> None:
        self.patterns[layer] = weights if self._keep_grad else weights.detach()

    def _keep(self, tensor: Tensor) -> Tensor:
        return tensor if self._keep_grad else tensor.detach().clone()  # a later block may work in place

    def _pass(self, site: str, layer: int, tensor: Tensor) -> Tensor:
        """Edit a tensor where an edit is asked for, and store what goes on."""
        edit = self._edits.get((site, layer))
        if edit is not None:
            whole = tensor.reshape(-1, *self._shape[1:]).clone()  # some rows only, where a replay begins with fewer
            tensor = edit(whole).reshape(tensor.shape)
        store = self._stores.get(site)
        if store is not None:
            kept = self._keep(tensor)  # in the graph itself where that is kept: a view of it has no gradient
            store[layer] = kept if self._keep_grad else kept.reshape(-1, *self._shape[1:])
        return tensor


@contextmanager
def record(
    module: nn.Module,
    sites: Sites,
    *,
    patterns: Iterable[int] | None = None,
    queries: Sequence[int] | None = None,
    residual: bool = False,
    components: bool = False,
    heads: bool = False,
    qk: Iterable[int] | None = None,
    keep_grad: bool = False,
    edits: Mapping[tuple[str, int], Edit] = MappingProxyType({}),
    tell: Callable[[int, Kept], None] | None = None,
    kernel: Kernel | None = None,
) -> Iterator[Recording]:
    """Record this thread's forwards of `module` inside the `with`; see `Recording` for what it holds.

    `patterns` are the layers whose attention is kept, `queries` keeps only these rows of them, `qk`
    keeps queries and keys of layers so that `Recording.rows` can compute rows later. `keep_grad` leaves
    what is recorded in the autograd graph. `edits` maps (site, layer) to a function that gets a copy of the
    tensor and returns what the network goes on with; sites are `z` (B, T, H, dh), `attention`, `mlp`, `cross` and
    `residual` (B, T, d), where residual 0 enters the first block and residual l + 1 leaves block l; `query`, `key` and
    `value` (B, H, T, dh) go into the attention kernel, `scores` gets zeros (B, H, Tq, Tk) to add to the scores before
    the softmax, which then is computed by the architecture's own formula. `tell` is called
    with each layer of `qk` during the forward in place of keeping it; where it raises `Enough` the forward ends.
    `kernel` computes the attention of a layer in the network's place.
    """
    recording = Recording(
        sites=sites,
        patterns=patterns,
        queries=queries,
        qk=qk,
        residual=residual,
        components=components,
        heads=heads,
        keep_grad=keep_grad,
        edits=edits,
        tell=tell,
        kernel=kernel,
    )
    softmax = nullcontext() if sites.interface or not (patterns or qk) else softmaxes(recording.soften)
    with suppress(Enough), listening(recording.listen(module), recording), softmax:
        yield recording


def read(module: nn.Module, sites: Sites, states: Tensor) -> Tensor:
    """Logits (…, vocabulary) of residual states (…, d): unembedding of the final norm, as in the last layer."""
    if sites.final_norm:
        states = module.get_submodule(sites.final_norm)(states)
    states = states * sites.scale if sites.scale != 1 else states
    logits = module.get_submodule(sites.unembedding)(states) if sites.unembedding else states
    return sites.cap * (logits / sites.cap).tanh() if sites.cap else logits


def softmaxes(tell: Callable[[Tensor], None]) -> Any:
    """While entered, `tell` gets the result of every softmax of this thread."""
    import torch
    from torch.overrides import TorchFunctionMode

    functions = {torch.softmax, torch.Tensor.softmax, torch.nn.functional.softmax}

    class Softmax(TorchFunctionMode):
        def __torch_function__(self, function: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
            output = function(*args, **(kwargs or {}))
            if function in functions:
                tell(output)
            return output

    return Softmax()
