"""Begin a forward at a later block: what many interventions on one input share is computed once.

The network runs as always, so that masks, positions and all that follows the blocks are its own; only the blocks before
the first change pass on what they are given, and a block that some rows of the batch have not reached yet is given
the others only. It puts a `forward` of its own on each block and takes it away again: hold the model's lock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial
from itertools import cycle
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from backends.hooks import packed_rows
from backends.hooks.main_tensor import main_tensor
from backends.hooks.packed_rows import Pack
from backends.hooks.recording import Edit, Recording, record
from backends.hooks.sites import Sites

if TYPE_CHECKING:
    from torch import Tensor, nn

Place = tuple[str, int]
"""A site and its layer, as `record` takes them."""

LEAST = 1e-4
"""The gap to a whole forward that counts as rounding, relative to the largest logit."""


@dataclass(frozen=True)
class Row:
    """One forward with its changes: edits of this row alone, (T, d) or (H, T, dh), by place.

    `sample` says which of several base inputs it starts from, `first` the first token that it changes: where tokens see
    only what came before, those before it are not computed again, and an edit finds zeros in their place.
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


_active: ContextVar[Mapping[int, Callable[..., Any]]] = ContextVar("replay", default=MappingProxyType({}))
"""What stands for the forwards of some modules in this thread, by their ids."""


def run_base(module: nn.Module, sites: Sites, run: Callable[[], Any], keys: bool = False, **wanted: Any) -> Base:
    """Run once and keep every state, and what else `record` is asked for; `keys` keeps keys and values as well."""
    found = Base([])
    if keys:
        places = [(name, layer) for layer in sites.layers for name in ("key", "value")]
        wanted["edits"] = {place: partial(_keep, found.keys, place) for place in places}

    def keep(layer: int, forward: Callable[..., Any], args: tuple, kwargs: dict) -> Any:
        found.shapes[layer] = output = forward(*args, **kwargs)
        return output

    with _replace_blocks(module, sites, keep), record(module, sites, residual=True, **wanted) as recording:
        found.output = run()
    found.states, found.recording = recording.residual, recording
    found.shapes = {layer: _drop_states(output) for layer, output in found.shapes.items()}
    return found


def replay(
    module: nn.Module, sites: Sites, known: Base, rows: Sequence[Row], run: Callable[[], Any], exact: bool = True,
    last: bool = False, columns: Sequence[int] = (),
) -> Any:  # fmt: skip
    """What `run()`, a forward of `len(rows)` inputs, returns with the rows' changes; rows come in order of `start`.

    Where `exact` is false every block is computed for every row: as slow as whole forwards, whatever the network does.
    `last` says that only the last token's state is read behind the blocks; with `columns` only these columns of the
    unembedding are computed, and the logits have no others.
    """
    starts = [row.start if exact else 0 for row in rows]
    assert starts == sorted(starts), "rows must come in the order in which they start"
    path = str(sites.unembedding)
    narrow = {path: partial(_unembed_columns, module.get_submodule(path), columns)} if columns else {}
    with _replace_forwards(module, narrow):
        if not exact:
            with record(module, sites, edits=_gather_edits(rows)):
                return run()
        if packed_rows.can_pack(known, rows):
            return _run_packed(module, sites, Pack(rows, known), run, last)
        with (
            _replace_blocks(module, sites, partial(_run_later, known, starts)),
            record(module, sites, edits=_merge_edits(rows, starts, known, len(sites.block))),
        ):
            return run()


def _keep(store: dict[Place, Tensor], place: Place, tensor: Tensor) -> Tensor:
    store[place] = tensor
    return tensor


def _run_later(
    known: Base, starts: list[int], layer: int, forward: Callable[..., Any], args: tuple, kwargs: dict
) -> Any:
    """A block's output with the rows computed that have begun."""
    return _run_active_rows(
        forward, args, kwargs, sum(start <= layer for start in starts), len(starts), known.shapes[layer]
    )


def _run_packed(module: nn.Module, sites: Sites, pack: Pack, run: Callable[[], Any], last: bool) -> Any:
    """`run()` with the rows' tokens one behind another in the blocks.

    Where `last` says that nobody reads the others, the last MLP is computed for the last token of each row only.
    """

    def block(layer: int, forward: Callable[..., Any], args: tuple, kwargs: dict) -> Any:
        given = args[0] if args else kwargs["hidden_states"]
        pack.enter(layer)
        output = pack.known.shapes[layer]
        if len(pack.state):
            rest = {name: pack.pick_arguments(value) for name, value in kwargs.items() if name != "hidden_states"}
            recording.set_shape(1, *pack.state.shape)
            output = forward(pack.state[None], *pack.pick_arguments(args[1:]), **rest)
            pack.state = main_tensor(output)[0]
        if layer + 1 < pack.depth:
            return _put_states(output, given)  # nobody looks at it: the states travel in the pack
        pack.enter(pack.depth)
        return _put_states(output, pack.fill_states())

    def mlp(forward: Callable[..., Any], args: tuple, kwargs: dict) -> Any:
        some, at = pack.take_last(args[0])
        output = forward(some, *args[1:], **kwargs)
        own = main_tensor(output)
        return _put_states(output, own.new_zeros(*args[0].shape[:-1], own.shape[-1]).index_copy_(-2, at, own))

    path = sites.mlp[-1] if last and sites.mlp else ""
    narrow = {path: mlp} if path and sites.mlp.count(path) == 1 else {}
    with (
        _replace_blocks(module, sites, block),
        _replace_forwards(module, narrow),
        record(module, sites, edits=pack.make_edits(), kernel=pack.attend) as recording,
    ):
        return run()


def can_narrow(module: nn.Module, sites: Sites) -> bool:
    """Whether single columns of the unembedding can be computed: it is a plain linear layer."""
    import torch

    return bool(sites.unembedding) and type(module.get_submodule(str(sites.unembedding))) is torch.nn.Linear


def _unembed_columns(
    head: nn.Module, columns: Sequence[int], forward: Callable[..., Any], args: tuple, kwargs: dict
) -> Tensor:
    """Some columns of a linear unembedding."""
    from torch.nn.functional import linear

    weights: Any = head
    bias = None if weights.bias is None else weights.bias[list(columns)]
    return linear(args[0], weights.weight[list(columns)], bias)


def measure_gap(
    module: nn.Module, sites: Sites, run: Callable[[int], Any], trim: bool = False, last: bool = False,
    columns: Sequence[int] = (),
) -> float:  # fmt: skip
    """How much rows that begin at different blocks differ from whole forwards, relative to the largest logit.

    `run(n)` is a forward of n copies of one input. With `trim` the rows change later tokens only, and those before are
    not computed again; `last` and `columns` are those of `replay`. Infinite where the network cannot be run so.
    """
    try:
        known = run_base(module, sites, lambda: run(1), keys=trim)
        rows = _make_trials(known, sites, trim)
        slow = [main_tensor(replay(module, sites, known, [row], lambda: run(1), exact=False)).float() for row in rows]
        fast = replay(module, sites, known, rows, lambda: run(len(rows)), last=last, columns=columns)
    except (RuntimeError, ValueError, IndexError, TypeError, AttributeError):
        return float("inf")
    return _compare(main_tensor(fast).float(), slow, columns)


def _compare(fast: Tensor, slow: Sequence[Tensor], columns: Sequence[int]) -> float:
    """The largest difference of some outputs, relative to the largest value."""
    import torch

    whole = torch.cat(list(slow))
    size = whole.abs().max().clamp(min=1e-12)
    whole = whole[..., list(columns)] if columns else whole
    if fast.shape != whole.shape:  # the copies are of a picture, and this stack reads its captions
        return float("inf")
    found = float((fast - whole).abs().max() / size)
    return found if found == found else float("inf")


def _make_trials(known: Base, sites: Sites, trim: bool) -> list[Row]:
    """Rows that begin at several blocks, by random changes of the state and, where tokens are left out, of heads."""
    import torch

    depth, length = len(sites.block), known.states[0].shape[1]
    firsts = (length // 2, length - 1, 0) if trim else (0, 0, 0)
    noise = torch.Generator().manual_seed(0)
    rows = []
    for layer, first in zip((depth // 2, depth - 1, depth), firsts, strict=True):
        state = known.states[layer]
        pushed = torch.randn(state.shape[1:], generator=noise).to(state) * state.std()
        pushed[:first] = 0
        rows.append(Row({("residual", layer): partial(torch.add, pushed)}, first=first))
    if trim and 0 in sites.layers:
        halved = torch.where(torch.arange(length) < length // 2, 1.0, 0.5)[:, None, None].to(known.states[0])
        rows.append(Row({("z", 0): partial(torch.mul, halved)}, first=length // 2))
    return sorted(rows, key=lambda row: row.start)


def _merge_edits(rows: Sequence[Row], starts: Sequence[int], known: Base, depth: int) -> dict[Place, Edit]:
    """The rows' edits as edits of a batch; at the block where it starts a row gets its base state first."""
    edits = _gather_edits(rows)
    for layer in sorted({start for start in starts if start <= depth}):
        new = [index for index, start in enumerate(starts) if start == layer]
        edits[("residual", layer)] = partial(_begin, known, layer, new, rows, edits.get(("residual", layer)))
    return edits


def _begin(known: Base, layer: int, new: list[int], rows: Sequence[Row], edit: Edit | None, tensor: Tensor) -> Tensor:
    tensor[new] = known.states[layer][[rows[index].sample for index in new]].to(tensor)
    return edit(tensor) if edit else tensor


def _gather_edits(rows: Sequence[Row]) -> dict[Place, Edit]:
    """Each place's edit of a batch (row, …)."""
    places: dict[Place, list[tuple[int, Edit]]] = {}
    for index, row in enumerate(rows):
        for place, edit in row.edits.items():
            places.setdefault(place, []).append((index, edit))
    return {place: partial(_edit_each, own) for place, own in places.items()}


def _edit_each(own: list[tuple[int, Edit]], tensor: Tensor) -> Tensor:
    for index, edit in own:
        tensor[index] = edit(tensor[index])
    return tensor


def _run_active_rows(
    forward: Callable[..., Any], args: tuple, kwargs: dict, active: int, total: int, shape: Any
) -> Any:
    """A block's output with its first `active` rows computed and the others passed on."""
    import torch

    if active == total:
        return forward(*args, **kwargs)
    given = args[0] if args else kwargs["hidden_states"]
    if active == 0:
        return _put_states(shape, given)
    output = forward(*_take_first(args, active, total), **_take_first(kwargs, active, total))
    return _put_states(output, torch.cat([main_tensor(output), given[active:]]))


def _take_first(value: Any, active: int, total: int) -> Any:
    """The first rows of every tensor that has one row for each input; a batch is never as long as a text."""
    if isinstance(value, (tuple, list)):
        return type(value)(_take_first(part, active, total) for part in value)
    if isinstance(value, dict):
        return {name: _take_first(part, active, total) for name, part in value.items()}
    of_batch = getattr(value, "ndim", 0) > 0 and value.shape[0] == total and hasattr(value, "untyped_storage")
    return value[:active] if of_batch else value


def _drop_states(output: Any) -> Any:
    """A block's output without its states, to be filled with others."""
    return (None, *output[1:]) if isinstance(output, tuple) else None


def _put_states(output: Any, states: Tensor) -> Any:
    return (states, *output[1:]) if isinstance(output, tuple) else states


def _replace_blocks(module: nn.Module, sites: Sites, call: Callable[..., Any]) -> Any:
    """Let `call(layer, forward, args, kwargs)` stand for every block's forward in this thread.

    A block whose weights are shared is several layers in turn.
    """
    layers: dict[str, list[int]] = {}
    for layer, path in enumerate(sites.block):
        layers.setdefault(path, []).append(layer)

    def turns(own: list[int]) -> Callable[..., Any]:
        layer = cycle(own)
        return lambda *given: call(next(layer), *given)

    return _replace_forwards(module, {path: turns(own) for path, own in layers.items()})


@contextmanager
def _replace_forwards(module: nn.Module, calls: Mapping[str, Callable[..., Any]]) -> Iterator[None]:
    """Let `calls[path](forward, args, kwargs)` stand for the forward of some submodules in this thread."""
    there = {path: module.get_submodule(path) for path in calls}
    token = _active.set({**_active.get(), **{id(there[path]): call for path, call in calls.items()}})
    with ExitStack() as stack:
        stack.callback(_active.reset, token)
        for part in there.values():
            stack.callback(_restore, part, _replace(part))
        yield


def _replace(part: nn.Module) -> Any:
    """Put a forward in place that asks who stands for it in this thread; returns the instance's own, if it had one."""
    plain, own, me = part.forward, vars(part).get("forward"), id(part)

    def forward(*args: Any, **kwargs: Any) -> Any:
        call = _active.get().get(me)
        return plain(*args, **kwargs) if call is None else call(plain, args, kwargs)

    part.forward = forward
    return own


def _restore(part: nn.Module, own: Any) -> None:
    if own is None:
        del part.forward
    else:
        part.forward = own
