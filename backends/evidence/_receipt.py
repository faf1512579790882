"""The receipt: at most five lines beside a map, and the rule that makes one verdict of them. Loads no torch."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from backends.errors import Refused

if TYPE_CHECKING:
    from backends.evidence._bank import Bank
    from backends.methods._base import Step
    from backends.models._base import Model
    from backends.results import Result

HOLDS, FAILS, CANNOT = "holds", "fails", "cannot tell"
VERDICTS = HOLDS, FAILS, CANNOT
SAMPLES = {"picture": 96, "text": 96}
"""Masked forwards in the bank by default; text adds one for each word."""
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


def number(value: float) -> str:
    """A number for a sentence: two decimals, or two figures where that would be 0.00."""
    return f"{value:.2f}" if abs(value) >= 0.1 or abs(value) < 1e-4 else f"{value:.2g}"


def named(bank: Bank, score: bool = True) -> str:
    """The target as a sentence calls it."""
    words = bank.hiding.target.words
    return f"the score of '{words}'" if score else f"'{words}'"


def receipt(
    model: Model,
    result: Result,
    raw: Any = None,
    *,
    target: Any = OWN,
    replacement: str = "",
    effort: int = 1,
    seed: int = 0,
    word: str | int | None = None,
    step: Step | None = None,
) -> Receipt:
    """Test the map of `result` on `model`: does what it shows matter to the answer more than what it does not?

    Of a drawing (`daam`) the map of `word` is tested, by drawing without it: see `word_removal`. Of an intervention
    (`effect` by layer and place), whether it stays with another corruption: see `other_corruption`.

    `raw` is the input, where the result does not hold it whole (a picture that was resized, a text of exact tokens);
    `target` what was explained, if not what the result's request says. `replacement` names what stands in for hidden
    parts ("": the first of `replacements`), `effort` multiplies the samples ("test harder"), `seed` draws them. A map
    from elsewhere is tested by putting it into a result with `dataclasses.replace`. Raises `Refused`.
    """
    from backends.evidence import _making, other_corruption, word_removal

    if "heat" in result.arrays and "word" in result.labels:
        return word_removal.make(model, result, raw, word, step)
    if "effect" in result.arrays:
        return other_corruption.make(model, result, raw, target, seed, step)
    return _making.make(model, result, raw, target, replacement, effort, seed, step)
