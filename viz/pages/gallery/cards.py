"""The bundled models as cards: what each is, how well it does, and a link to every page that shows something of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from dash import dcc, html

from backends import catalog
from viz import theme
from viz.components.links import link
from viz.pages import pages_for

TASKS = {
    "causal-lm": "language model",
    "text-classification": "text classifier",
    "fill-mask": "masked encoder",
    "image-classification": "image classifier",
    "text-to-text": "encoder–decoder",
    "sentence-similarity": "sentence encoder",
    "image-text": "image–text network",
    "image-encoding": "image encoder",
    "text-to-image": "text-to-image pipeline",
}
"""What the task of a card is called."""


def model_card(card: Mapping[str, Any]) -> html.Article:
    """The card of one bundled model."""
    return html.Article(
        [
            _picture(card),
            html.H2(card["title"]),
            html.Div(f"{TASKS.get(card['task'], card['task'])} · {card['name']}", className="gallery-kind"),
            html.P(card["summary"]),
            html.Div(
                [
                    *links_to_pages({**card, "offers": catalog.expected_offers(card)}),
                    dcc.Link("Model", href=link("/model", model=card["name"]), className="door"),
                ],
                className="doors",
            ),
            html.Details(
                [
                    html.Summary("Data, limits and figures"),
                    *[html.P(told) for told in (card["data"], *card["limits"])],
                    html.Ul([html.Li(f"{f['name']}: {_figure(f)}", title=f["what"]) for f in card["figures"]]),
                ]
            ),
        ],
        className="panel gallery-card",
    )


def _figure(figure: Mapping[str, Any]) -> str:
    return f"{figure['value']:.3f} (n = {figure['n']})"


def links_to_pages(card: Mapping[str, Any]) -> list[Any]:
    """A link to each page that has something to show of the model."""
    return [
        dcc.Link(page.TITLE, href=link(page.PATH, model=card["name"]), className="door") for page in pages_for(card)
    ]


@cache
def covers() -> Mapping[str, Mapping[str, Any]]:
    """What `docs/covers.py` made of each shipped model, by its name."""
    there = Path(__file__).with_name("covers.json")
    return dict(json.loads(there.read_text(encoding="utf-8")))


def _picture(card: Mapping[str, Any]) -> html.Figure:
    """A map of the card's example: over the image, of a drawing's words, or as the colours of a text."""
    cover = covers().get(card["name"])
    if cover is None:
        return html.Figure(html.P(card["title"], className="gallery-text"), className="gallery-picture")
    if "picture" in cover:
        shown: Any = html.Img(src=f"/assets/{cover['picture']}", alt=cover["says"])
    else:
        pieces = [
            html.Span(text, style={"backgroundColor": colour, "color": theme.ink(colour)}) if colour else text
            for text, colour in cover["pieces"]
        ]
        shown = html.P([*pieces, " ", html.B(cover["answer"])], className="gallery-text", title=cover["says"])
    return html.Figure([shown, html.Figcaption(cover["says"].partition(":")[0])], className="gallery-picture")
