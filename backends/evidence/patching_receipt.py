"""Does an intervention's grid stay when the input is corrupted otherwise? The same sweep with other corruptions.

What only shows how two inputs happen to differ is another grid with another corruption; what shows how the network
works is the same. The control are copies of the grid whose cells, or whole columns (tokens, patches or heads), change
places, as far as they are unlike the grid itself; they cost nothing.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from backends.errors import Refused
from backends.evidence.controls import control_range, p_value
from backends.evidence.verdict import CANNOT, FAILS, HOLDS, OWN, Line, Receipt, format_number
from backends.models import input_pair
from backends.models.base import Model
from backends.results import Result

if TYPE_CHECKING:
    from backends.methods.base import Step

OTHERS = 2
"""Other corruptions that the sweep is repeated with."""
TRIES = 8
"""Corruptions drawn until enough of them move the number."""
MOVES = 0.1
"""How far another corruption must move the number, as a share of what the first one does: else it restores noise."""
COPIES = 511
ALIKE, UNLIKE = 0.7, 0.3
"""Correlation from which two grids show the same, and below which they do not."""
SAME = 0.9
"""Copies that correlate more than this with the grid are no others."""
STRICT, LOOSE = 0.02, 0.2
TOP = 5
"""Cells that count as a grid's strongest."""


def make(model: Model, result: Result, raw: Any, target: Any = OWN, seed: int = 0, step: Step | None = None) -> Receipt:
    """The receipt of a grid `effect` (layer, …) of a clean and a corrupted input; costs `OTHERS` sweeps.

    `raw` is the pair that the result is of. Raises `Refused`.
    """
    start, step = time.perf_counter(), step or (lambda fraction: None)
    if not input_pair.is_pair(raw):
        raise Refused(
            f"{result.method} is tested with another corruption; give the clean and the corrupted input as `raw`"
        )
    wanted = result.request.get("target") if target is OWN else target
    own, failed = result.arrays["effect"], ""
    grids: list[np.ndarray] = []
    for other in draw_corruptions(model, raw, seed):
        done = len(grids)
        try:
            again = _repeat(model, result, other, wanted, _narrow_step(step, done))
        except Refused as refused:  # a corruption that does not move the number restores nothing
            failed = str(refused)
            continue
        if _measure_move(again) >= MOVES * _measure_move(result):
            grids.append(again.arrays["effect"])
        if len(grids) == OTHERS:
            break
    if not grids:
        raise Refused(f"no other corruption of this input moves the answer as much: {failed or 'they move it less'}")
    lines = make_lines(own, grids, seed)
    verdict, rule = decide(lines)
    facts = {
        "method": result.method, "target": result.target, "replacement": "another corruption", "samples": len(grids),
        "effort": 1, "seed": seed, "forwards": len(grids) * int(result.facts.get("forwards", 0)),
        "seconds": time.perf_counter() - start,
    }  # fmt: skip
    step(1.0)
    return Receipt(tuple(lines), verdict, rule, facts)


def draw_corruptions(model: Model, raw: Any, seed: int) -> Iterator[dict[str, Any]]:
    """Pairs of the same clean input with other corruptions at the same places."""
    batch = input_pair.encode(model, raw)
    corrupted = batch.corrupted
    assert corrupted is not None
    places: tuple[int, ...]
    ways: tuple[str, ...]
    if batch.image is not None:
        places, ways = find_changed_patches(batch), ("noise", "blur")
    else:
        differs = (batch.inputs["input_ids"] != corrupted.inputs["input_ids"])[0]
        places, ways = tuple(differs.nonzero()[:, 0].tolist()), ("kin", "kin", "resample")
    seen = [corrupted.raw]
    for k in range(TRIES):
        made = input_pair.corrupt(model, raw["clean"], ways[k % len(ways)], places, seed=seed + 1 + k)
        if batch.image is not None or made not in seen:
            seen.append(made)
            yield {"clean": raw["clean"], "corrupted": made}


def find_changed_patches(batch: Any) -> tuple[int, ...]:
    """The patch tokens where the two pictures differ; none (all of the picture) where there are no patches."""
    differs = (batch.image != batch.corrupted.image).any(-1)
    if batch.grid is None:
        return ()
    rows, columns = batch.grid
    cells = [np.arange(n) * g // n for n, g in zip(differs.shape, batch.grid, strict=True)]
    number = cells[0][:, None] * columns + cells[1][None]
    found = np.bincount(number.ravel(), differs.ravel(), rows * columns) > 0
    return () if found.all() else tuple(batch.first_patch + int(i) for i in np.flatnonzero(found))


def _narrow_step(step: Step, done: int) -> Step:
    """The progress of one of `OTHERS` sweeps, `done` of which are over."""
    return lambda fraction: step((done + fraction) / OTHERS)


def _measure_move(result: Result) -> float:
    """How far the corruption moves the number that is watched."""
    return abs(float(result.facts["clean"]) - float(result.facts["corrupted"]))


def _repeat(model: Model, result: Result, pair: dict[str, Any], target: Any, step: Step) -> Result:
    from backends import running

    options = result.request.get("options", {})
    return running.run(model, result.method, pair, target=target, step=step, **options)


def make_lines(own: np.ndarray, grids: list[np.ndarray], seed: int = 0) -> list[Line]:
    """How like the grid `own` (layer, column, …) is to `grids`, and whether the strongest cells are the same."""
    live = np.isfinite(own) & np.stack([np.isfinite(g) for g in grids]).all(0)
    moved = (np.stack([own, *grids]) != 0).any(0) & live
    columns = np.flatnonzero(moved.reshape(len(own), own.shape[1], -1).any((0, 2)))
    if len(columns) < 3:
        said = "Too few columns of the grid move anything to tell one place from another."
        return [Line("another corruption", None, None, CANNOT, said, {})]
    mine = np.where(live, own, 0.0)[:, columns]
    rest = np.stack([np.where(live, g, 0.0)[:, columns] for g in grids])
    found = _correlate(rest, mine)
    copies = [copy for copy in _draw_copies(mine, seed) if _correlate(copy[None], mine) < SAME]
    control = np.array([_correlate(rest, copy) for copy in copies])
    p = p_value(found, control)
    verdict = HOLDS if found >= ALIKE and p <= STRICT else FAILS if found < UNLIKE or p > LOOSE else CANNOT
    said = (
        f"With {len(grids)} other corruption{'s' if len(grids) > 1 else ''} of the same places the grid is "
        f"{format_number(found)} like this one (1 is the same), more than {round((1 - p) * (len(control) + 1))} of "
        f"{len(control)} copies whose cells or columns changed places."
    )
    bounds = control_range(control)
    first = Line("another corruption", found, bounds, verdict, said, {"p": p, "columns": len(columns)})
    return [first, _compare_strongest(mine, rest)]


def _compare_strongest(mine: np.ndarray, rest: np.ndarray) -> Line:
    count = min(TOP, mine.size // 4) or 1
    top = set(np.argsort(-np.abs(mine).ravel(), kind="stable")[:count].tolist())
    shared = [len(top & set(np.argsort(-np.abs(g).ravel(), kind="stable")[:count].tolist())) / count for g in rest]
    found, chance = float(np.mean(shared)), count / mine.size
    verdict = HOLDS if found >= 0.6 else FAILS if found <= max(0.2, 2 * chance) else CANNOT
    said = (
        f"Of the {count} strongest cells, {found:.0%} are among the strongest again; by chance {chance:.0%} would be."
    )
    return Line("strongest cells", found, (0.0, max(0.2, 2 * chance)), verdict, said, {"cells": count})


def _draw_copies(grid: np.ndarray, seed: int) -> Iterator[np.ndarray]:
    """Copies of a grid (layer, column, …) with its columns, or its cells, in another order."""
    chance = np.random.default_rng([seed, 21])
    flat = grid.reshape(grid.shape[0] * grid.shape[1], -1)
    for k in range(COPIES):
        if k % 2:
            yield flat[chance.permutation(len(flat))].reshape(grid.shape)
        else:
            yield grid[:, chance.permutation(grid.shape[1])]


def _correlate(grids: np.ndarray, own: np.ndarray) -> float:
    """The mean correlation of `grids` (grid, layer, column, …) with `own`."""
    one = own.ravel() - own.mean()
    many = grids.reshape(len(grids), -1)
    many = many - many.mean(1, keepdims=True)
    norm = np.linalg.norm(many, axis=1) * np.linalg.norm(one)
    return float(np.divide(many @ one, norm, out=np.zeros(len(many)), where=norm > 1e-12).mean())


def decide(lines: list[Line]) -> tuple[str, str]:
    """“another corruption” decides."""
    first = lines[0].verdict
    if first == HOLDS:
        return HOLDS, "Holds because of “another corruption”: the same places matter however the input is corrupted."
    if first == FAILS:
        return (
            FAILS,
            "Fails because of “another corruption”: this grid shows one corruption, not how the network works.",
        )
    if lines[0].value is None:
        return CANNOT, f"Cannot tell (“another corruption”): {lines[0].sentence[:1].lower()}{lines[0].sentence[1:]}"
    return CANNOT, (
        f"Cannot tell: “another corruption” lies between; from {ALIKE:g} on a grid holds, below {UNLIKE:g} it fails."
    )
