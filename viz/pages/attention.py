"""Attention: which token looks at which, in every head at a glance and in one head up close."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import dash_bootstrap_components as dbc
from dash import ClientsideFunction, Dash, Input, Output, State, ctx, dcc, html, no_update

from backends import catalog
from backends.engine import Engine
from viz.components import attention_view as shown
from viz.components import heads, query
from viz.components.heat_canvas import heat_canvas
from viz.components.heat_canvas import register as register_canvas
from viz.components.jobs import Slot
from viz.components.shell import LINK
from viz.components.tabs import tabs
from viz.components.workbench import Workbench, fits, run_request

if TYPE_CHECKING:
    from backends.results import Result

PATH = "/attention"
TITLE = "Attention"
QUESTION = "What attends to what?"
ORDER = 1

PAGE = "attention"
METHOD = "attention"
BENCH = Workbench(PAGE, targets=False)
ALL = Slot(PAGE, "all", "Reading every head")
ONE = Slot(PAGE, "one", "Reading this head")

VIEWS = {"map": "Token × token", "lines": "Lines", "image": "Over the image"}
READING = {
    "map": "Each row is one token and shows how its attention, which sums to 1, is spread over the tokens it may see.",
    "lines": "Point at a token: on the left you see where it looks, on the right who looks at it. A click keeps it.",
    "image": "Point at a patch: on the left is where it looks, on the right who looks at it. A click keeps it.",
}
NO_MEAN = "the mean needs every head's whole map; beyond 256 tokens only one head's is read"
CAUTION = "Attention shows where information may flow, not what decides the answer: test that on the Attribution page."


def layout(**link: Any) -> html.Div:
    """The page as the link left it."""
    pick = {name: query.text(link, name, most=20) for name in ("layer", "head")}
    token = query.number(link, "token", -1)
    return html.Div(
        [
            html.Aside(BENCH.layout(link), className="page-side", **{"aria-label": "Model, input and answer"}),
            html.Div(
                [
                    html.Div(
                        [
                            html.H1(QUESTION),
                            html.P(["Every head of a transformer looks from each token at the others. ", CAUTION]),
                        ],
                        className="page-head",
                    ),
                    dcc.Store(id="attention-pick", data={"link": pick} if all(pick.values()) else None),
                    dcc.Store(id="attention-focus", data={"token": token} if token >= 0 else None),
                    dcc.Store(id="attention-grid-data"),
                    dcc.Store(id="attention-view"),
                    dcc.Store(id="attention-dark"),
                    ALL.parts(),
                    html.Div(id="attention-absent"),
                    html.Div([_grid_panel(link), _head_panel(link)], id="attention-there", className="d-none"),
                ],
                className="page-main",
            ),
        ],
        className="page attention",
    )


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
            tabs(PAGE, "Views of this head", VIEWS, {name: _panel(name) for name in VIEWS}, view),
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


def _switch(part: str, label: str, value: bool) -> dbc.Switch:
    return dbc.Switch(id=f"attention-{part}", label=label, value=value)


def _panel(name: str) -> list[Any]:
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
            html.Div(_image_parts(), id="attention-patches"),
        ],
    }
    return [html.P(READING[name], className="reading"), *parts[name]]


def _image_parts() -> list[Any]:
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
                _switch("own", "own colour scale for each patch", False),
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
    BENCH.register(app, engine)
    ALL.register(app, engine)
    ONE.register(app, engine)
    register_canvas(app, shown.LARGE)
    _register_grid(app, engine)
    _register_head(app, engine)
    _register_browser(app)


def _register_grid(app: Dash, engine: Engine) -> None:
    @app.callback(
        Output(ALL.requests, "data"),
        Output("attention-absent", "children"),
        Input(BENCH.card, "data"),
        Input(BENCH.input, "data"),
        prevent_initial_call=True,
    )
    def ask(card, given):  # type: ignore[no-untyped-def]
        return requests(card, given), absent(card) if card and "attention" not in card["offers"] else ""

    @app.callback(
        Output("attention-grid-data", "data"),
        Output("attention-pick", "data"),
        Output("attention-statistic", "options"),
        Output("attention-statistic", "value"),
        Output("attention-ranking", "children"),
        Output("attention-there", "className"),
        Input(ALL.answers, "data"),
        State("attention-pick", "data"),
        State("attention-statistic", "value"),
        prevent_initial_call=True,
    )
    def glance(answers, pick, statistic):  # type: ignore[no-untyped-def]
        key = (answers or {}).get("keys", {}).get("attention")
        if not key:
            return None, no_update, no_update, no_update, [], "d-none"
        result = engine.store.get_result(key)
        there = heads.offered(result)
        kept = statistic if statistic in (heads.MAPS, *there) else heads.MAPS
        data = shown.grid_data(key, result)
        return data, picked(result, pick), statistic_options(there), kept, shown.ranking(result), ""

    @app.callback(Output("attention-help", "children"), Input("attention-statistic", "value"))
    def explain(statistic):  # type: ignore[no-untyped-def]
        about = heads.STATISTICS.get(statistic)
        return (
            about.help
            if about
            else "Every head's map in small: queries down, keys across, each cell its largest weight."
        )


def _register_head(app: Dash, engine: Engine) -> None:
    @app.callback(
        Output(ONE.requests, "data"),
        Input("attention-grid-data", "data"),
        Input("attention-pick", "data"),
        State(BENCH.card, "data"),
        State(BENCH.input, "data"),
        prevent_initial_call=True,
    )
    def ask(data, pick, card, given):  # type: ignore[no-untyped-def]
        if not data or not fits(card, given) or not (place := placed(data, pick)):
            return {}
        return {"attention": run_request(card, given, METHOD, options(data, place), None)}

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
        prevent_initial_call=True,
    )
    def draw(answers, sink, special, tab, dark, data, pick):  # type: ignore[no-untyped-def]
        key = (answers or {}).get("keys", {}).get("attention")
        place = placed(data, pick) if data else None
        if not key or not place:
            return None, *[no_update] * 13
        head = shown.Head.of(key, engine.store.get_result(key), *place, sink=bool(sink), special=bool(special))
        figure = head.map(bool(dark)) if tab == "map" else ([], None)
        if ctx.triggered_id == "attention-tab":  # the head is the same
            return *[no_update] * 4, *figure, *[no_update] * 8
        return (
            head.view(),
            head.name,
            head.sentence(),
            head.note(),
            *figure,
            head.table(),
            head.downloads(),
            "" if head.pictured else no_image(),
            "" if head.pictured else "d-none",
            str(place[0]),
            heads.MEAN,
            not data["mean"],
            "" if data["mean"] else NO_MEAN,
        )


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
        Output(LINK, "data", allow_duplicate=True),
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
        prevent_initial_call=True,
    )


def requests(card: Any, given: Any) -> dict[str, Any]:
    """The job that reads every head, where the model has attention and the input is one that it reads."""
    if not fits(card, given) or "attention" not in card["offers"]:
        return {}
    return {"attention": run_request(card, given, METHOD, {}, None)}


def picked(result: Result, pick: Any) -> dict[str, Any]:
    """The head to show: the one picked or named by the link where this model has it, else a striking one."""
    layers, every, model = result.labels["all_layer"], result.labels["all_head"], result.request.get("model")
    pick = pick if isinstance(pick, Mapping) else {}
    named = pick.get("link") or {}
    if named.get("layer") in layers and named.get("head") in (*every, heads.MEAN):
        head = named["head"]
        return {
            "layer": layers.index(named["layer"]),
            "head": head if head == heads.MEAN else every.index(head),
            "model": model,
        }
    whole = {"layers": layers, "heads": every, "mean": shown.whole(result)}
    if pick.get("model") == model and placed(whole, pick):
        return dict(pick)
    layer, head = heads.striking(result)
    return {"layer": layer, "head": head, "model": model}


def placed(data: Mapping[str, Any], pick: Any) -> tuple[int, int | str] | None:
    """The picked (layer, head) where the grid has it; the mean counts as a head where it is offered."""
    if not isinstance(pick, Mapping):
        return None
    layer: Any = pick.get("layer")
    head: Any = pick.get("head")
    there = type(layer) is int and 0 <= layer < len(data["layers"])
    if there and type(head) is int and 0 <= head < len(data["heads"]):
        return layer, head
    return (layer, head) if there and head == heads.MEAN and data["mean"] else None


def options(data: Mapping[str, Any], place: tuple[int, int | str]) -> dict[str, Any]:
    """The method's options for one head: none where all maps came at once."""
    if data["whole"]:
        return {}
    return {"layers": [int(data["layers"][place[0]])], "heads": [int(data["heads"][place[1]])]}


def absent(card: Mapping[str, Any]) -> html.Div:
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
    return dbc.Alert(["This model reads text, so there is no image to lay its attention over. ", *links], color="light")
