"""What the attribution page says where none of its methods fits the model."""

from __future__ import annotations

from typing import Any

from dash import dcc, html

from backends.models.card import Card
from viz.components.links import link
from viz.components.offers import offered
from viz.pages import pages_for

QUESTION = "attribution"


def nothing(card: Card) -> Any:
    """Why no method of this page fits the model, and where there is something to see; empty where one fits."""
    if offered(card, QUESTION):
        return ""
    why = (
        "This model only encodes what it is given: it names no answer, so nothing drives one."
        if "answer" not in card["offers"]
        else "No method of this page fits this model."
    )
    links = [
        dcc.Link(page.QUESTION, href=link(page.PATH, model=card["name"]), className="me-3")
        for page in pages_for(card)
        if f"/{QUESTION}" != page.PATH
    ]
    return html.Div([html.P(why, className="mb-1"), *links], className="panel")
