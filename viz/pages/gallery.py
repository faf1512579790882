"""Gallery: the bundled models as cards, a box to open any other, and what was computed lately."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import dash_bootstrap_components as dbc
from dash import Dash, Input, Output, State, dcc, html

from backends import catalog, registry
from backends.errors import Refused
from backends.jobs.engine import Engine
from backends.models.card import Card
from viz.components.alerts import alert
from viz.components.inputs import example_image
from viz.components.job_panel import Answers, JobPanel
from viz.components.links import link, text
from viz.components.model_picker import open_jobs, opened_card
from viz.pages import pages_for

PATH = "/"
TITLE = "Gallery"
QUESTION = "Which network do you want to look into?"
ORDER = 0

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
OPENING = JobPanel("gallery", "open", "Opening the model")


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
                    *[_card(card) for card in catalog.bundled()],
                    html.Section(
                        _opener(text(query, "model", most=300)),
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
    OPENING.register(app, engine)

    @app.callback(Output("gallery-recent", "children"), Input("gallery-tick", "n_intervals"))
    def recent(_ticks: int | None) -> Any:
        return recent_results(engine.store.recent(8))

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
    inside = dcc.Link("What is inside it", href=link("/model", model=card["name"]), className="btn btn-sm btn-primary")
    why = [html.Li(sentence) for sentence in card["withdrawn"].values()]
    return html.Div(
        [
            html.P(found, className="mb-2"),
            *[alert(warning) for warning in card["warnings"]],
            html.Div([*_doors(card), inside], className="doors"),
            html.Ul(why, className="small mt-2 mb-0") if why else "",
        ],
        className="mt-3",
    )


def recent_results(found: list[dict[str, Any]]) -> Any:
    """The latest results as links that open them again."""
    if not found:
        return html.P("Nothing was computed yet: open a model above.", className="text-body-secondary mb-0")
    return html.Ul([html.Li(_recent(entry)) for entry in found], className="gallery-recent")


def _recent(entry: Mapping[str, Any]) -> list[Any]:
    methods = registry.entries("methods")
    method = methods.get(entry["method"])
    if entry["method"] == "parts":  # which parts of an input matter, by no method
        return _linked(
            "Which parts matter", link("/evidence", model=entry["model"], input=entry["input"], tab="parts"), entry
        )
    title = method.title if method else entry["method"]
    question = method.question if method else "attribution"
    alone = entry["method"] if method and method.view == "figure" else ""  # it has no tab: see MethodPanel
    where = link(f"/{question}", model=entry["model"], input=entry["input"], methods=entry["method"], other=alone)
    return _linked(title, where, entry)


def _linked(title: str, where: str, entry: Mapping[str, Any]) -> list[Any]:
    of = f" of “{entry['target']}”" if entry.get("target") else ""
    when = entry["when"]
    stamp = datetime.fromtimestamp(when).strftime("%d %b, %H:%M") if isinstance(when, (int, float)) else str(when)
    return [dcc.Link(f"{title}{of}", href=where), html.Span(f"{entry['model']} · {stamp}")]


def _card(card: Mapping[str, Any]) -> html.Article:
    return html.Article(
        [
            html.Div(_picture(card), className="gallery-picture"),
            html.H2(card["title"]),
            html.Div(f"{TASKS.get(card['task'], card['task'])} · {card['name']}", className="gallery-kind"),
            html.P(card["summary"]),
            html.Ul(
                [html.Li(f"{f['name']}: {_figure(f)}", title=f["what"]) for f in card["figures"][:2]],
                className="gallery-figures",
            ),
            html.Div(_doors({**card, "offers": catalog.expected_offers(card)}), className="doors"),
            html.Details(
                [html.Summary("Data and limits"), *[html.P(told) for told in (card["data"], *card["limits"])]]
            ),
        ],
        className="panel gallery-card",
    )


def _figure(figure: Mapping[str, Any]) -> str:
    return f"{figure['value']:.3f} (n = {figure['n']})"


def _doors(card: Mapping[str, Any]) -> list[Any]:
    """A link to each page that has something to show of the model."""
    return [
        dcc.Link(page.TITLE, href=link(page.PATH, model=card["name"]), className="btn btn-sm btn-primary")
        for page in pages_for(card)
    ]


def _picture(card: Mapping[str, Any]) -> Any:
    """The cover example: an image, or a sentence with the words that matter marked."""
    index = card.get("cover", 0)
    example = card["examples"][index]
    if card["task"].startswith("image"):
        return html.Img(src=example_image(card, index), alt=f"Example: {example['name']}")
    spans = sorted(example.get("truth", {}).get("spans", []))
    parts: list[Any] = []
    at = 0
    for start, end in spans:
        parts += [example["input"][at:start], html.Mark(example["input"][start:end])]
        at = end
    said = example["target"][0] if card["task"] == "causal-lm" and isinstance(example["target"], list) else ""
    return html.P([*parts, example["input"][at:], html.Mark(f" {said}") if said else ""], className="gallery-text")


def _opener(name: str) -> list[Any]:
    return [
        html.H2("Open another model"),
        html.Label("A hub id, or the path of a folder with config.json and *.safetensors", htmlFor="gallery-name"),
        dbc.InputGroup(
            [
                dbc.Input(id="gallery-name", value=name, placeholder="gpt2 · org/name · /models/mine"),
                dbc.Button("Open", id="gallery-go", color="primary"),
            ],
            className="mt-1",
        ),
        html.P(
            "Language models, encoder–decoders, text and image classifiers, sentence encoders, networks that compare "
            "pictures with captions, plain encoders, and diffusers pipelines that draw open. Weights are read from "
            "safetensors only, no code of a model's author is run, and nothing you type or upload leaves this machine; "
            "a hub id is the one thing that asks the hub for files.",
            className="small text-body-secondary mt-2 mb-0",
        ),
        html.Div(id="gallery-problem", role="alert"),
        OPENING.parts(),
        html.Div(id="gallery-opened", role="status"),
    ]
