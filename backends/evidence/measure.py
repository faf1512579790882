"""What a measure of a map is: one file in `measures`, whose ENTRY says what it means and computes it. Loads no torch.

A measure is seen where it has a function: `number` puts it among the numbers of a map, `region` among those of a map
against a region, and `line` makes it a line of a receipt (`attribution_receipt.LINES` says which lines a receipt has).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from backends import registry
from backends.evidence.controls import control_range, p_value

if TYPE_CHECKING:
    from backends.evidence.map_under_test import MapUnderTest
    from backends.evidence.verdict import Line

HIGHER, LOWER = "higher", "lower"
INPUTS = "image", "text"


@dataclass(frozen=True)
class Reading:
    """The `value` of a measure, the range that its `control` reaches, and its `p` against it; None without one.

    `sentence` says what the value says, where that is more than the `meaning` of the measure.
    """

    value: float
    control: tuple[float, float] | None = None
    p: float | None = None
    sentence: str = ""

    @classmethod
    def against(cls, value: float, control: np.ndarray, better: str = HIGHER) -> Reading:
        """The reading of `value` beside 5 and 95 % of what its control reaches, `control` (copy,)."""
        sign = 1 if better == HIGHER else -1
        return cls(float(value), control_range(control), p_value(sign * float(value), sign * control))


@dataclass(frozen=True, kw_only=True)
class Measure:
    """One measure of a map.

    `title` names it on the page and in documents, `source` is the paper with its equation or section, `unit` is that of
    the value, `better` says which way is better, and `meaning` says in half a sentence what the value is, and what its
    control is. `inputs` are those that it fits, `order` is its place among the numbers. `region` gets maps (map, cell)
    and a region (cell,) bool, and returns the value of each map, (map,).
    """

    title: str
    source: str
    unit: str
    better: str
    meaning: str
    inputs: tuple[str, ...] = INPUTS
    order: int = 50
    number: Callable[[MapUnderTest], Reading] | None = None
    region: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None
    line: Callable[[MapUnderTest], Line | None] | None = None

    def __post_init__(self) -> None:
        if self.better not in (HIGHER, LOWER):
            raise ValueError(f"better must be {HIGHER!r} or {LOWER!r}, not {self.better!r}")
        if not set(self.inputs) <= set(INPUTS):
            raise ValueError(f"inputs must be among {', '.join(INPUTS)}, not {', '.join(self.inputs)}")
        if not (self.number or self.region or self.line):
            raise ValueError(f"the measure {self.title!r} computes nothing: give it number, region or line")


def list_measures(kind: str) -> Mapping[str, Any]:
    """The measures that have the function `kind` (`number`, `region` or `line`) by file name, in their `order`."""
    found = registry.entries("evidence.measures")
    there = [name for name in found if getattr(found[name], kind) is not None]
    return {name: found[name] for name in sorted(there, key=lambda name: (found[name].order, name))}


def get_line(name: str) -> Callable[[MapUnderTest], Line | None]:
    """The function of a receipt's line that is in the file `name`. Raises `Refused` where there is none."""
    return registry.entry("evidence.measures", "measure", name).line
