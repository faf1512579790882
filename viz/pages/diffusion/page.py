"""Diffusion: a prompt becomes a picture, and each of its words can be laid over the place where it landed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import dash_bootstrap_components as dbc
from dash import ALL, ClientsideFunction, Dash, Input, Output, State, ctx, dcc, html, no_update

from backends.errors import Refused
from backends.jobs.engine import Engine
from backends.models.card import Card
from backends.requests import key_of
from backends.results import Result
from viz import theme
from viz.components import heat_canvas, shell
from viz.components.alerts import alert
from viz.components.exports import exports
from viz.components.job_panel import Answers, Requests, answer_keys, reasons
from viz.components.tabs import tabs
from viz.figures import word_maps
from viz.pages.diffusion import prompt_form, word_map_view
from viz.pages.diffusion.prompt_form import PICKER, RUN, TEST, part
from viz.server import diffusion_files

PATH = "/diffusion"
TITLE = "Diffusion"
QUESTION = "Where did each word go?"
ORDER = 6
NEEDS = frozenset({"cross_attention", "denoising"})
"""What a model must offer for this page to have something to show of it."""
CAUTION = (
    "Attention is correlation: a map shows which places of the picture read a word while it formed, not that the word "
    "made them what they are. A word may land where it decided nothing, and decide where it did not land."
)
TABS = {"words": "Word by word", "step": "By step", "layer": "By layer", "overlap": "Overlap"}
FORM = [prompt_form.field_id(name) for name in prompt_form.LINKED]
LOOK = (*word_map_view.CONTROLS, "layer", "head")
"""The controls that the browser reads, in the order of `draw` in assets/diffusion.js."""


def layout(**query: Any) -> html.Div:
    """The page as the link left it."""
    tab = query.get("tab") if query.get("tab") in TABS else "words"
    sentence = "Type a prompt, watch the picture form, and see for each word where it landed."
    main = [
        *prompt_form.stores(query),
        html.P(CAUTION, className="hint caution"),
        RUN.parts(),
        html.Div(id=part("forming"), className="forming", role="status", **{"aria-live": "off"}),
        html.Section(_stage(query), id=part("result"), className="d-none", **{"aria-label": "Picture"}),
        html.Section(
            tabs("diffusion", "Ways to look at the words", TABS, _panels(), str(tab)),
            id=part("more"),
            className="d-none",
            **{"aria-label": "All words"},
        ),
        prompt_form.OTHERS.parts(query),
    ]
    return shell.page("diffusion", QUESTION, sentence, prompt_form.side(query), main, "Model, prompt and settings")


def _stage(query: Mapping[str, Any]) -> list[Any]:
    wished = {"words": str(query.get("words", ""))[:400]}
    return [
        dcc.Store(id=part("wished"), data=wished),
        *word_map_view.controls(query),
        TEST.face(),
        html.Div(id=part("stage"), className="stage"),
        html.Div(id=part("notes"), className="hint"),
        html.Div(id=part("downloads")),
        TEST.parts(query),
    ]


def _panels() -> dict[str, Any]:
    def grids(axis: str) -> list[Any]:
        label = f"Each word's map by {axis}"
        return [heat_canvas.heat_canvas(part(f"by-{axis}-{name}"), f"{label}, picture {name}") for name in ("a", "b")]

    measures = [{"label": words, "value": name} for name, words in word_map_view.MEASURES.items()]
    return {
        "words": [html.Div(id=part("words-table")), html.Div(id=part("rule-words"), className="hint")],
        "step": grids("step"),
        "layer": grids("layer"),
        "overlap": [
            html.Label(
                [html.Span("Measure"), dbc.Select(id=part("measure"), options=measures, value="iou", size="sm")],
                className="heat-field",
                htmlFor=part("measure"),
            ),
            html.Div(id=part("overlap-table")),
            html.Div(id=part("pair-table")),
            html.P(
                "Framed: words that belong together. Adjectives (by a list and by their ending) and compounds belong "
                "to the last word before the next function word, and neighbouring nouns to each other; a rule, not a "
                "parser.",
                className="hint",
            ),
        ],
    }


def register(app: Dash, engine: Engine) -> None:
    """Connect model → prompt → drawing → maps."""
    app.server.register_blueprint(diffusion_files.blueprint(engine.store))
    RUN.register(app, engine)
    prompt_form.OTHERS.register(app, engine)
    TEST.register(app, engine, RUN, lambda answers, requests: prompt_form.tests(engine, answers, requests))
    for id in word_map_view.heat_ids():
        heat_canvas.register(app, id)
    _register_model(app, engine)
    _register_drawing(app, engine)
    _register_result(app, engine)
    _register_browser(app)


def _register_model(app: Dash, engine: Engine) -> None:
    fields = [Output(part(name), "placeholder") for name in ("guidance", "height", "width")]

    def suit(card: Card | None) -> Sequence[Any]:
        return [prompt_form.examples(card), *prompt_form.placeholders(card)] if card else [[], "", "", ""]

    PICKER.register(app, engine, [Output(part("examples"), "children"), *fields], suit, prompt_form.unfit)

    @app.callback(
        Output(part("seed2-area"), "className"),
        Output(part("prompt2-area"), "className"),
        Input(part("beside"), "value"),
    )
    def beside(what: Any) -> Any:
        return ["" if what == name else "d-none" for name in ("seed", "prompt")]


def _register_drawing(app: Dash, engine: Engine) -> None:
    @app.callback(
        Output(RUN.requests, "data"),
        Output(shell.LINK, "data", allow_duplicate=True),
        Output(part("problem"), "children"),
        Output(part("text"), "value"),
        Output(part("seed"), "value"),
        Output(part("linked"), "data"),
        Input(part("apply"), "n_clicks"),
        Input({"type": part("example"), "index": ALL}, "n_clicks"),
        Input(part("card"), "data"),
        State(part("linked"), "data"),
        *[State(id, "value") for id in FORM],
        prevent_initial_call=True,
    )
    def draw(_clicks: int | None, examples: Any, card: Card | None, linked: Any, *values: Any) -> Any:
        form = dict(zip(prompt_form.LINKED, values, strict=True))
        asked, index = asking(ctx.triggered_prop_ids.values(), examples)
        return drawn(engine, card, form, linked, asked == part("card"), index) if asked else [no_update] * 6

    @app.callback(
        Output(part("forming"), "children"),
        Input(RUN.poll, "n_intervals"),
        Input(RUN.answers, "data"),
        State(RUN.requests, "data"),
        prevent_initial_call=True,
    )
    def form(_ticks: int | None, answers: Answers | None, requests: Requests | None) -> Any:
        return forming(engine, requests, answers)


def asking(triggers: Iterable[Any], examples: Sequence[Any]) -> tuple[Any, int | None]:
    """What asks for a drawing, and the index of the example that does.

    Buttons that only appeared ask for none; they come in the same call as the card that brings them.
    """
    there = list(triggers)
    if part("card") in there:
        return part("card"), None
    index = next((t["index"] for t in there if isinstance(t, Mapping)), None) if any(examples) else None
    return (part("example"), index) if index is not None else (part("apply") if part("apply") in there else None, None)


def tested_link(tested: Any, link: Any) -> Any:
    """The link with the words that are tested in it."""
    if not link or link.get("path") != PATH:
        return no_update
    keep = [name for name in link.get("keep", ()) if name != "tested"]
    return {**link, "params": {**link["params"], "tested": ",".join(tested or ())}, "keep": keep}


def drawn(
    engine: Engine, card: Any, form: dict[str, Any], linked: Any, opened: bool = False, example: int | None = None
) -> list[Any]:
    """Requests, link, problem, prompt, seed and what is left of the link, once something asks for a drawing."""
    if not card:
        return [{}, no_update, "" if opened else alert("Open a pipeline first."), no_update, no_update, no_update]
    text = seed = no_update
    if opened:
        if linked and linked.get("input") and not form["prompt"]:
            text = form["prompt"] = _kept_prompt(engine, linked["input"])
        if not form["prompt"]:
            text, seed = prompt_form.example(card, 0)
        if not linked or not (linked.get("draw") or (linked.get("input") and form["prompt"])):
            return [{}, no_update, "", text, seed, {}]
    if example is not None:
        form["prompt"], form["seed"] = text, seed = prompt_form.example(card, example)
    try:
        requests = prompt_form.requests(engine, card, form)
    except Refused as refused:
        return [{}, no_update, alert(str(refused)), text, seed, {}]
    keep = [*word_map_view.VIEW, "tab", *(["tested"] if opened else [])]
    link = {"path": PATH, "params": prompt_form.link_params(card, form), "keep": keep, "alone": True}
    return [requests, link, "", text, seed, {}]


def _kept_prompt(engine: Engine, digest: str) -> str:
    try:
        return str(engine.store.get_input(digest).get("text", ""))
    except Refused:
        return ""


def forming(engine: Engine, requests: Any, answers: Any) -> list[Any]:
    """The pictures that are being drawn, as far as they are."""
    ended = {**answer_keys(answers), **reasons(answers)}
    asked = (answers or {}).get("asked", {})
    shown = []
    for name, request in (requests or {}).items():
        key = key_of(request)
        if name in ended and asked.get(name) == key:
            continue
        preview = engine.state(key).preview
        if preview and preview.get("picture"):
            words = f"step {preview['done']} of {preview['steps']}"
            alt = f"The forming picture, {words}"
            shown.append(html.Figure([html.Img(src=preview["picture"], alt=alt), html.Figcaption(words)]))
    return shown


def _register_result(app: Dash, engine: Engine) -> None:
    @app.callback(
        Output(shell.LINK, "data", allow_duplicate=True),
        Input(TEST.tested, "data"),
        State(shell.LINK, "data"),
        prevent_initial_call=True,
    )
    def remember(tested: Any, link: Any) -> Any:
        return tested_link(tested, link)

    @app.callback(
        Output(part("spec"), "data"),
        Output(part("result"), "className"),
        Output(part("more"), "className"),
        Output(part("outline-area"), "className"),
        Output(part("part"), "options"),
        *[Output(part(name), "max") for name in ("first", "last", "layer", "head")],
        Output(part("notes"), "children"),
        Output(part("downloads"), "children"),
        *[Output(f"{id}-spec", "data") for id in word_map_view.heat_ids()],
        Input(RUN.answers, "data"),
        State(part("wished"), "data"),
        prevent_initial_call=True,
    )
    def arrive(answers: Answers | None, wished: Any) -> Any:
        return arrived(engine, answers, wished)

    @app.callback(
        Output(part("words-table"), "children"),
        Output(part("rule-words"), "children"),
        Output(part("overlap-table"), "children"),
        Output(part("pair-table"), "children"),
        Input(part("settled"), "data"),
        Input(part("measure"), "value"),
        Input("diffusion-tab", "data"),
        prevent_initial_call=True,
    )
    def tabulate(settled: Any, measure: Any, _tab: Any) -> Any:
        return tables(engine, settled, measure)


def results(engine: Engine, keys: Mapping[str, str]) -> dict[str, Result]:
    """The drawings that are done, by name."""
    return {name: engine.store.get_result(key) for name, key in sorted(keys.items())}


def arrived(engine: Engine, answers: Any, wished: Any) -> list[Any]:
    """Everything that a finished drawing changes; nothing while none is there."""
    keys = answer_keys(answers)
    count = 11 + len(word_map_view.heat_ids())
    if not keys or len(keys) + len(reasons(answers)) < len((answers or {}).get("asked", {})):
        return [no_update] * count
    found = results(engine, keys)
    first = next(iter(found.values()))
    panels = [word_map_view.panel(name, keys[name], result) for name, result in found.items()]
    spec = {"panels": panels, "palette": list(theme.PALETTE_LIGHT), **(wished or {})}
    options = [{"label": words, "value": kind} for kind, words in word_maps.kinds(first).items()]
    most = [max(len(panels[0]["parts"].get(kind, ())), 1) for kind in ("steps", "steps", "layer", "head")]
    outline = "" if any(p["truth"] for p in panels) else "d-none"
    said = [html.Div(line) for result in found.values() for line in diffusion_files.notes(result)]
    specs = [_small(id, keys, found) for id in word_map_view.heat_ids()]
    return [spec, "panel", "panel", outline, options, *most, said, downloads(keys), *specs]


def _small(id: str, keys: Mapping[str, str], found: Mapping[str, Result]) -> Any:
    _, _, axis, name = id.split("-")
    if name not in found:
        return None
    return word_map_view.small_multiples(
        id, keys[name], found[name], axis, word_map_view.highest(list(found.values()), axis)
    )


def downloads(keys: Mapping[str, str]) -> list[Any]:
    """A row of files for each picture; the GIF beside them."""
    rows = []
    for name, key in sorted(keys.items()):
        of = "" if len(keys) == 1 else " (left)" if name == "a" else " (right)"
        gif = html.A(
            "GIF", href=f"/results/{key}/gif", download="", className="export",
            title="Download the forming picture and its words' maps as an animated GIF",
            **{"aria-label": f"Download the forming picture and its maps as an animated GIF{of}"},
        )  # fmt: skip
        row = exports(key, part("stage") if name == "a" else None, f"this drawing{of}", link=name == "a")
        side = [html.Span("Left" if name == "a" else "Right", className="hint")] if of else []
        rows.append(html.Div([*side, row, html.Div(gif, className="exports")], className="stage-exports"))
    return rows


def tables(engine: Engine, settled: Any, measure: str) -> list[Any]:
    """The tables of words, of overlaps and of pairs at the threshold that stands on the page."""
    if not settled or not settled.get("keys"):
        return [no_update] * 4
    words, overlap, pairs = [], [], []
    try:
        for key in settled["keys"]:
            result = engine.store.get_result(key)
            large, found = word_map_view.maps_and_masks(result, settled)
            words.append(word_map_view.words_table(result, large, found))
            overlap.append(word_map_view.overlap_table(result, found, measure))
            pairs.append(word_map_view.pair_list(result, found))
    except Refused as refused:
        return [alert(str(refused)), "", "", ""]
    return [words, word_map_view.rule_words(settled), overlap, pairs]


def _register_browser(app: Dash) -> None:
    app.clientside_callback(
        ClientsideFunction("diffusion", "draw"),
        Input(part("spec"), "data"),
        *[Input(part(name), "value") for name in LOOK],
        Input("diffusion-tab", "data"),
    )
    app.clientside_callback(
        ClientsideFunction("diffusion", "pick"),
        Output(part("part"), "value"),
        *[Output(part(name), "value") for name in ("first", "last", "layer")],
        *[Input(f"{id}-cell", "data") for id in word_map_view.heat_ids()],
        prevent_initial_call=True,
    )
