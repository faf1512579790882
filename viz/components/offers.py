"""Which methods a page proposes first, and which of them its tabs draw: by what each says of itself."""

from __future__ import annotations

from collections.abc import Sequence

from backends import registry
from backends.models.card import Card
from viz.components.workbench import offered


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
