"""How many inputs go through a network at once: tried once per model, device and shape, halved when memory is short."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from backends.errors import Refused

if TYPE_CHECKING:
    from torch import Tensor

SIZES = (1, 4, 16, 64)
WOULD_FIT = (
    "use a shorter text, a smaller image or model, or open the model in a smaller dtype (its name with ?dtype=bfloat16)"
)
"""What helps where memory is short."""


def find_fastest_size(run: Callable[[int], object], sizes: tuple[int, ...] = SIZES, patience: float = 0.5) -> int:
    """The batch size with the least time per input; stops at the first that is worse, or slower than `patience` s."""
    best, best_time = 1, float("inf")
    for size in sizes:
        try:
            spent = _time_run(run, size, patience / 10)
        except Exception as error:
            if not is_out_of_memory(error) or size == 1:
                raise
            break
        if spent / size > best_time * 1.05:
            break
        if spent / size < best_time:
            best, best_time = size, spent / size
        if spent > patience:
            break
    return best


def _time_run(run: Callable[[int], object], size: int, short: float) -> float:
    """The time of one run; a `short` one is repeated and the best counts, since others use the machine too."""
    times: list[float] = []
    while not times or (len(times) < 4 and times[-1] < short) or (len(times) == 1 and size == 1):  # the first warms up
        start = time.perf_counter()
        run(size)
        times.append(time.perf_counter() - start)
    return min(times)


def run_halving(run: Callable[[Tensor], Tensor], rows: Tensor, size: int) -> tuple[list[Tensor], int]:
    """`run` over `rows` in batches of `size`, halved on out of memory: the outputs, and the size that fitted.

    Raises `Refused` where not even one fits.
    """
    done: list[Tensor] = []
    start = 0
    while start < len(rows):
        try:
            done.append(run(rows[start : start + size]))
            start += size
            continue
        except Exception as error:
            if not is_out_of_memory(error):
                raise
        release()  # here, where the error no longer holds the tensors of the failed run
        if size == 1:
            raise Refused(f"not even one input at a time fits in memory; {WOULD_FIT}")
        size //= 2
    return done, size


def is_out_of_memory(error: Exception) -> bool:
    """Whether `error` says that memory ran out, on whatever device."""
    import torch

    return isinstance(error, (torch.OutOfMemoryError, MemoryError)) or (
        isinstance(error, RuntimeError) and "not enough memory" in str(error)
    )


def release() -> None:
    """Give memory that nothing refers to back to the device."""
    import gc

    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
