"""Figures: what was measured on each bundled model, as one table."""

from __future__ import annotations

from typing import Any

import dash_bootstrap_components as dbc
from dash import Dash, html

from backends import catalog
from backends.jobs.engine import Engine

PATH = "/figures"
TITLE = "Figures"
QUESTION = "How good are the bundled models?"
ORDER = 90


def layout(**query: Any) -> html.Div:
    """The page as the link left it."""
    rows = [
        html.Tr([html.Td(card["name"]), html.Td(f["name"]), html.Td(f"{f['value']:.3f}"), html.Td(str(f["n"]))])
        for card in catalog.bundled()
        for f in card["figures"]
    ]
    head = html.Thead(html.Tr([html.Th(name) for name in ("model", "figure", "value", "n")]))
    return html.Div([html.H1(QUESTION), dbc.Table([head, html.Tbody(rows)], id="figures-table")], className="page-main")


def register(app: Dash, engine: Engine) -> None:
    """Nothing on this page asks for a job."""
