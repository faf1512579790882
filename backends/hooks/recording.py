"""Record and edit what happens inside a transformer during the forwards of one thread."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from backends.errors import Refused
from backends.hooks.attention_call import AttentionCall, AttentionPattern, iterate_rows
from backends.hooks.listeners import listen, watch_softmax
from backends.hooks.main_tensor import input_tensor, main_tensor, replace_main_tensor

if TYPE_CHECKING:
    from torch import Tensor, nn

    from backends.hooks.attention_call import StoredAttention
    from backends.hooks.sites import Sites

Edit = Callable[["Tensor"], "Tensor"]
Kernel = Callable[[int, "AttentionCall"], tuple["Tensor", "Tensor | None"]]
"""(layer, call) -> heads (B, T, H, dh), and weights or None."""


class StopForward(Exception):
    """Raised by `on_layer` to end a forward that has given all that was asked for; `record` ends quietly on it."""


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
        on_layer: Callable[[int, StoredAttention], None] | None = None,
        kernel: Kernel | None = None,
    ) -> None:
        self._on_layer, self._kernel = on_layer, kernel
        self.patterns: dict[int, Tensor] = {}
        self.attention_out: dict[int, Tensor] = {}
        self.mlp_out: dict[int, Tensor] = {}
        self.cross_out: dict[int, Tensor] = {}
        self.z: dict[int, Tensor] = {}
        self._residual: dict[int, Tensor] = {}
        self._calls: dict[int, AttentionCall] = {}
        self._sites, self._queries, self._heads, self._keep_grad = sites, queries, heads, keep_grad
        self._edits = edits
        self._pattern_layers = set(patterns or ())
        self._qk_layers = set(qk or ())
        self._seen: Counter[int] = Counter()
        self._inside: list[int] = []
        self._shape: tuple[int, ...] = ()
        self._stores = {"residual": self._residual} if residual else {}
        added = {"attention": self.attention_out, "mlp": self.mlp_out, "cross": self.cross_out}
        self._stores |= added if components else {}
        self._roles: dict[int, dict[str, list[int]]] = {}

    @property
    def residual(self) -> list[Tensor]:
        """The residual stream, [L + 1] of (B, T, d)."""
        states = [self._residual[layer] for layer in sorted(self._residual)]
        return [state.to(states[0].device) for state in states]  # a network may be spread over several devices

    def compute_rows(self, layer: int, rows: Sequence[int]) -> Tensor:
        """Compute rows (B, H, len(rows), Tk) of the pattern of a layer recorded with `qk`, or raise `Refused`."""
        import torch

        index = torch.as_tensor(rows)
        if layer in self._calls:
            with torch.no_grad():
                return self._calls[layer].compute_rows(index.to(self._calls[layer].query.device))
        if layer in self.patterns:
            return self.patterns[layer][:, :, index.to(self.patterns[layer].device)]
        raise Refused(f"layer {layer} was not recorded; recorded: {sorted({*self._calls, *self.patterns})}")

    def iterate_rows(self, layer: int, most: int = 2**23) -> Iterator[tuple[int, Tensor]]:
        """Yield a layer's pattern as (first row, (B, H, rows, Tk)), at most about `most` numbers at once."""
        if layer in self.patterns:
            yield 0, self.patterns[layer]
            return
        call = self._calls[layer]
        for rows, weights in iterate_rows(call, range(call.shape[1]), most // call.query.shape[0]):
            yield int(rows[0]), weights

    def find_modules(self, module: nn.Module) -> list[nn.Module]:
        """Return the submodules to listen to, and remember which layers and roles each of them has."""
        sites = self._sites
        paths_of = {"block": sites.block, "caller": sites.attention, "attention": sites.branch}
        paths_of |= {"mlp": sites.mlp, "cross": sites.cross}
        found = {}
        for role, paths in paths_of.items():
            for layer, path in enumerate(paths):
                if path:
                    found[path] = module.get_submodule(path)
                    self._roles.setdefault(id(found[path]), {}).setdefault(role, []).append(layer)
        return list(found.values())

    def set_shape(self, *shape: int) -> None:
        """Take `shape` (B, T, d) for that of the states from here on, whatever the first block was given."""
        self._shape = shape

    def _find_layer(self, module: nn.Module, role: str) -> int:
        """Which layer this call of a module is, -1 where it has not this role; shared weights are called many times."""
        layers = self._roles[id(module)].get(role)
        return layers[self._seen[id(module)] % len(layers)] if layers else -1

    def enter(self, module: nn.Module, args: tuple, kwargs: dict) -> tuple[tuple, dict] | None:
        """Edit and store the stream into the first block."""
        caller = self._find_layer(module, "caller")
        if caller >= 0:
            self._inside.append(caller)
        if self._find_layer(module, "block") != 0:
            return None
        before = input_tensor(args, kwargs)
        self._shape = before.shape
        after = self._edit_and_store("residual", 0, before)
        if after is before:
            return None
        args = tuple(after if value is before else value for value in args)
        return args, {name: after if value is before else value for name, value in kwargs.items()}

    def leave(self, module: nn.Module, args: tuple, kwargs: dict, output: Any) -> Any:
        """Edit and store the stream out of each block, and what attention and MLP add to it."""
        before = after = main_tensor(output)
        for role in ("attention", "mlp", "cross", "block"):
            layer = self._find_layer(module, role)
            if layer >= 0:
                site, later = ("residual", 1) if role == "block" else (role, 0)
                after = self._edit_and_store(site, layer + later, after)
        if self._find_layer(module, "caller") >= 0:
            self._inside.pop()
        self._seen[id(module)] += 1
        return None if after is before else replace_main_tensor(output, after)

    def attend(self, attention: AttentionCall) -> tuple[Tensor, Tensor | None]:
        """Compute one layer's attention: by its kernel, or by its own formula where the whole pattern is asked for."""
        import torch

        layer = self._find_layer(attention.module, "caller")
        attention, biased = self._edit_call(attention, layer)
        weights: Tensor | None
        whole = layer in self._pattern_layers and self._queries is None
        if self._kernel:
            z, weights = self._kernel(layer, attention)
        elif biased or whole:
            z, weights = attention.run_eager()
            if whole:
                self._store_pattern(layer, weights)
        else:
            z, weights = attention.run_kernel()
            if layer in self._pattern_layers:
                at = torch.as_tensor(self._queries, device=attention.query.device)
                self._store_pattern(layer, attention.compute_rows(at))
        if layer in self._qk_layers and self._on_layer:
            self._on_layer(layer, attention.detach())
        elif layer in self._qk_layers:
            self._calls[layer] = attention.detach()
        edit = self._edits.get(("z", layer))
        z = edit(z.clone()) if edit else z
        if self._heads:
            self.z[layer] = self._detach(z)
        return z, weights

    def _edit_call(self, attention: AttentionCall, layer: int) -> tuple[AttentionCall, bool]:
        """Edit queries, keys, values and scores; return the call and whether its scores got a bias."""
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
        mask = attention.additive_mask(slice(None))
        mask = bias if mask is None else (mask + bias).clamp(min=torch.finfo(bias.dtype).min)
        return replace(attention, mask=mask), True

    def on_softmax(self, weights: Tensor) -> None:
        """Take a softmax of an attention module that does not use the interface."""
        layer = self._inside[-1] if self._inside else -1
        if weights.ndim == 4 and layer in self._qk_layers and self._on_layer:
            self._on_layer(layer, AttentionPattern(weights.detach()))
        elif weights.ndim == 4 and layer in self._pattern_layers | self._qk_layers:
            self._store_pattern(layer, weights if self._queries is None else weights[:, :, list(self._queries)])

    def _store_pattern(self, layer: int, weights: Tensor) -> None:
        self.patterns[layer] = weights if self._keep_grad else weights.detach()

    def _detach(self, tensor: Tensor) -> Tensor:
        return tensor if self._keep_grad else tensor.detach().clone()  # a later block may work in place

    def _edit_and_store(self, site: str, layer: int, tensor: Tensor) -> Tensor:
        """Edit a tensor where an edit is asked for, store the result where it is asked for, and return it."""
        edit = self._edits.get((site, layer))
        if edit is not None:
            whole = tensor.reshape(-1, *self._shape[1:]).clone()  # some rows only, where a replay begins with fewer
            tensor = edit(whole).reshape(tensor.shape)
        store = self._stores.get(site)
        if store is not None:
            kept = self._detach(tensor)  # in the graph itself where that is kept: a view of it has no gradient
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
    on_layer: Callable[[int, StoredAttention], None] | None = None,
    kernel: Kernel | None = None,
) -> Iterator[Recording]:
    """Record this thread's forwards of `module` inside the `with`; see `Recording` for what it holds.

    `patterns` are the layers whose attention is kept, `queries` keeps only these rows of them, `qk`
    keeps queries and keys of layers so that `Recording.compute_rows` can compute rows later. `keep_grad` leaves
    what is recorded in the autograd graph. `edits` maps (site, layer) to a function that gets a copy of the
    tensor and returns what the network goes on with; sites are `z` (B, T, H, dh), `attention`, `mlp`, `cross` and
    `residual` (B, T, d), where residual 0 enters the first block and residual l + 1 leaves block l; `query`, `key` and
    `value` (B, H, T, dh) go into the attention kernel, `scores` gets zeros (B, H, Tq, Tk) to add to the scores before
    the softmax, which then is computed by the architecture's own formula. `on_layer` is called
    with each layer of `qk` during the forward in place of keeping it; where it raises `StopForward` the forward ends.
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
        on_layer=on_layer,
        kernel=kernel,
    )
    softmax = nullcontext() if sites.interface or not (patterns or qk) else watch_softmax(recording.on_softmax)
    with suppress(StopForward), listen(recording.find_modules(module), recording), softmax:
        yield recording
