"""Record and edit what happens inside a transformer: the only file that hooks.

Attention runs through functions of ours, registered in transformers' attention interface together
with the mask function they need. While nobody records they call the original kernel, and the
forward hooks on blocks return at once, so that both may stay for good. Who listens is kept in a
ContextVar by the id of each submodule: threads that share one network never see each other.
"""

from __future__ import annotations

import itertools
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
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

    `checks`: `install_gap` (logits after and before `install`), `attention_gap` (patterns against the
    same network in eager mode), `residual_gap` (largest |out - in - attention - MLP| of a block, relative),
    `lens_gap` (unembedding of the normed last state against the logits, relative). `withdrawn` says in a
    sentence why `attention`, `residual`, `components` or `unembedding` is not offered.
    """

    block: tuple[str, ...] = ()
    attention: tuple[str, ...] = ()
    branch: tuple[str, ...] = ()
    mlp: tuple[str, ...] = ()
    projection: tuple[str, ...] = ()
    final_norm: str | None = None
    unembedding: str | None = None
    embedding: str | None = None
    channels: tuple[str, ...] = ()
    heads: int = 0
    tokens: int = 0
    interface: bool = True
    checks: Mapping[str, float] = field(default_factory=dict)
    withdrawn: Mapping[str, str] = field(default_factory=dict)

    @property
    def layers(self) -> tuple[int, ...]:
        """The layers that have attention."""
        return tuple(layer for layer, path in enumerate(self.attention) if path)

    @property
    def offers(self) -> frozenset[str]:
        """Which of attention, residual, components, unembedding and channels these sites can give."""
        found = {
            "attention": bool(self.layers),
            "residual": bool(self.block),
            "components": bool(self.mlp) and bool(self.branch),
            "unembedding": self.unembedding is not None,
            "channels": bool(self.channels),
        }
        return frozenset(name for name, there in found.items() if there and name not in self.withdrawn)

    def roles(self) -> dict[str, list[str]]:
        """Module paths by role, only the roles that were found."""
        one = {"final_norm": self.final_norm, "unembedding": self.unembedding, "embedding": self.embedding}
        many = ("block", "attention", "branch", "mlp", "projection", "channels")
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
def _listening(modules: Iterable[nn.Module], listener: Listener) -> Iterator[None]:
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
    _rename(module, {kernel: PREFIX + kernel for kernel in KERNELS}, only=_uses_interface(module))


def _watch(module: nn.Module, sites: Sites) -> None:
    """Put our inert hooks on the modules that recordings listen to."""
    for path in {*sites.block, *sites.attention, *sites.branch, *sites.mlp} - {""}:
        _hook(module.get_submodule(path))


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


def _rename(module: nn.Module, names: Mapping[str, str], only: set[int] | None = None) -> None:
    """Change the attention function's name in the configs of all submodules."""
    for sub in module.modules():
        config = getattr(sub, "config", None)
        name = getattr(config, "_attn_implementation_internal", None)
        if name in names and (only is None or id(config) in only):
            config._attn_implementation_internal = names[name]


def _hook(module: nn.Module) -> list[Any]:
    """Our two inert hooks on this module; none where they are already."""
    if _leave in module._forward_hooks.values():
        return []
    return [
        module.register_forward_pre_hook(_enter, with_kwargs=True),
        module.register_forward_hook(_leave, with_kwargs=True),
    ]


def _tensor(output: Any) -> Tensor | None:
    """The main tensor of a module's output, which may be a tensor, a tuple or a ModelOutput."""
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


def _entering(args: tuple, kwargs: Mapping[str, Any]) -> Tensor | None:
    """The main tensor among a module's arguments."""
    return _tensor([*args, kwargs.get("hidden_states"), *kwargs.values()])


class Recording:
    """What one forward did at the sites that were asked for; the last forward where there were several.

    patterns      {layer: (B, H, Tq, Tk)}  attention after softmax; Tq is len(queries) where rows were asked for
    residual      [L + 1] of (B, T, d)     the stream into the first block, then out of each block
    attention_out {layer: (B, T, d)}       what attention adds to the stream
    mlp_out       {layer: (B, T, d)}       what the MLP adds to the stream
    z             {layer: (B, T, H, dh)}   each head's output before the output projection

    All are detached copies, unless the recording keeps the graph.
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
    ) -> None:
        self.patterns: dict[int, Tensor] = {}
        self.attention_out: dict[int, Tensor] = {}
        self.mlp_out: dict[int, Tensor] = {}
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
        self._stores = {"residual": self._residual if residual else None}
        self._stores |= {"attention": self.attention_out, "mlp": self.mlp_out} if components else {}
        self._roles: dict[int, dict[str, list[int]]] = {}

    @property
    def residual(self) -> list[Tensor]:
        """The residual stream, [L + 1] of (B, T, d)."""
        return [self._residual[layer] for layer in sorted(self._residual)]

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
        batch, heads, length, _ = self._calls[layer].query.shape
        size = max(most // (batch * heads * self._calls[layer].key.shape[2]), 1)
        for start in range(0, length, size):
            yield start, self.rows(layer, range(start, min(start + size, length)))

    def listen(self, module: nn.Module) -> list[nn.Module]:
        """The submodules to listen to; remembers which layers and roles each of them has."""
        sites = self._sites
        parts = {"block": sites.block, "caller": sites.attention, "attention": sites.branch, "mlp": sites.mlp}
        found = {}
        for role, paths in parts.items():
            for layer, path in enumerate(paths):
                if path:
                    found[path] = module.get_submodule(path)
                    self._roles.setdefault(id(found[path]), {}).setdefault(role, []).append(layer)
        return list(found.values())

    def _layer(self, module: nn.Module, role: str) -> int | None:
        """Which layer this call of a module is: networks with shared weights call one module many times."""
        layers = self._roles[id(module)].get(role)
        return layers[self._seen[id(module)] % len(layers)] if layers else None

    def enter(self, module: nn.Module, args: tuple, kwargs: dict) -> tuple[tuple, dict] | None:
        """The stream into the first block."""
        caller = self._layer(module, "caller")
        if caller is not None:
            self._inside.append(caller)
        if self._layer(module, "block") != 0:
            return None
        before = _entering(args, kwargs)
        self._shape = before.shape
        after = self._pass("residual", 0, before)
        if after is before:
            return None
        args = tuple(after if value is before else value for value in args)
        return args, {name: after if value is before else value for name, value in kwargs.items()}

    def leave(self, module: nn.Module, args: tuple, kwargs: dict, output: Any) -> Any:
        """The stream out of each block, and what attention and MLP add to it."""
        before = after = _tensor(output)
        for role in ("attention", "mlp", "block"):
            layer = self._layer(module, role)
            if layer is not None and role == "block":
                after = self._pass("residual", layer + 1, after)
            elif layer is not None:
                after = self._pass(role, layer, after)
        if self._layer(module, "caller") is not None:
            self._inside.pop()
        self._seen[id(module)] += 1
        return None if after is before else _with_tensor(output, after)

    def attend(self, attention: Attention) -> tuple[Tensor, Tensor | None]:
        """Attention of one layer: by its kernel, or by its own formula where the whole pattern is wanted."""
        layer = self._layer(attention.module, "caller")
        wanted = layer in self._wanted
        if wanted and self._queries is None:
            z, weights = attention.eager()
            self._keep_pattern(layer, weights)
        else:
            z, weights = attention.plain()
        if wanted and self._queries is not None:
            import torch

            rows = attention.rows(torch.as_tensor(self._queries, device=attention.query.device))
            self.patterns[layer] = rows if self._keep_grad else rows.detach()
        if layer in self._qk:
            kept = {"query": attention.query, "key": attention.key, "value": attention.key[..., :1]}
            self._calls[layer] = replace(attention, **{name: part.detach() for name, part in kept.items()})
        edit = self._edits.get(("z", layer))
        z = edit(z.clone()) if edit else z
        if self._heads:
            self.z[layer] = self._keep(z)
        return z, weights

    def soften(self, weights: Tensor) -> None:
        """A softmax inside an attention module that does not use the interface."""
        layer = self._inside[-1] if self._inside else None
        if weights.ndim == 4 and layer in self._wanted | self._qk:
            self._keep_pattern(layer, weights if self._queries is None else weights[:, :, list(self._queries)])

    def _keep_pattern(self, layer: int, weights: Tensor) -> None:
        self.patterns[layer] = weights if self._keep_grad else weights.detach()

    def _keep(self, tensor: Tensor) -> Tensor:
        return tensor if self._keep_grad else tensor.detach().clone()  # a later block may work in place

    def _pass(self, site: str, layer: int, tensor: Tensor) -> Tensor:
        """Edit a tensor where an edit is asked for, and store what goes on."""
        edit = self._edits.get((site, layer))
        if edit is not None:
            tensor = edit(tensor.view(self._shape).clone()).view(tensor.shape)
        store = self._stores.get(site)
        if store is not None:
            store[layer] = self._keep(tensor).view(self._shape)
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
) -> Iterator[Recording]:
    """Record this thread's forwards of `module` inside the `with`; see `Recording` for what it holds.

    `patterns` are the layers whose attention is kept, `queries` keeps only these rows of them, `qk`
    keeps queries and keys of layers so that `Recording.rows` can compute rows later. `keep_grad` leaves
    what is recorded in the autograd graph. `edits` maps (site, layer) to a function that gets a copy of the
    tensor and returns what the network goes on with; sites are `z` (B, T, H, dh), `attention`, `mlp` and
    `residual` (B, T, d), where residual 0 enters the first block and residual l + 1 leaves block l.
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
    )
    softmax = nullcontext() if sites.interface or not (patterns or qk) else _softmax(recording.soften)
    with _listening(recording.listen(module), recording), softmax:
        yield recording


def read(module: nn.Module, sites: Sites, states: Tensor) -> Tensor:
    """Logits (…, vocabulary) of residual states (…, d): unembedding of the final norm, as in the last layer."""
    if sites.final_norm is not None:
        states = module.get_submodule(sites.final_norm)(states)
    return module.get_submodule(sites.unembedding)(states)


def _softmax(tell: Callable[[Tensor], None]) -> Any:
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


@dataclass
class Call:
    """One call of one module during the probe: when it began and ended, and the tensors."""

    path: str
    start: int
    end: int
    before: Tensor | None
    after: Tensor | None
    output: Any

    def __contains__(self, when: int) -> bool:
        return self.start < when < self.end


class Probe:
    """Listens to every module in one small forward."""

    def __init__(self, module: nn.Module) -> None:
        self.module = module
        self.paths = {id(sub): path for path, sub in module.named_modules()}
        self.calls: list[Call] = []
        self.attentions: list[tuple[int, str, Tensor | None, Tensor | None]] = []  # when, path, z, softmax
        self._open: list[tuple[int, str, Tensor | None]] = []
        self._clock = 0

    def run(self, run: Callable[[], Any], softmax: bool = False) -> Probe:
        """Listen to one `run()` with hooks on all modules, which are gone afterwards."""
        import torch

        handles = [handle for sub in self.module.modules() for handle in _hook(sub)]
        try:
            with _listening(self.module.modules(), self), torch.no_grad():
                with _softmax(self._soften) if softmax else nullcontext():
                    run()
        finally:
            for handle in handles:
                handle.remove()
        self.calls.sort(key=lambda call: call.start)
        return self

    @property
    def output(self) -> Any:
        """What the whole network returned."""
        return next((call.output for call in self.calls if call.path == ""), None)

    def within(self, call: Call) -> list[Call]:
        """The calls made during `call`."""
        return [inner for inner in self.calls if inner.start in call and inner.path]

    def enter(self, module: nn.Module, args: tuple, kwargs: dict) -> None:
        before = _entering(args, kwargs)
        self._open.append((self._tick(), self.paths[id(module)], None if before is None else before.detach().clone()))

    def leave(self, module: nn.Module, args: tuple, kwargs: dict, output: Any) -> None:
        start, path, before = self._open.pop()
        after = _tensor(output)
        after = None if after is None else after.detach().clone()
        self.calls.append(Call(path, start, self._tick(), before, after, output))

    def attend(self, attention: Attention) -> tuple[Tensor, Tensor | None]:
        z, weights = attention.plain()
        self.attentions.append((self._tick(), self.paths[id(attention.module)], z.detach(), None))
        return z, weights

    def _soften(self, weights: Tensor) -> None:
        if weights.ndim == 4 and self._open:
            self.attentions.append((self._tick(), self._open[-1][1], None, weights.detach()))

    def _tick(self) -> int:
        self._clock += 1
        return self._clock


def locate(module: nn.Module, run: Callable[[], Any]) -> Sites:
    """Find a network's parts by what the tensors do in one small forward `run()`, and check what was found.

    Calls `install`, so the network is ready for `record`. Parts that cannot be found stay empty; views whose
    check fails are named in `withdrawn`.
    """
    before = Probe(module).run(run)
    install(module)
    probe = Probe(module).run(run)
    gap = _gap(_tensor(probe.output), _tensor(before.output))
    withdrawn = {}
    if gap > _tolerance(probe):
        _rename(module, {PREFIX + kernel: kernel for kernel in KERNELS})
        withdrawn["attention"] = f"reading attention changes this network's answer (by {gap:.1e}), so it is not read"
        probe = before
    elif not probe.attentions and (blocks := _blocks(probe)):
        _rename(module, {"sdpa": "eager"})  # this architecture has its own attention: watch its softmax
        probe = Probe(module).run(run, softmax=True)
        gap = _gap(_tensor(probe.output), _tensor(before.output))
        probe.attentions = [a for a in probe.attentions if a[3].shape[-2] == blocks[0].after.shape[1]]
    sites = replace(_sites(probe), checks={"install_gap": gap}, withdrawn=withdrawn)
    sites = _check_lens(_check_residual(sites, probe), probe)
    _watch(module, sites)
    return _check_attention(sites, probe, run)


def _sites(probe: Probe) -> Sites:
    """Where the parts are, before any check."""
    blocks = _blocks(probe)
    if not blocks:
        return Sites(channels=_channels(probe), embedding=_embedding(probe))
    firsts = [next((a for a in probe.attentions if a[0] in block), None) for block in blocks]
    attended = next((layer for layer, first in enumerate(firsts) if first), None)
    branch, mlp = (None, None) if attended is None else _branches(probe, blocks[attended], firsts[attended][0])
    z = None if attended is None else firsts[attended][2]
    pattern = None if attended is None else firsts[attended][3]
    return Sites(
        block=tuple(block.path for block in blocks),
        attention=tuple(first[1] if first else "" for first in firsts),
        branch=_in_each(probe, blocks, branch),
        mlp=_in_each(probe, blocks, mlp),
        projection=tuple(_projection(probe, b, f[2]) if f else "" for b, f in zip(blocks, firsts, strict=True))
        if z is not None
        else (),
        embedding=_embedding(probe),
        heads=z.shape[2] if z is not None else 0 if pattern is None else pattern.shape[1],
        tokens=blocks[0].after.shape[1],
        interface=z is not None or pattern is None,
    )


def _blocks(probe: Probe) -> list[Call]:
    """The calls of the residual blocks: the list of modules that most attention happens in, or the longest chain."""
    from torch import nn

    best: list[Call] = []
    most = 0
    for path, sub in probe.module.named_modules():
        if not isinstance(sub, (nn.ModuleList, nn.Sequential)):
            continue
        children = {f"{path}.{name}".lstrip(".") for name, _ in sub.named_children()}
        calls = [c for c in probe.calls if c.path in children and _is_stream(c)]
        if probe.attentions:
            count = sum(any(a[0] in call for a in probe.attentions) for call in calls)
        else:
            count = _chained(calls)
        if count > most:
            best, most = calls, count
    return [call for call in best if call.after.shape == best[0].after.shape]


def _is_stream(call: Call) -> bool:
    """Takes and gives (B, T, d)."""
    return call.after is not None and call.after.ndim == 3 and getattr(call.before, "shape", 0) == call.after.shape


def _chained(calls: list[Call]) -> int:
    """How many calls there are when each takes what the one before gave, else 0."""
    links = itertools.pairwise(calls)
    return len(calls) if len(calls) > 1 and all(_same(a.after, b.before) for a, b in links) else 0


def _branches(probe: Probe, block: Call, when: int) -> tuple[str | None, str | None]:
    """The two modules in a block whose outputs are what it adds to the stream, as paths within the block."""
    added = block.after - block.before
    inner = [c for c in probe.within(block) if c.after is not None and _flat(c.after).shape == _flat(added).shape]
    inner.sort(key=lambda c: (c.path.count("."), c.start))
    attention = sorted((c for c in inner if c.end > when), key=lambda c: when not in c)
    tolerance = _tolerance(probe) * float(block.after.abs().max())
    for a in attention:
        rest = _flat(added - a.after.view_as(added))
        for m in inner:
            if m is not a and when not in m and float((rest - _flat(m.after)).abs().max()) <= tolerance:
                return a.path.removeprefix(block.path + "."), m.path.removeprefix(block.path + ".")
    return None, None


def _flat(tensor: Tensor) -> Tensor:
    """(…, d) as (tokens, d): OPT's MLP drops the batch axis."""
    return tensor.reshape(-1, tensor.shape[-1]) if tensor.ndim else tensor


def _in_each(probe: Probe, blocks: list[Call], part: str | None) -> tuple[str, ...]:
    """The path of a block's part in every block that has it."""
    if part is None:
        return ()
    called = {call.path for call in probe.calls}
    paths = [f"{block.path}.{part}" for block in blocks]
    return tuple(path if path in called else "" for path in paths)


def _projection(probe: Probe, block: Call, z: Tensor | None) -> str:
    """The linear layer whose input is the heads side by side."""
    if z is None:
        return ""
    merged = z.reshape(*z.shape[:2], -1)
    for call in probe.within(block):
        weight = getattr(probe.module.get_submodule(call.path), "weight", None)
        if weight is not None and weight.ndim == 2 and _same(call.before, merged):
            return call.path
    return ""


def _embedding(probe: Probe) -> str | None:
    try:
        return probe.paths.get(id(probe.module.get_input_embeddings()))
    except (AttributeError, NotImplementedError):
        return None


def _channels(probe: Probe) -> tuple[str, ...]:
    """The stages of a convolutional network: the siblings that see most resolutions, the last of each resolution."""
    best: dict[tuple[int, ...], str] = {}
    for parent in dict.fromkeys(path.rpartition(".")[0] for path in probe.paths.values() if path):
        found = {}
        for call in probe.calls:
            size = tuple(call.after.shape[2:]) if call.after is not None and call.after.ndim == 4 else (1, 1)
            whole = not isinstance(call.output, Mapping)  # an encoder that wraps its stages in a ModelOutput
            if call.path and call.path.rpartition(".")[0] == parent and min(size) > 1 and whole:
                found[size] = call.path
        if found and len(found) >= len(best):  # of equals the later ones: a stem has resolutions too
            best = found
    return tuple(best.values())


def _check_residual(sites: Sites, probe: Probe) -> Sites:
    """Each block adds attention and MLP to the stream, or their contributions are withdrawn."""
    if not sites.layers:
        return sites
    gap = float("inf")
    if sites.mlp and all(sites.mlp):
        calls = {path: [c for c in probe.calls if c.path == path] for path in {*sites.block, *sites.branch, *sites.mlp}}
        gap = 0.0
        for parts in zip(sites.block, sites.branch, sites.mlp, strict=True):
            block, *added = (calls[part].pop(0) for part in parts if part)
            gap = max(gap, _gap(block.before + sum(c.after.view_as(block.after) for c in added), block.after))
    if gap <= _tolerance(probe):
        return replace(sites, checks={**sites.checks, "residual_gap": gap})
    why = (
        "a block of this network does not simply add attention and MLP to what it is given (it norms or scales "
        "the sum), so the contributions of its parts are not shown"
    )
    checks = sites.checks if gap == float("inf") else {**sites.checks, "residual_gap": gap}
    return replace(sites, branch=(), mlp=(), checks=checks, withdrawn={**sites.withdrawn, "components": why})


def _check_lens(sites: Sites, probe: Probe) -> Sites:
    """Find final norm and unembedding, and ask that they give the network's own logits."""
    if not sites.block:
        return sites
    last = [c for c in probe.calls if c.path == sites.block[-1]][-1]
    norms = [
        c for c in probe.calls if c.start > last.end and _same(c.before, last.after) and _is_stream(c)
        and not _same(c.after, c.before)
    ]  # fmt: skip
    try:
        head = probe.paths.get(id(probe.module.get_output_embeddings()))
    except (AttributeError, NotImplementedError):
        head = None
    heads = [c for c in probe.calls if head is not None and c.path == head]
    if not heads:
        norms = [c for c in norms if _scales(probe.module.get_submodule(c.path))]
        return replace(sites, final_norm=norms[0].path if norms else None)
    length = heads[-1].before.shape[-2]  # a network may unembed its last positions only
    reaching = [c for c in norms if _same(c.after[:, -length:], heads[-1].before)]
    found = replace(sites, final_norm=reaching[0].path if reaching else None, unembedding=head)
    import torch

    with torch.no_grad():
        own = read(probe.module, found, last.after[:, -length:])
    output = probe.output
    gap = _gap(own, output["logits"] if isinstance(output, Mapping) and "logits" in output else _tensor(output))
    if gap <= _tolerance(probe):
        return replace(found, checks={**sites.checks, "lens_gap": gap})
    why = (
        f"final norm and unembedding applied to the last state miss this network's logits by {gap:.1e} (relative), "
        "so its earlier states are not read as logits"
    )
    return replace(found, checks={**sites.checks, "lens_gap": gap}, withdrawn={**sites.withdrawn, "unembedding": why})


def _check_attention(sites: Sites, probe: Probe, run: Callable[[], Any]) -> Sites:
    """One pattern a layer over all tokens, equal to the network's own in eager mode, or attention is withdrawn."""
    import torch

    if not sites.layers or "attention" in sites.withdrawn:
        return sites
    with record(probe.module, sites, patterns=sites.layers) as recording, torch.no_grad():
        run()
    batch, length, _ = next(c for c in probe.calls if c.path == sites.block[0]).after.shape
    shape = (batch, sites.heads, length, length)
    wrong = next((p.shape for p in recording.patterns.values() if p.shape != shape), None)
    often = any(
        len([a for a in probe.attentions if a[1] == path]) > len([c for c in probe.calls if c.path == path])
        for path in sites.attention
    )
    if often or wrong is not None or len(recording.patterns) != len(sites.layers):
        why = "attention of this network runs within windows or in several pieces a layer, not over all tokens at once"
        if wrong is not None and wrong[0] != batch:  # stages of windows: these blocks are only some of the stream
            return Sites(embedding=sites.embedding, withdrawn={"attention": why, "residual": why})
        return replace(sites, withdrawn={**sites.withdrawn, "attention": why})
    gap = _eager_gap(sites, probe, recording, run)
    if gap is None:
        return sites
    checks = {**sites.checks, "attention_gap": gap}
    if gap <= 10 * _tolerance(probe):
        return replace(sites, checks=checks)
    why = f"the attention read from this network differs from its own in eager mode by {gap:.1e}, so it is not shown"
    return replace(sites, checks=checks, withdrawn={**sites.withdrawn, "attention": why})


def _scales(module: nn.Module) -> bool:
    """Has weights for each dimension and none between dimensions, as a norm has."""
    shapes = [p.ndim for p in module.parameters()]
    return bool(shapes) and max(shapes) == 1


def _eager_gap(sites: Sites, probe: Probe, recording: Recording, run: Callable[[], Any]) -> float | None:
    """Largest difference to the weights that attention modules return in eager mode; None where they return none."""
    configs = {id(s.config): s.config for s in probe.module.modules() if hasattr(s, "config")}
    names = {key: getattr(c, "_attn_implementation_internal", None) for key, c in configs.items()}
    try:
        _rename(probe.module, {PREFIX + kernel: "eager" for kernel in KERNELS})
        calls = Probe(probe.module).run(run).calls
    finally:
        for key, name in names.items():
            configs[key]._attn_implementation_internal = name
    own = {path: [c.output for c in calls if c.path == path] for path in set(sites.attention)}
    gaps = []
    for layer in sites.layers:
        output = own[sites.attention[layer]].pop(0)
        pattern = recording.patterns[layer]
        parts = output[1:] if isinstance(output, tuple) else ()
        alike = [float((p - pattern).abs().max()) for p in parts if getattr(p, "shape", None) == pattern.shape]
        gaps += [min(alike)] if alike else []  # T5 returns its position bias beside the weights
    return max(gaps, default=None)


def _same(a: Tensor | None, b: Tensor | None) -> bool:
    import torch

    return a is not None and b is not None and a.shape == b.shape and torch.equal(a, b)


def _gap(a: Tensor | None, b: Tensor | None) -> float:
    """Largest difference relative to the largest value of `b`; infinite where the shapes disagree."""
    if a is None or b is None or a.shape != b.shape:
        return float("inf")
    a, b = a.detach().float(), b.detach().float()
    return float((a - b).abs().max() / b.abs().max().clamp(min=1e-12))


def _tolerance(probe: Probe) -> float:
    """What rounding may do, in the network's own precision."""
    import torch

    kinds = [p.dtype for p in probe.module.parameters() if p.is_floating_point()]
    return max(1e-4, 8 * max((torch.finfo(kind).eps for kind in kinds), default=0.0))
