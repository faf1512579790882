"""Which attribution methods are shown: those asked for that the model can have, else two that suit it."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

from dash import html

from backends import registry
from backends.models.card import Card
from viz.components.offers import by_order, offered

QUESTION = "attribution"
MOST = 4
"""Methods that stand side by side."""
UNASKED = 2
"""Methods that are shown when nobody chose."""


def chosen_for(card: Card, wanted: Any) -> list[str]:
    """The methods to show on the model: those wanted that it can have, else two that suit it."""
    there = offered(card, QUESTION)
    kept = [m for m in wanted or [] if m in there][:MOST]
    if kept:
        return kept
    return by_order(list(there), images="tokens" not in card["offers"])[:UNASKED]


def other_methods(card: Card, wanted: Any) -> str:
    """The sentence for methods that were asked for and are not shown, and what is shown instead."""
    shown, every = chosen_for(card, wanted), registry.entries("methods")
    missing = [m for m in wanted or [] if m not in shown]
    if not missing:
        return ""
    there = offered(card, QUESTION)
    told = [f"“{str(m)[:40]}” (there is no such method)" for m in missing if m not in every]
    for method in [m for m in missing if m in every]:
        why = f"at most {MOST} stand side by side" if method in there else "not available for this model"
        told.append(f"{every[method].title} ({why})")
    return f"Asked for and not shown: {', '.join(told)}. Shown: {', '.join(every[m].title for m in shown)}."


def choices(card: Card, chosen: Sequence[str], failed: Mapping[str, str]) -> list[dict[str, Any]]:
    """The check boxes: one a method that the model can have; more than `MOST`, and failed ones, cannot be added."""
    full = len(chosen) >= MOST
    return [
        {
            "label": html.Span(entry.title, title=question(name)),
            "value": name,
            "disabled": name not in chosen and (full or name in failed),
        }
        for name, entry in offered(card, QUESTION).items()
    ]


def question(method: str) -> str:
    """A method's help in one sentence: the first paragraph of its docstring."""
    return " ".join((inspect.getdoc(registry.method(method)) or "").split("\n\n")[0].split())


def help_for(method: str) -> list[Any]:
    """A method's help text with its source."""
    entry = registry.method(method)
    paragraphs = [" ".join(p.split()) for p in (inspect.getdoc(entry) or "").split("\n\n")]
    return [*[html.P(p) for p in paragraphs], html.P(["Source: ", html.Cite(entry.source)], className="hint")]
