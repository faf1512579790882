"""Find a network's parts by what its tensors do in one small forward, and check what was found.

No class names: attention is what calls the attention kernel, a block is what it happens in, the MLP is the
other thing that a block adds to its stream, the final norm is what turns the last state into what is unembedded.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from backends.hooks.attention_call import AttentionCall
from backends.hooks.listeners import (
    KERNELS,
    PREFIX,
    add_hooks,
    hook_module,
    install,
    listen,
    rename_attention,
    watch_softmax,
)
from backends.hooks.main_tensor import input_tensor, main_tensor
from backends.hooks.recording import Recording, record
from backends.hooks.sites import Sites, unembed

if TYPE_CHECKING:
    from torch import Tensor, nn

LEAST = 1e-4
"""The gap that every check allows: sums of float32 in another order."""


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
class AttentionEvent:
    """One computation of attention: when, by which module, the heads (B, T, H, dh) or else the softmax (B, H, T, T).

    `across`: from tokens to other tokens, as a decoder attends to an encoder; told by their numbers.
    """

    when: int
    path: str
    across: bool
    z: Any = None
    weights: Any = None


class Probe:
    """Listens to every module in one small forward."""

    def __init__(self, module: nn.Module) -> None:
        self.module = module
        self.paths = {id(sub): path for path, sub in module.named_modules()}
        self.calls: list[Call] = []
        self.attentions: list[AttentionEvent] = []
        self._open: list[tuple[int, str, Tensor | None]] = []
        self._clock = 0

    def run(self, run: Callable[[], Any], softmax: bool = False) -> Probe:
        """Listen to one `run()` with hooks on all modules, which are gone afterwards."""
        import torch

        handles = [handle for sub in self.module.modules() for handle in hook_module(sub)]
        try:
            watching = watch_softmax(self._on_softmax) if softmax else nullcontext()
            with listen(self.module.modules(), self), torch.no_grad(), watching:
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
        before = input_tensor(args, kwargs)
        self._open.append((self._tick(), self.paths[id(module)], None if before is None else before.detach().clone()))

    def leave(self, module: nn.Module, args: tuple, kwargs: dict, output: Any) -> None:
        start, path, before = self._open.pop()
        after = main_tensor(output)
        after = None if after is None else after.detach().clone()
        self.calls.append(Call(path, start, self._tick(), before, after, output))

    def attend(self, attention: AttentionCall) -> tuple[Tensor, Tensor | None]:
        z, weights = attention.run_kernel()
        across = attention.query.shape[2] != attention.key.shape[2]
        self.attentions.append(AttentionEvent(self._tick(), self.paths[id(attention.module)], across, z=z.detach()))
        return z, weights

    def _on_softmax(self, weights: Tensor) -> None:
        if weights.ndim == 4 and self._open:
            across = weights.shape[2] != weights.shape[3]
            self.attentions.append(AttentionEvent(self._tick(), self._open[-1][1], across, weights=weights.detach()))

    def _tick(self) -> int:
        self._clock += 1
        return self._clock


def locate(module: nn.Module, run: Callable[[], Any], within: str = "", cross: bool = False) -> Sites:
    """Find a network's parts by what the tensors do in one small forward `run()`, and check what was found.

    Calls `install`, so the network is ready for `record`. Parts that cannot be found stay empty; views whose
    check fails are named in `withdrawn`. Of a network with several stacks of blocks, `within` is the path of the one
    that is meant; `cross` asks for its attention to the other one, whose tokens must differ in number.
    """
    names = _list_attention_names(module)
    before = Probe(module).run(run)
    install(module)
    probe = Probe(module).run(run)
    if not probe.attentions and (blocks := _find_blocks(probe, within)):
        rename_attention(module, {"sdpa": "eager"})  # this architecture has its own attention: watch its softmax
        probe = Probe(module).run(run, softmax=True)
        probe.attentions = [a for a in probe.attentions if a.weights.shape[-2] == blocks[0].after.shape[1]]
    gap = _measure_gap(main_tensor(probe.output), main_tensor(before.output))
    withdrawn = {}
    if not gap <= _find_probe_tolerance(probe):
        _set_names(names)
        withdrawn["attention"] = f"reading attention changes this network's answer (by {gap:.1e}), so it is not read"
        probe = before
    sites = _find_sites(probe, within, cross)
    sites = replace(sites, checks={"install_gap": gap, **sites.checks}, withdrawn=withdrawn)
    sites = sites if cross else _check_lens(_check_residual(sites, probe), probe)
    add_hooks(module, sites)
    return _check_patch(_check_heads(_check_attention(sites, probe, run, cross), probe, run), run, probe)


def _find_sites(probe: Probe, within: str, cross: bool) -> Sites:
    """Where the parts are, before any check."""
    blocks = _find_blocks(probe, within)
    if not blocks:
        return Sites(channels=_find_stages(probe), embedding=_find_embedding(probe))
    stream = Sites(
        block=tuple(block.path for block in blocks), embedding=_find_embedding(probe), tokens=blocks[0].after.shape[1]
    )
    firsts = [next((a for a in probe.attentions if a.when in block and a.across >= cross), None) for block in blocks]
    pairs = [(block, first) for block, first in zip(blocks, firsts, strict=True) if first is not None]
    if not pairs:
        return stream
    block, first = pairs[0]
    branch, mlp, over, left = (None, None, None, 0.0) if cross else _find_branches(probe, block, first)
    heads = first.weights.shape[1] if first.z is None else first.z.shape[2]
    return replace(
        stream,
        attention=tuple(a.path if a else "" for a in firsts),
        branch=_name_in_each(probe, blocks, branch),
        mlp=_name_in_each(probe, blocks, mlp),
        cross=_name_in_each(probe, blocks, over),
        projection=tuple(_find_projection(probe, b, a) if a else "" for b, a in zip(blocks, firsts, strict=True)),
        heads=heads,
        interface=first.z is not None,
        checks={} if cross else {"residual_gap": left},
    )


def _find_blocks(probe: Probe, within: str = "") -> list[Call]:
    """The calls of the residual blocks: the list of modules that most attention happens in, or the longest chain."""
    from torch import nn

    best: list[Call] = []
    most = 0
    for path, sub in probe.module.named_modules():
        if not isinstance(sub, (nn.ModuleList, nn.Sequential)) or not f"{path}.".startswith(within):
            continue
        children = {f"{path}.{name}".lstrip(".") for name, _ in sub.named_children()}
        calls = [c for c in probe.calls if c.path in children and _is_stream(c)]
        if probe.attentions:
            count = sum(any(a.when in call for a in probe.attentions) for call in calls)
        else:
            count = _count_chained(calls)
        if count > most:
            best, most = calls, count
    return [call for call in best if call.after.shape == best[0].after.shape]


def _is_stream(call: Call) -> bool:
    """Takes and gives (B, T, d)."""
    return call.after is not None and call.after.ndim == 3 and getattr(call.before, "shape", 0) == call.after.shape


def _count_chained(calls: list[Call]) -> int:
    """How many calls there are when each takes what the one before gave, else 0."""
    links = itertools.pairwise(calls)
    return len(calls) if len(calls) > 1 and all(_is_same(a.after, b.before) for a, b in links) else 0


def _find_branches(
    probe: Probe, block: Call, first: AttentionEvent
) -> tuple[str | None, str | None, str | None, float]:
    """What a block adds to its stream: attention, MLP and attention to an encoder, as paths of modules within it.

    Beside them, the least that any such modules leave of what is added, relative to the largest value.
    """
    added = block.after - block.before
    inner = [c for c in probe.within(block) if c.after is not None and _flatten(c.after).shape == _flatten(added).shape]
    inner.sort(key=lambda c: (c.path.count("."), c.start))
    over = next((a.when for a in probe.attentions if a.when in block and a.across and a.when > first.when), None)
    largest = float(block.after.abs().max())
    found: list[tuple[float, tuple[Call | None, ...]]] = []
    for a, c in itertools.product(_find_ending(inner, first.when), _find_ending(inner, over)):
        rest = _flatten(added) - sum(_flatten(part.after) for part in (a, c) if part)
        for m in inner:
            if m not in (a, c) and first.when not in m and (over is None or over not in m):
                found.append((float((rest - _flatten(m.after)).abs().max()) / largest, (a, m, c)))
                if found[-1][0] <= LEAST:  # beyond rounding in float32: no other can be better
                    break
        if found and found[-1][0] <= LEAST:
            break
    least = min((gap for gap, _ in found), default=float("inf"))
    if not least <= _find_probe_tolerance(probe):
        return None, None, None, least
    parts = next(parts for gap, parts in found if gap <= max(2 * least, LEAST))
    return *(part and part.path.removeprefix(block.path + ".") for part in parts), least  # type: ignore[return-value] # three of them


def _find_ending(calls: list[Call], when: int | None) -> list[Call | None]:
    """The calls that end after an attention, those it happens in first; None alone where there is no attention."""
    if when is None:
        return [None]
    return [*sorted((c for c in calls if c.end > when), key=lambda c: when not in c)]


def _flatten(tensor: Tensor) -> Tensor:
    """(…, d) as (tokens, d) float32: OPT's MLP drops the batch axis."""
    return tensor.reshape(-1, tensor.shape[-1]).float() if tensor.ndim else tensor


def _name_in_each(probe: Probe, blocks: list[Call], part: str | None) -> tuple[str, ...]:
    """The path of a block's part in every block that has it."""
    if part is None:
        return ()
    called = {call.path for call in probe.calls}
    paths = [f"{block.path}.{part}" for block in blocks]
    return tuple(path if path in called else "" for path in paths)


def _find_projection(probe: Probe, block: Call, attended: AttentionEvent) -> str:
    """The linear layer whose input is the heads side by side."""
    if attended.z is None:
        return ""
    merged = attended.z.flatten(2)  # (B, T, H · dh)
    for call in probe.within(block):
        weight = getattr(probe.module.get_submodule(call.path), "weight", None)
        if weight is not None and weight.ndim == 2 and _is_same(call.before, merged):
            return call.path
    return ""


def _find_embedding(probe: Probe) -> str | None:
    return _find_by_getter(probe, "get_input_embeddings")


def _find_by_getter(probe: Probe, getter: str) -> str | None:
    """The path of what one of transformers' getters gives; None where a network has no such part."""
    try:
        return probe.paths.get(id(getattr(probe.module, getter)()))
    except (AttributeError, NotImplementedError):
        return None


def _find_stages(probe: Probe) -> tuple[str, ...]:
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
    gap = sites.checks.get("residual_gap", float("inf"))
    if sites.mlp and all(sites.mlp):
        wanted = (sites.block, sites.branch, sites.mlp, sites.cross or ("",) * len(sites.block))
        calls = {path: [c for c in probe.calls if c.path == path] for paths in wanted for path in paths}
        gap = 0.0
        for parts in zip(*wanted, strict=True):
            block, *added = (calls[part].pop(0) for part in parts if part)
            gap = max(gap, _measure_gap(block.before + sum(c.after.view_as(block.after) for c in added), block.after))
    if gap <= _find_probe_tolerance(probe):
        return replace(sites, checks={**sites.checks, "residual_gap": gap})
    why = (
        f"a block of this network does not simply add attention and MLP to what it is given: they miss its output by "
        f"{gap:.1e} of its largest value (it may norm or scale the sum), so what its parts contribute is not shown"
    )
    checks = {name: value for name, value in {**sites.checks, "residual_gap": gap}.items() if value < float("inf")}
    return replace(sites, branch=(), mlp=(), cross=(), checks=checks, withdrawn={**sites.withdrawn, "components": why})


def _check_lens(sites: Sites, probe: Probe) -> Sites:
    """Find final norm and unembedding, and ask that they give the network's own logits."""
    import torch

    if not sites.block:
        return sites
    last = [c for c in probe.calls if c.path == sites.block[-1]][-1]
    later = [c for c in probe.calls if c.start > last.end and _is_stream(c)]
    norms = [c for c in later if _is_same(c.before, last.after) and not _is_same(c.after, c.before)]
    head = _find_by_getter(probe, "get_output_embeddings")
    heads = [c for c in probe.calls if head is not None and c.path == head]
    followed = any(a.when > last.end for a in probe.attentions)  # another stack goes on from here
    if not heads or followed:
        norms = [c for c in norms if _is_norm(probe.module.get_submodule(c.path))]
        return replace(sites, final_norm=norms[0].path if norms else None)
    length = heads[-1].before.shape[-2]  # a network may unembed its last positions only
    scales = [_measure_scale(c.after[:, -length:], heads[-1].before) for c in norms]
    reaching = [(c.path, scale) for c, scale in zip(norms, scales, strict=True) if scale]
    norm, scale = reaching[0] if reaching else (None, 1.0)
    found = replace(sites, final_norm=norm, unembedding=head, scale=scale)
    output = probe.output
    logits = output["logits"] if isinstance(output, Mapping) and "logits" in output else main_tensor(output)
    with torch.no_grad():
        gap, found = min(
            (
                (_measure_gap(unembed(probe.module, f, last.after[:, -length:]), logits), f)
                for f in (found, _add_cap(found, probe))
            ),
            key=lambda pair: pair[0],
        )
    if gap <= _find_probe_tolerance(probe):
        return replace(found, checks={**sites.checks, "lens_gap": gap})
    why = (
        f"final norm and unembedding applied to the last state miss this network's logits by {gap:.1e} (relative), "
        "so its earlier states are not read as logits"
    )
    return replace(found, checks={**sites.checks, "lens_gap": gap}, withdrawn={**sites.withdrawn, "unembedding": why})


def _measure_scale(normed: Tensor, unembedded: Tensor) -> float | None:
    """By how much a norm's output is multiplied before it is unembedded; None where it is not that."""
    if _is_same(normed, unembedded):
        return 1.0
    if normed.shape != unembedded.shape:
        return None
    scale = float((normed * unembedded).sum() / (normed * normed).sum())
    return scale if _measure_gap(normed * scale, unembedded) <= max(1e-5, _find_rounding([normed])) else None


def _add_cap(sites: Sites, probe: Probe) -> Sites:
    """The same with the soft cap on logits that the network's config names, if it names one."""
    config: Any = getattr(probe.module, "config", None)
    text = config.get_text_config() if hasattr(config, "get_text_config") else config
    return replace(sites, cap=getattr(text, "final_logit_softcapping", None))


def _check_attention(sites: Sites, probe: Probe, run: Callable[[], Any], cross: bool = False) -> Sites:
    """One pattern a layer over all tokens, equal to the network's own in eager mode, or attention is withdrawn."""
    import torch

    if not sites.layers or "attention" in sites.withdrawn:
        return sites
    with record(probe.module, sites, patterns=sites.layers) as recording, torch.no_grad():
        run()
    batch, length, _ = next(c for c in probe.calls if c.path == sites.block[0]).after.shape
    keys = next(iter(recording.patterns.values())).shape[-1] if cross and recording.patterns else length
    shape = (batch, sites.heads, length, keys)
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
    gap = _measure_eager_gap(sites, probe, recording, run)
    if gap is None:
        return sites
    checks = {**sites.checks, "attention_gap": gap}
    if gap <= _find_probe_tolerance(probe, "attention_gap"):
        return replace(sites, checks=checks)
    why = f"the attention read from this network differs from its own in eager mode by {gap:.1e}, so it is not shown"
    return replace(sites, checks=checks, withdrawn={**sites.withdrawn, "attention": why})


def _check_heads(sites: Sites, probe: Probe, run: Callable[[], Any]) -> Sites:
    """A head set to zero is its columns of the output projection's input set to zero, or heads are not edited."""
    import torch

    if not sites.layers or "attention" in sites.withdrawn:
        return sites
    if not sites.interface:
        why = "this network has its own way to compute attention, so its heads cannot be switched off one by one"
        return replace(sites, withdrawn={**sites.withdrawn, "heads": why})
    if not all(sites.projection[layer] for layer in sites.layers):
        why = "no linear layer of this network reads all heads side by side, so its heads are not switched off"
        return replace(sites, withdrawn={**sites.withdrawn, "heads": why})
    modules = [probe.module.get_submodule(sites.projection[layer]) for layer in sites.layers]
    size = next(a for a in probe.attentions if a.path == sites.attention[sites.layers[0]]).z.shape[-1]
    head = sites.heads - 1

    def silence(z: Tensor) -> Tensor:
        z[:, :, head] = 0
        return z

    handles = [handle for sub in modules for handle in hook_module(sub)]
    try:
        with torch.no_grad():
            with record(probe.module, sites, edits={("z", layer): silence for layer in sites.layers}):
                edited = main_tensor(run())
            with listen(modules, _ColumnEraser(slice(head * size, (head + 1) * size))):
                wanted = main_tensor(run())
    finally:
        for handle in handles:
            handle.remove()
    gap = _measure_gap(edited, wanted)
    if gap <= _find_probe_tolerance(probe):
        return replace(sites, checks={**sites.checks, "head_gap": gap})
    why = f"a head set to zero differs from its columns of the output projection set to zero by {gap:.1e} (relative)"
    return replace(sites, withdrawn={**sites.withdrawn, "heads": f"{why}, so heads are not switched off"})


@dataclass
class _ColumnEraser:
    """Sets some columns of what a module gets to zero."""

    columns: slice

    def enter(self, module: nn.Module, args: tuple, kwargs: dict) -> tuple[tuple, dict]:
        given = args[0].clone()
        given[..., self.columns] = 0
        return (given, *args[1:]), kwargs

    def leave(self, module: nn.Module, args: tuple, kwargs: dict, output: Any) -> None:
        return None

    def attend(self, attention: AttentionCall) -> tuple[Tensor, Tensor | None]:
        return attention.run_kernel()


def _check_patch(sites: Sites, run: Callable[[], Any], probe: Probe) -> Sites:
    """Every state replaced by itself changes nothing, or states are neither shown nor patched."""
    import torch

    if not sites.block or "residual" in sites.withdrawn:
        return sites
    with torch.no_grad():
        plain = main_tensor(run())
        edits = {("residual", layer): lambda stream: stream for layer in range(len(sites.block) + 1)}
        with record(probe.module, sites, edits=edits):
            gap = _measure_gap(main_tensor(run()), plain)
    checks = {**sites.checks, "patch_gap": gap}
    if gap <= _find_probe_tolerance(probe):
        return replace(sites, checks=checks)
    why = f"a state replaced by itself changes this network's answer by {gap:.1e} (relative), so states are not read"
    return replace(sites, checks=checks, withdrawn={**sites.withdrawn, "residual": why})


def _is_norm(module: nn.Module) -> bool:
    """Has weights for each dimension and none between dimensions, as a norm has."""
    shapes = [p.ndim for p in module.parameters()]
    return bool(shapes) and max(shapes) == 1


def _measure_eager_gap(sites: Sites, probe: Probe, recording: Recording, run: Callable[[], Any]) -> float | None:
    """Largest difference to the weights that attention modules return in eager mode; None where they return none."""
    names = _list_attention_names(probe.module)
    try:
        rename_attention(probe.module, {PREFIX + kernel: "eager" for kernel in KERNELS})
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


def _list_attention_names(module: nn.Module) -> list[tuple[Any, str | None]]:
    """Each config of the network with the name of its attention function."""
    configs = {id(s.config): s.config for s in module.modules() if hasattr(s, "config")}.values()
    return [(config, getattr(config, "_attn_implementation_internal", None)) for config in configs]


def _set_names(names: list[tuple[Any, str | None]]) -> None:
    for config, name in names:
        config._attn_implementation_internal = name


def _is_same(a: Tensor | None, b: Tensor | None) -> bool:
    import torch

    return a is not None and b is not None and a.shape == b.shape and torch.equal(a, b)


def _measure_gap(a: Tensor | None, b: Tensor | None) -> float:
    """Largest difference relative to the largest value of `b`; infinite where the shapes disagree."""
    if a is None or b is None or a.shape != b.shape:
        return float("inf")
    a, b = a.detach().float(), b.detach().float()
    return float((a - b).abs().max() / b.abs().max().clamp(min=1e-12))


def find_tolerance(check: str, rounding: float) -> float:
    """The largest gap with which `check` passes, in a network whose numbers are rounded by `rounding`.

    A gap compares two ways to compute the same, which differ by rounding that adds up over a few layers: eight steps
    of it in 16-bit numbers (0.06 in bfloat16, whose numbers have 8 bits, 0.008 in float16), and in float32, where that
    would be 1e-6, the 1e-4 that reordered sums of long rows need. Patterns are compared as probabilities, after a
    softmax that multiplies the scores' errors: 1e-3 in float32.
    """
    return max(1e-3 if check == "attention_gap" else LEAST, 8 * rounding)


def _find_rounding(tensors: Iterable[Tensor]) -> float:
    """The relative distance of neighbouring numbers in the coarsest dtype of these tensors."""
    import torch

    kinds = {t.dtype for t in tensors if t.is_floating_point()}
    return max((torch.finfo(kind).eps for kind in kinds), default=0.0)


def _find_probe_tolerance(probe: Probe, check: str = "") -> float:
    """What rounding may do in the network's own precision: see `find_tolerance`."""
    return find_tolerance(check, _find_rounding(probe.module.parameters()))
