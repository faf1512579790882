"""What drove this answer?"""

from __future__ import annotations

from typing import Any

from dash import Dash, Input, Output, State, html

from backends.engine import Engine
from viz.components import workbench
from viz.components.shell import LINK

PATH, TITLE, ORDER = "/attribution", "Attribution", 2
QUESTION = "What drove this answer?"
bench = workbench.Workbench("attribution")


def layout(**query: Any) -> html.Div:
    return html.Div(
        [html.Aside(bench.layout(query), className="page-side"), html.Div([html.Header([html.H1(QUESTION)], className="page-head"), html.Pre(id="attribution-x")], className="page-main")],
        className="page",
    )


def register(app: Dash, engine: Engine) -> None:
    bench.register(app, engine)

    @app.callback(Output("attribution-x", "children"), Output(LINK, "data"), Input(bench.card, "data"), Input(bench.input, "data"), Input(bench.aim, "data"), State(bench.prediction, "data"), prevent_initial_call=True)
    def show(card, given, aim, prediction):
        from dash import no_update
        if not card or not given:
            return no_update, no_update
        return repr([given, aim, prediction]), {"path": PATH, "params": workbench.link_params(card, given, aim)}
