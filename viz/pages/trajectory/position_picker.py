"""The position that is looked at: where the model answers, unless another is chosen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from backends.models.card import Card
from viz.pages.trajectory import figures, summary

if TYPE_CHECKING:
    from backends.results import Result

AUTO = "auto"
"""The choice of the place where the model answers, wherever that is."""


def no_position(value: Any, result: Result, card: Card) -> str:
    """The sentence for a position that this input has not; empty where it has."""
    count = summary.positions(result)
    if value in (AUTO, None, "") or place_number(value, count) is not None:
        return ""
    last = f"positions go from 0 to {count - 1}" if count > 1 else "there is position 0 only"
    return f"There is no position {str(value)[:12]!r} here, {last}: {summary.answer_words(result, card)} is shown."


def place_number(value: Any, count: int) -> int | None:
    """A position from its control, None when it is none of `count`."""
    return int(value) if isinstance(value, str) and value.isdecimal() and int(value) < count else None


def place(value: Any, result: Result, card: Card) -> int:
    """The position that is looked at: the chosen one, else where the model answers."""
    found = place_number(value, summary.positions(result))
    return summary.answer_place(result, card) if found is None else found


def position_options(result: Result, card: Card) -> list[dict[str, str]]:
    """Every position by number and token; the first choice follows the place where the model answers."""
    tokens = figures.tokens(result)
    at = summary.answer_place(result, card)
    auto = {"label": f"{summary.answer_words(result, card)}: {at} {summary.quoted(tokens[at])}", "value": AUTO}
    return [auto, *[{"label": f"{i} {summary.quoted(token)}", "value": str(i)} for i, token in enumerate(tokens)]]
