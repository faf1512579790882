"""Attention: which token looks at which, in every head at a glance and in one head up close."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import dash_bootstrap_components as dbc
from dash import ClientsideFunction, Dash, Input, Output, State, ctx, dcc, html, no_update

from backends import catalog
from backends.jobs.engine import Engine
from backends.models.card import Card
from backends.requests import key_of
from viz.components import links as query
from viz.components import offers, shell
from viz.components.alerts import alert
from viz.components.heat_canvas import heat_canvas
from viz.components.heat_canvas import register as register_canvas
from viz.components.inputs import PageInput
from viz.components.job_panel import Answers, JobPanel, answer_keys
from viz.components.method_panel import MethodPanel
from viz.components.tabs import tabs
from viz.components.touch import Touch
from viz.components.workbench import Workbench, fits, run_request
from viz.pages.attention import attention_view as shown
from viz.pages.attention import heads, pinned
from viz.pages.attention.attention_link import (
    part_of,
    part_options,
    picked,
    placed,
    sentence_of,
    unknown_head,
    window_in,
)
from viz.pages.attention.long_text import WINDOW, LongHead
from viz.server import tiles

if TYPE_CHECKING:
    from backends.results import Result

PATH = "/attention"
TITLE = "Attention"
QUESTION = "What attends to what?"
ORDER = 1
NEEDS = frozenset({"attention"})
"""What a model must offer for this page to have something to show of it."""

PAGE = "attention"
PATTERNS = "patterns"
"""The view whose one method this page draws."""
BENCH = Workbench(PAGE, targets=False)
ALL = JobPanel(PAGE, "all", "Reading every head", beside=BENCH.predicting.answers)
ONE = JobPanel(PAGE, "one", "Reading this head", beside=BENCH.predicting.answers)
OTHERS = MethodPanel(PAGE, (BENCH.card, BENCH.input, BENCH.aim), (PATTERNS,))
TOUCH = Touch(PAGE)

SWITCHES = ("attention-sink", "attention-special")
VIEWS = {"map": "Token × token", "lines": "Lines", "image": "Over the image"}
READING = {
    "map": "Each row is one token and shows how its attention, which sums to 1, is spread over the tokens it may see.",
    "lines": "Point at a token: on the left you see where it looks, on the right who looks at it. A click keeps it.",
    "image": "Point at a patch: on the left is where it looks, on the right who looks at it. A click keeps it.",
}
NO_MEAN = "the mean needs every head's map, which this result does not hold"
CAUTION = "Attention shows where information may flow, not what decides the answer: test that on the Attribution page."


def layout(**link: Any) -> html.Div:
    """The page as the link left it."""
    pick = {name: query.text(link, name, most=20) for name in ("layer", "head")}
    token = query.number(link, "token", -1)
    part = query.text(link, "part", most=20)
    return shell.page(
        "attention",
        QUESTION,
        ["Every head of a transformer looks from each token at the others. ", CAUTION],
        BENCH.layout(link),
        [
            dcc.Store(id="attention-pick", data={"link": pick} if any(pick.values()) else None),
            dcc.Store(id=WINDOW, data=window_in(link)),
            dcc.Store(id="attention-part-linked", data={"asked": part}),
            dcc.Store(id="attention-focus", data={"token": token} if token >= 0 else None),
            dcc.Store(id="attention-grid-data"),
            dcc.Store(id="attention-view"),
            dcc.Store(id="attention-dark"),
            _part_choice(),
            ALL.parts(),
            html.Div(id="attention-absent"),
            html.Div(id="attention-asked", role="status"),
            html.Div(
                [_grid_panel(link), pinned.parts(link), _head_panel(link)], id="attention-there", className="d-none"
            ),
            OTHERS.parts(link),
            TOUCH.parts(link),
        ],
    )


def _part_choice() -> html.Div:
    """Which stack of a network that has several."""
    select = dbc.Select(id="attention-part", options=[], value="", size="sm")
    label = html.Label("Layers of", htmlFor="attention-part", className="form-label")
    return html.Div([label, select], id="attention-parts", className="d-none")


def _grid_panel(link: Mapping[str, Any]) -> html.Section:
    statistic = query.choice(link, "statistic", (heads.MAPS, *heads.STATISTICS), heads.MAPS)
    canvas = html.Canvas(
        id="attention-grid", tabIndex=0, role="application", className="attention-grid",
        **{
            "aria-label": "Grid of layers and heads: arrow keys move, Enter shows a head",
            "aria-describedby": "attention-grid-words",
        },
    )  # fmt: skip
    return html.Section(
        [
            html.H2("Every head at a glance"),
            html.Fieldset(
                [
                    html.Legend("Colour heads by"),
                    dbc.RadioItems(id="attention-statistic", options=statistic_options(), value=statistic, inline=True),
                ],
                className="choices",
            ),
            html.Div(id="attention-help", className="hint"),
            html.Div(id="attention-grid-tools", className="attention-grid-tools", hidden=True),
            html.Div(
                [
                    html.Div(
                        [
                            html.Div(
                                [html.Span("head →"), html.Span("layer ↓")],
                                className="attention-axes",
                                **{"aria-hidden": "true"},
                            ),
                            html.Div(canvas, className="attention-grid-box"),
                            html.Div(id="attention-grid-scale", className="attention-scale"),
                            html.Div(id="attention-grid-words", className="attention-words", role="status"),
                        ],
                        className="attention-grid-side",
                    ),
                    html.Div(id="attention-ranking", className="attention-ranking"),
                ],
                className="attention-glance",
            ),
        ],
        className="panel",
        **{"aria-label": "Every head at a glance"},
    )


def _head_panel(link: Mapping[str, Any]) -> html.Section:
    view = query.choice(link, "view", tuple(VIEWS), "map")
    return html.Section(
        [
            html.Div(
                [
                    html.H2("One head", id="attention-name"),
                    html.Button(
                        "Mean over this layer's heads", id="attention-mean", type="button",
                        className="head-pick btn btn-sm btn-outline-primary",
                    ),
                    pinned.button(),
                ],
                className="attention-title",
            ),
            html.P(id="attention-sentence", className="attention-sentence", role="status"),
            html.Div(
                [
                    _switch("sink", "hide the first token", link.get("sink") != "shown"),
                    _switch("special", "show special tokens", link.get("special") != "hidden"),
                ],
                className="attention-switches",
            ),
            html.P(id="attention-remark", className="hint"),
            ONE.parts(),
            _row_panel(),
            tabs(PAGE, "Views of this head", VIEWS, {name: _panel(name, link) for name in VIEWS}, view),
            html.Details(
                [
                    html.Summary("The strongest pairs as a table"),
                    html.Div(id="attention-pairs", className="attention-pairs"),
                ]
            ),
            html.Div(id="attention-downloads", className="downloads"),
        ],
        className="panel",
        **{"aria-label": "One head"},
    )  # fmt: skip


def _row_panel() -> html.Div:
    """One query's whole row, of a text too long for its map to show every token."""
    number = dbc.Input(id="attention-row-token", type="number", min=0, step=1, debounce=True, size="sm")
    label = html.Label("Row of token", htmlFor="attention-row-token", className="form-label")
    canvas = html.Canvas(
        id="attention-row", tabIndex=0, role="application",
        **{
            "aria-label": "This token's weights over all keys; arrow keys read them",
            "aria-describedby": "attention-row-words",
        },
    )  # fmt: skip
    return html.Div(
        [
            html.Div(
                [label, number, html.Span(id="attention-row-of", className="hint")], className="attention-row-pick"
            ),
            html.Div(canvas, className="attention-row-box"),
            html.Div(id="attention-row-words", className="attention-words", role="status"),
        ],
        id="attention-rows",
        className="d-none",
    )


def _switch(part: str, label: str, value: bool) -> dbc.Switch:
    return dbc.Switch(id=f"attention-{part}", label=label, value=value)


def _panel(name: str, link: Mapping[str, Any]) -> list[Any]:
    parts: dict[str, list[Any]] = {
        "map": [
            html.Div(id="attention-map", className="attention-map"),
            heat_canvas(shown.LARGE, "Token by token map of this head"),
        ],
        "lines": [
            html.Div(id="attention-lines-words", className="attention-words", role="status"),
            html.Div(id="attention-lines", className="attention-lines"),
        ],
        "image": [
            html.Div(id="attention-why-image", className="why"),
            html.Div(_image_parts(link.get("own") == "1"), id="attention-patches"),
        ],
    }
    return [html.P(READING[name], className="reading"), *parts[name]]


def _image_parts(own: bool) -> list[Any]:
    def one(part: str, caption: str, words: str) -> html.Figure:
        canvas = html.Canvas(
            id=f"attention-patch-{part}", tabIndex=0, role="application", className="attention-patch",
            **{"aria-label": f"{words}; arrow keys move to another patch", "aria-describedby": "attention-patch-words"},
        )  # fmt: skip
        return html.Figure([html.Figcaption(caption), html.Div(canvas, className="attention-patch-box")])

    return [
        html.Div(
            [
                html.Div(id="attention-patch-specials", className="attention-specials"),
                html.Div(id="attention-opacity", className="attention-opacity"),
                _switch("own", "own colour scale for each patch", own),
            ],
            className="attention-switches",
        ),
        html.Div(
            [
                one("out", "Where it looks", "Where the chosen patch looks"),
                one("into", "Who looks at it", "Which patches look at the chosen one"),
            ],
            className="attention-pictures",
        ),
        html.Div(id="attention-patch-scale", className="attention-scale"),
        html.Div(id="attention-patch-words", className="attention-words", role="status"),
    ]


def statistic_options(there: list[str] | None = None) -> list[dict[str, Any]]:
    """What the grid can be coloured by; what this input does not have is disabled."""
    every = {heads.MAPS: "Maps"} | {name: about.title for name, about in heads.STATISTICS.items()}
    return [
        {"label": title, "value": name, "disabled": there is not None and name not in there and name != heads.MAPS}
        for name, title in every.items()
    ]


def register(app: Dash, engine: Engine) -> None:
    """Connect the page: requests, the grid, one head, the link."""
    app.server.register_blueprint(tiles.blueprint(engine))
    BENCH.register(app, engine)
    TOUCH.register(app, engine, BENCH)
    ALL.register(app, engine)
    ONE.register(app, engine)
    OTHERS.register(app, engine)
    register_canvas(app, shown.LARGE)
    pinned.register(app, engine)
    _register_part(app)
    _register_grid(app, engine)
    _register_window(app, engine)
    _register_head(app, engine)
    _register_browser(app)


def _register_part(app: Dash) -> None:
    """Which attention of the model is looked at: of the encoder, the decoder, or across."""

    @app.callback(
        Output("attention-part", "options"),
        Output("attention-part", "value"),
        Output("attention-parts", "className"),
        Output("attention-part-linked", "data"),
        Input(BENCH.card, "data"),
        State("attention-part", "value"),
        State("attention-part-linked", "data"),
        prevent_initial_call=True,
    )
    def parts(card: Card | None, part: Any, linked: Any) -> Any:
        asked = part or (linked or {}).get("asked", "")
        there, value, sentence = part_of(card, asked)
        told = {"sentence": sentence, "part": value}
        return part_options(there), value, "attention-parts" if there else "d-none", told


def _register_grid(app: Dash, engine: Engine) -> None:
    """Every head at a glance."""

    @app.callback(
        Output(ALL.requests, "data"),
        Output("attention-absent", "children"),
        Input(BENCH.card, "data"),
        Input(BENCH.input, "data"),
        Input("attention-part", "value"),
        prevent_initial_call=True,
    )
    def ask(card: Card | None, given: PageInput | None, part: Any) -> Any:
        return requests(card, given, part), absent(card) if card and "attention" not in card["offers"] else ""

    @app.callback(
        Output("attention-grid-data", "data"),
        Output("attention-pick", "data"),
        Output("attention-statistic", "options"),
        Output("attention-statistic", "value"),
        Output("attention-ranking", "children"),
        Output("attention-there", "className"),
        Output("attention-asked", "children"),
        Input(ALL.answers, "data"),
        State("attention-pick", "data"),
        State("attention-statistic", "value"),
        State("attention-part-linked", "data"),
        prevent_initial_call=True,
    )
    def glance(answers: Answers | None, pick: Any, statistic: Any, linked: Any) -> Any:
        key = answer_keys(answers).get(PATTERNS)
        if not key:
            return None, no_update, no_update, no_update, [], "d-none", ""
        result = engine.store.get_result(key)
        there = heads.offered(result)
        kept = statistic if statistic in (heads.MAPS, *there) else heads.MAPS
        data = shown.grid_data(key, result)
        why = " ".join(filter(None, [sentence_of(linked, data["part"]), unknown_head(result, pick)]))
        told = [alert(why)] if why else ""
        return data, picked(result, pick), statistic_options(there), kept, shown.ranking(result), "", told

    @app.callback(
        Output("attention-help", "children"),
        Input("attention-statistic", "value"),
        Input("attention-grid-data", "data"),
    )
    def explain(statistic: Any, data: Any) -> Any:
        return explained(statistic, data)


def _register_window(app: Dash, engine: Engine) -> None:
    """The job of one head, where the grid's result does not hold its whole map."""

    @app.callback(
        Output(ONE.requests, "data"),
        Input("attention-grid-data", "data"),
        Input("attention-pick", "data"),
        Input("attention-sink", "value"),
        Input("attention-special", "value"),
        State(BENCH.card, "data"),
        State(BENCH.input, "data"),
        prevent_initial_call=True,
    )
    def ask(
        data: Any, pick: Any, sink: bool | None, special: bool | None, card: Card | None, given: PageInput | None
    ) -> Any:
        if not data or not fits(card, given) or not (place := placed(data, pick)):
            return {}
        if data["whole"]:
            return no_update if ctx.triggered_id in SWITCHES else requests(card, given, data["part"])
        return {"window": window_request(engine.store.get_result(data["key"]), place, sink, special)}


def _register_head(app: Dash, engine: Engine) -> None:
    """One head up close."""

    @app.callback(
        Output("attention-view", "data"),
        Output("attention-name", "children"),
        Output("attention-sentence", "children"),
        Output("attention-remark", "children"),
        Output("attention-map", "children"),
        Output(f"{shown.LARGE}-spec", "data"),
        Output("attention-pairs", "children"),
        Output("attention-downloads", "children"),
        Output("attention-why-image", "children"),
        Output("attention-patches", "className"),
        Output("attention-mean", "data-layer"),
        Output("attention-mean", "data-head"),
        Output("attention-mean", "disabled"),
        Output("attention-mean", "title"),
        Input(ONE.answers, "data"),
        Input("attention-sink", "value"),
        Input("attention-special", "value"),
        Input("attention-tab", "data"),
        State("attention-dark", "data"),
        State("attention-grid-data", "data"),
        State("attention-pick", "data"),
        State(WINDOW, "data"),
        prevent_initial_call=True,
    )
    def draw(
        answers: Answers | None,
        sink: bool | None,
        special: bool | None,
        tab: str,
        dark: bool | None,
        data: Any,
        pick: Any,
        start: Any,
    ) -> Any:
        keys = answer_keys(answers)
        place = placed(data, pick) if data else None
        if not place or not keys:
            return None, *[no_update] * 13
        head = looked_at(engine.store, data, keys, place, bool(sink), bool(special), start)
        if head is None:  # its answer is on the way
            return [no_update] * 14
        figure = head.map(bool(dark)) if tab == "map" else ([], None)
        if ctx.triggered_id == "attention-tab":  # the head is the same
            return *[no_update] * 4, *figure, *[no_update] * 8
        said = head.view(), head.name, head.sentence(), head.note()
        image = ("", "") if head.pictured else (no_image(), "d-none")
        return *said, *figure, head.table(), head.downloads(), *image, *mean_button(data, place[0])


def _register_browser(app: Dash) -> None:
    """What the browser does alone: the grid, the lines and patches, the theme, the link."""
    app.clientside_callback(
        ClientsideFunction("attention", "grid"),
        Output("attention-grid", "data-drawn"),
        Input("attention-grid-data", "data"),
        Input("attention-pick", "data"),
        Input("attention-statistic", "value"),
        Input("attention-sink", "value"),
    )
    app.clientside_callback(
        ClientsideFunction("attention", "head"),
        Output("attention-lines", "data-drawn"),
        Input("attention-view", "data"),
        Input("attention-focus", "data"),
        Input("attention-own", "value"),
        Input("attention-tab", "data"),
    )
    app.clientside_callback(
        ClientsideFunction("attention", "link"),
        Output(shell.LINK, "data", allow_duplicate=True),
        Input(BENCH.card, "data"),
        Input(BENCH.input, "data"),
        Input(BENCH.aim, "data"),
        Input("attention-pick", "data"),
        Input("attention-grid-data", "data"),
        Input("attention-statistic", "value"),
        Input("attention-sink", "value"),
        Input("attention-special", "value"),
        Input("attention-tab", "data"),
        Input("attention-focus", "data"),
        Input(WINDOW, "data"),
        Input("attention-part", "value"),
        Input(pinned.PINS, "data"),
        Input("attention-own", "value"),
        prevent_initial_call=True,
    )
    app.clientside_callback(
        ClientsideFunction("attention", "focus"),
        Output("attention-rows", "data-drawn"),
        Input("attention-row-token", "value"),
        prevent_initial_call=True,
    )


def requests(card: Any, given: Any, part: Any = "") -> dict[str, Any]:
    """The job that reads every head, where the model has attention and the input is one that it reads."""
    if not fits(card, given) or "attention" not in card["offers"]:
        return {}
    there, value, _ = part_of(card, part or "")
    method = offers.first(card, PAGE, PATTERNS)
    return {PATTERNS: run_request(card, given, method, {"part": value} if there else {}, None)}


def window_request(result: Result, place: tuple[int, int | str], sink: Any, special: Any) -> dict[str, Any]:
    """The job that reads one head of a long text; `sink` and `special` are the switches."""
    layer, head = int(result.labels["all_layer"][place[0]]), place[1]
    head = head if head == heads.MEAN else int(result.labels["all_head"][int(head)])
    return tiles.request_for(result, tiles.head_options(layer, head, sink=not sink, special=bool(special)))


def looked_at(
    store: Any, data: Mapping[str, Any], keys: Mapping[str, str], place: tuple[int, int | str], sink: bool,
    special: bool, start: Any = None,
) -> shown.Head | None:  # fmt: skip
    """The head that is picked, as the answers in `keys` show it; None where they are of another head or input."""
    result = store.get_result(data["key"])
    if data["whole"]:
        return shown.Head.of(data["key"], result, *place, sink=sink, special=special)
    if keys.get("window") != key_of(window_request(result, place, sink, special)):
        return None
    begin = start if isinstance(start, Mapping) and start.get("key", data["key"]) == data["key"] else None
    window = store.get_document(keys["window"])
    return LongHead.over(data["key"], result, window, *place, sink=sink, special=special, start=begin)


def explained(statistic: str, data: Any) -> str:
    """What the grid's colours say, and of how many rows they are."""
    about = heads.STATISTICS.get(statistic)
    words = (
        about.help if about else "Every head's map in small: queries down, keys across, each cell its largest weight."
    )
    rows = (data or {}).get("rows")
    return f"{words} Computed {rows}, one from each of as many equal stretches." if rows else words


def mean_button(data: Mapping[str, Any], layer: int) -> tuple[str, str, bool, str]:
    """The button that shows the mean over a layer's heads: layer, head, whether it is off and why."""
    return str(layer), heads.MEAN, not data["mean"], "" if data["mean"] else NO_MEAN


def absent(card: Card) -> html.Div:
    """Why there is no attention to see, and where there is."""
    why = card.get("withdrawn", {}).get("attention") or (
        f"{card.get('title', card['name'])} has no attention: nothing in it looks from one place of the input "
        "at another. A convolutional network combines neighbouring pixels with fixed weights instead."
    )
    there = [c for c in catalog.bundled() if attends(c) and c["name"] != card["name"]]
    links = [html.Li(dcc.Link(c["title"], href=query.link(PATH, model=c["name"]))) for c in there]
    others = [html.P("Models that come with Vitrine and have attention:"), html.Ul(links)] if links else []
    page = dcc.Link("Attribution page", href=query.link("/attribution", model=card["name"]))
    return html.Div(
        [html.P(why), *others, html.P(["What drove this model's answer is on the ", page, "."])],
        className="panel attention-absent",
    )


def attends(card: Mapping[str, Any]) -> bool:
    """Whether a bundled model's card says that it is a transformer."""
    return bool(card.get("attention", "image" not in card["task"] or "vit" in card["name"]))


def no_image() -> dbc.Alert:
    """Why there is no map over an image, and where there is one."""
    found = [c for c in catalog.bundled() if "image" in c["task"] and attends(c)]
    links = [
        part
        for c in found
        for part in (dcc.Link(c["title"], href=query.link(PATH, model=c["name"], view="image")), " ")
    ]
    return alert(["This model reads text, so there is no image to lay its attention over. ", *links], "light")
