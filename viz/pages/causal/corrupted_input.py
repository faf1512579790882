"""The corrupted input beside the clean one: how it is made, and which token stands opposite which.

The store `causal-pair` holds `of` (the clean input's digest), `digest` (of the two together), `corrupted`, and one of
these, which the link carries too: the `text` that was typed, the `recipe` by which a button made it, or the `picture`
that was chosen, an example's number or a digest.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import dash_bootstrap_components as dbc
from dash import ALL, ClientsideFunction, Dash, Input, Output, State, ctx, dcc, html, no_update

from backends import registry
from backends.errors import Refused
from backends.jobs.engine import Engine
from backends.models.card import Card
from backends.requests import Corrupt
from viz.components import inputs, links, offers
from viz.components.alerts import alert
from viz.components.inputs import PageInput, fits
from viz.components.job_panel import Answers, JobPanel, Requests, answer_keys, reasons
from viz.components.workbench import Workbench, predict_request
from viz.figures.words import percent, visible

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
        self.making = JobPanel(PAGE, "pair-making", "Making the corrupted input")
        self.asking = JobPanel(PAGE, "pair-asking", "Asking the model about both")

    def parts(self, link: Mapping[str, Any]) -> html.Section:
        """The panel as the link left it."""
        buttons = [
            dbc.Button(words, id=f"causal-pair-{how}", size="sm", color="secondary", outline=True, title=told)
            for how, (words, told) in BUTTONS.items()
        ]
        noise = dbc.Button(
            "Noise on tokens", id="causal-noise", size="sm", color="secondary", outline=True, class_name="d-none",
            title="Causal tracing: noise on the embeddings of the chosen tokens, or of those that differ",
        )  # fmt: skip
        word = dbc.Input(id="causal-pair-word", size="sm", maxlength=60, placeholder="by this word", debounce=True)
        typed = [
            html.Label("Corrupted text", htmlFor="causal-pair-text", className="form-label"),
            dbc.Textarea(id="causal-pair-text", rows=2, spellcheck=False),
            html.Div(
                dbc.Button("Compare with it", id="causal-pair-use", size="sm", color="primary"), className="apply-row"
            ),
        ]
        pictures = [
            html.Div("Or another picture:", className="hint"),
            html.Div(id="causal-pair-examples", className="opposite-examples", role="group",
                     **{"aria-label": "Other pictures"}),
            dcc.Upload(html.Span("Choose an image, or drop it here", className="upload-words"), id="causal-pair-upload",
                       max_size=-1, accept="image/*", className="upload opposite-upload"),
        ]  # fmt: skip
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
                dcc.Store(id="causal-noise-method", data=noise_method()),
                html.Div([*buttons, noise, html.Div(word, id="causal-pair-word-area")], className="opposite-buttons"),
                html.Div(typed, id="causal-pair-typed"),
                html.Div(pictures, id="causal-pair-pictures", className="d-none"),
                html.Div(id="causal-pair-problem", role="alert"),
                self.making.parts(),
                self.asking.parts(),
                html.Div(id="causal-pair-shown", className="opposite"),
                html.Div(["Chosen: ", html.Span(id="causal-span-words")], className="hint"),
            ],
            className="panel",
            id="causal-pair-panel",
            **{"aria-label": "Clean against corrupted"},
        )

    def register(self, app: Dash, engine: Engine) -> None:
        """Connect the buttons, the text and the jobs."""
        self.making.register(app, engine)
        self.asking.register(app, engine)
        self._register_ways(app)
        self._register_making(app, engine)
        self._register_asking(app, engine)
        self._register_browser(app)

    def _register_ways(self, app: Dash) -> None:
        """The buttons and pictures that suit the model."""

        @app.callback(
            *[Output(f"causal-pair-{how}", "class_name") for how in BUTTONS],
            Output("causal-noise", "class_name"),
            Output("causal-pair-typed", "className"),
            Output("causal-pair-word-area", "className"),
            Output("causal-pair-pictures", "className"),
            Input(self.bench.card, "data"),
        )
        def offer(card: Card | None) -> Any:
            there = ways(card) if card else ()
            text = "" if "swap" in there else "d-none"
            return (
                *["" if how in there else "d-none" for how in BUTTONS],
                text,
                text,
                text,
                ("" if "blur" in there else "d-none"),
            )

        @app.callback(
            Output("causal-pair-examples", "children"),
            Input(self.bench.card, "data"),
            Input(self.bench.input, "data"),
            Input(PAIR, "data"),
        )
        def others(card: Card | None, given: PageInput | None, pair: Any) -> Any:
            return other_pictures(card, given, pair)

    def _register_making(self, app: Dash, engine: Engine) -> None:
        """The pair: asked for by a button, a text or a picture, and made by a job where it takes one."""

        @app.callback(
            Output(self.making.requests, "data"),
            Output(PAIR, "data"),
            Output(SPAN, "data"),
            Output("causal-pair-problem", "children"),
            Output("causal-pair-linked", "data"),
            Input(self.bench.card, "data"),
            Input(self.bench.input, "data"),
            *[Input(f"causal-pair-{how}", "n_clicks") for how in BUTTONS],
            Input("causal-pair-use", "n_clicks"),
            Input({"type": "causal-opposite", "index": ALL}, "n_clicks"),
            Input("causal-pair-upload", "contents"),
            State("causal-pair-text", "value"),
            State("causal-pair-word", "value"),
            State(SPAN, "data"),
            State(PAIR, "data"),
            State("causal-pair-linked", "data"),
            prevent_initial_call=True,
        )
        def make(card: Card | None, given: PageInput | None, *rest: Any) -> Any:
            clicks, (examples, upload) = rest[: len(BUTTONS)], rest[len(BUTTONS) + 1 : len(BUTTONS) + 3]
            typed, word, span, before, wanted = rest[-5:]
            asked: Any = ctx.triggered_id
            if isinstance(asked, dict):
                if not any(examples):
                    return [no_update] * 5
                asked = asked["index"]
            asked = asked if isinstance(asked, int) else str(asked or "").removeprefix("causal-pair-")
            seed = sum(c or 0 for c in clicks)
            try:
                return begun(engine, card, given, asked, typed, word, span or [], before, wanted, seed, upload)
            except Refused as refused:
                return *[no_update] * 3, alert(str(refused)), no_update

        @app.callback(
            Output(PAIR, "data", allow_duplicate=True),
            Output(self.making.requests, "data", allow_duplicate=True),
            Input(self.making.answers, "data"),
            State(self.making.requests, "data"),
            State(self.bench.input, "data"),
            State(self.bench.card, "data"),
            prevent_initial_call=True,
        )
        def made(answers: Answers | None, requests: Requests | None, given: PageInput | None, card: Card | None) -> Any:
            return arrived(engine, answers, requests or {}, given, card)

    def _register_asking(self, app: Dash, engine: Engine) -> None:
        """What the model answers to both, and how they are shown."""

        @app.callback(
            Output(self.asking.requests, "data"),
            Input(PAIR, "data"),
            State(self.bench.card, "data"),
            prevent_initial_call=True,
        )
        def ask(pair: Any, card: Card | None) -> Any:
            return {"both": predict_request(card, {"digest": pair["digest"]})} if pair and card else {}

        @app.callback(
            Output(BESIDE, "data"),
            Output("causal-pair-shown", "children"),
            Output("causal-pair-text", "value"),
            Input(self.asking.answers, "data"),
            Input(PAIR, "data"),
            State(self.bench.card, "data"),
            State(SPAN, "data"),
            prevent_initial_call=True,
        )
        def show(answers: Answers | None, pair: Any, card: Card | None, span: Any) -> Any:
            return beside(engine, answers, pair, card, span or [])

    def _register_browser(self, app: Dash) -> None:
        """What the browser does alone: the chosen tokens, and the button that leads to noise on them."""
        app.clientside_callback(
            ClientsideFunction("causal", "pressed"),
            Output("causal-span-words", "children"),
            Input(SPAN, "data"),
            Input(BESIDE, "data"),
        )
        app.clientside_callback(
            ClientsideFunction("causal", "noise"),
            Output("causal-method", "value", allow_duplicate=True),
            Input("causal-noise", "n_clicks"),
            State("causal-noise-method", "data"),
            prevent_initial_call=True,
        )


def noise_method() -> str:
    """The sweep that puts noise on chosen tokens: the first one that has them as an option."""
    sweeps = offers.every(PAGE, "grid")
    return next((name for name in sweeps if "subject" in registry.method(name).build({}).options()), "")


def ways(card: Card) -> tuple[str, ...]:
    """How a corrupted input can be made for the model."""
    return ("blur", "noise") if "pixels" in card["offers"] else ("swap", "resample")


def span_of(link: Mapping[str, Any]) -> list[int]:
    """The chosen tokens as a link names them."""
    return [int(part) for part in links.values(link, "span", 400) if part.isdecimal() and len(part) < 7]


def linked(link: Mapping[str, Any]) -> dict[str, Any]:
    """What a link says of the corrupted input: its text, which picture it is, or how it was made."""
    text = links.text(link, "other", most=4000)
    picture = links.digest(link, "against") or links.number(link, "against", -1)
    try:
        recipe = json.loads(links.text(link, "made", most=4000) or "null")
    except ValueError:
        recipe = None
    if text:
        return {"text": text}
    if picture != -1:
        return {"picture": picture}
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


def corrupt_request(card: Card, given: PageInput, recipe: Mapping[str, Any]) -> dict[str, Any]:
    """The job that makes a corrupted input of the page's."""
    return Corrupt(model=card["name"], revision=card["revision"], input=given["digest"], **recipe).plain()


def begun(
    engine: Engine, card: Any, given: Any, asked: str | int, typed: Any, word: Any, span: Sequence[int], before: Any,
    wanted: Any, seed: int, upload: Any = None,
) -> tuple[Any, Any, Any, Any, Any]:  # fmt: skip
    """Requests, pair, chosen tokens, no problem and what of the link is left, once a button or an input asks for them.

    `asked` is a way, an example's number, `upload`, `use` for the typed text, or names the input that changed.
    """
    if not fits(card, given) or "answer" not in card["offers"]:
        return {}, None, no_update, "", no_update
    if asked == "use":
        return {}, typed_pair(engine, card, given, typed), no_update, "", {}
    if asked == "upload" or isinstance(asked, int):
        picture = engine.store.put_input({"image": inputs.uploaded(upload)}) if asked == "upload" else asked
        return {}, pictured_pair(engine, card, given, picture), no_update, "", {}
    if asked in WAYS:
        recipe = cleaned({"how": asked, "tokens": list(span), "word": word if asked == "swap" else None,
                          "seed": seed if asked in ("resample", "noise") else None})  # fmt: skip
        return {"made": corrupt_request(card, given, recipe)}, no_update, no_update, "", {}
    if before and before.get("of") == given["digest"] and before.get("model") == card["name"]:
        return no_update, no_update, no_update, no_update, no_update
    wanted = wanted if wanted and wanted.get("of", given["digest"]) == given["digest"] else {}
    return _first(engine, card, given, wanted, before)


def _first(engine: Engine, card: Any, given: Any, wanted: Mapping[str, Any], before: Any) -> tuple[Any, ...]:
    """What a new input is compared with: what the link says, else what the page makes when nobody chose."""
    kept = {**wanted, "of": given["digest"]}  # a link's corruption is of its own input only
    if wanted.get("text") and "pixels" not in card["offers"]:
        return {}, typed_pair(engine, card, given, wanted["text"]), no_update, "", kept
    if "picture" in wanted and "pixels" in card["offers"]:
        return {}, pictured_pair(engine, card, given, wanted["picture"]), no_update, "", kept
    if wanted.get("recipe"):
        return {"made": corrupt_request(card, given, wanted["recipe"])}, None, no_update, "", kept
    chosen = no_update if before is None else []  # the tokens of another input mean nothing here
    unlike = first_picture(card, given)
    if unlike is not None:
        return {}, pictured_pair(engine, card, given, unlike), chosen, "", {}
    return {FIRST: corrupt_request(card, given, first_recipe(card))}, None, chosen, "", {}


def first_picture(card: Card, given: PageInput) -> int | None:
    """The first example whose true answer is another than that of this one; None where none is known."""
    if "pixels" not in card["offers"]:
        return None
    own = inputs.example_of(card, given).get("label")
    labels = [example.get("label") for example in inputs.examples_of(card)]
    plain = [i for i, label in enumerate(labels) if own and label and label != own]
    return min(plain, key=lambda i: len(inputs.examples_of(card)[i].get("truth") or ()), default=None)


def pictured_pair(engine: Engine, card: Card, given: PageInput, picture: int | str) -> Any:
    """The pair of the page's input and another picture: an example's number, or the digest of one. Raises `Refused`."""
    there = inputs.examples_of(card)
    if isinstance(picture, int) and not 0 <= picture < len(there):
        raise Refused(f"{card['name']} has {len(there)} examples, not one numbered {picture}")
    raw = engine.store.get_input(picture) if isinstance(picture, str) else inputs.raw_of(card, there[picture])
    clean = engine.store.get_input(given["digest"])
    other = {**{name: clean[name] for name in ("text",) if name in clean}, "image": raw["image"]}
    corrupted = engine.store.put_input(other)
    if corrupted == given["digest"]:
        raise Refused("this is the clean picture itself; choose another one, or change a part of it")
    digest = engine.store.put_input({"clean": clean, "corrupted": other})
    return {
        "of": given["digest"], "digest": digest, "corrupted": corrupted, "picture": picture, "model": card["name"],
    }  # fmt: skip


def other_pictures(card: Any, given: Any, pair: Any) -> list[Any]:
    """One button for each other example, the one that is compared with pressed."""
    if not card or not given or "blur" not in ways(card):
        return []
    return [
        html.Button(
            [html.Img(src=inputs.example_image(card, i), alt=""), html.Span(example["name"])],
            id={"type": "causal-opposite", "index": i},
            className="example chosen" if (pair or {}).get("picture") == i else "example",
            type="button",
            **{"aria-pressed": str((pair or {}).get("picture") == i).lower()},
        )
        for i, example in enumerate(inputs.examples_of(card))
        if i != given.get("example")
    ]


def first_recipe(card: Card) -> dict[str, Any]:
    """What the page makes when nobody chose."""
    how = "blur" if "pixels" in card["offers"] else "swap" if "next_token" in card["offers"] else "resample"
    return {"how": how, "tokens": []}


def typed_pair(engine: Engine, card: Card, given: PageInput, typed: Any) -> dict[str, Any]:
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
    key = answer_keys(answers).get("both")
    why = reasons(answers).get("both")
    if not pair or not card:
        return None, [], ""
    if not key:
        return {"pair": pair["digest"], "failed": why} if why else None, [] if why else no_update, text
    told = engine.store.get_document(key)
    if told.get("unequal") and answers["asked"]["both"] == key:
        opposed = [alert(told["unequal"]), rows(told["opposite"], None)]
        return {"pair": pair["digest"], "failed": told["unequal"]}, opposed, text
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
    return [
        html.Div(lines, className="opposite-answers"),
        *(picture or [rows(list(zip(told["tokens"], told["corrupted"]["tokens"], strict=True)), span)]),
    ]


def rows(opposite: Sequence[Sequence[str]], span: Sequence[int] | None) -> html.Div:
    """Each clean token above the corrupted one, a button where `span` says which are chosen; "" where there is none."""

    def one(i: int, a: str, b: str) -> html.Span:
        name = visible(a, 20) if a else "–"
        above: Any = html.Span(name, className="opposite-token")
        if span is not None:
            above = html.Button(name, type="button", className="opposite-token", **_chosen(i, a, span))
        below = "″" if a == b else visible(b, 20) if b else "–"
        differs = "opposite-pair differs" if a != b else "opposite-pair"
        return html.Span([above, html.Span(below, className="opposite-other")], className=differs)

    tokens = [one(i, *pair) for i, pair in enumerate(opposite[:MOST])]
    more = [html.Span(f"… and {len(opposite) - MOST} more", className="hint")] if len(opposite) > MOST else []
    words = "Clean tokens above corrupted ones" + (
        "; choose some for a corruption or for noise" if span is not None else ""
    )
    return html.Div([*tokens, *more], className="opposite-tokens", role="group", **{"aria-label": words})


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
    if pair and "picture" in pair:
        return {**found, "against": str(pair["picture"])}
    usual: dict[str, Any] = {"tokens": []}
    recipe = {n: v for n, v in ((pair or {}).get("recipe") or {}).items() if usual.get(n) != v}
    return {**found, "made": recipe} if recipe else found
