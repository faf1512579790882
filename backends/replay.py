"""Begin a forward at a later block: what many interventions on one input share is computed once.

The network runs as always, so that masks, positions and all that follows the blocks are its own; only the blocks before
the first change pass on what they are given, and a block that some rows of the batch have not reached yet is given
the others only. It puts a `forward` of its own on each block and takes it away again: hold the model's lock.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from backends.capture import Edit, Recording, Sites, record, tensor_of

if TYPE_CHECKING:
    from torch import Tensor, nn

Place = tuple[str, int]
"""A site and its layer, as `capture.record` takes them."""

LEAST = 1e-4
"""The gap to a whole forward that counts as rounding, relative to the largest logit."""


@dataclass(frozen=True)
class Row:
    """One forward with its changes: edits of this row alone, (T, d) or (H, T, dh), by place.

    `sample` says which of several base inputs it starts from, `first` the first token that it changes: where tokens see
    only what came before, those before it are not computed again.
    """

    edits: Mapping[Place, Edit]
    sample: int = 0
    first: int = 0

    @property
    def start(self) -> int:
        """The first block that it changes anything in; the number of blocks where only the last state changes."""
        return min((layer for _, layer in self.edits), default=0)


@dataclass
class Base:
    """The unchanged run: the states (sample, T, d) into each block and out of the last, and a block's other outputs."""

    states: list[Tensor]
    keys: dict[Place, Tensor] = field(default_factory=dict)
    shapes: dict[int, Any] = field(default_factory=dict)
    recording: Recording | None = None
    output: Any = None


_active: ContextVar[Callable[..., Any] | None] = ContextVar("replay", default=None)


def base(module: nn.Module, sites: Sites, run: Callable[[], Any], keys: bool = False, **wanted: Any) -> Base:
    """Run once and keep every state, and what else `record` is asked for; `keys` keeps keys and values as well."""
    found = Base([])
    if keys:
        places = [(name, layer) for layer in sites.layers for name in ("key", "value")]
        wanted["edits"] = {place: partial(_keep, found.keys, place) for place in places}

    def keep(layer: int, forward: Callable[..., Any], args: tuple, kwargs: dict) -> Any:
        found.shapes[layer] = output = forward(*args, **kwargs)
        return output

    with _blocks(module, sites, keep), record(module, sites, residual=True, **wanted) as recording:
        found.output = run()
    found.states, found.recording = recording.residual, recording
    found.shapes = {layer: _template(output) for layer, output in found.shapes.items()}
    return found


def replay(
    module: nn.Module, sites: Sites, known: Base, rows: Sequence[Row], run: Callable[[], Any], exact: bool = True
) -> Any:
    """What `run()`, a forward of `len(rows)` inputs, returns with the rows' changes; rows come in order of `start`.

    Where `exact` is false every block is computed for every row: as slow as whole forwards, whatever the network does.
    """
    starts = [row.start if exact else 0 for row in rows]
    assert starts == sorted(starts), "rows must come in the order in which they start"
    edits = _together(rows, starts, known, len(sites.block)) if exact else _gathered(rows)
    inside = {layer for site, layer in edits if site != "residual"}
    if exact and known.keys:
        edits |= {place: partial(_before, known.keys[place], rows, length_of(known)) for place in known.keys}

    def some(layer: int, forward: Callable[..., Any], args: tuple, kwargs: dict) -> Any:
        active = sum(start <= layer for start in starts)
        cut = min((row.first for row in rows[:active]), default=0) if known.keys and layer not in inside else 0
        if cut == 0 or active == 0:
            return _partly(forward, args, kwargs, active, len(rows), known.shapes[layer])
        return _trimmed(forward, args, kwargs, active, rows, known, layer, cut)

    with ExitStack() as stack:
        if exact:
            stack.enter_context(_blocks(module, sites, some))
        stack.enter_context(record(module, sites, edits=edits))
        return run()


def _keep(store: dict[Place, Tensor], place: Place, tensor: Tensor) -> Tensor:
    store[place] = tensor
    return tensor


def gap(module: nn.Module, sites: Sites, run: Callable[[int], Any], trim: bool = False) -> float:
    """How much rows that begin at different blocks differ from whole forwards, relative to the largest logit.

    `run(n)` is a forward of n copies of one input. With `trim` the rows change later tokens only, and those before are
    not computed again. Infinite where the network cannot be run in this way.
    """
    import torch

    try:
        known = base(module, sites, lambda: run(1), keys=trim)
    except (RuntimeError, ValueError, IndexError, TypeError, AttributeError):
        return float("inf")
    layers = sorted({len(sites.block) // 2, len(sites.block) - 1, len(sites.block)})
    noise = torch.Generator().manual_seed(0)
    rows = []
    for layer in layers:
        state = known.states[layer]
        pushed = torch.randn(state.shape[1:], generator=noise).to(state) * state.std()
        first = state.shape[1] // 2 if trim else 0
        pushed[:first] = 0
        rows.append(Row({("residual", layer): partial(torch.add, pushed)}, first=first))
    try:
        fast = tensor_of(replay(module, sites, known, rows, lambda: run(len(rows)))).float()
        slow = [tensor_of(replay(module, sites, known, [row], lambda: run(1), exact=False)).float() for row in rows]
    except (RuntimeError, ValueError, IndexError, TypeError, AttributeError):
        return float("inf")
    whole = torch.cat(slow)
    if fast.shape != whole.shape:  # the copies are of a picture, and this stack reads its captions
        return float("inf")
    found = float((fast - whole).abs().max() / whole.abs().max().clamp(min=1e-12))
    return found if found == found else float("inf")


def _together(rows: Sequence[Row], starts: Sequence[int], known: Base, depth: int) -> dict[Place, Edit]:
    """The rows' edits as edits of a batch; at the block where it starts a row gets its base state first."""
    edits = _gathered(rows)
    for layer in sorted({start for start in starts if start <= depth}):
        new = [index for index, start in enumerate(starts) if start == layer]
        edits[("residual", layer)] = partial(_begin, known, layer, new, rows, edits.get(("residual", layer)))
    return edits


def _begin(known: Base, layer: int, new: list[int], rows: Sequence[Row], edit: Edit | None, tensor: Tensor) -> Tensor:
    tensor[new] = known.states[layer][[rows[index].sample for index in new]].to(tensor)
    return edit(tensor) if edit else tensor


def _gathered(rows: Sequence[Row]) -> dict[Place, Edit]:
    """Each place's edit of a batch (row, …)."""
    places: dict[Place, list[tuple[int, Edit]]] = {}
    for index, row in enumerate(rows):
        for place, edit in row.edits.items():
            places.setdefault(place, []).append((index, edit))
    return {place: partial(_each, own) for place, own in places.items()}


def _each(own: list[tuple[int, Edit]], tensor: Tensor) -> Tensor:
    for index, edit in own:
        tensor[index] = edit(tensor[index])
    return tensor


def _partly(forward: Callable[..., Any], args: tuple, kwargs: dict, active: int, total: int, shape: Any) -> Any:
    """A block's output with its first `active` rows computed and the others passed on."""
    import torch

    if active == total:
        return forward(*args, **kwargs)
    given = args[0] if args else kwargs["hidden_states"]
    if active == 0:
        return _like(shape, given)
    output = forward(*_first(args, active, total), **_first(kwargs, active, total))
    return _like(output, torch.cat([tensor_of(output), given[active:]]))


def length_of(known: Base) -> int:
    """How many tokens the stack has."""
    return known.states[0].shape[1]


def _trimmed(
    forward: Callable[..., Any], args: tuple, kwargs: dict, active: int, rows: Sequence[Row], known: Base, layer: int,
    cut: int,
) -> Any:  # fmt: skip
    """A block's output with the tokens from `cut` on computed, of the first `active` rows; the others are known."""
    import torch

    given, length = (args[0] if args else kwargs["hidden_states"]), length_of(known)
    args, kwargs = (_later(_first(value, active, len(rows)), cut, length) for value in (args, kwargs))
    output = forward(*args, **kwargs)
    before = known.states[layer + 1][[row.sample for row in rows[:active]], :cut].to(given)
    states = torch.cat([before, tensor_of(output)], 1)
    return _like(output, torch.cat([states, given[active:]]) if active < len(rows) else states)


def _before(known: Tensor, rows: Sequence[Row], length: int, tensor: Tensor) -> Tensor:
    """Keys or values (B, H, T, dh) of a block that was given its later tokens only, with those before from the base."""
    import torch

    missing = length - tensor.shape[2]
    if missing == 0:
        return tensor
    earlier = known[[row.sample for row in rows[: len(tensor)]], :, :missing]
    return torch.cat([earlier.to(tensor), tensor], 2)


def _later(value: Any, cut: int, length: int) -> Any:
    """The tokens from `cut` on of states (B, T, d), positions (B, T) or (T,) and what goes with them; masks stay."""
    if isinstance(value, (tuple, list)):
        return type(value)(_later(part, cut, length) for part in value)
    if isinstance(value, dict):
        return {name: _later(part, cut, length) for name, part in value.items()}
    shape = tuple(getattr(value, "shape", ()))
    if len(shape) in (2, 3) and shape[1] == length:
        return value[:, cut:]
    return value[cut:] if shape == (length,) else value


def _first(value: Any, active: int, total: int) -> Any:
    """The first rows of every tensor that has one row for each input; a batch is never as long as a text."""
    if isinstance(value, (tuple, list)):
        return type(value)(_first(part, active, total) for part in value)
    if isinstance(value, dict):
        return {name: _first(part, active, total) for name, part in value.items()}
    of_batch = getattr(value, "ndim", 0) > 0 and value.shape[0] == total and hasattr(value, "untyped_storage")
    return value[:active] if of_batch else value


def _template(output: Any) -> Any:
    """A block's output without its states, to be filled with others."""
    return (None, *output[1:]) if isinstance(output, tuple) else None


def _like(output: Any, states: Tensor) -> Any:
    return (states, *output[1:]) if isinstance(output, tuple) else states


@contextmanager
def _blocks(module: nn.Module, sites: Sites, call: Callable[..., Any]) -> Iterator[None]:
    """Let `call(layer, forward, args, kwargs)` stand for every block's forward in this thread."""
    layers: dict[str, list[int]] = {}
    for layer, path in enumerate(sites.block):
        layers.setdefault(path, []).append(layer)
    token = _active.set(call)
    with ExitStack() as stack:
        stack.callback(_active.reset, token)
        for path, own in layers.items():
            stack.callback(_restore, *_replace(module.get_submodule(path), own))
        yield


def _replace(block: nn.Module, layers: Iterable[int]) -> tuple[nn.Module, Any]:
    """Put a forward in place that asks who replays; a block whose weights are shared is several layers in turn."""
    plain, own, seen = block.forward, vars(block).get("forward"), Counter[str]()
    layers = list(layers)

    def forward(*args: Any, **kwargs: Any) -> Any:
        call = _active.get()
        if call is None:
            return plain(*args, **kwargs)
        layer = layers[seen["calls"] % len(layers)]
        seen["calls"] += 1
        return call(layer, plain, args, kwargs)

    block.forward = forward  # type: ignore[method-assign]
    return block, own


def _restore(block: nn.Module, own: Any) -> None:
    if own is None:
        del block.forward
    else:
        block.forward = own
