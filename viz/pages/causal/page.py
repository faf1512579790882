"""Causal: parts of the network are changed, and what the answer does then says which of them cause it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import dash_bootstrap_components as dbc
from dash import ClientsideFunction, Dash, Input, Output, State, ctx, dcc, html, no_update, set_props

from backends import registry
from backends.errors import Refused
from backends.jobs.engine import Engine
from backends.models.card import Card
from viz.components import links, offers, option_form, shell
from viz.components.alerts import alert
from viz.components.inputs import PageInput, fits
from viz.components.job_panel import Answers, JobPanel, Requests, answer_keys, if_new, take_result
from viz.components.method_choice import help_for
from viz.components.method_panel import MethodPanel
from viz.components.offers import offered, withheld
from viz.components.on_demand_receipt import OnDemandReceipt
from viz.components.tabs import tabs
from viz.components.touch import Touch
from viz.components.workbench import Target, Workbench, link_params, run_request
from viz.pages.causal import circuits, corrupted_input, edit_heads, effect_grid
from viz.pages.causal import results as views
from viz.pages.causal.corrupted_input import BESIDE, PAIR, SPAN, Opposite

PATH = "/causal"
TITLE = "Causal"
QUESTION = "Which parts cause the answer?"
ORDER = 4
NEEDS = frozenset({"answer", "gradient", "residual"})
"""What a model must offer for this page to have something to show of it."""

PAGE = "causal"
BENCH = Workbench(PAGE)
TOUCH = Touch(PAGE)
OTHER = Opposite(BENCH)
GRID = JobPanel(PAGE, "sweep", "Changing one place after another")
REST = JobPanel(PAGE, "rest", "Computing")
TRY = JobPanel(PAGE, "try", "Changing it")
TEST = OnDemandReceipt(
    PAGE, "Does this grid show how the network works?", "Test it: corrupt the input otherwise", "Sweeping again"
)

TABS = {
    "places": "Place by place",
    "try": "Try it",
    "parts": "What each part writes",
    "rivals": "Two answers",
    "circuit": "A circuit",
    "looks": "Looks or matters",
}
READING = {
    "places": (
        "Each cell is one intervention: a part of the network is changed, and the cell says how the answer moves. What "
        "moves it is a cause; what does not may still have a stand-in."
    ),
    "try": "Click heads to switch them off, or change what a token looks at, and see what the model then answers.",
    "parts": (
        "The last state is a sum, and each bar is one part's share of the answer's logit. It counts what a part writes "
        "itself, not what later parts make of it; the residue is what the sum misses."
    ),
    "rivals": "Both answers' logits as they stand after each part; a dotted line is where the lead changes.",
    "circuit": (
        "Choose heads by clicking them: do they do the whole work by themselves, is anything missing, could one go? "
        "None chosen: those whose own effect is large."
    ),
    "looks": (
        "Each point is a head: how sharply it looks, and how far the answer moves without it. Heads far to the right "
        "and low down look important and are not."
    ),
}
SWEEPS = "grid"
"""The view whose methods the first tab draws: one after another is chosen there."""
VIEWS = {"parts": "contributions", "rivals": "rivals", "circuit": "circuit", "looks": "heads"}
"""The view of the one method that each of these tabs draws."""
METRICS = {"logit": "logit (of a pair: difference)", "probability": "probability", "loss": "loss"}
ELSEWHERE = ("metric", "heads", "edges", "alpha", "tokens", "subject")
"""Options that the page sets by other means than the method's form."""


def layout(**link: Any) -> html.Div:
    """The page as the link left it."""
    tab = links.choice(link, "tab", tuple(TABS), "places")
    stores = {
        "causal-dark": None, "causal-filling": None, "causal-opened": None, "causal-options": views.options_of(link),
        edit_heads.OFF: edit_heads.heads_of(link, "off"), edit_heads.EDGES: edit_heads.edges_of(link),
        circuits.HEADS: circuits.asked(link),
    }  # fmt: skip
    return shell.page(
        "causal",
        QUESTION,
        "Attention and gradients suggest; interventions show. Change a part, watch the answer.",
        BENCH.layout(link),
        [
            *[dcc.Store(id=name, data=value) for name, value in stores.items()],
            html.Div([alert(told) for told in unknown(link)], id="causal-unknown"),
            html.Div(id="causal-absent"),
            html.Div(
                [
                    html.Div(
                        [_watched(link), REST.parts(), tabs(PAGE, "Interventions", TABS, _panels(link), tab)],
                        className="panel",
                    ),
                    OTHER.parts(link),
                ],
                id="causal-there",
                className="d-none",
            ),
            OTHERS.parts(link),
            TOUCH.parts(link),
        ],
    )


def unknown(link: Mapping[str, Any]) -> list[str]:
    """A sentence for each thing that a link asks for and this page has not."""
    return [*links.unknown(link, "tab", TABS, "places"), *links.unknown(link, "metric", METRICS, "logit")]


def _watched(link: Mapping[str, Any]) -> html.Fieldset:
    options = [{"label": words, "value": name} for name, words in METRICS.items()]
    value = links.choice(link, "metric", tuple(METRICS), "logit")
    radio = dbc.RadioItems(id="causal-metric", options=options, value=value, inline=True)
    return html.Fieldset([html.Legend("Watch the target's"), radio], className="choices")


def _panels(link: Mapping[str, Any]) -> dict[str, list[Any]]:
    sweeps = offers.every(PAGE, SWEEPS)
    method = links.choice(link, "method", tuple(sweeps), sweeps[0])
    body: dict[str, list[Any]] = {
        "places": [*_sweep_parts(method), TEST.parts(link)],
        "try": [TRY.parts(), *edit_heads.parts(link)],
        "parts": [_form("parts"), _position(link), html.Div(id="causal-show-parts", className="pictures")],
        "rivals": [_form("rivals"), html.Div(id="causal-show-rivals", className="pictures")],
        "circuit": [_form("circuit"), *circuits.parts(links.number(link, "threshold", 5, 0, 100) / 100)],
        "looks": [_form("looks"), html.Div(id="causal-show-looks", className="pictures")],
    }
    return {
        name: [
            html.P(READING[name], className="reading"),
            html.Div(id=f"causal-why-{name}", className="why"),
            html.Div(
                [*body[name], html.Div(id=f"causal-save-{name}", className="downloads")], id=f"causal-view-{name}"
            ),
        ]
        for name in TABS
    }


def _form(name: str) -> html.Div:
    return html.Div(id=f"causal-form-{name}")


def _position(link: Mapping[str, Any]) -> html.Div:
    select = dbc.Select(id="causal-position", value=links.text(link, "position", "auto", most=6), options=[], size="sm")
    label = html.Label("At token", htmlFor="causal-position", className="form-label mb-0")
    return html.Div([label, select], className="position-picker")


def _sweep_parts(method: str) -> list[Any]:
    return [
        html.Fieldset(
            [
                html.Legend("Change by"),
                dbc.RadioItems(id="causal-method", options=[], value=method, inline=True),
            ],
            className="choices",
        ),
        _form("places"),
        html.Details([html.Summary("What this computes"), html.Div(id="causal-help", className="help")]),
        GRID.parts(),
        TEST.face(),
        effect_grid.parts("causal-grid", "Effect of every place", circuits.HEADS, "in the circuit"),
        html.Div(id="causal-approximate", className="mt-3"),
        effect_grid.parts("causal-preview", "Approximate preview of every place"),
        dbc.Button(
            "As a figure, to save", id="causal-figure", size="sm", color="secondary", outline=True, class_name="d-none"
        ),
        html.Div(id="causal-show-places", className="pictures"),
    ]


def register(app: Dash, engine: Engine) -> None:
    """Connect the page: both inputs, the sweep, the other views, what is tried, the link."""
    BENCH.register(app, engine)
    TOUCH.register(app, engine, BENCH)
    OTHER.register(app, engine)
    for slot in (GRID, REST, TRY):
        slot.register(app, engine)
    TEST.register(app, engine, GRID, repeatable)
    OTHERS.register(app, engine)
    effect_grid.register(app, "causal-grid", circuits.HEADS)
    effect_grid.register(app, "causal-preview", circuits.HEADS)
    effect_grid.register(app, circuits.GRID, circuits.HEADS)
    edit_heads.register(app, BENCH.card, BENCH.prediction)
    _register_choices(app)
    _register_requests(app)
    _register_attempt(app)
    _register_sweep(app, engine)
    _register_views(app, engine)
    _register_try(app, engine)
    _register_circuit(app, engine)
    _register_heads(app, engine)
    _register_link(app)


def _register_choices(app: Dash) -> None:
    @app.callback(
        Output("causal-absent", "children"),
        Output("causal-there", "className"),
        Output("causal-method", "options"),
        Output("causal-method", "value"),
        *[Output(f"causal-why-{name}", "children") for name in TABS],
        *[Output(f"causal-view-{name}", "className") for name in TABS],
        Input(BENCH.card, "data"),
        State("causal-method", "value"),
    )
    def offer(card: Card | None, method: Any) -> Any:
        if not card:
            return "", "d-none", [], no_update, *[""] * (2 * len(TABS))
        there = offers.seen_as(card, PAGE, SWEEPS)
        why = missing(card)
        told = [alert(why[name], "light") if name in why else "" for name in TABS]
        hidden = ["d-none" if name in why else "" for name in TABS]
        kept = method if method in there else (there or [method])[0]
        absent = views.absent(card) if not there else ""
        return absent, "" if there else "d-none", views.method_options(card, there), kept, *told, *hidden

    @app.callback(
        *[Output(f"causal-form-{name}", "children") for name in ("places", *VIEWS)],
        Output("causal-help", "children"),
        Input(BENCH.card, "data"),
        Input("causal-method", "value"),
        State("causal-options", "data"),
        prevent_initial_call=True,
    )
    def forms(card: Card | None, method: Any, options: Any) -> Any:
        if not card:
            return [no_update] * (len(VIEWS) + 2)
        shown = [method, *(offers.first(card, PAGE, view) for view in VIEWS.values())]
        made = [views.form(PAGE, name, card, (options or {}).get(name), ELSEWHERE) for name in shown]
        if ctx.triggered_id == "causal-method":
            made[1:] = [no_update] * len(VIEWS)
        return *made, help_for(method)

    option_form.register(app, PAGE, "causal-options")

    app.clientside_callback(
        ClientsideFunction("causal", "opened"), Output("causal-opened", "data"), Input(BENCH.card, "data")
    )


def _register_requests(app: Dash) -> None:
    known = [Input(name, "data") for name in (BENCH.card, BENCH.input, BENCH.aim, PAIR, BESIDE, SPAN, "causal-options")]
    view = [Input("causal-metric", "value"), Input("causal-tab", "data")]

    def sweep(
        card: Any,
        given: Any,
        aim: Any,
        pair: Any,
        beside: Any,
        span: Any,
        options: Any,
        metric: Any,
        tab: Any,
        method: Any,
    ) -> Any:
        if tab != "places":
            return no_update
        return sweep_requests(card, given, aim, usable(given, pair, beside), span, options, metric, method)

    def rest(
        card: Any,
        given: Any,
        aim: Any,
        pair: Any,
        beside: Any,
        span: Any,
        options: Any,
        metric: Any,
        tab: Any,
        heads: Any,
    ) -> Any:
        if tab not in VIEWS:
            return no_update
        return view_requests(card, given, aim, usable(given, pair, beside), options, metric, tab, heads)

    GRID.ask(app, [*known, *view, Input("causal-method", "value")], sweep)
    REST.ask(app, [*known, *view, Input(circuits.HEADS, "data")], rest)


def _register_attempt(app: Dash) -> None:
    """The jobs of what is tried out: heads switched off, edges cut."""

    @app.callback(
        Output(TRY.requests, "data"),
        Output("causal-edge-problem", "children", allow_duplicate=True),
        *[Input(name, "data") for name in (BENCH.card, BENCH.input, BENCH.aim)],
        Input("causal-metric", "value"),
        Input("causal-tab", "data"),
        Input(edit_heads.OFF, "data"),
        Input(edit_heads.EDGES, "data"),
        Input(edit_heads.ALPHA, "value"),
        State(TRY.requests, "data"),
        prevent_initial_call=True,
    )
    def attempt(
        card: Card | None,
        given: PageInput | None,
        aim: Target,
        metric: Any,
        tab: str,
        off: list[Any] | None,
        edges: list[Any] | None,
        alpha: Any,
        before: Any,
    ) -> Any:
        if tab != "try":
            return no_update, no_update
        try:
            asked = try_requests(card, given, aim, metric, off, edges, alpha)
        except Refused as refused:
            return no_update, alert(str(refused))
        return if_new(asked, before), ""


def _register_sweep(app: Dash, engine: Engine) -> None:
    @app.callback(
        Output("causal-filling", "data"),
        Input(GRID.poll, "n_intervals"),
        State(GRID.requests, "data"),
        State(BESIDE, "data"),
        State(BENCH.input, "data"),
        prevent_initial_call=True,
    )
    def fill(_ticks: int | None, requests: Requests | None, beside: Any, given: PageInput | None) -> Any:
        grid = views.filling(engine, requests, beside, given)
        if grid:  # not as an output: what waits for an output of a callback that runs again and again never runs
            set_props("causal-grid-data", {"data": grid})
        return no_update

    @app.callback(
        Output("causal-preview-data", "data"),
        Output("causal-approximate", "children"),
        Output("causal-save-places", "children"),
        Output("causal-figure", "class_name"),
        Input(GRID.answers, "data"),
        Input(BESIDE, "data"),
        State(GRID.requests, "data"),
        State(BENCH.input, "data"),
        prevent_initial_call=True,
    )
    def draw(answers: Answers | None, beside: Any, requests: Requests | None, given: PageInput | None) -> Any:
        grid, *rest = views.places(engine, answers, requests or {}, beside, given)
        set_props("causal-grid-data", {"data": grid})
        return rest

    @app.callback(
        Output("causal-show-places", "children"),
        Input("causal-figure", "n_clicks"),
        Input(GRID.answers, "data"),
        Input("causal-dark", "data"),
        prevent_initial_call=True,
    )
    def figure(clicks: int | None, answers: Answers | None, dark: bool | None) -> Any:
        if ctx.triggered_id == GRID.answers or not clicks:
            return []
        result = take_result(engine, answers, "exact")
        return views.drawn(result, "causal-graph-places", bool(dark)) if result is not None else []


def _register_views(app: Dash, engine: Engine) -> None:
    @app.callback(
        *[Output(f"causal-show-{name}", "children") for name in ("parts", "rivals", "looks")],
        *[Output(f"causal-save-{name}", "children") for name in VIEWS],
        Output("causal-position", "options"),
        Output("causal-position", "value"),
        Input(REST.answers, "data"),
        Input("causal-tab", "data"),
        Input("causal-position", "value"),
        Input("causal-dark", "data"),
        prevent_initial_call=True,
    )
    def show(answers: Answers | None, tab: str, position: Any, dark: bool | None) -> Any:
        return views.rest(engine, answers, tab, position, bool(dark), tuple(VIEWS))


def _register_try(app: Dash, engine: Engine) -> None:
    @app.callback(
        Output(f"{edit_heads.GRID}-data", "data"),
        Output("causal-off-words", "children"),
        Output("causal-tried", "children"),
        Output("causal-save-try", "children"),
        Input(TRY.answers, "data"),
        State(TRY.requests, "data"),
        State(BENCH.card, "data"),
        prevent_initial_call=True,
    )
    def show(answers: Answers | None, requests: Requests | None, card: Card | None) -> Any:
        return views.tried(engine, answers, requests or {}, card)


def _register_circuit(app: Dash, engine: Engine) -> None:
    @app.callback(
        Output(f"{circuits.GRID}-data", "data"),
        Output("causal-criteria", "children"),
        Output("causal-threshold-area", "className"),
        Input(REST.answers, "data"),
        prevent_initial_call=True,
    )
    def show(answers: Answers | None) -> Any:
        result = take_result(engine, answers, "circuit")
        if result is None:
            return no_update, no_update, no_update
        told = [*circuits.criteria(result), *circuits.command(result)]
        area = "threshold" if "edge" in result.arrays else "d-none"
        return effect_grid.of_result(result, answer_keys(answers)["circuit"]), told, area

    @app.callback(
        Output("causal-graph", "children"),
        Output("causal-threshold-label", "children"),
        Input(REST.answers, "data"),
        Input("causal-threshold", "value"),
        Input("causal-dark", "data"),
        prevent_initial_call=True,
    )
    def graph(answers: Answers | None, threshold: Any, dark: bool | None) -> Any:
        least = views.share(threshold)
        words = f"Edges that restore at least {least:.2f} of the difference"
        result = take_result(engine, answers, "circuit")
        return views.graph(result, least, bool(dark)) if result is not None else [], words


def _register_heads(app: Dash, engine: Engine) -> None:
    """A circuit as a file, and the heads that are taken from the one that is found, or from a file."""

    @app.callback(
        Output("causal-saved", "data"),
        Input("causal-save", "n_clicks"),
        State(REST.answers, "data"),
        prevent_initial_call=True,
    )
    def save(clicks: int | None, answers: Answers | None) -> Any:
        result = take_result(engine, answers, "circuit")
        return {"content": circuits.written(result), "filename": "circuit.json"} if clicks and result else no_update

    @app.callback(
        Output(circuits.HEADS, "data"),
        Output("causal-load-problem", "children"),
        Output("causal-metric", "value"),
        Output("causal-options", "data", allow_duplicate=True),
        Output("causal-form-circuit", "children", allow_duplicate=True),
        Input("causal-take", "n_clicks"),
        Input("causal-clear", "n_clicks"),
        Input("causal-load", "contents"),
        State(REST.answers, "data"),
        State(BENCH.card, "data"),
        State("causal-options", "data"),
        prevent_initial_call=True,
    )
    def choose(
        _take: int | None, _clear: int | None, contents: Any, answers: Answers | None, card: Card | None, options: Any
    ) -> Any:
        stay = [no_update] * 3
        if ctx.triggered_id == "causal-clear":
            return [], "", *stay
        if ctx.triggered_id == "causal-take":
            result = take_result(engine, answers, "circuit")
            return (list(result.labels["member"]) if result else no_update), "", *stay
        try:
            if card is None:
                raise Refused("open a model first: a circuit is of its heads")
            method = offers.first(card, PAGE, VIEWS["circuit"])
            heads, found = circuits.opened(contents, card)
        except Refused as refused:
            return no_update, alert(str(refused)), *stay
        metric = found.pop("metric", no_update)
        own = {**(options or {}), method: {**(options or {}).get(method, {}), **found}}
        return heads, "", metric, own, views.form(PAGE, method, card, own[method], ELSEWHERE)


def _register_link(app: Dash) -> None:
    @app.callback(
        Output(shell.LINK, "data", allow_duplicate=True),
        *[
            Input(name, "data")
            for name in (BENCH.card, BENCH.input, BENCH.aim, PAIR, SPAN, "causal-tab", "causal-options")
        ],
        *[Input(name, "value") for name in ("causal-metric", "causal-method", "causal-position", "causal-threshold")],
        *[Input(name, "data") for name in (edit_heads.OFF, edit_heads.EDGES, circuits.HEADS)],
        Input(edit_heads.ALPHA, "value"),
        Input(TEST.tested, "data"),
        prevent_initial_call=True,
    )
    def link(
        card: Card | None,
        given: PageInput | None,
        aim: Target,
        pair: Any,
        span: Any,
        tab: str,
        options: Any,
        metric: Any,
        method: Any,
        position: Any,
        threshold: Any,
        off: list[Any] | None,
        edges: list[Any] | None,
        heads: Any,
        alpha: Any,
        tested: Any,
    ) -> Any:
        if not card or not given:
            return no_update
        view = {
            "tab": tab, "metric": metric, "method": method, "position": position or "auto",
            "threshold": str(round(100 * views.share(threshold))), "off": ",".join(off or []),
            "edges": ",".join(edges or []), "heads": ",".join(heads or []), "alpha": str(alpha),
            "tested": ",".join(tested or []),
        }  # fmt: skip
        usual = {**USUAL, "method": offers.needing(PAGE, SWEEPS)}
        kept = {name: value for name, value in view.items() if value != usual[name]}
        more = corrupted_input.link_params(pair, span) | {"options": views.differing(options)}
        return {"path": PATH, "params": link_params(card, given, aim) | kept | more}


USUAL = {
    "tab": "places", "metric": "logit", "position": "auto", "threshold": "5", "off": "", "edges": "", "heads": "",
    "alpha": "0", "tested": "",
}  # fmt: skip


def repeatable(answers: Any, requests: Any) -> dict[str, tuple[str, dict[str, Any], dict[str, Any]]]:
    """The grid that stands there, where another corruption can test it: see `retest`."""
    asked = (requests or {}).get("exact") or {}
    there = "exact" in answer_keys(answers) and asked and registry.method(asked["method"]).repeats
    return {"exact": ("This grid", asked, {})} if there else {}


def usable(given: Any, pair: Any, beside: Any) -> dict[str, Any] | None:
    """The pair of the page's input once the model has read both; `pending` while it has not, None where it cannot."""
    if not given or (pair and pair.get("of") != given.get("digest")):
        return {"pending": True}
    if pair is None:
        return None
    if not beside or beside.get("pair") != pair["digest"]:
        return {"pending": True}
    return None if beside.get("failed") else {"digest": pair["digest"]}


def _filled(card: Any, method: str, options: Any, metric: Any) -> dict[str, Any]:
    """The options of a method as its form and the page set them. Raises `Refused`."""
    own = {n: v for n, v in ((options or {}).get(method) or {}).items() if n not in ELSEWHERE}
    there = option_form.checked(method, own)
    return there | ({"metric": metric} if "metric" in there and metric in METRICS else {})


def sweep_requests(
    card: Any, given: Any, aim: Any, both: Any, span: Any, options: Any, metric: Any, method: str
) -> dict[str, Any]:
    """The grid's job (`exact`) and, before it, the preview of a method that has one."""
    there = offered(card, PAGE) if card else {}
    if not fits(card, given) or method not in there or (both or {}).get("pending"):
        return {}
    if there[method].needs_pair and not both:
        return {}
    filled = _filled(card, method, options, metric)
    if "subject" in filled:
        filled["subject"] = tuple(span or ())
    given = heeded(given, both, there[method])
    asked = {"exact": run_request(card, given, method, filled, aim)}
    if preview := there[method].preview:
        same: dict[str, Any] = {name: filled[name] for name in ("site", "metric", "part") if name in filled}
        asked = {"preview": run_request(card, given, preview, same, aim), **asked} if preview in there else asked
    return asked


def heeded(given: PageInput, both: Any, entry: Any) -> PageInput:
    """The input that a method is given: the pair where there is one that it heeds, else the clean input alone."""
    return {**given, "digest": both["digest"]} if both and (entry.needs_pair or entry.uses_pair) else given


def view_requests(
    card: Any, given: Any, aim: Any, both: Any, options: Any, metric: Any, tab: str, heads: Any
) -> dict[str, Any]:
    """The job of one of the other tabs."""
    method = offers.first(card, PAGE, VIEWS[tab]) if card else ""
    if not fits(card, given) or not method or (both or {}).get("pending"):
        return {}
    filled = _filled(card, method, options, metric)
    if tab == "circuit":
        filled["heads"] = circuits.chosen(heads or ())
    given = heeded(given, both, registry.method(method))
    return {tab: run_request(card, given, method, filled, aim)}


def try_requests(card: Any, given: Any, aim: Any, metric: Any, off: Any, edges: Any, alpha: Any) -> dict[str, Any]:
    """Every head switched off alone, for the grid, and all that was changed together. Raises `Refused`."""
    there = offered(card, PAGE) if card else {}
    if not fits(card, given) or edit_heads.CHANGES not in there:
        return {}
    filled = {"ablation": "zero", "metric": metric}
    asked = {"heads": run_request(card, given, edit_heads.EACH_HEAD, filled, aim)}
    if off or edges:
        changed = edit_heads.options(off, edges, alpha, "generation" in card["offers"]) | {"metric": metric}
        asked = {"changed": run_request(card, given, edit_heads.CHANGES, changed, aim), **asked}
    return asked


def given_to_others(card: Any, given: Any, entry: Any, pair: Any, beside: Any) -> PageInput | None:
    """What a method without a tab is given; None while it is not known. Raises `Refused` where it needs a pair."""
    if not fits(card, given):
        return None
    both = usable(given, pair, beside)
    if (both or {}).get("pending"):
        return None if entry.needs_pair or entry.uses_pair else given
    if entry.needs_pair and not both:
        raise Refused(f"{entry.title} compares two inputs: mend the corrupted one above, or choose another method")
    return heeded(given, both, entry)


OTHERS = MethodPanel(
    PAGE, (BENCH.card, BENCH.input, BENCH.aim), tuple(VIEWS.values()), (SWEEPS,), given_to_others, (PAIR, BESIDE)
)


def missing(card: Card) -> dict[str, str]:
    """For each tab that this model cannot fill, the sentence that says why."""
    there, why = offered(card, PAGE), withheld(card, PAGE)
    needed = {"try": edit_heads.CHANGES}
    needed |= {tab: offers.first(card, PAGE, view) or offers.needing(PAGE, view) for tab, view in VIEWS.items()}
    return {
        tab: f"Not for this model: {why.get(m, 'it has no such parts')}." for tab, m in needed.items() if m not in there
    }
