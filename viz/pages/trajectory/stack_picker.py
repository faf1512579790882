"""Which stack of layers is looked at, in a network that has several: encoder or decoder, picture or text."""

from __future__ import annotations

from typing import Any

import dash_bootstrap_components as dbc
from dash import html

from backends.models.card import Card

ACROSS = "cross"
"""The decoder's attention to its encoder: it has patterns, and no states of its own."""
ABOUT = {
    "encoder": "Its positions are the tokens of the text that is read.",
    "decoder": "Its positions are the tokens of the answer so far; the first stands for its beginning.",
    "image": "Its positions are the patches of the picture.",
    "text": "Its positions are the tokens of the first caption.",
}


def picker(page: str, part: str) -> html.Div:
    """The choice of a stack; `<page>-part` holds its name."""
    return html.Div(
        [
            html.Label("Stack of layers", htmlFor=f"{page}-part", className="form-label mb-0"),
            dbc.Select(id=f"{page}-part", value=part, options=[]),
            html.Span(id=f"{page}-part-words", className="form-text"),
        ],
        id=f"{page}-part-area",
        className="d-none",
    )


def stacks(card: Card) -> list[str]:
    """The stacks of the model whose states can be followed; empty where it is one stack."""
    parts = card.get("parts") or {}
    return [name for name, part in parts.items() if name != ACROSS and "residual" not in part.get("withdrawn", {})]


def usual(card: Card) -> str:
    """The stack that is shown first: the one the answer is read from, else the main one; "" where it is one."""
    there = stacks(card)
    return card["answers"] if card.get("answers") in there else next(iter(there), "")


def chosen(card: Card, part: Any) -> str:
    """The stack to show: the one asked for where the model has it."""
    return part if part in stacks(card) else usual(card)


def answers(card: Card, part: Any) -> bool:
    """Whether the answer is read from this stack."""
    return not stacks(card) or chosen(card, part) == usual(card)


def options(card: Card) -> list[dict[str, str]]:
    """The choice, each stack with its number of layers."""
    return [{"label": f"{name} ({card['parts'][name]['layers']} layers)", "value": name} for name in stacks(card)]


def unknown(card: Card, part: Any) -> str:
    """The sentence for a link that asks for a stack that there is not; empty where there is."""
    there = stacks(card)
    if not part or part in there:
        return ""
    asked = f"The link asks for the part {str(part)[:40]!r} of {card['name']}"
    return f"{asked}; it has {', '.join(there)}: {usual(card)} is shown." if there else f"{asked}, which is one stack."
