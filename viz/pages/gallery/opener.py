"""The box that opens any model, and what is said of the one that was opened."""

from __future__ import annotations

from typing import Any

import dash_bootstrap_components as dbc
from dash import Dash, Input, Output, State, dcc, html

from backends.errors import Refused
from backends.jobs.engine import Engine
from backends.models.card import Card
from viz.components.alerts import alert
from viz.components.job_panel import Answers, JobPanel
from viz.components.links import link
from viz.components.model_picker import open_jobs, opened_card
from viz.pages.gallery.cards import TASKS, links_to_pages

OPENING = JobPanel("gallery", "open", "Opening the model")


def opener(name: str) -> list[Any]:
    """The box with `name` in it."""
    return [
        html.Div(
            [
                html.H2(html.Label("Open another model", htmlFor="gallery-name")),
                dbc.InputGroup(
                    [
                        dbc.Input(id="gallery-name", value=name, placeholder="gpt2 · org/name · /models/mine"),
                        dbc.Button("Open", id="gallery-go", color="primary"),
                    ]
                ),
                html.Details(
                    [
                        html.Summary("What opens?"),
                        html.P(
                            "A hub id, or the path of a folder with config.json and *.safetensors: language models, "
                            "encoder–decoders, text and image classifiers, sentence encoders, networks that compare "
                            "pictures with captions, plain encoders, and diffusers pipelines that draw. Weights are "
                            "read from safetensors only, no code of a model's author is run, and nothing you type or "
                            "upload leaves this machine; a hub id is the one thing that asks the hub for files."
                        ),
                    ],
                    className="small",
                ),
            ],
            className="opener-row",
        ),
        html.Div(id="gallery-problem", role="alert"),
        OPENING.parts(),
        html.Div(id="gallery-opened", role="status"),
    ]


def register(app: Dash, engine: Engine) -> None:
    """Connect the box to its job, and the answer to what is said."""
    OPENING.register(app, engine)

    @app.callback(
        Output(OPENING.requests, "data"),
        Output("gallery-problem", "children"),
        Input("gallery-go", "n_clicks"),
        Input("gallery-name", "n_submit"),
        State("gallery-name", "value"),
        prevent_initial_call=True,
    )
    def go(_clicks: int | None, _enter: int | None, name: Any) -> Any:
        try:
            return open_jobs(name or ""), ""
        except Refused as refused:
            return {}, alert(str(refused))

    @app.callback(Output("gallery-opened", "children"), Input(OPENING.answers, "data"), prevent_initial_call=True)
    def opened(answers: Answers | None) -> Any:
        card = opened_card(engine, answers)
        return opened_model(card) if card else ""


def opened_model(card: Card) -> html.Div:
    """What was found in an opened model, and the doors that lead to it."""
    found = f"{card['name']}: {TASKS.get(card['task'], card['task'])}, {card['parameters'] / 1e6:.3g} M parameters"
    if card["layers"]:
        found += f", {card['layers']} layers"
    inside = dcc.Link("What is inside it", href=link("/model", model=card["name"]), className="door")
    why = [html.Li(sentence) for sentence in card["withdrawn"].values()]
    return html.Div(
        [
            html.P(found, className="mb-2"),
            *[alert(warning) for warning in card["warnings"]],
            html.Div([*links_to_pages(card), inside], className="doors"),
            html.Ul(why, className="small mt-2 mb-0") if why else "",
        ],
        className="mt-3",
    )
