"""The corrupted input beside the clean one: how it is made, and which token stands opposite which.

The store `causal-pair` holds `of` (the clean input's digest), `digest` (of the two together), `corrupted`, and either
the `text` that was typed or the `recipe` by which a button made it; the link carries one of these.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import dash_bootstrap_components as dbc
from dash import ClientsideFunction, Dash, Input, Output, State, ctx, dcc, html, no_update

from backends.engine import Engine
from backends.errors import Refused
from backends.results import VERSION
from viz.components import inputs, query
from viz.components.inputs import fits
from viz.components.jobs import Slot
from viz.components.workbench import Workbench, alert, predict_request
from viz.figures._words import percent, visible

PAGE = "causal"
PAIR, SPAN, BESIDE = "causal-pair", "causal-span", "causal-beside"
MOST = 400
"""Tokens that the alignment shows."""
FIRST = "first"
"""The name of a corruption that nobody asked for: the page makes one to begin with."""
BUTTONS = {
    "swap": ("Swap a name", "The last name that stands twice becomes another; two chosen tokens change places"),
    "resample": ("Resample words", "The chosen tokens, or one in three, become other words of the text"),
    "blur": ("Blur", "The chosen patches, or the whole picture, are smoothed"),
    "noise": ("Noise", "The chosen patches, or the whole picture, get grey noise"),
}
WAYS = tuple(BUTTONS)


class Opposite:
    """The panel with the corrupted input; its jobs make it and ask the model about both."""

    def __init__(self, bench: Workbench) -> None:
        self.bench = bench
        self.making = Slot(PAGE, "pair-making", "Making the corrupted input")
        self.asking = Slot(PAGE, "pair-asking", "Asking the model about both")

    def parts(self, link: Mapping[str, Any]) -> html.Section:
        """The panel as the link left it."""
        buttons = [
            dbc.Button(words, id=f"causal-pair-{how}", size="sm", color="secondary", outline=True, title=told)
            for how, (words, told) in BUTTONS.items()
        ]
        word = dbc.Input(id="causal-pair-word", size="sm", maxlength=60, placeholder="by this word", debounce=True)
        typed = [
            html.Label("Corrupted text", htmlFor="causal-pair-text", className="form-label"),
            dbc.Textarea(id="causal-pair-text", rows=2, spellcheck=False),
            html.Div(
                dbc.Button("Compare with it", id="causal-pair-use", size="sm", color="primary"), className="apply-row"
            ),
        ]
        return html.Section(
            [
                html.H2("Clean against corrupted"),
                html.P(
                    "Two inputs that differ in one thing and have different answers: what carries the difference is "
                    "found by taking parts of one run into the other. Choose tokens or patches by clicking them.",
                    className="reading",
                ),
                dcc.Store(id=PAIR),
                dcc.Store(id=SPAN, data=span_of(link)),
                dcc.Store(id=BESIDE),
                dcc.Store(id="causal-pair-linked", data=linked(link)),
                html.Div([*buttons, html.Div(word, id="causal-pair-word-area")], className="opposite-buttons"),
                html.Div(typed, id="causal-pair-typed"),
                html.Div(id="causal-pair-problem", role="alert"),
                self.making.parts(),
                self.asking.parts(),
                html.Div(id="causal-pair-shown", className="opposite"),
                html.Div(["Tokens: ", html.Span(id="causal-span-words")], className="hint"),
            ],
            className="panel",
            id="causal-pair-panel",
            **{"aria-label": "Clean against corrupted"},
        )

    def register(self, app: Dash, engine: Engine) -> None:
        """Connect the buttons, the text and the jobs."""
        bench = self.bench
        self.making.register(app, engine)
        self.asking.register(app, engine)

        @app.callback(
            *[Output(f"causal-pair-{how}", "class_name") for how in BUTTONS],
            Output("causal-pair-typed", "className"),
            Output("causal-pair-word-area", "className"),
            Input(bench.card, "data"),
        )
        def offer(card):  # type: ignore[no-untyped-def]
            there = ways(card) if card else ()
            text = "" if card and "swap" in there else "d-none"
            return *["" if how in there else "d-none" for how in BUTTONS], text, text

        @app.callback(
            Output(self.making.requests, "data"),
            Output(PAIR, "data"),
            Output(SPAN, "data"),
            Output("causal-pair-problem", "children"),
            Output("causal-pair-linked", "data"),
            Input(bench.card, "data"),
            Input(bench.input, "data"),
            *[Input(f"causal-pair-{how}", "n_clicks") for how in BUTTONS],
            Input("causal-pair-use", "n_clicks"),
            State("causal-pair-text", "value"),
            State("causal-pair-word", "value"),
            State(SPAN, "data"),
            State(PAIR, "data"),
            State("causal-pair-linked", "data"),
            prevent_initial_call=True,
        )
        def make(card, given, *rest):  # type: ignore[no-untyped-def]
            clicks, (typed, word, span, before, wanted) = rest[: len(BUTTONS) + 1], rest[len(BUTTONS) + 1 :]
            asked = str(ctx.triggered_id or "").removeprefix("causal-pair-")
            seed = sum(c or 0 for c in clicks)
            try:
                return begun(engine, card, given, asked, typed, word, span or [], before, wanted, seed)
            except Refused as refused:
                return *[no_update] * 3, alert(str(refused)), no_update

        @app.callback(
            Output(PAIR, "data", allow_duplicate=True),
            Output(self.making.requests, "data", allow_duplicate=True),
            Input(self.making.answers, "data"),
            State(self.making.requests, "data"),
            State(bench.input, "data"),
            State(bench.card, "data"),
            prevent_initial_call=True,
        )
        def made(answers, requests, given, card):  # type: ignore[no-untyped-def]
            return arrived(engine, answers, requests or {}, given, card)

        @app.callback(
            Output(self.asking.requests, "data"),
            Input(PAIR, "data"),
            State(bench.card, "data"),
            prevent_initial_call=True,
        )
        def ask(pair, card):  # type: ignore[no-untyped-def]
            return {"both": predict_request(card, {"digest": pair["digest"]})} if pair and card else {}

        @app.callback(
            Output(BESIDE, "data"),
            Output("causal-pair-shown", "children"),
            Output("causal-pair-text", "value"),
            Input(self.asking.answers, "data"),
            Input(PAIR, "data"),
            State(bench.card, "data"),
            State(SPAN, "data"),
            prevent_initial_call=True,
        )
        def show(answers, pair, card, span):  # type: ignore[no-untyped-def]
            return beside(engine, answers, pair, card, span or [])

        app.clientside_callback(
            ClientsideFunction("causal", "pressed"),
            Output("causal-span-words", "children"),
            Input(SPAN, "data"),
            Input(BESIDE, "data"),
        )


def ways(card: Mapping[str, Any]) -> tuple[str, ...]:
    """How a corrupted input can be made for the model."""
    return ("blur", "noise") if "pixels" in card["offers"] else ("swap", "resample")


def span_of(link: Mapping[str, Any]) -> list[int]:
    """The chosen tokens as a link names them."""
    return [int(part) for part in query.values(link, "span", 400) if part.isdecimal() and len(part) < 7]


def linked(link: Mapping[str, Any]) -> dict[str, Any]:
    """What a link says of the corrupted input: its text, or how it was made."""
    text = query.text(link, "other", most=4000)
    try:
        recipe = json.loads(query.text(link, "made", most=4000) or "null")
    except ValueError:
        recipe = None
    if text:
        return {"text": text}
    return {"recipe": cleaned(recipe)} if isinstance(recipe, dict) and recipe.get("how") in WAYS else {}


def cleaned(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """A recipe with nothing in it but what a corruption takes."""
    tokens = recipe.get("tokens")
    found: dict[str, Any] = {"how": recipe["how"], "tokens": [t for t in tokens if type(t) is int] if tokens else []}
    if isinstance(recipe.get("word"), str) and recipe["word"].strip():
        found["word"] = recipe["word"].strip()[:60]
    if type(recipe.get("seed")) is int:
        found["seed"] = recipe["seed"]
    return found


def corrupt_request(card: Mapping[str, Any], given: Mapping[str, Any], recipe: Mapping[str, Any]) -> dict[str, Any]:
    """The job that makes a corrupted input of the page's."""
    named = {"model": card["name"], "revision": card["revision"], "input": given["digest"], "version": VERSION}
    return {"job": "corrupt", **named, **recipe}


def begun(
    engine: Engine, card: Any, given: Any, asked: str, typed: Any, word: Any, span: Sequence[int], before: Any,
    wanted: Any, seed: int,
) -> tuple[Any, Any, Any, Any, Any]:  # fmt: skip
    """Requests, pair, chosen tokens, no problem and what of the link is left, once a button or an input asks for them.

    `asked` is a way, `use` for the typed text, or names the input that changed.
    """
    if not fits(card, given) or "answer" not in card["offers"]:
        return {}, None, no_update, "", no_update
    if asked == "use":
        return {}, typed_pair(engine, card, given, typed), no_update, "", {}
    if asked in WAYS:
        recipe = cleaned({"how": asked, "tokens": list(span), "word": word if asked == "swap" else None,
                          "seed": seed if asked in ("resample", "noise") else None})  # fmt: skip
        return {"made": corrupt_request(card, given, recipe)}, no_update, no_update, "", {}
    if before and before.get("of") == given["digest"] and before.get("model") == card["name"]:
        return [no_update] * 5  # type: ignore[return-value]
    wanted = wanted if wanted and wanted.get("of", given["digest"]) == given["digest"] else {}
    kept = {**wanted, "of": given["digest"]}  # a link's corruption is of its own input only
    if wanted.get("text") and "pixels" not in card["offers"]:
        return {}, typed_pair(engine, card, given, wanted["text"]), no_update, "", kept
    if wanted.get("recipe"):
        return {"made": corrupt_request(card, given, wanted["recipe"])}, None, no_update, "", kept
    chosen = no_update if before is None else []  # the tokens of another input mean nothing here
    return {FIRST: corrupt_request(card, given, first_recipe(card))}, None, chosen, "", {}


def first_recipe(card: Mapping[str, Any]) -> dict[str, Any]:
    """What the page makes when nobody chose."""
    how = "blur" if "pixels" in card["offers"] else "swap" if "next_token" in card["offers"] else "resample"
    return {"how": how, "tokens": []}


def typed_pair(engine: Engine, card: Mapping[str, Any], given: Mapping[str, Any], typed: Any) -> dict[str, Any]:
    """The pair of the page's input and a text that was typed. Raises `Refused`."""
    if not isinstance(typed, str) or not typed.strip():
        raise Refused("the corrupted text is empty: type one, or press a button that makes one")
    clean, other = engine.store.get_input(given["digest"]), {"text": typed}
    digest = engine.store.put_input({"clean": clean, "corrupted": other})
    kept = {"corrupted": engine.store.put_input(other), "text": typed, "model": card["name"]}
    return {"of": given["digest"], "digest": digest, **kept}


def arrived(engine: Engine, answers: Any, requests: Mapping[str, Any], given: Any, card: Any) -> tuple[Any, Any]:
    """The pair that a job has made; or another try where nobody had asked for the one that failed."""
    keys, why = ((answers or {}).get(part, {}) for part in ("keys", "sentences"))
    name = next((n for n in (FIRST, "made") if n in keys), None)
    if name is None or name not in requests or not given or requests[name]["input"] != given.get("digest"):
        failed = requests.get(FIRST, {}).get("how") == "swap" and FIRST in why and why[FIRST] != "cancelled"
        if failed and card and given:
            return no_update, {FIRST: corrupt_request(card, given, {"how": "resample", "tokens": []})}
        return no_update, no_update
    told = engine.store.get_document(keys[name])
    recipe = {n: v for n, v in requests[name].items() if n in ("how", "tokens", "word", "seed")}
    pair = {"of": told["clean"], "digest": told["pair"], "corrupted": told["corrupted"], "recipe": recipe}
    return {**pair, "made_text": told.get("text"), "model": requests[name]["model"]}, no_update


def beside(engine: Engine, answers: Any, pair: Any, card: Any, span: Sequence[int]) -> tuple[Any, Any, Any]:
    """What is known of both inputs, how they are shown, and the corrupted text in its box."""
    text = (pair or {}).get("text") or (pair or {}).get("made_text") or ""
    key = (answers or {}).get("keys", {}).get("both")
    why = (answers or {}).get("sentences", {}).get("both")
    if not pair or not card:
        return None, [], ""
    if not key:
        return {"pair": pair["digest"], "failed": why} if why else None, [] if why else no_update, text
    told = engine.store.get_document(key)
    if not told.get("corrupted") or answers["asked"]["both"] != key:
        return None, [], text
    known = {
        "pair": pair["digest"],
        "tokens": told["tokens"],
        "other": told["corrupted"]["tokens"],
        "patches": told.get("patches"),
        "prediction": told["prediction"][:6],
    }
    return known, shown(pair, told, span), text


def shown(pair: Mapping[str, Any], told: Mapping[str, Any], span: Sequence[int]) -> list[Any]:
    """Both predictions, and the tokens opposite one another or the two pictures."""
    sides = (("Clean", told["prediction"]), ("Corrupted", told["corrupted"]["prediction"]))
    lines = [
        html.Div(
            [html.B(f"{name}: "), ", ".join(f"“{visible(c['label'])}” {percent(c['probability'])}" for c in p[:3])]
        )
        for name, p in sides
    ]
    picture = [pictures(pair, told.get("patches"), span)] if not told["tokens"] or told.get("patches") else []
    return [html.Div(lines, className="opposite-answers"), *(picture or [aligned(told, span)])]


def _answer(choice: Mapping[str, Any]) -> str:
    return f"“{visible(choice['label'])}” {percent(choice['probability'])}"


def aligned(told: Mapping[str, Any], span: Sequence[int]) -> html.Div:
    """Each clean token, a button, above the corrupted one."""
    pairs = list(zip(told["tokens"], told["corrupted"]["tokens"], strict=False))
    tokens = [
        html.Span(
            [
                html.Button(visible(a, 20), type="button", className="opposite-token", **_chosen(i, a, span)),
                html.Span(visible(b, 20) if a != b else "″", className="opposite-other"),
            ],
            className="opposite-pair differs" if a != b else "opposite-pair",
        )
        for i, (a, b) in enumerate(pairs[:MOST])
    ]
    more = [html.Span(f"… and {len(pairs) - MOST} more", className="hint")] if len(pairs) > MOST else []
    return html.Div(
        [*tokens, *more],
        className="opposite-tokens",
        role="group",
        **{"aria-label": "Clean tokens above corrupted ones; choose some for a corruption or for noise"},
    )


def pictures(pair: Mapping[str, Any], patches: Any, span: Sequence[int]) -> html.Div:
    """The clean picture with its patches to choose, and the corrupted one."""
    cells: list[Any] = []
    if patches:
        high, wide = patches["grid"]
        cells = [
            html.Button(
                "", type="button", **_chosen(patches["first"] + i, f"patch r{i // wide + 1} c{i % wide + 1}", span)
            )
            for i in range(high * wide)
        ]
    grid = {"gridTemplateColumns": f"repeat({patches['grid'][1]}, 1fr)"} if patches else {}
    clean = html.Div(
        [
            html.Img(src=f"/inputs/{pair['of']}", alt="The clean input"),
            html.Div(cells, className="opposite-patches", style=grid, role="group", **{"aria-label": "Patches"}),
        ],
        className="opposite-film",
    )
    other = html.Div(html.Img(src=f"/inputs/{pair['corrupted']}", alt="The corrupted input"), className="opposite-film")
    sides = (("clean", clean), ("corrupted", other))
    return html.Div([html.Figure([html.Figcaption(name), film]) for name, film in sides], className="opposite-pictures")


def _chosen(index: int, name: str, span: Sequence[int]) -> dict[str, str]:
    return {
        "data-token": str(index),
        "aria-pressed": str(index in span).lower(),
        "aria-label": f"{visible(name)}, token {index}",
    }


def link_params(pair: Any, span: Sequence[int]) -> dict[str, Any]:
    """What a link carries of the corrupted input and the chosen tokens."""
    found: dict[str, Any] = {"span": ",".join(map(str, span or []))}
    if pair and pair.get("text") and len(pair["text"]) <= inputs.CARRIED:
        return {**found, "other": pair["text"]}
    usual: dict[str, Any] = {"tokens": []}
    recipe = {n: v for n, v in ((pair or {}).get("recipe") or {}).items() if usual.get(n) != v}
    return {**found, "made": recipe} if recipe else found
