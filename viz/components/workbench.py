"""The left side of every analysis page: which model, which input, what it answers, which answer is explained.

A page lists `Workbench(page).layout(query)` and reads `card`, `input` and `aim`, three stores:
the opened model's card; the input (see `viz.components.inputs`); and the target as the door takes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import dash_bootstrap_components as dbc
from dash import ALL, ClientsideFunction, Dash, Input, Output, State, ctx, dcc, html, no_update

from backends import registry
from backends.errors import Refused
from backends.jobs.engine import Engine
from backends.models.card import Card
from backends.requests import Check, Predict, Run
from viz.components import inputs
from viz.components import links as link
from viz.components.alerts import alert
from viz.components.generation import Generation
from viz.components.inputs import PageInput, example_thumbnail, fits
from viz.components.job_panel import Answers, JobPanel, answer_keys, in_words, reasons
from viz.components.model_picker import ModelPicker
from viz.figures.words import percent, visible

Target = str | list[str] | dict[str, str] | None
"""The target as the door takes it: an answer, a pair of answers, `{"sequence": …}`, or None for the model's own."""
AIMS = (
    ("own", "the model's own answer"),
    ("one", "an answer I choose"),
    ("pair", "one answer rather than another"),
    ("sequence", "a sequence of words"),
)


class Workbench:
    """Model, input and target of one page; ids are `<page>-<part>`."""

    def __init__(self, page: str, targets: bool = True) -> None:
        self.page, self.targets = page, targets
        self.picker = ModelPicker(page)
        self.predicting = JobPanel(page, "predict", "Asking the model", tell=False)  # told at the input, see `answered`
        self.generation = Generation(page)
        self.card, self.input, self.aim = self.picker.card, f"{page}-input", f"{page}-aim"
        self.prediction = f"{page}-prediction"

    def id(self, part: str) -> str:
        """The id of one part of this workbench."""
        return f"{self.page}-{part}"

    def layout(self, query: Mapping[str, Any]) -> html.Div:
        """The workbench as the link `query` left it."""
        first, second, kind = _aims(query)
        linked = {**inputs.linked_of(query), "aim": kind != "own"}
        stores = [dcc.Store(id=i) for i in (self.card, self.input, self.prediction, self.aim)]
        return html.Div(
            [
                *stores,
                dcc.Store(id=self.id("linked"), data=linked),
                html.Section(
                    [html.H2("Model"), *self.picker.parts(self.picker.wanted(query))],
                    className="panel",
                    **_named("Model"),
                ),
                html.Section(
                    [
                        html.H2("What the model answers"),
                        self.predicting.parts(),
                        html.Div(id=self.id("answers"), className="answers"),
                        html.Div(self._target_parts(first, second, kind), id=self.id("aims"), className="d-none"),
                    ],
                    className="panel",
                    **_named("Answer"),
                ),
                html.Section([html.H2("Input"), *self._input_parts()], className="panel", **_named("Input")),
            ],
            className="workbench",
        )

    def _input_parts(self) -> list[Any]:
        return [
            html.Div(id=self.id("examples"), className="examples", role="group", **_named("Examples")),
            html.Div(self._image_parts(), id=self.id("image-area"), className="d-none"),
            html.Div(self._text_parts(), id=self.id("text-area"), className="d-none"),
            html.Div(id=self.id("note"), className="note"),
            html.Div(id=self.id("problem"), role="alert", className="problem"),
            self.generation.parts(),
        ]

    def _image_parts(self) -> list[Any]:
        return [
            html.Div(id=self.id("picture"), className="bench-picture"),
            dcc.Upload(
                html.Span("Choose an image, or drop it here", className="upload-words"),
                id=self.id("upload"),
                max_size=-1,
                accept="image/*",
                className="upload",
            ),
            html.Div("It stays on this machine.", className="hint"),
        ]

    def _text_parts(self) -> list[Any]:
        beside = [
            html.Label("Second text", id=self.id("second-label"), htmlFor=self.id("second"), className="form-label"),
            dbc.Textarea(id=self.id("second"), rows=2, spellcheck=False),
            html.Div(id=self.id("second-hint"), className="hint"),
        ]
        return [
            html.Label("Text", id=self.id("text-label"), htmlFor=self.id("text"), className="form-label"),
            dbc.Textarea(id=self.id("text"), rows=5, spellcheck=False),
            html.Div(beside, id=self.id("second-area"), className="d-none"),
            html.Div(
                [
                    dbc.Button("Use this text", id=self.id("apply"), size="sm", color="primary"),
                    dbc.Button(
                        "Swap the two", id=self.id("swap"), size="sm", color="secondary", outline=True,
                        class_name="d-none", title="Explain by the words of the other sentence",
                    ),
                    html.Span("Ctrl + Enter", className="hint"),
                    html.Span(id=self.id("length"), className="hint ms-auto"),
                ],
                className="apply-row",
            ),
        ]  # fmt: skip

    def _target_parts(self, first: str, second: str, kind: str) -> list[Any]:
        def field(part: str, label: str, value: str) -> html.Div:
            return html.Div(
                [
                    html.Label(label, htmlFor=self.id(part), className="form-label"),
                    dbc.Input(
                        id=self.id(part), value=value, debounce=True, list=self.id("known"), maxlength=400,
                        autocomplete="off",
                    ),
                ],
                id=self.id(f"{part}-area"),
                className="d-none",
            )  # fmt: skip

        return [
            html.Label("Explain", htmlFor=self.id("kind"), className="form-label mt-2"),
            dbc.Select(id=self.id("kind"), value=kind, options=_kinds(sequences=True)),
            field("target", "This answer", first),
            field("versus", "rather than", second),
            html.Datalist(id=self.id("known")),
        ]

    def register(self, app: Dash, engine: Engine) -> None:
        """Connect the parts: model → card → input → prediction → target."""
        self.predicting.register(app, engine)
        self._register_model(app, engine)
        self._register_input(app, engine)
        self._register_prediction(app, engine)
        self._register_target(app)
        self.generation.register(app, engine, self)

    def _register_model(self, app: Dash, engine: Engine) -> None:
        outputs = [
            Output(self.id("examples"), "children"),
            *[Output(self.id(f"{area}-area"), "className") for area in ("text", "image", "second")],
            Output(self.id("text-label"), "children"),
            Output(self.id("second-label"), "children"),
            Output(self.id("second-hint"), "children"),
            Output(self.id("swap"), "class_name"),
            Output(self.id("kind"), "options"),
            Output(self.id("aims"), "className"),
        ]

        def suit(card: Card | None) -> list[Any]:
            if card is None:
                return [no_update] * len(outputs)
            kinds = _kinds("next_token" in card["offers"])
            aims = "" if self.targets and takes_target(card) else "d-none"
            return [self.examples(card), *fields(card), kinds, aims]

        self.picker.register(app, engine, outputs, suit)

    def examples(self, card: Card) -> list[Any]:
        """One button an example: a thumbnail, or its short name."""
        pictures = "image" in inputs.reads(card)
        return [
            html.Button(
                [html.Img(src=example_thumbnail(card, i), alt=""), html.Span(e["name"])] if pictures else e["name"],
                id={"type": self.id("example"), "index": i},
                className="example",
                title=e.get("note", ""),
                type="button",
            )
            for i, e in enumerate(inputs.examples_of(card))
        ]

    def _register_input(self, app: Dash, engine: Engine) -> None:
        @app.callback(
            Output(self.input, "data"),
            Output(self.id("text"), "value"),
            Output(self.id("second"), "value"),
            Output(self.id("picture"), "children"),
            Output(self.id("note"), "children"),
            Output(self.id("problem"), "children"),
            Output(self.id("target"), "value"),
            Output(self.id("versus"), "value"),
            Output(self.id("kind"), "value"),
            Output(self.id("linked"), "data"),
            Input(self.card, "data"),
            Input({"type": self.id("example"), "index": ALL}, "n_clicks"),
            Input(self.id("apply"), "n_clicks"),
            Input(self.id("swap"), "n_clicks"),
            Input(self.id("upload"), "contents"),
            State(self.id("text"), "value"),
            State(self.id("second"), "value"),
            State(self.id("linked"), "data"),
            State(self.input, "data"),
            prevent_initial_call=True,
        )
        def give(
            card: Card | None,
            clicks: list[int | None],
            _apply: int | None,
            _swap: int | None,
            upload: Any,
            typed: Any,
            beside: Any,
            linked: Any,
            before: Any,
        ) -> Any:
            wanted = asked_for(self.page, list(ctx.triggered_prop_ids.values()), clicks) if card else None
            if card is None or wanted is None:
                return inputs.Shown()
            try:
                return inputs.given(engine, card, wanted, typed, beside, upload, linked, before)
            except Refused as refused:
                return inputs.Shown(problem=alert(str(refused)))

        @app.callback(
            Output(self.predicting.requests, "data"),
            Input(self.input, "data"),
            Input(self.card, "data"),
            prevent_initial_call=True,
        )
        def predict(given: PageInput | None, card: Card | None) -> Any:
            if given is None or not fits(card, given) or "answer" not in card["offers"]:
                return {}
            return {"answer": predict_request(card, given)}

        app.clientside_callback(
            ClientsideFunction("shell", "examples"),
            Output({"type": self.id("example"), "index": ALL}, "className"),
            Input(self.input, "data"),
            Input({"type": self.id("example"), "index": ALL}, "id"),
        )

    def _register_prediction(self, app: Dash, engine: Engine) -> None:
        """What the model answers, or why it does not."""

        @app.callback(
            Output(self.id("answers"), "children"),
            Output(self.id("known"), "children"),
            Output(self.prediction, "data"),
            Output(self.id("length"), "children"),
            Output(self.id("problem"), "children", allow_duplicate=True),
            Input(self.predicting.answers, "data"),
            State(self.card, "data"),
            State(self.input, "data"),
            prevent_initial_call=True,
        )
        def answered(answers: Answers | None, card: Card | None, given: PageInput | None) -> Any:
            key = answer_keys(answers).get("answer")
            if not key or not card:
                why = reasons(answers).get("answer")
                told = alert(in_words(why)) if why else no_update
                return unanswered(card, given) if not why else [], no_update, None, "", told
            found = engine.store.get_document(key)
            choices = found["prediction"]
            known = card["labels"] or [c["label"] for c in choices]
            size = len(found.get("tokens") or [])
            length = f"{size} of at most {card['limit']} tokens" if card.get("limit") else f"{size} tokens"
            shown = similarity(found) or self._bars(choices) or unanswered(card, given, asked=True)
            return shown, [html.Option(value=str(k)) for k in known[:1000]], found, length if size else "", no_update

    def _register_target(self, app: Dash) -> None:
        """Which answer is explained: by a click on one, or by the fields."""

        @app.callback(
            Output(self.id("target"), "value", allow_duplicate=True),
            Output(self.id("kind"), "value", allow_duplicate=True),
            Input({"type": self.id("answer"), "label": ALL}, "n_clicks"),
            State(self.id("kind"), "value"),
            prevent_initial_call=True,
        )
        def pick(clicks: list[int | None], kind: Any) -> Any:
            if not any(clicks) or not ctx.triggered_id:
                return no_update, no_update
            return ctx.triggered_id["label"], kind if kind == "pair" else "one"

        @app.callback(
            Output(self.aim, "data"),
            Output(self.id("target-area"), "className"),
            Output(self.id("versus-area"), "className"),
            Output(self.id("target"), "value", allow_duplicate=True),
            Output(self.id("versus"), "value", allow_duplicate=True),
            Input(self.id("target"), "value"),
            Input(self.id("versus"), "value"),
            Input(self.id("kind"), "value"),
            Input(self.card, "data"),
            State(self.prediction, "data"),
            prevent_initial_call="initial_duplicate",
        )
        def aim(target: Any, versus: Any, kind: Any, card: Card | None, prediction: Any) -> Any:
            target, versus = proposed(kind, target, versus, prediction)
            shown = ("d-none" if kind == "own" else "mt-2"), ("mt-2" if kind == "pair" else "d-none")
            wanted = target_of(kind, target, versus) if not card or takes_target(card) else None
            return wanted, *shown, target, versus

        app.clientside_callback(
            ClientsideFunction("shell", "answers"),
            Output({"type": self.id("answer"), "label": ALL}, "className"),
            Input(self.aim, "data"),
            Input({"type": self.id("answer"), "label": ALL}, "id"),
        )

    def _bars(self, choices: list[dict[str, Any]]) -> list[Any]:
        """The likeliest answers as buttons with their probability; a click explains that answer."""
        return [
            html.Button(
                [
                    html.Span(className="answer-bar", style={"width": f"{100 * c['probability']:.1f}%"}),
                    html.Span(visible(c["label"]), className="answer-label"),
                    html.Span(percent(c["probability"]), className="answer-number"),
                ],
                id={"type": self.id("answer"), "label": c["label"]},
                className="answer",
                type="button",
                title=f"Explain “{visible(c['label'])}”: probability {c['probability']:.4f}, logit {c['logit']:.2f}",
            )
            for c in choices[:6]
        ]


def asked_for(page: str, triggers: list[Any], clicks: list[Any]) -> str | int | None:
    """Which input the person wants: `text`, `swap`, `image`, an example by number, or `card`: the model changed."""
    examples = [t["index"] for t in triggers if isinstance(t, dict)]
    if examples and any(clicks):
        return examples[0]
    for part, wanted in (("apply", "text"), ("swap", "swap"), ("upload", "image")):
        if f"{page}-{part}" in triggers:
            return wanted
    return "card" if f"{page}-card" in triggers else None


def fields(card: Card) -> list[Any]:
    """How the input panel suits the model: the classes of three areas, three labels and the class of a button."""
    wanted, beside = inputs.reads(card), inputs.second(card)
    areas = [
        "" if "text" in wanted else "d-none",
        "" if "image" in wanted else "d-none",
        "mt-2" if beside else "d-none",
    ]
    label = "Captions, one a line" if "image" in wanted else {"pair": "First sentence"}.get(beside, "Text")
    hint = "What its decoder has written already; empty: it has not begun." if beside == "output" else ""
    return [*areas, label, inputs.SECOND.get(beside, ""), hint, "" if beside == "pair" else "d-none"]


def takes_target(card: Card) -> bool:
    """Whether the model has answers to choose from: neither an encoder nor a similarity has."""
    return "answer" in card["offers"] and "pair" not in card["offers"]


def unanswered(card: Any, given: Any, asked: bool = False) -> list[Any]:
    """A sentence where no answer is shown: what is still to be given, or that the model gives none."""
    if not card:
        return []
    if "answer" not in card["offers"]:
        told = "This model only encodes: it has no answer that could be explained. Its inside is still there to see."
    elif asked and "masked_token" in card["offers"]:
        told = "Put the model's mask, such as [MASK] or <mask>, into the text where it should guess a word."
    else:
        told = inputs.guidance(card, given)
    return [html.Div(told, className="hint")] if told else []


def similarity(found: Mapping[str, Any]) -> list[Any]:
    """The number that a comparison of two sentences gives; empty for any other answer."""
    value = found.get("output")
    if value is None:
        return []
    return [
        html.Div(
            [
                html.Span(className="answer-bar", style={"width": f"{100 * max(value, 0):.1f}%"}),
                html.Span("similarity", className="answer-label"),
                html.Span(f"{value:.3f}".replace("-", "−"), className="answer-number"),
            ],
            className="answer",
        ),
        html.Div(
            "Cosine of the two sentences' vectors: 1 the same direction, 0 unrelated, −1 opposite.", className="hint"
        ),
    ]


def proposed(kind: Any, target: Any, versus: Any, prediction: Any) -> tuple[Any, Any]:
    """Target and versus, filled in from the prediction where the kind asks for one that is empty."""
    labels = [c["label"] for c in (prediction or {}).get("prediction", [])]
    if kind in ("one", "pair") and not target and labels:
        target = next((x for x in labels if x != versus), target)
    if kind == "pair" and not versus and labels:
        versus = next((x for x in labels if x != target), versus)
    return target, versus


def target_of(kind: str | None, target: str | None, versus: str | None) -> Any:
    """The target as the door takes it: None, a name, a pair or a sequence."""
    if not target or kind == "own":
        return None
    if kind == "sequence":
        return {"sequence": target}
    if kind == "pair" and versus:
        return [target, versus]
    return target


def link_params(card: Card, given: PageInput, aim: Any) -> dict[str, str]:
    """What a link carries of the workbench: model, input (or its text) and target; see `Workbench.layout`."""
    params = {"model": card["name"], **inputs.link_of(given)}
    if isinstance(aim, dict):
        return {**params, "sequence": aim["sequence"]}
    return {**params, **({"target": "|".join(aim) if isinstance(aim, list) else str(aim)} if aim else {})}


def _aims(query: Mapping[str, Any]) -> tuple[str, str, str]:
    """Target, versus and kind as a link names them."""
    sequence, target = link.text(query, "sequence", most=400), link.text(query, "target", most=400)
    if sequence:
        return sequence, "", "sequence"
    first, bar, second = target.partition("|")
    if not bar or not first or not second:
        return target, "", "one" if target else "own"
    return first, second, "pair"


def _kinds(sequences: bool) -> list[dict[str, str]]:
    return [{"label": words, "value": kind} for kind, words in AIMS if sequences or kind != "sequence"]


def predict_request(card: Card, given: PageInput) -> dict[str, Any]:
    """The job that asks the model what it answers."""
    return Predict(model=card["name"], revision=card["revision"], input=given["digest"]).plain()


def run_request(card: Card, given: PageInput, method: str, options: Mapping[str, Any], target: Any) -> dict[str, Any]:
    """The job that computes `method`, its options checked and completed. Raises `Refused`."""
    entry = registry.method(method)
    return Run(
        model=card["name"],
        revision=card["revision"],
        method=method,
        options=entry.build(options).options(),
        input=given["digest"],
        target=target if entry.needs_target else None,
    ).plain()


def check_request(card: Card, method: str) -> dict[str, Any]:
    """The job that finds out whether `method` is valid on the model."""
    return Check(model=card["name"], revision=card["revision"], method=method).plain()


def _named(name: str) -> dict[str, str]:
    return {"aria-label": name}
