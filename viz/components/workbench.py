"""The left side of every analysis page: which model, which input, what it answers, which answer is explained.

A page lists `Workbench(page).layout(query)` and reads `card`, `input` and `aim`, three stores:
the opened model's card; `{"digest", "text", "example"}` of the input; and the target as the door takes it.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import dash_bootstrap_components as dbc
from dash import ALL, ClientsideFunction, Dash, Input, Output, State, ctx, dcc, html, no_update

from backends import catalog, registry
from backends.engine import Engine
from backends.errors import Refused
from backends.images import FORMATS, MOST_BYTES, open_image
from backends.results import VERSION
from viz.components import query as link
from viz.components.jobs import Slot
from viz.figures._words import visible

OTHER = "…"
"""The model picker's entry that asks for a hub id or a folder."""
AIMS = (
    ("own", "the model's own answer"),
    ("one", "an answer I choose"),
    ("pair", "one answer rather than another"),
    ("sequence", "a sequence of words"),
)
CARRIED = 600
"""Characters of a text that its link carries itself, so that the link works on another machine too."""


class Workbench:
    """Model, input and target of one page; ids are `<page>-<part>`."""

    def __init__(self, page: str, targets: bool = True) -> None:
        self.page, self.targets = page, targets
        self.opening = Slot(page, "open", "Opening the model")
        self.predicting = Slot(page, "predict", "Asking the model")
        self.card, self.input, self.aim = f"{page}-card", f"{page}-input", f"{page}-aim"
        self.prediction = f"{page}-prediction"

    def id(self, part: str) -> str:
        """The id of one part of this workbench."""
        return f"{self.page}-{part}"

    def layout(self, query: Mapping[str, Any]) -> html.Div:
        """The workbench as the link `query` left it."""
        first, second, kind = _aims(query)
        linked = {"input": link.digest(query), "text": link.text(query, "text"), "aim": kind != "own"}
        stores = [dcc.Store(id=i) for i in (self.card, self.input, self.prediction, self.aim)]
        return html.Div(
            [
                *stores,
                dcc.Store(id=self.id("linked"), data=linked),
                html.Section([html.H2("Model"), *self._model_parts(query)], className="panel", **_named("Model")),
                html.Section([html.H2("Input"), *self._input_parts()], className="panel", **_named("Input")),
                html.Section(
                    [
                        html.H2("What the model answers"),
                        self.predicting.parts(),
                        html.Div(id=self.id("answers"), className="answers"),
                        html.Div(self._target_parts(first, second, kind), className="" if self.targets else "d-none"),
                    ],
                    className="panel",
                    **_named("Answer"),
                ),
            ],
            className="workbench",
        )

    def _model_parts(self, query: Mapping[str, Any]) -> list[Any]:
        cards = catalog.bundled()
        names = [c["name"] for c in cards]
        model = link.text(query, "model", names[0] if names else OTHER, most=300)
        options = [{"label": c.get("title", c["name"]), "value": c["name"]} for c in cards]
        options.append({"label": "Another model: hub id or folder …", "value": OTHER})
        known = model in names
        return [
            html.Label("Which model", htmlFor=self.id("model"), className="form-label"),
            dbc.Select(id=self.id("model"), value=model if known else OTHER, options=options),
            html.Div(
                [
                    html.Label("Hub id or folder", htmlFor=self.id("other"), className="form-label"),
                    dbc.Input(
                        id=self.id("other"), value="" if known or model == OTHER else model, debounce=True,
                        placeholder="gpt2 · google/vit-base-patch16-224 · ~/my-model", maxlength=300,
                    ),
                    html.Div("Enter opens it. Only safetensors are read; no code of it is run.", className="hint"),
                ],
                id=self.id("other-area"),
                className="d-none" if known else "mt-2",
            ),
            self.opening.parts(),
            html.Div(id=self.id("about"), className="about"),
        ]  # fmt: skip

    def _input_parts(self) -> list[Any]:
        return [
            html.Div(id=self.id("examples"), className="examples", role="group", **_named("Examples")),
            html.Div(
                [
                    html.Label("Text", htmlFor=self.id("text"), className="form-label"),
                    dbc.Textarea(id=self.id("text"), rows=5, spellcheck=False),
                    html.Div(
                        [
                            dbc.Button("Use this text", id=self.id("apply"), size="sm", color="primary"),
                            html.Span("Ctrl + Enter", className="hint"),
                            html.Span(id=self.id("length"), className="hint ms-auto"),
                        ],
                        className="apply-row",
                    ),
                ],
                id=self.id("text-area"),
                className="d-none",
            ),
            html.Div(
                [
                    html.Div(id=self.id("picture"), className="bench-picture"),
                    dcc.Upload(
                        html.Span("Choose an image, or drop it here", className="upload-words"),
                        id=self.id("upload"),
                        max_size=-1,
                        accept="image/*",
                        className="upload",
                    ),
                    html.Div("It stays on this machine.", className="hint"),
                ],
                id=self.id("image-area"),
                className="d-none",
            ),
            html.Div(id=self.id("note"), className="note"),
            html.Div(id=self.id("problem"), role="alert", className="problem"),
        ]

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
        self.opening.register(app, engine)
        self.predicting.register(app, engine)
        self._register_model(app, engine)
        self._register_input(app, engine)
        self._register_target(app, engine)

    def _register_model(self, app: Dash, engine: Engine) -> None:
        @app.callback(
            Output(self.opening.requests, "data"),
            Output(self.id("about"), "children"),
            Output(self.id("other-area"), "className"),
            Input(self.id("model"), "value"),
            Input(self.id("other"), "value"),
        )
        def choose(model, other):  # type: ignore[no-untyped-def]
            shown = "mt-2" if model == OTHER else "d-none"
            name = (other or "") if model == OTHER else model
            if model == OTHER and not name.strip():
                return no_update, no_update, shown
            try:
                source = catalog.resolve(name or "")
            except Refused as refused:
                return {}, alert(str(refused)), shown
            return {"model": open_request(source)}, [], shown

        @app.callback(
            Output(self.card, "data"),
            Output(self.id("about"), "children", allow_duplicate=True),
            Output(self.id("examples"), "children"),
            Output(self.id("text-area"), "className"),
            Output(self.id("image-area"), "className"),
            Output(self.id("kind"), "options"),
            Input(self.opening.answers, "data"),
            prevent_initial_call=True,
        )
        def opened(answers):  # type: ignore[no-untyped-def]
            key = (answers or {}).get("keys", {}).get("model")
            if not key:
                return None, *[no_update] * 5
            card = engine.store.get_document(key)
            pixels = "pixels" in card["offers"]
            areas = ("d-none", "") if pixels else ("", "d-none")
            return card, about(card), self.examples(card), *areas, _kinds("next_token" in card["offers"])

    def examples(self, card: Mapping[str, Any]) -> list[Any]:
        """One button an example: a thumbnail, or its short name."""
        return [
            html.Button(
                [html.Img(src=example_image(card, i), alt=""), html.Span(e["name"])]
                if "image" in card["task"]
                else e["name"],
                id={"type": self.id("example"), "index": i},
                className="example",
                title=e.get("note", ""),
                type="button",
            )
            for i, e in enumerate(examples_of(card))
        ]

    def _register_input(self, app: Dash, engine: Engine) -> None:
        @app.callback(
            Output(self.input, "data"),
            Output(self.id("text"), "value"),
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
            Input(self.id("upload"), "contents"),
            State(self.id("text"), "value"),
            State(self.id("linked"), "data"),
            State(self.input, "data"),
            prevent_initial_call=True,
        )
        def give(card, clicks, _apply, upload, typed, linked, before):  # type: ignore[no-untyped-def]
            if not card:
                return [no_update] * 9
            wanted = asked_for(self.page, list(ctx.triggered_prop_ids.values()), clicks)
            if wanted is None:
                return [no_update] * 9
            try:
                return given(engine, card, wanted, typed=typed, upload=upload, linked=linked, before=before)
            except Refused as refused:
                return *[no_update] * 4, alert(str(refused)), *[no_update] * 4

        @app.callback(
            Output(self.predicting.requests, "data"),
            Input(self.input, "data"),
            Input(self.card, "data"),
            prevent_initial_call=True,
        )
        def predict(given, card):  # type: ignore[no-untyped-def]
            there = fits(card, given) and "answer" in card["offers"]
            return {"answer": predict_request(card, given)} if there else {}

        app.clientside_callback(
            ClientsideFunction("shell", "examples"),
            Output({"type": self.id("example"), "index": ALL}, "className"),
            Input(self.input, "data"),
            Input({"type": self.id("example"), "index": ALL}, "id"),
        )

    def _register_target(self, app: Dash, engine: Engine) -> None:
        @app.callback(
            Output(self.id("answers"), "children"),
            Output(self.id("known"), "children"),
            Output(self.prediction, "data"),
            Output(self.id("length"), "children"),
            Input(self.predicting.answers, "data"),
            State(self.card, "data"),
            prevent_initial_call=True,
        )
        def answered(answers, card):  # type: ignore[no-untyped-def]
            key = (answers or {}).get("keys", {}).get("answer")
            if not key or not card:
                mute = card and "answer" not in card["offers"]
                told = html.Div("This model only encodes: it has no answer that could be explained.", className="hint")
                return told if mute else [], no_update, None, ""
            found = engine.store.get_document(key)
            choices = found["prediction"]
            known = card["labels"] or [c["label"] for c in choices]
            size = len(found.get("tokens") or [])
            length = f"{size} of at most {card['limit']} tokens" if card.get("limit") else f"{size} tokens"
            return self._bars(choices), [html.Option(value=str(k)) for k in known[:1000]], found, length if size else ""

        @app.callback(
            Output(self.id("target"), "value", allow_duplicate=True),
            Output(self.id("kind"), "value", allow_duplicate=True),
            Input({"type": self.id("answer"), "label": ALL}, "n_clicks"),
            State(self.id("kind"), "value"),
            prevent_initial_call=True,
        )
        def pick(clicks, kind):  # type: ignore[no-untyped-def]
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
            State(self.prediction, "data"),
            prevent_initial_call="initial_duplicate",
        )
        def aim(target, versus, kind, prediction):  # type: ignore[no-untyped-def]
            target, versus = proposed(kind, target, versus, prediction)
            shown = ("d-none" if kind == "own" else "mt-2"), ("mt-2" if kind == "pair" else "d-none")
            return target_of(kind, target, versus), *shown, target, versus

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
    """Which input the person wants: `text`, `image`, an example by number, or `card` when the model changed."""
    examples = [t["index"] for t in triggers if isinstance(t, dict)]
    if examples and any(clicks):
        return examples[0]
    if f"{page}-apply" in triggers:
        return "text"
    if f"{page}-upload" in triggers:
        return "image"
    return "card" if f"{page}-card" in triggers else None


def given(
    engine: Engine, card: Mapping[str, Any], wanted: str | int, typed: Any = "", upload: Any = None, linked: Any = None,
    before: Any = None,
) -> tuple[Any, ...]:  # fmt: skip
    """The workbench's outputs for the input that is wanted; nothing typed is lost by what raises `Refused`.

    Input, text, picture, note, problem, target, versus, kind of target, and what is left of the link.
    """
    if isinstance(wanted, int):
        return *_example(engine, card, wanted), None
    if wanted == "text":
        return *_shown(card, _text(engine, card, typed)), *[no_update] * 4
    if wanted == "image":
        return *_shown(card, _image(engine, card, upload)), *[no_update] * 4
    linked = linked or {}
    if linked.get("input") or linked.get("text"):
        return *_shown(card, _linked(engine, card, linked)), *[no_update] * 3, None
    if fits(card, before) and _kept(card, before):
        return *_shown(card, _recognised(engine, card, before)), *[no_update] * 4
    if examples_of(card):
        shown = _example(engine, card, card.get("cover", 0))
        return (*shown[:5], *[no_update] * 3, None) if linked.get("aim") else (*shown, None)
    return None, no_update, [], [], [], *[no_update] * 3, None


def _example(engine: Engine, card: Mapping[str, Any], index: int) -> tuple[Any, ...]:
    there = examples_of(card)
    if not 0 <= index < len(there):
        raise Refused(f"{card['name']} has {len(there)} examples, not one numbered {index}")
    example = there[index]
    chosen: dict[str, Any] = {"digest": _digest(engine, card, example), "example": index}
    if "image" not in card["task"]:
        chosen["text"] = example["input"]
    target = example.get("target")
    aims = (target[0], target[1], "pair") if isinstance(target, list) and len(target) == 2 else ("", "", "own")
    return *_shown(card, chosen), *aims


def _shown(card: Mapping[str, Any], chosen: dict[str, Any]) -> tuple[Any, ...]:
    """Input, text, picture, note and problem once `chosen` is the input."""
    picture = [] if "text" in chosen else html.Img(src=f"/inputs/{chosen['digest']}", alt="The input image")
    return chosen, chosen.get("text", no_update), picture, _note(card, chosen), []


def _note(card: Mapping[str, Any], chosen: Mapping[str, Any]) -> list[Any]:
    """What is known of an example: its truth, and what to look for."""
    index = chosen.get("example")
    there = examples_of(card)
    if index is None or not 0 <= index < len(there):
        return []
    example = there[index]
    truth = [html.Span(["True answer: ", html.B(example["label"]), ". "])] if example.get("label") else []
    return [*truth, example.get("note", "")]


def _text(engine: Engine, card: Mapping[str, Any], typed: Any) -> dict[str, Any]:
    if not isinstance(typed, str) or not typed.strip():
        raise Refused("the text is empty; type a sentence, or pick an example")
    limit = card.get("limit")
    if limit and len(typed) > 200 * limit:
        raise Refused(f"the text has {len(typed)} characters; {card['name']} reads at most {limit} tokens")
    return _recognised(engine, card, {"digest": engine.store.put_input({"text": typed}), "text": typed})


def _image(engine: Engine, card: Mapping[str, Any], upload: Any) -> dict[str, Any]:
    if not isinstance(upload, str) or "," not in upload:
        raise Refused(f"no image came; Vitrine reads {', '.join(FORMATS)} up to {MOST_BYTES >> 20} MB")
    try:
        data = base64.b64decode(upload.split(",", 1)[1], validate=True)
    except ValueError:
        raise Refused("the upload broke off; try again") from None
    open_image(data)
    return _recognised(engine, card, {"digest": engine.store.put_input({"image": data})})


def _linked(engine: Engine, card: Mapping[str, Any], linked: Mapping[str, Any]) -> dict[str, Any]:
    """The input that a link names: its text, an example by its digest, or what is kept on this machine."""
    if linked.get("text") and "pixels" not in card["offers"]:
        return _text(engine, card, linked["text"])
    chosen = _recognised(engine, card, {"digest": linked.get("input")})
    if "example" in chosen:
        return chosen
    try:
        raw = engine.store.get_input(linked["input"])
    except Refused:
        raise Refused("the input of this link is not kept on this machine; pick an example, or give it again") from None
    if "text" in raw:
        chosen["text"] = raw["text"]
    if not fits(card, chosen):
        raise Refused(f"the input of this link is not one that {card['name']} reads; pick an example, or give another")
    return chosen


def _kept(card: Mapping[str, Any], before: Mapping[str, Any]) -> bool:
    """Whether an input outlives a change of model: images and own texts do, another model's example text does not."""
    return "text" not in before or before.get("example") is None or not examples_of(card)


def _recognised(engine: Engine, card: Mapping[str, Any], chosen: Mapping[str, Any]) -> dict[str, Any]:
    """`chosen`, and which example of the model it is, if it is one: then its truth is known."""
    plain = {k: v for k, v in chosen.items() if k != "example"}
    for index, example in enumerate(examples_of(card)):
        if _digest(engine, card, example) == plain["digest"]:
            return {**plain, "example": index, **({} if "image" in card["task"] else {"text": example["input"]})}
    return plain


def _digest(engine: Engine, card: Mapping[str, Any], example: Mapping[str, Any]) -> str:
    image = "image" in card["task"]
    return engine.store.put_input({"image": _bundled(card) / example["input"]} if image else {"text": example["input"]})


def _bundled(card: Mapping[str, Any]) -> Any:
    return catalog.BUNDLED / str(card["name"]).removeprefix("bundled/")


def examples_of(card: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The examples that ship with the model; never those that a browser's copy of the card may claim."""
    return catalog.card(str(card.get("name"))).get("examples", [])


def example_of(card: Mapping[str, Any], chosen: Mapping[str, Any]) -> Mapping[str, Any]:
    """The shipped example that an input is, with its `truth` and `note`; empty for any other input."""
    index, there = chosen.get("example"), examples_of(card)
    return there[index] if isinstance(index, int) and 0 <= index < len(there) else {}


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


def link_params(card: Mapping[str, Any], given: Mapping[str, Any], aim: Any) -> dict[str, str]:
    """What a link carries of the workbench: model, input (or its text) and target; see `Workbench.layout`."""
    short = given.get("text") if len(given.get("text") or "") <= CARRIED else None
    params = {"model": card["name"], **({"text": short} if short else {"input": given["digest"]})}
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


def open_request(source: catalog.Source) -> dict[str, Any]:
    """The job that opens `source`."""
    return {"job": "open", "model": source.name, "revision": source.revision, "version": VERSION}


def predict_request(card: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """The job that asks the model what it answers."""
    named = {"model": card["name"], "revision": card["revision"], "input": given["digest"]}
    return {"job": "predict", **named, "version": VERSION}


def run_request(
    card: Mapping[str, Any], given: Mapping[str, Any], method: str, options: Mapping[str, Any], target: Any
) -> dict[str, Any]:
    """The job that computes `method`, its options checked and completed. Raises `Refused`."""
    entry = registry.method(method)
    return {
        "job": "run",
        "model": card["name"],
        "revision": card["revision"],
        "method": method,
        "options": entry.build(options).options(),
        "input": given["digest"],
        "target": target if entry.needs_target else None,
        "version": VERSION,
    }


def check_request(card: Mapping[str, Any], method: str) -> dict[str, Any]:
    """The job that finds out whether `method` is valid on the model."""
    return {"job": "check", "model": card["name"], "revision": card["revision"], "method": method, "version": VERSION}


def offered(card: Mapping[str, Any], question: str) -> dict[str, Any]:
    """The methods that answer `question` on the model of `card`, by name."""
    there = set(card["offers"])
    return {n: m for n, m in registry.entries("methods").items() if m.question == question and m.needs <= there}


def withheld(card: Mapping[str, Any], question: str) -> dict[str, str]:
    """The methods of `question` that this model cannot have, by name, and why."""
    there, why = set(card["offers"]), card.get("withdrawn", {})
    found = {}
    for name, entry in registry.entries("methods").items():
        missing = sorted(entry.needs - there)
        if entry.question == question and missing:
            told = "; ".join(why[m] for m in missing if m in why)
            found[name] = told or f"needs {', '.join(missing).replace('_', ' ')}, which this model does not give"
    return found


def about(card: Mapping[str, Any]) -> list[Any]:
    """What is to be known of the opened model: its purpose, its size, its limits and its warnings."""
    size = card["parameters"]
    parts = [f"{size / 1e6:.3g} M parameters" if size >= 1e5 else f"{size:,} parameters"]
    parts += [f"{card['layers']} layers"] if card.get("layers") else []
    parts += [f"{card['heads']} heads"] if card.get("heads") else []
    lines = [html.Div(card["summary"])] if card.get("summary") else []
    lines.append(html.Div(" · ".join([card["name"], *parts, f"on {card['device']}"]), className="hint"))
    lines += [html.Div(text, className="hint") for text in card.get("limits", [])[:1]]
    return lines + [alert(w) for w in card.get("warnings", [])]


def alert(sentence: str) -> dbc.Alert:
    """A sentence to the person, as text."""
    return dbc.Alert(sentence, color="warning", class_name="told")


def percent(probability: float) -> str:
    """A probability as a person reads it; never 100 % for what is not certain."""
    if 0.9995 <= probability < 1:
        return "> 99.9 %"
    return f"{100 * probability:.1f} %" if probability >= 0.001 else "< 0.1 %"


def example_image(card: Mapping[str, Any], index: int) -> str:
    """The address of an example's picture."""
    return f"/examples/{str(card['name']).removeprefix('bundled/')}/{index}"


def fits(card: Any, given: Any) -> bool:
    """Whether there is an input of the kind that the model reads."""
    return bool(card and given and given.get("digest")) and ("text" in given) != ("pixels" in card["offers"])


def _named(name: str) -> dict[str, str]:
    return {"aria-label": name}
