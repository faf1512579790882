"""The one place where a model is chosen and opened: a list of those that ship, a box for any other, its job, its card.

A page reads the store `<page>-card`: the card of the model that is open, or None.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import dash_bootstrap_components as dbc
from dash import Dash, Input, Output, dcc, html, no_update

from backends import catalog
from backends.errors import Refused
from backends.jobs.engine import Engine
from backends.models.card import Card
from backends.requests import OpenModel
from viz.components import links
from viz.components.alerts import alert
from viz.components.job_panel import JobPanel, take_document

OTHER = "…"
"""The entry of the list that asks for a hub id or a folder."""
FITTING = 34
"""Characters of a title that the list shows whole."""
DRAWS = "text-to-image"
"""The task of the models that draw, which have a page of their own."""


@dataclass(frozen=True)
class ModelPicker:
    """The list, the box and the job of one page.

    Ids are `<page>-<name>` of the list, `<page>-other` of the box in `<page>-other-area`, `<page>-about` of what is
    said of the open model, and `<page>-open-…` of the job. `kind` is what the page calls a model, `task` the only task
    that is listed (empty: every task), and `without` a task that is not.
    """

    page: str
    kind: str = "model"
    name: str = "model"
    task: str = ""
    without: str = DRAWS
    placeholder: str = "gpt2 · google/vit-base-patch16-224 · ~/my-model"
    hint: str = "Enter opens it. Only safetensors are read; no code of it is run."

    @property
    def job(self) -> JobPanel:
        """The job that opens the model."""
        return JobPanel(self.page, "open", f"Opening the {self.kind}")

    @property
    def card(self) -> str:
        """The id of the store with the open model's card."""
        return self.id("card")

    def id(self, part: str) -> str:
        """The id of one part."""
        return f"{self.page}-{part}"

    def cards(self) -> list[Mapping[str, Any]]:
        """The shipped models in the list."""
        return [c for c in catalog.bundled() if self.task in ("", c["task"]) and c["task"] != self.without]

    def wanted(self, query: Mapping[str, Any]) -> str:
        """The model that a link names, else the first of the list."""
        return links.text(query, "model", next((c["name"] for c in self.cards()), OTHER), most=300)

    def parts(self, model: str) -> list[Any]:
        """List, box, progress and the place of what is said of the model, with `model` chosen."""
        return [*self.fields(model), self.job.parts(), html.Div(id=self.id("about"), className="about")]

    def fields(self, model: str) -> list[Any]:
        """List and box alone, with `model` chosen."""
        cards = self.cards()
        known = model in [c["name"] for c in cards]
        options = [{"label": short_title(c), "value": c["name"], "title": c.get("title", "")} for c in cards]
        options.append({"label": f"Another {self.kind} …", "value": OTHER})
        return [
            html.Label(f"Which {self.kind}", htmlFor=self.id(self.name), className="form-label"),
            dbc.Select(id=self.id(self.name), value=model if known else OTHER, options=options),
            html.Div(
                [
                    html.Label("Hub id or folder", htmlFor=self.id("other"), className="form-label"),
                    dbc.Input(
                        id=self.id("other"), value="" if known or model == OTHER else model, debounce=True,
                        placeholder=self.placeholder, maxlength=300,
                    ),
                    html.Div(self.hint, className="hint"),
                ],
                id=self.id("other-area"),
                className="d-none" if known else "mt-2",
            ),
        ]  # fmt: skip

    def register(
        self,
        app: Dash,
        engine: Engine,
        outputs: Sequence[Output] = (),
        suit: Callable[[Card | None], Sequence[Any]] = lambda card: (),
        refuse: Callable[[Card], str] = lambda card: "",
    ) -> None:
        """Connect name → job → card.

        `outputs` are what else of the page follows from the card, with the values that `suit` gives; they come in the
        same answer, and `suit` is called with None where no model is open. `refuse` says why the page cannot use one.
        """
        self.job.register(app, engine)

        @app.callback(
            Output(self.job.requests, "data"),
            Output(self.id("about"), "children"),
            Output(self.id("other-area"), "className"),
            Input(self.id(self.name), "value"),
            Input(self.id("other"), "value"),
        )
        def choose(model: str | None, other: str | None) -> tuple[Any, ...]:
            return chosen(model, other)

        @app.callback(
            Output(self.card, "data"),
            Output(self.id("about"), "children", allow_duplicate=True),
            *outputs,
            Input(self.job.answers, "data"),
            prevent_initial_call=True,
        )
        def opened(answers: Mapping[str, Any] | None) -> tuple[Any, ...]:
            card = opened_card(engine, answers)
            why = refuse(card) if card else ""
            if card is None or why:
                return None, alert(why) if why else no_update, *suit(None)
            return card, about(card, drawing=self.task != DRAWS), *suit(card)


def named(model: str | None, other: str | None) -> str:
    """The name that is meant: the one in the list, or what stands in the box."""
    return ((other or "") if model == OTHER else (model or "")).strip()


def other_class(model: str | None) -> str:
    """The class of the box's place: it is there for a model that is not in the list."""
    return "mt-2" if model == OTHER else "d-none"


def chosen(model: str | None, other: str | None) -> tuple[Any, Any, str]:
    """Jobs, what is said, and the class of the box; what is open stays until another name stands in the box."""
    name, shown = named(model, other), other_class(model)
    if model == OTHER and not name:
        return no_update, no_update, shown
    try:
        return open_jobs(name), [], shown
    except Refused as refused:
        return {}, alert(str(refused)), shown


def open_jobs(name: str) -> dict[str, dict[str, Any]]:
    """The job that opens the model called `name`, as a slot takes it. Raises `Refused` where there is no such model."""
    return {"model": open_request(catalog.resolve(name))}


def open_request(source: catalog.Source) -> dict[str, Any]:
    """The job that opens `source`."""
    return OpenModel(model=source.name, revision=source.revision).plain()


def opened_card(engine: Engine, answers: Mapping[str, Any] | None) -> Card | None:
    """The card that the answers of `open_jobs` hold; None while there is none. Raises `Refused` if it is not kept."""
    return cast(Card | None, take_document(engine, answers, "model"))


def about(card: Card, drawing: bool = True) -> list[Any]:
    """What is to be known of the opened model: its purpose, its size, its limits and its warnings.

    With `drawing` there is a link to the page of models that draw, where it is one.
    """
    size = card["parameters"]
    parts = [f"{size / 1e6:.3g} M parameters" if size >= 1e5 else f"{size:,} parameters"]
    stacks = [f"{p['layers']} in its {name}" for name, p in card.get("parts", {}).items() if name != "cross"]
    layers = f"layers: {', '.join(stacks)}" if stacks else f"{card.get('layers')} layers"
    parts += [layers] if card.get("layers") else []
    parts += [f"{card['heads']} heads"] if card.get("heads") else []
    lines = [html.Div(card["summary"])] if card.get("summary") else []
    lines.append(html.Div(" · ".join([card["name"], *parts, f"on {card['device']}"]), className="hint"))
    what = dcc.Link("What is inside it, and what was checked", href=links.link("/model", model=card["name"]))
    lines.append(html.Div(what, className="hint"))
    if drawing and "denoising" in card["offers"]:
        page = links.link("/diffusion", model=card["name"])
        lines.append(dcc.Link("It draws pictures from words: see where each word went", href=page))
    lines += [html.Div(text, className="hint") for text in card.get("limits", [])[:1]]
    return lines + [alert(w) for w in card.get("warnings", [])]


def short_title(card: Card | Mapping[str, Any]) -> str:
    """A title that fits the list: the part before its colon where all of it is too long."""
    title = str(card.get("title", card["name"]))
    return title if len(title) <= FITTING else title.partition(":")[0]
