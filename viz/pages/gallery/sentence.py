"""A sentence that a language model ends: swap a name in it, and it ends with another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dash import Dash, html

from backends import catalog
from backends.jobs.engine import Engine
from viz.figures.words import visible
from viz.pages.gallery.exhibit import Change, Exhibit

MODEL = "bundled/names"
OTHER = "Alice"
"""A name of the model's vocabulary that may take another's place."""


def exhibit() -> Exhibit | None:
    """The sentence as it can be played with; None where this Vitrine does not ship the model or the sentence."""
    examples = catalog.card(MODEL).get("examples", [])
    number = next((i for i, e in enumerate(examples) if {"io", "s2"} <= set(e["truth"].get("roles", ()))), None)
    if number is None:
        return None
    text, roles = examples[number]["input"], examples[number]["truth"]["roles"]
    first, giver = (text[slice(*roles[role])] for role in ("io", "s2"))
    return Exhibit(
        name="sentence",
        model=MODEL,
        example=number,
        changes=(
            _swap("s2", roles["s2"], giver, first, f"With {first} as the giver", "who gives"),
            _swap("io", roles["io"], first, OTHER, f"With {OTHER} beside {giver}", "who else was there"),
        ),
        replacement="mean",
        waiting="Asking the network …",
        invitation="Click a marked name to swap it.",
    )


def _swap(name: str, span: Sequence[int], old: str, new: str, done: str, read: str) -> Change:
    return Change(
        name=name,
        verb=f"Swap “{old}” for “{new}”",
        edit=(span[0], span[1], new),
        done=done,
        read=read,
        unread=f"it does not heed {read}",
    )


def parts(shown: Exhibit) -> html.Section:
    """The sentence with its names as buttons, the answer's bars, and what was seen."""
    return html.Section(
        [
            html.H2("A network ends a sentence"),
            html.P(words(shown), className="sentence-text"),
            shown.bars(),
            shown.said(),
            html.P([shown.further(), " of this network on this sentence."], className="hint exhibit-more"),
            *shown.stores(),
        ],
        className="panel exhibit exhibit-sentence",
        **{"aria-label": "A language model"},
    )


def words(shown: Exhibit) -> list[Any]:
    """The sentence: each name that can be swapped is a button that holds both, and the end is the answer's place."""
    text, at, made = shown.card["examples"][shown.example]["input"], 0, []
    for change in sorted(shown.changes, key=lambda c: int(c.edit[0])):
        start, end, new = change.edit
        names = [html.S(text[start:end]), html.Ins(new, className="sentence-new")]
        made += [
            text[at:start],
            html.Button(
                names, id=shown.id(change.name), type="button", className="sentence-name", title=change.verb,
                **{"aria-pressed": "false", "aria-label": change.verb},
            ),
            html.Span(id=shown.id(f"{change.name}-spot"), hidden=True),
        ]  # fmt: skip
        at = end
    return [*made, f"{text[at:]} ", html.Span(draw(shown.last(shown.known(), [])), id=shown.id("input"))]


def draw(last: str) -> html.Mark:
    """The word with which the network ends the sentence."""
    return html.Mark(visible(last.strip(), 24) if last else "…", className="sentence-end")


def register(app: Dash, engine: Engine) -> None:
    """Connect the sentence to its network."""
    shown = exhibit()
    if shown is not None:
        shown.register(app, engine, lambda made, last: draw(last))
