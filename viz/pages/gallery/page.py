"""Gallery: the bundled models as cards, a box to open any other, and what was computed lately."""

from __future__ import annotations

from typing import Any

from dash import Dash, Input, Output, dcc, html

from backends import catalog
from backends.jobs.engine import Engine
from viz.components.links import text
from viz.pages.gallery import opener
from viz.pages.gallery.cards import model_card
from viz.pages.gallery.recent import recent_results

PATH = "/"
TITLE = "Gallery"
QUESTION = "Which network do you want to look into?"
ORDER = 0


def layout(**query: Any) -> html.Div:
    """The page as the link left it."""
    return html.Div(
        [
            html.Div(
                [
                    html.H1(QUESTION),
                    html.P(
                        "Pick a trained model, give it an input, and see what it attends to, what drives its answer, "
                        "and how the answer forms through its layers."
                    ),
                ],
                className="page-head",
            ),
            html.Div(
                [
                    *[model_card(card) for card in catalog.bundled()],
                    html.Section(
                        opener.opener(text(query, "model", most=300)),
                        className="panel gallery-opener",
                        **{"aria-label": "Open another model"},
                    ),
                ],
                className="gallery-cards",
            ),
            html.Section(
                [html.H2("Recent results"), html.Div(id="gallery-recent")],
                className="panel",
                **{"aria-label": "Recent results"},
            ),
            dcc.Interval(id="gallery-tick", interval=15_000),
        ],
        className="gallery",
    )


def register(app: Dash, engine: Engine) -> None:
    """Connect the opener and the list of recent results."""
    opener.register(app, engine)

    @app.callback(Output("gallery-recent", "children"), Input("gallery-tick", "n_intervals"))
    def recent(_ticks: int | None) -> Any:
        return recent_results(engine.store.recent(8))
