"""Let the model continue the text, and stand on every token that it adds: the page's input is that step's.

The step stands in the page's input as `generated`, the continuation's key, and `step`; see `viz.components.inputs`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import dash_bootstrap_components as dbc
import numpy as np
from dash import ClientsideFunction, Dash, Input, Output, State, dcc, html, no_update

from backends.errors import Refused
from backends.jobs.engine import Engine
from backends.models.card import Card
from backends.requests import Generate
from viz import theme
from viz.components import inputs
from viz.components.alerts import alert
from viz.components.inputs import PageInput
from viz.components.job_panel import Answers, JobPanel, Requests, answer_keys
from viz.figures.words import percent, visible

if TYPE_CHECKING:
    from viz.components.workbench import Workbench

MOST = 256
"""Tokens that one continuation adds at most; the worker checks it again."""
CHOICES = {"greedy": "most probable", "drawn": "drawn"}
MAP = theme.colour_map(signed=False)
GONE = "The continuation of this link is no longer kept here: its last input is shown; press Continue to go on."


class Generation:
    """The button, its settings, the new tokens and the slider over the steps; ids are `<page>-continue-…`."""

    def __init__(self, page: str) -> None:
        self.page = page
        self.slot = JobPanel(page, "continue", "Continuing the text")
        self.area, self.step, self.slider = self.id("area"), self.id("step"), self.id("slider")
        self.drawn, self.chips, self.words = self.id("drawn"), self.id("chips"), self.id("said")

    def id(self, part: str) -> str:
        """The id of one part."""
        return f"{self.page}-continue-{part}"

    def parts(self) -> html.Div:
        """What stands below the input; hidden until a model that continues texts is open."""
        slider = dbc.Input(id=self.slider, type="range", min=0, max=1, step=1, value=0, class_name="continue-slider")
        return html.Div(
            [
                dcc.Store(id=self.step),
                dcc.Store(id=self.drawn),
                html.Div(
                    [
                        dbc.Button("Continue", id=self.id("go"), size="sm", color="primary", outline=True),
                        html.Details([html.Summary("How"), self._settings()], className="continue-how"),
                    ],
                    className="continue-row",
                ),
                self.slot.parts(),
                html.Div(id=self.id("problem"), role="alert"),
                html.Div(
                    [
                        html.Div(id=self.chips, className="continue-chips", role="group", **_named("New tokens")),
                        html.Label("Step", id=self.id("label"), htmlFor=self.slider, className="form-label"),
                        slider,
                        html.Div(id=self.words, className="hint continue-words", role="status"),
                        _legend(),
                    ],
                    id=self.id("there"),
                    className="d-none",
                ),
            ],
            id=self.area,
            className="d-none",
        )

    def _settings(self) -> html.Div:
        def number(part: str, label: str, value: Any, low: float, high: float, step: Any, hint: str) -> html.Div:
            id = self.id(part)
            field = dbc.Input(id=id, type="number", value=value, min=low, max=high, step=step, size="sm")
            words = html.Div(hint, className="hint")
            return html.Div([html.Label(label, htmlFor=id, className="form-label"), field, words], className="option")

        options = [{"label": words, "value": name} for name, words in CHOICES.items()]
        drawn = [
            number("temperature", "Temperature", 1, 0.05, 100, "any", "below 1: closer to the most probable"),
            number("top-k", "Top k", 0, 0, 10**6, 1, "among so many; 0: all"),
            number("top-p", "Top p", 1, 0.01, 1, "any", "among those that together have this probability"),
            number("seed", "Seed", 0, 0, 2**31, 1, "the same seed draws the same"),
        ]
        return html.Div(
            [
                number("tokens", "New tokens", 12, 1, MOST, 1, f"at most {MOST}"),
                html.Div(
                    [
                        html.Label("Which token", htmlFor=self.id("kind"), className="form-label"),
                        dbc.Select(id=self.id("kind"), options=options, value="greedy", size="sm"),
                    ],
                    className="option",
                ),
                html.Div(drawn, id=self.id("drawing"), className="d-none"),
            ],
            className="continue-settings",
        )

    def register(self, app: Dash, engine: Engine, bench: Workbench) -> None:
        """Connect the button, the tokens and the slider to the input of `bench`."""
        self.slot.register(app, engine)
        self._register_settings(app, bench)
        self._register_job(app, engine, bench)
        self._register_steps(app, engine, bench)

    def _register_settings(self, app: Dash, bench: Workbench) -> None:
        """What of the panel is shown for the model and the kind of continuation."""

        @app.callback(Output(self.area, "className"), Input(bench.card, "data"))
        def offer(card: Card | None) -> Any:
            return "continue" if card and "generation" in card["offers"] else "d-none"

        @app.callback(Output(self.id("drawing"), "className"), Input(self.id("kind"), "value"))
        def draw_by(kind: Any) -> Any:
            return "continue-settings" if kind == "drawn" else "d-none"

    def _register_job(self, app: Dash, engine: Engine, bench: Workbench) -> None:
        """The job that continues the text; the page then stands on its first step."""
        settings = [self.id(part) for part in ("tokens", "kind", "temperature", "top-k", "top-p", "seed")]

        @app.callback(
            Output(self.slot.requests, "data"),
            Input(self.id("go"), "n_clicks"),
            State(bench.card, "data"),
            State(bench.input, "data"),
            *[State(id, "value") for id in settings],
            prevent_initial_call=True,
        )
        def ask(clicks: int | None, card: Card | None, given: PageInput | None, *values: Any) -> Any:
            return request(card, given, *values) if clicks else no_update

        @app.callback(
            Output(bench.input, "data", allow_duplicate=True),
            Input(self.slot.answers, "data"),
            State(bench.input, "data"),
            State(self.slot.requests, "data"),
            prevent_initial_call=True,
        )
        def arrive(answers: Answers | None, given: PageInput | None, asked: Requests | None) -> Any:
            key = answer_keys(answers).get("text")
            begun = (asked or {}).get("text", {}).get("input")
            if not key or not given or given.get("digest") != begun:  # the input was changed meanwhile
                return no_update
            if "steps" not in (told := engine.store.get_document(key)):
                return no_update
            return {**standing(engine, told, key, 0), **({"example": given["example"]} if "example" in given else {})}

    def _register_steps(self, app: Dash, engine: Engine, bench: Workbench) -> None:
        """The new tokens and the slider, and the page's input at the step where they stand."""

        @app.callback(
            Output(self.id("there"), "className"),
            Output(self.chips, "children"),
            Output(self.slider, "max"),
            Output(self.slider, "value"),
            Output(self.drawn, "data"),
            Output(self.id("problem"), "children"),
            Input(bench.input, "data"),
            State(bench.card, "data"),
            State(self.drawn, "data"),
            prevent_initial_call=True,
        )
        def show(given: PageInput | None, card: Card | None, before: Any) -> Any:
            return shown(engine, card, given, before)

        @app.callback(
            Output(bench.input, "data", allow_duplicate=True),
            Output(bench.id("text"), "value", allow_duplicate=True),
            Output(bench.id("second"), "value", allow_duplicate=True),
            Output(bench.id("note"), "children", allow_duplicate=True),
            Output(bench.id("problem"), "children", allow_duplicate=True),
            Output(bench.id("kind"), "value", allow_duplicate=True),
            Input(self.step, "data"),
            State(bench.card, "data"),
            State(bench.input, "data"),
            prevent_initial_call=True,
        )
        def stand(step: Any, card: Card | None, given: PageInput | None) -> Any:
            moved = stood(engine, card, given, step)
            return [no_update] * 6 if moved is None else moved

        app.clientside_callback(
            ClientsideFunction("generation", "slide"),
            Output(self.words, "children"),
            Output(self.id("label"), "children"),
            Input(self.slider, "value"),
            Input(self.drawn, "data"),
            State(self.slider, "id"),
            prevent_initial_call=True,
        )


def request(
    card: Any, given: Any, tokens: Any, kind: Any, temperature: Any, top_k: Any, top_p: Any, seed: Any
) -> dict[str, Any]:
    """The job that continues the page's input; what a field holds that is none of its numbers is refused by the job."""
    if not inputs.fits(card, given) or "generation" not in card["offers"]:
        return {}
    drawing = {"temperature": temperature, "top_k": top_k, "top_p": top_p, "seed": seed}
    options = {"tokens": tokens, **(drawing if kind == "drawn" else {})}
    options = {name: "empty or out of range" if value is None else value for name, value in options.items()}
    asked = Generate(model=card["name"], revision=card["revision"], input=given["digest"], options=options)
    return {"text": asked.plain()}


def standing(engine: Engine, told: Mapping[str, Any], key: str, step: int) -> dict[str, Any]:
    """The page's input at one step of a continuation. Raises `Refused` when it is no longer kept."""
    digest = told["steps"][step]
    return {**inputs.described(digest, engine.store.get_input(digest)), "generated": key, "step": step}


def continuation(engine: Engine, card: Any, given: Any) -> dict[str, Any] | None:
    """What the model said from the page's input on; None where the input is no step of it. Raises `Refused`."""
    key, step = (given or {}).get("generated"), (given or {}).get("step")
    if not card or not key:
        return None
    told = engine.store.get_document(key)
    steps = told.get("steps") or []
    there = type(step) is int and 0 <= step < len(steps) and steps[step] == given.get("digest")
    return told if there and told.get("model") == card["name"] else None


def shown(engine: Engine, card: Any, given: Any, before: Any) -> tuple[Any, ...]:
    """Whether there are steps, their tokens, the slider's end and place, which continuation it is, and a problem."""
    try:
        told = continuation(engine, card, given)
    except Refused:
        return "d-none", [], 1, 0, None, alert(GONE, "light")
    if told is None:
        return "d-none", [], 1, 0, None, []
    if (before or {}).get("key") == given["generated"]:  # the slider may be on its way already
        return "", no_update, no_update, no_update, no_update, []
    drawn = {"key": given["generated"], "steps": len(told["steps"])}
    return "", chips(told), len(told["ids"]), given["step"], drawn, []


def stood(engine: Engine, card: Any, given: Any, step: Any) -> tuple[Any, ...] | None:
    """Input, texts, note, no problem and kind of target once the page stands on `step`; None where it already does.

    The target that came with an example is an answer to its text, not to what follows it.
    """
    told = continuation(engine, card, given)
    if told is None or type(step) is not int or step == given["step"] or not 0 <= step < len(told["steps"]):
        return None
    linked = {"input": told["steps"][step], "generated": given["generated"], "step": step}
    found = inputs.given(engine, card, "card", linked=linked)
    kind = "own" if "example" in given else no_update
    return found.input, found.text, found.second, found.note, found.problem, kind


def chips(told: Mapping[str, Any]) -> list[Any]:
    """One button a step: the text as it was given, then each new token, coloured by its probability."""
    colours = theme.value_colours(np.array(told["probability"]), 0, 1, MAP)
    rows = zip(told["tokens"], told["probability"], told["alternatives"], told["partial"], colours, strict=True)
    buttons = [_chip("start", 0, "The text as it was given.", {})]
    for step, (token, probability, others, partial, colour) in enumerate(rows, 1):
        words = _words(token, probability, others, partial)
        buttons.append(_chip(visible(token), step, words, {"backgroundColor": colour, "color": theme.ink(colour)}))
    end = told.get("end")
    last = f"{told['sentence'].rstrip('.')} (probability {percent(end['probability'])})." if end else told["sentence"]
    return [*buttons, html.Span(last, className="hint continue-end")]


def _chip(label: str, step: int, words: str, style: dict[str, str]) -> html.Button:
    about = {"data-step": str(step), "data-words": words, "aria-label": f"Step {step}: {label}"}
    return html.Button(label, type="button", className="continue-chip", style=style, title=words, **about)


def _words(token: str, probability: float, others: list[Mapping[str, Any]], partial: bool) -> str:
    """What is said of a new token: its probability, and the five that the model found likeliest."""
    listed = ", ".join(f"“{visible(o['token'])}” {percent(o['probability'])}" for o in others)
    part = " It is one of the tokens that this character is made of." if partial else ""
    return f"“{visible(token)}”: probability {percent(probability)}.{part} Likeliest: {listed}."


def _legend() -> html.Div:
    stops = ", ".join(theme.css(theme.table(MAP)[i]) for i in range(0, 256, 15))
    return html.Div(
        [
            html.Span("0", className="legend-end"),
            html.Span(className="legend-bar", style={"background": f"linear-gradient(90deg, {stops})"}),
            html.Span("1", className="legend-end"),
            html.Span("probability", className="legend-unit"),
            html.Span("that the model gave the token; point at one for the likeliest five", className="legend-words"),
        ],
        className="legend",
    )


def _named(name: str) -> dict[str, str]:
    return {"aria-label": name}
