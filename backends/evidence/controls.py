"""Copies of a map that know nothing of the input: as bright, as smooth and as clustered as the map itself.

An i.i.d. permutation is too weak a control: a smooth map beats it 20 to 40 % of the time by smoothness alone.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

STEPS = 8
"""Shifts along each side of an image."""
MOST = 511
"""Copies of a text's map at most."""


def copy_map(values: np.ndarray, shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    """Copies (copy, cell) of a map (cell,) laid out as `shape`; what equals the map is not among them.

    An image's map is rotated, flipped and shifted around its edges (511 copies of a square one). A text's map is
    shifted, reversed, and cut into stretches of one to three words that change places.
    """
    made = values[list_copy_orders(shape, seed)]
    return made[(np.abs(made - values) > 1e-9 * max(np.abs(values).max(initial=0.0), 1e-300)).any(1)]


@lru_cache(maxsize=8)
def list_copy_orders(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    """Where each cell of each copy takes its value from, (copy, cell)."""
    made = _order_image(*shape) if len(shape) == 2 else _order_text(shape[0], seed)
    made.setflags(write=False)
    return made


def _order_image(rows: int, columns: int) -> np.ndarray:
    grid = np.arange(rows * columns).reshape(rows, columns)
    turns = [np.rot90(grid, k) for k in range(4)] if rows == columns else [grid, grid[::-1, ::-1]]
    turns += [turn[:, ::-1] for turn in turns]
    shifts = [(r, c) for r in _list_shifts(rows) for c in _list_shifts(columns)]
    made = np.stack([np.roll(turn, shift, (0, 1)) for turn in turns for shift in shifts])
    return made.reshape(len(made), -1)[1:]  # the first is the map itself


def _list_shifts(length: int) -> list[int]:
    return sorted({round(i * length / STEPS) for i in range(STEPS)} - {length})


def _order_text(count: int, seed: int) -> np.ndarray:
    line, chance = np.arange(count), np.random.default_rng(seed)
    shifts = [(way, i) for way in (1, -1) for i in range(count)]
    if len(shifts) > MOST:  # of a long text some, so that their number does not grow with its square
        shifts = [shifts[i] for i in chance.permutation(len(shifts))[: MOST + 1]]
    made = {np.roll(line[::way], i).tobytes() for way, i in shifts}
    for i in range(4 * MOST):
        if len(made) > MOST:
            break
        edges = np.cumsum(chance.integers(1, 4, count)) if i % 2 else line[1:]  # stretches, or single words
        parts = np.split(line, edges[edges < count])
        chance.shuffle(parts)
        made.add(np.concatenate(parts).tobytes())
    made.discard(line.tobytes())
    kept = np.array([np.frombuffer(row, line.dtype) for row in sorted(made)], int).reshape(-1, count)
    return kept[np.sort(chance.permutation(len(kept))[:MOST])]


def control_range(control: np.ndarray, low: float = 0.05, high: float = 0.95) -> tuple[float, float] | None:
    """The 5 and 95 % of what copies of a map reach; None where there are none, of a flat map."""
    return (float(np.quantile(control, low)), float(np.quantile(control, high))) if len(control) else None


def p_value(value: float, control: np.ndarray) -> float:
    """The share of a map and its copies that do at least as well as the map: its one-sided p value."""
    return float((1 + (control >= value - 1e-12).sum()) / (1 + len(control)))


def smooth_field(shape: tuple[int, ...], width: float, chance: np.random.Generator) -> np.ndarray:
    """A smooth random field (cell,), blurred by `width` of the longer side, around the edges."""
    from scipy.ndimage import gaussian_filter

    return gaussian_filter(chance.standard_normal(shape), width * max(shape), mode="wrap").ravel()
