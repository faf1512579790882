"""A receipt: at most five lines beside a map, and one verdict of them all. Loads no torch."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from backends.errors import Refused

if TYPE_CHECKING:
    from backends.evidence.masked_forwards import MaskedForwards

HOLDS, FAILS, CANNOT = "holds", "fails", "cannot tell"
VERDICTS = HOLDS, FAILS, CANNOT
SAMPLES = {"image": 96, "text": 96}
"""Masked forwards by default; a text adds one for each word."""
HARDEST = 8
OWN: Any = "as the map says"
"""The target of a receipt that is not told one: that of the map's own request."""


@dataclass(frozen=True)
class Line:
    """One test: its number, the range of that number under the control, a verdict and a sentence.

    `value` is None where there was nothing to measure. `about` holds what the sentence is made of, as JSON values.
    """

    name: str
    value: float | None
    control: tuple[float, float] | None
    verdict: str
    sentence: str
    about: Mapping[str, Any] = field(default_factory=dict)

    def plain(self) -> dict[str, Any]:
        """The line as JSON values."""
        return {**dataclasses.asdict(self), "control": None if self.control is None else list(self.control)}


@dataclass(frozen=True)
class Receipt:
    """What the tests of one map found. `rule` says in words which line decided the verdict, and why.

    `facts` are the replacement, samples, seed, forwards and seconds it took, and what was tested.
    """

    lines: tuple[Line, ...]
    verdict: str
    rule: str
    facts: Mapping[str, Any] = field(default_factory=dict)

    def plain(self) -> dict[str, Any]:
        """The receipt as JSON values."""
        return {
            "lines": [line.plain() for line in self.lines], "verdict": self.verdict, "rule": self.rule,
            "facts": dict(self.facts),
        }  # fmt: skip

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> Receipt:
        """The receipt that `plain` was made from. Raises `Refused` when it is none."""
        try:
            lines = [
                Line(**{**line, "control": None if line["control"] is None else tuple(line["control"])})
                for line in plain["lines"]
            ]
            return cls(tuple(lines), plain["verdict"], plain["rule"], plain["facts"])
        except (KeyError, TypeError) as error:
            raise Refused(f"this is no receipt: {error} is missing or wrong") from None


def format_number(value: float) -> str:
    """A number for a sentence: two decimals, or two figures where that would be 0.00."""
    return f"{value:.2f}" if abs(value) >= 0.1 or abs(value) < 1e-4 else f"{value:.2g}"


def name_target(masked: MaskedForwards, score: bool = True) -> str:
    """The target as a sentence calls it."""
    words = masked.input.target.words
    return f"the score of '{words}'" if score else f"'{words}'"
