"""Gallery: networks to play with on arrival, three doors, the bundled models, any other, and what was looked at."""

from __future__ import annotations

from typing import Any

from dash import ClientsideFunction, Dash, Input, Output, html

from backends import catalog
from backends.jobs.engine import Engine
from viz.components.links import text
from viz.pages.gallery import doors, drawing, film, opener, sentence
from viz.pages.gallery.cards import model_card

PATH = "/"
TITLE = "Gallery"
QUESTION = "What did the network look at?"
ORDER = 0


def layout(**query: Any) -> html.Div:
    """The page as the link left it."""
    return html.Div(
        [
            html.Div(
                [html.H1(QUESTION), html.P("Three small networks, ready to be tried. Change what they see.")],
                className="page-head",
            ),
            html.Div(exhibits(), className="exhibits"),
            doors.parts(),
            html.Section(
                opener.opener(text(query, "model", most=300)),
                className="panel gallery-opener",
                **{"aria-label": "Open another model"},
            ),
            html.H2("Models that ship with Vitrine", className="gallery-heading"),
            html.Div([model_card(card) for card in catalog.bundled()], className="gallery-cards"),
            html.Section(
                [html.H2("What you looked at lately"), html.Div(id="gallery-recent", tabIndex=-1)],
                className="panel",
                **{"aria-label": "What you looked at lately"},
            ),
        ],
        className="gallery",
    )


def exhibits() -> list[html.Section]:
    """What can be played with, of the models that this Vitrine ships."""
    shown, said = film.exhibit(), sentence.exhibit()
    there = [film.parts(shown)] if shown else []
    there += [sentence.parts(said)] if said else []
    return there + ([drawing.parts()] if drawing.prompt() else [])


def register(app: Dash, engine: Engine) -> None:
    """Connect what can be played with, the opener and the list of recent results."""
    film.register(app, engine)
    sentence.register(app, engine)
    drawing.register(app, engine)
    opener.register(app, engine)
    app.clientside_callback(
        ClientsideFunction("recent", "show"),  # what this browser keeps; no other sees it
        Output("gallery-recent", "data-shown"),
        Input("gallery-recent", "id"),
    )
