"""Other methods: what a page's question has and none of its tabs draws, chosen, set, run and drawn in one panel.

A method in a file of its own is seen here at once: its form is made of its fields, its picture by the figure builder
that accepts its result. The store `<page>-others-asked` holds `{"method": …, "options": {…}}` once a person ran one, or
a link did; it is computed anew for every input until another is run.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import dash_bootstrap_components as dbc
from dash import Dash, Input, Output, State, dcc, html, no_update

from backends import registry
from backends.errors import Refused
from backends.models.card import Card
from viz import figures
from viz.components import links, offers, option_form, shell
from viz.components.alerts import alert
from viz.components.exports import exports
from viz.components.graph import picture
from viz.components.inputs import PageInput, fits
from viz.components.job_panel import JobPanel, answer_keys, take_result
from viz.components.method_choice import help_for
from viz.components.workbench import run_request
from viz.figures.words import visible

if TYPE_CHECKING:
    from backends.jobs.engine import Engine
    from backends.results import Result

JOB = "other"
"""The name of the panel's one job."""


def clean(card: Card | None, given: PageInput | None, entry: Any) -> PageInput | None:
    """The page's input as the panel takes it where nothing else is said; None while there is none."""
    return given if fits(card, given) else None


class MethodPanel:
    """The panel of one page, whose name is its question; ids are `<page>-others-<part>`.

    `one` are the views of which the page draws one method, `several` those of which it draws each. The panel reads the
    stores `card`, `given` and `aim`. What a method is given is `choose(card, given, entry, *more)`, where `more` are
    the values of further inputs; None asks for nothing yet.
    """

    def __init__(
        self, page: str, stores: tuple[str, str, str | None], one: Sequence[str], several: Sequence[str] = (),
        choose: Callable[..., PageInput | None] = clean, more: Sequence[str] = (),
    ) -> None:  # fmt: skip
        self.page, self.stores, self.one, self.several = page, stores, one, several
        self.choose, self.more = choose, more
        self.slot = JobPanel(page, "others", "Computing")
        self.form_page = f"{page}-others"
        self.asked, self.options = self.id("asked"), self.id("options")

    def id(self, part: str) -> str:
        """The id of one part of the panel."""
        return f"{self.page}-others-{part}"

    def methods(self, card: Card) -> list[str]:
        """The methods that the panel offers on the model."""
        return offers.unplaced(card, self.page, self.one, self.several)

    def parts(self, link: Mapping[str, Any]) -> html.Section:
        """The panel as the link left it; hidden until a model has a method for it."""
        asked = linked(link)
        label = html.Label("Method", htmlFor=self.id("method"), className="form-label")
        return html.Section(
            [
                html.H2("Other methods"),
                html.P("Methods of this question that have no tab of their own here.", className="reading"),
                dcc.Store(id=self.asked, data=asked),
                dcc.Store(id=self.options, data={asked["method"]: asked["options"]} if asked else {}),
                dcc.Store(id=self.id("dark")),
                html.Div(id=self.id("unknown"), role="status"),
                html.Div([label, dbc.Select(id=self.id("method"), options=[], size="sm")]),
                html.Div(id=self.id("form")),
                html.Details(
                    [html.Summary("What this computes"), html.Div(id=self.id("help"), className="help")]
                ),
                html.Div(dbc.Button("Run", id=self.id("run"), size="sm", color="primary"), className="apply-row"),
                html.Div(id=self.id("problem"), role="alert"),
                self.slot.parts(),
                html.Div(id=self.id("shown"), className="pictures", role="status"),
            ],
            id=f"{self.page}-others",
            className="d-none",
            **{"aria-label": "Other methods"},
        )  # fmt: skip

    def register(self, app: Dash, engine: Engine) -> None:
        """Connect method → options → job → figure → link."""
        self.slot.register(app, engine)
        option_form.register(app, self.form_page, self.options)
        self._register_choice(app)
        self._register_job(app)
        self._register_figure(app, engine)

    def _register_choice(self, app: Dash) -> None:
        @app.callback(
            Output(self.id("method"), "options"),
            Output(self.id("method"), "value"),
            Output(f"{self.page}-others", "className"),
            Output(self.id("unknown"), "children"),
            Input(self.stores[0], "data"),
            State(self.id("method"), "value"),
            State(self.asked, "data"),
        )
        def offer(card: Any, value: Any, asked: Any) -> Any:
            there = self.methods(card) if card else []
            wanted = value or (asked or {}).get("method")
            told = alert(f"The link asks for {absent(wanted)}") if card and wanted and wanted not in there else ""
            shown = "panel other-methods" if there or told else "d-none"
            options = [{"label": registry.method(name).title, "value": name} for name in there]
            return options, wanted if wanted in there else next(iter(there), None), shown, told

        @app.callback(
            Output(self.id("form"), "children"),
            Output(self.id("help"), "children"),
            Input(self.id("method"), "value"),
            State(self.options, "data"),
        )
        def form(method: Any, options: Any) -> Any:
            if not method:
                return [], []
            return option_form.form(self.form_page, method, (options or {}).get(method)), help_for(method)

    def _register_job(self, app: Dash) -> None:
        card, given, aim = self.stores

        @app.callback(
            Output(self.asked, "data"),
            Input(self.id("run"), "n_clicks"),
            State(self.id("method"), "value"),
            State(self.options, "data"),
            prevent_initial_call=True,
        )
        def run(clicks: Any, method: Any, options: Any) -> Any:
            if not clicks or not method:
                return no_update
            return {"method": method, "options": (options or {}).get(method, {}), "click": clicks}

        @app.callback(
            Output(self.slot.requests, "data"),
            Output(self.id("problem"), "children"),
            Input(self.asked, "data"),
            Input(card, "data"),
            Input(given, "data"),
            *[Input(name, "data") for name in (*([aim] if aim else []), *self.more)],
            prevent_initial_call=True,
        )
        def ask(asked: Any, card: Any, given: Any, *rest: Any) -> Any:
            target, more = (rest[0], rest[1:]) if aim else (None, rest)
            try:
                return self.requests(asked, card, given, target, *more), ""
            except Refused as refused:
                return {}, alert(str(refused))

        @app.callback(
            Output(shell.BESIDE, "data", allow_duplicate=True),
            Input(self.asked, "data"),
            prevent_initial_call="initial_duplicate",
        )
        def link(asked: Any) -> Any:
            return {"path": f"/{self.page}", "params": params(asked)}

    def _register_figure(self, app: Dash, engine: Engine) -> None:
        @app.callback(
            Output(self.id("shown"), "children"),
            Input(self.slot.answers, "data"),
            Input(self.id("dark"), "data"),
            prevent_initial_call=True,
        )
        def draw(answers: Any, dark: bool | None) -> Any:
            found = take_result(engine, answers, JOB)
            return pictures(self.page, answer_keys(answers)[JOB], found, bool(dark)) if found else []

    def requests(self, asked: Any, card: Any, given: Any, target: Any, *more: Any) -> dict[str, Any]:
        """The job of what was run last, on this input; empty while something is missing. Raises `Refused`."""
        method = (asked or {}).get("method")
        if not card or method not in self.methods(card):
            return {}
        taken = self.choose(card, given, registry.method(method), *more)
        if not taken:
            return {}
        return {JOB: run_request(card, taken, method, option_form.checked(method, asked["options"]), target)}


def linked(link: Mapping[str, Any]) -> dict[str, Any] | None:
    """The method that a link asks the panel for, with its options; None where it asks for none."""
    method = links.text(link, "other", most=80)
    try:
        options = json.loads(links.text(link, "other_options") or "{}")
    except (ValueError, RecursionError):
        options = {}
    return {"method": method, "options": options if isinstance(options, dict) else {}} if method else None


def params(asked: Any) -> dict[str, Any]:
    """What the link carries of the panel: the method and the options that differ from its own."""
    method = (asked or {}).get("method")
    if not method:
        return {}
    try:
        return {"other": method, "other_options": option_form.changed(method, asked["options"])}
    except Refused:
        return {"other": method}


def absent(method: Any) -> str:
    """Why a method that a link names is not offered here."""
    there = registry.entries("methods")
    if method not in there:
        return f"the method {str(method)[:40]!r}, which there is not."
    return f"{there[method].title}, which this model does not have here."


def pictures(page: str, key: str, result: Result, dark: bool) -> list[Any]:
    """Every picture of a result, or why there is none; what it is of, and its files."""
    title = registry.method(result.method).title if result.method in registry.entries("methods") else result.method
    drawn = [
        picture(f"{page}-other-{name}", figures.draw(result, name, dark=dark), title, f"vitrine-{result.method}", key)
        for name in figures.available(result)
    ]
    none = [html.P("No figure knows a result of this shape: its numbers are in the files below.", className="hint")]
    of = f" for {visible(result.target, 80)}" if result.target else ""
    return [html.P(html.B(f"{title}{of}")), *(drawn or none), exports(key, what=f"this {title.lower()}")]
