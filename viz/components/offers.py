"""Which methods a model can have, which a page proposes first and which its tabs draw: by what each says of itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from backends import registry
from backends.models.card import Card


def offered(card: Card, question: str) -> dict[str, Any]:
    """The methods that answer `question` on the model of `card`, by name."""
    there = set(card["offers"])
    return {n: m for n, m in registry.entries("methods").items() if m.question == question and m.needs <= there}


UNGIVEN = {
    "unembedding": "no matrix was found that reads its answer from its layers' states, as a language model has one"
}
"""Why a model may lack what nothing was withdrawn of."""


def withheld(card: Card, question: str) -> dict[str, str]:
    """The methods of `question` that this model cannot have, by name, and why."""
    there, why = set(card["offers"]), card.get("withdrawn", {})
    found = {}
    for name, entry in registry.entries("methods").items():
        missing = sorted(entry.needs - there)
        if entry.question == question and missing:
            told = "; ".join(why.get(m) or UNGIVEN[m] for m in missing if m in why or m in UNGIVEN)
            found[name] = told or f"needs {', '.join(missing).replace('_', ' ')}, which this model does not give"
    return found


def by_order(names: Sequence[str], images: bool = False) -> list[str]:
    """The methods, those that are proposed first in front; on `images` in their order there."""

    def place(name: str) -> tuple[int, str]:
        entry = registry.method(name)
        return entry.order if not images or entry.order_on_images is None else entry.order_on_images, name

    return sorted(names, key=place)


def every(question: str, view: str) -> list[str]:
    """All methods that are seen as `view` on the page of `question`, whatever the model, in their order."""
    found = registry.entries("methods").items()
    return by_order([name for name, entry in found if (entry.question, entry.view) == (question, view)])


def seen_as(card: Card, question: str, view: str) -> list[str]:
    """The methods of `question` that this model can have and that are seen as `view`, in their order."""
    there = offered(card, question)
    return [name for name in every(question, view) if name in there]


def first(card: Card, question: str, view: str) -> str:
    """The method that a place for one method of this view shows; "" where the model can have none."""
    return next(iter(seen_as(card, question, view)), "")


def needing(question: str, view: str) -> str:
    """The method of this view that is proposed first, on whatever model: what a sentence on its absence is about."""
    return next(iter(every(question, view)), "")


def unplaced(card: Card, question: str, one: Sequence[str], several: Sequence[str] = ()) -> list[str]:
    """The methods of `question` that this model can have and that no tab of its page draws, in their order.

    `one` are the views of which the page draws one method, `several` those of which it draws each.
    """
    placed = {first(card, question, view) for view in one}
    placed |= {name for view in several for name in seen_as(card, question, view)}
    return by_order([name for name in offered(card, question) if name not in placed])
