"""Find a network's parts by what its tensors do in one small forward, and check what was found.

No class names: attention is what calls the attention kernel, a block is what it happens in, the MLP is the
other thing that a block adds to its stream, the final norm is what turns the last state into what is unembedded.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from backends.capture import (
    KERNELS,
    PREFIX,
    Attention,
    Recording,
    Sites,
    entering,
    hook,
    install,
    listening,
    read,
    record,
    rename,
    softmaxes,
    tensor_of,
    watch,
)

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass
class Call:
    """One call of one module: when it began and ended, its main tensors (None where it has none), its whole output."""

    path: str
    start: int
    end: int
    before: Any
    after: Any
    output: Any

    def __contains__(self, when: int) -> bool:
        return self.start < when < self.end


@dataclass
class Attended:
    """One computation of attention: when, by which module, the heads (B, T, H, dh) or else the softmax (B, H, T, T)."""

    when: int
    path: str
    z: Any = None
    weights: Any = None


class Probe:
    """Listens to every module in one small forward."""

    def __init__(self, module: nn.Module) -> None:
        self.module = module
        self.paths = {id(sub): path for path, sub in module.named_modules()}
        self.calls: list[Call] = []
        self.attentions: list[Attended] = []
        self._open: list[tuple[int, str, Tensor | None]] = []
        self._clock = 0

    def run(self, run: Callable[[], Any], softmax: bool = False) -> Probe:
        """Listen to one `run()` with hooks on all modules, which are gone afterwards."""
        import torch

        handles = [handle for sub in self.module.modules() for handle in hook(sub)]
        try:
            watching = softmaxes(self._soften) if softmax else nullcontext()
            with listening(self.module.modules(), self), torch.no_grad(), watching:
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
        before = entering(args, kwargs)
        self._open.append((self._tick(), self.paths[id(module)], None if before is None else before.detach().clone()))

    def leave(self, module: nn.Module, args: tuple, kwargs: dict, output: Any) -> None:
        start, path, before = self._open.pop()
        after = tensor_of(output)
        after = None if after is None else after.detach().clone()
        self.calls.append(Call(path, start, self._tick(), before, after, output))

    def attend(self, attention: Attention) -> tuple[Tensor, Tensor | None]:
        z, weights = attention.plain()
        self.attentions.append(Attended(self._tick(), self.paths[id(attention.module)], z=z.detach()))
        return z, weights

    def _soften(self, weights: Tensor) -> None:
        if weights.ndim == 4 and self._open:
            self.attentions.append(Attended(self._tick(), self._open[-1][1], weights=weights.detach()))

    def _tick(self) -> int:
        self._clock += 1
        return self._clock


def locate(module: nn.Module, run: Callable[[], Any]) -> Sites:
    """Find a network's parts by what the tensors do in one small forward `run()`, and check what was found.

    Calls `install`, so the network is ready for `record`. Parts that cannot be found stay empty; views whose
    check fails are named in `withdrawn`.
    """
    names = _names(module)
    before = Probe(module).run(run)
    install(module)
    probe = Probe(module).run(run)
    if not probe.attentions and (blocks := _blocks(probe)):
        rename(module, {"sdpa": "eager"})  # this architecture has its own attention: watch its softmax
        probe = Probe(module).run(run, softmax=True)
        probe.attentions = [a for a in probe.attentions if a.weights.shape[-2] == blocks[0].after.shape[1]]
    gap = _gap(tensor_of(probe.output), tensor_of(before.output))
    withdrawn = {}
    if not gap <= _tolerance(probe):
        _set_names(names)
        withdrawn["attention"] = f"reading attention changes this network's answer (by {gap:.1e}), so it is not read"
        probe = before
    sites = replace(_sites(probe), checks={"install_gap": gap}, withdrawn=withdrawn)
    sites = _check_lens(_check_residual(sites, probe), probe)
    watch(module, sites)
    return _check_attention(sites, probe, run)


def _sites(probe: Probe) -> Sites:
    """Where the parts are, before any check."""
    blocks = _blocks(probe)
    if not blocks:
        return Sites(channels=_channels(probe), embedding=_embedding(probe))
    stream = Sites(
        block=tuple(block.path for block in blocks), embedding=_embedding(probe), tokens=blocks[0].after.shape[1]
    )
    firsts = [next((a for a in probe.attentions if a.when in block), None) for block in blocks]
    pairs = [(block, first) for block, first in zip(blocks, firsts, strict=True) if first is not None]
    if not pairs:
        return stream
    block, first = pairs[0]
    branch, mlp = _branches(probe, block, first.when)
    heads = first.weights.shape[1] if first.z is None else first.z.shape[2]
    return replace(
        stream,
        attention=tuple(a.path if a else "" for a in firsts),
        branch=_in_each(probe, blocks, branch),
        mlp=_in_each(probe, blocks, mlp),
        projection=tuple(_projection(probe, b, a) if a else "" for b, a in zip(blocks, firsts, strict=True)),
        heads=heads,
        interface=first.z is not None,
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
            count = sum(any(a.when in call for a in probe.attentions) for call in calls)
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


def _projection(probe: Probe, block: Call, attended: Attended) -> str:
    """The linear layer whose input is the heads side by side."""
    if attended.z is None:
        return ""
    merged = attended.z.flatten(2)  # (B, T, H · dh)
    for call in probe.within(block):
        weight = getattr(probe.module.get_submodule(call.path), "weight", None)
        if weight is not None and weight.ndim == 2 and _same(call.before, merged):
            return call.path
    return ""


def _embedding(probe: Probe) -> str | None:
    return _called(probe, "get_input_embeddings")


def _called(probe: Probe, getter: str) -> str | None:
    """The path of what one of transformers' getters gives; None where a network has no such part."""
    try:
        return probe.paths.get(id(getattr(probe.module, getter)()))
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
    import torch

    if not sites.block:
        return sites
    last = [c for c in probe.calls if c.path == sites.block[-1]][-1]
    later = [c for c in probe.calls if c.start > last.end and _is_stream(c)]
    norms = [c for c in later if _same(c.before, last.after) and not _same(c.after, c.before)]
    head = _called(probe, "get_output_embeddings")
    heads = [c for c in probe.calls if head is not None and c.path == head]
    if not heads:
        norms = [c for c in norms if _scales(probe.module.get_submodule(c.path))]
        return replace(sites, final_norm=norms[0].path if norms else None)
    length = heads[-1].before.shape[-2]  # a network may unembed its last positions only
    reaching = [c for c in norms if _same(c.after[:, -length:], heads[-1].before)]
    found = replace(sites, final_norm=reaching[0].path if reaching else None, unembedding=head)
    with torch.no_grad():
        own = read(probe.module, found, last.after[:, -length:])
    output = probe.output
    gap = _gap(own, output["logits"] if isinstance(output, Mapping) and "logits" in output else tensor_of(output))
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
        len([a for a in probe.attentions if a.path == path]) > len([c for c in probe.calls if c.path == path])
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
    names = _names(probe.module)
    try:
        rename(probe.module, {PREFIX + kernel: "eager" for kernel in KERNELS})
        calls = Probe(probe.module).run(run).calls
    finally:
        _set_names(names)
    own = {path: [c.output for c in calls if c.path == path] for path in set(sites.attention)}
    gaps = []
    for layer in sites.layers:
        output = own[sites.attention[layer]].pop(0)
        pattern = recording.patterns[layer]
        parts = output[1:] if isinstance(output, tuple) else ()
        alike = [float((p - pattern).abs().max()) for p in parts if getattr(p, "shape", None) == pattern.shape]
        gaps += [min(alike)] if alike else []  # T5 returns its position bias beside the weights
    return max(gaps, default=None)


def _names(module: nn.Module) -> list[tuple[Any, str | None]]:
    """Each config of the network with the name of its attention function."""
    configs = {id(s.config): s.config for s in module.modules() if hasattr(s, "config")}.values()
    return [(config, getattr(config, "_attn_implementation_internal", None)) for config in configs]


def _set_names(names: list[tuple[Any, str | None]]) -> None:
    for config, name in names:
        config._attn_implementation_internal = name


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
